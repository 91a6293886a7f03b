"""HitRate: does the list hold anything relevant, or how much of it."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Metric, WithChance, columns, log_no_hit
from mrs.evaluation.metrics.judged import Judged


class HitRate(WithChance):
    """HitRate@k is 1 where one of the first k ranks is relevant, else 0.

    Formula: 1[h_1 + ... + h_k > 0]
    Source: Deshpande and Karypis, TOIS 22(1), 2004, for one held-out item.
    Libraries: cornac 3.0.1 HitRatio.compute; daisyrec 2.3.0 HR; elliot 0.3.1 HR; ir_measures 0.4.3
    Success; lenskit 2025.8.1 Hit; neurec hit (notebook copy); pytrec 0.5.11 success; ranx 0.3.21
    hit_rate; recbole 1.2.1 Hit.metric_info; rectools 0.19.0 HitRate; replay 0.22.0 HitRate;
    rs_metrics 0.6.0 HitRate; torchmetrics 1.9.0 RetrievalHitRate [list+missed(score 0)],
    RetrievalHitRate [list only]
    Edge cases: an empty list has 0; the missing ranks of a short list are misses.
    """

    name, variant, label = "hitrate", "any", "HitRate"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return (judged.n_hits[:, columns(ks)] > 0).astype(np.float64)

    @override
    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """1 - C(N - R, m) / C(N, m) with m = min(k, N): the hypergeometric chance of any hit."""
        return -np.expm1(log_no_hit(n_candidates, n_relevant, ks)[:, columns(ks)])


class HitCount(Metric):
    """HitRate@k is the number of relevant items among the first k ranks, so it may exceed 1.

    Formula: h_1 + ... + h_k
    Source: evaluation code of Ferrari Dacrema et al., RecSys 2019; k times Precision@k.
    Libraries: recpack 0.3.6 HitK; recsys2019dl HitRate
    Edge cases: an empty list has 0; the missing ranks of a short list are misses.
    """

    name, variant, label = "hitrate", "count", "HitRate"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return judged.n_hits[:, columns(ks)].astype(np.float64)
