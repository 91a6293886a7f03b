"""Heater: a track's factor is replaced at random by a mixture of experts on its content."""

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
from mrs.settings import Batch, Few, LearningRate, Penalty, Share

USER_RANGE, TRACK_RANGE = 5.0, 1.0  # where standardised factors are cut off; tanh ends at 1


class HeaterNetwork(ContentNetwork):
    """Experts on content [B x n_inputs], and the towers that users and tracks go through.

    With gates g and experts f_k: v' = tanh(sum_k tanh(g_k(c)) tanh(f_k(c))) [B x n_factors]; a
    tower is Linear, batch normalisation, tanh, Linear.
    """

    def __init__(self, n_inputs: int, n_factors: int, n_experts: int) -> None:
        super().__init__(n_inputs=n_inputs, n_factors=n_factors, n_experts=n_experts)
        self.gates = nn.Linear(n_inputs, n_experts)
        self.experts = nn.Linear(n_inputs, n_experts * n_factors)
        self.user_tower, self.track_tower = _tower(n_factors), _tower(n_factors)

    def experts_on(self, inputs: torch.Tensor) -> torch.Tensor:
        """What content says a track's standardised factor is."""
        gates = torch.tanh(self.gates(inputs)).unsqueeze(1)
        experts = torch.tanh(self.experts(inputs)).unflatten(1, (gates.shape[2], -1))
        return torch.tanh((gates @ experts).squeeze(1))

    @override
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.track_tower(self.experts_on(inputs))


def _tower(size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(size, size), nn.BatchNorm1d(size), nn.Tanh(), nn.Linear(size, size)
    )


@dataclass(frozen=True, eq=False)
class FittedHeater(FittedContentMap):
    """Users and train tracks after their towers; new tracks by experts, then the tower."""

    network_kind: ClassVar[type[ContentNetwork]] = HeaterNetwork


class HeaterModule(ContentModule):
    """Experts and towers, trained on pairs of a user and a track, played or not."""

    users: torch.Tensor  # standardised [U x d]
    tracks: torch.Tensor  # standardised [N x d]
    settings: "Heater"
    network: HeaterNetwork

    def __init__(self, material: Material, settings: "Heater", seed: int) -> None:
        super().__init__(material, settings, seed)
        users, tracks = standardised(material.users), standardised(material.factors)
        self.register_buffer("users", users.clamp(-USER_RANGE, USER_RANGE), persistent=False)
        self.register_buffer("tracks", tracks.clamp(-TRACK_RANGE, TRACK_RANGE), persistent=False)
        self.pairs = PairBatches(settings.label, material)

    @override
    def make_network(self, n_inputs: int, n_factors: int) -> ContentNetwork:
        return HeaterNetwork(n_inputs, n_factors, self.settings.n_experts)

    @override
    def batches(self, epoch: int) -> Iterator[Pairs]:
        return self.pairs(self.settings.batch_size, self.generator, least=2)

    @override
    def loss(self, batch: Pairs) -> torch.Tensor:
        network, n_pairs = self.network, len(batch.users)
        tracks = torch.cat([batch.played, batch.others]).to(self.device)
        distinct, place = tracks.unique(return_inverse=True)  # many are there more than once
        content = functional.embedding(place, network.experts_on(self.inputs[distinct]))
        factors = self.tracks[tracks]
        of_users = network.user_tower(self.users[batch.users.to(self.device)]).repeat(2, 1)
        of_tracks = network.track_tower(self.replaced(factors, content))
        scores = (of_users * of_tracks).sum(dim=1)
        wanted = torch.zeros_like(scores)
        wanted[:n_pairs] = 1
        apart = functional.mse_loss(content, factors, reduction="sum")
        return functional.mse_loss(scores, wanted) + self.settings.alpha * apart

    def replaced(self, factors: torch.Tensor, content: torch.Tensor) -> torch.Tensor:
        """Tracks' factors [B x d], a row each by what content says with probability `dropout`."""
        drawn = self.generator.random((len(factors), 1)) < self.settings.dropout
        return torch.where(torch.from_numpy(drawn).to(self.device), content, factors)

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        towers = (self.network.user_tower, self.users), (self.network.track_tower, self.tracks)
        users, items = (forward_in_blocks(tower, table) for tower, table in towers)
        return users, items


def standardised(factors: np.ndarray) -> torch.Tensor:
    """Columns of mean zero and standard deviation one; constant ones are zero."""
    centred = factors - factors.mean(axis=0)
    spread = centred.std(axis=0)
    alive = spread > 1e-6 * max(spread.max(initial=0), 1e-12)
    return torch.from_numpy(np.divide(centred, spread, out=np.zeros_like(centred), where=alive))


@dataclass(frozen=True)
class Heater(ContentMap):
    """Heater (Zhu et al., SIGIR 2020), for new tracks.

    A mixture of `n_experts` on content learns a track's collaborative factor, and in training that
    factor is replaced by the mixture's with probability `dropout`, drawn per track and batch; then
    both sides go through a tower. The loss is the squared error of the score against 1 for what
    was played and 0 for one drawn track that was not, plus `alpha` times the squared distance of
    both factors, summed over the batch as in its authors' code. Factors are standardised, and cut
    off as there. A train track keeps its own factor, a new one has the mixture's.
    """

    name: ClassVar[str] = "heater"
    label: ClassVar[str] = "Heater"
    fitted_kind: ClassVar[type[FittedContentMap]] = FittedHeater
    module_kind: ClassVar[type[ContentModule]] = HeaterModule

    n_experts: Few = 7  #: experts in the mixture
    dropout: Share = 0.5  #: probability that content replaces a track's factor
    alpha: Penalty = 0.001  #: weight of the distance between experts and factors
    learning_rate: LearningRate = 0.001  #: step size of Adam
    batch_size: Batch = 1024  #: train pairs per batch, which is normalised by itself
    regularization: Penalty = 1e-5  #: weight decay of Adam
