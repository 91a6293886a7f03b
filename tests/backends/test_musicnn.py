import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sounds import tone
from torch import nn
from torch.nn import functional

from mrs.backends import make_backend
from mrs.backends.audio import decode
from mrs.backends.networks.musicnn import MusiCNNModel, Network, log_mel_patches
from mrs.backends.pretrained import MusiCNN
from mrs.backends.weights import ASSETS, load_model
from mrs.errors import InputError

WHEEL = MusiCNN.weights[0].name

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "musicnn"
CLIPS = {"singularity_aberrations": ".flac", "singularity_aberrations_16k": ".wav"}

needs_weights = pytest.mark.skipif(
    not (ASSETS / WHEEL).is_file(),
    reason=f"{ASSETS / WHEEL} is not there: run make setup",
)
needs_reference = pytest.mark.skipif(
    not REFERENCE.is_dir(), reason=f"TensorFlow's features are not there: {REFERENCE}"
)


def random_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """The network's tensors, random; scales of the normalisations of both signs."""
    rng = np.random.default_rng(seed)
    shapes = {
        "conv2d": (7, 38, 1, 204),
        "conv2d_1": (7, 67, 1, 204),
        "conv2d_2": (128, 1, 1, 51),
        "conv2d_3": (64, 1, 1, 51),
        "conv2d_4": (32, 1, 1, 51),
        "conv2d_5": (7, 561, 1, 64),
        "conv2d_6": (7, 64, 1, 64),
        "conv2d_7": (7, 64, 1, 64),
        "dense": (1506, 200),
    }
    tensors = {}
    for name, shape in shapes.items():
        spread = 1 / np.sqrt(np.prod(shape[:-1]))
        tensors[f"{name}/kernel"] = rng.normal(0, spread, shape).astype("f4")
        tensors[f"{name}/bias"] = rng.normal(0, 0.1, shape[-1]).astype("f4")
    widths = [1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200]
    for i, width in enumerate(widths):
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        tensors[f"{name}/gamma"] = rng.normal(0, 1, width).astype("f4")
        tensors[f"{name}/beta"] = rng.normal(0, 1, width).astype("f4")
        tensors[f"{name}/moving_mean"] = rng.normal(0, 0.3, width).astype("f4")
        tensors[f"{name}/moving_variance"] = rng.uniform(0.5, 2, width).astype("f4")
    return tensors


class ByConvolution(nn.Module):
    """The same network written with two-dimensional convolutions, channel by channel."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.tensors_ = {name: torch.from_numpy(value) for name, value in tensors.items()}

    def normalise(self, x: torch.Tensor, i: int) -> torch.Tensor:
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        parts = ("moving_mean", "moving_variance", "gamma", "beta")
        return functional.batch_norm(x, *(self.tensors_[f"{name}/{p}"] for p in parts), eps=1e-3)

    def convolve(self, x: torch.Tensor, name: str) -> torch.Tensor:
        kernel = self.tensors_[f"{name}/kernel"].permute(3, 2, 0, 1)
        return torch.relu(functional.conv2d(x, kernel, self.tensors_[f"{name}/bias"]))

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        x = self.normalise(patches[:, None], 0)
        front = []
        for i, (name, before, behind) in enumerate(
            [
                ("conv2d", 3, 3),
                ("conv2d_1", 3, 3),
                ("conv2d_2", 63, 64),
                ("conv2d_3", 31, 32),
                ("conv2d_4", 15, 16),
            ]
        ):
            y = self.convolve(functional.pad(x, (0, 0, before, behind)), name)
            front.append(self.normalise(y, i + 1).amax(3))
        layers = [torch.cat(front, 1)]
        y = layers[0]
        for i, name in enumerate(("conv2d_5", "conv2d_6", "conv2d_7")):
            # Their kernels are [7 frames, channels, 1, 64]: channels lie along the second axis.
            wide = functional.pad(y.transpose(1, 2)[:, None], (0, 0, 3, 3))
            z = self.normalise(self.convolve(wide, name)[..., 0], i + 6)
            y = z + y if i else z
            layers.append(y)
        stacked = torch.cat(layers, 1)
        pooled = torch.stack([stacked.amax(2), stacked.mean(2)], 2).flatten(1)
        dense = self.normalise(pooled, 9) @ self.tensors_["dense/kernel"]
        return self.normalise(torch.relu(dense + self.tensors_["dense/bias"]), 10)


def test_products_equal_convolutions() -> None:
    tensors = random_tensors()
    patches = torch.from_numpy(np.random.default_rng(1).random((2, 187, 96), np.float32))
    with torch.inference_mode():
        expected, found = ByConvolution(tensors)(patches), Network(tensors)(patches)
    assert found.shape == (2, 200)
    assert float(expected.std()) > 0.1
    np.testing.assert_allclose(found, expected, atol=2e-5 * float(expected.abs().max()))


@needs_weights
@needs_reference
@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize(("patches", "kind"), [("all", "_allpatches"), ("first", "")])
def test_features_equal_tensorflows(clip: str, patches: str, kind: str) -> None:
    backend = make_backend("musicnn", {"patches": patches})
    waveform = decode(REFERENCE / f"{clip}{CLIPS[clip]}", backend.sample_rate)
    expected = np.load(REFERENCE / f"{clip}.penultimate{kind}.npy")
    found = backend.load(ASSETS).frames(waveform)
    assert found.shape == expected.shape == (10, 200)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@needs_weights
def test_the_wheels_checkpoint() -> None:
    model = load_model(make_backend("musicnn"))
    assert isinstance(model, MusiCNNModel)
    parts = [*model.network.timbral, *model.network.temporal]
    assert [tuple(f.kernel.shape) for f in parts] == [
        (38 * 7, 204),
        (67 * 7, 204),
        (128 + 16, 17 * 51),
        (64 + 16, 17 * 51),
        (32 + 16, 17 * 51),
    ]
    vector = model.embed(tone(3.0))
    assert vector.shape == (MusiCNN.embedding_size,)
    assert np.isfinite(vector).all()


def test_patches_of_three_seconds_without_what_is_left_over() -> None:
    shortest = round(MusiCNN.minimum_seconds * 16_000)
    rng = np.random.default_rng(0)
    waveform = rng.normal(0, 0.1, 4 * shortest).astype(np.float32)
    assert len(log_mel_patches(waveform[:shortest])) == 1
    assert len(log_mel_patches(waveform[: shortest - 1])) == 0
    assert len(log_mel_patches(waveform[: 16_000 * 8])) == 2


def test_loud_sound_does_not_overflow() -> None:
    patches = log_mel_patches(tone(3.0, gain=1.0))  # power far above 6.55
    assert np.isfinite(patches).all()
    assert patches.max() > np.log10(65_504)
    assert patches.dtype == np.float32


def test_first_patch_stands_for_all() -> None:
    waveform = np.random.default_rng(0).normal(0, 0.1, 16_000 * 9).astype(np.float32)
    tensors = random_tensors()
    every, first = (MusiCNNModel(tensors, kind).frames(waveform) for kind in ("all", "first"))
    assert first.shape == every.shape == (3, 200)
    for row in first:
        np.testing.assert_allclose(row, every[0], atol=1e-5)
    assert np.abs(every[1] - every[0]).max() > 1e-3


@pytest.mark.parametrize("damage", ["cut", "foreign", "absent"])
def test_damaged_wheels(tmp_path: Path, damage: str) -> None:
    path = tmp_path / WHEEL
    if damage == "foreign":
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("other", "text")
    elif damage == "cut":
        whole = zipfile.ZipFile(tmp_path / "whole", "w")
        whole.writestr("musicnn/MSD_musicnn/.index", "x" * 100)
        whole.writestr("musicnn/MSD_musicnn/.data-00000-of-00001", "x")
        whole.close()
        shutil.move(tmp_path / "whole", path)
    with pytest.raises(InputError, match=r"musicnn-0\.1\.0-py3-none-any\.whl: cannot be read"):
        make_backend("musicnn").load(tmp_path)
