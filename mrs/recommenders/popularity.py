"""Popularity: the tracks that most listeners played."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History, Recommender


@dataclass(frozen=True, eq=False)
class FittedPopularity(Fitted):
    """The number of train listeners of each train track [N]."""

    listeners: np.ndarray

    def users(self) -> np.ndarray:
        """Ones [U x 1]: everybody gets the same scores."""
        return np.ones((len(self.history.user_ids), 1), dtype=np.float32)

    def items(self) -> np.ndarray:
        """Distinct train listeners a track [N x 1]."""
        return self.listeners[:, None]


@dataclass(frozen=True)
class Popularity(Recommender):
    """Tracks by the number of distinct train listeners.

    A track that nobody played in train has none, so the cold scenario has no popularity.
    """

    name: ClassVar[str] = "popularity"
    label: ClassVar[str] = "Popularity"
    scenarios: ClassVar[tuple[str, ...]] = ("hot",)
    stochastic: ClassVar[bool] = False

    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int = 0,
    ) -> FittedPopularity:
        """Count listeners; nothing is drawn, so the seed changes nothing."""
        listeners = np.bincount(split.matrix.indices, minlength=len(split.warm))
        return FittedPopularity(History.of(split), None, [], listeners.astype(np.float32))
