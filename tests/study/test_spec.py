"""What decides a run's key."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from worlds import random_parts, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.digests import Digests
from mrs.data.rules import CatalogueRule
from mrs.errors import InputError
from mrs.recommenders.bimodal import BimodalContent
from mrs.recommenders.knn import KNN
from mrs.study.spec import RunSpec, make_spec, run_key


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_own(tmp_path / "own", random_parts())
    return open_dataset(tmp_path / "own")


def spec(dataset: Dataset, **changes: object) -> RunSpec:
    asked = {"recommender": "knn", "scenario": "hot", "backend": "mert"} | changes
    return make_spec(dataset, **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"scenario": "cold"},
        {"settings": {"center": True}},
        {"shuffled": True},
        {"shuffled": True, "seed": 1},
        {"k": (5,)},
        {"recommender": "popularity"},
        {"recommender": "random"},
        {"recommender": "random", "seed": 1},
    ],
)
def test_what_is_asked_for_changes_the_key(dataset: Dataset, change: dict) -> None:
    keys = {run_key(s, dataset, Digests()) for s in (spec(dataset), spec(dataset, **change))}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"seed": 3}),  # nothing is drawn in KNN
        ({"settings": {}}, {"settings": {"center": "false"}}),
        ({"k": [50, 10, 20]}, {"k": (10, 20, 50, 10)}),
        ({"recommender": "random"}, {"recommender": "random", "backend": None}),
        ({}, {"split": "mine"}),
    ],
)
def test_what_makes_no_difference_does_not(dataset: Dataset, one: dict, other: dict) -> None:
    keys = {run_key(spec(dataset, **asked), dataset, Digests()) for asked in (one, other)}
    assert len(keys) == 1


def test_content_changes_the_key_and_the_place_does_not(dataset: Dataset, tmp_path: Path) -> None:
    key = run_key(spec(dataset), dataset, Digests())
    (tmp_path / "own").rename(tmp_path / "moved")
    moved = open_dataset(tmp_path / "moved")
    assert run_key(spec(moved), moved, Digests()) == key
    path = tmp_path / "moved" / "embeddings" / "mert.npy"
    np.save(path, np.load(path) * 2)
    assert run_key(spec(moved), moved, Digests()) != key


def test_other_vectors_leave_runs_alone_that_do_not_read_them(dataset: Dataset) -> None:
    asked = {"recommender": "popularity", "backend": "mert"}
    key = run_key(spec(dataset, **asked), dataset, Digests())
    path = dataset.folder / "embeddings" / "mert.npy"
    np.save(path, np.load(path) * 2)
    assert run_key(spec(dataset, **asked), dataset, Digests()) == key


def test_a_raised_version_changes_the_key(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = run_key(spec(dataset), dataset, Digests())
    monkeypatch.setattr(KNN, "version", KNN.version + 1)
    assert run_key(spec(dataset), dataset, Digests()) != key


def test_command_names_all_that_was_asked(dataset: Dataset) -> None:
    asked = spec(dataset, settings={"center": True}, shuffled=True, seed=2, k=(5,))
    assert asked.command() == (
        f"python -m mrs run --dataset {dataset.spec} --split mine --backend mert "
        "--recommender knn --scenario hot --seed 2 --shuffled --set center=true --k 5"
    )
    assert replace(asked, shuffled=False).fit == replace(
        spec(dataset, scenario="cold"), scenario="", k=(), settings=(("center", True),), seed=2
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recommender": "knm"}, "'knm' is unknown"),
        ({"scenario": "warm"}, "scenario 'warm' is unknown; choose one of hot, cold"),
        ({"backend": "mart"}, "no backend 'mart'"),
        ({"backend": None}, "reads vectors: name a backend"),
        ({"split": "other"}, "no split 'other'"),
        ({"protocol": "lax"}, "protocol 'lax' is unknown; known: corrected, published"),
        ({"k": (0, 10)}, "must be 1 or more"),
        ({"k": ()}, "must be 1 or more"),
        ({"seed": -1}, "seed -1"),
        ({"recommender": "popularity", "scenario": "cold"}, "cannot answer the cold scenario"),
        ({"recommender": "popularity", "shuffled": True}, "nothing to shuffle"),
        ({"recommender": "oracle"}, "needs a known truth"),
    ],
)
def test_mistakes(dataset: Dataset, change: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        spec(dataset, **change)


def test_only_cold_validation_marks_the_runs_that_it_stops(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bimodal's keys on other splits, and those of what does not look at it, stay as they were."""

    def keys() -> list[str]:
        asked = ({"recommender": "bimodal_content"}, {"recommender": "knn"})
        return [run_key(spec(dataset, **one), dataset, Digests()) for one in asked]

    bimodal, knn = keys()
    monkeypatch.setattr(BimodalContent, "stops_on_cold", False)
    assert keys() == [bimodal, knn]
    monkeypatch.undo()
    monkeypatch.setattr(Dataset, "validates_cold", lambda *_: True)
    marked, same = keys()
    assert marked != bimodal
    assert same == knn


def test_a_catalogue_split_and_files_say_whether_they_validate_cold(tmp_path: Path) -> None:
    write_own(tmp_path / "own", random_parts())
    files = tmp_path / "own" / "splits"
    name = next(iter(files.iterdir())).name
    own = open_dataset(tmp_path / "own")
    assert not own.validates_cold(name)
    first = next((files / name).glob("cold_test*"))
    copyfile(first, first.with_name(first.name.replace("cold_test", "cold_val")))
    assert open_dataset(tmp_path / "own").validates_cold(name)
    rule = CatalogueRule(test_start=datetime(2020, 1, 1))
    assert not rule.validates_cold
    assert replace(rule, cold_validation_share=0.3).validates_cold
    assert replace(rule, cold_validation_start=datetime(2019, 12, 1)).validates_cold
