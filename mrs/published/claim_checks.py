"""The checks of claims that need no run: each finds values and lets the tolerance decide.

They read printed numbers, counts, and values of metric libraries.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
from scipy import stats

from mrs.backends import BACKENDS
from mrs.data.tables import read_parquet
from mrs.evaluation.correlation import LEAST
from mrs.evaluation.libraries import audit_2021
from mrs.published import (
    beside_ours,
    cold_at_20,
    definitions_survey,
    forensics,
    metrics_audit,
    mir,
    results,
)
from mrs.published.claims import (
    CONTRADICTED,
    PARTLY,
    REPRODUCED,
    Claim,
    Evidence,
    Finding,
    differ,
    lacks,
    missing,
    moves,
    of_share,
    of_size,
)

# Printed numbers and counts


def cutoff(claim: Claim, _: Evidence) -> Finding:
    """At which list length the shuffled cold controls are."""
    k = claim.arguments["k"]
    rows = cold_at_20.distances(cold_at_20.controls(), cold_at_20.chance_levels())
    near = int((rows["nearer"] == k).sum())
    found = of_share(near, len(rows), claim, f"controls are nearer to chance at {k}")
    return Finding(f"{found.found}. {cold_at_20.verdict(rows)}", found.verdict)


def cold_counts(claim: Claim, _: Evidence) -> Finding:
    """The cold test's size, from the listeners by number of relevant tracks."""
    sizes = cold_at_20.truth_sizes()
    n = int(sizes["n_users"].sum())
    return _counts(claim, listeners=n, pairs=int((sizes["n_users"] * sizes["n_relevant"]).sum()))


def file_counts(claim: Claim, evidence: Evidence) -> Finding:
    """The size of a file of pairs in the authors' layout, where it is at hand."""
    path = evidence.data / "music4all" / claim.arguments["file"]
    if not path.is_file():
        return missing(f"{path.name} is not there")
    pairs = read_parquet(path, ["user_id", "track_id"])
    return _counts(
        claim,
        pairs=len(pairs),
        listeners=pairs["user_id"].n_unique(),
        tracks=pairs["track_id"].n_unique(),
    )


def _counts(claim: Claim, **counted: int) -> Finding:
    claimed = {name: claim.arguments[name] for name in counted}
    right = [abs(counted[name] - claimed[name]) <= claim.tolerance for name in counted]
    verdict = REPRODUCED if all(right) else PARTLY if any(right) else CONTRADICTED
    return Finding(", ".join(f"{n:,} {name}" for name, n in counted.items()), verdict)


def interval_runs(claim: Claim, _: Evidence) -> Finding:
    """Means whose number of runs is the one that the printed intervals assume."""
    rows = forensics.improvements()
    runs = np.concatenate([rows["n_real"].to_numpy(), rows["n_shuffled"].to_numpy()])
    n = int((runs == forensics.PRINTED_DF + 1).sum())
    return of_share(n, len(runs), claim, f"means have {forensics.PRINTED_DF + 1} runs")


def from_base(claim: Claim, _: Evidence) -> Finding:
    """Percentages of a variant that follow from the base runs' control."""
    n, of = _from_base(claim)
    return of_share(n, of, claim, "percentages follow from the shuffled mean of the base runs")


def not_from_base(claim: Claim, _: Evidence) -> Finding:
    """Percentages of a variant that do not follow from the base runs' control."""
    n, of = _from_base(claim)
    what = "percentages do not follow from the shuffled mean of the base runs"
    return of_share(of - n, of, claim, what)


def _from_base(claim: Claim) -> tuple[int, int]:
    rows = results.improvements_from_base()
    rows = rows.filter(pl.col("variant") == claim.arguments["variant"])
    return int((rows["improvement"] == rows["recomputed"]).sum()), len(rows)


def whole_points(claim: Claim, _: Evidence) -> Finding:
    """Percentages that rounding of the means leaves known to so many points."""
    points = claim.arguments["points"]
    rows = forensics.percentage_ranges()
    n = int((rows["width"] <= points).sum())
    return of_share(n, len(rows), claim, f"percentages are known to {points} point")


def repeated(claim: Claim, _: Evidence) -> Finding:
    """Values printed again that equal the full table's."""
    rows = results.repeats()
    return of_share(int(rows["agrees"].sum()), len(rows), claim, "repeated values agree")


def gains(claim: Claim, _: Evidence) -> Finding:
    """Cells with real clearly above shuffled vectors in one scenario."""
    rows = forensics.improvements().filter(pl.col("scenario") == claim.arguments["scenario"])
    n = int((rows["verdict"] == "above").sum())
    return of_share(n, len(rows), claim, "cells have an interval above zero")


def knn_beyond_chance(claim: Claim, _: Evidence) -> Finding:
    """Backends whose hot KNN Recall is further from chance than sampling explains."""
    rows = forensics.knn(claim.arguments["scenario"])
    bound = stats.norm.ppf((1 + forensics.LEVEL) / 2) * forensics.hot_recall_error()
    n = int(((rows["mean"] - forensics.hot_chance()[1]).abs() > bound).sum())
    return of_share(n, len(rows), claim, "backends are beyond the sampling error of chance")


def knn_above_chance(claim: Claim, _: Evidence) -> Finding:
    """A backend's cold KNN Recall over chance, in standard errors of independent listeners."""
    rows = forensics.knn("cold")
    mean = rows.filter(pl.col("backend") == claim.arguments["backend"])["mean"][0]
    chance = forensics.K / cold_at_20.N_COLD_TRACKS
    z = (mean - chance) / forensics.cold_recall_error()
    return of_size(z, claim, f"{mean:.4f} against {chance:.4f}: {z:.1f} standard errors above")


def best_separated(claim: Claim, _: Evidence) -> Finding:
    """Trained tables whose best backend is ahead of the second beyond its interval."""
    n, tables = forensics.separated(claim.arguments["metric"])
    return of_share(n, tables, claim, "tables set their best backend apart")


def elsa_above(claim: Claim, _: Evidence) -> Finding:
    """Hot values with audio that are below ELSA's."""
    rows = forensics.elsa_and_best()
    of = int(rows["n"].sum())
    return of_share(of - int(rows["n_above"].sum()), of, claim, "hot values are below ELSA's")


def orders_differ_printed(claim: Claim, _: Evidence) -> Finding:
    """Correlation of hot and cold ranks of the base tables."""
    pairs = results.hot_and_cold(claim.arguments["metric"]).filter(pl.col("variant") == "base")
    rhos = [
        float(stats.spearmanr(rows["rank_hot"], rows["rank_cold"]).statistic)
        for rows in pairs.partition_by("recommender")
    ]
    return differ(rhos, claim)


def rank_moves_printed(claim: Claim, _: Evidence) -> Finding:
    """How many places better a backend's mean rank is in cold than in hot."""
    ranked = results.ranks(claim.arguments["metric"]).filter(pl.col("variant") == "base")
    return moves(ranked.filter(pl.col("backend") == claim.arguments["backend"]), claim)


def best_printed(claim: Claim, _: Evidence) -> Finding:
    """Whether a row is the best with audio of all tables of a scenario."""
    wanted = claim.arguments
    rows = results.ranks(wanted["metric"]).filter(pl.col("scenario") == wanted["scenario"])
    mine = rows.filter(
        pl.col("variant") == "base",
        *[pl.col(name) == wanted[name] for name in ("recommender", "backend")],
    )["mean"][0]
    top = rows.sort("mean", descending=True).row(0, named=True)
    name = f"{results.RECOMMENDER_LABELS[top['recommender']]} on {BACKENDS[top['backend']].label}"
    return lacks(mine, top["mean"], claim, f"{mine:.4f}; best {name} {top['mean']:.4f}")


def values_again(claim: Claim, evidence: Evidence) -> Finding:
    """Values of the base tables that corrected runs on the same data come near to."""
    rows = beside_ours.beside(evidence.own, claim.tolerance)
    rows = rows.filter(pl.col("protocol") == "corrected", pl.col("variant") == "base")
    if len(rows) < claim.arguments["fewest"]:
        return missing(f"{len(rows)} of the published values have a run on the same data")
    n, share = int(rows["within"].sum()), claim.arguments["share"]
    return of_share(n, len(rows), replace(claim, tolerance=share), "values are within tolerance")


def mir_disparity(claim: Claim, _: Evidence) -> Finding:
    """Correlation of published MIR scores with published ranks, where enough backends have both."""
    measures = mir.measures()
    most = int(measures["backends"].list.len().max())  # type: ignore[arg-type]
    if most < max(claim.tolerance, LEAST):
        return missing(f"no published measure has more than {most} backends")
    wide = mir.beside_recommendation()
    rhos = []
    for name in wide.columns[3:]:
        rows = wide.filter(pl.col(name).is_not_null())
        if len(rows) >= claim.tolerance:
            ranks = -rows["hot rank"] - rows["cold rank"]
            rhos.append(float(stats.spearmanr(rows[name], ranks).statistic))
    apart = sum(rho < claim.arguments["rho"] for rho in rhos)
    verdict = REPRODUCED if apart == len(rhos) else PARTLY if apart else CONTRADICTED
    return Finding(f"{apart} of {len(rhos)} measures order the backends otherwise", verdict)


# Metric definitions


def one_value(claim: Claim, _: Evidence) -> Finding:
    """How many values one name had in the table of 2021."""
    n = _values_2021()[claim.arguments["metric"]]
    return Finding(f"{n} value(s)", REPRODUCED if n <= claim.tolerance else CONTRADICTED)


def only_metric(claim: Claim, _: Evidence) -> Finding:
    """Which names had one value in the table of 2021."""
    alike = [name for name, n in _values_2021().items() if n <= claim.tolerance]
    mine = claim.arguments["metric"]
    verdict = REPRODUCED if alike == [mine] else PARTLY if mine in alike else CONTRADICTED
    return Finding(f"one value: {', '.join(alike) or 'none'}", verdict)


def several_values(claim: Claim, evidence: Evidence) -> Finding:
    """How many values one name had in 2021 and has today."""
    metric = claim.arguments["metric"]
    then = _values_2021()[metric]
    today = metrics_audit.agreement_today(metrics_audit.today(evidence.store))
    now = int(today.filter(pl.col("metric") == metric)["values"].sum())
    many = [n > claim.tolerance for n in (then, now)]
    verdict = REPRODUCED if all(many) else PARTLY if any(many) else CONTRADICTED
    return Finding(f"{then} values in the table of 2021, {now} today", verdict)


def counts_hits(claim: Claim, _: Evidence) -> Finding:
    """Whether a library's HitRate of 2021 is k times its Precision."""
    library, k = claim.arguments["library"], claim.arguments["k"]
    mine = audit_2021().filter(pl.col("library") == library, pl.col("k") == str(k))
    value = dict(mine.select("metric", "value").iter_rows())
    precision = (
        value.get("precision")
        or dict(audit_2021().select("metric", "value").drop_nulls().iter_rows())["precision"]
    )
    off = abs(value["hitrate"] - k * precision)
    verdict = REPRODUCED if off <= claim.tolerance else CONTRADICTED
    return Finding(f"{value['hitrate']:.6f} against {k * precision:.6f}", verdict)


def _values_2021() -> dict[str, int]:
    return dict(metrics_audit.agreement_2021().select("metric", "values").iter_rows())


def survey(claim: Claim, _: Evidence) -> Finding:
    """The share of unclear or absent definitions in the project's own sheet."""
    rows = definitions_survey.sheet()
    if not len(rows):
        return missing("the sheet of definitions is empty")
    share = definitions_survey.unclear_share(rows)
    close = abs(share - claim.arguments["share"]) <= claim.tolerance
    return Finding(f"{share:.0%} of the sheet", REPRODUCED if close else CONTRADICTED)


HERE: dict[str, Callable[[Claim, Evidence], Finding]] = {
    check.__name__: check
    for check in (
        cutoff, cold_counts, file_counts, interval_runs, from_base, not_from_base, whole_points,
        repeated, gains, knn_beyond_chance, knn_above_chance, best_separated, elsa_above,
        orders_differ_printed, rank_moves_printed, best_printed, mir_disparity, one_value,
        only_metric, several_values, counts_hits, survey, values_again,
    )
}  # fmt: skip
