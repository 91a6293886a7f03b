import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted import plant, planted

from mrs.evaluation.bootstrap import difference, spread
from mrs.evaluation.significance import (
    components,
    detectable,
    effect_size,
    first_step,
    holm,
)
from mrs.study.results import Results
from mrs_book.chapters import significance_pairs as module
from mrs_book.chapters.significance_pairs import pairs

STUDY = "recommenders: [knn, hybrid]\nscenarios: [cold]\nseeds: [0, 1]\nk: [20]\n"
RUNGS = {"mert": 0.8, "mule": 0.1, "muq": 0.4}
N_USERS = 40


def values(name: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, *name.encode()])
    return RUNGS[name] / 2 + rng.random(N_USERS) / 2


def fill(results: Results, without: tuple[str, ...] = ()) -> Results:
    for cell in results.cells():
        if cell.slug in without or cell.backend is None:
            continue
        for spec in cell.runs:
            plant(results, spec, values(cell.backend, spec.seed).tolist())
    return results


def stack(name: str) -> np.ndarray:
    return np.stack([values(name, seed) for seed in (0, 1)])


def test_every_column_follows_from_the_records(tmp_path: Path) -> None:
    frame = pairs(fill(planted(tmp_path, STUDY, RUNGS)), "cold")
    rows = frame.filter(pl.col("recommender") == "Hybrid")
    assert rows.select("first", "second").rows() == [
        ("sim:MERT", "sim:MULE"),
        ("sim:MERT", "sim:MuQ"),
        ("sim:MuQ", "sim:MULE"),
    ]
    asked = [("mert", "mule"), ("mert", "muq"), ("muq", "mule")]
    differences = [stack(a) - stack(b) for a, b in asked]
    p = np.array([spread([d[:, :, None]]).p_values()[0] for d in differences])
    np.testing.assert_allclose(rows["p"], p)
    np.testing.assert_allclose(rows["p_holm"], holm(p))
    row = rows.row(1, named=True)
    one, other = stack("mert"), stack("muq")
    bounds = difference(one[:, :, None], other[:, :, None])
    assert (row["low"], row["high"]) == pytest.approx((bounds.low[0], bounds.high[0]))
    assert (row["first_mean"], row["second_mean"]) == pytest.approx((one.mean(), other.mean()))
    assert row["difference"] == pytest.approx(one.mean() - other.mean())
    size = effect_size((one - other).mean(axis=0))
    assert (row["d_z"], row["d_z_half"]) == pytest.approx((size.mean, size.mean - size.low))
    found = components(one - other)
    expected = (found.users, found.seeds, found.interaction)
    assert tuple(row[c] for c in ("users", "seeds", "interaction")) == pytest.approx(expected)
    assert row["detectable"] == pytest.approx(detectable(one - other, level=first_step(3)))
    assert (row["n_users"], row["n_seeds"], row["metric"]) == (N_USERS, 2, "ndcg@20")
    assert row["apart"] == (row["p_holm"] < 0.05)
    knn = frame.filter(pl.col("recommender") == "KNN")
    assert (knn["n_seeds"].unique().to_list(), knn["ranked"].all()) == ([1], True)


def test_one_seed_ranks_nothing_where_something_is_drawn(tmp_path: Path) -> None:
    frame = pairs(fill(planted(tmp_path, STUDY.replace("[0, 1]", "[0]"), RUNGS)), "cold")
    ranked = dict(frame.select("recommender", "ranked").unique().rows())
    assert ranked == {"KNN": True, "Hybrid": False}
    assert frame.filter(~pl.col("ranked"))["apart"].is_null().all()
    assert frame.filter(pl.col("ranked"))["apart"].is_not_null().all()


def test_blocks_are_not_crossed(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, RUNGS)
    card = {"backend": "muq", "origin": "file"}
    (tmp_path / "own/embeddings/muq.json").write_text(json.dumps(card))
    results = fill(Results(results.study, results.store))
    frame = pairs(results, "cold")
    assert set(frame.select("first", "second", "block").rows()) == {
        ("sim:MERT", "sim:MULE", "surrogate")
    }


def test_a_cell_without_records_is_left_out(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, RUNGS)
    assert len(pairs(results, "cold")) == 0
    fill(results, without=("hybrid-muq-cold", "knn-muq-cold", "knn-mule-cold"))
    frame = pairs(results, "cold")
    assert frame.select("recommender", "first", "second").rows() == [
        ("Hybrid", "sim:MERT", "sim:MULE")
    ]


def test_kept_in_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = fill(planted(tmp_path, STUDY, RUNGS), without=("knn-muq-cold",))
    first = pairs(results, "cold")
    monkeypatch.setattr(module, "_compared", lambda *_, **__: pytest.fail("computed again"))
    assert pairs(results, "cold").equals(first)
    fill(results)
    with pytest.raises(pytest.fail.Exception, match="computed again"):
        pairs(results, "cold")
