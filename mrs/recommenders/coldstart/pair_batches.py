"""Batches of pairs of a user and a track, for the models that learn from plays."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from mrs.errors import InputError
from mrs.recommenders.coldstart.base import Material
from mrs.recommenders.sampling import Sampler


class Pairs(NamedTuple):
    """Users [B], a track that each played [B], and one or more that they did not."""

    users: torch.Tensor
    played: torch.Tensor
    others: torch.Tensor


class PairBatches:
    """The plays of the tracks that are learned from; tracks are rows of the material's tables."""

    def __init__(self, label: str, material: Material) -> None:
        matrix = material.matrix
        self.sampler = Sampler(matrix)
        self.trained = material.trained
        user = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        usable = self.sampler.has_negatives[user]
        self.user, self.track = user[usable], matrix.indices[usable].astype(np.int64)
        if not len(self.user):
            raise InputError(f"{label}: no pair has a track that its user never played")

    def __call__(
        self, batch_size: int, generator: np.random.Generator, *, least: int = 1
    ) -> Iterator[Pairs]:
        """Every pair once, in a new order, each with a track that its user never played.

        A last batch of fewer than `least` pairs is part of the one before.
        """
        order = generator.permutation(len(self.user))
        for pairs in np.split(order, range(batch_size, len(order) - least + 1, batch_size)):
            user, track = self.user[pairs], self.track[pairs]
            other = self.sampler.draw(user, 1, generator)[:, 0]
            parts = (user, self.trained[track], self.trained[other])
            yield Pairs(*(torch.from_numpy(part) for part in parts))
