import math
from pathlib import Path

import numpy as np
import pytest
from archives import CANDIDATES, Run, write_archive
from matplotlib.figure import Figure

from mrs_book.chapters.validity_variations import Page

STUDY = """
title: planted
recommenders: [knn, hybrid]
archive: variations.parquet
"""
NAMES = ("width-104", "width-4800", "offset-0", "offset-4")


def page(folder: Path, ranks: dict[str, dict[str, list[int]]]) -> Page:
    """`ranks`: recommender -> variation -> ranks of hits, of ten times as many users a world."""
    (folder / "variations.yaml").write_text(STUDY)
    runs = [
        Run(f"demo:seed={seed}", recommender, name, "cold", 10 * mine)
        for seed in (1, 2)
        for recommender, by_name in ranks.items()
        for name, mine in by_name.items()
    ]
    write_archive(folder / "variations.parquet", runs, dict.fromkeys(NAMES, 0.45))
    return Page(str(folder / "demo.yaml"))


@pytest.fixture
def found(tmp_path: Path) -> Page:
    same, worse = [1, 3, 0], [3, 3, 0]  # ndcg 1, 1/2, 0 and 1/2, 1/2, 0
    return page(
        tmp_path,
        {
            "knn": dict(zip(NAMES, (same, same, same, worse), strict=True)),
            "hybrid": dict(zip(NAMES, ([1, 1, 1], [3, 3, 7], same, same), strict=True)),
        },
    )


def test_changes_by_hand(found: Page) -> None:
    knn, hybrid = found.changes("width").iter_rows(named=True)
    assert found.changes("width").columns[2:4] == ["width 104", "width 4800"]
    assert [knn[name] for name in ("width 104", "width 4800", "change")] == [0.5, 0.5, 0]
    assert (knn["low"], knn["high"]) == (None, None)  # no user differs
    # Two users of three lose 1/2, the third 2/3: 60 users with a standard deviation of 0.0786.
    assert hybrid["change"] == pytest.approx(-5 / 9)
    half = 2.001 * np.std([1 / 2, 1 / 2, 2 / 3]) / np.sqrt(59)
    assert hybrid["high"] - hybrid["low"] == pytest.approx(2 * half, rel=0.1)
    knn, hybrid = found.changes("offset").iter_rows(named=True)
    assert (knn["offset 0"], knn["offset 4"]) == pytest.approx((1 / 2, 1 / 3))
    assert knn["change"] == pytest.approx(-1 / 6)
    half = 2.001 * np.std([1 / 2, 0, 0]) / np.sqrt(59)
    assert knn["high"] - knn["low"] == pytest.approx(2 * half, rel=0.1)
    assert knn["worlds"] == 2
    # One relevant track among the candidates: the discounts of twenty places, over all places.
    discounts = sum(1 / math.log2(1 + rank) for rank in range(1, 21))
    assert knn["chance"] == pytest.approx(discounts / CANDIDATES)


def test_tables_and_figures(found: Page) -> None:
    columns = ["recommender", "scenario", "width 104", "width 4800", "change", "low", "high"]
    assert found.changes("width").columns == [*columns, "chance", "worlds"]
    for kind in ("width", "offset"):
        assert isinstance(found.figure(kind), Figure)


def test_runs_on_other_vectors_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "variations.yaml").write_text(STUDY)
    runs = [Run("demo:seed=1", "knn", name, "cold", [1]) for name in ("width-104", "mert")]
    write_archive(tmp_path / "variations.parquet", runs, {"width-104": 0.45, "mert": 0.1})
    page = Page(str(tmp_path / "demo.yaml"))
    assert "width 104" in page.changes("width").columns
    assert len(page.changes("width")) == 1
