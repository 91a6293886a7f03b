"""EncodecMAE's encoder (arXiv 2309.07391, section 3): EnCodec's encoder and a transformer on it.

EnCodec's convolutions and LSTM are those of transformers; the transformer is written from the
paper and the names of the published tensors. Its residual path is ResiDual's (arXiv 2304.14802),
and one feed-forward block serves all layers.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import EncodecConfig
from transformers.models.encodec.modeling_encodec import EncodecEncoder

from mrs.backends.networks.common import below, check_layer, named_for
from mrs.backends.pretrained import EncodecMAE
from mrs.backends.weights import load_state, read_tensors
from mrs.errors import InputError

PIECE_SECONDS = 4  # what the published code hears at a time


@dataclass(frozen=True)
class MaeSize:
    """Widths and depths; the defaults are those of the published base model."""

    width: int = 768
    depth: int = 10
    heads: int = 12
    feed_forward: int = 4096
    codec: dict[str, Any] = field(default_factory=dict)  # what departs from EnCodec at 24 kHz


class Attention(nn.Module):
    """Multi-head attention without biases, in which the head is the fastest running index."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.wq = nn.Linear(width, width, bias=False)
        self.wk = nn.Linear(width, width, bias=False)
        self.wv = nn.Linear(width, width, bias=False)
        self.wo = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        """[B x T x width] to the same; frames outside `heard` [T] are attended to by none."""
        query, key, value = (
            project(x).unflatten(2, (-1, self.heads)).permute(0, 3, 1, 2)
            for project in (self.wq, self.wk, self.wv)
        )
        y = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=heard[None])
        return self.wo(y.permute(0, 2, 3, 1).flatten(2))


class Layer(nn.Module):
    """One transformer layer with ResiDual's two residual paths."""

    def __init__(self, width: int, heads: int, feed_forward: nn.Module) -> None:
        super().__init__()
        self.att_layer = Attention(width, heads)
        self.ff_layer = feed_forward
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: Tensor, total: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        """The normalised path and the plain sum, each [B x T x width]."""
        attended = self.att_layer(x, heard)
        x, total = self.norm1(x + attended), total + attended
        fed = self.ff_layer(x)
        return self.norm2(x + fed), total + fed


class Transformer(nn.Module):
    """The encoder of visible frames; at inference all of them are."""

    def __init__(self, size: MaeSize) -> None:
        super().__init__()
        shared = nn.Sequential(
            nn.Linear(size.width, size.feed_forward),
            nn.ReLU(),
            nn.Linear(size.feed_forward, size.width),
        )
        self.encoder_layers = nn.ModuleList(
            Layer(size.width, size.heads, shared) for _ in range(size.depth)
        )
        self.final_norm = nn.LayerNorm(size.width)

    def forward(self, x: Tensor, heard: Tensor, layer: int) -> Tensor:
        """The layer's normalised path; of the last one, the sum of both paths."""
        total = x
        for block in self.encoder_layers[:layer]:
            x, total = block(x, total, heard)
        return x + self.final_norm(total) if layer == len(self.encoder_layers) else x


class Positions(nn.Module):
    """Sinusoidal positions, scaled by one learnt number."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """[B x T x width] with the positions added: sines at even places, cosines at odd ones."""
        length, width = x.shape[1:]
        rates = 10_000.0 ** (-torch.arange(0, width, 2, device=x.device) / width)
        angles = torch.arange(length, device=x.device)[:, None] * rates
        return x + self.scale * torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class EncodecMae(nn.Module):
    """Frames at 75 Hz of waveforms at 24 kHz, heard in pieces of `piece` samples."""

    def __init__(self, size: MaeSize, layer: int, piece: int) -> None:
        super().__init__()
        self.layer, self.piece = layer, piece
        codec = EncodecConfig(**size.codec)
        self.hop = codec.hop_length
        self.wav_encoder = EncodecEncoder(codec)
        self.feat_projector = nn.Linear(codec.hidden_size, size.width)
        self.positional_encoder = Positions()
        self.visible_encoder = Transformer(size)

    def forward(self, waveforms: Tensor) -> Tensor:
        """[B x n] to [B x ceil(n / hop) x width]."""
        return torch.cat([self._hear(part) for part in waveforms.split(self.piece, dim=1)], dim=1)

    def _hear(self, waveforms: Tensor) -> Tensor:
        codes = self.wav_encoder(waveforms[:, None]).transpose(1, 2)
        # A frame that the waveform fills in part is computed but not attended to.
        whole = max(1, waveforms.shape[1] // self.hop)
        heard = torch.arange(codes.shape[1], device=codes.device) < whole
        inputs = self.positional_encoder(self.feat_projector(codes))
        return self.visible_encoder(inputs, heard, self.layer)


def load_encodecmae(backend: EncodecMAE, folder: Path) -> EncodecMae:
    """The encoder from a published checkpoint."""
    checkpoint, size = folder / backend.weights[0].name, backend.size or MaeSize()
    check_layer(backend, size.depth, checkpoint)
    network = EncodecMae(size, backend.layer, PIECE_SECONDS * backend.sample_rate)
    tensors = below(read_tensors(checkpoint), *(f"{part}." for part, _ in network.named_children()))
    renamed = {_renamed(name): tensor for name, tensor in tensors.items()}
    load_state(network, named_for(network, renamed), checkpoint)
    for name, tensor in network.state_dict().items():
        if ".ff_layer." in name and not torch.equal(tensor, renamed[name]):
            raise InputError(f"{checkpoint}: tensor {name!r} is not shared by all layers")
    return network


def _renamed(name: str) -> str:
    """The name in transformers' EnCodec of a tensor named as in the encodec package."""
    if not name.startswith("wav_encoder."):
        return name
    name = re.sub(r"^wav_encoder\.model\.model\.", "wav_encoder.layers.", name)
    return name.replace(".conv.conv.", ".conv.")
