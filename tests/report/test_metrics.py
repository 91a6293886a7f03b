"""The chapter of metric classes: orders, reversals and spreads by hand."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from worlds import class_frame, random_parts, write_own

from mrs.errors import InputError
from mrs.report import metrics, orders
from mrs.report.metrics import FileMetrics, StudyMetrics
from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.store import Store
from mrs.study.study import load_study

STUDY = """
title: a test
dataset: {folder}
recommenders: [knn, {{knn: {{center: true}}}}, random, popularity]
seeds: [0, 1]
shuffled_seeds: [0]
k: [5, 10]
"""


def test_agreement_table() -> None:
    values = {
        ("map", "relevant"): [3.0, 2.0, 1.0],
        ("map", "min"): [3.0, 2.0, 1.5],
        ("map", "k"): [2.0, 3.0, 1.0],
        ("ndcg", "min"): [1.0, 2.0, 3.0],
    }
    table = metrics.agreement_table(class_frame(values), [10])
    assert table.rows() == [
        ("MAP", 3, 3, 2, pytest.approx(1 / 3)),
        (orders.ACROSS, 2, 1, 1, -1.0),
    ]


def test_spread_by_hand() -> None:
    """a moves by 4 / 1, b by 3 / 2, c has a value of 0 and so no ratio."""
    values = {("recall", "relevant"): [1.0, 2.0, 0.0], ("recall", "listed"): [4.0, 3.0, 5.0]}
    (row,) = metrics.spread_table(class_frame(values)).iter_rows(named=True)
    assert (row["least ratio"], row["median ratio"], row["largest ratio"]) == (1.5, 2.75, 4.0)
    assert (row["of"], row["lowest"], row["highest"]) == ("A", 1.0, 4.0)
    assert (row["lowest_class"], row["highest_class"]) == ("relevant", "listed")
    assert row["definitions"] == 2


def test_coinciding_classes() -> None:
    values = {("recall", "min"): [1.0, 2.0], ("map", "k"): [1.0, 3.0], ("precision", "min"): [1, 2]}
    assert metrics.coinciding(class_frame(values)) == [["Recall min", "Precision min"]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    write_own(folder / "own", random_parts())
    vectors = np.load(folder / "own" / "embeddings" / "mert.npy")
    np.save(folder / "own" / "embeddings" / "mule.npy", vectors[::-1] ** 2)
    (folder / "own" / "embeddings" / "mule.json").write_text('{"origin": "surrogate"}')
    (folder / "study.yaml").write_text(STUDY.format(folder=folder / "own"))
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> StudyMetrics:
    results = Results(load_study(folder / "study.yaml"), Store(folder / "store"))
    for spec in results.specs():
        run(spec, results.store, results.dataset)
    return StudyMetrics(results)


def test_a_page_never_orders_across_blocks(
    page: StudyMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two systems a block: nothing to compare at three, every block for itself at two."""
    (few,) = page.order()
    assert few.text.startswith("Fewer than 3 systems")
    assert few.text.count(": 2") == 5
    monkeypatch.setattr(metrics, "FEWEST_SYSTEMS", 2)
    seen = []
    boards = orders.boards
    monkeypatch.setattr(metrics, "boards", lambda f: seen.append(f["block"].unique()) or boards(f))
    sections = page.order()
    assert len(sections) == 2 * 3 - 1 + 1  # none is one system in cold
    assert all(len(blocks) == 1 for blocks in seen)


def test_a_page_shows_every_class_of_every_system(page: StudyMetrics) -> None:
    (section,) = page.every_class()
    assert section.tables[0][0] == "HitRate: every class"
    for _, table in section.tables:
        assert len(table) == len(page.results.cells()) * 2
    assert "the truth has no ratings" in section.text
    assert "Precision k = Precision returned" in section.text
    assert len(page.spread()) == 2
    assert "sim:" in page.intro()


def test_a_page_without_records(page: StudyMetrics, tmp_path: Path) -> None:
    empty = StudyMetrics(Results(page.results.study, Store(tmp_path), page.results.dataset))
    assert f"**{len(page.results.cells())} systems have no record**" in empty.intro()
    assert empty.order() == empty.spread() == []


def test_two_files_in_place_of_a_study(tmp_path: Path) -> None:
    """One list: hits at 1 and 3 of four relevant; recall 2/4, of the listed all."""
    ranked, truth = str(tmp_path / "r.parquet"), str(tmp_path / "t.parquet")
    pl.DataFrame({"user_id": [1] * 4, "item_id": [1, 2, 3, 4], "rank": [1, 2, 3, 4]}).write_parquet(
        ranked
    )
    pl.DataFrame({"user_id": [1] * 4, "item_id": [1, 3, 8, 9]}).write_parquet(truth)
    page = metrics.open_page("", "", ranked, truth, "[2, 4]")  # as papermill's -p gives a list
    assert isinstance(page, FileMetrics)
    ((_, spread),) = page.spread()[0].tables
    (recall,) = spread.filter(metric="Recall", k=4).iter_rows(named=True)
    assert (recall["lowest"], recall["highest"], recall["ratio"]) == (0.5, 1.0, 2.0)
    ((_, every),) = page.every_class()[0].tables
    assert every.columns == ["metric", "class", "@2", "@4"]
    assert "1 users" in page.intro()
    assert "one system" in page.order()[0].text
    with pytest.raises(InputError, match="come together"):
        metrics.open_page("", "", ranked)
