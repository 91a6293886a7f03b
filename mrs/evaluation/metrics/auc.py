"""AUC: how often a relevant item stands above one that is not, over eleven choices of the pairs."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Metric, Pooled, columns, ratio
from mrs.evaluation.metrics.judged import Judged

COMPLETE = frozenset({"n_candidates", "complete"})


class AUCGlobal(Pooled):
    """AUC over all pairs of a relevant and another user-item pair, also of different users.

    Formula: share of the pairs (u, i in R_u), (v, j not in R_v) with s_ui > s_vj, equal scores 1/2
    Source: Hanley and McNeil, Radiology 143, 1982, applied to all scores in one pool.
    Libraries: recbole 1.2.1 AUC.metric_info; recommenders 1.2.1 auc; sklearn 1.9.1
    roc_auc_score(all pairs)
    Edge cases: compares scores of different users, which a ranking does not; needs scores and
    complete lists; users without a list are not in the pool; has no cutoff.
    """

    name, variant, label = "auc", "global", "AUC"
    needs = COMPLETE | {"scores"}

    @override
    def pooled(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [len(ks)], all the same."""
        if judged.scores is None:
            raise ValueError("this class needs scores")
        from scipy.stats import rankdata

        there = np.arange(judged.depth) < judged.n_listed[:, None]
        hits = judged.hits[there]
        place = rankdata(judged.scores[there])
        n_hits, n_others = hits.sum(), (~hits).sum()
        if n_hits == 0 or n_others == 0:
            return np.full(len(ks), np.nan)
        won = place[hits].sum() - n_hits * (n_hits + 1) / 2
        return np.full(len(ks), won / (n_hits * n_others))


class AUCPerUser(Metric):
    """AUC of each user: how often a relevant candidate stands above one that is not.

    Formula: share of the pairs i in R, j not in R with s_i > s_j, equal scores 1/2
    Source: Rendle et al., UAI 2009, section 4.1.1.
    Libraries: cornac 3.0.1 AUC.compute; sklearn 1.9.1 roc_auc_score per user, mean; torchmetrics
    1.9.0 RetrievalAUROC (full scores)
    Edge cases: needs complete lists; without scores the ranks decide and nothing is equal; a user
    whose candidates are all relevant has no value; an empty list has 0; has no cutoff.
    """

    name, variant, label = "auc", "per_user", "AUC"
    needs = COMPLETE

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)], the same at every cutoff."""
        return np.repeat(_per_user(judged)[:, None], len(ks), axis=1)


class AUCTiesWon(Metric):
    """AUC of each user with equal scores counted in favour of the relevant candidate.

    Formula: share of the pairs i in R, j not in R with s_i >= s_j
    Source: OpenRec.
    Libraries: openrec 0.3.0 AUC (restated in numpy)
    Edge cases: a constant score has 1, the best there is; equals auc per_user where no two scores
    are equal or only ranks are given; otherwise as auc per_user.
    """

    name, variant, label = "auc", "ties_won", "AUC"
    needs = COMPLETE

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)], the same at every cutoff."""
        return np.repeat(_per_user(judged, ties_won=True)[:, None], len(ks), axis=1)


class AUCWeighted(Pooled):
    """AUC of each user, averaged with the number of relevant items as the weight.

    Formula: sum over users of |R| AUC / sum over users of |R|
    Source: grouped AUC of Zhu et al., KDD 2017, there weighted by impressions.
    Libraries: recbole 1.2.1 GAUC.metric_info
    Edge cases: as auc per_user; users without a value have no weight.
    """

    name, variant, label = "auc", "weighted", "AUC"
    needs = COMPLETE

    @override
    def pooled(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [len(ks)], all the same."""
        values = _per_user(judged)
        defined = ~np.isnan(values)
        if not defined.any():
            return np.full(len(ks), np.nan)
        return np.full(len(ks), np.average(values[defined], weights=judged.n_relevant[defined]))


class AUCElliot(Pooled):
    """AUC pooled over the relevant items of all users, with one more irrelevant item counted.

    Formula: sum over users and hits of (N - r + p) / N / sum over users of |R|, r being the ranks
    above the hit, p the hits above it, N = candidates - |R| + 1
    Source: Elliot, which compares within a user although it pools over users.
    Libraries: elliot 0.3.1 AUC
    Edge cases: slightly above auc weighted; needs complete lists; an empty list adds its |R| below.
    """

    name, variant, label = "auc", "elliot", "AUC"
    needs = COMPLETE

    @override
    def pooled(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [len(ks)], all the same."""
        won = _limited(judged, [judged.depth]).sum()
        return np.full(len(ks), won / judged.n_relevant.sum())


class AUCElliotPerUser(Metric):
    """AUC of each user with one more irrelevant item counted than there is.

    Formula: (sum over hits of (N - r + p) / N) / |R|, r being the ranks above the hit, p the hits
    above it, N = candidates - |R| + 1
    Source: Elliot.
    Libraries: elliot 0.3.1 GAUC
    Edge cases: slightly above auc per_user; needs complete lists; an empty list has 0.
    """

    name, variant, label = "auc", "elliot_per_user", "AUC"
    needs = COMPLETE

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)], the same at every cutoff."""
        values = _limited(judged, [judged.depth]) / judged.n_relevant[:, None]
        return np.repeat(values, len(ks), axis=1)


class AUCLimited(Metric):
    """Limited AUC@k: what the hits of the first k ranks add to AUC, over min(k, |R|).

    Formula: (sum over hits i <= k of (N - r + p) / N) / min(k, |R|), r being the ranks above the
    hit, p the hits above it, N = candidates - |R| + 1
    Source: after Schröder et al., UCERSTI 2011; Elliot.
    Libraries: elliot 0.3.1 LAUC
    Edge cases: an empty list has 0; the missing ranks of a short list are misses.
    """

    name, variant, label = "auc", "limited", "AUC"
    needs = frozenset({"n_candidates"})

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _limited(judged, ks) / np.minimum(ks, judged.n_relevant[:, None])


class AUCInList(Metric):
    """AUC@k inside the list: how often a hit stands above a miss, 1 where all ranks are hits.

    Formula: share of the pairs h_i = 1, h_j = 0 of the first k ranks with i < j
    Source: evaluation code of Ferrari Dacrema et al., RecSys 2019; RePlay.
    Libraries: recsys2019dl AUC@k; replay 0.22.0 RocAuc
    Edge cases: a list without a hit has 0, one without a miss 1, an empty one 0. Only the order
    inside the list counts: a list with one hit at rank 1 has 1.
    """

    name, variant, label = "auc", "in_list", "AUC"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        n_hits = judged.n_hits[:, columns(ks)]
        all_hits = (n_hits > 0) & (n_hits == np.minimum(ks, judged.n_listed[:, None]))
        return np.where(all_hits, 1.0, _in_list(judged, ks))


class AUCInListZero(Metric):
    """AUC@k inside the list: how often a hit stands above a miss, 0 where all ranks are hits.

    Formula: share of the pairs h_i = 1, h_j = 0 of the first k ranks with i < j
    Source: torchmetrics.
    Libraries: torchmetrics 1.9.0 RetrievalAUROC [list+missed(score 0)], RetrievalAUROC [list only]
    Edge cases: a list without a hit has 0, and so has one without a miss, the best there is.
    """

    name, variant, label = "auc", "in_list_zero", "AUC"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        return _in_list(judged, ks)


class AUCRestRandom(Metric):
    """AUC of the first k ranks followed by all other candidates in random order.

    Formula: (pairs won inside the list + (H + |R|) / 2 (M - m)) / (|R| M), H hits and m misses in
    the first k ranks, M = candidates - |R|
    Source: implicit; the expectation of auc per_user where only k ranks are known.
    Libraries: implicit 0.7.3 AUC@k
    Edge cases: an empty list has 1/2, since all candidates are in random order; a user whose
    candidates are all relevant has no value.
    """

    name, variant, label = "auc", "rest_random", "AUC"
    needs = frozenset({"n_candidates"})

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        n_relevant = judged.n_relevant[:, None]
        n_others = _candidates(judged)[:, None] - n_relevant
        n_hits, n_misses = judged.n_hits[:, columns(ks)], _n_misses(judged)[:, columns(ks)]
        won = _won(judged)[:, columns(ks)] + (n_hits + n_relevant) / 2 * (n_others - n_misses)
        return np.where(n_others > 0, ratio(won, n_relevant * n_others), np.nan)


class AUCPartial(Metric):
    """Partial AUC@k: how often a relevant item stands above one of the first k irrelevant ones.

    Formula: (sum over hits i of max(k - m_i, 0)) / (k |R|), m_i misses standing above rank i
    Source: partial AUC up to k false positives (Narasimhan and Agarwal, ICML 2013); RecTools.
    Libraries: rectools 0.19.0 PartialAUC
    Edge cases: reads the list to its k-th miss, so beyond rank k; relevant items that are not
    listed lose all their pairs, and a list with fewer than k misses keeps the denominator; an
    empty list has 0.
    """

    name, variant, label = "auc", "partial", "AUC"

    @override
    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        above = _n_misses(judged)
        won = [(judged.hits * np.maximum(k - above, 0)).sum(axis=1) for k in ks]
        return np.stack(won, axis=1) / (np.asarray(ks) * judged.n_relevant[:, None])


def _candidates(judged: Judged) -> np.ndarray:
    if judged.n_candidates is None:
        raise ValueError("this class needs the number of candidates")
    return judged.n_candidates


def _n_misses(judged: Judged) -> np.ndarray:
    """int [U x depth], listed items among the first j + 1 ranks that are not relevant."""
    listed = np.minimum(np.arange(1, judged.depth + 1), judged.n_listed[:, None])
    return listed - judged.n_hits


def _won(judged: Judged) -> np.ndarray:
    """int [U x depth], pairs of a hit above a miss within the first j + 1 ranks."""
    there = np.arange(judged.depth) < judged.n_listed[:, None]
    return np.cumsum(judged.n_hits * (there & ~judged.hits), axis=1, dtype=np.int64)


def _in_list(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    at = columns(ks)
    return ratio(_won(judged)[:, at], judged.n_hits[:, at] * _n_misses(judged)[:, at])


def _limited(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """Sum over the hits up to rank k of (N - r + p) / N, N = candidates - |R| + 1."""
    n_others = (_candidates(judged) - judged.n_relevant + 1)[:, None]
    shares = judged.hits * (n_others - _n_misses(judged)) / n_others
    return np.cumsum(shares, axis=1)[:, columns(ks)]


def _per_user(judged: Judged, *, ties_won: bool = False) -> np.ndarray:
    """AUC of complete lists: float64 [U]."""
    from scipy.stats import rankdata  # a second to import, for every run of whatever else

    there = np.arange(judged.depth) < judged.n_listed[:, None]
    scores = judged.scores if judged.scores is not None else -np.arange(float(judged.depth))
    # What stands after the end of a list gets the lowest places, which the hits are rid of again.
    scores = np.where(there, scores, -np.inf)
    if ties_won:
        scores = 2 * rankdata(scores, method="dense", axis=1) + judged.hits
    place = rankdata(scores, axis=1)
    after = judged.depth - judged.n_listed
    n_hits, n_others = judged.n_relevant, _candidates(judged) - judged.n_relevant
    won = (judged.hits * place).sum(axis=1) - n_hits * after - n_hits * (n_hits + 1) / 2
    values = np.divide(won, n_hits * n_others, out=np.full(len(won), np.nan), where=n_others > 0)
    return np.where(judged.n_listed > 0, values, 0.0)
