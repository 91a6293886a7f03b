"""Frames of a study's records, against the records themselves."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from worlds import random_parts, write_own

from mrs.data.dataset import open_dataset
from mrs.errors import InputError
from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.chapters import overview as study_page
from mrs_book.chapters.overview import StudyPage
from mrs_book.chapters.recommend import RunPage
from mrs_book.kit import summary

STUDY = """
title: a test
dataset: {folder}
recommenders: [knn, random, popularity]
seeds: [0, 1, 2]
shuffled_seeds: [0, 1]
k: [5, 10]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    write_own(folder / "own", random_parts())
    vectors = np.load(folder / "own" / "embeddings" / "mert.npy")
    np.save(folder / "own" / "embeddings" / "mule.npy", vectors[::-1] ** 2)
    card = '{"origin": "surrogate", "note": "Generated."}'
    (folder / "own" / "embeddings" / "mule.json").write_text(card)
    (folder / "study.yaml").write_text(STUDY.format(folder=folder / "own"))
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    results = Results(load_study(folder / "study.yaml"), Store(folder / "store"))
    for spec in results.specs():
        run(spec, results.store, results.dataset)
    return results


def row(frame: pl.DataFrame, slug: str, metric: str) -> dict:
    return frame.filter(pl.col("slug") == slug, pl.col("metric") == metric).row(0, named=True)


def test_summary_holds_the_records_means(results: Results) -> None:
    frame = summary.summary(results)
    for cell in results.cells():
        found = row(frame, cell.slug, "ndcg@5")
        values = [record.values("ndcg@5") for record in results.records(cell.runs)]
        assert found["mean"] == pytest.approx(np.mean(values))
        assert found["low"] <= found["mean"] <= found["high"]
        assert found["chance"] == pytest.approx(results.records(cell.runs)[0].chance("ndcg@5"))
        assert found["n_users"] == len(values[0])
    assert len(frame) == len(results.cells()) * 6 * 2


def test_intervals_are_computed_once_a_store(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = summary.summary(results)

    def again(values: np.ndarray) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(summary, "interval", again)
    assert summary.summary(Results(results.study, Store(results.store.folder))).equals(before)
    monkeypatch.setattr(summary, "SUMMARY_VERSION", summary.SUMMARY_VERSION + 1)
    with pytest.raises(AssertionError, match="computed again"):
        summary.summary(results)


def test_shuffled_is_the_mean_over_permutations(results: Results) -> None:
    found = row(summary.summary(results), "knn-mert-cold", "recall@10")
    cell = results.cell("knn-mert-cold")
    means = [r.values("recall@10").mean() for r in results.records(cell.shuffled)]
    assert len(means) == 2
    assert found["shuffled"] == pytest.approx(np.mean(means))
    assert (found["shuffled_low"], found["shuffled_high"]) == (min(means), max(means))
    assert row(summary.summary(results), "random-hot", "ndcg@5")["shuffled"] is None


def test_blocks_are_never_ranked_together(results: Results) -> None:
    page = StudyPage(results)
    boards = dict(page.leaderboards("hot"))
    assert list(boards) == [summary.BLOCKS[b] for b in ("none", "file", "surrogate")]
    real, simulated = boards[summary.BLOCKS["file"]], boards[summary.BLOCKS["surrogate"]]
    assert real["backend"].to_list() == ["MERT"]
    assert simulated["backend"].to_list() == ["sim:MULE"]
    none = boards[summary.BLOCKS["none"]]
    assert none["ndcg@10"].to_list() == sorted(none["ndcg@10"], reverse=True)


def test_the_primary_metric_is_at_the_nearest_list_length(results: Results) -> None:
    assert results.primary("hot") == "ndcg@10"
    assert results.primary("cold") == "ndcg@10"


def test_the_page_says_what_is_generated(results: Results) -> None:
    sentence = StudyPage(results).provenance
    assert "Plays are real (own)" in sentence
    assert "sim:" in sentence
    assert StudyPage(results).surrogate_note() == "Generated."


def test_missing_runs_are_said(folder: Path, tmp_path: Path) -> None:
    page = StudyPage(Results(load_study(folder / "study.yaml"), Store(tmp_path)))
    assert f"**{len(page.results.specs())} of them are missing**" in page.grid_state()


def make_page(folder: Path, **changes: object) -> RunPage:
    asked = {
        "dataset": str(folder / "own"),
        "recommender": "knn",
        "backend": "mert",
        "scenario": "cold",
        "seeds": [0, 1],
        "shuffled_seeds": [0, 1, 2],
        "k": [5, 10],
        "store": str(folder / "store"),
    }
    return RunPage(**(asked | changes))  # type: ignore[arg-type]


def test_run_page(folder: Path) -> None:
    page = make_page(folder)
    assert len(page.costs()) == 1 + 3
    assert page.metrics().columns == ["metric", "mean", "low", "high", "chance", "shuffled"]
    parameters = dict(page.parameters().iter_rows())
    assert parameters["vectors"] == "MERT, 7 wide"
    assert parameters["dataset"] == "own (real)"
    assert isinstance(page.intervals(), Figure)
    assert isinstance(page.distribution(), Figure)
    assert page.examples() == []
    page.info["examples"] = [{"user_id": "somebody", "history": [], "top": []}]
    assert page.examples() == []  # whatever a record of real listening holds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recommender": "popularity"}, "cannot answer the cold scenario"),
        ({"recommender": "oracle"}, "needs a known truth"),
        ({"backend": "mart"}, "no backend 'mart'"),
        ({"backend": None}, "reads vectors: name a backend"),
        ({"scenario": "warm"}, "scenario 'warm' is unknown"),
    ],
)
def test_run_page_refuses_what_mrs_run_refuses(folder: Path, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_page(folder, **changes)


def test_activity_figure(folder: Path) -> None:
    split = open_dataset(folder / "own").split()
    axes = study_page.activity_figure(split).axes
    assert sum(patch.get_height() for patch in axes[0].patches) == len(split.users)
    share = axes[1].lines[0].get_ydata()
    assert share[-1] == pytest.approx(1.0)
