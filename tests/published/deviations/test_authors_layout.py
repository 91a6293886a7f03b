"""The published KNN on data in the authors' layout, against their reading of it done by hand."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from specs import make_spec
from worlds import random_parts, write_authors

from mrs.data.dataset import open_dataset
from mrs.study.run import run
from mrs.study.store import Store

K = 20


def by_hand(parts: dict, vectors: np.ndarray, scenario: str, published: bool) -> float:
    """Mean NDCG@20 where profiles average the rows of the tracks or those of their item ids.

    An item id is a track's place among all tracks of train and cold test.
    """
    train, test = parts["train"], parts[f"{scenario}_test"]
    warm = np.unique(train["track_id"])
    everything = np.union1d(warm, parts["cold_test"]["track_id"])
    candidates = np.setdiff1d(everything, warm) if scenario == "cold" else warm
    unit = vectors[candidates] / np.linalg.norm(vectors[candidates], axis=1, keepdims=True)
    discount = 1 / np.log2(np.arange(2, K + 2))
    found = []
    for user in np.unique(test["user_id"]):
        history = np.unique(train.filter(pl.col("user_id") == user)["track_id"])
        rows = np.searchsorted(everything, history) if published else history
        score = unit @ vectors[rows].mean(axis=0)
        score[np.isin(candidates, history)] = -np.inf
        top = candidates[np.argsort(-score)][:K]
        relevant = test.filter(pl.col("user_id") == user)["track_id"].to_numpy()
        hits = np.isin(top, relevant)
        found.append((hits * discount[: len(top)]).sum() / discount[: len(relevant)].sum())
    return float(np.mean(found))


@pytest.mark.parametrize("scenario", ["hot", "cold"])
@pytest.mark.parametrize("published", [False, True])
def test_knn_is_what_the_authors_reading_gives(
    tmp_path: Path, scenario: str, published: bool
) -> None:
    parts = random_parts()
    vectors = write_authors(tmp_path / "m4a", parts, width=16)
    dataset = open_dataset(str(tmp_path / "m4a"))
    spec = make_spec(
        dataset,
        recommender="knn",
        scenario=scenario,
        backend="mert",
        k=[K],
        protocol="published:knn_profiles" if published else "corrected",
    )
    record = run(spec, Store(tmp_path / "store"), dataset)
    expected = by_hand(parts, vectors, scenario, published)
    assert record.values(f"ndcg@{K}").mean() == pytest.approx(expected, abs=1e-9)
    assert by_hand(parts, vectors, scenario, not published) != pytest.approx(expected, abs=1e-4)
