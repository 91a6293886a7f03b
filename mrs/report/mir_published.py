"""Published MIR scores beside published recommendation: what the page of both displays."""

from math import factorial

import polars as pl
from IPython.display import Markdown, display

from mrs.evaluation.correlation import LEAST
from mrs.published import mir
from mrs.published.results import SOURCE
from mrs.report.published import backend_label
from mrs.report.style import PRINTED_SCORES
from mrs.report.tables import show


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
        "mean of each backend's published NDCG ranks among ten backends over the tables of a "
        f"scenario, 1 = highest ({SOURCE}; cold: printed @20, computed @50).",
        decimals=2,
        source=PRINTED_SCORES,
    )
    most: int = mir.measures()["backends"].list.len().max()  # type: ignore[assignment]
    display(
        Markdown(
            f"No measure has more than {most} backends. No correlation is drawn from fewer than "
            f"{LEAST}: with {most} systems even a perfect agreement of two orders comes about by "
            f"chance once in {factorial(most)} times, and the scores stem from different probes."
        )
    )
