"""Recall: the share of what is relevant that the list holds."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Metric, WithChance, columns, ratio
from mrs.evaluation.metrics.judged import Judged


class Recall(WithChance):
    """Recall@k is the share of the user's relevant items that stand in the first k ranks.

    Formula: (h_1 + ... + h_k) / |R|
    Source: Herlocker et al., TOIS 22(1), 2004, section 4.1.2.
    Libraries: betarec 0.3.2 recall_at_k; cornac 3.0.1 Recall.compute; daisyrec 2.3.0 Recall; elliot
    0.3.1 Recall; ir_measures 0.4.3 R; neurec recall (notebook copy); openrec 0.3.0 Recall (restated
    in numpy); pytrec 0.5.11 recall; ranx 0.3.21 recall; recbole 1.2.1 Recall.metric_info;
    recommenders 1.2.1 recall_at_k; recpack 0.3.6 RecallK; recsys2019dl Recall; rectools 0.19.0
    Recall; replay 0.22.0 Recall; rs_metrics 0.6.0 Recall; torchmetrics 1.9.0 RetrievalRecall
    [list+missed(score 0)]
    Edge cases: a user with more than k relevant items cannot reach 1; an empty list has 0; the
    missing ranks of a short list are misses.
    """

    name, variant, label = "recall", "relevant", "Recall"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return judged.n_hits[:, columns(ks)] / judged.n_relevant[:, None]

    @override
    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """min(k, N) / N, whatever R is: each relevant track is as likely at every rank."""
        return np.minimum(ks, n_candidates[:, None]) / n_candidates[:, None]


class RecallMin(Metric):
    """Recall@k is the number of hits over the most that k ranks could hold, min(k, |R|).

    Formula: (h_1 + ... + h_k) / min(k, |R|)
    Source: Liang et al., WWW 2018, section 4.3; called calibrated recall by RecPack.
    Libraries: lenskit 2025.8.1 Recall; recpack 0.3.6 CalibratedRecallK
    Edge cases: equals recall relevant where k >= |R| and precision k where k <= |R|; an empty
    list has 0; the missing ranks of a short list are misses.
    """

    name, variant, label = "recall", "min", "Recall"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return judged.n_hits[:, columns(ks)] / np.minimum(ks, judged.n_relevant[:, None])


class RecallListed(Metric):
    """Recall@k is the share of the relevant items in the whole list that stand in its first k.

    Formula: (h_1 + ... + h_k) / (h_1 + ... + h_n), n being the length of the list
    Source: what torchmetrics computes when it is given the list alone.
    Libraries: torchmetrics 1.9.0 RetrievalRecall [list only]
    Edge cases: relevant items that the list misses do not count against it, so the value depends
    on how long the list is; a list without a hit has 0.
    """

    name, variant, label = "recall", "listed", "Recall"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return ratio(judged.n_hits[:, columns(ks)], judged.n_hits[:, -1:])
