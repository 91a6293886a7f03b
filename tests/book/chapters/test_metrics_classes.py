"""Every metric class from records with known ranks of the hits, by hand."""

from math import log2
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from worlds import random_parts, write_own

from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.store import Record, Store
from mrs.study.study import load_study
from mrs_book.chapters import metrics_classes

STUDY = """
title: a test
dataset: {folder}
recommenders: [knn, random, popularity]
seeds: [0, 1]
shuffled_seeds: [0]
k: [5, 10]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("own")
    write_own(folder / "own", random_parts())
    (folder / "study.yaml").write_text(STUDY.format(folder=folder / "own"))
    results = Results(load_study(folder / "study.yaml"), Store(folder / "store"))
    for spec in results.specs():
        run(spec, results.store, results.dataset)
    return results


def record_of(folder: Path, ranks: list[list[int]], n_relevant: list[int], n: int) -> Record:
    users = pl.DataFrame(
        {
            "user_id": range(len(ranks)),
            "n_relevant": pl.Series(n_relevant, dtype=pl.Int32),
            "n_candidates": pl.Series([n] * len(ranks), dtype=pl.Int32),
            "hit_ranks": pl.Series(ranks, dtype=pl.List(pl.UInt32)),
        }
    )
    return Store(folder).write("key", {"k": [2, 4]}, users)


def test_classes_of_known_ranks(tmp_path: Path) -> None:
    """Hits at 1 and 3 of three relevant items, one hit at 4 of one, no hit of two; k = 4."""
    judged = metrics_classes.judged(record_of(tmp_path, [[1, 3], [4], []], [3, 1, 2], 200))
    assert judged.depth == 100
    assert judged.n_hits[:, -1].tolist() == [2, 1, 0]
    assert judged.n_listed.tolist() == [100, 100, 100]
    means = metrics_classes.class_means(judged, [4])[4]
    expected = {
        ("hitrate", "any"): 2 / 3,
        ("hitrate", "count"): 3 / 3,
        ("precision", "k"): (2 / 4 + 1 / 4) / 3,
        ("precision", "micro"): 3 / (3 + 1 + 2),
        ("recall", "relevant"): (2 / 3 + 1) / 3,
        ("recall", "listed"): (1 + 1) / 3,
        ("mrr", "first"): (1 + 1 / 4) / 3,
        ("mrr", "arhr"): (1 + 1 / 3 + 1 / 4) / 3,
        ("map", "relevant"): ((1 + 2 / 3) / 3 + 1 / 4) / 3,
        ("map", "hits"): ((1 + 2 / 3) / 2 + 1 / 4) / 3,
        ("map", "k"): ((1 + 2 / 3) / 4 + 1 / 16) / 3,
        ("ndcg", "none"): (1 + 1 / 2 + 1 / log2(5)) / 3,
    }
    for (metric, name), value in expected.items():
        assert means[metric][name] == pytest.approx(value, abs=1e-12), (metric, name)


def test_lists_end_with_the_candidates(tmp_path: Path) -> None:
    """Four candidates, the hit at rank 2 of one relevant: it beats two of the other three."""
    judged = metrics_classes.judged(record_of(tmp_path, [[2]], [1], 4))
    assert judged.complete
    assert metrics_classes.class_means(judged, [4])[4]["auc"]["per_user"] == pytest.approx(2 / 3)


def test_values_agree_with_the_records(results: Results) -> None:
    """The study's own metrics are classes, whose values stand in the records already."""
    frame = metrics_classes.study_classes(results)
    own = {
        "hitrate": "any",
        "recall": "relevant",
        "ndcg": "min",
        "precision": "k",
        "map": "relevant",
    }
    for cell in results.cells():
        for k in (5, 10):
            for metric, name in own.items():
                (value,) = frame.filter(cell=cell.slug, k=k, metric=metric, **{"class": name})[
                    "value"
                ]
                stored = [record.values(f"{metric}@{k}") for record in results.records(cell.runs)]
                assert value == pytest.approx(np.mean(stored), abs=1e-12)
    assert frame.columns == list(metrics_classes.SCHEMA)
    assert frame["cell"].n_unique() == len(results.cells())
    assert frame.filter(pl.col("recommender") == "KNN")["block"].unique().to_list() == ["file"]


def test_what_is_left_out_is_said(results: Results) -> None:
    left = metrics_classes.left_out(results, "cold")
    assert "ndcg linear" in left["the truth has no ratings"]
    shown = metrics_classes.study_classes(results, "cold")
    assert not len(shown.filter((pl.col("metric") == "ndcg") & (pl.col("class") == "linear")))


def test_a_study_without_records_has_no_classes(results: Results, tmp_path: Path) -> None:
    empty = Results(results.study, Store(tmp_path), results.dataset)
    assert metrics_classes.study_classes(empty).is_empty()
    assert metrics_classes.left_out(empty, "hot") == {}


def test_paired_differences(results: Results) -> None:
    knn, random = results.cell("knn-mert-hot"), results.cell("random-hot")
    pairs = [
        (knn, random, "ndcg", "min"),
        (knn, random, "precision", "micro"),
        (random, knn, "ndcg", "min"),
    ]
    forward, pooled, backward = metrics_classes.differences(results, pairs, 10)
    assert pooled is None
    assert forward is not None
    assert backward is not None
    means = [
        np.mean([record.values("ndcg@10") for record in results.records(cell.runs)])
        for cell in (knn, random)
    ]
    assert forward.mean == pytest.approx(means[0] - means[1])
    assert forward.low < forward.mean < forward.high
    ends = (-backward.high, -backward.low)
    assert (forward.low, forward.high) == pytest.approx(ends)
