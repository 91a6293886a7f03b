"""The rules of claims that need no run: each finds values and lets the tolerance decide.

They read printed numbers, counts, and values of metric libraries. Most are a query: polars' SQL
over the frames of `FRAMES`, which stands in the table of claims and on its page.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl
from scipy import stats

from mrs.backends import BACKENDS
from mrs.data.tables import read_parquet
from mrs.evaluation.correlation import LEAST, rank_correlation
from mrs.evaluation.libraries import audit_2021
from mrs.published import beside_ours, cold_at_20, forensics, metrics_audit, mir, results
from mrs.published.claims import (
    CONTRADICTED,
    HOLDS,
    OPEN,
    PARTLY,
    Claim,
    Evidence,
    Finding,
    lacks,
    missing,
    moves,
    of_share,
    of_sign,
)

# What a query may read, without any run.
FRAMES: dict[str, Callable[[], pl.DataFrame]] = {
    "printed": results.real_and_shuffled,
    "repeats": results.repeats,
    "percentages": results.improvements_from_base,
    "percentage_ranges": forensics.percentage_ranges,
    "improvements": forensics.improvements,
    "best_backends": forensics.best_backends,
    "controls": lambda: cold_at_20.distances(cold_at_20.controls(), cold_at_20.chance_levels()),
    "cold_truth": cold_at_20.truth_sizes,
    "audit": audit_2021,
}


def ask(query: str, frames: Mapping[str, Callable[[], pl.DataFrame]]) -> pl.DataFrame:
    """The answer of polars' SQL over frames, of which only those that it names are made."""
    named = {name: make() for name, make in frames.items() if re.search(rf"\b{name}\b", query)}
    return pl.SQLContext(named, eager=True).execute(query)


def share(claim: Claim, answer: pl.DataFrame) -> Finding:
    """The share of a query's cases in which its one column is true."""
    cases = answer.to_series()
    return of_share(int(cases.sum()), len(cases), claim, claim.arguments["what"])


def shares(claim: Claim, _: Evidence) -> Finding:
    """The share of the cases of a query on printed numbers."""
    return share(claim, ask(claim.arguments["query"], FRAMES))


def counts(claim: Claim, evidence: Evidence) -> Finding:
    """Counts of a query, or of a file of pairs in the authors' layout, against the claimed ones."""
    frames, name = dict(FRAMES), claim.arguments.get("file")
    if name is not None:
        path = evidence.data / "music4all" / name
        if not path.is_file():
            return missing(f"{path.name} is not there")
        frames["pairs"] = lambda: read_parquet(path, ["user_id", "track_id"])
    counted = ask(claim.arguments["query"], frames).row(0, named=True)
    claimed = claim.arguments["counts"]
    right = sum(abs(n - claimed[name]) <= claim.tolerance for name, n in counted.items())
    verdict = HOLDS if right == len(counted) else PARTLY if right else CONTRADICTED
    values = ", ".join(f"{n:,} {name}" for name, n in counted.items())
    return Finding(f"{values}: {right} of {len(counted)} as claimed", verdict)


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


# Printed numbers against chance and against each other


def knn_beyond_chance(claim: Claim, _: Evidence) -> Finding:
    """Backends whose hot KNN Recall is further from chance than sampling can explain.

    The error is the largest that there can be. Beyond it is proof, within it is none.
    """
    rows = forensics.knn("hot")
    bound = stats.norm.ppf((1 + forensics.LEVEL) / 2) * forensics.hot_recall_error()
    n = int(((rows["mean"] - forensics.hot_chance()[1]).abs() > bound).sum())
    what = "backends are beyond the largest sampling error of chance"
    found = of_share(n, len(rows), claim, what)
    return found if found.verdict == HOLDS else replace(found, verdict=OPEN)


def knn_above_chance(claim: Claim, _: Evidence) -> Finding:
    """A backend's cold KNN Recall over chance, by the spread of single shuffled runs.

    Listeners of a run share much of their lists, so that runs are the unit and not listeners. The
    backend is the best of all, hence the probability is that of the best of as many.
    """
    rows = forensics.knn("cold")
    mean = rows.filter(pl.col("backend") == claim.arguments["backend"])["mean"][0]
    z, above, below = forensics.cold_knn_by_runs(mean, len(rows))
    verdict = OPEN
    if min(above, below) <= claim.tolerance:
        verdict = HOLDS if above < below else CONTRADICTED
    return Finding(
        f"{mean:.4f} against {forensics.cold_chance():.4f}, {z:+.2f} standard deviations of single "
        f"shuffled runs; the best of {len(rows)} at chance is as far above with a probability of "
        f"{above:.2f}",
        verdict,
    )


def orders_differ_printed(claim: Claim, _: Evidence) -> Finding:
    """How much more tables agree on the backends within a scenario than between the two."""
    metric, without = claim.arguments["metric"], claim.arguments["without"]
    within, between, gap = forensics.order_gap(*forensics.table_values(metric, without=without))
    return of_sign(gap, f"τ {within:.2f} within and {between:.2f} between: difference")


def rank_moves_printed(claim: Claim, _: Evidence) -> Finding:
    """How many places better a backend's rank is in cold than in hot, by recommender."""
    wanted = claim.arguments
    rows = results.hot_and_cold(wanted["metric"]).filter(
        pl.col("variant") == "base",
        pl.col("backend") == wanted["backend"],
        pl.col("rank_cold").is_not_null(),
        ~pl.col("recommender").is_in(wanted["without"]),
    )
    return moves((rows["rank_hot"] - rows["rank_cold"]).to_numpy(), claim)


def values_again(claim: Claim, evidence: Evidence) -> Finding:
    """Values of the base tables that corrected runs on the same data come near to."""
    rows = beside_ours.beside(evidence.own, claim.tolerance)
    rows = rows.filter(pl.col("protocol") == "corrected", pl.col("variant") == "base")
    if len(rows) < claim.arguments["fewest"]:
        return missing(f"{len(rows)} of the published values have a run on the same data")
    n, needed = int(rows["within"].sum()), claim.arguments["share"]
    return of_share(n, len(rows), replace(claim, tolerance=needed), "values are within tolerance")


def mir_disparity(claim: Claim, _: Evidence) -> Finding:
    """Correlation of published MIR scores with published ranks, where enough backends have both."""
    wide = mir.beside_recommendation()
    found = []
    for name in wide.columns[3:]:
        rows = wide.filter(pl.col(name).is_not_null())
        for scenario in claim.arguments["scenarios"]:
            # Rank 1 is the best, so that the negative agrees in direction with a score.
            rho = rank_correlation(rows[name].to_numpy(), -rows[f"{scenario} rank"].to_numpy())
            if rho is not None:
                found.append((f"{name}, {scenario} ({len(rows)} backends)", rho))
    if not found:
        return missing(f"no published measure has {LEAST} backends")
    text = [f"ρ {rho.mean:.2f} [{rho.low:.2f}, {rho.high:.2f}] {name}" for name, rho in found]
    verdict = OPEN
    if all(float(rho.high) < claim.tolerance for _, rho in found):
        verdict = HOLDS
    elif all(float(rho.low) > claim.tolerance for _, rho in found):
        verdict = CONTRADICTED
    return Finding("; ".join(text), verdict)


# Metric definitions


def _by_name(evidence: Evidence) -> tuple[dict[str, int], dict[str, int]]:
    """How many values each name had in 2021, and has today by the libraries' defaults."""
    today = metrics_audit.today(evidence.store)
    both = metrics_audit.agreement_2021(), metrics_audit.agreement_by_default(today)
    then, now = (dict(rows.select("metric", "values").iter_rows()) for rows in both)
    return then, now


def values_of_name(claim: Claim, evidence: Evidence) -> Finding:
    """Whether a name has one value, or several, in both tables: that of 2021 and today's."""
    several = claim.arguments["several"]
    n = [counted[claim.arguments["metric"]] for counted in _by_name(evidence)]
    right = [(value > claim.tolerance) == several for value in n]
    verdict = HOLDS if all(right) else PARTLY if any(right) else CONTRADICTED
    return Finding(
        f"{n[0]} value(s) in the table of 2021, {n[1]} by today's defaults: true of "
        f"{sum(right)} of {len(right)}",
        verdict,
    )


def only_metric(claim: Claim, evidence: Evidence) -> Finding:
    """Whether a metric is the only one with one value, as far as libraries can say.

    A metric with several values is not. One that shares its one value with others may still be the
    only one, where those differ among papers.
    """
    mine = claim.arguments["metric"]
    alike = [
        [name for name, n in counted.items() if n <= claim.tolerance]
        for counted in _by_name(evidence)
    ]
    verdict = OPEN
    if all(names == [mine] for names in alike):
        verdict = HOLDS
    elif not any(mine in names for names in alike):
        verdict = CONTRADICTED
    then, now = (", ".join(names) or "none" for names in alike)
    return Finding(f"one value: {then} in the table of 2021; {now} by today's defaults", verdict)


def not_public(claim: Claim, _: Evidence) -> Finding:
    """A claim about data that are not public."""
    return missing(claim.arguments["why"])


HERE: dict[str, Callable[[Claim, Evidence], Finding]] = {
    check.__name__: check
    for check in (
        shares, counts, best_printed, knn_beyond_chance, knn_above_chance, orders_differ_printed,
        rank_moves_printed, values_again, mir_disparity, values_of_name, only_metric, not_public,
    )
}  # fmt: skip
