"""Cold tracks in training, as published (arXiv 2604.23077).

The tables and matrices of its elsa.py, train_hybrid.py and train_bert.py have a row or column for
every track, those never played in train included.
"""

from dataclasses import dataclass, replace

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.published.deviations.base import Deviation
from mrs.recommenders.base import Fitted, History, Recommender
from mrs.recommenders.factors import FittedFactors


class ColdInTraining(Recommender):
    """Fits, and validates, on warm and cold tracks: nobody plays a cold one, so it is pushed away.

    What is fitted recommends the warm ones alone in the hot scenario, as the clean one does.
    """

    @override
    def tracks_needed(self, split: Split) -> np.ndarray:
        return np.union1d(split.warm, split.cold)

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int,
    ) -> FittedFactors:
        wide = replace(split, warm=self.tracks_needed(split))
        fitted = super().fit(wide, vectors, backbone=backbone, seed=seed)  # type: ignore[safe-super]
        assert isinstance(fitted, FittedFactors)
        return self.narrowed(fitted, wide, split, vectors)

    def narrowed(
        self, fitted: FittedFactors, wide: Split, split: Split, vectors: np.ndarray | None
    ) -> FittedFactors:
        """The fit to `wide` with the items of `split` alone."""
        items = fitted.item_factors[wide.column[split.warm]]
        return replace(fitted, history=History.of(split), item_factors=items)


@dataclass(frozen=True, eq=False)
class FittedTable(FittedFactors):
    """Cold tracks have trained rows too: `cold_factors` [M x d], found by `cold_vectors`."""

    cold_vectors: np.ndarray
    cold_factors: np.ndarray

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """The trained rows of the split's cold tracks; of equal vectors the first one's.

        Raises `InputError` for another track: it has no row in the table.
        """
        rows = [row.tobytes() for row in np.ascontiguousarray(vectors, dtype=np.float32)]
        known = [row.tobytes() for row in self.cold_vectors]
        place = dict(zip(reversed(known), reversed(range(len(known))), strict=True))
        if not place.keys() >= set(rows):
            raise InputError("cold_in_training: knows the split's own cold tracks alone")
        return self.cold_factors[[place[row] for row in rows]]


class ColdInTable(ColdInTraining):
    """For a recommender with a trained row a track, which scores cold tracks by those rows."""

    def narrowed(
        self, fitted: FittedFactors, wide: Split, split: Split, vectors: np.ndarray | None
    ) -> FittedFactors:
        """With the cold tracks' rows kept beside."""
        assert vectors is not None
        narrow, cold = super().narrowed(fitted, wide, split, vectors), wide.column[split.cold]
        return FittedTable(
            history=narrow.history,
            converged=narrow.converged,
            curve=narrow.curve,
            user_factors=narrow.user_factors,
            item_factors=narrow.item_factors,
            cold_vectors=np.ascontiguousarray(vectors[cold], dtype=np.float32),
            cold_factors=fitted.item_factors[cold],
        )


DEVIATIONS = (
    Deviation(
        "cold_in_training",
        of=("elsa", "hybrid", "bert4rec"),
        mixin={"elsa": ColdInTraining, "hybrid": ColdInTraining, "bert4rec": ColdInTable},
    ),
)
