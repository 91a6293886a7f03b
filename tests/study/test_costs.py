"""What fits take: known times, scaled ones, memory by hand."""

import runpy
from pathlib import Path

import pytest
from specs import make_spec
from worlds import random_parts, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs.study import costs
from mrs.study.archive import pack
from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.spec import RunSpec
from mrs.study.store import Store
from mrs.study.study import Study


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    parts = random_parts()
    write_own(tmp_path / "own", parts)
    return open_dataset(tmp_path / "own")


def spec(dataset: Dataset, recommender: str, **settings: object) -> RunSpec:
    return make_spec(dataset, recommender=recommender, scenario="hot", settings=settings)


def test_known_times_come_first(dataset: Dataset) -> None:
    known = {"elsa": [1.0, 5.0, 2.0]}
    fits = [spec(dataset, "elsa"), spec(dataset, "als"), spec(dataset, "popularity")]
    scaled = costs.seconds_of(fits, known, lambda s: 7.0 if s.recommender.name == "als" else None)
    assert scaled == [2.0, 7.0, None]


def test_times_scale_with_what_an_epoch_passes_through(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BPR passes through pairs, ELSA through users x tracks; both are best after 3 epochs."""
    row = {"epoch_seconds": 2.0, "epochs": 3.0, "units": 10.0}
    row |= {"rank_seconds": 1.0, "size": 100.0}
    names = ("bpr", "elsa", "popularity", "bert4rec_ids")
    monkeypatch.setattr(costs, "measured", lambda: dict.fromkeys(names, row))
    split = dataset.split()
    n_pairs, size = len(split.train), len(split.users) * len(split.warm)
    scaled = costs.Scaled(split)
    ranking = size / 100
    few = spec(dataset, "bpr", max_epochs=4, patience=2)
    assert scaled(few) == 2 * 4 * n_pairs / 10 + ranking
    elsa = spec(dataset, "elsa", max_epochs=20, patience=2)
    assert scaled(elsa) == 2 * (3 + 2) * size / 10 + ranking
    assert scaled(spec(dataset, "popularity")) == 2 * 3 * size / 10 + ranking
    sequences = spec(dataset, "bert4rec_ids", max_epochs=2)
    units = len(split.users) * (costs.ENCODER + len(split.warm))
    assert scaled(sequences) == 2 * 2 * units / 10 + ranking
    assert scaled(spec(dataset, "als")) is None


def test_rows_that_every_batch_moves_cost_time(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"epoch_seconds": 0.0, "epochs": 3.0, "units": 10.0, "rank_seconds": 0.0, "size": 1.0}
    monkeypatch.setattr(costs, "measured", lambda: {"clcrec": row})
    split = dataset.split()
    rows = len(split.users) + len(split.warm)
    clcrec = make_spec(
        dataset,
        recommender="clcrec",
        scenario="cold",
        backend="mert",
        settings={"batch_size": 7, "max_epochs": 50, "patience": 2},
    )
    wanted = 5 * len(split.train) / 7 * rows * costs.PER_ROW
    assert costs.Scaled(split)(clcrec) == pytest.approx(wanted)


def test_memory_grows_with_what_is_trained(dataset: Dataset) -> None:
    split = dataset.split()
    base = costs.LIBRARIES + costs.BLOCK + costs.PER_PAIR * len(split.train)
    rows = len(split.users) + len(split.warm)
    wide, narrow = (spec(dataset, "elsa", embedding_size=d) for d in (64, 8))
    assert costs.memory([narrow, wide], dataset, split) == base + 4 * 4 * rows * 64
    assert costs.memory([spec(dataset, "popularity")], dataset, split) == base


def test_every_recommender_of_the_papers_has_a_measured_cost() -> None:
    study_of_papers = {"knn", "shallow", "bimodal_content", "hybrid", "bert4rec", "elsa"}
    of_cold_start = {"acarec", "artist_mean", "clcrec", "deepmusic", "gar", "heater"}
    rows = costs.measured()
    assert study_of_papers | of_cold_start <= set(rows)
    for row in rows.values():
        assert row["epoch_seconds"] > 0
        assert row["epochs"] >= 1


def test_the_estimate_of_a_study(dataset: Dataset, tmp_path: Path) -> None:
    study = Study.model_validate(
        {"title": "t", "dataset": dataset.spec, "recommenders": ["elsa", "popularity"]}
        | {"scenarios": ["hot"]}
    )
    results = Results(study, Store(tmp_path / "store"), dataset)
    fits = [[one] for one in results.specs()]
    unrun = costs.estimate(results, fits)
    assert unrun.unknown == 0
    assert unrun.seconds == unrun.scaled > 0
    assert unrun.memory == costs.memory(results.specs(), dataset, dataset.split())
    info = {"dataset": {"name": dataset.name}, "recommender": "elsa"}
    users = dataset.tracks.head(1)
    for key, seconds in (("a", 100.0), ("b", 300.0)):
        results.store.write(key, info | {"seconds": {"fit": seconds, "rank": 1.0}}, users)
    elsewhere = {"dataset": {"name": "another"}, "seconds": {"fit": 1e6, "rank": 0.0}}
    results.store.write("c", info | elsewhere, users)
    known = costs.estimate(results, fits)
    assert known.seconds - known.scaled == pytest.approx(201)
    assert list(known.by_recommender) == ["elsa", "popularity"]
    assert known.by_recommender["elsa"] == 201
    assert costs.estimate(results, []) == costs.Estimate({}, 0, 0, 0)


def test_epochs_are_the_archives_and_seconds_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fits of ELSA that stop two epochs after the best; the one that is timed has a few."""
    monkeypatch.setenv("MRS_DATA", str(tmp_path / "data"))
    world = open_dataset("demo:n_users=60,n_tracks=90,n_artists=20,n_cold=20")
    store, path = Store(tmp_path / "store"), tmp_path / "some.parquet"
    settings = {"max_epochs": 40, "patience": 2}
    runs = []
    for seed in range(3):
        one = make_spec(world, recommender="elsa", scenario="hot", settings=settings, seed=seed)
        runs.append((one, run(one, store, world), world))
    pack(runs, path, command="none")
    script = runpy.run_path(str(Path(__file__).parents[2] / "studies/make_costs.py"))
    (row,) = script["measure"]([path, tmp_path / "absent.parquet"]).iter_rows(named=True)
    for _, record, _ in runs:
        assert record.info["converged"]
        assert len(record.info["curve"]) > script["EPOCHS"]
    best = sorted(len(record.info["curve"]) - 2 for _, record, _ in runs)
    assert (row["recommender"], row["epochs"], row["runs"]) == ("elsa", best[1], 3)
    split = world.split()
    assert row["units"] == row["size"] == len(split.users) * len(split.warm)
    assert row["epoch_seconds"] > 0
    assert row["rank_seconds"] > 0
