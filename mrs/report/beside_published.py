"""Results with the published values of the same names in columns of their own.

Of a study, whatever its data; and of all that a store holds of the published tables' own data, with
the difference and whether it is within tolerance.
"""

import polars as pl
from IPython.display import Markdown, display

from mrs.data.dataset import label_of
from mrs.published import beside_ours, claims
from mrs.published.results import (
    METRIC_LABELS,
    RECOMMENDER_LABELS,
    SCENARIOS,
    SOURCE,
    real_and_shuffled,
)
from mrs.report.summary import summary
from mrs.report.tables import show
from mrs.study.evidence import own_data
from mrs.study.results import Results
from mrs.study.store import Store

K = beside_ours.K
PRINTED = {"hot": "printed and computed @50", "cold": "printed @20, computed @50"}

SCHEMA = {
    "recommender": pl.String,
    "backend": pl.String,
    "metric": pl.String,
    "here": pl.Float64,
    "chance": pl.Float64,
    "shuffled": pl.Float64,
    "published": pl.Float64,
    "published ±": pl.Float64,
    "published shuffled": pl.Float64,
}


def beside_published(results: Results, scenario: str) -> pl.DataFrame:
    """One row a recommender, backend and metric that the paper's tables have as well.

    Columns as in `SCHEMA`, everything at list length 50; no row for a study without that length.
    A recommender that the study has several times is compared by its plain variant alone, and the
    published values are those of the base runs.
    """
    cells = {
        cell.slug: cell
        for cell in results.cells(scenario)
        if cell.recommender.slug == cell.recommender.name
    }
    published = {
        (row["recommender"], row["backend"], row["metric"]): row
        for row in real_and_shuffled().iter_rows(named=True)
        if row["scenario"] == scenario and row["variant"] == "base" and row["k_computed"] == K
    }
    rows = []
    for row in summary(results, list(cells.values())).iter_rows(named=True):
        metric, k = row["metric"].split("@")
        cell = cells[row["slug"]]
        theirs = published.get((cell.recommender.name, cell.backend or "none", metric))
        if theirs is None or int(k) != K:
            continue
        rows.append(
            {
                "recommender": row["recommender"],
                "backend": row["backend"] or "none",
                "metric": METRIC_LABELS[metric],
                "here": row["mean"],
                "chance": row["chance"],
                "shuffled": row["shuffled"],
                "published": theirs["real"],
                "published ±": theirs["real_ci95"],
                "published shuffled": theirs["shuffled"],
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def caption(results: Results, scenario: str) -> str:
    """What the table may be read for, and what not."""
    same = {cell.provenance for cell in results.cells(scenario)} <= {"none", "audio"}
    ours = "generated listeners" if results.dataset.generated else results.dataset.name
    vectors = "" if same else " and, where the backend is marked sim:, surrogate vectors"
    text = (
        f"Columns headed “published” are from {SOURCE.removeprefix('published, ')}, its base runs, "
        f"{PRINTED[scenario]}"
        " (± is the printed 95 % half-width over training runs): real listeners of Music4All-Onion "
        f"and the models' own vectors. The columns before them are this study's, @{K}, on {ours}"
        f"{vectors}."
    )
    if results.dataset.generated:
        text += (
            " They stand beside each other so that both can be seen at once. Listeners, tracks and "
            "vectors differ, so that nothing follows from comparing them."
        )
    return text


def on_own_data(store: Store) -> pl.DataFrame:
    """Every published value beside the store's runs on the same data; see `beside_ours.beside`."""
    return beside_ours.beside(own_data(store), _claim().tolerance)


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
    rows = on_own_data(Store(store))
    display(Markdown(state_of(rows)))
    for scenario in SCENARIOS:
        mine = rows.filter(pl.col("protocol").is_not_null(), pl.col("scenario") == scenario)
        if len(mine):
            caption = f"{scenario.capitalize()}, @{K}: {SOURCE}, and computed here on real plays"
            protocols = mine["protocol"].unique()
            if len(protocols) == 1:
                caption += f", protocol {protocols[0]}"
                mine = mine.drop("protocol")
            show(_labelled(mine), caption, sortable=True)


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
