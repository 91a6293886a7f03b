"""HitRate: does the list hold anything relevant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs.evaluation.metrics.base import columns, log_no_hit
from mrs.evaluation.metrics.judged import Judged


@dataclass(frozen=True)
class HitRate:
    """HitRate@k: 1 where one of the first k ranks is relevant, else 0.

    The definition of rs_metrics and RecBole. Some libraries count the hits under this name.
    An empty list has 0; the missing ranks of a short list are misses.
    """

    name: str = "hitrate"
    label: str = "HitRate"

    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]."""
        return (judged.n_hits[:, columns(ks)] > 0).astype(np.float64)

    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """1 - C(N - R, m) / C(N, m) with m = min(k, N): the hypergeometric chance of any hit."""
        return -np.expm1(log_no_hit(n_candidates, n_relevant, ks)[:, columns(ks)])
