"""NDCG: hits weighted by how high they stand, over an ideal that libraries choose differently."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Metric, WithChance, columns, log_discounts, ratio, within
from mrs.evaluation.metrics.judged import Judged


class NDCG(WithChance):
    """NDCG@k is DCG@k over the DCG of the best list of k ranks, with binary gains.

    Formula: (sum over i <= k of h_i / log2(i + 1)) / (sum over i <= min(k, |R|) of 1 / log2(i + 1))
    Source: Järvelin and Kekäläinen, TOIS 20(4), 2002; discount of Burges et al., ICML 2005.
    Libraries: betarec 0.3.2 ndcg_at_k; cornac 3.0.1 NDCG.compute; elliot 0.3.1 nDCG; implicit 0.7.3
    NDCG; ir_measures 0.4.3 nDCG; lenskit 2025.8.1 NDCG(weight=LogRankWeight(offset=1)); neurec ndcg
    (notebook copy); pytrec 0.5.11 ndcg_cut; ranx 0.3.21 ndcg; recbole 1.2.1 NDCG.metric_info;
    recommenders 1.2.1 ndcg_at_k; recpack 0.3.6 NDCGK; rectools 0.19.0
    NDCG(divide_by_achievable=True); replay 0.22.0 NDCG; rs_metrics 0.6.0 NDCG; sklearn 1.9.1
    ndcg_score; torchmetrics 1.9.0 RetrievalNormalizedDCG [list+missed(score 0)]
    Edge cases: an empty list has 0; the missing ranks of a short list are misses and the ideal
    stays that of a full one; the base of the logarithm cancels.
    """

    name, variant, label = "ndcg", "min", "NDCG"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _dcg(judged.hits, ks) / _best(np.minimum(ks, judged.n_relevant[:, None]))

    @override
    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """(R / N) times the first min(k, N) discounts / IDCG@k: every rank hits with R / N."""
        discounts = np.where(within(n_candidates, ks), log_discounts(max(ks)), 0.0)
        dcg = (n_relevant / n_candidates)[:, None] * np.cumsum(discounts, axis=1)[:, columns(ks)]
        return dcg / _best(np.minimum(ks, n_relevant[:, None]))


class NDCGIdealK(Metric):
    """NDCG@k is DCG@k over the DCG of k relevant items, however many there are.

    Formula: (sum over i <= k of h_i / log2(i + 1)) / (sum over i <= k of 1 / log2(i + 1))
    Source: the default of RecTools.
    Libraries: rectools 0.19.0 NDCG
    Edge cases: a user with fewer than k relevant items cannot reach 1; an empty list has 0.
    """

    name, variant, label = "ndcg", "k_ideal", "NDCG"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _dcg(judged.hits, ks) / _best(np.asarray(ks))


class NDCGUntruncated(Metric):
    """NDCG@k is DCG@k over the DCG of all relevant items, also of those that k ranks cannot hold.

    Formula: (sum over i <= k of h_i / log2(i + 1)) / (sum over i <= |R| of 1 / log2(i + 1))
    Source: evaluation code of Ferrari Dacrema et al., RecSys 2019.
    Libraries: recsys2019dl NDCG
    Edge cases: equals ndcg min where k >= |R|; a user with more than k relevant items cannot
    reach 1; an empty list has 0.
    """

    name, variant, label = "ndcg", "untruncated", "NDCG"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _dcg(judged.hits, ks) / _best(judged.n_relevant)[:, None]


class NDCGRetrieved(Metric):
    """NDCG@k is DCG@k over the DCG of the same hits at the top: how well the hits are ordered.

    Formula: (sum over i <= k of h_i / log2(i + 1)) / (sum over i <= H of 1 / log2(i + 1)),
    H = h_1 + ... + h_k
    Source: DaisyRec 2.3.0, given the first k ranks alone.
    Libraries: daisyrec 2.3.0 NDCG
    Edge cases: relevant items that the list misses do not count against it; one hit at rank 1 has
    1; a list without a hit has 0.
    """

    name, variant, label = "ndcg", "retrieved", "NDCG"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return ratio(_dcg(judged.hits, ks), _best(judged.n_hits[:, columns(ks)]))


class NDCGListed(Metric):
    """NDCG@k is DCG@k over the DCG of the best order of the whole list.

    Formula: (sum over i <= k of h_i / log2(i + 1)) / (sum over i <= min(k, H) of 1 / log2(i + 1)),
    H = h_1 + ... + h_n, n being the length of the list
    Source: what torchmetrics computes when it is given the list alone.
    Libraries: torchmetrics 1.9.0 RetrievalNormalizedDCG [list only]
    Edge cases: relevant items that the list misses do not count against it, so the value depends
    on how long the list is; a list without a hit has 0.
    """

    name, variant, label = "ndcg", "listed", "NDCG"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return ratio(_dcg(judged.hits, ks), _best(np.minimum(ks, judged.n_hits[:, -1:])))


class DCG(Metric):
    """NDCG@k is DCG@k itself, with no ideal below it, so it may exceed 1.

    Formula: sum over i <= k of h_i / log2(i + 1)
    Source: Järvelin and Kekäläinen, TOIS 20(4), 2002; OpenRec calls it NDCG.
    Libraries: openrec 0.3.0 NDCG (restated in numpy); recpack 0.3.6 DCGK
    Edge cases: the base of the logarithm matters, here 2; an empty list has 0.
    """

    name, variant, label = "ndcg", "none", "NDCG"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _dcg(judged.hits, ks)


class NDCGMaxI2(Metric):
    """NDCG@k with the discount 1 / log2(max(i, 2)), which does not discount the second rank.

    Formula: (sum over i <= k of h_i / log2(max(i, 2))) / (sum over i <= min(k, |R|) of
    1 / log2(max(i, 2)))
    Source: Järvelin and Kekäläinen, TOIS 20(4), 2002, as first printed, base 2; LensKit's default.
    Libraries: lenskit 2025.8.1 NDCG
    Edge cases: ranks 1 and 2 weigh the same; an empty list has 0.
    """

    name, variant, label = "ndcg", "max_i_2", "NDCG"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        discounts = 1.0 / np.log2(np.maximum(np.arange(1.0, max(ks) + 1), 2))
        dcg = np.cumsum(judged.hits[:, : max(ks)] * discounts, axis=1)[:, columns(ks)]
        return dcg / np.cumsum(discounts)[np.minimum(ks, judged.n_relevant[:, None]) - 1]


class NDCGLinear(Metric):
    """NDCG@k with the rating of a relevant item as its gain.

    Formula: (sum over i <= k of r_i / log2(i + 1)) / (the same sum over the k highest ratings)
    Source: Järvelin and Kekäläinen, TOIS 20(4), 2002.
    Libraries: ir_measures 0.4.3 nDCG; pytrec 0.5.11 ndcg_cut; ranx 0.3.21 ndcg; recommenders 1.2.1
    ndcg_at_k(score_type='raw',log2); sklearn 1.9.1 ndcg_score; torchmetrics 1.9.0
    RetrievalNormalizedDCG [list+missed(score 0)]
    Edge cases: equals ndcg min where every rating is the same; a rating of 0 is not relevant;
    negative ratings are refused; an empty list has 0.
    """

    name, variant, label = "ndcg", "linear", "NDCG"
    needs = frozenset({"ratings"})

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        gains, ideal = _ratings(judged)
        return _dcg(gains, ks) / _ideal(ideal, ks)


class NDCGExponential(Metric):
    """NDCG@k with 2 to the power of the rating, less 1, as the gain of a relevant item.

    Formula: (sum over i <= k of (2^r_i - 1) / log2(i + 1)) / (the same sum over the k highest
    ratings)
    Source: Burges et al., ICML 2005.
    Libraries: elliot 0.3.1 nDCG; ranx 0.3.21 ndcg_burges; recommenders 1.2.1
    ndcg_at_k(score_type='exp',log2)
    Edge cases: equals ndcg min where every rating is the same; made for grades of a few units,
    play counts overflow it and ratings above 500 are refused; an empty list has 0.
    """

    name, variant, label = "ndcg", "exponential", "NDCG"
    needs = frozenset({"ratings"})

    @override
    def lacks(self, judged: Judged) -> str | None:
        """As for every class; also where 2 to the power of a rating is out of range."""
        return super().lacks(judged) or _overflows(judged)

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        gains, ideal = (np.exp2(ratings) - 1 for ratings in _ratings(judged))
        return _dcg(gains, ks) / _ideal(ideal, ks)


class NDCGExponentialUntruncated(Metric):
    """NDCG@k with exponential gains over the ideal of all relevant items, also beyond rank k.

    Formula: (sum over i <= k of (2^r_i - 1) / log2(i + 1)) / (the same sum over all ratings, from
    the highest)
    Source: evaluation code of Ferrari Dacrema et al., RecSys 2019.
    Libraries: recsys2019dl NDCG_graded
    Edge cases: equals ndcg exponential where k >= |R|; ratings above 500 are refused; an empty
    list has 0.
    """

    name, variant, label = "ndcg", "exponential_untruncated", "NDCG"
    needs = frozenset({"ratings"})

    @override
    def lacks(self, judged: Judged) -> str | None:
        """As for every class; also where 2 to the power of a rating is out of range."""
        return super().lacks(judged) or _overflows(judged)

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        gains, ideal = (np.exp2(ratings) - 1 for ratings in _ratings(judged))
        return _dcg(gains, ks) / _ideal(ideal, [ideal.shape[1]])


def _dcg(gains: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Discounted sums of the gains [U x depth] of the first k ranks: float64 [U x len(ks)]."""
    depth = max(ks)
    return np.cumsum(gains[:, :depth] * log_discounts(depth), axis=1)[:, columns(ks)]


def _best(n: np.ndarray) -> np.ndarray:
    """DCG of n hits in the first n ranks, 0 for none; shaped as n."""
    return np.concatenate([[0.0], np.cumsum(log_discounts(int(n.max(initial=1))))])[n]


def _ideal(gains: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """DCG@k of gains in their best order [U x max |R|]: float64 [U x len(ks)]."""
    return _dcg(gains, [min(k, gains.shape[1]) for k in ks])


def _ratings(judged: Judged) -> tuple[np.ndarray, np.ndarray]:
    if judged.ratings is None or judged.best_ratings is None:
        raise ValueError("this class needs ratings")
    return judged.ratings, judged.best_ratings


def _overflows(judged: Judged) -> str | None:
    if judged.best_ratings is not None and judged.best_ratings.max(initial=0) > 500:
        return "a rating is above 500, and 2 to its power is out of range"
    return None
