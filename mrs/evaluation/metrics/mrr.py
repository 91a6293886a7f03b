"""MRR: how high the first hit stands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs.evaluation.metrics.base import columns, log_no_hit, ranks
from mrs.evaluation.metrics.judged import Judged


@dataclass(frozen=True)
class MRR:
    """MRR@k: 1 / rank of the first hit, 0 where the first k ranks hold none.

    Voorhees, TREC-8, 1999, cut at k. An empty list has 0.
    """

    name: str = "mrr"
    label: str = "MRR"

    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]."""
        first = judged.hits.argmax(axis=1)
        reached = judged.n_hits[:, columns(ks)] > 0
        return np.where(reached, 1.0 / (first + 1)[:, None], 0.0)

    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """Sum over the ranks i up to k of P(the first hit stands at i) / i."""
        missed = np.exp(log_no_hit(n_candidates, n_relevant, ks))
        first_here = -np.diff(missed, axis=1, prepend=1.0)
        return np.cumsum(first_here / ranks(ks), axis=1)[:, columns(ks)]
