"""Precision: the share of the list that is relevant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs.evaluation.metrics.base import columns
from mrs.evaluation.metrics.judged import Judged


@dataclass(frozen=True)
class Precision:
    """Precision@k: hits in the first k ranks / k.

    The denominator stays k where the list is shorter, so that the missing ranks of a short
    list are misses; dividing by the length of the list is another metric. An empty list has 0.
    """

    name: str = "precision"
    label: str = "Precision"

    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]."""
        return judged.n_hits[:, columns(ks)] / np.asarray(ks, dtype=np.float64)

    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """(R / N) min(k, N) / k."""
        expected = np.minimum(ks, n_candidates[:, None]) * (n_relevant / n_candidates)[:, None]
        return expected / np.asarray(ks, dtype=np.float64)
