"""NDCG: hits weighted by how high they stand, over an ideal that libraries choose differently."""

from collections.abc import Sequence

import numpy as np

from mrs.evaluation.metrics.base import columns, log_discounts, per_user, ratio, within
from mrs.evaluation.metrics.judged import Judged


def _dcg(gains: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Discounted sums of the gains [U x depth] of the first k ranks: float64 [U x len(ks)]."""
    depth = max(ks)
    return np.cumsum(gains[:, :depth] * log_discounts(depth), axis=1)[:, columns(ks)]


def _best(n: np.ndarray) -> np.ndarray:
    """DCG of n hits in the first n ranks, 0 for none; shaped as n."""
    return np.concatenate([[0.0], np.cumsum(log_discounts(int(n.max(initial=1))))])[n]


def _by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """(R / N) times the first min(k, N) discounts / IDCG@k: every rank hits with R / N."""
    discounts = np.where(within(n, ks), log_discounts(max(ks)), 0.0)
    dcg = (n_relevant / n)[:, None] * np.cumsum(discounts, axis=1)[:, columns(ks)]
    return dcg / _best(np.minimum(ks, n_relevant[:, None]))


@per_user("ndcg", "min", chance=_by_chance)
def _ndcg(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _dcg(judged.hits, ks) / _best(np.minimum(ks, judged.n_relevant[:, None]))


@per_user("ndcg", "k_ideal")
def _ideal_of_k(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _dcg(judged.hits, ks) / _best(np.asarray(ks))


@per_user("ndcg", "untruncated")
def _untruncated(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _dcg(judged.hits, ks) / _best(judged.n_relevant)[:, None]


@per_user("ndcg", "retrieved")
def _retrieved(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return ratio(_dcg(judged.hits, ks), _best(judged.n_hits[:, columns(ks)]))


@per_user("ndcg", "listed")
def _listed(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return ratio(_dcg(judged.hits, ks), _best(np.minimum(ks, judged.n_hits[:, -1:])))


@per_user("ndcg", "none")
def _of_hits(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _dcg(judged.hits, ks)


@per_user("ndcg", "max_i_2")
def _max_i_2(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    discounts = 1.0 / np.log2(np.maximum(np.arange(1.0, max(ks) + 1), 2))
    dcg = np.cumsum(judged.hits[:, : max(ks)] * discounts, axis=1)[:, columns(ks)]
    return dcg / np.cumsum(discounts)[np.minimum(ks, judged.n_relevant[:, None]) - 1]


def _graded(judged: Judged, ks: Sequence[int], *, power: bool, whole: bool = False) -> np.ndarray:
    """DCG of ratings over that of the best order, cut at k or the whole of it.

    The gain is the rating, or with `power` 2 to the power of it, less 1.
    """
    assert judged.ratings is not None
    assert judged.best_ratings is not None
    gains, best = (
        np.exp2(ratings) - 1 if power else ratings
        for ratings in (judged.ratings, judged.best_ratings)
    )
    n_best = best.shape[1]
    return _dcg(gains, ks) / _dcg(best, [n_best] if whole else [min(k, n_best) for k in ks])


@per_user("ndcg", "linear", "ratings")
def _linear(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _graded(judged, ks, power=False)


@per_user("ndcg", "exponential", "ratings", "powers")
def _exponential(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _graded(judged, ks, power=True)


@per_user("ndcg", "exponential_untruncated", "ratings", "powers")
def _exponential_untruncated(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _graded(judged, ks, power=True, whole=True)
