"""The catalogue split of a small generated world, its slices, and what a run says of new tracks."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from specs import make_spec
from worlds import random_parts, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs.errors import InputError
from mrs.evaluation.track_popularity import spearman
from mrs.files import Digests
from mrs.recommenders import RECOMMENDERS
from mrs.study.ranker import candidates_and_truth, slice_rows
from mrs.study.results import Results
from mrs.study.run import run, run_fit
from mrs.study.spec import SLICES, RunSpec, run_key
from mrs.study.store import Record, Store
from mrs.study.study import Study

TINY = "demo:n_users=30,n_tracks=60,n_artists=12,n_cold=10"
WORLD = "demo:n_users=80,n_tracks=150,n_artists=30,n_cold=40"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def world(home: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setenv("MRS_DATA", str(home))
    return open_dataset(WORLD)


def spec(dataset: Dataset, scenario: str, recommender: str = "random", **more: object) -> RunSpec:
    asked = {"recommender": recommender, "scenario": scenario, "split": "catalogue"} | more
    return make_spec(dataset, **asked)  # type: ignore[arg-type]


def test_keys_of_runs_on_the_temporal_split_stay(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of earlier versions must be found again: these keys are theirs."""
    monkeypatch.setenv("MRS_DATA", str(home))
    dataset = open_dataset(TINY)
    keys = {
        ("popularity", None, "hot", 0): "e1de43137d1c396e5c4a",
        ("knn", "mert", "cold", 0): "a916178105296db08ed7",
        ("random", None, "cold", 1): "cad0466ac340002b99e8",
        ("oracle", None, "cold", 0): "14176d5ae9430727822b",
    }
    for (name, backend, scenario, seed), key in keys.items():
        asked = make_spec(dataset, recommender=name, backend=backend, scenario=scenario, seed=seed)
        assert run_key(asked, dataset, Digests()) == key


def test_an_older_world_has_the_catalogue_split_too(world: Dataset) -> None:
    path = world.folder / "dataset.json"
    text = path.read_text()
    info = json.loads(text)
    del info["splits"]["catalogue"]
    path.write_text(json.dumps(info))
    try:
        older = open_dataset(WORLD)
        assert older.splits() == world.splits() == ["temporal", "catalogue"]
        assert older.split_digest("catalogue", Digests()) == world.split_digest(
            "catalogue", Digests()
        )
    finally:
        path.write_text(text)


def test_the_catalogue_split_of_the_world(world: Dataset) -> None:
    split = world.split("catalogue")
    assert split.cold_val is not None
    held = np.unique(split.cold_val.track)
    assert len(held) > 3
    assert not set(held) & (set(split.cold) | set(split.warm))
    assert set(split.cold) == set(split.cold_test.track)
    assert split.cold_val.timestamp.max() < split.cold_test.timestamp.min()
    assert not split.known_artist[split.cold].all()
    assert np.bincount(split.train.track)[split.warm].min() >= 5
    assert np.bincount(split.train.user).min() >= 5


def test_slices_divide_the_truth_and_share_the_candidates(world: Dataset) -> None:
    split = world.split("catalogue")
    rows = np.stack([slice_rows(split, name) for name in SLICES])
    assert (rows.sum(axis=0) == 1).all()
    assert rows.any(axis=1).all()
    whole = candidates_and_truth(world, split, "cold")
    artist = dict(zip(world.tracks["track_id"], world.tracks["artist_id"], strict=True))
    trained: dict[int, set[int]] = {}  # artists by user
    for user, track in zip(split.train.user, split.tracks[split.train.track], strict=True):
        trained.setdefault(user, set()).add(artist[track])
    anybody = set().union(*trained.values())
    found = 0
    for name in SLICES:
        users, candidates, truth, seen = candidates_and_truth(world, split, name)
        assert np.array_equal(candidates, whole[1])
        assert seen is None
        assert np.diff(truth.indptr).min() == 1 or np.diff(truth.indptr).min() > 0
        assert set(users) <= set(whole[0])
        for row, column in zip(*truth.nonzero(), strict=True):
            its = artist[split.tracks[candidates[column]]]
            mine = its in trained[users[row]]
            says = "unknown_artist" if its not in anybody else "exploit" if mine else "discovery"
            assert name == f"cold/{says}"
        found += truth.nnz
    assert found == whole[2].nnz


def test_slices_are_scored_from_the_same_ranking(world: Dataset, tmp_path: Path) -> None:
    names = ("cold", *SLICES)
    store = Store(tmp_path)
    asked = [spec(world, name, seed=3) for name in names]
    records = dict(zip(names, run_fit(asked, store, world), strict=True))
    assert len({record.key for record in records.values()}) == 4
    assert len({one.fit for one in asked}) == 1
    whole = records["cold"].users
    assert records["cold"].info["n_users"] == len(whole)
    ranks: dict[int, list[int]] = {}
    for name in SLICES:
        users = records[name].users
        assert records[name].info["n_users"] == len(users) <= len(whole)
        assert set(users["n_candidates"]) == set(whole["n_candidates"])
        for user, hits in users.select("user_id", "hit_ranks").iter_rows():
            ranks.setdefault(user, []).extend(hits)
        alone = run(spec(world, name, seed=3), Store(tmp_path / name[5:]), world)
        assert alone.users.equals(users)
    assert {user: sorted(hits) for user, hits in ranks.items()} == {
        user: sorted(hits) for user, hits in whole.select("user_id", "hit_ranks").iter_rows()
    }
    relevant = pl.concat([records[name].users for name in SLICES]).group_by("user_id")
    sums = dict(relevant.agg(pl.col("n_relevant").sum()).iter_rows())
    assert sums == dict(whole.select("user_id", "n_relevant").iter_rows())


@pytest.fixture
def told(world: Dataset, tmp_path: Path) -> dict[str, Record]:
    names = ("random", "oracle", "oracle_content", "artist_popularity")
    return {name: run(spec(world, "cold", name), Store(tmp_path), world) for name in names}


def test_rows_of_reference(world: Dataset, told: dict[str, Record]) -> None:
    """Chance, both ceilings and the artist's popularity stand on the catalogue split."""
    means = {name: record.values("ndcg@20").mean() for name, record in told.items()}
    chance = told["random"].chance("ndcg@20")
    assert all(record.chance("ndcg@20") == chance for record in told.values())
    assert means["oracle"] > means["oracle_content"] > chance
    assert means["oracle"] > means["artist_popularity"] > 0
    assert {name: record.info["n_users"] for name, record in told.items()} == dict.fromkeys(
        told, len(told["random"].users)
    )


def test_new_tracks_by_an_independent_count(world: Dataset, told: dict[str, Record]) -> None:
    split = world.split("catalogue")
    counts = pl.DataFrame({"track": split.cold_test.track, "count": split.cold_test.count, "n": 1})
    by_track = counts.group_by("track").sum().sort("track")
    assert by_track["track"].to_list() == split.cold.tolist()
    listens = pl.read_parquet(world.folder / "listens.parquet")
    everyone = np.unique(listens["user_id"])
    truth = world.truth("oracle")
    assert truth is not None
    mean = truth[np.searchsorted(everyone, split.users)].mean(axis=0)[split.cold]
    found = told["oracle"].info["new_tracks"]["popularity"]
    expected = spearman(mean, by_track["count"].to_numpy())
    assert found["all"]["spearman"] == pytest.approx(expected, abs=1e-6)
    assert found["all"]["found"] == pytest.approx(1)
    assert found["head"]["found"] > 1 > found["tail"]["found"]
    assert found["head"]["n_tracks"] + found["tail"]["n_tracks"] == len(split.cold)
    assert sum(row[0] for row in found["bins"]) == len(split.cold)

    shown = told["artist_popularity"].info["new_tracks"]["exposure"]
    assert set(shown) == {"10", "20", "50"}
    for rows in shown.values():
        assert sum(row["places"] for row in rows) == pytest.approx(1)
        assert sum(row["truth"] for row in rows) == pytest.approx(1)
        assert sum(row["n_tracks"] for row in rows) == len(split.cold)
    # It lists the artists with the most listeners first, the unknown ones last.
    best, unknown = shown["10"][-1], shown["10"][0]
    assert unknown["group"] == unknown["most"] == unknown["places"] == 0
    assert best["places"] > best["candidates"]


def test_only_the_whole_of_a_catalogue_split_tells_of_new_tracks(
    world: Dataset, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    for asked in (spec(world, "cold/discovery"), spec(world, "hot"),
                  spec(world, "cold", split="temporal")):  # fmt: skip
        assert "new_tracks" not in run(asked, store, world).info


def test_shuffling_leaves_each_kind_of_track_its_own_vectors(
    world: Dataset, tmp_path: Path
) -> None:
    from mrs.study.run import _vectors

    split = world.split("catalogue")
    assert split.cold_val is not None
    held = np.unique(split.cold_val.track)
    asked = spec(world, "cold", "knn", backend="mfcc", shuffled=True)
    real, shuffled = world.vectors("mfcc"), _vectors(asked, world, split)
    assert shuffled is not None
    for part in (split.warm, split.cold, held):
        moved = shuffled(part)
        assert not np.array_equal(moved, real[part])
        assert {row.tobytes() for row in moved} == {row.tobytes() for row in real[part]}


def test_a_study_may_list_slices(world: Dataset, tmp_path: Path) -> None:
    study = Study(
        title="t",
        dataset=WORLD,
        split="catalogue",
        recommenders=["random", "popularity", "artist_popularity"],  # type: ignore[arg-type]
        scenarios=("hot", "cold", "cold/unknown_artist"),
    )
    results = Results(study, Store(tmp_path), world)
    slugs = [cell.slug for cell in results.cells()]
    assert slugs == [
        "random-hot", "random-cold", "random-cold-unknown_artist", "popularity-hot",
        "artist_popularity-cold", "artist_popularity-cold-unknown_artist",
    ]  # fmt: skip
    assert results.primary("cold/unknown_artist") == "ndcg@20"
    assert " --scenario cold/unknown_artist" in results.cell(slugs[-1]).runs[0].command()


def test_mistakes(world: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'cold/new' is unknown; choose one of hot, cold, cold/d"):
        spec(world, "cold/new")
    with pytest.raises(InputError, match="popularity cannot answer the cold scenario"):
        spec(world, "cold/exploit", "popularity")
    write_own(tmp_path / "own", random_parts())
    path = tmp_path / "own" / "tracks.parquet"
    pl.read_parquet(path).drop("artist_id").write_parquet(path)
    own = open_dataset(tmp_path / "own")
    for scenario, name in (("cold/exploit", "random"), ("cold", "artist_popularity")):
        with pytest.raises(InputError, match="needs each track's artist: add a column artist_id"):
            make_spec(own, recommender=name, scenario=scenario)


def test_the_order_of_ties_is_averaged_over_seeds(world: Dataset, tmp_path: Path) -> None:
    """Over seeds the score is what uniformly random orders within an artist give."""
    records = [
        run(spec(world, "cold", "artist_popularity", seed=seed), Store(tmp_path), world)
        for seed in range(40)
    ]
    split = world.split("catalogue")
    assert split.artists is not None
    users, candidates, truth, _ = candidates_and_truth(world, split, "cold")
    listeners = np.append(split.artist_listeners, 0)[split.artists[candidates]]
    discount = np.zeros(len(candidates))
    discount[:20] = 1 / np.log2(np.arange(2, 22))
    share = np.empty(len(candidates))  # the expected discount of each candidate
    for value in np.unique(listeners):
        first = int((listeners > value).sum())
        tied = listeners == value
        share[tied] = discount[first : first + tied.sum()].mean()
    n_relevant = np.diff(truth.indptr)
    expected = (truth @ share / np.cumsum(discount)[np.minimum(n_relevant, 20) - 1]).mean()
    means = np.array([record.values("ndcg@20").mean() for record in records])
    assert len(records[0].values("ndcg@20")) == len(users)
    assert means.std() > 0.001
    assert abs(means.mean() - expected) < 4 * means.std(ddof=1) / 40**0.5
    again = run(spec(world, "cold", "artist_popularity", seed=7), Store(tmp_path / "b"), world)
    assert again.users.equals(records[7].users)


def test_only_recommenders_with_ties_by_construction_draw_their_order() -> None:
    """All others keep the dataset's fixed order, and with it their digits and keys."""
    assert {name for name, kind in RECOMMENDERS.items() if kind.ties} == {
        "artist_popularity",
        "artist_mean",
    }
