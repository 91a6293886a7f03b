"""CLCRec: contrasts between users, tracks and their content."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from typing_extensions import override

from mrs.recommenders.coldstart.base import Material
from mrs.recommenders.coldstart.content_map import (
    ContentMap,
    ContentModule,
    ContentNetwork,
    FittedContentMap,
)
from mrs.recommenders.coldstart.pair_batches import PairBatches, Pairs
from mrs.recommenders.factors import unit_rows
from mrs.settings import Count, Penalty, Share, Temperature, Width

HIDDEN_SIZE = 256


class CLCRecNetwork(ContentNetwork):
    """Linear, leaky ReLU, Linear: [B x n_inputs] -> [B x n_factors]."""

    def __init__(self, n_inputs: int, n_factors: int) -> None:
        super().__init__(n_inputs=n_inputs, n_factors=n_factors)
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, HIDDEN_SIZE), nn.LeakyReLU(), nn.Linear(HIDDEN_SIZE, n_factors)
        )


@dataclass(frozen=True, eq=False)
class FittedCLCRec(FittedContentMap):
    """Rows of users and train tracks of its own; new tracks by their content."""

    network_kind: ClassVar[type[ContentNetwork]] = CLCRecNetwork


class CLCRecModule(ContentModule):
    """Rows of users and tracks, and the map of content, trained on pairs."""

    settings: "CLCRec"

    def __init__(self, material: Material, settings: "CLCRec", seed: int) -> None:
        super().__init__(material, settings, seed)
        self.pairs = PairBatches(settings.label, material)
        self.users, self.tracks = (
            nn.Parameter(nn.init.xavier_uniform_(torch.empty(n, settings.embedding_size)))
            for n in (len(material.users), len(material.factors))
        )

    @override
    def make_network(self, n_inputs: int, n_factors: int) -> ContentNetwork:
        return CLCRecNetwork(n_inputs, self.settings.embedding_size)

    @override
    def optimiser(self) -> Any:
        """Adam; the penalty on lengths stands in the loss.

        A step moves every row, which on a large catalogue is most of a batch's time: the fused
        step passes through them once (14 times as fast at 680,000 rows of 128 on one core).
        """
        return torch.optim.Adam(self.parameters(), lr=self.settings.learning_rate, fused=True)

    @override
    def batches(self, epoch: int) -> Iterator[Pairs]:
        trained, n_drawn = self.material.trained, self.settings.n_negatives
        for pairs in self.pairs(self.settings.batch_size, self.generator):
            drawn = self.generator.choice(trained, min(n_drawn, len(trained)), replace=False)
            yield pairs._replace(others=torch.from_numpy(drawn))

    @override
    def loss(self, batch: Pairs) -> torch.Tensor:
        settings = self.settings
        users, played, drawn = (part.to(self.device) for part in batch)
        tracks = torch.cat([played, drawn])
        n_pairs = len(played)
        rows, content = self.tracks[tracks], self.network(self.inputs[tracks])
        hit = self.known(batch)
        of_track = contrast(
            unit_rows(rows[:n_pairs]),
            unit_rows(content),
            played[:, None] == drawn,
            settings.temperature,
        )
        replaced = self.generator.random((len(tracks), 1)) < settings.sample_rate
        mixed = torch.where(torch.from_numpy(replaced).to(self.device), content, rows)
        user = self.users[users]
        of_user = contrast(user, mixed, hit.to(self.device), settings.temperature)
        lengths = (user.norm(dim=1).mean() + rows.norm(dim=1).mean()) / 2
        weight = settings.lambda_
        return weight * of_track + (1 - weight) * of_user + settings.regularization * lengths

    def known(self, batch: Pairs) -> torch.Tensor:
        """Which drawn tracks each user played: bool [B x k]."""
        column = np.searchsorted(self.material.trained, batch.others.numpy())
        return torch.from_numpy(self.pairs.sampler.have_met(batch.users.numpy()[:, None], column))

    @override
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        return self.users.detach().cpu().numpy(), self.tracks.detach().cpu().numpy()


def contrast(
    anchors: torch.Tensor, tracks: torch.Tensor, left_out: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Mean of -log(e(a_i, t_i) / (e(a_i, t_i) + sum_j e(a_i, t_j))), e(x, y) = exp(x . y / t).

    `anchors` [B x d]; the first B rows of `tracks` are their positives, the k others the drawn
    ones, of which those in `left_out` [B x k] do not count.
    """
    n = len(anchors)
    positive = (anchors * tracks[:n]).sum(dim=1, keepdim=True) / temperature
    negative = (anchors @ tracks[n:].T / temperature).masked_fill(left_out, -torch.inf)
    return (torch.cat([positive, negative], dim=1).logsumexp(dim=1) - positive[:, 0]).mean()


@dataclass(frozen=True)
class CLCRec(ContentMap):
    """Contrastive learning for cold-start recommendation (Wei et al., ACM MM 2021).

    Rows of users and tracks start at random and are trained with a map of content to the same
    space. `lambda_` weighs the contrast of a track's row with its own content among other tracks'
    (unit rows), 1 - `lambda_` that of a user with a track they played among others, in which a
    track's row is replaced by its content with probability `sample_rate`, drawn per track and
    batch. The authors draw that many rows with replacement, which replaces fewer: 59 % at 0.9. New
    tracks are what their content maps to. The `n_negatives` tracks are drawn for a
    batch and shared by its pairs, and those that a user played do not count for them: there
    each pair has its own.

    The backbone is read for the artist's mean alone: CLCRec has a space of its own, and
    `use_artist` is a variant of ours.

    Version 3: fused steps, which round otherwise.
    """

    version: ClassVar[int] = 3

    name: ClassVar[str] = "clcrec"
    label: ClassVar[str] = "CLCRec"
    fitted_kind: ClassVar[type[FittedContentMap]] = FittedCLCRec
    module_kind: ClassVar[type[ContentModule]] = CLCRecModule

    embedding_size: Width = 128  #: dimensions of a factor
    lambda_: Share = 0.2  #: weight of a track's contrast with its own content
    temperature: Temperature = 1.0  #: divisor of the dot products
    sample_rate: Share = 0.9  #: probability of content in a track's place
    n_negatives: Count = 128  #: tracks drawn per batch
    regularization: Penalty = 1e-4  #: weight of the mean lengths of rows
    batch_size: Count = 2048  #: train pairs per batch
    patience: Count = 5  #: epochs without a better validation before training stops
