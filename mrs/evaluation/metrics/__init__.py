"""Ranking metrics by name, with every formula that goes by that name.

`METRICS` holds the six that the study uses, with what chance would reach. `CLASSES` holds all
formulas: `CLASSES["map"]["min"]` divides by min(k, |R|) where `METRICS["map"]` divides by |R|.
`formulas.yaml` defines each in words, `describe` gives the parts.

Notation of the definitions: R the user's relevant items, h_i = 1 where rank i holds one of them and
else 0, P_i = (h_1 + ... + h_i) / i, k the cutoff, r_i the rating of the relevant item at rank i and
0 where there is none, s_ui the score of item i for user u.

Rules that hold for every class unless it says otherwise: the mean runs over users with at least one
relevant item; a missing list is an empty one, whose value the formula gives: 0, but 1/2 where what
is not listed is in random order (`users="with-list"` leaves such users out); the missing ranks of a
short list are misses; a cutoff beyond every list, an item twice in a list and a negative rating are
refused.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from mrs.errors import InputError
from mrs.evaluation.metrics import beyond
from mrs.evaluation.metrics.accuracy import ACCURACY
from mrs.evaluation.metrics.auc import AUC
from mrs.evaluation.metrics.base import (
    Accuracy,
    Beyond,
    Definition,
    Metric,
    Pooled,
    WithChance,
    check_cutoffs,
    mean_of_defined,
)
from mrs.evaluation.metrics.judged import Judged
from mrs.evaluation.metrics.listed import Listed
from mrs.evaluation.metrics.ndcg import NDCG

__all__ = [
    "BEYOND",
    "CLASSES",
    "METRICS",
    "Judged",
    "Listed",
    "Means",
    "Metric",
    "chance",
    "class_means",
    "class_values",
    "describe",
    "evaluate",
    "label_of",
    "left_out",
]

Means = dict[int, dict[str, dict[str, float]]]

_ACCURACY = (*ACCURACY, *NDCG, *AUC)
#: Every formula by metric and variant, as in `CLASSES["map"]["min"]`.
CLASSES: dict[str, dict[str, Metric | Pooled]] = {}
for _one in _ACCURACY:
    CLASSES.setdefault(_one.name, {})[_one.variant] = _one
BEYOND: dict[str, dict[str, Beyond]] = {}
for _other in beyond.BEYOND:
    BEYOND.setdefault(_other.name, {})[_other.variant] = _other
_WITH_CHANCE = {one.name: one for one in _ACCURACY if isinstance(one, WithChance)}
#: The metrics of studies by name, each with a chance level in closed form.
METRICS = {
    name: _WITH_CHANCE[name] for name in ("hitrate", "recall", "ndcg", "precision", "mrr", "map")
}


@cache
def _texts() -> dict[str, Any]:
    path = Path(__file__).with_name("formulas.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def label_of(metric: str) -> str:
    """The metric's name for readers, as in MAP."""
    return _texts()[metric]["label"]


def describe(metric: str, variant: str) -> dict[str, str]:
    """The definition of a class in parts: Statement, Formula, Source, Edge cases.

    Raises InputError for an unknown metric or class.
    """
    found = _find(metric, variant)
    text = _texts()[found.name]["classes"][found.variant]
    return {
        "Statement": text["statement"],
        "Formula": text["formula"],
        "Source": text["source"],
        "Edge cases": text["edge cases"],
    }


def class_values(judged: Judged, metric: str, variant: str, ks: Sequence[int]) -> np.ndarray:
    """Each user's value of one class: float64 [U x len(ks)], NaN where the user has none.

    Raises InputError for an unknown class, one that gives a single number for all users, one that
    needs more than is known of the lists, and a cutoff that is not in them.
    """
    _check(judged, ks)
    found = _find(metric, variant)
    if not isinstance(found, Metric):
        raise InputError(f"{metric} {variant} is not defined per user; take class_means")
    reason = found.lacks(judged)
    if reason:
        raise InputError(f"{metric} {variant} has no value here: {reason}")
    return found.per_user(judged, ks)


def class_means(
    judged: Judged,
    ks: Sequence[int],
    *,
    listed: Listed | None = None,
    users: str = "all",
) -> Means:
    """Every class that can be computed, at each cutoff: {k: {metric: {class: value}}}.

    users: "all" takes a missing list for an empty one; "with-list" leaves it out. With `listed`,
    the metrics beyond accuracy are there too. Classes without a cutoff have the same value at each.
    Which classes are missing, and why, `left_out` says. NaN where no user has a value.

    Raises InputError for a cutoff below 1 or beyond the lists, for another `users`, and where no
    user has a list.
    """
    if users not in ("all", "with-list"):
        raise InputError(f"users={users}: choose all or with-list")
    _check(judged, ks)
    if not (judged.n_listed > 0).any():
        raise InputError("no user with relevant items has a list")
    if users == "with-list":
        judged = judged.of(judged.n_listed > 0)
    means: Means = {k: {} for k in ks}
    for found in _ACCURACY:
        if found.lacks(judged):
            continue
        if isinstance(found, Metric):
            values = mean_of_defined(found.per_user(judged, ks))
        else:
            values = found.pooled(judged, ks)
        _enter(means, found, ks, values)
    for one in beyond.BEYOND if listed is not None else ():
        if listed is not None and not one.lacks(listed):
            _enter(means, one, ks, one.value(listed, ks))
    return means


def left_out(judged: Judged, listed: Listed | None = None) -> dict[str, list[str]]:
    """Classes without a value on these lists, by the reason: {reason: ["auc global", ...]}."""
    reasons: dict[str, list[str]] = {}
    lacking: list[tuple[Definition, str | None]] = [(a, a.lacks(judged)) for a in _ACCURACY]
    lacking += [(b, b.lacks(listed)) for b in beyond.BEYOND if listed is not None]
    for found, reason in lacking:
        if reason:
            reasons.setdefault(reason, []).append(f"{found.name} {found.variant}")
    return reasons


def evaluate(judged: Judged, metrics: Sequence[str], ks: Sequence[int]) -> dict[str, np.ndarray]:
    """Each user's value of each metric at each cutoff: `"ndcg@20"` -> float64 [U].

    Raises InputError for an unknown metric, a cutoff below 1 or one beyond the depth of the
    lists: what was not ranked cannot be judged.
    """
    _check(judged, ks)
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


def _check(judged: Judged, ks: Sequence[int]) -> None:
    check_cutoffs(ks)
    if max(ks) > judged.depth:
        raise InputError(f"cutoff {max(ks)} is beyond the lists, which hold {judged.depth} ranks")


def _enter(means: Means, found: Definition, ks: Sequence[int], values: np.ndarray) -> None:
    for k, value in zip(ks, values, strict=True):
        means[k].setdefault(found.name, {})[found.variant] = float(value)


def _find(metric: str, variant: str) -> Accuracy | Beyond:
    known: dict[str, dict[str, Metric | Pooled] | dict[str, Beyond]] = {**CLASSES, **BEYOND}
    if metric not in known:
        raise InputError(f"unknown metric {metric}; known are {', '.join(known)}")
    if variant not in known[metric]:
        raise InputError(
            f"unknown class {variant} of {metric}; known are {', '.join(known[metric])}"
        )
    return known[metric][variant]


def _select(names: Sequence[str]) -> list[WithChance]:
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise InputError(f"unknown metric {unknown[0]}; known are {', '.join(METRICS)}")
    return [METRICS[name] for name in names]
