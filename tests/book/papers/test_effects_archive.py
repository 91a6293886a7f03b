"""The runs of the deviations that come with the project."""

from pathlib import Path

import polars as pl

from mrs_book.papers.effects import Measured

ARCHIVE = Path(__file__).parents[3] / "studies/deviations.parquet"


def test_the_committed_archive_has_the_effects():
    assert ARCHIVE.exists()
    assert ARCHIVE.stat().st_size < 6e6
    found = Measured(ARCHIVE).effects()
    assert found["deviation"].n_unique() >= 12
    assert found.filter(pl.col("n_seeds") > 1)["seed_sd"].null_count() == 0
