"""What the tests of every backend with published weights share.

A test class inherits `PublishedWeights`, names its backend and writes a checkpoint as it is
published, of a small network with random numbers.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mrs.backends.base import Backend
from mrs.backends.weights import load_model, require
from mrs.errors import InputError

Tensors = dict[str, torch.Tensor]


def randomise(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The network with random numbers in all its tensors, at which signals neither fade nor grow.

    Matrices and kernels have the deviation 1 / sqrt(inputs), scales lie around 1, biases around 0.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point() or "inv_freq" in name:
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim > 1:
            tensor.copy_(noise / (tensor.numel() / len(tensor)) ** 0.5)
        elif name.endswith("bias") or "running_mean" in name:
            tensor.copy_(noise / 5)
        else:
            tensor.copy_(1 + noise.abs() / 5)
    return network.eval()


def waveform(backend: Backend, seconds: float, seed: int = 0) -> np.ndarray:
    """Noise under a tone, 440 Hz for seed 0, float32 at the backend's sample rate."""
    n = round(seconds * backend.sample_rate)
    noise = np.random.default_rng(seed).normal(0, 0.1, n)
    phase = 2 * np.pi * 440 * (1 + seed) * np.arange(n) / backend.sample_rate
    return (noise + 0.3 * np.sin(phase)).astype(np.float32)


def change(path: Path, edit: Callable[[Tensors], None]) -> None:
    """Edit the tensors of a checkpoint in place."""
    if path.suffix == ".safetensors":
        tensors = load_file(path)
        edit(tensors)
        save_file(tensors, path)
        return
    content: Any = torch.load(path, weights_only=True)
    nested = next((key for key in ("state_dict", "model") if key in content), None)
    edit(content[nested] if nested else content)
    torch.save(content, path)


class PublishedWeights:
    backend: ClassVar[Backend]
    checkpoint: ClassVar[str]  # the file that is damaged
    tensor: ClassVar[str]  # one of its tensors
    named: ClassVar[str] = ""  # how errors name it, if otherwise
    seconds: ClassVar[float] = 1.0
    n_frames: ClassVar[int]
    width: ClassVar[int]

    def publish(self, folder: Path) -> None:
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        self.publish(tmp_path)
        return tmp_path

    def error(self, folder: Path) -> str:
        with pytest.raises(InputError) as caught:
            self.backend.load(folder)
        message = str(caught.value)
        assert "\n" not in message
        assert str(folder / self.checkpoint) in message
        return message

    def test_frames_and_their_mean(self, folder):
        heard = waveform(self.backend, self.seconds)
        model = self.backend.load(folder)
        frames = model.frames(heard)
        assert frames.shape == (self.n_frames, self.width)
        assert frames.dtype == np.float32
        assert np.isfinite(frames).all()
        np.testing.assert_allclose(model.embed(heard), frames.mean(axis=0), rtol=1e-5, atol=1e-6)

    def test_loaded_again_it_gives_the_same_digits(self, folder):
        heard = waveform(self.backend, self.seconds)
        first, second = self.backend.load(folder).frames(heard), self.backend.load(folder)
        np.testing.assert_array_equal(first, second.frames(heard))

    def test_other_audio_gives_other_vectors(self, folder):
        model = self.backend.load(folder)
        one, other = (model.embed(waveform(self.backend, self.seconds, seed)) for seed in (0, 1))
        assert np.abs(one - other).max() > 1e-4 * np.abs(one).max()

    def test_a_batch_gives_what_its_waveforms_give_alone(self, folder):
        model = self.backend.load(folder)
        equal = [waveform(self.backend, self.seconds, seed) for seed in range(2)]
        unequal = [equal[0], waveform(self.backend, 1.2 * self.seconds)]
        for heard in (equal, unequal):
            alone = np.stack([model.embed(one) for one in heard])
            together = model.embed_batch(heard)
            np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-5 * np.abs(alone).max())

    def test_a_missing_tensor_is_named(self, folder):
        def drop(tensors: Tensors) -> None:
            del tensors[self.tensor]

        change(folder / self.checkpoint, drop)
        assert f"no tensor {self.named or self.tensor!r}" in self.error(folder)

    def test_a_tensor_of_another_width_is_named_with_both_shapes(self, folder):
        shapes = []

        def widen(tensors: Tensors) -> None:
            shapes.append(tuple(tensors[self.tensor].shape))
            tensors[self.tensor] = torch.cat([tensors[self.tensor]] * 2).clone()
            shapes.append(tuple(tensors[self.tensor].shape))

        change(folder / self.checkpoint, widen)
        message = self.error(folder)
        assert repr(self.named or self.tensor) in message
        assert f"shape {shapes[1]}, not {shapes[0]}" in message

    @pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
    def test_a_truncated_file_is_named(self, folder, kept):
        path = folder / self.checkpoint
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
        self.error(folder)

    def test_without_weights_it_says_what_to_fetch_and_where_to_put_it(self, tmp_path):
        first = self.backend.weights[0]
        with pytest.raises(InputError) as caught:
            load_model(self.backend, tmp_path)
        message = str(caught.value)
        assert "\n" not in message
        assert str(tmp_path / first.name) in message
        assert first.url in message
        assert self.backend.card.weights_licence in message

    def test_nothing_is_fetched_while_loading(self, folder, monkeypatch):
        def refuse(*_):
            raise AssertionError("the network was asked")

        monkeypatch.setattr(socket.socket, "connect", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        self.backend.load(folder)

    def test_the_card_states_revision_licence_and_origin(self):
        card = self.backend.card
        assert card.revision in self.backend.weights[-1].url
        assert all([card.code_licence, card.weights_licence, card.citation, card.corpus])


class PinnedWeights(PublishedWeights):
    """Weights whose checksums are known beforehand."""

    def test_files_with_other_checksums_are_refused(self, folder):
        with pytest.raises(InputError, match="damaged or another version"):
            require(self.backend, folder)
