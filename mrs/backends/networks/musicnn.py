"""MusiCNN, trained on the Million Song Dataset: the package's own weights, without TensorFlow.

Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging",
arXiv 1909.06654. Input, architecture and the order of operations are those of the package's code:
a log-mel spectrogram, patches of 3 s without overlap, filters in frequency (timbre) and in time
(rhythm), three residual convolutions over time, maximum and mean over time, a dense layer of 200.
"""

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import librosa
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from mrs.backends.base import Model
from mrs.backends.pretrained import MusiCNN
from mrs.backends.tf_checkpoint import read_checkpoint
from mrs.errors import InputError

CHECKPOINT = "musicnn/MSD_musicnn/"
N_MELS, N_FFT, HOP_LENGTH = 96, 512, 256
PATCH = 187  # frames, 3 s
LONGEST = 128  # frames that the longest filter in time hears
STRIDE = 17  # neighbouring frames of a product in time: 11 times 17 are a patch
N_TOGETHER = 16  # bands times patches of such a product, whose result then stays in the cache
EPSILON = 1e-3  # of TensorFlow's batch normalisation
TIMBRAL = ("conv2d", "conv2d_1")  # kernels [7 frames, 38 and 67 bands, 1, 204]
TEMPORAL = ("conv2d_2", "conv2d_3", "conv2d_4")  # kernels [128, 64 and 32 frames, 1 band, 1, 51]
RESIDUAL = ("conv2d_5", "conv2d_6", "conv2d_7")  # kernels [7 frames, channels, 1, 64]
BATCH = 4  # patches at a time on several threads; one thread is fastest at one


def load_musicnn(backend: MusiCNN, folder: Path) -> "MusiCNNModel":
    """The network from the checkpoint in the package's wheel."""
    path = folder / backend.weights[0].name
    try:
        with zipfile.ZipFile(path) as wheel:
            index = wheel.read(f"{CHECKPOINT}.index")
            data = wheel.read(f"{CHECKPOINT}.data-00000-of-00001")
        tensors = read_checkpoint(index, data)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read ({error}); fetch it again") from error
    return MusiCNNModel(tensors, backend.patches)


class MusiCNNModel(Model):
    """The network and its input; a time frame is a patch of 3 s, what is left over is dropped."""

    def __init__(self, tensors: dict[str, np.ndarray], patches: str = "all") -> None:
        self.network = Network(tensors)
        self.patches = patches

    @override
    def frames(self, waveform: np.ndarray) -> np.ndarray:
        """The penultimate layer of each patch, float32 [n_patches x 200]."""
        patches = log_mel_patches(waveform)
        frames = patches[:1] if self.patches == "first" else patches
        batch_size = BATCH if torch.get_num_threads() > 1 else 1
        with torch.inference_mode():
            rows = [self.network(batch) for batch in torch.from_numpy(frames).split(batch_size)]
            features = torch.cat(rows).numpy()
        return np.repeat(features, len(patches), axis=0) if len(frames) < len(patches) else features


def log_mel_patches(waveform: np.ndarray) -> np.ndarray:
    """Patches of the log-mel spectrogram, float32 [n_patches x 187 x 96].

    Mel power is rounded to half precision, as the package does; the rest is in single precision:
    under NumPy 2 half precision would overflow at a power of 6.55.
    """
    power = librosa.feature.melspectrogram(
        y=waveform, sr=MusiCNN.sample_rate, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS
    )
    rounded = power.T.astype(np.float16).astype(np.float32)
    frames = np.log10(np.float32(10_000) * rounded + np.float32(1))
    n_patches = len(frames) // PATCH
    return frames[: n_patches * PATCH].reshape(n_patches, PATCH, N_MELS)


class Network:
    """The network for inference, its front end as matrix products.

    The filters of the front end are 95 % of the cost. Each is followed by a rectifier, batch
    normalisation and the maximum over all bands. The first two are monotone, so that the maximum
    may be taken before them (the minimum where the normalisation's scale is negative: there the
    kernel's sign is turned). Each band's product is then compared with the best so far, and what
    all bands give, some 20 MB a patch, is never held.
    """

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self._tensors = {name: torch.from_numpy(value.copy()) for name, value in tensors.items()}
        self.input = self._normalisation(0)
        self.timbral = [self._filters(name, i) for i, name in enumerate(TIMBRAL, start=1)]
        self.timbral_halves = [_halves(filters.kernel) for filters in self.timbral]
        self.temporal = [
            self._filters(name, i).over(STRIDE) for i, name in enumerate(TEMPORAL, start=3)
        ]
        self.residual = [self._convolution(name, i) for i, name in enumerate(RESIDUAL, start=6)]
        # The normalisation between pooling and the dense layer is part of the dense layer.
        scale, shift = self._normalisation(9)
        kernel = self._tensors["dense/kernel"]
        self.dense = scale[:, None] * kernel, self._tensors["dense/bias"] + shift @ kernel
        self.output = self._normalisation(10)
        del self._tensors

    def __call__(self, patches: Tensor) -> Tensor:
        """The penultimate layer, float32 [n x 200], of patches [n x 187 x 96]."""
        scale, shift = self.input
        frames = patches * scale + shift
        channels = [*self._timbral_features(frames), *self._temporal_features(frames)]
        front = torch.cat(channels, dim=2).transpose(1, 2)  # [n x 561 x 187]
        layers, before = [front], front
        for i, (kernel, bias, scale, shift) in enumerate(self.residual):
            frames = torch.relu(functional.conv1d(before, kernel, bias, padding=3))
            frames = frames * scale[:, None] + shift[:, None]
            before = frames + before if i else frames
            layers.append(before)
        stacked = torch.cat(layers, dim=1)
        # Maximum and mean of a channel stand beside each other.
        pooled = torch.stack([stacked.amax(2), stacked.mean(2)], dim=2).flatten(1)
        weight, bias = self.dense
        scale, shift = self.output
        return torch.relu(torch.addmm(bias, pooled, weight)) * scale + shift

    def _timbral_features(self, frames: Tensor) -> list[Tensor]:
        """Filters of 7 frames and many bands: the best band of each, [n x 187 x 204] twice."""
        n, n_frames, n_bands = frames.shape
        # One row a frame: for each band the 7 frames around it.
        around = functional.pad(frames, (0, 0, 3, 3)).unfold(1, 7, 1).flatten(0, 1)
        even, odd = around[:, 0::2], around[:, 1::2]
        after = functional.pad(even[:, 1:], (0, 0, 0, 1))
        parts = (even - odd).flatten(1), (after - odd).flatten(1), odd.flatten(1)
        found = []
        for filters, halves in zip(self.timbral, self.timbral_halves, strict=True):
            n_places = n_bands - len(filters.kernel) // 7 + 1
            best = _best_band(parts, halves, n_places)
            found.append(filters.finish(best).view(n, n_frames, -1))
        return found

    def _temporal_features(self, frames: Tensor) -> list[Tensor]:
        """Filters of many frames and one band: the best band of each, [n x 187 x 51] thrice.

        A row is a window of one band in which `STRIDE` frames lie with all that the longest filter
        hears around them; a product gives all those frames at once.
        """
        n, n_frames, _ = frames.shape
        before = (LONGEST - 1) // 2  # TensorFlow pads the odd frame behind
        padded = functional.pad(frames.permute(2, 0, 1), (before, LONGEST - 1 - before))
        windows = padded.unfold(2, LONGEST + STRIDE - 1, STRIDE).flatten(1, 2).contiguous()
        best: list[Tensor] = []
        for bands in windows.split(max(1, N_TOGETHER // n)):
            for i, filters in enumerate(self.temporal):
                length = len(filters.kernel)  # the filter's, and STRIDE - 1
                start = before - (length - STRIDE) // 2
                product = bands.flatten(0, 1)[:, start : start + length] @ filters.kernel
                found = product.view(len(bands), -1, product.shape[1]).amax(0)
                if len(best) == i:
                    best.append(found)
                else:
                    torch.maximum(best[i], found, out=best[i])
        return [
            filters.finish(found.view(n, n_frames, -1))
            for filters, found in zip(self.temporal, best, strict=True)
        ]

    def _normalisation(self, i: int) -> tuple[Tensor, Tensor]:
        """Scale and shift of a batch normalisation."""
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        mean, variance, gamma, beta = (
            self._tensors[f"{name}/{part}"]
            for part in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        scale = gamma / (variance + EPSILON).sqrt()
        return scale, beta - mean * scale

    def _filters(self, name: str, i: int) -> "_Filters":
        # [frames, bands, 1, channels] to rows (band, frame), in which the input is laid out
        kernel = self._tensors[f"{name}/kernel"][:, :, 0].transpose(0, 1).flatten(0, 1)
        scale, shift = self._normalisation(i)
        sign = 1.0 - 2.0 * (scale < 0)
        bias = self._tensors[f"{name}/bias"]
        return _Filters((kernel * sign).contiguous(), bias, sign, scale, shift)

    def _convolution(self, name: str, i: int) -> tuple[Tensor, ...]:
        kernel = self._tensors[f"{name}/kernel"][:, :, 0].permute(2, 1, 0).contiguous()
        return kernel, self._tensors[f"{name}/bias"], *self._normalisation(i)


@dataclass(frozen=True, eq=False)
class _Filters:
    """Filters of the front end [taps x channels], turned by `sign` for the maximum."""

    kernel: Tensor
    bias: Tensor
    sign: Tensor
    scale: Tensor
    shift: Tensor

    def over(self, n: int) -> "_Filters":
        """The same filters for n neighbouring frames at once: [taps + n - 1 x n * channels]."""
        n_taps, n_channels = self.kernel.shape
        wide = torch.zeros(n_taps + n - 1, n, n_channels)
        for i in range(n):
            wide[i : i + n_taps, i] = self.kernel
        return replace(self, kernel=wide.flatten(1))

    def finish(self, best: Tensor) -> Tensor:
        """What is left to do behind the largest product."""
        return best.mul_(self.sign).add_(self.bias).relu_().mul_(self.scale).add_(self.shift)


def _halves(kernel: Tensor) -> tuple[Tensor, ...]:
    """Even bands, odd bands and their sum of a kernel [bands * 7 x channels], of one length."""
    bands = kernel.view(-1, 7, kernel.shape[1])
    even, odd = bands[0::2], bands[1::2]
    odd = functional.pad(odd, (0, 0, 0, 0, 0, len(even) - len(odd)))
    return tuple(half.flatten(0, 1).contiguous() for half in (even, odd, even + odd))


def _best_band(parts: tuple[Tensor, ...], kernels: tuple[Tensor, ...], n_places: int) -> Tensor:
    """The largest product of a kernel with the bands from any of `n_places`, [rows x channels].

    Two neighbouring places take three products of half the length in place of four, as in fast FIR
    filters. With the kernel's even and odd bands E and O, and the input's x and y, the places give
    Ex + Oy and Ey + Ox', where x' is x one place further; these are E(x - y) + (E + O)y and
    O(x' - y) + (E + O)y. `parts` are x - y, x' - y and y, each [rows x bands / 2 * 7], `kernels`
    are E, O and E + O.
    """
    width, n_channels = kernels[0].shape
    best = torch.full((len(parts[0]), n_channels), -torch.inf)
    first, second = torch.empty_like(best), torch.empty_like(best)
    for place in range(0, n_places, 2):
        here = slice(place // 2 * 7, place // 2 * 7 + width)
        torch.mm(parts[0][:, here], kernels[0], out=first)
        if place + 1 < n_places:
            torch.mm(parts[1][:, here], kernels[1], out=second)
            torch.maximum(first, second, out=first)
        first.addmm_(parts[2][:, here], kernels[2])
        torch.maximum(best, first, out=best)
    return best
