import math
from pathlib import Path

import pytest
from archives import CANDIDATES, Run, write_archive
from matplotlib.figure import Figure

from mrs.report.variations import VariationsPage
from mrs.study.archive import Archive

STUDY = """
title: planted
recommenders: [knn, hybrid]
archive: variations.parquet
"""
NAMES = ("width-104", "width-4800", "offset-0", "offset-4")


def page(folder: Path, ranks: dict[str, dict[str, list[int]]]) -> VariationsPage:
    """`ranks`: recommender -> variation -> the hits' ranks of three users, alike in two worlds."""
    (folder / "variations.yaml").write_text(STUDY)
    runs = [
        Run(f"demo:seed={seed}", recommender, name, "cold", mine)
        for seed in (1, 2)
        for recommender, by_name in ranks.items()
        for name, mine in by_name.items()
    ]
    archive = write_archive(folder / "variations.parquet", runs, dict.fromkeys(NAMES, 0.45))
    return VariationsPage(folder / "variations.yaml", archive)


@pytest.fixture
def found(tmp_path: Path) -> VariationsPage:
    same, worse = [1, 3, 0], [3, 3, 0]  # ndcg 1, 1/2, 0 and 1/2, 1/2, 0
    return page(
        tmp_path,
        {
            "knn": dict(zip(NAMES, (same, same, same, worse), strict=True)),
            "hybrid": dict(zip(NAMES, ([1, 1, 1], [3, 3, 3], same, same), strict=True)),
        },
    )


def test_changes_by_hand(found: VariationsPage) -> None:
    knn, hybrid = found.changes("width").iter_rows(named=True)
    assert knn["settings"] == [104, 4800]
    assert [knn[name] for name in ("first", "last", "change", "low", "high")] == [0.5, 0.5, 0, 0, 0]
    assert [hybrid[name] for name in ("change", "low", "high")] == [-0.5, -0.5, -0.5]
    knn, hybrid = found.changes("offset").iter_rows(named=True)
    assert knn["settings"] == [0, 4]
    assert (knn["first"], knn["last"]) == pytest.approx((1 / 2, 1 / 3))
    assert (knn["change"], knn["low"]) == pytest.approx((-1 / 6, -5 / 12), abs=0.1)
    assert knn["worlds"] == 2
    # One relevant track among the candidates: the discounts of twenty places, over all places.
    discounts = sum(1 / math.log2(1 + rank) for rank in range(1, 21))
    assert knn["chance"] == pytest.approx(discounts / CANDIDATES)


def test_sentences(found: VariationsPage) -> None:
    text = found.width_text()
    assert "From 104 to 4,800 dimensions" in text
    assert "over 2 world(s)" in text
    assert "in 1 of 2 pairs" in text
    assert "the largest is -0.5000, of Hybrid in cold" in text
    assert text.endswith("it is at most 0.0000.")
    text = found.offset_text()
    assert "mean cosine of two tracks about 0.94" in text  # 16 / 17
    assert "KNN in cold goes from 0.500 to 0.333, where chance is 0.070" in text
    assert "trained recommender is +0.0000 (+0.0000 to +0.0000), of Hybrid in cold" in text


def test_tables_and_figures(found: VariationsPage) -> None:
    columns = ["recommender", "scenario", "width 104", "width 4800", "change", "low", "high"]
    assert found.table("width").columns == [*columns, "chance"]
    for kind in ("width", "offset"):
        assert isinstance(found.figure(kind), Figure)


def test_runs_on_other_vectors_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "variations.yaml").write_text(STUDY)
    runs = [Run("demo:seed=1", "knn", name, "cold", [1]) for name in ("width-104", "mert")]
    write_archive(tmp_path / "variations.parquet", runs, {"width-104": 0.45, "mert": 0.1})
    archive = Archive(tmp_path / "variations.parquet")
    page = VariationsPage(tmp_path / "variations.yaml", archive)
    assert page.changes("width")["settings"].to_list() == [[104]]
    assert len(page.changes("width")) == 1
