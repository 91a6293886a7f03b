"""The encoder of MusicFM and MuQ: mel spectrogram, residual convolutions, conformer.

Described in arXiv 2311.03318, section 3.1; arXiv 2501.01108 takes it over. The conformer blocks
are those of transformers' Wav2Vec2-Conformer with rotary positions, as in both authors' models; the
front end is written from the papers and the names of the published tensors.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ConformerConfig
from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import (
    Wav2Vec2ConformerEncoder,
)

from mrs.backends.networks.common import MelSpectrogram, below, check_layer, read_json, without
from mrs.backends.pretrained import MusicFM
from mrs.backends.weights import load_state, read_tensors
from mrs.errors import InputError


@dataclass(frozen=True)
class ConformerSize:
    """Widths and depths of the encoder; the defaults are the published model's."""

    channels: int = 512
    width: int = 1024
    depth: int = 12
    heads: int = 16
    feed_forward: int = 4096
    n_mels: int = 128


class ResidualConvolutions(nn.Module):
    """Two 3 x 3 convolutions, halving both axes, and a third one on the shortcut."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width_in, width, 3, stride=2, padding=1)
        self.bn3 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B x C x F x T] to [B x width x F / 2 x T / 2]."""
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn3(self.conv3(x)) + self.bn2(self.conv2(y)))


class Subsampling(nn.Module):
    """Mel frames at 100 Hz to conformer inputs at 25 Hz."""

    def __init__(self, size: ConformerSize) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            ResidualConvolutions(1, size.channels),
            ResidualConvolutions(size.channels, size.channels),
        )
        self.linear = nn.Linear(size.channels * size.n_mels // 4, size.width)

    def forward(self, mel: Tensor) -> Tensor:
        """[B x n_mels x T] to [B x T / 4 x width]."""
        y: Tensor = self.conv(mel[:, None])  # [B x C x F x T]
        return self.linear(y.permute(0, 3, 1, 2).flatten(2))


class MelConformer(nn.Module):
    """MusicFM or MuQ up to one of its layers: 0 is the conformer's input, the last one its output.

    Decibels are standardised with the mean and deviation of the training corpus. Waveforms
    shorter than `n_samples` are padded with zeros to that length.
    """

    def __init__(
        self, size: ConformerSize, layer: int, mean: float, deviation: float, n_samples: int = 0
    ) -> None:
        super().__init__()
        self.layer, self.mean, self.deviation = layer, mean, deviation
        self.size, self.n_samples = size, n_samples
        self.mel = MelSpectrogram(24_000, n_fft=2048, hop_length=240, n_mels=size.n_mels)
        self.conv = Subsampling(size)
        self.conformer = Wav2Vec2ConformerEncoder(
            Wav2Vec2ConformerConfig(
                hidden_size=size.width,
                num_hidden_layers=size.depth,
                num_attention_heads=size.heads,
                intermediate_size=size.feed_forward,
                hidden_act="swish",
                position_embeddings_type="rotary",
            )
        )
        # Built and stored there, but with rotary positions nothing goes through it.
        del self.conformer.pos_conv_embed

    def forward(self, waveforms: Tensor) -> Tensor:
        """Waveforms [B x n] at 24 kHz to frames [B x n // 960 x width]."""
        missing = max(0, self.n_samples - waveforms.shape[1])
        power = self.mel(nn.functional.pad(waveforms, (0, missing)))[..., :-1]
        decibels = 10 * torch.log10(power.clamp(min=1e-10))
        inputs = self.conv((decibels - self.mean) / self.deviation)
        states = self.conformer(inputs, output_hidden_states=True).hidden_states
        return states[self.layer]


def load_musicfm(backend: MusicFM, folder: Path) -> MelConformer:
    """The encoder from a published checkpoint and the statistics of its corpus."""
    checkpoint, statistics = (folder / file.name for file in backend.weights)
    size = backend.size or ConformerSize()
    check_layer(backend, size.depth, checkpoint)
    mean, deviation = read_statistics(read_json(statistics), statistics)
    filled = backend.pooling == "channels"
    n_samples = round(backend.clip_seconds * backend.sample_rate) if filled else 0
    network = MelConformer(size, backend.layer, mean, deviation, n_samples)
    load_state(network, encoder_tensors(read_tensors(checkpoint), "model."), checkpoint)
    return network


def read_statistics(known: dict[str, Any], where: Path) -> tuple[float, float]:
    """Mean and deviation of a corpus's decibels."""
    try:
        return float(known["melspec_2048_mean"]), float(known["melspec_2048_std"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: no number for {error}; fetch it again") from error


def encoder_tensors(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those of a checkpoint that `MelConformer` holds, without the prefix.

    The rest is the training's: targets, their projection, a class token.
    """
    used = below(without(tensors, prefix), "conv.", "conformer.")
    return {n: t for n, t in used.items() if not n.startswith("conformer.pos_conv_embed.")}
