"""NDCG: hits weighted by how high they stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs.evaluation.metrics.base import columns, log_discounts, within
from mrs.evaluation.metrics.judged import Judged


@dataclass(frozen=True)
class NDCG:
    """NDCG@k: DCG@k / IDCG@k with binary gains, discount 1 / log2(i + 1) at rank i.

    DCG@k is the sum of the discounts of the hits in the first k ranks; IDCG@k is the sum of the
    first min(k, |R|) discounts, so that the best possible list has 1. Järvelin and Kekäläinen,
    TOIS 20(4), 2002, with the discount of Burges et al. (ICML 2005); rs_metrics, ranx,
    scikit-learn and most libraries. An empty list has 0; the missing ranks of a short list are
    misses and the ideal stays that of a full one.
    """

    name: str = "ndcg"
    label: str = "NDCG"

    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]."""
        discounts = log_discounts(max(ks))
        dcg = np.cumsum(judged.hits[:, : max(ks)] * discounts, axis=1)[:, columns(ks)]
        return dcg / self._ideal(judged.n_relevant, ks)

    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """(R / N) times the first min(k, N) discounts / IDCG@k: every rank hits with R / N."""
        discounts = np.where(within(n_candidates, ks), log_discounts(max(ks)), 0.0)
        dcg = (n_relevant / n_candidates)[:, None] * np.cumsum(discounts, axis=1)[:, columns(ks)]
        return dcg / self._ideal(n_relevant, ks)

    def _ideal(self, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
        sums = np.cumsum(log_discounts(max(ks)))
        return sums[np.minimum(ks, n_relevant[:, None]) - 1]
