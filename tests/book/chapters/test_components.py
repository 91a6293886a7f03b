from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from planted import COMPONENTS as STUDY
from planted import plant, planted

from mrs_book.chapters.components import Page


def test_the_difference_of_a_pair(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, {"mert": 0.5})
    page = Page(str(tmp_path / "study.yaml"), str(tmp_path / "store"))
    whole, components = page.pairs[0].cells(results)[0]
    values = np.random.default_rng(0).random(30)
    for seed in (0, 1):
        plant(results, whole.runs[seed], (values + 0.5).tolist())
        plant(results, components.runs[seed], (values**2).tolist())
    frame = page.differences
    (row,) = frame.iter_rows(named=True)
    gap = float((values + 0.5 - values**2).mean())
    assert row["difference"] == pytest.approx(gap)
    assert 0 < row["low"] < gap < row["high"]
    assert (row["recommender"], row["backend"]) == (page.pairs[0].other.label, "sim:MERT")
    assert row["width"] == 7
    (counts,) = page.counts().iter_rows(named=True)
    assert [counts[name] for name in ("backends", "better", "worse", "neither")] == [1, 1, 0, 0]
    assert counts["fit, times as long"] == 1
    ((_, table),) = page.tables()
    assert table["difference"].to_list() == pytest.approx([gap])
    assert table["page"].to_list() == [f"runs/{whole.slug}.html"]
    assert isinstance(page.figure(), Figure)


def test_no_record_no_row(tmp_path: Path) -> None:
    planted(tmp_path, STUDY, {"mert": 0.5})
    page = Page(str(tmp_path / "study.yaml"), str(tmp_path / "store"))
    assert page.differences.is_empty()
    assert (len(page.counts()), page.tables(), page.figure()) == (0, [], None)
