"""A study's results with the published values of the same names in columns of their own."""

import polars as pl

from mrs.published.results import METRIC_LABELS, SOURCE, real_and_shuffled
from mrs.report.summary import summary
from mrs.study.results import Results

K = 50  # at which every published value was computed, whatever its table's heading says
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
