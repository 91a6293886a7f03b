"""KNN: tracks near the mean of what the listener played."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn.functional import embedding_bag

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History, Recommender, normalise

USER_BLOCK = 1024  # users averaged together, which bounds memory
BAG = 64  # tracks whose vectors are summed in float32 before float64 takes over


@dataclass(frozen=True, eq=False)
class FittedKNN(Fitted):
    """Unit vectors of users [U x width] and train tracks [N x width], and what was subtracted."""

    user_factors: np.ndarray
    item_factors: np.ndarray
    offset: np.ndarray

    def users(self) -> np.ndarray:
        """Users' mean vectors, length one."""
        return self.user_factors

    def items(self) -> np.ndarray:
        """Train tracks' vectors, length one."""
        return self.item_factors

    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """New tracks' vectors, length one."""
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

    center: bool = False  # whether the mean vector is subtracted

    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int = 0,
    ) -> FittedKNN:
        """Average the histories; nothing is drawn, so the seed changes nothing."""
        vectors = self.read(split, vectors)
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


def mean_of_history(matrix: sp.csr_matrix, vectors: np.ndarray) -> np.ndarray:
    """The mean vector of each user's tracks: [U x N] ones, [N x width] -> float32 [U x width].

    Histories reach thousands of tracks, so sums of up to `BAG` of them in float32 are summed in
    float64.
    """
    table = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))
    tracks = torch.from_numpy(matrix.indices)
    means = np.empty((matrix.shape[0], vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(means), USER_BLOCK):
        bounds = matrix.indptr[start : start + USER_BLOCK + 1]
        n_played = np.diff(bounds)
        n_bags = np.maximum(1, -(-n_played // BAG))
        first = np.cumsum(n_bags) - n_bags
        place = np.arange(n_bags.sum()) - np.repeat(first, n_bags)
        begin = np.repeat(bounds[:-1] - bounds[0], n_bags) + BAG * place
        mine = tracks[bounds[0] : bounds[-1]]
        bags = embedding_bag(mine, table, torch.from_numpy(begin).to(mine.dtype), mode="sum")
        sums = np.add.reduceat(bags.numpy(), first, axis=0, dtype=np.float64)
        means[start : start + USER_BLOCK] = sums / np.maximum(n_played, 1)[:, None]
    return means
