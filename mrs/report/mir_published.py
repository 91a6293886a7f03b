"""Published MIR scores beside published recommendation: what the page of both displays."""

import polars as pl
from IPython.display import Markdown, display

from mrs.evaluation.correlation import LEAST
from mrs.published import claims, mir
from mrs.published.judge import judge
from mrs.published.results import SOURCE
from mrs.report.published import backend_label
from mrs.report.style import PRINTED_SCORES
from mrs.report.tables import show

CLAIM = "p2-mir"


def show_scores() -> None:
    """Display every printed score with its source."""
    table = mir.load().with_columns(
        pl.col("backend").map_elements(backend_label, return_dtype=pl.String)
    )
    show(
        table,
        f"{len(table)} published scores of {table['backend'].n_unique()} backends, per cent. Each "
        "paper trained probes of its own; accuracy and refined accuracy are different measures.",
        sortable=True,
        decimals=2,
        source=PRINTED_SCORES,
    )


def show_beside() -> None:
    """Display measures that several backends have beside published recommendation ranks."""
    table = mir.beside_recommendation().with_columns(
        pl.col("backend").map_elements(backend_label, return_dtype=pl.String)
    )
    show(
        table,
        "Published MIR scores (per cent) of measures that at least two backends have, beside the "
        "mean of each backend's published NDCG ranks among ten backends over the base tables of "
        f"trained recommenders of a scenario, 1 = highest ({SOURCE}; cold: printed @20, computed "
        "@50).",
        decimals=2,
        source=PRINTED_SCORES,
    )
    (claim,) = claims.find(CLAIM)
    found = judge(claim, claims.Evidence())
    display(
        Markdown(
            "Spearman's ρ of a score and the ranks, with its interval over backends, where at "
            f"least {LEAST} have both: {found.found}. Scores stem from different probes."
        )
    )
