"""HitRate, Precision, Recall, MRR and MAP."""

from collections.abc import Sequence

import numpy as np

from mrs.evaluation.metrics.base import (
    Metric,
    Pooled,
    WithChance,
    columns,
    log_no_hit,
    mean_of_defined,
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


def _r_precision(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    hits = np.take_along_axis(judged.n_hits, _reachable(judged, ks) - 1, axis=1)
    return hits / _relevant(judged)


def _r_precision_of_hit(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    values = _r_precision(judged, ks)
    return mean_of_defined(np.where(values > 0, values, np.nan))


def _first(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    first = judged.hits.argmax(axis=1)
    return np.where(_hits(judged, ks) > 0, 1.0 / (first + 1)[:, None], 0.0)


def _every(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    return np.cumsum(judged.hits[:, : max(ks)] / ranks(ks), axis=1)[:, columns(ks)]


def _precisions(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """Sum over i <= k of h_i P_i: float64 [U x len(ks)]."""
    depth = max(ks)
    precisions = judged.hits[:, :depth] * (judged.n_hits[:, :depth] / ranks(ks))
    return np.cumsum(precisions, axis=1)[:, columns(ks)]


def _mean_precision(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    sums = np.cumsum(judged.n_hits[:, : max(ks)] / ranks(ks), axis=1)
    return sums[:, columns(ks)] / np.asarray(ks, dtype=np.float64)


def _map_neurec(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    below = np.cumsum(np.minimum(ranks(ks), _relevant(judged)), axis=1)
    return _precisions(judged, ks) / below[:, columns(ks)]


# By chance: of a random order of n candidates [U], n_relevant of them relevant [U].


def _any_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """1 - C(N - R, m) / C(N, m) with m = min(k, N): the hypergeometric chance of any hit."""
    return -np.expm1(log_no_hit(n, n_relevant, ks)[:, columns(ks)])


def _precision_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """(R / N) min(k, N) / k."""
    return np.minimum(ks, n[:, None]) * (n_relevant / n)[:, None] / np.asarray(ks, dtype=np.float64)


def _recall_by_chance(n: np.ndarray, _: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """min(k, N) / N, whatever R is: each relevant track is as likely at every rank."""
    return np.minimum(ks, n[:, None]) / n[:, None]


def _first_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Sum over the ranks i up to k of P(the first hit stands at i) / i."""
    first_here = -np.diff(np.exp(log_no_hit(n, n_relevant, ks)), axis=1, prepend=1.0)
    return np.cumsum(first_here / ranks(ks), axis=1)[:, columns(ks)]


def _map_by_chance(n: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Sum over the ranks i up to min(k, N) of (1 + (i - 1)(R - 1) / (N - 1)) / i, over N.

    Rank i is a hit with probability R / N; then each rank above it is one with probability
    (R - 1) / (N - 1).
    """
    above = (n_relevant - 1) / np.maximum(n - 1, 1)
    terms = (1.0 + (ranks(ks) - 1) * above[:, None]) / ranks(ks)
    terms = np.where(within(n, ks), terms, 0.0)
    return np.cumsum(terms, axis=1)[:, columns(ks)] / n[:, None]


# j are the lists held against the truth, ks the cutoffs.
ACCURACY: tuple[Metric | Pooled, ...] = (
    WithChance("hitrate", "any", lambda j, ks: (_hits(j, ks) > 0).astype(float), _any_by_chance),
    Metric("hitrate", "count", lambda j, ks: _hits(j, ks).astype(float)),
    WithChance("precision", "k", lambda j, ks: _hits(j, ks) / np.array(ks), _precision_by_chance),
    Metric(
        "precision",
        "returned",
        lambda j, ks: ratio(_hits(j, ks), np.minimum(ks, j.n_listed[:, None])),
    ),
    Metric("precision", "min", lambda j, ks: _hits(j, ks) / _reachable(j, ks)),
    Pooled("precision", "micro", lambda j, ks: _hits(j, ks).sum(0) / _reachable(j, ks).sum(0)),
    Metric("precision", "r", _r_precision),
    Pooled("precision", "r_hit", _r_precision_of_hit),
    WithChance("recall", "relevant", lambda j, ks: _hits(j, ks) / _relevant(j), _recall_by_chance),
    Metric("recall", "min", lambda j, ks: _hits(j, ks) / _reachable(j, ks)),
    Metric("recall", "listed", lambda j, ks: ratio(_hits(j, ks), j.n_hits[:, -1:])),
    WithChance("mrr", "first", _first, _first_by_chance),
    Metric("mrr", "arhr", _every),
    WithChance("map", "relevant", lambda j, ks: _precisions(j, ks) / _relevant(j), _map_by_chance),
    Metric("map", "min", lambda j, ks: _precisions(j, ks) / _reachable(j, ks)),
    Metric("map", "hits", lambda j, ks: ratio(_precisions(j, ks), _hits(j, ks))),
    Metric("map", "k", lambda j, ks: _precisions(j, ks) / np.array(ks)),
    Metric("map", "mean_precision", _mean_precision),
    Metric("map", "neurec", _map_neurec),
)
