"""The chapter of metric classes: orders, reversals and spreads by hand."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from worlds import class_frame, random_parts, write_own

from mrs.errors import InputError
from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.chapters import metrics, metrics_orders
from mrs_book.chapters.metrics import FileMetrics, StudyMetrics, metrics_page

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
    table = metrics_orders.agreement_table(class_frame(values), [10])
    assert table.rows() == [
        ("MAP", 3, 3, 2, pytest.approx(1 / 3)),
        (metrics_orders.ACROSS, 2, 1, 1, -1.0),
    ]


def test_spread_by_hand() -> None:
    """a moves by 4 / 1, b by 3 / 2, c has a value of 0 and so no ratio."""
    values = {("recall", "relevant"): [1.0, 2.0, 0.0], ("recall", "listed"): [4.0, 3.0, 5.0]}
    (row,) = metrics.spread_table(class_frame(values)).iter_rows(named=True)
    assert (row["least ratio"], row["median ratio"], row["largest ratio"]) == (1.5, 2.75, 4.0)
    assert (row["of"], row["lowest"], row["highest"]) == ("A", 1.0, 4.0)
    assert (row["lowest class"], row["highest class"]) == ("relevant", "listed")
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
    return StudyMetrics(str(folder / "study.yaml"), str(folder / "store"))


def test_a_page_never_orders_across_blocks(
    page: StudyMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two systems per block: nothing to compare at three, every block for itself at two."""
    assert page.orders() == []
    assert page.too_few().startswith("Fewer than 3 systems")
    assert page.too_few().count(": 2") == 5
    monkeypatch.setattr(metrics, "FEWEST_SYSTEMS", 2)
    seen = []
    boards = metrics_orders.boards
    monkeypatch.setattr(metrics, "boards", lambda f: seen.append(f["block"].unique()) or boards(f))
    orders = page.orders()
    assert len(orders) == 2 * 3 - 1  # without vectors there is one system in cold
    assert page.too_few().count(": 1") == 1
    assert all(len(blocks) == 1 for blocks in seen)
    for order in orders:
        assert order.text().startswith("2 systems, k = ")
        assert len(order.reversals(clear=True)) <= len(order.reversals(clear=False))
        assert order.figure() is None or order.agreement.select("^differ.*$").to_numpy().any()


def test_a_page_shows_every_class_of_every_system(page: StudyMetrics) -> None:
    tables = page.every_class()
    assert next(iter(tables)) == "HitRate: every class"
    for table in tables.values():
        assert len(table) == len(page.results.cells()) * 2
    assert "the truth has no ratings" in page.notes()
    assert "Precision k = Precision returned" in page.notes()
    assert page.scenarios == ["hot", "cold"]
    assert "Recall" in page.spread("cold")["metric"]
    assert isinstance(page.spread_figure("cold"), Figure)
    marks = [line for line in page.spread_figure("cold").axes[0].lines if line.get_marker() == "o"]
    assert {mark.get_alpha() for mark in marks} == {0.7}  # none hides what lies below it
    assert {mark.get_markerfacecolor() for mark in marks if "sim:" in mark.get_label()} == {"none"}
    assert "sim:" in page.intro()


def test_a_page_without_records(page: StudyMetrics, folder: Path, tmp_path: Path) -> None:
    empty = StudyMetrics(str(folder / "study.yaml"), str(tmp_path))
    assert f"**{len(page.results.cells())} systems have no record**" in empty.intro()
    assert empty.orders() == empty.scenarios == []
    assert empty.too_few() == empty.notes() == ""


def test_two_files_in_place_of_a_study(tmp_path: Path) -> None:
    """One list: hits at 1 and 3 of four relevant; recall 2/4, of the listed all."""
    ranked, truth = str(tmp_path / "r.parquet"), str(tmp_path / "t.parquet")
    pl.DataFrame({"user_id": [1] * 4, "item_id": [1, 2, 3, 4], "rank": [1, 2, 3, 4]}).write_parquet(
        ranked
    )
    pl.DataFrame({"user_id": [1] * 4, "item_id": [1, 3, 8, 9]}).write_parquet(truth)
    page = metrics_page("", "", ranked, truth, "[2, 4]")  # as papermill's -p gives a list
    assert isinstance(page, FileMetrics)
    (recall,) = page.spread("").filter(metric="Recall", k=4).iter_rows(named=True)
    assert (recall["lowest"], recall["highest"], recall["ratio"]) == (0.5, 1.0, 2.0)
    (every,) = page.every_class().values()
    assert every.columns == ["metric", "class", "@2", "@4"]
    assert "1 users" in page.intro()
    assert page.orders() == []
    assert "one system" in page.too_few()
    with pytest.raises(InputError, match="come together"):
        metrics_page("", "", ranked)
