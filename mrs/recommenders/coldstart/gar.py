"""GAR: a generator of factors from content against a recommender that tells them from real ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from typing_extensions import override

from mrs.recommenders.coldstart.base import Material
from mrs.recommenders.coldstart.content_map import (
    ContentMap,
    ContentModule,
    ContentNetwork,
    FittedContentMap,
    forward_in_blocks,
)
from mrs.recommenders.coldstart.pair_batches import PairBatches, Pairs
from mrs.settings import Batch, LearningRate, Penalty, Share

GENERATOR_DROPOUT = 0.1


class GARNetwork(ContentNetwork):
    """The generator g, and the discriminator's maps of users and tracks.

    g is Linear, batch normalisation, tanh, dropout, Linear, as wide inside as its input; the maps
    are Linear and start as the identity.
    """

    def __init__(self, n_inputs: int, n_factors: int) -> None:
        super().__init__(n_inputs=n_inputs, n_factors=n_factors)
        self.generator = nn.Sequential(
            nn.Linear(n_inputs, n_inputs),
            nn.BatchNorm1d(n_inputs),
            nn.Tanh(),
            nn.Dropout(GENERATOR_DROPOUT),
            nn.Linear(n_inputs, n_factors),
        )
        self.of_users, self.of_tracks = (nn.Linear(n_factors, n_factors) for _ in range(2))
        for side in (self.of_users, self.of_tracks):
            nn.init.eye_(side.weight)
            nn.init.zeros_(side.bias)

    @override
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.of_tracks(self.generator(inputs))


@dataclass(frozen=True, eq=False)
class FittedGAR(FittedContentMap):
    """Users and train tracks as the discriminator maps them; new tracks generated, then mapped."""

    network_kind: ClassVar[type[ContentNetwork]] = GARNetwork


class GARModule(ContentModule):
    """Generator and discriminator, trained side by side on pairs."""

    users: torch.Tensor
    settings: "GAR"
    network: GARNetwork

    def __init__(self, material: Material, settings: "GAR", seed: int) -> None:
        super().__init__(material, settings, seed)
        self.register_buffer("users", torch.from_numpy(material.users), persistent=False)
        self.pairs = PairBatches(settings.label, material)

    @override
    def batches(self, epoch: int) -> Iterator[Pairs]:
        return self.pairs(self.settings.batch_size, self.generator, least=2)

    @override
    def loss(self, batch: Pairs) -> torch.Tensor:
        """The discriminator's loss plus the generator's, each of its own parameters alone.

        What one side reads of the other is detached, so that one step of one optimiser is a step
        of both.
        """
        network, alpha, beta = self.network, self.settings.alpha, self.settings.beta
        users, played, others = (part.to(self.device) for part in batch)
        real, other = self.targets[played], self.targets[others]
        generated = network.generator(self.inputs[played])
        user = network.of_users(self.users[users])
        score_real = (user * network.of_tracks(real)).sum(dim=1)
        score_other = (user * network.of_tracks(other)).sum(dim=1)
        score_generated = (user * network.of_tracks(generated.detach())).sum(dim=1)
        discriminator = (1 - beta) * above(score_real, score_generated)
        discriminator = discriminator + beta * above(score_real, score_other)
        fixed = network.of_tracks.weight.detach(), network.of_tracks.bias.detach()
        fools = (user.detach() * functional.linear(generated, *fixed)).sum(dim=1)
        generator = (1 - alpha) * above(fools, score_real.detach())
        return discriminator + generator + alpha * functional.mse_loss(generated, real)

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        network = self.network
        users = forward_in_blocks(network.of_users, self.users)
        return users, forward_in_blocks(network.of_tracks, self.targets)


def above(high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """BPR's loss, mean of -log sigmoid(high - low)."""
    return functional.softplus(low - high).mean()


@dataclass(frozen=True)
class GAR(ContentMap):
    """Generative adversarial recommendation (Chen et al., SIGIR 2022), for new tracks.

    A generator makes factors from content. A discriminator, a linear map per side that starts as
    the identity on the backbone's factors, learns to score what a user played above the generated
    factor of the same track (weight 1 - `beta`) and above a track not played (`beta`), by BPR's
    loss. The generator learns to be scored above the real factor (1 - `alpha`) and to be close to
    it (`alpha` times the mean squared error). Each side's loss moves its own parameters alone.

    That is the form of the baseline in the code of arXiv 2604.07090. Chen et al. map both sides by
    networks of two layers of 200 units, take the mean absolute difference in place of the squared
    one, and one log-sigmoid of the real score minus both others, weighted by 1 - `beta` and `beta`.
    """

    name: ClassVar[str] = "gar"
    label: ClassVar[str] = "GAR"
    fitted_kind: ClassVar[type[FittedContentMap]] = FittedGAR
    module_kind: ClassVar[type[ContentModule]] = GARModule

    alpha: Share = 0.9  #: weight of the generator's distance from real factors
    beta: Share = 0.6  #: weight of tracks not played in the loss of the discriminator
    learning_rate: LearningRate = 0.001  #: step size of Adam
    batch_size: Batch = 1024  #: train pairs per batch, which is normalised by itself
    regularization: Penalty = 1e-6  #: weight decay of Adam
