"""NDCG: hits weighted by how high they stand, over an ideal that libraries choose differently."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from mrs.evaluation.metrics.base import (
    Metric,
    WithChance,
    columns,
    log_discounts,
    ratio,
    within,
)
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


POWERS = ("ratings", "powers")
# j are the lists held against the truth, ks the cutoffs.
NDCG: tuple[Metric, ...] = (
    WithChance(
        "ndcg",
        "min",
        lambda j, ks: _dcg(j.hits, ks) / _best(np.minimum(ks, j.n_relevant[:, None])),
        _by_chance,
    ),
    Metric("ndcg", "k_ideal", lambda j, ks: _dcg(j.hits, ks) / _best(np.array(ks))),
    Metric("ndcg", "untruncated", lambda j, ks: _dcg(j.hits, ks) / _best(j.n_relevant)[:, None]),
    Metric(
        "ndcg",
        "retrieved",
        lambda j, ks: ratio(_dcg(j.hits, ks), _best(j.n_hits[:, columns(ks)])),
    ),
    Metric(
        "ndcg",
        "listed",
        lambda j, ks: ratio(_dcg(j.hits, ks), _best(np.minimum(ks, j.n_hits[:, -1:]))),
    ),
    Metric("ndcg", "none", lambda j, ks: _dcg(j.hits, ks)),
    Metric("ndcg", "max_i_2", _max_i_2),
    Metric("ndcg", "linear", partial(_graded, power=False), needs=("ratings",)),
    Metric("ndcg", "exponential", partial(_graded, power=True), needs=POWERS),
    Metric(
        "ndcg", "exponential_untruncated", partial(_graded, power=True, whole=True), needs=POWERS
    ),
)
