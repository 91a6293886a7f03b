"""Which library computes which metric class under which name, and what it gave on one input.

The values were measured on 2026-11-22 with CPython 3.11.7 on generated data: 300 users, 500 items,
lists of 100, 4,737 relevant items with ratings 1 to 5. The 2021 values are those printed by Tamm
et al., RecSys 2021 (arXiv 2206.12858), and by their notebooks, on MovieLens-20m.
"""

from functools import cache
from pathlib import Path

import polars as pl

from mrs.data.tables import read_csv

DATA = Path(__file__).parent / "data"
# Where one function computes several metrics, the library's metric says which is meant.
SHARED_FUNCTIONS = ("wrap", "notebook copy", "ranking_metrics_at_k")


@cache
def libraries() -> pl.DataFrame:
    """Rows of library, version, library_metric, function, metric, class, note.

    library_metric and function say what was called, metric and class what it computes here; class
    is empty where there is no value to tell it by, and the note says why.
    """
    return _read("libraries.csv")


def computed_by(metric: str, variant: str) -> str:
    """The libraries that compute a class, with version and name, in one line."""
    names: dict[str, list[str]] = {}
    for row in libraries().filter(metric=metric, **{"class": variant}).iter_rows(named=True):
        version = row["version"].split(" ")[0]
        library = f"{row['library']} {version}" if version[0].isdigit() else row["library"]
        shared = row["function"] in SHARED_FUNCTIONS
        names.setdefault(library, []).append(row["library_metric" if shared else "function"])
    parts = [f"{library} {', '.join(dict.fromkeys(calls))}" for library, calls in names.items()]
    return "; ".join(parts) or "none of those compared"


def library_values() -> pl.DataFrame:
    """Rows of library, version, library_metric, function, k, value, note, measured.

    k is a number, "full" (all 500 items ranked) or "list(100)" (the whole list); value is null
    where the library failed, and the note says how.
    """
    return _read("library_values.csv").with_columns(pl.col("value").cast(pl.Float64))


def audit_2021() -> pl.DataFrame:
    """Rows of library, version, library_metric, k, value, metric, class, source, note."""
    return _read("audit_2021.csv").with_columns(pl.col("value").cast(pl.Float64))


def _read(name: str) -> pl.DataFrame:
    return read_csv(DATA / name, infer_schema=False).with_columns(
        pl.col("note").fill_null(""),
        *([pl.col("class").fill_null("")] if name != "library_values.csv" else []),
    )
