"""DeepMusic: two layers from sound to the collaborative factors."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from mrs.recommenders.coldstart.content_map import (
    ContentMap,
    ContentModule,
    ContentNetwork,
    FittedContentMap,
)
from mrs.settings import Count


class DeepMusicNetwork(ContentNetwork):
    """Linear, ReLU, Linear: [B x n_inputs] -> [B x n_factors], as wide inside as its input."""

    def __init__(self, n_inputs: int, n_factors: int) -> None:
        super().__init__(n_inputs=n_inputs, n_factors=n_factors)
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, n_inputs), nn.ReLU(), nn.Linear(n_inputs, n_factors)
        )


@dataclass(frozen=True, eq=False)
class FittedDeepMusic(FittedContentMap):
    """The backbone's factors, and two layers that place new tracks among them."""

    network_kind: ClassVar[type[ContentNetwork]] = DeepMusicNetwork


class DeepMusicModule(ContentModule):
    """The network, trained on batches of tracks."""

    @override
    def loss(self, batch: torch.Tensor) -> torch.Tensor:
        batch = batch.to(self.device)
        return functional.mse_loss(self.network(self.inputs[batch]), self.targets[batch])


@dataclass(frozen=True)
class DeepMusic(ContentMap):
    """Regression of a backbone's factors on content (van den Oord et al., NeurIPS 2013).

    In the form of arXiv 2604.07090's baselines: two layers on a track's vector, mean squared
    error, Adam. `use_artist` puts the mean factors of the artist's other train tracks beside the
    vector. Vectors are read as principal components; the targets stay as they are.
    """

    name: ClassVar[str] = "deepmusic"
    label: ClassVar[str] = "DeepMusic"
    fitted_kind: ClassVar[type[FittedContentMap]] = FittedDeepMusic
    module_kind: ClassVar[type[ContentModule]] = DeepMusicModule

    batch_size: Count = 2048  #: train tracks per batch
