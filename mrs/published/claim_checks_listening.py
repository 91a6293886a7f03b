"""The rules of claims about models: each reads what was computed on the listens of one dataset.

Where runs, backends or artists are missing the answer is "not testable here".
"""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from mrs.backends import BACKENDS
from mrs.evaluation.bootstrap import spread, t_interval
from mrs.published import forensics
from mrs.published.claim_checks import ask, share
from mrs.published.claims import (
    CONTRADICTED,
    HOLDS,
    LEVEL,
    MOST,
    OPEN,
    PARTLY,
    Claim,
    Finding,
    Listening,
    lacks,
    missing,
    moves,
    of_sign,
    of_size,
)
from mrs.published.results import SCENARIOS

DRAWS = 2000  # of a paired bootstrap; some claims need a hundred
System = tuple[str, str]  # a recommender and its variant, as in `CELLS`


def _means(side: Listening, **chosen: str) -> pl.DataFrame:
    """The cells of a choice, with their ranks among the backends; no variants, nothing shuffled."""
    rows = side.cells.filter(
        ~pl.col("shuffled"),
        pl.col("variant") == "",
        *[pl.col(name) == value for name, value in chosen.items()],
    )
    order = pl.col("mean").rank("average", descending=True)
    return rows.with_columns(rank=order.over("recommender", "scenario"))


def _whole(side: Listening, claim: Claim, recommender: str, scenario: str) -> pl.DataFrame | None:
    """A recommender's cells on all backends that the claim is about; None where one is missing."""
    chosen = {"recommender": recommender, "scenario": scenario, "metric": claim.arguments["metric"]}
    rows = _means(side, **chosen).filter(pl.col("backend").is_in(list(BACKENDS)))
    return rows.sort("backend") if len(rows) >= claim.arguments["fewest"] else None


def _incomplete(side: Listening) -> Finding:
    if side.name:
        return missing(f"{side.name} lacks runs with the models' own vectors that this needs")
    return missing("no real listening with the models' own vectors is in the store")


def _own(side: Listening, claim: Claim, recommender: str) -> tuple[pl.DataFrame, dict] | None:
    """A recommender's cells and the one of the claim's backend; None where one is missing."""
    rows = _whole(side, claim, recommender, claim.arguments["scenario"])
    if rows is None:
        return None
    own = rows.filter(pl.col("backend") == claim.arguments["backend"])
    return (rows, own.row(0, named=True)) if len(own) else None


def _in_both(side: Listening, claim: Claim) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """The hot and the cold cells of each recommender that has both."""
    found = []
    for name in side.cells["recommender"].unique().sort():
        hot, cold = (_whole(side, claim, name, scenario) for scenario in SCENARIOS)
        if hot is not None and cold is not None:
            found.append((hot, cold))
    return found


def cases(claim: Claim, side: Listening) -> Finding:
    """The share of the cases of a query on the frame `cells`."""
    answer = ask(claim.arguments["query"], {"cells": lambda: side.cells})
    return share(claim, answer) if len(answer) else _incomplete(side)


def best_backend(claim: Claim, side: Listening) -> Finding:
    """Whether a backend is the best with each recommender."""
    found = []
    for recommender in claim.arguments["recommenders"]:
        known = _own(side, claim, recommender)
        if known is None:
            return _incomplete(side)
        rows, own = known
        top = rows.sort("mean", descending=True).row(0, named=True)
        what = f"{own['label']} {own['mean']:.4f}, best {top['label']} {top['mean']:.4f}"
        found.append(lacks(own["mean"], top["mean"], claim, what))
    verdicts = {one.verdict for one in found}
    verdict = verdicts.pop() if len(verdicts) == 1 else PARTLY
    return Finding("; ".join(one.found for one in found), verdict)


def better_with(claim: Claim, side: Listening) -> Finding:
    """How many places a backend's rank is better with one recommender than with another."""
    names = (claim.arguments["recommender"], claim.arguments["other"])
    known = [_own(side, claim, name) for name in names]
    ranks = [pair[1]["rank"] for pair in known if pair is not None]
    if len(ranks) < len(names):
        return _incomplete(side)
    return of_size(ranks[1] - ranks[0], claim, f"rank {ranks[0]:g} and {ranks[1]:g}")


def below_backend(claim: Claim, side: Listening) -> Finding:
    """Backends below another one with some recommender."""
    below: set[str] = set()
    for recommender in claim.arguments["recommenders"]:
        known = _own(side, claim, recommender)
        if known is None:
            return _incomplete(side)
        rows, own = known
        below |= set(rows.filter(pl.col("mean") < own["mean"])["label"])
    return of_size(len(below), claim, f"below it: {', '.join(sorted(below)) or 'none'}")


def orders_differ(claim: Claim, side: Listening) -> Finding:
    """How much more recommenders agree on the backends within a scenario than between the two."""
    found = _in_both(side, claim)
    backends = [rows["backend"].to_list() for pair in found for rows in pair]
    if len(found) == 0 or any(one != other for one, other in pairwise(backends)):
        return _incomplete(side)
    if len(found) == 1:
        return missing(f"{side.name} has one recommender with both scenarios; this needs two")
    hot, cold = (
        np.stack([rows["mean"].to_numpy() for rows in sides]) for sides in zip(*found, strict=True)
    )
    within, between, gap = forensics.order_gap(hot, cold)
    return of_sign(gap, f"τ {within:.2f} within and {between:.2f} between: difference")


def rank_moves(claim: Claim, side: Listening) -> Finding:
    """How many places better a backend's rank is in cold than in hot, by recommender."""
    mine = pl.col("backend") == claim.arguments["backend"]
    found = _in_both(side, claim)
    places = [hot.filter(mine)["rank"] - cold.filter(mine)["rank"] for hot, cold in found]
    if not places:
        return _incomplete(side)
    return moves(np.concatenate([place.to_numpy() for place in places]), claim)


def semi_cold(claim: Claim, side: Listening) -> Finding:
    """The share of cold tracks whose artist has a train track."""
    if side.semi_cold is None:
        return missing("no artists are known")
    verdict = HOLDS if side.semi_cold > claim.tolerance else CONTRADICTED
    return Finding(f"{side.semi_cold:.0%} of the cold tracks", verdict)


# One group of recommenders against another, by listeners


def _systems(side: Listening, name: str | dict[str, dict[str, Any]]) -> list[System]:
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


def _scores(
    side: Listening, first: System, second: System, scenario: str, metric: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Both systems' values [runs x users], as means over the backends that both have.

    A system that reads no vectors stands beside any backend. None where they share no backend or
    listeners, or where there is one value alone.
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
    if not all(backends) or not shared:
        return None
    values = [
        [
            side.scores(*system, backend, scenario, metric)
            for backend in sorted(names & {""} or shared)
        ]
        for system, names in zip((first, second), backends, strict=True)
    ]
    n_runs = min(len(runs) for side_values in values for runs in side_values)
    one, other = (np.mean([runs[:n_runs] for runs in mine], axis=0) for mine in values)
    return (one, other) if one.shape == other.shape and one.size > 1 else None


def _sign(pair: tuple[np.ndarray, np.ndarray], factor: float, n_tests: int) -> int:
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


def _verdict(pairs: list[list[tuple[np.ndarray, np.ndarray]]], factor: float) -> str:
    """Whether some system of a group is beyond `factor` times every other one.

    `pairs` holds a list per system of the group, and in it a pair per other one. The best of a
    group and the strongest of the others are choices made on the test listeners: hence the
    correction for all pairs. Partly: beyond `MOST` of what the factor is above 1.
    """
    n_tests = sum(map(len, pairs))
    for verdict, times in ((HOLDS, factor), (PARTLY, 1 + MOST * (factor - 1))):
        signs = [[_sign(pair, times, n_tests) for pair in mine] for mine in pairs]
        if any(min(mine) > 0 for mine in signs):
            return verdict
    return CONTRADICTED if all(min(mine) < 0 for mine in signs) else OPEN


def ahead(claim: Claim, side: Listening) -> Finding:
    """Whether a system of a group is so many times as good as every other one named.

    The tolerance is the factor. Values are means over all backends that two systems share, so that
    no backend is chosen by what it does on the test listeners.
    """
    wanted, scenario = claim.arguments, claim.arguments["scenario"]
    over = [_systems(side, name) for name in wanted["over"]]
    also = [_systems(side, name) for name in wanted.get("also", [])]
    group = [system for name in wanted["group"] for system in _systems(side, name)]
    others = [system for found in (*over, *also) for system in found]
    if not all(over) or not group:
        return _incomplete(side)
    if wanted.get("dataset") not in (None, side.name.removesuffix("-published")):
        return missing(f"{side.name} is not the data that it is about")
    verdicts, text = [], []
    for metric in wanted["metrics"]:
        pairs, ratios = [], {}
        for system in group:
            mine = []
            for other in others:
                pair = _scores(side, system, other, scenario, metric)
                if pair is None:
                    return _incomplete(side)
                mine.append(pair)
            least = [(float(one.mean() / two.mean()), n) for n, (one, two) in enumerate(mine)]
            ratios[system] = min(least)
            pairs.append(mine)
        best = max(ratios, key=ratios.__getitem__)
        ratio, strongest = ratios[best]
        text.append(
            f"{metric}: {' '.join(best).strip()} {ratio:.3f} times "
            f"{' '.join(others[strongest]).strip()}"
        )
        verdicts.append(_verdict(pairs, claim.tolerance))
    order = (CONTRADICTED, OPEN, PARTLY, HOLDS)
    return Finding("; ".join(text), min(verdicts, key=order.index))


LISTENING: dict[str, Callable[[Claim, Listening], Finding]] = {
    check.__name__: check
    for check in (
        cases, best_backend, better_with, below_backend, orders_differ, rank_moves, semi_cold,
        ahead,
    )
}  # fmt: skip
