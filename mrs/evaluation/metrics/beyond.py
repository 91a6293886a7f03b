"""Coverage, novelty, popularity, exposure and diversity: what is listed, relevant or not."""

from collections.abc import Sequence

import numpy as np

from mrs.evaluation.metrics.base import Beyond, columns
from mrs.evaluation.metrics.listed import Listed

BLOCK_CELLS = 1 << 22  # users x ranks x embedding size at a time: 32 MiB


def _bits(listed: Listed) -> np.ndarray:
    """Self-information of each item [n_items]."""
    assert listed.train_counts is not None
    assert listed.n_train_users is not None
    return np.log2(listed.n_train_users) - np.log2(np.maximum(listed.train_counts, 1))


def _surprisal_share(listed: Listed, ks: Sequence[int]) -> np.ndarray:
    most = np.log2(listed.n_train_users or 1)
    return listed.mean_of(_bits(listed) / most if most else _bits(listed) * np.nan, ks)


def _popularity_share(listed: Listed, ks: Sequence[int]) -> np.ndarray:
    return _popularity_count(listed, ks) / (listed.n_train_users or np.nan)


def _popularity_count(listed: Listed, ks: Sequence[int]) -> np.ndarray:
    assert listed.train_counts is not None
    return listed.mean_of(listed.train_counts, ks)


def _gini(counts: np.ndarray) -> float:
    if not counts.sum():
        return np.nan
    n = len(counts)
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float(weights @ np.sort(counts) / (n * counts.sum()))


def _diversity(listed: Listed, ks: Sequence[int]) -> np.ndarray:
    assert listed.vectors is not None
    lists = listed.lists[:, : max(ks)]
    values = np.empty((len(lists), len(ks)))
    n_rows = max(1, BLOCK_CELLS // max(1, lists.shape[1] * listed.vectors.shape[1]))
    for start in range(0, len(lists), n_rows):
        block = lists[start : start + n_rows]
        units = _units(np.asarray(listed.vectors[block], dtype=np.float64))
        units[block < 0] = 0.0
        # The cosines of all pairs add up to (|sum of units|^2 - sum of |unit|^2) / 2.
        squares = (np.cumsum(units, axis=1) ** 2).sum(axis=2)
        cosines = (squares - np.cumsum((units**2).sum(axis=2), axis=1)) / 2
        lengths = np.cumsum(block >= 0, axis=1)[:, columns(ks)]
        pairs = lengths * (lengths - 1) / 2
        mean = np.full(pairs.shape, np.nan)
        np.divide(cosines[:, columns(ks)], pairs, out=mean, where=pairs > 0)
        values[start : start + n_rows] = 1.0 - mean
    return values


def _units(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


TRAIN = ("n_train_users",)
# ks are the cutoffs.
BEYOND: tuple[Beyond, ...] = (
    Beyond(
        "coverage", "share", lambda lists, ks: (lists.counts(ks) > 0).sum(axis=1) / lists.n_items
    ),
    Beyond(
        "novelty",
        "surprisal",
        lambda lists, ks: lists.mean_of(_bits(lists), ks),
        each=True,
        needs=TRAIN,
    ),
    Beyond("novelty", "surprisal_share", _surprisal_share, each=True, needs=TRAIN),
    Beyond("popularity", "share", _popularity_share, each=True, needs=TRAIN),
    Beyond("popularity", "count", _popularity_count, each=True, needs=TRAIN),
    Beyond(
        "exposure_gini", "catalogue", lambda lists, ks: np.array([*map(_gini, lists.counts(ks))])
    ),
    Beyond(
        "exposure_gini",
        "listed",
        lambda lists, ks: np.array([_gini(n[n > 0]) for n in lists.counts(ks)]),
    ),
    Beyond("intra_list_diversity", "cosine", _diversity, each=True, needs=("vectors",)),
)
