"""Runs on the published tables' own data beside the published values.

Only real plays with the models' own vectors qualify: see `mrs.published.beside_ours`.
"""

import polars as pl
from IPython.display import Markdown, display

from mrs.data.vectors import label_of
from mrs.published import beside_ours, claims
from mrs.published.evidence import own_data
from mrs.published.results import (
    METRIC_LABELS,
    RECOMMENDER_LABELS,
    SCENARIOS,
    SOURCE,
)
from mrs.report.parameters import required
from mrs.report.style import Source
from mrs.report.tables import show
from mrs.study.store import Store

K = beside_ours.K
BESIDE = Source("real", "real plays; the column “published” is printed in arXiv 2604.23077")


def on_own_data(store: Store) -> pl.DataFrame:
    """Every published value beside the store's runs on the same data; see `beside_ours.beside`."""
    rows = beside_ours.beside(own_data(store))
    return rows.with_columns(within=beside_ours.within(_claim().tolerance))


def state_of(rows: pl.DataFrame) -> str:
    """How many values of the base tables have a run on the same data, and come out again."""
    claim, rows = _claim(), rows.filter(pl.col("variant") == "base")
    wanted = f"{claim.wanted}, then `{claim.run}`"
    values = rows.select(beside_ours.KEY).n_unique()
    found = rows.filter(pl.col("protocol").is_not_null())
    if not len(found):
        return (
            f"No run on that data with the models' own vectors is in the store: none of the "
            f"{values} values of the base tables has one of ours beside it. It takes {wanted}."
        )
    parts = [
        f"{int(mine['within'].sum())} of {len(mine)} with protocol {protocol}"
        for (protocol,), mine in found.group_by(["protocol"], maintain_order=True)
    ]
    missing = values - found.select(beside_ours.KEY).n_unique()
    rest = f" {missing} of {values} values have no run: it takes {wanted}." if missing else ""
    return (
        f"Within tolerance are {' and '.join(parts)}. The tolerance, set beforehand in the claims' "
        f"table (`{claim.id}`), is {claim.tolerance:g} {claim.unit}: {claim.reason}.{rest} "
        "Counted are the base tables; values of the “100” tables, of projections trained for 100 "
        "epochs, stand beside the same runs."
    )


def show_on_own_data(store: str) -> None:
    """Display ours beside published, a table a scenario, or what it takes to have them."""
    rows = on_own_data(Store(required("store", store)))
    display(Markdown(state_of(rows)))
    for scenario in SCENARIOS:
        mine = rows.filter(pl.col("protocol").is_not_null(), pl.col("scenario") == scenario)
        if len(mine):
            caption = f"{scenario.capitalize()}, @{K}: {SOURCE}, and computed here on real plays"
            protocols = mine["protocol"].unique()
            if len(protocols) == 1:
                caption += f", protocol {protocols[0]}"
                mine = mine.drop("protocol")
            show(_labelled(mine), caption, sortable=True, source=BESIDE)


def _labelled(rows: pl.DataFrame) -> pl.DataFrame:
    """What is told apart, both values, and what follows from them; "100" is beside its model."""
    names = pl.col("recommender").replace_strict(RECOMMENDER_LABELS)
    return rows.select(
        pl.when(pl.col("variant") == "base").then(names).otherwise(names + ", “100”"),
        pl.col("backend").map_elements(lambda name: label_of(name, "audio"), pl.String),
        "vectors",
        pl.col("metric").replace_strict(METRIC_LABELS),
        pl.col("^protocol$"),  # where several are shown
        "published",
        pl.col("here").alias("here, real plays"),
        "difference",
        "within",
        "±",
        "runs",
    )


def _claim() -> claims.Claim:
    (claim,) = claims.find(beside_ours.CLAIM)
    return claim
