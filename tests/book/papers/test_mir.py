"""Printed MIR scores: which there are, and what stands beside them."""

import polars as pl
import pytest

from mrs.backends import BACKENDS
from mrs.evaluation.correlation import LEAST
from mrs_book.papers import mir, results


def test_every_row_names_a_source_and_none_is_second_hand() -> None:
    rows = mir.load()
    assert rows.columns == ["backend", "task", "dataset", "metric", "value", "source"]
    assert len(rows) == 31
    assert rows["source"].str.len_chars().min() > 20
    assert not rows["source"].str.contains("secondary").any()
    known = {"mert", "musicfm", "muq", "jukebox", "musicnn", "mule"}
    assert set(rows["backend"]) == known <= set(BACKENDS)
    assert rows["value"].is_between(0, 100).all()


@pytest.mark.parametrize(
    ("backend", "task", "metric", "value"),
    [
        ("mert", "genre", "accuracy", 78.6),
        ("muq", "key", "refined accuracy", 65.0),
        ("jukebox", "key", "accuracy", 66.7),
        ("musicnn", "tagging", "ROC-AUC", 90.7),
        ("mule", "tagging", "ROC-AUC", 91.41),
        ("mule", "tagging", "average precision", 40.43),
    ],
)
def test_values(backend: str, task: str, metric: str, value: float) -> None:
    rows = mir.load().filter(backend=backend, task=task, metric=metric)
    assert rows["value"].to_list() == [value]


def test_tagging_alone_has_enough_backends_for_a_correlation() -> None:
    enough = mir.measures().filter(pl.col("backends").list.len() >= LEAST)
    assert enough.select("dataset", "metric").rows() == [
        ("MagnaTagATune", "ROC-AUC"),
        ("MagnaTagATune", "average precision"),
    ]


def test_beside_recommendation() -> None:
    table = mir.beside_recommendation()
    assert table["backend"].to_list() == ["musicnn", "musicfm", "mert", "jukebox", "mule", "muq"]
    assert "key, GiantSteps, refined accuracy" in table.columns
    assert "key, GiantSteps, accuracy" not in table.columns  # Jukebox alone has it
    row = table.row(by_predicate=pl.col("backend") == "musicnn", named=True)
    assert row["tagging, MagnaTagATune, ROC-AUC"] == 90.7
    assert row["genre, GTZAN, accuracy"] is None
    ranks = results.ranks("ndcg").filter(scenario="hot", backend="musicnn", variant="base")
    trained = ranks.filter(pl.col("recommender") != "knn")["rank"]
    assert len(trained) == 6  # neither KNN, which is at chance, nor the "100" tables
    assert row["hot rank"] == pytest.approx(trained.mean())
