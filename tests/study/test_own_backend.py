"""A .npy and a card dropped into a dataset's folder: rows in every table, pages, its own runs."""

import json
from pathlib import Path

import numpy as np
from worlds import random_parts, write_own

from mrs.study.grid import missing_fits
from mrs.study.results import Results
from mrs.study.run import run_fit
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.chapters.mir import MirPage
from mrs_book.chapters.overview import StudyPage
from mrs_book.kit import summary
from mrs_book.kit.pages import pages

CARD = {
    "backend": "my_model",
    "origin": "file",
    "embedding_size": 5,
    "created_by": "somebody",
    "note": "mean over time",
}


def results(folder: Path) -> Results:
    text = "recommenders: [knn, popularity]\nshuffled_seeds: [0]\nk: [5]\n"
    (folder / "study.yaml").write_text(f"title: a test\ndataset: {folder / 'own'}\n{text}")
    return Results(load_study(folder / "study.yaml"), Store(folder / "store"))


def compute(found: Results) -> list[str | None]:
    """Compute what is missing; returns the backends of the runs."""
    fits = missing_fits(found)
    for specs in fits:
        run_fit(specs, found.store, found.dataset)
    return [spec.backend for specs in fits for spec in specs]


def test_a_dropped_backend_has_its_place_everywhere(tmp_path: Path) -> None:
    write_own(tmp_path / "own", random_parts())
    assert set(compute(results(tmp_path))) == {"mert", None}
    vectors = np.random.default_rng(0).normal(size=(52, 5)).astype(np.float32)
    np.save(tmp_path / "own/embeddings/my_model.npy", vectors)
    (tmp_path / "own/embeddings/my_model.json").write_text(json.dumps(CARD))

    found = results(tmp_path)
    assert compute(found) == ["my_model"] * 4  # hot and cold, as they are and shuffled
    assert compute(results(tmp_path)) == []

    page = StudyPage(found)
    for scenario in ("hot", "cold"):
        boards = dict(page.leaderboards(scenario))
        assert set(boards[summary.BLOCKS["file"]]["backend"]) == {"MERT", "my_model"}
    mir = MirPage(str(tmp_path / "study.yaml"), str(tmp_path / "store"))
    assert "my_model" in mir.probe_grid()["backend"].to_list()
    paths = {p.path for part in pages("study.yaml", found) for p in part.pages}
    children = {
        c.path for part in pages("study.yaml", found) for p in part.pages for c in p.children
    }
    assert "backend-my_model" in paths
    assert {"runs/knn-my_model-hot", "runs/knn-my_model-cold"} <= children
