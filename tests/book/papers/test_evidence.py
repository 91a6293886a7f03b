"""Which records count as evidence, and how runs become cells."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from archives import Run, write_archive
from worlds import random_parts, write_own

from mrs.study.store import Store
from mrs_book.papers import claims
from mrs_book.papers.claims import CELLS, NOT_TESTABLE
from mrs_book.papers.evidence import gather, own_data
from mrs_book.papers.judge import judge


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    return Store(tmp_path / "store")


def write(store: Store, mean: float, **changes: Any) -> None:
    info: dict[str, Any] = {
        "dataset": {"spec": "onion", "name": "onion"},
        "split": "temporal",
        "recommender": "knn",
        "settings": {"center": False},
        "backend": "muq",
        "shuffled": False,
        "scenario": "hot",
        "k": [10, 50],
        "protocol": "corrected",
        "provenance": {"listens": "real", "vectors": "audio"},
    }
    users = pl.DataFrame({f"{m}@50": [0.0, 2 * mean] for m in ("hitrate", "recall", "ndcg")})
    store.write(f"k{len(store.records()):03d}", info | changes, users)


def surrogate(store: Store, mean: float, **changes: Any) -> None:
    origin = {"listens": "generated", "vectors": "surrogate"}
    write(store, mean, dataset={"spec": "demo", "name": "demo"}, provenance=origin, **changes)


def recall(frame: pl.DataFrame) -> list[tuple[str, float, int]]:
    rows = frame.filter(pl.col("metric") == "recall@50", pl.col("variant") == "")
    return list(rows.select("label", "mean", "runs").iter_rows())


def test_the_values_behind_a_cell(store: Store):
    write(store, 0.4, seed=1)
    write(store, 0.2, seed=0)
    write(store, 0.9, seed=0, shuffled=True)
    found = gather(store).real.scores("knn", "", "muq", "hot", "recall@50")
    assert found.tolist() == [[0.0, 0.4], [0.0, 0.8]]  # runs by seed, then users
    for seed, told in ((0, 0.25), (1, 0.75)):
        new = {"popularity": {"all": {"spearman": told}}}
        write(store, 0.2, scenario="cold", seed=seed, new_tracks=new)
    told = gather(store).real.scores("knn", "", "muq", "cold", "popularity")
    assert told.tolist() == [[0.25], [0.75]]


def test_an_empty_store_is_no_evidence(store: Store):
    found = gather(store)
    assert len(found.real.cells) == len(found.generated.cells) == 0
    assert dict(found.real.cells.schema) == CELLS
    assert not store.folder.exists()


def test_runs_become_cells(store: Store):
    write(store, 0.2, seed=0)
    write(store, 0.4, seed=1)
    surrogate(store, 0.3)
    found = gather(store)
    assert recall(found.real.cells) == [("MuQ", pytest.approx(0.3), 2)]
    assert recall(found.generated.cells) == [("sim:MuQ", pytest.approx(0.3), 1)]
    assert (found.real.name, found.generated.name) == ("onion", "demo")
    assert gather(store).real.cells.equals(found.real.cells)  # as kept in the store


def test_a_stand_in_gives_way_to_the_model_itself(store: Store):
    surrogate(store, 0.3)
    demo = {"spec": "demo", "name": "demo"}
    write(store, 0.2, dataset=demo, provenance={"listens": "generated", "vectors": "audio"})
    assert recall(gather(store).generated.cells) == [("MuQ", 0.2, 1)]


def test_what_does_not_count(store: Store):
    write(store, 0.2, provenance={"listens": "real", "vectors": "surrogate"})
    write(store, 0.2, protocol="published")
    write(store, 0.2, recommender="forgotten")
    found = gather(store)
    assert len(found.real.cells) == len(found.generated.cells) == 0


def test_the_settings_with_most_runs_count(store: Store):
    write(store, 0.2, settings={"center": True})
    write(store, 0.4, settings={"center": False})
    assert recall(gather(store).real.cells) == [("MuQ", 0.4, 1)]  # nearer to the defaults
    write(store, 0.2, settings={"center": True}, seed=1)
    assert recall(gather(store).real.cells) == [("MuQ", 0.2, 2)]


def test_other_settings_are_variants(store: Store):
    write(store, 0.2, settings={"center": False})
    write(store, 0.4, settings={"center": True})
    cells = gather(store).real.cells.filter(pl.col("metric") == "ndcg@50")
    assert cells.select("variant", "mean").rows() == [("", 0.2), ('{"center": true}', 0.4)]


def test_the_split_with_most_runs_counts(store: Store):
    write(store, 0.2)
    write(store, 0.4, seed=1, split="catalogue")
    write(store, 0.6, seed=2, split="catalogue")
    assert recall(gather(store).real.cells) == [("MuQ", pytest.approx(0.5), 2)]


def test_the_popularity_of_new_tracks(store: Store):
    told = {"popularity": {"all": {"spearman": 0.25}}}
    write(store, 0.2, scenario="cold", new_tracks=told)
    write(store, 0.2, scenario="cold/discovery", new_tracks=told)
    write(store, 0.2, scenario="cold", seed=1)
    cells = gather(store).real.cells.filter(pl.col("metric") == "popularity")
    assert cells.select("scenario", "mean", "runs").rows() == [("cold", 0.25, 1)]


def test_the_dataset_with_most_records_counts(store: Store):
    write(store, 0.2)
    other = {"spec": "mine", "name": "mine"}
    write(store, 0.4, dataset=other)
    write(store, 0.4, dataset=other, backend="mert")
    assert gather(store).real.name == "mine"


def test_artists_of_a_dataset(store: Store):
    write_own(Path("own"), random_parts())
    write(store, 0.2, dataset={"spec": "own", "name": "own"})
    tracks = pl.read_parquet("own/tracks.parquet")
    parts = random_parts()
    warm = tracks.filter(pl.col("track_id").is_in(parts["train"]["track_id"].implode()))
    cold = tracks.filter(pl.col("track_id").is_in(parts["cold_test"]["track_id"].implode()))
    known = cold["artist_id"].is_in(warm["artist_id"].implode())
    assert gather(store).real.semi_cold == pytest.approx(known.mean())


def test_real_listening_decides_a_claim_by_itself(store: Store):
    (claim,) = claims.find("p2-elsa")
    none = {"backend": None, "settings": {}}
    surrogate(store, 0.2)
    surrogate(store, 0.4, recommender="elsa", **none)
    before = judge(claim, gather(store))
    assert before.verdict == NOT_TESTABLE
    assert before.generated == "1 of 1 rows with vectors are below it (100%)"
    write(store, 0.2)
    origin = {"listens": "real", "vectors": None}
    write(store, 0.4, recommender="elsa", provenance=origin, **none)
    assert judge(claim, gather(store)).verdict == "re-run on real data"


def test_runs_on_the_tables_own_data_are_known_by_name_and_split(store: Store):
    onion = {"dataset": {"spec": "data/there", "name": "music4all-onion"}}
    write(store, 0.2, **onion, split="temporal")
    write(store, 0.3, **onion, split="temporal", protocol="published")
    write(store, 0.4, **onion, split="catalogue")
    write(store, 0.5, split="temporal")
    origin = {"listens": "generated", "vectors": "audio"}
    write(store, 0.6, **onion, split="temporal", provenance=origin)
    rows = own_data(store).filter(pl.col("metric") == "recall@50")
    assert rows.select("protocol", "mean").rows() == [("corrected", 0.2), ("published", 0.3)]
    assert gather(store).own.equals(own_data(store))


def test_an_archive_adds_to_the_store(store: Store, tmp_path: Path):
    assert gather(store, [tmp_path / "absent.parquet"]).generated.name == ""
    runs = [
        Run("demo:n_users=2", "knn", "muq", "cold", [1, 3]),
        Run("demo:n_users=2", "knn", "muq", "hot", [0, 1]),
    ]
    (tmp_path / "packed").mkdir()
    path = write_archive(tmp_path / "packed/a.parquet", runs, {"muq": 0.7}).path
    alone = gather(store, [path]).generated
    cells = alone.cells.filter(pl.col("metric") == "ndcg@20").select("label", "scenario", "mean")
    assert alone.name == "demo:n_users=2"  # ndcg 1 / log2(1 + rank): 1 and 1 / 2
    assert cells.rows() == [("sim:MuQ", "cold", 0.75), ("sim:MuQ", "hot", 0.5)]
    surrogate(store, 0.3)
    both = gather(store, [path]).generated
    assert (both.name, recall(both.cells)) == ("demo", [("sim:MuQ", 0.3, 1)])  # worlds do not mix
