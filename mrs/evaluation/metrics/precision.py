"""Precision: the share of the list that is relevant."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Metric, Pooled, WithChance, columns, ratio
from mrs.evaluation.metrics.judged import Judged


class Precision(WithChance):
    """Precision@k is the share of the first k ranks that is relevant.

    Formula: (h_1 + ... + h_k) / k
    Source: Herlocker et al., TOIS 22(1), 2004, section 4.1.2.
    Libraries: betarec 0.3.2 precision_at_k; cornac 3.0.1 Precision.compute; daisyrec 2.3.0
    Precision; elliot 0.3.1 Precision; ir_measures 0.4.3 P; neurec precision (notebook copy); pytrec
    0.5.11 P; ranx 0.3.21 precision; recbole 1.2.1 Precision.metric_info; recommenders 1.2.1
    precision_at_k; recpack 0.3.6 PrecisionK; recsys2019dl Precision; rectools 0.19.0 Precision;
    replay 0.22.0 Precision; torchmetrics 1.9.0 RetrievalPrecision [list+missed(score 0)],
    RetrievalPrecision [list only]
    Edge cases: the denominator stays k where the list is shorter, so that missing ranks are
    misses; a user with fewer than k relevant items cannot reach 1; an empty list has 0.
    """

    name, variant, label = "precision", "k", "Precision"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return judged.n_hits[:, columns(ks)] / np.asarray(ks, dtype=np.float64)

    @override
    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """(R / N) min(k, N) / k."""
        expected = np.minimum(ks, n_candidates[:, None]) * (n_relevant / n_candidates)[:, None]
        return expected / np.asarray(ks, dtype=np.float64)


class PrecisionReturned(Metric):
    """Precision@k is the share of the items listed in the first k ranks that is relevant.

    Formula: (h_1 + ... + h_k) / min(k, n), n being the length of the list
    Source: rs_metrics 0.6.0 and LensKit 2025.8.1, which differ from precision k on short lists.
    Libraries: lenskit 2025.8.1 Precision; rs_metrics 0.6.0 Precision
    Edge cases: equals precision k where every list has k items. A short list is not punished for
    its missing ranks. An empty list has 0 here; rs_metrics makes the whole mean NaN.
    """

    name, variant, label = "precision", "returned", "Precision"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return ratio(judged.n_hits[:, columns(ks)], np.minimum(ks, judged.n_listed[:, None]))


class PrecisionMin(Metric):
    """Precision@k is the number of hits over the most that k ranks could hold, min(k, |R|).

    Formula: (h_1 + ... + h_k) / min(k, |R|)
    Source: RecTools, called R-precision there; the formula of recall min.
    Libraries: rectools 0.19.0 Precision(r_precision=True)
    Edge cases: an empty list has 0; the missing ranks of a short list are misses.
    """

    name, variant, label = "precision", "min", "Precision"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return judged.n_hits[:, columns(ks)] / np.minimum(ks, judged.n_relevant[:, None])


class PrecisionMicro(Pooled):
    """Precision@k is the hits of all users over the most that all their lists could hold.

    Formula: sum over users of (h_1 + ... + h_k) / sum over users of min(k, |R|)
    Source: implicit, whose users with many relevant items weigh more.
    Libraries: implicit 0.7.3 Precision
    Edge cases: one number for all users, so no interval over them; a user without a list adds to
    the denominator alone.
    """

    name, variant, label = "precision", "micro", "Precision"

    @override
    def pooled(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        reachable = np.minimum(ks, judged.n_relevant[:, None]).sum(axis=0)
        return judged.n_hits[:, columns(ks)].sum(axis=0) / reachable


class RPrecision(Metric):
    """R-Precision@k is the share of the relevant items found in the first min(k, |R|) ranks.

    Formula: (h_1 + ... + h_m) / |R| with m = min(k, |R|)
    Source: R-precision of TREC (Buckley and Voorhees, SIGIR 2000), with its cutoff limited to k.
    Libraries: none of those compared
    Edge cases: precision and recall at rank |R| where k >= |R|; an empty list has 0.
    """

    name, variant, label = "precision", "r", "Precision"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _r_hits(judged, ks) / judged.n_relevant[:, None]


class RPrecisionHit(Pooled):
    """R-Precision@k averaged over those users only whose first min(k, |R|) ranks hold a hit.

    Formula: mean over users with h_1 + ... + h_m > 0 of (h_1 + ... + h_m) / |R|, m = min(k, |R|)
    Source: recommenders 1.2.1, whose join loses users without a hit.
    Libraries: recommenders 1.2.1 r_precision_at_k
    Edge cases: the population depends on the lists, so two systems are averaged over different
    users; without any hit there is no value.
    """

    name, variant, label = "precision", "r_hit", "Precision"

    @override
    def pooled(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        found = _r_hits(judged, ks)
        values = found / judged.n_relevant[:, None]
        n = (found > 0).sum(axis=0)
        return np.divide(values.sum(axis=0), n, out=np.full(len(ks), np.nan), where=n > 0)


def _r_hits(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """Hits in the first min(k, |R|) ranks: int [U x len(ks)]."""
    return np.take_along_axis(judged.n_hits, np.minimum(ks, judged.n_relevant[:, None]) - 1, axis=1)
