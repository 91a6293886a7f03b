"""KNN as published: users' profiles from rows that were not re-indexed (2604.23077, knn.py)."""

from dataclasses import replace

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation, all_tracks
from mrs.recommenders.base import Fitted
from mrs.recommenders.factors import mean_of_history, normalise
from mrs.recommenders.knn import KNN, FittedKNN


def played(split: Split) -> np.ndarray:
    """Positions of the tracks played in train or cold test, ascending: the published item ids."""
    return np.union1d(split.warm, split.cold_test.track)


class KNNProfiles(KNN):
    """A user's profile is the mean of the wrong rows.

    Tracks are numbered anew, by their place among those played. The track numbered i reads row i
    of the table of all tracks while profiles are averaged; the tracks themselves read their own.
    """

    @override
    def tracks_needed(self, split: Split) -> np.ndarray:
        return all_tracks(split)

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
        right = KNN(**self.settings()).fit(split, vectors[split.warm])
        number = np.searchsorted(played(split), split.warm)
        profiles = mean_of_history(split.matrix, vectors[number] - right.offset)
        return replace(right, user_factors=normalise(profiles))


DEVIATIONS = (Deviation("knn_profiles", of=("knn",), mixin=KNNProfiles),)
