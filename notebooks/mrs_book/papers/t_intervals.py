"""Intervals over training runs that take Student's t with two degrees of freedom whatever n is.

`Metrics.ipynb`, cell 2, of `Darel13712/adopting-pretrained-audio` at 2a36454 passes the number of
metrics less one in place of the number of runs less one. What such an interval covers is a closed
form: for n runs with normal values, (mean - truth) / standard error has n - 1 degrees of freedom.
"""

import polars as pl
from scipy import stats

from mrs_book.papers.forensics import LEVEL, PRINTED_DF, USUAL_RUNS, training_runs
from mrs_book.papers.results import tables

RUNS = (2, 3, 4, 5, 6)


def coverage(n: int) -> float:
    """The share of intervals over n normal runs that hold the true mean."""
    half = stats.t.ppf((1 + LEVEL) / 2, PRINTED_DF)
    return float(1 - 2 * stats.t.sf(half, n - 1))


def width_ratio(n: int) -> float:
    """The width of such an interval over that of the right one."""
    return float(stats.t.ppf((1 + LEVEL) / 2, PRINTED_DF) / stats.t.ppf((1 + LEVEL) / 2, n - 1))


def printed() -> pl.DataFrame:
    """The printed intervals of the complete tables with the number of runs behind each.

    Columns: those of `results.tables`, runs.
    """
    rows = tables().filter(pl.col("ci95").is_not_null(), pl.col("variant") == "base")
    key = ["recommender", "backend", "embeddings"]
    return rows.join(training_runs(), on=key, how="left", maintain_order="left").with_columns(
        pl.col("runs").fill_null(USUAL_RUNS)
    )


def table() -> pl.DataFrame:
    """A row a number of runs: coverage, width over the right one, printed intervals concerned."""
    counts = dict(printed()["runs"].value_counts().iter_rows())
    return pl.DataFrame(
        {
            "runs": RUNS,
            "coverage": [coverage(n) for n in RUNS],
            "width / right width": [width_ratio(n) for n in RUNS],
            "printed intervals": [counts.get(n, 0) for n in RUNS],
        }
    )


def sentence() -> str:
    """How many printed intervals are concerned, and what they cover, in words."""
    rows = table()
    total = int(rows["printed intervals"].sum())
    parts = [
        f"{row['printed intervals']} of {row['runs']} runs cover {row['coverage']:.1%}"
        for row in rows.iter_rows(named=True)
        if row["runs"] != USUAL_RUNS and row["printed intervals"]
    ]
    right = int(rows.filter(pl.col("runs") == USUAL_RUNS)["printed intervals"][0])
    return (
        f"Of {total} printed intervals of the base tables, meant to cover {LEVEL:.0%}, "
        f"{right} rest on {USUAL_RUNS} runs and do so; {', '.join(parts)}."
    )
