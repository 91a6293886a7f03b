"""AUC: how often a relevant item stands above one that is not, over eleven choices of the pairs."""

from collections.abc import Sequence

import numpy as np

from mrs.evaluation.metrics.base import Metric, Pooled, columns, ratio
from mrs.evaluation.metrics.judged import Judged

COMPLETE = ("n_candidates", "complete")  # classes without a cutoff: the same value at each


def _global(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    from scipy.stats import rankdata  # a second to import, for every run of whatever else

    assert judged.scores is not None
    there = _there(judged)
    hits = judged.hits[there]
    place = rankdata(judged.scores[there])
    n_hits, n_others = hits.sum(), (~hits).sum()
    if n_hits == 0 or n_others == 0:
        return np.full(len(ks), np.nan)
    won = place[hits].sum() - n_hits * (n_hits + 1) / 2
    return np.full(len(ks), won / (n_hits * n_others))


def _weighted(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    values = _whole(judged)
    defined = ~np.isnan(values)
    if not defined.any():
        return np.full(len(ks), np.nan)
    return np.full(len(ks), np.average(values[defined], weights=judged.n_relevant[defined]))


def _in_list(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    n_hits = judged.n_hits[:, columns(ks)]
    all_hits = (n_hits > 0) & (n_hits == np.minimum(ks, judged.n_listed[:, None]))
    return np.where(all_hits, 1.0, _in_list_zero(judged, ks))


def _in_list_zero(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    at = columns(ks)
    return ratio(_won(judged)[:, at], judged.n_hits[:, at] * _n_misses(judged)[:, at])


def _rest_random(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    n_relevant = judged.n_relevant[:, None]
    n_others = _candidates(judged)[:, None] - n_relevant
    n_hits, n_misses = judged.n_hits[:, columns(ks)], _n_misses(judged)[:, columns(ks)]
    won = _won(judged)[:, columns(ks)] + (n_hits + n_relevant) / 2 * (n_others - n_misses)
    return np.where(n_others > 0, ratio(won, n_relevant * n_others), np.nan)


def _partial(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    above = _n_misses(judged)
    won = [(judged.hits * np.maximum(k - above, 0)).sum(axis=1) for k in ks]
    return np.stack(won, axis=1) / (np.asarray(ks) * judged.n_relevant[:, None])


def _candidates(judged: Judged) -> np.ndarray:
    assert judged.n_candidates is not None
    return judged.n_candidates


def _there(judged: Judged) -> np.ndarray:
    """bool [U x depth], the rank is listed."""
    return np.arange(judged.depth) < judged.n_listed[:, None]


def _n_misses(judged: Judged) -> np.ndarray:
    """int [U x depth], listed items among the first j + 1 ranks that are not relevant."""
    listed = np.minimum(np.arange(1, judged.depth + 1), judged.n_listed[:, None])
    return listed - judged.n_hits


def _won(judged: Judged) -> np.ndarray:
    """int [U x depth], pairs of a hit above a miss within the first j + 1 ranks."""
    return np.cumsum(judged.n_hits * (_there(judged) & ~judged.hits), axis=1, dtype=np.int64)


def _of_first(judged: Judged, ks: Sequence[int]) -> np.ndarray:
    """Sum over the hits up to rank k of (N - r + p) / N, N = candidates - |R| + 1."""
    n_others = (_candidates(judged) - judged.n_relevant + 1)[:, None]
    shares = judged.hits * (n_others - _n_misses(judged)) / n_others
    return np.cumsum(shares, axis=1)[:, columns(ks)]


def _whole(judged: Judged, *, ties_won: bool = False) -> np.ndarray:
    """AUC of complete lists: float64 [U]."""
    from scipy.stats import rankdata

    scores = judged.scores if judged.scores is not None else -np.arange(float(judged.depth))
    # What stands after the end of a list gets the lowest places, which the hits are rid of again.
    scores = np.where(_there(judged), scores, -np.inf)
    if ties_won:
        scores = 2 * rankdata(scores, method="dense", axis=1) + judged.hits
    place = rankdata(scores, axis=1)
    after = judged.depth - judged.n_listed
    n_hits, n_others = judged.n_relevant, _candidates(judged) - judged.n_relevant
    won = (judged.hits * place).sum(axis=1) - n_hits * after - n_hits * (n_hits + 1) / 2
    values = np.divide(won, n_hits * n_others, out=np.full(len(won), np.nan), where=n_others > 0)
    return np.where(judged.n_listed > 0, values, 0.0)


def _at_each(values: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Values [U] of classes without a cutoff, the same at each: [U x len(ks)]."""
    return np.repeat(values[:, None], len(ks), axis=1)


def _all(judged: Judged) -> np.ndarray:
    """`_of_first` of the whole lists [U]."""
    return _of_first(judged, [judged.depth])[:, 0]


# j are the lists held against the truth, ks the cutoffs.
AUC: tuple[Metric | Pooled, ...] = (
    Pooled("auc", "global", _global, needs=(*COMPLETE, "scores")),
    Metric("auc", "per_user", lambda j, ks: _at_each(_whole(j), ks), needs=COMPLETE),
    Metric("auc", "ties_won", lambda j, ks: _at_each(_whole(j, ties_won=True), ks), needs=COMPLETE),
    Pooled("auc", "weighted", _weighted, needs=COMPLETE),
    Pooled(
        "auc",
        "elliot",
        lambda j, ks: np.full(len(ks), _all(j).sum() / j.n_relevant.sum()),
        needs=COMPLETE,
    ),
    Metric(
        "auc",
        "elliot_per_user",
        lambda j, ks: _at_each(_all(j) / j.n_relevant, ks),
        needs=COMPLETE,
    ),
    Metric(
        "auc",
        "limited",
        lambda j, ks: _of_first(j, ks) / np.minimum(ks, j.n_relevant[:, None]),
        needs=("n_candidates",),
    ),
    Metric("auc", "in_list", _in_list),
    Metric("auc", "in_list_zero", _in_list_zero),
    Metric("auc", "rest_random", _rest_random, needs=("n_candidates",)),
    Metric("auc", "partial", _partial),
)
