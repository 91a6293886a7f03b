"""MRR: how high the first hit stands, or every hit."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Metric, WithChance, columns, log_no_hit, ranks
from mrs.evaluation.metrics.judged import Judged


class MRR(WithChance):
    """MRR@k is 1 / rank of the first hit, 0 where the first k ranks hold none.

    Formula: 1 / min{i <= k: h_i = 1}
    Source: Voorhees, TREC-8, 1999, cut at k.
    Libraries: cornac 3.0.1 MRR.compute; daisyrec 2.3.0 MRR; elliot 0.3.1 MRR; ir_measures 0.4.3 RR;
    lenskit 2025.8.1 RecipRank; neurec mrr (notebook copy); pytrec 0.5.11 recip_rank; ranx 0.3.21
    mrr; recbole 1.2.1 MRR.metric_info; recpack 0.3.6 ReciprocalRankK; recsys2019dl MRR; rectools
    0.19.0 MRR; replay 0.22.0 MRR; rs_metrics 0.6.0 MRR; torchmetrics 1.9.0 RetrievalMRR
    [list+missed(score 0)], RetrievalMRR [list only]
    Edge cases: without a cutoff it is the value at k = length of the list; an empty list has 0.
    """

    name, variant, label = "mrr", "first", "MRR"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        first = judged.hits.argmax(axis=1)
        reached = judged.n_hits[:, columns(ks)] > 0
        return np.where(reached, 1.0 / (first + 1)[:, None], 0.0)

    @override
    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """Sum over the ranks i up to k of P(the first hit stands at i) / i."""
        missed = np.exp(log_no_hit(n_candidates, n_relevant, ks))
        first_here = -np.diff(missed, axis=1, prepend=1.0)
        return np.cumsum(first_here / ranks(ks), axis=1)[:, columns(ks)]


class ARHR(Metric):
    """MRR@k is the sum of 1 / rank over all hits of the first k ranks, so it may exceed 1.

    Formula: sum over i <= k of h_i / i
    Source: average reciprocal hit rank of Deshpande and Karypis, TOIS 22(1), 2004, which has one
    held-out item a user and so equals mrr first there; DaisyRec 1.1.2 had it under the name MRR.
    Libraries: recsys2019dl ARHR
    Edge cases: equals mrr first for users with one relevant item; an empty list has 0.
    """

    name, variant, label = "mrr", "arhr", "MRR"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return np.cumsum(judged.hits[:, : max(ks)] / ranks(ks), axis=1)[:, columns(ks)]
