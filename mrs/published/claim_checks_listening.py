"""The checks of claims about models: each reads what was computed on the listens of one dataset.

Where runs, backends or artists are missing the answer is "not testable here".
"""

import json
from collections.abc import Callable
from math import inf

import polars as pl
from scipy import stats

from mrs.backends import BACKENDS
from mrs.published import results
from mrs.published.claims import (
    CONTRADICTED,
    PARTLY,
    REPRODUCED,
    Claim,
    Finding,
    Listening,
    differ,
    lacks,
    missing,
    moves,
    of_share,
    of_size,
)


def _means(side: Listening, shuffled: bool = False, **chosen: str) -> pl.DataFrame:
    """The cells of a choice, with their ranks among the backends; no variants if none is chosen."""
    chosen = {"variant": ""} | chosen
    rows = side.cells.filter(
        pl.col("shuffled") == shuffled, *[pl.col(name) == value for name, value in chosen.items()]
    )
    order = pl.col("mean").rank("average", descending=True)
    return rows.with_columns(rank=order.over("recommender", "scenario"))


def _whole(side: Listening, claim: Claim, recommender: str, scenario: str) -> pl.DataFrame | None:
    """A recommender's cells on all backends that the claim is about; None where one is missing."""
    chosen = {"recommender": recommender, "scenario": scenario, "metric": claim.arguments["metric"]}
    rows = _means(side, **chosen).filter(pl.col("backend").is_in(list(BACKENDS)))
    return rows if len(rows) >= claim.arguments["fewest"] else None


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


def above_all(claim: Claim, side: Listening) -> Finding:
    """Rows with vectors below a recommender that reads none."""
    wanted = claim.arguments
    chosen = {"scenario": wanted["scenario"], "metric": wanted["metric"]}
    mine = _means(side, recommender=wanted["recommender"], **chosen)
    audio = _means(side, **chosen).filter(pl.col("backend") != "")
    if not len(mine) or not len(audio):
        return _incomplete(side)
    n = int((audio["mean"] < mine["mean"][0]).sum())
    return of_share(n, len(audio), claim, "rows with vectors are below it")


def orders_differ(claim: Claim, side: Listening) -> Finding:
    """Correlation of hot and cold means of each recommender that has both."""
    rhos = []
    for name in side.cells["recommender"].unique().sort():
        sides = [_whole(side, claim, name, scenario) for scenario in results.SCENARIOS]
        hot, cold = sides
        if hot is not None and cold is not None:
            both = hot.join(cold, on="backend", suffix="_cold")
            rhos.append(float(stats.spearmanr(both["mean"], both["mean_cold"]).statistic))
    return differ(rhos, claim) if rhos else _incomplete(side)


def rank_moves(claim: Claim, side: Listening) -> Finding:
    """How many places better a backend's mean rank is in cold than in hot."""
    kept = []
    for name in side.cells["recommender"].unique().sort():
        found = [_whole(side, claim, name, scenario) for scenario in results.SCENARIOS]
        kept += [rows for rows in found if rows is not None]
    rows = pl.concat(kept) if kept else pl.DataFrame(schema={"scenario": pl.String})
    if rows["scenario"].n_unique() < len(results.SCENARIOS):
        return _incomplete(side)
    return moves(rows.filter(pl.col("backend") == claim.arguments["backend"]), claim)


def real_above_shuffled(claim: Claim, side: Listening) -> Finding:
    """Recommenders and backends that do better with real than with shuffled vectors."""
    chosen = {name: claim.arguments[name] for name in ("scenario", "metric")}
    pairs = _means(side, **chosen).join(
        _means(side, shuffled=True, **chosen), on=["recommender", "backend"], suffix="_shuffled"
    )
    if not len(pairs):
        return _incomplete(side)
    n = int((pairs["mean"] > pairs["mean_shuffled"]).sum())
    return of_share(n, len(pairs), claim, "cells are higher with the vectors in place")


def doubled(claim: Claim, side: Listening) -> Finding:
    """The best of one group of recommenders over the best of another, the least of the metrics."""
    ratios = {}
    for metric in claim.arguments["metrics"]:
        best = [_best(side, claim.arguments[name], claim, metric) for name in ("group", "over")]
        if -inf in best:
            return _incomplete(side)
        ratios[metric] = best[0] / best[1]
    least = min(ratios.values())
    verdict = REPRODUCED if least >= claim.tolerance else PARTLY if least > 1 else CONTRADICTED
    return Finding(
        ", ".join(f"{metric} × {ratio:.2f}" for metric, ratio in ratios.items()), verdict
    )


def best_recommender(claim: Claim, side: Listening) -> Finding:
    """Whether one recommender is above all of a group."""
    metric = claim.arguments["metric"]
    mine = _best(side, [claim.arguments["recommender"]], claim, metric)
    other = _best(side, claim.arguments["over"], claim, metric)
    if -inf in (mine, other):
        return _incomplete(side)
    return lacks(mine, other, claim, f"{mine:.4f} against {other:.4f}")


def _best(side: Listening, recommenders: list[str], claim: Claim, metric: str) -> float:
    rows = _means(side, scenario=claim.arguments["scenario"], metric=metric)
    values = rows.filter(pl.col("recommender").is_in(recommenders))["mean"].to_list()
    return max(values, default=-inf)


def semi_cold(claim: Claim, side: Listening) -> Finding:
    """The share of cold tracks whose artist has a train track."""
    if side.semi_cold is None:
        return missing("no artists are known")
    verdict = REPRODUCED if side.semi_cold > claim.tolerance else CONTRADICTED
    return Finding(f"{side.semi_cold:.0%} of the cold tracks", verdict)


def gain(claim: Claim, side: Listening) -> Finding:
    """How many percent one recommender is above the best of others, against a claimed gain."""
    wanted = claim.arguments
    mine, other = (
        _best(side, names, claim, wanted["metric"])
        for names in ([wanted["recommender"]], wanted["over"])
    )
    if -inf in (mine, other):
        return _incomplete(side)
    if side.name.removesuffix("-published") != wanted["dataset"]:
        return missing(f"{side.name} is not the data that it is about")
    percent = 100 * (mine / other - 1)
    close = abs(percent - wanted["percent"]) <= claim.tolerance
    verdict = REPRODUCED if close else PARTLY if percent > 0 else CONTRADICTED
    return Finding(f"{mine:.4f} against {other:.4f}: {percent:+.1f} %", verdict)


def lost_without(claim: Claim, side: Listening) -> Finding:
    """The share of a recommender's mean over its backends that is lost with a setting changed.

    Of several changes the one that loses least counts.
    """
    wanted = claim.arguments
    chosen = {name: wanted[name] for name in ("recommender", "scenario", "metric")}
    lost = {}
    for change in wanted["variants"]:
        variant = json.dumps(change, sort_keys=True)
        both = _means(side, **chosen).join(
            _means(side, **chosen | {"variant": variant}), on="backend", suffix="_without"
        )
        if not len(both):
            return _incomplete(side)
        lost[variant] = 1 - float(both["mean_without"].sum()) / float(both["mean"].sum())
    text = ", ".join(f"{share:.1%} with {variant}" for variant, share in lost.items())
    return of_size(min(lost.values()), claim, f"lost: {text}")


LISTENING: dict[str, Callable[[Claim, Listening], Finding]] = {
    check.__name__: check
    for check in (
        best_backend, better_with, below_backend, above_all, orders_differ, rank_moves,
        real_above_shuffled, doubled, best_recommender, semi_cold, gain, lost_without,
    )
}  # fmt: skip
