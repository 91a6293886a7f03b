"""MuQ and MuQ-MuLan's audio tower (arXiv 2501.01108, sections 3.1 and 3.5).

MuQ's encoder is MusicFM's; its configuration file says the rest. The authors' package muq 0.1.0
is not used: it imports torchaudio, which does not load beside a CPU build of torch, and a second
package for a name. The tests compare the two where that package is installed.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mrs.backends.networks.common import below, check_layer, check_width, read_json, without
from mrs.backends.networks.conformer import (
    ConformerSize,
    MelConformer,
    encoder_tensors,
    read_statistics,
)
from mrs.backends.pretrained import MuQ, MuQMuLan
from mrs.backends.weights import load_state, read_tensors
from mrs.errors import InputError

CLIP_SAMPLES = 240_000  # MuQ-MuLan hears 10 s at a time
# What `MelConformer` is; another value in a configuration is another model.
MUQ = {"label_rate": 25, "hop_length": 240}
CONFORMER = {
    "position_embeddings_type": "rotary",
    "hidden_act": "swish",
    "conv_depthwise_kernel_size": 31,
}
MULAN = {"audio_model": {"use_layer_idx": -1}, "audio_transformer": {"tf_depth": 0}}


def load_muq(backend: MuQ, folder: Path) -> MelConformer:
    """MuQ from its configuration and weights."""
    config, checkpoint = (folder / file.name for file in backend.weights)
    network = _build(config, backend.layer)
    check_width(backend, network.size.width, config)
    check_layer(backend, network.size.depth, checkpoint)
    load_state(network, encoder_tensors(read_tensors(checkpoint), "model."), checkpoint)
    return network


class AudioTower(nn.Module):
    """MuQ-MuLan's joint space: a vector of unit length for each 10 s."""

    def __init__(self, muq: MelConformer, width: int, joint: int) -> None:
        super().__init__()
        self.muq = muq
        self.proj = nn.Linear(muq.size.width, width)
        self.audio_to_latents = nn.Linear(width, joint)

    def forward(self, waveforms: Tensor) -> Tensor:
        """[B x n] at 24 kHz to [B x pieces x joint].

        The last piece is completed with the start of the waveform, as the package does.
        """
        vectors = [
            self.audio_to_latents(self.proj(self.muq(piece)).mean(dim=1))
            for piece in pieces_of(waveforms)
        ]
        return nn.functional.normalize(torch.stack(vectors, dim=1), dim=-1)


def pieces_of(waveforms: Tensor) -> list[Tensor]:
    """Waveforms [B x n] in pieces of 10 s, [B x 240,000] each; less only if they are below 5 s."""
    *whole, last = waveforms.split(CLIP_SAMPLES, dim=1)
    return [*whole, torch.cat([last, waveforms[:, : CLIP_SAMPLES - last.shape[1]]], dim=1)]


def load_muq_mulan(backend: MuQMuLan, folder: Path) -> AudioTower:
    """The audio tower from both configurations and MuQ-MuLan's weights, the text tower left out."""
    muq_config, config, checkpoint = (folder / file.name for file in backend.weights)
    encoder = _build(muq_config, layer=-1)
    settings = read_json(config)
    for part, expected in MULAN.items():
        _check(settings.get(part, {}), expected, config)
    try:
        widths = int(settings["audio_transformer"]["dim"]), int(settings["mulan"]["dim_latent"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{config}: no number for {error}; fetch it again") from error
    check_width(backend, widths[1], config)
    network = AudioTower(encoder, *widths)
    tensors = read_tensors(checkpoint)
    inner = encoder_tensors(tensors, "mulan.audio.model.model.")
    used = below(without(tensors, "mulan."), "audio_to_latents.")
    used |= below(without(tensors, "mulan.audio."), "proj.")
    load_state(network, {f"muq.{n}": t for n, t in inner.items()} | used, checkpoint)
    return network


def _build(path: Path, layer: int) -> MelConformer:
    config = read_json(path)
    conformer = config.get("w2v2_config", {})
    _check(config, MUQ, path)
    _check(conformer, CONFORMER, path)
    try:
        size = ConformerSize(
            channels=config["conv_dim"],
            width=config["encoder_dim"],
            depth=config["encoder_depth"],
            heads=conformer["num_attention_heads"],
            feed_forward=conformer["intermediate_size"],
            n_mels=config["n_mels"],
        )
        mean, deviation = read_statistics(config["stat"], path)
    except KeyError as error:
        raise InputError(f"{path}: has no {error}; fetch it again") from error
    return MelConformer(size, layer, mean, deviation)


def _check(found: dict[str, Any], expected: dict[str, Any], where: Path) -> None:
    for key, value in expected.items():
        if found.get(key) != value:
            raise InputError(f"{where}: {key} is {found.get(key)}, not {value}; another model")
