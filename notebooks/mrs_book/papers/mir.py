"""Scores of some of the backends in music information retrieval, as papers print them.

Each row names its source. Tasks, data, probes and pooling are each paper's own: `accuracy` and
`refined accuracy` of the same data are different measures. Values are in per cent.
"""

from functools import cache
from importlib.resources import files

import polars as pl

from mrs.backends import BACKENDS
from mrs.data.tables import read_csv
from mrs.evaluation.correlation import rank_correlation
from mrs_book.papers import results


@cache
def load() -> pl.DataFrame:
    """Return all values: backend, task, dataset, metric, value (per cent), source."""
    return read_csv(files("mrs_book.papers") / "data" / "mir.csv")


def measures() -> pl.DataFrame:
    """Return one row per measure and the backends that have it: task, dataset, metric, backends.

    A measure is a task on one dataset by one metric. A backend with several values of a measure
    counts once.
    """
    return (
        load()
        .group_by("task", "dataset", "metric", maintain_order=True)
        .agg(pl.col("backend").unique(maintain_order=True).alias("backends"))
    )


def beside_recommendation(metric: str = "ndcg") -> pl.DataFrame:
    """Return each backend's mean published value of a measure beside its published recommendation.

    Columns: backend, "hot rank" and "cold rank", and one "task, dataset, metric" per measure that
    several backends have. The ranks are means of its ranks among all ten backends over the tables
    of that scenario (1 = highest), from `mrs_book.papers.results`: base tables of trained
    recommenders. KNN's hot values are at chance, and the "100" tables repeat recommenders.
    """
    shared = measures().filter(pl.col("backends").list.len() > 1)
    names = pl.concat_str("task", "dataset", "metric", separator=", ")
    values = load().join(shared, on=["task", "dataset", "metric"], maintain_order="left")
    wide = values.with_columns(measure=names).pivot(
        on="measure", index="backend", values="value", aggregate_function="mean"
    )
    ranks = (
        results.ranks(metric)
        .filter(pl.col("variant") == "base", pl.col("recommender") != "knn")
        .group_by("scenario", "backend")
        .agg(pl.col("rank").mean())
        .with_columns(pl.format("{} rank", "scenario").alias("column"))
        .pivot(on="column", index="backend", values="rank")
        .select("backend", "hot rank", "cold rank")
    )
    order = pl.col("backend").cast(pl.Enum(list(BACKENDS)))
    return (
        ranks.join(wide, on="backend", how="right")
        .select("backend", pl.exclude("backend"))
        .sort(order)
    )


def correlations() -> pl.DataFrame:
    """Spearman's correlation of each measure with the published ranks.

    Columns: measure, scenario, n (backends), rho, low, high (interval over backends). Measures that
    too few backends have are left out. Rank 1 is the best, so that its negative agrees in
    direction with a score.
    """
    wide, found = beside_recommendation(), []
    for measure in wide.columns[3:]:
        rows = wide.filter(pl.col(measure).is_not_null())
        for scenario in results.SCENARIOS:
            rho = rank_correlation(rows[measure].to_numpy(), -rows[f"{scenario} rank"].to_numpy())
            if rho is not None:
                names = {"measure": measure, "scenario": scenario, "n": len(rows)}
                ends = {"rho": rho.mean, "low": rho.low, "high": rho.high}
                found.append(names | {name: float(value) for name, value in ends.items()})
    schema = {"measure": pl.String, "scenario": pl.String, "n": pl.Int64}
    return pl.DataFrame(found, schema=schema | dict.fromkeys(("rho", "low", "high"), pl.Float64))
