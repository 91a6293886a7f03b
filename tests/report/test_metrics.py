"""The chapter of metric classes: orders, reversals and spreads by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from worlds import random_parts, write_own

from mrs.errors import InputError
from mrs.report import metrics
from mrs.report.metrics import FileMetrics, Reversal, StudyMetrics
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
KEYS = ["cell", "system", "metric", "class", "k", "value"]


def frame(values: dict[tuple[str, str], list[float]]) -> pl.DataFrame:
    """Systems a, b, c, ... in the order of the values, at k = 10."""
    rows = [
        (system, system.upper(), metric, name, 10, value)
        for (metric, name), column in values.items()
        for system, value in zip("abcdefgh", column, strict=False)
    ]
    return pl.DataFrame(rows, schema=KEYS, orient="row")


def test_tau_of_known_orders() -> None:
    """Of three pairs two agree and one does not: tau 1/3; all reversed: -1."""
    board = metrics.boards(
        frame({("map", "min"): [3, 2, 1], ("map", "k"): [2, 3, 1], ("map", "hits"): [1, 2, 3]})
    )
    tau = metrics.agreement(board)
    assert tau.loc[("map", "min"), ("map", "k")] == pytest.approx(1 / 3)
    assert tau.loc[("map", "min"), ("map", "hits")] == pytest.approx(-1)
    assert tau.loc[("map", "k"), ("map", "hits")] == pytest.approx(-1 / 3)


def test_tau_b_counts_ties() -> None:
    """A tie in one order: two of the three pairs count there, tau-b = 2 / sqrt(2 * 3)."""
    board = metrics.boards(frame({("mrr", "first"): [3, 2, 2], ("mrr", "arhr"): [3, 2, 1]}))
    assert metrics.agreement(board).iloc[0, 1] == pytest.approx(2 / np.sqrt(6))


def test_values_that_differ_by_rounding_are_tied() -> None:
    board = metrics.boards(frame({("map", "k"): [0.1 + 0.2, 0.3], ("map", "min"): [1.0, 2.0]}))
    assert metrics.reversal(board["map", "k"], board["map", "min"]) is None


def test_the_largest_reversal_is_found() -> None:
    """a falls from the first to the last of five; d and e swap as well, by one place."""
    first = pd.Series([5.0, 4.0, 3.0, 2.0, 1.0], index=list("abcde"))
    second = pd.Series([1.0, 5.0, 4.0, 2.0, 3.0], index=list("abcde"))
    # The second order is b, c, e, d, a. a and c swap by 2 and 3 places, a and e by 4 and 2.
    assert metrics.reversal(first, second) == Reversal("a", "e", 4, 2)
    assert metrics.swaps(first, second).sum() == 5
    among = np.zeros((5, 5), dtype=bool)
    among[3, 4] = True
    assert metrics.reversal(first, second, among) == Reversal("d", "e", 1, 1)
    assert metrics.reversal(first, first) is None


def test_the_reversal_of_a_name_is_the_largest_of_its_pairs() -> None:
    definitions = [("ndcg", "min"), ("ndcg", "none"), ("ndcg", "listed")]
    board = metrics.boards(
        frame(dict(zip(definitions, ([3, 2, 1], [2, 3, 1], [1, 2, 3]), strict=True)))
    )
    one, other, found = metrics.largest_reversal(board, definitions) or pytest.fail("none found")
    assert (one, other) == (definitions[0], definitions[2])
    assert found == Reversal("a", "c", 2, 2)


def test_clear_swaps_need_a_clear_lead_under_both() -> None:
    definitions = [("ndcg", "min"), ("ndcg", "none")]
    board = metrics.boards(frame(dict(zip(definitions, ([3, 2, 1], [1, 2, 3]), strict=True))))
    forward = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool)  # a and b lead c
    backward = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 0]], dtype=bool)  # b and c lead a
    clear = dict(zip(definitions, (forward, backward), strict=True))
    assert metrics.count_swaps(board, definitions, clear) == (3, 1)
    _, _, found = metrics.largest_reversal(board, definitions, clear) or pytest.fail("none found")
    assert (found.ahead, found.behind) == ("a", "c")
    assert metrics.count_swaps(board, definitions, {}) == (3, 0)
    assert metrics.largest_reversal(board, definitions, {}) is None


def test_agreement_table() -> None:
    values = {
        ("map", "relevant"): [3.0, 2.0, 1.0],
        ("map", "min"): [3.0, 2.0, 1.5],
        ("map", "k"): [2.0, 3.0, 1.0],
        ("ndcg", "min"): [1.0, 2.0, 3.0],
    }
    table = metrics.agreement_table(frame(values), [10])
    assert table.rows() == [
        ("MAP", 3, 3, 2, pytest.approx(1 / 3)),
        (metrics.ACROSS, 2, 1, 1, -1.0),
    ]


def test_spread_by_hand() -> None:
    """a moves by 4 / 1, b by 3 / 2, c has a value of 0 and so no ratio."""
    values = {("recall", "relevant"): [1.0, 2.0, 0.0], ("recall", "listed"): [4.0, 3.0, 5.0]}
    (row,) = metrics.spread_table(frame(values)).iter_rows(named=True)
    assert (row["least ratio"], row["median ratio"], row["largest ratio"]) == (1.5, 2.75, 4.0)
    assert (row["of"], row["lowest"], row["highest"]) == ("A", 1.0, 4.0)
    assert (row["lowest_class"], row["highest_class"]) == ("relevant", "listed")
    assert row["definitions"] == 2


def test_coinciding_classes() -> None:
    values = {("recall", "min"): [1.0, 2.0], ("map", "k"): [1.0, 3.0], ("precision", "min"): [1, 2]}
    assert metrics.coinciding(frame(values)) == [["Recall min", "Precision min"]]


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
    boards = metrics.boards
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
    page = metrics.open_page("", "", ranked, truth, [2, 4])
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
