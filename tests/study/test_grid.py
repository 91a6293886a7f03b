"""The grid: only what is missing runs, whatever happened before and however many workers."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from worlds import random_parts, write_own

from mrs.errors import InputError
from mrs.study.grid import make_plan, run_grid
from mrs.study.results import Results
from mrs.study.store import Store
from mrs.study.study import Study, load_study

TEXT = """
title: a test
dataset: {dataset}
recommenders: [knn, {{knn: {{center: true}}}}, random, popularity]
seeds: [0, 1]
shuffled_seeds: [0, 1]
k: [1, 5]
"""
N_RUNS = 2 * 2 * 3 + 2 * 2 + 1  # two KNNs, hot and cold, 1 + 2 runs; random twice; popularity hot


def write_study(folder: Path, text: str = TEXT) -> Study:
    """A small dataset and a study of it in a folder."""
    write_own(folder / "own", random_parts())
    (folder / "study.yaml").write_text(text.format(dataset=folder / "own"))
    return load_study(folder / "study.yaml")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A study whose grid ran with one worker. Tests leave it as it is."""
    folder = tmp_path_factory.mktemp("done")
    return run_grid(write_study(folder), Store(folder / "store"), workers=1)


@pytest.fixture
def copy(done: Results, tmp_path: Path) -> Results:
    """A copy of it that a test may change."""
    store = tmp_path / "store"
    shutil.copytree(done.store.folder, store)
    return Results(done.study, Store(store))


def digits(results: Results) -> dict[str, pl.DataFrame]:
    """All per-user scores by key; every run of the study must be there."""
    records = {results.key(spec): results.record(spec) for spec in results.specs()}
    assert all(records.values())
    return {key: record.users for key, record in records.items() if record}


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> bool:
    return one.keys() == other.keys() and all(one[key].equals(other[key]) for key in one)


def test_cells(done: Results) -> None:
    assert [cell.slug for cell in done.cells()] == [
        "knn-mert-hot",
        "knn-mert-cold",
        "knn-center-true-mert-hot",
        "knn-center-true-mert-cold",
        "random-hot",
        "random-cold",
        "popularity-hot",
    ]
    knn, rand = done.cell("knn-mert-hot"), done.cell("random-cold")
    assert [len(knn.runs), len(knn.shuffled)] == [1, 2]
    assert [len(rand.runs), len(rand.shuffled)] == [2, 0]
    assert (knn.title, rand.title) == ("MERT, hot", "cold")
    assert len(done.specs()) == N_RUNS


def test_two_workers_or_one_give_the_same_digits(done: Results, tmp_path: Path) -> None:
    two = run_grid(done.study, Store(tmp_path / "two"), workers=2)
    assert len(digits(two)) == N_RUNS
    assert same(digits(done), digits(two))


def test_nothing_runs_twice(copy: Results) -> None:
    times = {p: p.stat().st_mtime_ns for p in copy.store.folder.glob("*/run.json")}
    assert make_plan(copy).n_missing == 0
    run_grid(copy.study, copy.store, workers=1)
    assert {p: p.stat().st_mtime_ns for p in copy.store.folder.glob("*/run.json")} == times


def test_a_changed_parameter_runs_only_its_recommender(done: Results, tmp_path: Path) -> None:
    changed = TEXT.replace("random,", "{{random: {{embedding_size: 4}}}},")
    path = tmp_path / "changed.yaml"
    path.write_text(changed.format(dataset=done.study.dataset))
    plan = make_plan(Results(load_study(path), done.store))
    assert {spec.recommender.name for fit in plan.fits for spec in fit} == {"random"}
    assert (plan.n_missing, len(plan.fits)) == (4, 2)  # two seeds, each serves both scenarios


def test_a_failing_fit_leaves_the_others(tmp_path: Path) -> None:
    study = write_study(tmp_path)
    cold = tmp_path / "own" / "splits" / "mine" / "cold_test.parquet"
    pl.read_parquet(cold).clear().write_parquet(cold)
    store = Store(tmp_path / "store")
    with pytest.raises(RuntimeError, match="no cold test rows"):
        run_grid(study, store, workers=1)
    assert {record.info["scenario"] for record in store.records()} == {"hot"}


def test_no_workers(done: Results) -> None:
    with pytest.raises(InputError, match="workers 0: must be 1 or more"):
        run_grid(done.study, done.store, workers=0)


@pytest.mark.slow
def test_killed_half_way_the_rest_runs_and_equals(tmp_path: Path) -> None:
    many = ", ".join(map(str, range(60)))  # enough runs that a kill comes in the middle
    study = write_study(
        tmp_path, TEXT.replace("shuffled_seeds: [0, 1]", f"shuffled_seeds: [{many}]")
    )
    whole = digits(run_grid(study, Store(tmp_path / "whole"), workers=2))
    store = Store(tmp_path / "killed")
    command = [sys.executable, "-m", "mrs", "grid", "--study", str(tmp_path / "study.yaml")]
    command += ["--store", str(store.folder), "--workers", "1"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(store.records()) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {record.key: record.folder.stat().st_mtime_ns for record in store.records()}
    assert 20 <= len(before) < len(whole)
    results = run_grid(study, store, workers=2)
    assert same(digits(results), whole)
    assert all((store.folder / k).stat().st_mtime_ns == stamp for k, stamp in before.items())
