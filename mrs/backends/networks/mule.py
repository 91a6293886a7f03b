"""MULE's network, SF-NFNet-F0: a slow and a fast path of normaliser-free residual blocks.

Written from the papers: NFNets (arXiv 2102.06171), the slow-fast variant for audio (arXiv
2111.12124, section 3.2 and its table of F0) and MULE (arXiv 2210.03799, section 3.3). Axes are
[batch x channels x mel band x time]; kernels and strides are (bands, frames).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from mrs.backends.networks.common import MelSpectrogram, without
from mrs.backends.pretrained import MULE
from mrs.backends.weights import load_state, read_tensors
from mrs.errors import InputError

GELU_GAIN = 1.7015043497085571  # keeps the variance of a unit normal (NFNets' reference code)
ALPHA = 0.2  # weight of a residual branch
BANDS, FRAMES, HOP = 96, 300, 200  # a slice of 3 s, every 2 s


@dataclass(frozen=True)
class NfnetSize:
    """Channels and depths of both paths; the defaults are the published model's."""

    depths: tuple[int, ...] = (1, 2, 6, 3)
    slow: tuple[int, ...] = (256, 512, 1536, 1536)
    fast: tuple[int, ...] = (32, 64, 192, 192)
    slow_stem: tuple[int, ...] = (16, 32, 64, 128)
    fast_stem: tuple[int, ...] = (2, 4, 8, 16)
    fused: tuple[int, ...] = (32, 32, 64, 192)  # channels of the strided fusion convolutions
    expanded: tuple[int, ...] = (128, 256, 512, 3072)  # what they add to the slow path
    slow_group: int = 128
    fast_group: int = 16

    @property
    def embedding_size(self) -> int:
        """Width of a slice's vector."""
        return self.slow[-1] + self.fast[-1]


def gelu(x: Tensor) -> Tensor:
    """The scaled activation."""
    return nn.functional.gelu(x) * GELU_GAIN


class ScaledConvolution(nn.Conv2d):
    """A convolution whose kernel is standardised over its inputs, then scaled by a learnt gain.

    Padding is TensorFlow's "same": what cannot be split evenly goes to the end.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        kernel: tuple[int, int] = (1, 1),
        stride: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__(channels_in, channels, kernel, stride, groups=groups)
        self.gain = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[B x channels_in x F x T] to [B x channels x ceil(F / stride) x ceil(T / stride)]."""
        fan_in = self.weight[0].numel()
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        scale = torch.rsqrt((variance * fan_in).clamp(min=1e-4)) * self.gain.view(-1, 1, 1, 1)
        pads: list[int] = []
        for axis in (1, 0):  # nn.functional.pad counts from the last axis
            size, step, width = x.shape[2 + axis], self.stride[axis], self.kernel_size[axis]
            missing = max(0, (math.ceil(size / step) - 1) * step + width - size)
            pads += [missing // 2, missing - missing // 2]
        return nn.functional.conv2d(
            nn.functional.pad(x, pads),
            (self.weight - mean) * scale,
            self.bias,
            self.stride,
            groups=self.groups,
        )


class Stem(nn.Module):
    """Four convolutions that bring the spectrogram to a path's resolution."""

    def __init__(
        self,
        channels: Sequence[int],
        kernel: tuple[int, int],
        stride: tuple[int, int],
    ) -> None:
        super().__init__()
        kernels = [kernel] * 3 + [(3, 3)]
        strides = [stride, (1, 1), (1, 1), (2, 2)]
        widths = pairwise((1, *channels))
        self.convs = nn.ModuleList(
            ScaledConvolution(*width, k, s)
            for width, k, s in zip(widths, kernels, strides, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B x 1 x F x T] to the path's channels; no activation at the end."""
        for place, convolution in enumerate(self.convs):
            x = convolution(gelu(x) if place else x)
        return x


class Excitation(nn.Module):
    """Squeeze and excitation: each channel weighted by 0 to 2, decided from all their means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // 2)
        self.fc2 = nn.Linear(channels // 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B x C x F x T] to the same shape."""
        weight = torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3))))))
        return x * (2 * weight)[:, :, None, None]


class Block(nn.Module):
    """A bottleneck block. The first of a stage also changes the shortcut's channels and bands.

    `deviation` is the standard deviation expected of its input, by which it divides.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        group: int,
        deviation: float,
        *,
        first: bool,
        downsample: int = 1,
    ) -> None:
        super().__init__()
        half = channels // 2
        self.deviation, self.first, self.downsample = deviation, first, downsample
        self.convs = nn.ModuleList(
            [
                ScaledConvolution(channels_in, half),
                ScaledConvolution(half, half, (1, 3), (downsample, 1), half // group),
                ScaledConvolution(half, half, (3, 1), groups=half // group),
                ScaledConvolution(half, channels),
            ]
        )
        self.se = Excitation(channels)
        self.skip_gain = nn.Parameter(torch.zeros(1))
        if first:
            self.skip_conv = ScaledConvolution(channels_in, channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B x channels_in x F x T] to [B x channels x F / downsample x T]."""
        y = gelu(x) / self.deviation
        shortcut = x
        if self.first:
            step = (self.downsample, 1)
            shortcut = self.skip_conv(nn.functional.avg_pool2d(y, step, step))
        for place, convolution in enumerate(self.convs):
            y = convolution(gelu(y) if place else y)
        return shortcut + ALPHA * self.skip_gain * self.se(y)


class Stage(nn.Module):
    """Blocks of one width; all but a path's first stage halve the bands."""

    def __init__(
        self, channels_in: int, channels: int, group: int, depth: int, number: int
    ) -> None:
        super().__init__()
        deviation = math.sqrt(1 + ALPHA**2) if number else 1.0
        blocks = []
        for place in range(depth):
            first = place == 0
            blocks.append(
                Block(
                    channels_in if first else channels,
                    channels,
                    group,
                    deviation,
                    first=first,
                    downsample=2 if first and number else 1,
                )
            )
            deviation = math.hypot(deviation, ALPHA)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """[B x channels_in x F x T] to [B x channels x F or F / 2 x T]."""
        return self.blocks(x)


class Fusion(nn.Module):
    """The fast path at the slow path's time resolution, appended to its channels."""

    def __init__(self, channels_in: int, fused: int, expanded: int) -> None:
        super().__init__()
        self.conv1 = ScaledConvolution(channels_in, fused, (1, 7), (1, 4))
        self.conv2 = ScaledConvolution(fused, expanded)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """[B x C x F x T] and [B x c x F x 4 T] to [B x C + expanded x F x T]."""
        return torch.cat([slow, self.conv2(self.conv1(fast))], dim=1)


class SlowFast(nn.Module):
    """SF-NFNet: slices [B x 1 x bands x frames] to vectors [B x embedding_size]."""

    def __init__(self, size: NfnetSize) -> None:
        super().__init__()
        self.slow_stem = Stem(size.slow_stem, (3, 1), (2, 8))
        self.fast_stem = Stem(size.fast_stem, (3, 3), (2, 2))
        slow_before = (size.slow_stem[-1], *size.slow[:-1])
        fast_before = (size.fast_stem[-1], *size.fast[:-1])
        self.fusions = nn.ModuleList(
            Fusion(*widths) for widths in zip(fast_before, size.fused, size.expanded, strict=True)
        )
        slow_in = [a + b for a, b in zip(slow_before, size.expanded, strict=True)]
        self.slow_stages = nn.ModuleList(
            Stage(slow_in[i], size.slow[i], size.slow_group, depth, i)
            for i, depth in enumerate(size.depths)
        )
        self.fast_stages = nn.ModuleList(
            Stage(fast_before[i], size.fast[i], size.fast_group, depth, i)
            for i, depth in enumerate(size.depths)
        )

    def forward(self, slices: Tensor) -> Tensor:
        """The scaled activation of both paths' means, slow one first."""
        slow, fast = self.slow_stem(slices), self.fast_stem(slices)
        for fuse, slow_stage, fast_stage in zip(
            self.fusions, self.slow_stages, self.fast_stages, strict=True
        ):
            slow, fast = slow_stage(fuse(slow, fast)), fast_stage(fast)
        return gelu(torch.cat([slow.mean((2, 3)), fast.mean((2, 3))], dim=1))


class Mule(nn.Module):
    """A vector a slice of 3 s, every 2 s, of waveforms at 16 kHz.

    Log mel: 25 ms Hann windows every 10 ms in transforms of 2,048, 96 HTK bands to 8 kHz with unit
    L2 norm, power, log10(1 + 10,000 x). Slices are centred on frames 200, 400, ..., moved inside
    where they would stick out, and brought to mean 0 and deviation 1 (at least 0.01 is divided by).
    """

    def __init__(self, size: NfnetSize) -> None:
        super().__init__()
        self.backbone = SlowFast(size)
        self.mel = MelSpectrogram(16_000, 2048, 160, BANDS, n_window=400, norm=2.0)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms [B x n] to vectors [B x slices x embedding_size]."""
        slices = self.slices(self.log_mel(waveforms))
        vectors = self.backbone(slices.flatten(0, 1)[:, None])
        return vectors.unflatten(0, slices.shape[:2])

    def log_mel(self, waveforms: Tensor) -> Tensor:
        """[B x n] to [B x 96 x 1 + n // 160]."""
        return torch.log10(1 + 10_000 * self.mel(waveforms))

    def slices(self, mel: Tensor) -> Tensor:
        """[B x 96 x T] to [B x slices x 96 x 300]."""
        n_frames = mel.shape[2]
        if n_frames < FRAMES:
            raise InputError(f"MULE hears 3 s at least, got {n_frames / 100:g} s; leave it out")
        starts = [
            min(centre - FRAMES // 2, n_frames - FRAMES) for centre in range(HOP, n_frames, HOP)
        ]
        cut = torch.stack([mel[:, :, start : start + FRAMES] for start in starts], dim=1)
        deviation, mean = torch.std_mean(cut, (2, 3), correction=0, keepdim=True)
        return (cut - mean) / deviation.clamp(min=0.01)


def load_mule(backend: MULE, folder: Path) -> Mule:
    """The network from the published weights, converted to torch names and axes."""
    checkpoint = folder / backend.weights[0].name
    network = Mule(backend.size or NfnetSize())
    load_state(network.backbone, without(read_tensors(checkpoint), "backbone."), checkpoint)
    return network
