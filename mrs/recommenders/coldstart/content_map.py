"""Models that map content, and optionally the artist's mean factors, to factors."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from typing_extensions import override

from mrs.recommenders.coldstart.base import (
    ROWS_AT_ONCE,
    ColdStartModule,
    Estimate,
    FittedColdStart,
    Material,
    TrainedColdStart,
    arrays_of,
    network_of,
)
from mrs.recommenders.pca import Components


class ContentNetwork(nn.Module):
    """A network from inputs [B x c] to factors [B x d]; `sizes` make another of the same shape."""

    layers: nn.Module

    def __init__(self, **sizes: int) -> None:
        super().__init__()
        self.sizes = sizes

    @override
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.layers(inputs)


@dataclass(frozen=True, eq=False)
class FittedContentMap(FittedColdStart):
    """A network from content to factors, with all that its inputs are made of.

    The components' `mean`, `scale` and `rotation`; `weight` and `bias` of the estimate that stands
    in for a missing artist's mean; `sizes` and `parameters` of the network.
    """

    network_kind: ClassVar[type[ContentNetwork]]

    mean: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    use_artist: bool
    sizes: dict[str, Any]
    parameters: dict[str, np.ndarray]

    @cached_property
    def network(self) -> nn.Module:
        """The trained network."""
        return network_of(self.network_kind, self.sizes, self.parameters)

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """New tracks' factors [M x d] from their vectors and, with `use_artist`, their artists.

        The mean of an artist without a train track is what the linear estimate makes of the
        content. Raises `InputError` where artists are read and none are given.
        """
        inputs = Components(self.mean, self.scale, self.rotation)(vectors)
        if self.use_artist:
            codes = self.codes(artists, len(vectors))
            estimate = Estimate(self.weight, self.bias)(inputs)
            means = self.catalogues.means(self.factors, codes, estimate)
            inputs = concat_artist_mean(inputs, means, self.factors)
        return forward_in_blocks(self.network, inputs)


def concat_artist_mean(content: np.ndarray, means: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Content beside means; these are scaled as if factors [N x d] had entries of mean square 1."""
    spread = np.sqrt(np.square(factors).mean()) or np.float32(1)
    return np.hstack([content, means / spread])


def forward_in_blocks(network: nn.Module, inputs: np.ndarray | torch.Tensor) -> np.ndarray:
    """Inputs [M x c] through a network in evaluation mode, a block of rows at a time."""
    device = next(network.parameters()).device
    with torch.no_grad():
        blocks = torch.as_tensor(inputs).split(ROWS_AT_ONCE)
        return torch.cat([network(block.to(device)) for block in blocks]).cpu().numpy()


class ContentModule(ColdStartModule):
    """A network from a track's inputs to its factors, and the inputs of the train tracks."""

    settings: "ContentMap"
    inputs: torch.Tensor  # [N x c], or [N x (c + d)] with the artist's mean
    targets: torch.Tensor  # [N x d]

    def __init__(self, material: Material, settings: "ContentMap", seed: int) -> None:
        super().__init__(material, settings, seed)
        inputs = material.content
        if settings.use_artist:
            everyone, estimate = np.arange(len(inputs)), self.estimate(inputs)
            means = self.catalogues.other_means(material.factors, everyone, estimate)
            inputs = concat_artist_mean(inputs, means, material.factors)
        self.register_buffer("inputs", torch.from_numpy(inputs), persistent=False)
        targets = torch.from_numpy(material.factors)
        self.register_buffer("targets", targets, persistent=False)
        self.network = self.make_network(inputs.shape[1], material.factors.shape[1])

    def make_network(self, n_inputs: int, n_factors: int) -> ContentNetwork:
        """An untrained network of these widths."""
        return self.settings.fitted_kind.network_kind(n_inputs=n_inputs, n_factors=n_factors)

    @override
    def new_tracks(self, content: np.ndarray, artists: np.ndarray) -> np.ndarray:
        inputs = content
        if self.settings.use_artist:
            factors = self.material.factors
            means = self.catalogues.means(factors, artists, self.estimate(content))
            inputs = concat_artist_mean(content, means, factors)
        return forward_in_blocks(self.network, inputs)


@dataclass(frozen=True)
class ContentMap(TrainedColdStart):
    """What the models of content share: the artist's mean, and how a module becomes a fit.

    Version 2: what stands in for a missing mean is as far spread as means are.
    """

    version: ClassVar[int] = 2
    fitted_kind: ClassVar[type[FittedContentMap]]
    module_kind: ClassVar[type[ContentModule]]

    use_artist: bool = False  #: whether the artist's mean factors are a further input

    @property
    @override
    def needs_artists(self) -> bool:
        return self.use_artist

    @override
    def module(self, material: Material, seed: int) -> ContentModule:
        return self.module_kind(material, self, seed)

    @override
    def fitted(
        self, module: ContentModule, components: Components, fields: dict[str, Any]
    ) -> FittedContentMap:
        return self.fitted_kind(
            **fields,
            **vars(components),
            **vars(module.estimate),
            use_artist=self.use_artist,
            sizes=module.network.sizes,
            parameters=arrays_of(module.network),
        )
