"""Chance at 20 and at 50 on the published cold test, against two independent computations."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from mrs_book.papers import cold_at_20
from mrs_book.papers.cold_at_20 import KS, N_COLD_TRACKS

METRICS = ("hitrate", "recall", "ndcg")
COLD_TEST = Path(__file__).parents[4] / "shared" / "data" / "music4all" / "cold_test.pqt"


def level(metric: str, k: int) -> float:
    row = cold_at_20.chance_levels().filter(pl.col("metric") == metric).row(0, named=True)
    return row[f"chance_{k}"]


def listeners() -> np.ndarray:
    sizes = cold_at_20.truth_sizes()
    return np.repeat(sizes["n_relevant"].to_numpy(), sizes["n_users"].to_numpy())


def test_the_counts_are_those_of_the_published_cold_test():
    n_relevant = listeners()
    assert len(n_relevant) == 4553
    assert n_relevant.sum() == 23269
    assert (n_relevant.min(), n_relevant.max()) == (1, 85)


def test_the_counts_equal_a_recount():
    if not COLD_TEST.exists():
        pytest.skip(f"the published cold test is not at {COLD_TEST}")
    pairs = pl.read_parquet(COLD_TEST).select("user_id", "track_id").unique()
    recount = (
        pairs.group_by("user_id")
        .agg(n_relevant=pl.len().cast(pl.Int64))
        .group_by("n_relevant")
        .agg(n_users=pl.len().cast(pl.Int64))
        .sort("n_relevant")
    )
    assert cold_at_20.truth_sizes().equals(recount)
    assert pairs["track_id"].n_unique() == N_COLD_TRACKS


@pytest.mark.parametrize("k", KS)
def test_levels_equal_scipy(k):
    n_relevant = listeners()
    hits = stats.hypergeom(N_COLD_TRACKS, n_relevant, k)
    assert level("hitrate", k) == pytest.approx(hits.sf(0).mean(), abs=1e-12)
    assert level("recall", k) == pytest.approx((hits.mean() / n_relevant).mean(), abs=1e-12)
    discount = 1 / np.log2(np.arange(k) + 2)
    ideal = np.array([discount[:n].sum() for n in n_relevant])
    share = n_relevant / N_COLD_TRACKS  # of every rank, being relevant
    assert level("ndcg", k) == pytest.approx((share * discount.sum() / ideal).mean(), abs=1e-12)


def test_levels_to_four_decimals():
    assert [round(level(metric, 20), 4) for metric in METRICS] == [0.1497, 0.0340, 0.0189]
    assert [round(level(metric, 50), 4) for metric in METRICS] == [0.3104, 0.0849, 0.0342]


def test_levels_equal_a_simulation():
    rng = np.random.default_rng(0)
    n_relevant = listeners()
    draws = 40
    found = {(metric, k): np.empty(draws) for metric in METRICS for k in KS}
    discount = 1 / np.log2(np.arange(max(KS)) + 2)
    for draw in range(draws):
        # A random ranking draws without replacement: the next place is relevant with probability
        # relevant tracks left / tracks left.
        ranked = np.zeros((len(n_relevant), max(KS)), dtype=bool)
        left = n_relevant.astype(float)
        for place in range(max(KS)):
            ranked[:, place] = rng.random(len(left)) < left / (N_COLD_TRACKS - place)
            left -= ranked[:, place]
        for k in KS:
            hits = ranked[:, :k]
            ideal = np.array([discount[: min(n, k)].sum() for n in n_relevant])
            found["hitrate", k][draw] = hits.any(1).mean()
            found["recall", k][draw] = (hits.sum(1) / n_relevant).mean()
            found["ndcg", k][draw] = (hits @ discount[:k] / ideal).mean()
    for (metric, k), values in found.items():
        assert abs(values.mean() - level(metric, k)) < 4 * stats.sem(values)


def test_there_are_forty_control_cells():
    controls = cold_at_20.controls()
    assert len(controls) == 120
    assert len(controls.select("recommender", "backend").unique()) == 40
    means = dict(controls.group_by("metric").agg(pl.col("mean").mean()).iter_rows())
    assert {metric: round(mean, 4) for metric, mean in means.items()} == {
        "hitrate": 0.3103,
        "recall": 0.0847,
        "ndcg": 0.0336,
    }


def test_distances_by_hand():
    values = pl.DataFrame(
        {
            "recommender": ["shallow"] * 3,
            "backend": ["mert", "muq", "mule"],
            "metric": ["recall"] * 3,
            "mean": [0.10, 0.10, 0.30],
            "ci95": [0.05, None, 0.0],
        }
    )
    levels = pl.DataFrame({"metric": ["recall"], "chance_20": [0.15], "chance_50": [0.25]})
    found = cold_at_20.distances(values, levels)
    assert found["distance_20"].to_list() == [pytest.approx(-1), None, None]
    assert found["distance_50"].to_list() == [pytest.approx(-3), None, None]
    assert found["nearer"].to_list() == [20, 20, 50]


def shifted(factor: dict[str, float]) -> pl.DataFrame:
    """Return the published controls with each metric scaled, widths too."""
    scale = pl.col("metric").replace_strict(factor)
    values = cold_at_20.controls().with_columns(
        mean=pl.col("mean") * scale, ci95=pl.col("ci95") * scale
    )
    return cold_at_20.distances(values, cold_at_20.chance_levels())


def test_the_verdict_on_the_published_controls():
    distance = shifted(dict.fromkeys(METRICS, 1.0))
    assert cold_at_20.verdict(distance) == "The shuffled controls fit k = 50, not k = 20."
    text = cold_at_20.evidence(distance)
    assert "119 are nearer to chance at 50 and 1 to chance at 20" in text
    assert "covers chance at 50 in 114 and chance at 20 in 29" in text


def test_the_verdict_turns_with_values_like_those_at_20():
    text = cold_at_20.verdict(shifted({m: level(m, 20) / level(m, 50) for m in METRICS}))
    assert text == "The shuffled controls fit k = 20, not k = 50."


def test_the_verdict_abstains_when_neither_level_fits():
    text = cold_at_20.verdict(shifted(dict.fromkeys(METRICS, 0.75)))
    assert text.startswith("The shuffled controls do not decide")


def test_one_metric_alone_decides_nothing():
    text = cold_at_20.verdict(shifted({"hitrate": 1.0, "recall": 1.0, "ndcg": 2.0}))
    assert text.startswith("The shuffled controls do not decide")
