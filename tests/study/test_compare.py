"""Comparisons against known differences."""

import json
from pathlib import Path

import numpy as np
import pytest
from worlds import random_parts, write_own

from mrs.data.dataset import open_dataset
from mrs.data.own_vectors import read_own_vectors
from mrs.errors import InputError
from mrs.evaluation.bootstrap import difference
from mrs.evaluation.significance import detectable
from mrs.study import compare
from mrs.study.compare import Comparison, Contrast
from mrs.study.store import Store


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(0.1, 0.3, "better"), (-0.3, -0.1, "worse"), (-0.1, 0.1, "no significant difference")],
)
def test_outcome(low: float, high: float, outcome: str) -> None:
    one = Contrast("hot", "ndcg@50", "KNN", "chance", "chance", 0, 0, 0, low, high, 0.95, 0.1, 9)
    assert one.outcome == outcome


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_own(tmp_path / "own", random_parts())
    vectors = np.load(tmp_path / "own/embeddings/mert.npy")
    np.save(tmp_path / "own/embeddings/mfcc.npy", vectors**2)
    np.save(tmp_path / "mine.npy", vectors[:, ::-1] ** 3)
    small = {"hidden_size": 4, "n_components": 3, "max_epochs": 2}
    monkeypatch.setattr(compare, "HYBRID", small)
    monkeypatch.setattr(compare, "SEEDS", (0, 1))
    monkeypatch.setattr(compare, "KNN_SHUFFLES", (0, 1, 2))
    return tmp_path


def comparison(folder: Path) -> Comparison:
    opened = open_dataset(folder / "own")
    own = read_own_vectors(opened, folder / "mine.npy")
    found = Comparison(opened, own, Store(folder / "store"))
    found.compute()
    return found


def test_contrasts_are_of_the_records(folder: Path) -> None:
    found = comparison(folder)
    contrasts = {(c.scenario, c.recommender, c.kind): c for c in found.contrasts()}
    kinds = {"chance", "shuffled", "mfcc", "collaborative"}
    names = {"KNN", "KNN (center=true)", "Hybrid"}
    assert set(contrasts) == {
        (s, n, k)
        for s in ("hot", "cold")
        for n in names
        for k in kinds
        if (s, k) != ("cold", "collaborative")
    }
    level = 1 - 0.05 / 21
    (cell,) = [c for c in found.own_cells("cold") if c.recommender.slug == "knn"]
    (mine,) = found.results.records(cell.runs)
    controls = found.results.records(cell.shuffled)
    values, shuffled = mine.values("ndcg@20"), [r.values("ndcg@20") for r in controls]
    one = contrasts["cold", "KNN", "shuffled"]
    assert (one.own, one.other) == pytest.approx((values.mean(), np.mean(shuffled)))
    bounds = difference(values[None, :, None], np.stack(shuffled)[:, :, None], level=level)
    assert (one.low, one.high) == pytest.approx((bounds.low[0], bounds.high[0]))
    assert one.detectable == pytest.approx(
        detectable(values - np.mean(shuffled, axis=0), level=level)
    )
    assert one.exceeded == sum(run.mean() >= values.mean() for run in shuffled)
    assert (one.shuffles, one.n_users) == (3, len(values))
    chance = contrasts["cold", "KNN", "chance"]
    assert chance.other == pytest.approx(mine.chance("ndcg@20"))
    assert chance.shuffles is None
    assert contrasts["hot", "Hybrid", "collaborative"].reference == "ELSA"


def test_mfcc_has_no_control_and_nothing_is_computed_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison(folder)
    infos = [record.info for record in Store(folder / "store").records()]
    assert not [i for i in infos if i["backend"] == "mfcc" and i["shuffled"]]
    assert {i["backend"] for i in infos} == {"mine", "mfcc", None}
    monkeypatch.setattr(compare, "run_fit", lambda *_, **__: pytest.fail("computed again"))
    comparison(folder)


def test_models_and_surrogates_are_not_compared(folder: Path) -> None:
    (folder / "own/embeddings/mfcc.json").write_text(json.dumps({"origin": "surrogate"}))
    found = comparison(folder)
    assert not [c for c in found.contrasts() if c.kind == "mfcc"]
    (folder / "mine.json").write_text(json.dumps({"origin": "surrogate"}))
    assert {c.reference for c in comparison(folder).contrasts() if c.kind == "mfcc"} == {"sim:MFCC"}


def test_a_scenario_without_test_rows_is_left_out(folder: Path) -> None:
    split = open_dataset(folder / "own").split()
    ids = split.tracks
    kept = np.setdiff1d(np.arange(len(ids)), split.cold)
    np.save(folder / "mine.npy", np.load(folder / "mine.npy")[kept])
    (folder / "ids.csv").write_text("track_id\n" + "\n".join(str(ids[k]) for k in kept))
    opened = open_dataset(folder / "own")
    own = read_own_vectors(opened, folder / "mine.npy", folder / "ids.csv")
    assert Comparison(opened, own, Store(folder / "store")).scenarios == ("hot",)
    (folder / "ids.csv").write_text(f"track_id\n{ids[split.cold[0]]}\n7\n")
    np.save(folder / "mine.npy", np.eye(2))
    opened = open_dataset(folder / "own")
    own = read_own_vectors(opened, folder / "mine.npy", folder / "ids.csv")
    with pytest.raises(InputError, match="no test row"):
        Comparison(opened, own, Store(folder / "store"))
