"""MAP: precision at every hit, averaged over what is relevant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs.evaluation.metrics.base import columns, ranks, within
from mrs.evaluation.metrics.judged import Judged


@dataclass(frozen=True)
class MAP:
    """MAP@k: sum of Precision@i over the ranks i up to k that hold a hit / |R|.

    The definition of TREC (`map_cut`), rs_metrics and ranx. Several libraries divide by
    min(k, |R|) or by the number of hits instead, under the same name. A user with more than k
    relevant tracks cannot reach 1. An empty list has 0; the missing ranks of a short list are
    misses.
    """

    name: str = "map"
    label: str = "MAP"

    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]."""
        depth = max(ks)
        precisions = judged.hits[:, :depth] * (judged.n_hits[:, :depth] / ranks(ks))
        return np.cumsum(precisions, axis=1)[:, columns(ks)] / judged.n_relevant[:, None]

    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """Sum over the ranks i up to min(k, N) of (1 + (i - 1)(R - 1) / (N - 1)) / i, over N.

        Rank i is a hit with probability R / N; then each rank above it is one with probability
        (R - 1) / (N - 1).
        """
        above = (n_relevant - 1) / np.maximum(n_candidates - 1, 1)
        terms = (1.0 + (ranks(ks) - 1) * above[:, None]) / ranks(ks)
        terms = np.where(within(n_candidates, ks), terms, 0.0)
        return np.cumsum(terms, axis=1)[:, columns(ks)] / n_candidates[:, None]
