"""Every published value of arXiv 2604.23077 beside what was computed here on the same data.

Only real plays of its split and vectors from audio or files have a place here (`Evidence.own`).
A value agrees if it is within the tolerance of the claim `p2-values`: a share of the published
value, and half of its last printed digit.
"""

import polars as pl

from mrs_book.papers import results
from mrs_book.papers.claims import OWN_CELLS

CLAIM = "p2-values"
K = 50  # at which every published value was computed
HALF_DIGIT = 0.00005  # four digits are printed
CELL = ["scenario", "recommender", "backend", "vectors", "metric"]
KEY = [*CELL, "variant"]


def published() -> pl.DataFrame:
    """The values of the tables: `KEY`, published, ± (95 % half-width over runs).

    The variant is "base", or "100" for the second tables of the projections, of runs of 100 epochs.
    """
    return (
        results.tables()
        .filter(pl.col("k_computed") == K)
        .select(
            "scenario",
            "recommender",
            "backend",
            pl.col("embeddings").alias("vectors"),
            "metric",
            "variant",
            pl.col("mean").alias("published"),
            pl.col("ci95").alias("±"),
        )
    )


def within(tolerance: float) -> pl.Expr:
    """Whether a value of `beside` is within that share of the published one, and half a digit."""
    return pl.col("difference").abs() <= tolerance * pl.col("published") + HALF_DIGIT


def beside(own: pl.DataFrame) -> pl.DataFrame:
    """One row per published value and protocol: `KEY`, published, ±, protocol, here, runs,
    difference.

    `own` has the columns `OWN_CELLS`. A value that nothing was computed for has one row, with
    nulls from `protocol` on. Both variants of a value stand beside the same runs.
    """
    metric = pl.col("metric").str.split("@").list
    ours = own.cast(OWN_CELLS).filter(metric.last() == str(K))  # type: ignore[arg-type]
    ours = ours.select(
        "scenario",
        "recommender",
        pl.col("backend").replace("", "none"),
        pl.when("shuffled").then(pl.lit("shuffled")).otherwise(pl.lit("real")).alias("vectors"),
        metric.first().alias("metric"),
        "protocol",
        pl.col("mean").alias("here"),
        "runs",
    )
    both = published().join(ours, on=CELL, how="left", maintain_order="left")
    return both.with_columns(difference=pl.col("here") - pl.col("published"))
