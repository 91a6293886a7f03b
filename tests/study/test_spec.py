"""What decides a run's key."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from specs import make_spec
from worlds import random_parts, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.rules import CatalogueRule
from mrs.data.splits import TemporalRule
from mrs.errors import InputError
from mrs.files import Digests, values_digest
from mrs.published.deviations import recommender_of
from mrs.recommenders.bimodal import BimodalContent
from mrs.recommenders.knn import KNN
from mrs.study.spec import RunSpec, run_key


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
    cold = spec(dataset, scenario="cold", settings={"center": True})
    assert replace(asked, shuffled=False).fit == replace(cold, seed=2).fit


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
    assert not TemporalRule(test_start=datetime(2020, 1, 1)).validates_cold
    assert replace(rule, cold_validation_share=0.3).validates_cold
    assert replace(rule, cold_validation_start=datetime(2019, 12, 1)).validates_cold


# What stands in these hashes: names, values and types of the settings, and how they are written.
@pytest.mark.parametrize(
    ("recommender", "settings", "backend", "scenario", "protocol", "key"),
    [
        ("knn", {}, "mfcc", "hot", "corrected", "41486528b96378ec209b"),
        ("knn", {"center": "true"}, "mfcc", "cold", "published", "a25094f2f6eeba6033e2"),
        (
            "shallow",
            {"n_components": "none", "n_negatives": "8"},
            "mfcc",
            "cold",
            "corrected",
            "01947161d9c6ee988727",
        ),
        ("shallow", {"margin": "0.1"}, "musicnn", "hot", "published", "fc6740d8d7c11a3ce969"),
        (
            "shallow_ids",
            {"embedding_size": "64.0"},
            None,
            "hot",
            "corrected",
            "f8fe66b71a23711c3f32",
        ),
        (
            "bimodal_content",
            {"loss": "sdclw", "sigma": "1"},
            "mfcc",
            "cold",
            "corrected",
            "b6c4d2b05b575755369d",
        ),
        (
            "bimodal_collaborative",
            {"backbone": "als"},
            "mfcc",
            "hot",
            "corrected",
            "1b55cebc244eb2dd0edc",
        ),
        (
            "bimodal_average",
            {"temperature": "5e-2"},
            "mfcc",
            "hot",
            "published",
            "f3bac48c5ab87fb5274d",
        ),
        ("hybrid", {"hidden_size": 64}, "mfcc", "cold", "corrected", "08df83a36fc5de149e85"),
        (
            "bert4rec",
            {"softmax": "sampled", "residual": "false"},
            "mfcc",
            "hot",
            "corrected",
            "b556d694144387eeffdf",
        ),
        ("bert4rec_ids", {"dropout": 0}, None, "hot", "corrected", "b6d1c6ff0391da6c43f6"),
        ("elsa", {"learning_rate": "1e-3"}, None, "hot", "corrected", "6b1ba139ac6eea88d562"),
        (
            "als",
            {"alpha": 10, "regularization": "0"},
            None,
            "hot",
            "corrected",
            "b48ae0aca800e1681712",
        ),
        ("bpr", {"max_epochs": "1e2"}, None, "hot", "corrected", "c0e28bf11e3e332d0a81"),
        ("artist_mean", {"backbone": "elsa"}, None, "cold", "corrected", "82c2db09cab0907d392b"),
        ("deepmusic", {"use_artist": True}, "mfcc", "cold", "corrected", "73fa73564c429d8ff10a"),
        ("clcrec", {"lambda_": 1}, "mfcc", "cold/exploit", "corrected", "b463b67273ff2e0f1c09"),
        ("heater", {"dropout": 1}, "mfcc", "cold", "corrected", "d2f633bc5520003752ab"),
        ("gar", {"beta": "0"}, "mfcc", "cold", "corrected", "98bf5dd01129a3418cfd"),
        (
            "acarec",
            {"fusion": "glu", "n_heads": 4},
            "mfcc",
            "cold",
            "published",
            "44be6b6fa8d25d25942d",
        ),
        ("random", {}, None, "hot", "corrected", "8565f9c577da254ff454"),
        ("popularity", {}, None, "hot", "corrected", "1e62d2a78bdc021634cf"),
        ("artist_popularity", {}, None, "cold", "corrected", "28421a48245460aa48e4"),
        ("oracle_content", {}, None, "cold", "corrected", "54d536930d2457cd6fd9"),
    ],
)
def test_a_run_keeps_its_name(
    recommender: str, settings: dict, backend: str, scenario: str, protocol: str, key: str
) -> None:
    made = recommender_of(recommender, settings, protocol)
    asked = RunSpec(
        dataset="demo",
        split="temporal",
        recommender=made,
        backend=backend,
        scenario=scenario,
    )
    assert values_digest(asked.identity())[:20] == key
