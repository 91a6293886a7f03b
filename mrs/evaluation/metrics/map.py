"""MAP: precision at every hit, averaged over one of six denominators."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Metric, WithChance, columns, ranks, ratio, within
from mrs.evaluation.metrics.judged import Judged


class MAP(WithChance):
    """MAP@k is the sum of Precision@i over the ranks i <= k that hold a hit, over |R|.

    Formula: (sum over i <= k of h_i P_i) / |R|
    Source: Buckley and Voorhees, SIGIR 2000; `map_cut` of TREC.
    Libraries: betarec 0.3.2 map_at_k; cornac 3.0.1 MAP.compute; ir_measures 0.4.3 AP; pytrec 0.5.11
    map_cut, map; ranx 0.3.21 map; recommenders 1.2.1 map; rectools 0.19.0 MAP; rs_metrics 0.6.0 MAP
    Edge cases: a user with more than k relevant items cannot reach 1; an empty list has 0; the
    missing ranks of a short list are misses.
    """

    name, variant, label = "map", "relevant", "MAP"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _precisions(judged, ks) / judged.n_relevant[:, None]

    @override
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


class MAPMin(Metric):
    """MAP@k is the sum of Precision@i over the ranks i <= k that hold a hit, over min(k, |R|).

    Formula: (sum over i <= k of h_i P_i) / min(k, |R|)
    Source: the average precision of the Kaggle competitions; the best list of k ranks has 1.
    Libraries: implicit 0.7.3 MAP; lenskit 2025.8.1 AveragePrecision; recbole 1.2.1 MAP.metric_info;
    recommenders 1.2.1 map_at_k; recsys2019dl MAP; replay 0.22.0 MAP
    Edge cases: equals map relevant where k >= |R|; an empty list has 0; the missing ranks of a
    short list are misses.
    """

    name, variant, label = "map", "min", "MAP"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _precisions(judged, ks) / np.minimum(ks, judged.n_relevant[:, None])


class MAPHits(Metric):
    """MAP@k is the mean of Precision@i over the ranks i <= k that hold a hit.

    Formula: (sum over i <= k of h_i P_i) / (h_1 + ... + h_k)
    Source: torchmetrics and DaisyRec 2.3.0, which see the list alone.
    Libraries: daisyrec 2.3.0 MAP; torchmetrics 1.9.0 RetrievalMAP [list+missed(score 0)],
    RetrievalMAP [list only]
    Edge cases: never below map relevant; a hit added further down can lower it; a list without a
    hit has 0.
    """

    name, variant, label = "map", "hits", "MAP"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return ratio(_precisions(judged, ks), judged.n_hits[:, columns(ks)])


class MAPK(Metric):
    """MAP@k is the sum of Precision@i over the ranks i <= k that hold a hit, over k.

    Formula: (sum over i <= k of h_i P_i) / k
    Source: an option of RecTools; DaisyRec 1.1.2 had it as its MAP.
    Libraries: rectools 0.19.0 MAP(divide_by_k=True)
    Edge cases: a user with fewer than k relevant items cannot reach 1; an empty list has 0.
    """

    name, variant, label = "map", "k", "MAP"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _precisions(judged, ks) / np.asarray(ks, dtype=np.float64)


class MeanPrecision(Metric):
    """MAP@k is the mean of Precision@1 to Precision@k, whether the rank is a hit or not.

    Formula: (P_1 + ... + P_k) / k
    Source: Elliot.
    Libraries: elliot 0.3.1 MAP
    Edge cases: P_i keeps the denominator i after the end of a short list; an empty list has 0.
    """

    name, variant, label = "map", "mean_precision", "MAP"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        sums = np.cumsum(judged.n_hits[:, : max(ks)] / ranks(ks), axis=1)
        return sums[:, columns(ks)] / np.asarray(ks, dtype=np.float64)


class MAPNeuRec(Metric):
    """MAP@k is the sum of Precision@i over the hits i <= k, over the sum of min(i, |R|) to k.

    Formula: (sum over i <= k of h_i P_i) / (sum over i <= k of min(i, |R|))
    Source: NeuRec.
    Libraries: neurec map (notebook copy)
    Edge cases: the best list is below 1 as soon as k > 1; an empty list has 0.
    """

    name, variant, label = "map", "neurec", "MAP"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        below = np.cumsum(np.minimum(ranks(ks), judged.n_relevant[:, None]), axis=1)
        return _precisions(judged, ks) / below[:, columns(ks)]


def _precisions(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """Sum over i <= k of h_i P_i: float64 [U x len(ks)]."""
    depth = max(ks)
    precisions = judged.hits[:, :depth] * (judged.n_hits[:, :depth] / ranks(ks))
    return np.cumsum(precisions, axis=1)[:, columns(ks)]
