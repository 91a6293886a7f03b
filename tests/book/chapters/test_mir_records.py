"""Records of what vectors hold: computed once, known by vectors and labels."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from worlds import random_parts, write_own

from mrs.data.dataset import open_dataset
from mrs.errors import InputError
from mrs.study.store import Store
from mrs_book.chapters import mir_records


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    tracks = pl.read_parquet(tmp_path / "own/tracks.parquet")
    genre = pl.Series("genre", ["rock", "pop"] * (len(tracks) // 2))
    tracks.with_columns(genre).write_parquet(tmp_path / "own/tracks.parquet")
    np.save(tmp_path / "own/embeddings/mine.npy", np.random.default_rng(0).normal(size=(52, 3)))
    return tmp_path


def test_a_record_is_computed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, store = open_dataset(folder / "own"), Store(folder / "store")
    first = mir_records.probe_record(dataset, "mert", store)
    assert [score.task for score in first.scores] == ["genre", "artist"]
    assert first.score("tempo") is None
    assert first.space.n_tracks == 52
    (path,) = (folder / "store/mir").glob("*.json")
    assert path.stem == first.key
    assert json.loads(path.read_text())["backend"] == "mert"
    monkeypatch.setattr(mir_records, "_compute", lambda *_: pytest.fail("computed again"))
    assert mir_records.probe_record(dataset, "mert", store) == first
    assert store.records() == []  # runs alone


def test_the_key_follows_vectors_and_labels(folder: Path) -> None:
    store = Store(folder / "store")
    dataset = open_dataset(folder / "own")
    key = mir_records.probe_key(dataset, "mert", store)
    assert mir_records.probe_key(dataset, "mine", store) != key
    vectors = np.load(folder / "own/embeddings/mert.npy")
    np.save(folder / "own/embeddings/mert.npy", vectors + 1)
    other = mir_records.probe_key(dataset, "mert", store)
    assert other != key
    tracks = pl.read_parquet(folder / "own/tracks.parquet")
    tracks.with_columns(title=pl.lit("x")).write_parquet(folder / "own/tracks.parquet")
    assert mir_records.probe_key(open_dataset(folder / "own"), "mert", store) == other
    tracks.with_columns(pl.col("genre").reverse()).write_parquet(folder / "own/tracks.parquet")
    assert mir_records.probe_key(open_dataset(folder / "own"), "mert", store) != other


def test_processes_give_the_same(folder: Path) -> None:
    dataset = open_dataset(folder / "own")
    mir_records.compute_probes(dataset, ["mert", "mine"], Store(folder / "store"), workers=2)
    for name in ("mert", "mine"):
        there = mir_records.probe_record(dataset, name, Store(folder / "store"))
        assert (
            there.scores == mir_records.probe_record(dataset, name, Store(folder / "other")).scores
        )


def test_a_store_that_cannot_be_written(folder: Path) -> None:
    (folder / "store").mkdir()
    (folder / "store/mir").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        mir_records.probe_record(open_dataset(folder / "own"), "mert", Store(folder / "store"))
