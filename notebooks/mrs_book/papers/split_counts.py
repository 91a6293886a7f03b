"""How large the papers' splits are: what was published beside what the same rule gives here.

`data/split_counts.csv` has a row a part of a split whose counts a paper's authors publish, and one
row without counts for a split whose sizes are unconfirmed or unknown.
"""

from functools import cache
from importlib.resources import files

import polars as pl

from mrs.data.tables import read_csv
from mrs_book.papers.claims import PAPERS

COUNTS = ["pairs", "users", "tracks", "tracks a user", "plays a user"]
DRAWN = (
    "Which listeners validate is drawn at random: those of the validation part and of the hot test "
    "differ from the published draw."
)


@cache
def load() -> pl.DataFrame:
    """The table: paper, dataset, split, part, the columns `COUNTS` as text, status, source."""
    source = files("mrs_book.papers") / "data" / "split_counts.csv"
    return read_csv(source, infer_schema=False)


def beside(dataset: str, split: str, table: pl.DataFrame) -> pl.DataFrame:
    """A row a part and count of `describe.split_table`: part, count, here, published, equal.

    Only those that were published for the dataset's split of that name: none for others.
    """
    known = _of(dataset, split).filter(pl.col("status") == "published")
    here = table.select("part", pl.col(COUNTS).cast(pl.String)).unpivot(
        COUNTS, index="part", variable_name="count", value_name="here"
    )
    theirs = known.select("part", *COUNTS).unpivot(
        COUNTS, index="part", variable_name="count", value_name="published"
    )
    both = here.join(theirs, on=["part", "count"], maintain_order="left")
    order = dict(zip(table["part"], range(len(table)), strict=True))
    return both.with_columns(equal=pl.col("here") == pl.col("published")).sort(
        pl.col("part").replace_strict(order, return_dtype=pl.Int64), maintain_order=True
    )


def note(dataset: str, split: str) -> str:
    """Where the published counts come from, or why there are none; empty for other splits."""
    rows = _of(dataset, split)
    if not len(rows):
        return ""
    row = rows.row(0, named=True)
    paper = f"arXiv {row['paper']} ({PAPERS[row['paper']]})"
    if row["status"] == "published":
        return f"Published: {paper}, {row['source']}. {DRAWN}"
    return f"The counts of {paper} are {row['status']} ({row['source']}): these are ours alone."


def _of(dataset: str, split: str) -> pl.DataFrame:
    return load().filter(pl.col("dataset") == dataset, pl.col("split") == split)
