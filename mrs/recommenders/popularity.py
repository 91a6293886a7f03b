"""Popularity: tracks by the number of users who played them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History, Recommender


@dataclass(frozen=True, eq=False)
class FittedPopularity(Fitted):
    """The number of train users who played each train track [N]."""

    listeners: np.ndarray

    @override
    def users(self) -> np.ndarray:
        return np.ones((len(self.history.user_ids), 1), dtype=np.float32)

    @override
    def items(self) -> np.ndarray:
        return self.listeners[:, None]


@dataclass(frozen=True)
class Popularity(Recommender):
    """Tracks by the number of distinct train users.

    A track that nobody played in train has none, so the cold scenario has no popularity.
    """

    name: ClassVar[str] = "popularity"
    label: ClassVar[str] = "Popularity"
    scenarios: ClassVar[tuple[str, ...]] = ("hot",)
    stochastic: ClassVar[bool] = False

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int = 0,
    ) -> FittedPopularity:
        listeners = np.bincount(split.matrix.indices, minlength=len(split.warm))
        return FittedPopularity(History.of(split), None, [], listeners.astype(np.float32))
