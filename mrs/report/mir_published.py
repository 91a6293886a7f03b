"""Published MIR scores beside published recommendation."""

import polars as pl

from mrs.evaluation.correlation import LEAST
from mrs.published import claims, mir
from mrs.published.judge import judge
from mrs.report.published import backend_label

CLAIM = "p2-mir"


def scores() -> pl.DataFrame:
    """Every printed score with its source, in per cent: columns of `mir.load`."""
    return _labelled(mir.load())


def beside_recommendation() -> pl.DataFrame:
    """Measures that at least two backends have: columns of `mir.beside_recommendation`."""
    return _labelled(mir.beside_recommendation())


def correlations() -> str:
    """How the printed scores go with the published ranks of recommendation."""
    (claim,) = claims.find(CLAIM)
    found = judge(claim, claims.Evidence())
    return (
        "Spearman's ρ of a score and the ranks, with its interval over backends, where at "
        f"least {LEAST} have both: {found.found}. Scores stem from different probes."
    )


def _labelled(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("backend").map_elements(backend_label, return_dtype=pl.String))
