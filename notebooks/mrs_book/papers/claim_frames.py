"""The frames that a claim's query may name, and the paired statistics of its rule `ahead`.

Frames of printed numbers, counts and libraries need no run. Those of `LISTENING` are made of what
was computed on the listens of one dataset.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from mrs.backends import BACKENDS
from mrs.data.tables import read_parquet
from mrs.evaluation.bootstrap import spread, t_interval
from mrs_book.papers import cold_at_20, forensics, metrics_audit, mir, results
from mrs_book.papers.claims import Evidence, Listening
from mrs_book.papers.libraries import audit_2021
from mrs_book.papers.results import SCENARIOS

LEVEL = 0.95
DRAWS = 2000  # of a paired bootstrap; some claims need a hundred
System = tuple[str, str]  # a recommender and its variant, as in `CELLS`
Pair = tuple[np.ndarray, np.ndarray]  # values of two systems [runs x users]


class MissingError(LookupError):
    """What a claim would be judged by is not there; the message says what that is."""


# Without any run


def _printed(_: Evidence) -> pl.DataFrame:
    """Columns of `results.real_and_shuffled`, and label: recommender and backend."""
    backends = {name: f" on {backend.label}" for name, backend in BACKENDS.items()} | {"none": ""}
    names = pl.col("recommender").cast(pl.String).replace_strict(results.RECOMMENDER_LABELS)
    label = names + pl.col("backend").replace_strict(backends)
    return results.real_and_shuffled().with_columns(label=label)


def _validation(evidence: Evidence) -> pl.DataFrame:
    """The pairs of the authors' validation part: user_id, track_id."""
    path = evidence.data / "music4all" / "val.pqt"
    if not path.is_file():
        raise MissingError(f"{path.name} is not there")
    return read_parquet(path, ["user_id", "track_id"])


def _names(evidence: Evidence) -> pl.DataFrame:
    """How many values a metric's name has, by source: source, metric, n (values).

    The sources are the table of 2021 and today's libraries by default.
    """
    today = metrics_audit.agreement_by_default(metrics_audit.today(evidence.store))
    tables = {"in the table of 2021": metrics_audit.agreement_2021(), "by today's defaults": today}
    return pl.concat(
        rows.select(pl.lit(source).alias("source"), "metric", n=pl.col("values").cast(pl.Int64))
        for source, rows in tables.items()
    )


FRAMES: dict[str, Callable[[Evidence], pl.DataFrame]] = {
    "printed": _printed,
    "repeats": lambda _: results.repeats(),
    "percentages": lambda _: results.improvements_from_base(),
    "percentage_ranges": lambda _: forensics.percentage_ranges(),
    "improvements": lambda _: forensics.improvements(),
    "best_backends": lambda _: forensics.best_backends(),
    "knn_and_chance": lambda _: forensics.knn_and_chance(),
    "printed_orders": lambda _: forensics.order_gaps(),
    "recall_ranks": lambda _: results.hot_and_cold("recall"),
    "controls": lambda _: cold_at_20.distances(),
    "cold_truth": lambda _: cold_at_20.truth_sizes(),
    "mir_and_ranks": lambda _: mir.correlations(),
    "audit": lambda _: audit_2021(),
    "names": _names,
    "validation": _validation,
    "on_own_data": lambda evidence: results.beside_own(evidence.own),
}


# Of the listens of one dataset


def _cells(side: Listening) -> pl.DataFrame:
    """Columns `CELLS`."""
    if not side.name:
        raise MissingError("no real listening with the models' own vectors is in the store")
    return side.cells


def _ranked(side: Listening) -> pl.DataFrame:
    """The cells of known backends with real vectors and no variants, with their ranks.

    Columns: recommender, backend, label, scenario, metric, mean, rank (among the backends, 1 =
    highest mean), n (known backends with the same recommender, scenario and metric).
    """
    key = ["recommender", "scenario", "metric"]
    rows = _cells(side).filter(~pl.col("shuffled"), pl.col("variant") == "")
    rows = rows.with_columns(rank=pl.col("mean").rank("average", descending=True).over(key))
    rows = rows.filter(pl.col("backend").is_in(list(BACKENDS)))
    rows = rows.with_columns(n=pl.len().over(key).cast(pl.Int64))
    return rows.select(*key, "backend", "label", "mean", "rank", "n").sort(*key, "backend")


def _orders(side: Listening) -> pl.DataFrame:
    """How much more recommenders agree on the backends within a scenario than between the two.

    One row per metric for which two recommenders or more have all backends in both scenarios.
    Columns: metric, and those of `forensics.order_gap`.
    """
    whole = _ranked(side).filter(pl.col("n") == len(BACKENDS))
    found = []
    for (metric,), rows in whole.partition_by("metric", as_dict=True).items():
        tables = rows.partition_by("recommender", "scenario", as_dict=True)
        both = [name for name in rows["recommender"].unique().sort() if (name, "hot") in tables]
        both = [name for name in both if (name, "cold") in tables]
        if len(both) > 1:
            hot, cold = (
                np.stack([tables[name, scenario]["mean"].to_numpy() for name in both])
                for scenario in SCENARIOS
            )
            found.append({"metric": metric} | forensics.order_gap(hot, cold))
    return pl.DataFrame(found, schema={"metric": pl.String, **forensics.ORDER_GAP})


def _semi_cold(side: Listening) -> pl.DataFrame:
    """One row with the share of cold tracks whose artist has a train track: share."""
    if side.semi_cold is None:
        raise MissingError("no artists are known")
    return pl.DataFrame({"share": [side.semi_cold]})


LISTENING: dict[str, Callable[[Listening], pl.DataFrame]] = {
    "cells": _cells,
    "ranked": _ranked,
    "orders": _orders,
    "semi_cold": _semi_cold,
}


def named(query: str) -> list[str]:
    """The frames that a query names."""
    return [name for name in FRAMES | LISTENING if re.search(rf"\b{name}\b", query)]


class Frames:
    """The frames of some evidence and listening, each made once and when a query names it."""

    def __init__(self, evidence: Evidence, side: Listening) -> None:
        self.side = side
        self._makers: Mapping[str, Callable[[], pl.DataFrame]] = {
            name: partial(make, evidence) for name, make in FRAMES.items()
        } | {name: partial(make, side) for name, make in LISTENING.items()}
        self._made: dict[str, pl.DataFrame] = {}

    def query(self, sql: str) -> pl.DataFrame:
        """The answer of polars' SQL. Raises `MissingError` where a frame cannot be made."""
        for name in named(sql):
            if name not in self._made:
                self._made[name] = self._makers[name]()
        return pl.SQLContext(self._made, eager=True).execute(sql)


# One group of recommenders against another, by users


def systems(side: Listening, name: str | dict[str, dict[str, Any]]) -> list[System]:
    """The systems of a name: its own settings, or every variant that has the settings beside it."""
    recommender, settings = next(iter(name.items())) if isinstance(name, dict) else (name, {})
    mine = side.cells.filter(~pl.col("shuffled"), pl.col("recommender") == recommender)
    variants = mine["variant"].unique().sort()
    if not settings:
        return [(recommender, "") for variant in variants if variant == ""]
    return [
        (recommender, variant)
        for variant in variants
        if settings.items() <= json.loads(variant or "{}").items()
    ]


def scores(side: Listening, first: System, second: System, scenario: str, metric: str) -> Pair:
    """Both systems' values [runs x users], as means over the backends that both have.

    A system that reads no vectors stands beside any backend. Raises `MissingError` where they
    share no backend or users, or where there is one value alone.
    """
    rows = side.cells.filter(
        ~pl.col("shuffled"), pl.col("scenario") == scenario, pl.col("metric") == metric
    )
    backends = [
        set(rows.filter(pl.col("recommender") == name, pl.col("variant") == variant)["backend"])
        for name, variant in (first, second)
    ]
    reading = [names for names in backends if names != {""}]
    shared = set.intersection(*reading) if reading else {""}
    if all(backends) and shared:
        values = [
            [
                side.scores(*system, backend, scenario, metric)
                for backend in sorted(names & {""} or shared)
            ]
            for system, names in zip((first, second), backends, strict=True)
        ]
        n_runs = min(len(runs) for side_values in values for runs in side_values)
        one, other = (np.mean([runs[:n_runs] for runs in mine], axis=0) for mine in values)
        if one.shape == other.shape and one.size > 1:
            return one, other
    raise MissingError(f"{side.name} has no two comparable runs of {first[0]} and {second[0]}")


def sign(pair: Pair, factor: float, n_tests: int) -> int:
    """Whether the first is above `factor` times the second (1) or below it (-1), or neither (0).

    By the paired interval over users and runs, at a level corrected for the number of tests.
    """
    values = pair[0] - factor * pair[1]
    level = 1 - (1 - LEVEL) / n_tests
    if values.shape[1] == 1:  # runs are all that there is
        found = t_interval(values[:, 0], level)
    else:
        found = spread([values[..., None]], draws=DRAWS).interval(level)
    return int(np.all(found.low > 0)) - int(np.all(found.high < 0))
