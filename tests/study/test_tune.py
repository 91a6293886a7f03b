"""The search: equal budgets, seeded trials, outcomes that outlive a kill."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from planted import planted
from worlds import random_parts, write_own

from mrs.data.dataset import open_dataset
from mrs.data.pseudo_cold import pseudo_cold_split
from mrs.errors import InputError
from mrs.evaluation.metrics import Judged, chance, evaluate
from mrs.evaluation.ranking import factor_scores, top_k
from mrs.recommenders import make_recommender
from mrs.recommenders.als import ALS
from mrs.recommenders.training import validation_ndcg
from mrs.study import tune as tuning
from mrs.study.store import Store
from mrs.study.study import Study, load_study
from mrs.study.tune import SCHEMA, Job, fit_and_score, plan, tune, tuning_backends, tuning_dataset

STUDY = """
title: a test
dataset: {dataset}
recommenders:
  - knn
  - hybrid: {{hidden_size: 8, max_epochs: 2}}
  - elsa: {{embedding_size: 8, max_epochs: 3}}
  - als: {{embedding_size: 8, max_epochs: 3}}
  - popularity
scenarios: [hot]
"""
TIMES = ["seconds", "cpu_seconds", "created"]


def write_study(folder: Path, text: str = STUDY) -> Path:
    write_own(folder / "own", random_parts())
    (folder / "study.yaml").write_text(text.format(dataset=folder / "own"))
    return folder / "study.yaml"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Jobs run in this process; the list collects them."""
    done: list[Job] = []

    def run(function: Any, jobs: list[Job], *, store: str, **rest: Any) -> Iterator[str]:
        for job in jobs:
            function(job, store=store)
            done.append(job)
        return iter(())

    monkeypatch.setattr(tuning, "run_on_workers", run)
    return done


def of(dataset: str) -> Study:
    return Study(title="t", recommenders=["als"], dataset=dataset)  # type: ignore[arg-type]


def test_which_data_is_searched_on() -> None:
    assert tuning_dataset(of("demo")) == "demo:seed=1"
    assert tuning_dataset(of("demo:seed=4,n_users=300")) == "demo:n_users=300,seed=5"
    assert tuning_dataset(of("data/own")) == "data/own"


def test_three_rungs(tmp_path: Path) -> None:
    rungs = dict(zip(["musicfm", "music2vec", "encodecmae", "mert", "jukebox", "mule", "muq"],
                     [0.1, 0.7, 0.3, 0.2, 0.5, 0.4, 0.6], strict=True))  # fmt: skip
    results = planted(tmp_path, "recommenders: [hybrid]\n", rungs | {"mfcc": 0.15})
    # Of seven rungs the second, the fourth and the sixth; the stand-in is not among them.
    assert tuning_backends(results.study, results.dataset) == ["mert", "mule", "muq"]
    few = results.study.model_copy(update={"backends": ("mfcc", "mert")})
    assert tuning_backends(few, results.dataset) == ["mfcc", "mert"]


def test_equal_budgets_and_trial_0(tmp_path: Path) -> None:
    rungs = {"mert": 0.1, "mule": 0.2, "muq": 0.3, "jukebox": 0.4}
    text = STUDY.partition("recommenders:")[2].replace("{{", "{").replace("}}", "}")
    results = planted(tmp_path, f"recommenders:{text}", rungs)
    planned = plan(results.study, results.dataset, trials=4, seed=0)
    names = [trial.group.name for trial in planned]
    assert names == ["hybrid", "elsa", "als"] * 4  # round by round
    assert [trial.number for trial in planned] == [n for n in range(4) for _ in range(3)]
    assert {len(trial.jobs) for trial in planned} == {3}
    assert [job.backend for job in planned[0].jobs] == ["mert", "muq", "jukebox"]
    assert [(job.backend, job.seed) for job in planned[1].jobs] == [(None, 0), (None, 1), (None, 2)]
    for trial, variant in zip(planned[:3], results.study.recommenders[1:4], strict=True):
        present = variant.model.settings()
        assert dict(trial.jobs[0].settings) == present
    more = plan(results.study, results.dataset, trials=6, seed=0)
    assert more[: len(planned)] == planned  # more trials keep those that were done


def test_the_criterion_is_the_validation_ndcg_that_fits_watch(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path))
    dataset = open_dataset(study.dataset)
    job = plan(study, dataset, 1, 0)[2].jobs[1]
    assert (job.cells, job.seed) == ((("als", "hot"),), 1)
    (cell,) = fit_and_score(job)["cells"]
    split = dataset.split()
    fitted = make_recommender("als", dict(job.settings)).fit(split, seed=1)
    expected = validation_ndcg(split, fitted.users(), fitted.items())
    assert cell["score"] == pytest.approx(expected, abs=1e-9)
    assert cell["n_users"] == len(np.unique(split.val.user)) > 0
    assert cell["metric"] == "ndcg@50"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("MRS_DATA", str(tmp_path))
    return "demo:n_users=120,n_tracks=300,n_artists=40,n_cold=30,seed=1"


def test_cold_is_ranked_among_tracks_that_the_fit_left_out(world: str) -> None:
    dataset = open_dataset(world)
    cells = (("knn", "hot"), ("knn", "cold"))
    center = (("center", False),)
    job = Job(world, dataset.split_name(), cells, True, center, "mert", 0, 1)
    outcome = fit_and_score(job)
    split, months = pseudo_cold_split(dataset.split())
    vectors = dataset.vectors("mert")
    fitted = make_recommender("knn", {}).fit(split, vectors[split.warm], seed=0)
    tested = np.unique(split.cold_test.user)
    scores = factor_scores(fitted.users()[tested], fitted.encode(vectors[split.cold]))
    lists = top_k(scores, len(tested), len(split.cold), 20)
    truth = np.zeros((len(split.users), len(split.tracks)), dtype=bool)
    truth[split.cold_test.user, split.cold_test.track] = True
    import scipy.sparse as sp

    judged = Judged.from_lists(lists, sp.csr_matrix(truth[tested][:, split.cold]))
    expected = evaluate(judged, ["ndcg"], [20])["ndcg@20"].mean()
    hot, cold = outcome["cells"]
    assert cold["score"] == pytest.approx(expected, abs=1e-9)
    assert (cold["metric"], cold["n_candidates"]) == ("ndcg@20", len(split.cold))
    assert cold["n_users"] == len(tested)
    n_relevant = truth[tested][:, split.cold].sum(axis=1)
    level = chance(np.full(len(tested), len(split.cold)), n_relevant, ["ndcg"], [20])["ndcg@20"]
    assert cold["chance"] == pytest.approx(level.mean())
    assert hot["n_users"] == len(np.unique(split.val.user))
    assert outcome["months"] == months


def test_seeded_trials_are_equal_whatever_the_workers(tmp_path: Path) -> None:
    path = write_study(tmp_path)
    frames = [
        tune(path, Store(tmp_path / f"store{n}"), trials=2, workers=n).drop(TIMES) for n in (1, 2)
    ]
    assert frames[0].equals(frames[1])
    assert frames[0].filter(pl.col("score").is_nan()).is_empty()


def test_a_killed_search_goes_on(
    tmp_path: Path, here: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_study(tmp_path)
    whole = tune(path, Store(tmp_path / "whole"), trials=3)
    n_jobs = len(here)
    assert n_jobs == 3 * (1 + 3 + 3)  # the dataset has vectors of one backend
    here.clear()

    store = Store(tmp_path / "killed")
    work = tuning._work

    def killed(job: Job, store: str) -> None:
        if len(here) == 5:
            raise KeyboardInterrupt
        work(job, store)

    with monkeypatch.context() as patch:
        patch.setattr(tuning, "_work", killed)
        with pytest.raises(KeyboardInterrupt):
            tune(path, store, trials=3)
    here.clear()
    again = tune(path, store, trials=3)
    assert len(here) == n_jobs - 5
    assert again.drop(TIMES).equals(whole.drop(TIMES))
    here.clear()
    more = tune(path, store, trials=4)
    assert set(here) == {j for t in plan_of(path, 4)[-3:] for j in t.jobs}
    assert (
        more.filter(pl.col("trial") < 3)
        .drop(*TIMES, "command")
        .equals(whole.drop(*TIMES, "command"))
    )


def plan_of(path: Path, trials: int) -> list[tuning.Trial]:
    study = load_study(path)
    return plan(study, open_dataset(study.dataset), trials, 0)


def test_changed_data_is_another_search(tmp_path: Path, here: list[Job]) -> None:
    path = write_study(tmp_path)
    tune(path, Store(tmp_path / "store"), trials=1)
    n_jobs = len(here)
    here.clear()
    train = tmp_path / "own/splits/mine/val.parquet"
    pl.read_parquet(train).head(4).write_parquet(train)
    tuning._data.cache_clear()
    tune(path, Store(tmp_path / "store"), trials=1)
    assert len(here) == n_jobs


def test_the_file(tmp_path: Path, here: list[Job]) -> None:
    path = write_study(tmp_path)
    frame = tune(path, Store(tmp_path / "store"), trials=2, seed=3)
    stored = pl.read_parquet(tmp_path / "study.tuning.parquet")
    assert stored.equals(frame)
    assert stored.schema == pl.Schema(SCHEMA)
    assert set(stored["command"]) == {f"python -m mrs tune --study {path} --trials 2 --seed 3"}
    assert stored["seconds"].min() > 0  # type: ignore[operator]
    settings = json.loads(stored.filter(pl.col("group") == "hybrid")["settings"][0])
    assert settings["max_epochs"] == 2
    assert stored.filter(pl.col("trial") == 0)["values"].str.json_decode(
        pl.Struct({"embedding_size": pl.Int64})
    ).struct.field("embedding_size").drop_nulls().unique().to_list() == [8]


def test_a_fit_that_explodes_is_never_chosen(
    tmp_path: Path, here: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_study(tmp_path)

    class Broken:
        converged = False

        def users(self) -> np.ndarray:
            return np.array([[np.nan]])

        items = users

    class Exploding(ALS):
        def fit(self, *arguments: Any, **named: Any) -> Any:
            return Broken()

    study = load_study(path)
    job = plan(study, open_dataset(study.dataset), 1, 0)[2].jobs[0]
    monkeypatch.setattr(tuning, "make_recommender", lambda *_: Exploding())
    assert np.isnan(fit_and_score(job)["cells"][0]["score"])


def test_bad_input(tmp_path: Path) -> None:
    path, store = write_study(tmp_path), Store(tmp_path / "store")
    with pytest.raises(InputError, match="trials 0: must be 1 or more"):
        tune(path, store, trials=0)
    with pytest.raises(InputError, match="workers 0: must be 1 or more"):
        tune(path, store, workers=0)
    with pytest.raises(InputError, match="seed -1: must be 0 or more"):
        tune(path, store, seed=-1)
    with pytest.raises(InputError, match="no such study file"):
        tune(tmp_path / "none.yaml", store)
    path.write_text(path.read_text().replace("scenarios: [hot]", "scenarios: [hot, cold]"))
    with pytest.raises(InputError, match="fewer than 50 tracks were first played"):
        tune(path, store)
    path.write_text(f"title: t\ndataset: {tmp_path / 'own'}\nrecommenders: [knn, popularity]\n")
    with pytest.raises(InputError, match="no recommender with anything to search"):
        tune(path, store)
    assert not (tmp_path / "study.tuning.parquet").exists()
    assert not (tmp_path / "store/.tuning").exists()


def test_models_for_new_tracks_can_be_searched(world: str) -> None:
    """Their space has rates of its own, and a fit's backbone has the epochs that they ask for."""
    dataset = open_dataset(world)
    few = {"max_epochs": 2, "backbone_epochs": 3}
    study = Study(
        title="t",
        dataset=world,
        split="catalogue",
        backends=("mert",),
        recommenders=[{"deepmusic": few}, {"gar": few}],  # type: ignore[list-item]
    )
    planned = plan(study, dataset, 2, 0)
    assert [trial.group.name for trial in planned] == ["deepmusic", "gar"] * 2
    drawn = planned[3].values
    assert set(drawn) == {"learning_rate", "alpha", "beta"}
    assert 0.5 <= drawn["alpha"] <= 1
    (cell,) = fit_and_score(planned[0].jobs[0])["cells"]
    assert (cell["recommender"], cell["scenario"]) == ("deepmusic", "cold")
    assert 0 < cell["chance"] < 1
    assert np.isfinite(cell["score"])
