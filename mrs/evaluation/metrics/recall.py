"""Recall: the share of what is relevant that the list holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs.evaluation.metrics.base import columns
from mrs.evaluation.metrics.judged import Judged


@dataclass(frozen=True)
class Recall:
    """Recall@k: hits in the first k ranks / |R|, R being the user's relevant tracks.

    The definition of rs_metrics, ranx and most libraries. A user with more than k relevant
    tracks cannot reach 1; min(k, |R|) in the denominator is another metric. An empty list has
    0; the missing ranks of a short list are misses.
    """

    name: str = "recall"
    label: str = "Recall"

    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]."""
        return judged.n_hits[:, columns(ks)] / judged.n_relevant[:, None]

    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """min(k, N) / N, whatever R is: each relevant track is as likely at every rank."""
        return np.minimum(ks, n_candidates[:, None]) / n_candidates[:, None]
