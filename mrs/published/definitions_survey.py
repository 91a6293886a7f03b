"""The survey of metric definitions in papers: the sheet, its columns, and what it says once filled.

arXiv 2206.12858 reports in its abstract that 47 % of the definitions in the papers that it surveyed
are unclear or absent. The list of those papers and the annotations are not public, so the share can
only be found anew, with a sheet filled by people who read papers.
"""

from pathlib import Path

import polars as pl

from mrs.data.tables import read_csv
from mrs.errors import InputError

DATA = Path(__file__).parent / "data"
PUBLISHED_SHARE = 0.47
STATUSES = ("clear", "unclear", "absent")


def columns() -> pl.DataFrame:
    """The sheet's columns: column, content, instruction."""
    return read_csv(DATA / "definitions_survey_columns.csv")


def sheet(path: Path | None = None) -> pl.DataFrame:
    """The annotations, all columns as text; the project's own sheet, which is empty, by default.

    Raises InputError where a column is missing or a status is none of the three.
    """
    path = path or DATA / "definitions_survey.csv"
    rows = read_csv(path, infer_schema=False).fill_null("")
    for name in columns()["column"]:
        if name not in rows.columns:
            raise InputError(f"{path}: no column {name}; copy the header of definitions_survey.csv")
    for number, status in enumerate(rows["status"], 2):
        if status not in STATUSES:
            known = ", ".join(STATUSES)
            raise InputError(f"{path}: row {number}: status is {status!r}; write one of {known}")
    return rows


def definitions(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a paper and metric: its status, "unclear" where annotators disagree."""
    status = pl.col("status")
    agreed = pl.when(status.n_unique() == 1).then(status.first()).otherwise(pl.lit("unclear"))
    return rows.group_by("paper", "metric").agg(agreed)


def unclear_share(rows: pl.DataFrame) -> float:
    """The share of definitions in a filled sheet that are unclear or absent."""
    return float((definitions(rows)["status"] != "clear").to_numpy().mean())


def verdict(rows: pl.DataFrame) -> str:
    """What the sheet says about the published 47 %, in a sentence or two.

    A definition that annotators disagree on is unclear.
    """
    if not len(rows):
        return (
            f"Not testable here: the {PUBLISHED_SHARE:.0%} of the abstract. The sheet is empty, "
            "and the paper's own annotations are not public."
        )
    each = definitions(rows)
    share = unclear_share(rows)
    n_papers = each["paper"].n_unique()
    return (
        f"{share:.0%} of {len(each)} definitions in {n_papers} papers are unclear or absent; "
        f"the abstract says {PUBLISHED_SHARE:.0%} of its own sample."
    )
