"""Ranking metrics by name, one module a metric, with what chance would reach.

A value is computed for each user; the mean over users is the caller's. Users without a relevant
track are not in it.
"""

from collections.abc import Sequence

import numpy as np

from mrs.errors import InputError
from mrs.evaluation.metrics.base import Metric, check_cutoffs
from mrs.evaluation.metrics.hitrate import HitRate
from mrs.evaluation.metrics.judged import Judged
from mrs.evaluation.metrics.map import MAP
from mrs.evaluation.metrics.mrr import MRR
from mrs.evaluation.metrics.ndcg import NDCG
from mrs.evaluation.metrics.precision import Precision
from mrs.evaluation.metrics.recall import Recall

__all__ = ["METRICS", "Judged", "Metric", "chance", "evaluate"]

_ALL: tuple[Metric, ...] = (HitRate(), Recall(), NDCG(), Precision(), MRR(), MAP())
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def evaluate(judged: Judged, metrics: Sequence[str], ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Each user's value of each metric at each cutoff: `"ndcg@20"` -> float64 [U].

    Raises InputError for an unknown metric, a cutoff below 1 or one beyond the depth of the
    lists: what was not ranked cannot be judged.
    """
    check_cutoffs(ks)
    if max(ks) > judged.depth:
        raise InputError(f"cutoff {max(ks)} is beyond the lists, which hold {judged.depth} ranks")
    return {
        f"{metric.name}@{k}": values
        for metric in _select(metrics)
        for k, values in zip(ks, metric.per_user(judged, ks).T, strict=True)
    }


def chance(
    n_candidates: np.ndarray | int,
    n_relevant: np.ndarray | int,
    metrics: Sequence[str],
    ks: Sequence[int],
) -> dict[str, np.ndarray]:
    """What a uniformly random order is expected to reach: `"ndcg@20"` -> float64 [U].

    Closed forms, so without sampling error. n_candidates: tracks that can be listed for the
    user [U]; n_relevant: how many of them are relevant [U]; an int stands for all users. A cutoff
    beyond the candidates counts the missing ranks as misses, as `evaluate` does.

    Raises InputError for an unknown metric, a cutoff below 1 or a user without
    1 <= n_relevant <= n_candidates.
    """
    check_cutoffs(ks)
    candidates, relevant = (
        values.ravel()
        for values in np.broadcast_arrays(
            np.asarray(n_candidates, dtype=np.int64), np.asarray(n_relevant, dtype=np.int64)
        )
    )
    wrong = np.flatnonzero((relevant < 1) | (relevant > candidates))
    if len(wrong):
        raise InputError(
            f"the user in row {wrong[0]} has {relevant[wrong[0]]} relevant tracks among "
            f"{candidates[wrong[0]]} candidates; there must be at least one, and all among them"
        )
    # Users share few pairs of numbers, so each pair is computed once.
    pairs, user = np.unique(np.stack([candidates, relevant]), axis=1, return_inverse=True)
    return {
        f"{metric.name}@{k}": values[user]
        for metric in _select(metrics)
        for k, values in zip(ks, metric.chance(pairs[0], pairs[1], ks).T, strict=True)
    }


def _select(names: Sequence[str]) -> list[Metric]:
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise InputError(f"unknown metric {unknown[0]}; known are {', '.join(METRICS)}")
    return [METRICS[name] for name in names]
