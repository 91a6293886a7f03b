"""Jukebox's top prior read at one of its layers, as in jukemir (arXiv 2107.05677, section 3).

The VQ-VAE encoder and the transformer are those of transformers; this module feeds them and gives
the tensors of the published checkpoints their names there.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.deprecated.jukebox.configuration_jukebox import (
    JukeboxPriorConfig,
    JukeboxVQVAEConfig,
)
from transformers.models.deprecated.jukebox.modeling_jukebox import (
    JukeboxBottleneckBlock,
    JukeboxEncoder,
    JukeboxPrior,
)

from mrs.backends.networks.common import below, check_layer
from mrs.backends.pretrained import Jukebox as JukeboxBackend
from mrs.backends.weights import load_state, read_tensors

SAMPLE_RATE = 44_100
DESCRIBED_SECONDS = 62  # the song's length that the prior is given; it knows none below 60


# The published 5B model without lyrics, where it departs from transformers' configuration.
PUBLISHED = {
    "attention_pattern": "raw_column_previous_row_attention",  # these three in turn
    "blocks": 128,
    "hidden_size": 4800,
    "is_encoder_decoder": False,
    "level": 0,  # transformers counts from the top
    "mask": True,
    "max_nb_genres": 5,
    "metadata_dims": [120, 4111],  # genres, artists
    "min_duration": 60,
    "n_ctx": 8192,
    "n_heads": 8,
    "nb_relevant_lyric_tokens": 0,
    "num_layers": 72,
    "timing_dims": 128,
}


@dataclass(frozen=True)
class JukeboxSize:
    """What departs from the published prior and VQ-VAE, by the names of transformers."""

    of_prior: dict[str, Any] = field(default_factory=dict)
    of_vqvae: dict[str, Any] = field(default_factory=dict)

    def prior(self, **depth: int) -> JukeboxPriorConfig:
        """The prior, of which `num_layers` takes the first ones."""
        return JukeboxPriorConfig(**(PUBLISHED | self.of_prior | depth))

    def vqvae(self) -> JukeboxVQVAEConfig:
        """The VQ-VAE of which the top level's encoder is used."""
        return JukeboxVQVAEConfig(**self.of_vqvae)


class Codes(nn.Module):
    """Waveforms at 44.1 kHz to the codes of the VQ-VAE's top level, 344.5 a second."""

    def __init__(self, size: JukeboxSize) -> None:
        super().__init__()
        config = size.vqvae()
        self.encoder = JukeboxEncoder(
            config,
            config.res_conv_width,
            config.res_conv_depth,
            config.levels,
            config.res_downs_t,
            config.res_strides_t,
        )
        self.bottleneck = JukeboxBottleneckBlock(config)

    def forward(self, waveforms: Tensor) -> Tensor:
        """[B x n] to int64 [B x n // 128]."""
        codes: Tensor = self.bottleneck.encode(self.encoder(waveforms[:, None])[-1])
        return codes


class Jukebox(nn.Module):
    """Outputs of transformer layer `depth`, counted from 1, over the codes of a waveform.

    Artist and genre are given as unknown, the excerpt as the start of a song of 62 s. Waveforms
    are scaled to a peak of 1, and cut to the context: 8,192 codes, 23.8 s.
    """

    def __init__(self, size: JukeboxSize, depth: int) -> None:
        super().__init__()
        self.size = size.prior(num_layers=depth)
        self.codes = Codes(size)
        self.prior = JukeboxPrior(self.size)
        del self.prior.prior.fc_proj_out  # logits of the next code, which nothing asks for

    def forward(self, waveforms: Tensor) -> Tensor:
        """[B x n] to [B x codes x width]."""
        peak = waveforms.abs().amax(dim=1, keepdim=True)
        codes = self.codes(waveforms / torch.where(peak > 0, peak, 1.0))[:, : self.size.n_ctx]
        n_codes = codes.shape[1]
        # Attention works on whole rows of the context; later codes do not reach earlier frames.
        row = self.size.n_ctx // self.size.blocks
        codes = nn.functional.pad(codes, (0, -n_codes % row))
        start, timing = self._conditions()
        core = self.prior.prior
        known = core.embed_tokens(codes)[:, :-1]  # each place sees the code before it
        x = torch.cat([start.expand(len(codes), 1, -1), known], dim=1)
        x = (x + (core.pos_emb() + timing)[:, : codes.shape[1]]).to(known.dtype)
        for block in core.transformer._attn_mods:
            x = block(x, None)
        return x[:, :n_codes]

    def _conditions(self) -> tuple[Tensor, Tensor]:
        """What stands in the first place [1 x 1 x width], and the timing [1 x context x width]."""
        hop = int(self.prior.raw_to_tokens)
        described = DESCRIBED_SECONDS * SAMPLE_RATE // hop * hop
        unknown = [0, 0, -1, -1, -1, -1]  # artist, then genres, of which -1 is none
        labels = [described, 0, self.size.n_ctx * hop, *unknown]
        device = self.prior.prior.embed_tokens.weight.device
        timing, start, _ = self.prior.get_cond(None, torch.tensor([labels], device=device))
        return start, timing


def load_jukebox(backend: JukeboxBackend, folder: Path) -> Jukebox:
    """The first layers of the prior and the encoder of its codes, from both checkpoints.

    With precision "float16" the prior computes in 16-bit floats; the codes never do.
    """
    vqvae, prior = (folder / file.name for file in backend.weights)
    size, layer = backend.size or JukeboxSize(), backend.layer
    check_layer(backend, size.prior().num_layers, prior)
    with torch.device("meta"):  # no memory is filled with numbers that are then replaced
        network = Jukebox(size, layer)
        if backend.precision == "float16":
            network.prior.half()
    network.to_empty(device="cpu")
    tensors = {_code_name(n, size.vqvae().levels - 1): t for n, t in read_tensors(vqvae).items()}
    load_state(network.codes, below(tensors, "encoder.", "bottleneck.codebook"), vqvae)
    tensors = {_prior_name(n): t for n, t in read_tensors(prior).items()}
    load_state(network.prior, {n: t for n, t in tensors.items() if _used(n, layer)}, prior)
    return network


def _code_name(name: str, top: int) -> str:
    """The name in `Codes` of a tensor of the VQ-VAE; those of other levels keep theirs.

    A level is a row of pairs (strided convolution, residual blocks), then the output.
    """
    name = re.sub(rf"^bottleneck\.level_blocks\.{top}\.k$", "bottleneck.codebook", name)
    name = re.sub(rf"^encoders\.{top}\.", "encoder.", name)
    pair = re.search(r"\.model\.(\d+)\.([01])\.", name)
    if pair:
        place = 2 * int(pair[1]) + int(pair[2])
        name = name.replace(pair[0], f".downsample_block.{place}.")
    for old, new in ((1, 1), (3, 2)):
        name = re.sub(rf"\.model\.(\d+)\.model\.{old}\.", rf".resnet_block.\1.conv1d_{new}.", name)
    return re.sub(r"\.model\.\d+\.(weight|bias)$", r".proj_out.\1", name)


PRIOR_NAMES = (
    (r"^y_emb\.(artist|bow_genre)_emb\.emb\.", r"metadata_embedding.\1_emb."),
    (r"^y_emb\.", "metadata_embedding."),
    (r"\.x_emb\.", ".embed_tokens."),
    (r"\.x_out\.", ".fc_proj_out."),
    (r"\.ln_([01])\.", r".layer_norm_\1."),
    (r"\.w$", ".weight"),
    (r"\.b$", ".bias"),
)


def _prior_name(name: str) -> str:
    for pattern, replacement in PRIOR_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _used(name: str, depth: int) -> bool:
    """Whether a tensor of the prior is needed for its first layers."""
    layer = re.search(r"_attn_mods\.(\d+)\.", name)
    return int(layer[1]) < depth if layer else ".fc_proj_out." not in name
