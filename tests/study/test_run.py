"""One run against an independent computation, in both layouts."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from specs import make_spec
from worlds import random_parts, write_authors, write_own

from mrs.data.dataset import open_dataset
from mrs.errors import InputError
from mrs.evaluation.metrics import chance
from mrs.study.ranker import candidates_and_truth
from mrs.study.run import run, run_fit
from mrs.study.spec import RunSpec
from mrs.study.store import Store

KS = (1, 3, 5, 10)


def by_hand(parts: dict, score: dict, scenario: str, k: int) -> dict[str, dict[int, float]]:
    """HitRate, Recall and NDCG per user in plain Python; `score[user][track]` are raw ids."""
    history: dict[int, set] = {}
    for user, track in parts["train"].select("user_id", "track_id").iter_rows():
        history.setdefault(user, set()).add(track)
    test = parts[f"{scenario}_test"]
    pool = set(parts["train" if scenario == "hot" else "cold_test"]["track_id"])
    out: dict[str, dict[int, float]] = {"hitrate": {}, "recall": {}, "ndcg": {}}
    row = {user: i for i, user in enumerate(sorted(history))}  # what a record of real ones holds
    for user in test["user_id"].unique():
        truth = set(test.filter(pl.col("user_id") == user)["track_id"])
        rest = pool - history[user] if scenario == "hot" else pool
        top = sorted(rest, key=lambda track: -score[user][track])[:k]
        hits = [track in truth for track in top]
        gain = sum(hit / np.log2(rank + 2) for rank, hit in enumerate(hits))
        ideal = sum(1 / np.log2(rank + 2) for rank in range(min(k, len(truth))))
        out["hitrate"][row[user]] = float(any(hits))
        out["recall"][row[user]] = sum(hits) / len(truth)
        out["ndcg"][row[user]] = gain / ideal
    return out


def knn_by_hand(parts: dict, vector: dict[int, np.ndarray]) -> dict[int, dict[int, float]]:
    """Cosine of each track with the mean of the user's history, in float64."""
    score: dict[int, dict[int, float]] = {}
    for user in parts["train"]["user_id"].unique():
        mine = parts["train"].filter(pl.col("user_id") == user)["track_id"]
        mean = np.mean([vector[track].astype(np.float64) for track in mine], axis=0)
        score[user] = {
            track: float(v @ mean / np.linalg.norm(v) / np.linalg.norm(mean))
            for track, v in vector.items()
        }
    return score


@pytest.mark.parametrize("layout", ["authors", "own"])
@pytest.mark.parametrize("scenario", ["hot", "cold"])
def test_knn_equals_an_independent_computation(tmp_path: Path, layout: str, scenario: str) -> None:
    parts = random_parts(seed=4)
    if layout == "authors":
        stored = write_authors(tmp_path / "d", parts)
        vector = dict(enumerate(stored))
    else:
        stored = write_own(tmp_path / "d", parts)
        ids = pl.read_parquet(tmp_path / "d" / "tracks.parquet")["track_id"]
        vector = dict(zip(ids, stored, strict=True))
    dataset = open_dataset(tmp_path / "d")
    spec = make_spec(dataset, recommender="knn", backend="mert", scenario=scenario, k=KS)
    record = run(spec, Store(tmp_path / "store"), dataset)
    for k in KS:
        expected = by_hand(parts, knn_by_hand(parts, vector), scenario, k)
        for metric, values in expected.items():
            found = dict(record.users.select("user_id", f"{metric}@{k}").iter_rows())
            assert found == pytest.approx(values, abs=1e-9)
            mean = record.values(f"{metric}@{k}").mean()
            assert mean == pytest.approx(np.mean(list(values.values())), abs=1e-6)


def test_popularity_equals_an_independent_computation(tmp_path: Path) -> None:
    parts = random_parts(n_users=200, seed=1)
    # distinct listener counts, so that no tie has to be broken: track i is played by 3 + 4 i users
    user = np.concatenate([np.arange(3 + 4 * i) for i in range(40)])
    track = np.concatenate([np.full(3 + 4 * i, i * 3 + 10) for i in range(40)])
    first = parts["train"]["timestamp"].min()
    parts["train"] = pl.DataFrame({"user_id": user * 5 + 2, "track_id": track}).with_columns(
        timestamp=pl.lit(first), count=pl.lit(7)
    )
    known = pl.col("user_id").is_in(parts["train"]["user_id"].unique().implode())
    parts = {name: frame.filter(known) for name, frame in parts.items()}
    played = parts["train"].select("user_id", "track_id")
    for name in ("val", "hot_test"):
        parts[name] = parts[name].join(played, on=["user_id", "track_id"], how="anti")
    write_authors(tmp_path / "d", parts)
    dataset = open_dataset(tmp_path / "d")
    spec = make_spec(dataset, recommender="popularity", scenario="hot", k=KS)
    record = run(spec, Store(tmp_path / "store"), dataset)
    count = {i * 3 + 10: 3 + 4 * i for i in range(40)}
    score = dict.fromkeys(parts["train"]["user_id"].unique(), count)
    for k in KS:
        for metric, values in by_hand(parts, score, "hot", k).items():
            found = dict(record.users.select("user_id", f"{metric}@{k}").iter_rows())
            assert found == pytest.approx(values, abs=1e-9)


def knn(dataset_folder: Path, **changes: object) -> tuple[RunSpec, object]:
    dataset = open_dataset(dataset_folder)
    asked = {"recommender": "knn", "backend": "mert", "scenario": "hot", "k": KS} | changes
    return make_spec(dataset, **asked), dataset  # type: ignore[arg-type]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    return tmp_path / "own"


def test_candidates_and_truth(own: Path) -> None:
    dataset = open_dataset(own)
    split = dataset.split()
    users, candidates, truth, seen = candidates_and_truth(dataset, split, "hot")
    assert set(candidates) == set(split.warm)
    assert not np.array_equal(candidates, np.sort(candidates))
    assert seen is not None
    assert not truth.multiply(seen).nnz
    assert truth.sum() == len(split.hot_test)
    pairs = {(users[r], candidates[c]) for r, c in zip(*truth.nonzero(), strict=True)}
    assert pairs == set(zip(split.hot_test.user, split.hot_test.track, strict=True))
    users, candidates, truth, seen = candidates_and_truth(dataset, split, "cold")
    assert set(candidates) == set(split.cold)
    assert seen is None
    assert set(users) == set(split.cold_test.user)


def test_truth_that_was_played_before_does_not_count(own: Path) -> None:
    path = own / "splits" / "mine" / "hot_test.parquet"
    hot, train = pl.read_parquet(path), pl.read_parquet(path.with_name("train.parquet"))
    again = train[:1].with_columns(timestamp=hot["timestamp"].max())
    pl.concat([hot, again.cast(hot.schema)]).write_parquet(path)
    dataset = open_dataset(own)
    split = dataset.split()
    assert len(split.hot_test) == len(hot) + 1
    assert candidates_and_truth(dataset, split, "hot")[2].sum() == len(hot)


def test_record_holds_chance_beside_every_number(own: Path, tmp_path: Path) -> None:
    spec, dataset = knn(own)
    record = run(spec, Store(tmp_path / "store"), dataset)  # type: ignore[arg-type]
    users = record.users
    expected = chance(users["n_candidates"], users["n_relevant"], ["ndcg", "map"], KS)
    for name, values in expected.items():
        assert np.array_equal(users[f"chance:{name}"], values)
        assert record.chance(name) == pytest.approx(values.mean())
    assert {f"chance:{name}" for name in record.metrics} <= set(users.columns)


def test_hit_ranks_give_the_metrics_again(own: Path, tmp_path: Path) -> None:
    spec, dataset = knn(own)
    record = run(spec, Store(tmp_path / "store"), dataset)  # type: ignore[arg-type]
    for row in record.users.iter_rows(named=True):
        hits = sum(rank <= 5 for rank in row["hit_ranks"])
        assert row["recall@5"] == pytest.approx(hits / row["n_relevant"])
        assert row["precision@5"] == pytest.approx(hits / 5)


def test_shuffling_permutes_within_warm_and_within_cold(own: Path, tmp_path: Path) -> None:
    from mrs.study.run import _vectors

    spec, dataset = knn(own, shuffled=True, seed=3)
    split = dataset.split()  # type: ignore[attr-defined]
    plain = dataset.vectors("mert")  # type: ignore[attr-defined]
    shuffled = _vectors(spec, dataset, split)  # type: ignore[arg-type]
    assert shuffled is not None
    for positions in (split.warm, split.cold):
        before, after = plain[positions], shuffled(positions)
        assert not np.array_equal(before, after)
        assert np.array_equal(before[np.lexsort(before.T)], after[np.lexsort(after.T)])


def test_a_fit_serves_all_scenarios_and_the_store_is_read(own: Path, tmp_path: Path) -> None:
    specs = [knn(own, scenario=s)[0] for s in ("hot", "cold")]
    store = Store(tmp_path / "store")
    records = run_fit(specs, store)
    assert [r.info["scenario"] for r in records] == ["hot", "cold"]
    assert records[0].info["seconds"]["fit"] == records[1].info["seconds"]["fit"]
    stamp = (records[0].folder / "run.json").stat().st_mtime_ns
    assert run_fit(specs, store)[0].folder == records[0].folder
    assert (records[0].folder / "run.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("origin", ["real", "generated"])
def test_a_store_names_no_real_listener(own: Path, tmp_path: Path, origin: str) -> None:
    for path in (own / "splits" / "mine").glob("*.parquet"):
        frame = pl.read_parquet(path)
        names = pl.format("somebody-{}", pl.col("user_id").cast(pl.String).str.zfill(6))
        frame.with_columns(user_id=names).write_parquet(path)
    (own / "dataset.json").write_text(json.dumps({"name": "own", "origin": origin}))
    spec, dataset = knn(own)
    record = run(spec, Store(tmp_path / "store"), dataset)  # type: ignore[arg-type]
    split = dataset.split()  # type: ignore[attr-defined]
    tested = np.unique(split.hot_test.user)
    named = any(
        b"somebody-" in path.read_bytes()
        for path in (tmp_path / "store").rglob("*")
        if path.is_file()
    )
    if origin == "real":
        assert record.users["user_id"].to_list() == tested.tolist()
        assert record.info["examples"] == []
        assert not named
    else:  # so that the test would see a name
        assert record.users["user_id"].to_list() == split.users[tested].tolist()
        assert named


def test_no_test_rows(own: Path, tmp_path: Path) -> None:
    path = own / "splits" / "mine" / "cold_test.parquet"
    pl.read_parquet(path).clear().write_parquet(path)
    spec, dataset = knn(own, scenario="cold")
    with pytest.raises(InputError, match="no cold test rows"):
        run(spec, Store(tmp_path / "store"), dataset)  # type: ignore[arg-type]
    assert not list((tmp_path / "store").glob("[!.]*/run.json"))
