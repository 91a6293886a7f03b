"""Random: a row that should lie at chance."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History, Recommender
from mrs.recommenders.factors import FittedFactors
from mrs.settings import Width


@dataclass(frozen=True, eq=False)
class FittedRandom(FittedFactors):
    """Factors drawn from a standard normal distribution: [U x d], [N x d]."""

    seed: int

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        generator = np.random.default_rng([self.seed, 1])
        size = (len(vectors), self.user_factors.shape[1])
        return generator.standard_normal(size, dtype=np.float32)


@dataclass(frozen=True)
class Random(Recommender):
    """Dot products of random factors, so that each user sees another random order.

    Its expected value is the closed-form chance level; what it adds is how far one draw strays.
    """

    name: ClassVar[str] = "random"
    label: ClassVar[str] = "Random"

    embedding_size: Width = 32  #: dimensions of a factor

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedRandom:
        generator = np.random.default_rng([seed, 0])

        def draw(rows: int) -> np.ndarray:
            return generator.standard_normal((rows, self.embedding_size), dtype=np.float32)

        history = History.of(split)
        return FittedRandom(history, None, [], draw(len(split.users)), draw(len(split.warm)), seed)
