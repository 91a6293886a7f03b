"""HitRate, Precision, Recall, MRR and MAP."""

from collections.abc import Sequence

import numpy as np

from mrs.evaluation.metrics.base import (
    columns,
    log_no_hit,
    mean_of_defined,
    per_user,
    pooled,
    ranks,
    ratio,
    within,
)
from mrs.evaluation.metrics.judged import Judged


def _hits(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """Hits in the first k ranks: int [U x len(ks)]."""
    return judged.n_hits[:, columns(ks)]


def _relevant(judged: Judged) -> np.ndarray:
    """|R|: int [U x 1]."""
    return judged.n_relevant[:, None]


def _reachable(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """min(k, |R|): int [U x len(ks)]."""
    return np.minimum(ks, _relevant(judged))


def _any_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """1 - C(N - R, m) / C(N, m) with m = min(k, N): the hypergeometric chance of any hit."""
    return -np.expm1(log_no_hit(n, n_relevant, ks)[:, columns(ks)])


@per_user("hitrate", "any", chance=_any_by_chance)
def _any_hit(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return (_hits(judged, ks) > 0).astype(np.float64)


@per_user("hitrate", "count")
def _hit_count(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _hits(judged, ks).astype(np.float64)


def _precision_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """(R / N) min(k, N) / k."""
    return np.minimum(ks, n[:, None]) * (n_relevant / n)[:, None] / np.asarray(ks, dtype=np.float64)


@per_user("precision", "k", chance=_precision_by_chance)
def _precision(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _hits(judged, ks) / np.asarray(ks, dtype=np.float64)


@per_user("precision", "returned")
def _precision_returned(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return ratio(_hits(judged, ks), np.minimum(ks, judged.n_listed[:, None]))


@per_user("precision", "min")
def _share_of_reachable(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _hits(judged, ks) / _reachable(judged, ks)


@pooled("precision", "micro")
def _precision_micro(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _hits(judged, ks).sum(axis=0) / _reachable(judged, ks).sum(axis=0)


@per_user("precision", "r")
def _r_precision(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    hits = np.take_along_axis(judged.n_hits, _reachable(judged, ks) - 1, axis=1)
    return hits / _relevant(judged)


@pooled("precision", "r_hit")
def _r_precision_of_hit(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    values = _r_precision(judged, ks)
    return mean_of_defined(np.where(values > 0, values, np.nan))


def _recall_by_chance(n: np.ndarray, _: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """min(k, N) / N, whatever R is: each relevant track is as likely at every rank."""
    return np.minimum(ks, n[:, None]) / n[:, None]


@per_user("recall", "relevant", chance=_recall_by_chance)
def _recall(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _hits(judged, ks) / _relevant(judged)


per_user("recall", "min")(_share_of_reachable)


@per_user("recall", "listed")
def _recall_listed(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return ratio(_hits(judged, ks), judged.n_hits[:, -1:])


def _first_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Sum over the ranks i up to k of P(the first hit stands at i) / i."""
    first_here = -np.diff(np.exp(log_no_hit(n, n_relevant, ks)), axis=1, prepend=1.0)
    return np.cumsum(first_here / ranks(ks), axis=1)[:, columns(ks)]


@per_user("mrr", "first", chance=_first_by_chance)
def _first(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    first = judged.hits.argmax(axis=1)
    return np.where(_hits(judged, ks) > 0, 1.0 / (first + 1)[:, None], 0.0)


@per_user("mrr", "arhr")
def _every(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return np.cumsum(judged.hits[:, : max(ks)] / ranks(ks), axis=1)[:, columns(ks)]


def _precisions(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """Sum over i <= k of h_i P_i: float64 [U x len(ks)]."""
    depth = max(ks)
    precisions = judged.hits[:, :depth] * (judged.n_hits[:, :depth] / ranks(ks))
    return np.cumsum(precisions, axis=1)[:, columns(ks)]


def _map_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Sum over the ranks i up to min(k, N) of (1 + (i - 1)(R - 1) / (N - 1)) / i, over N.

    Rank i is a hit with probability R / N; then each rank above it is one with probability
    (R - 1) / (N - 1).
    """
    above = (n_relevant - 1) / np.maximum(n - 1, 1)
    terms = (1.0 + (ranks(ks) - 1) * above[:, None]) / ranks(ks)
    terms = np.where(within(n, ks), terms, 0.0)
    return np.cumsum(terms, axis=1)[:, columns(ks)] / n[:, None]


@per_user("map", "relevant", chance=_map_by_chance)
def _map(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _precisions(judged, ks) / _relevant(judged)


@per_user("map", "min")
def _map_min(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _precisions(judged, ks) / _reachable(judged, ks)


@per_user("map", "hits")
def _map_hits(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return ratio(_precisions(judged, ks), _hits(judged, ks))


@per_user("map", "k")
def _map_k(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return _precisions(judged, ks) / np.asarray(ks, dtype=np.float64)


@per_user("map", "mean_precision")
def _mean_precision(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    sums = np.cumsum(judged.n_hits[:, : max(ks)] / ranks(ks), axis=1)
    return sums[:, columns(ks)] / np.asarray(ks, dtype=np.float64)


@per_user("map", "neurec")
def _map_neurec(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    below = np.cumsum(np.minimum(ranks(ks), _relevant(judged)), axis=1)
    return _precisions(judged, ks) / below[:, columns(ks)]
