"""KNN: tracks near the mean of what the user played."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History, Recommender
from mrs.recommenders.factors import FittedFactors, mean_of_history, normalise


@dataclass(frozen=True, eq=False)
class FittedKNN(FittedFactors):
    """Unit vectors of users [U x width] and train tracks [N x width].

    `offset` [width] was subtracted before, or [1] holds 0.
    """

    offset: np.ndarray

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        return normalise(vectors - self.offset)


@dataclass(frozen=True)
class KNN(Recommender):
    """Nearest neighbours of the mean of the history by cosine (arXiv 2409.08987, 2604.23077).

    A user's vector is the unweighted mean of the raw vectors of the tracks played in train; both
    sides are scaled to length one, so that the dot product is the cosine. `center` subtracts the
    train tracks' mean vector first: an offset that all tracks share can hide all else.
    """

    name: ClassVar[str] = "knn"
    label: ClassVar[str] = "KNN"
    needs: ClassVar[frozenset[str]] = frozenset({"vectors"})
    stochastic: ClassVar[bool] = False
    version: ClassVar[int] = 2

    center: bool = False  #: whether the mean vector is subtracted

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int = 0,
    ) -> FittedKNN:
        vectors = self.check_vectors(split, vectors)
        offset = vectors.mean(axis=0, dtype=np.float64) if self.center else np.zeros(1)
        offset = offset.astype(np.float32)
        centred = vectors - offset if self.center else vectors
        return FittedKNN(
            history=History.of(split),
            converged=None,
            curve=[],
            user_factors=normalise(mean_of_history(split.matrix, centred)),
            item_factors=normalise(centred),
            offset=offset,
        )
