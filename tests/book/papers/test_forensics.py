"""Forensics on printed numbers, against hand computation, scipy and planted runs."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy import stats

from mrs_book.papers import cold_at_20, forensics, results


def test_hot_chance_by_hand():
    low, typical, high = forensics.hot_chance()
    assert low == 50 / 55_261
    assert typical == 50 / 55_120
    assert high == 50 / 50_835


def test_the_error_of_hot_recall_is_never_below_the_true_one():
    n_relevant, n, k = np.array([1, 2, 18, 369]), 55_120, 50
    recall = stats.hypergeom(n, n_relevant, k).var() / n_relevant**2
    largest = forensics.hot_recall_error() ** 2 * forensics.HOT_LISTENERS
    assert (recall <= largest).all()
    assert recall[0] == pytest.approx(largest, rel=0.01)  # one relevant track: the bound itself


def test_the_error_of_cold_recall_equals_a_simulation():
    sizes = cold_at_20.truth_sizes()
    n_relevant = np.repeat(sizes["n_relevant"].to_numpy(), sizes["n_users"].to_numpy())
    n = cold_at_20.N_COLD_TRACKS
    rng = np.random.default_rng(0)
    hits = rng.hypergeometric(n_relevant, n - n_relevant, 50, size=(400, len(n_relevant)))
    means = (hits / n_relevant).mean(axis=1)
    assert means.std(ddof=1) == pytest.approx(forensics.cold_recall_error(), rel=0.15)


def test_the_standard_error_of_three_runs():
    runs = np.array([0.1, 0.2, 0.6])
    low, high = stats.t.interval(0.95, 2, loc=runs.mean(), scale=stats.sem(runs))
    found = forensics.standard_error(np.array([(high - low) / 2]))
    assert found[0] == pytest.approx(stats.sem(runs))


def test_welch_equals_scipy():
    one, other = np.array([0.3, 0.35, 0.31, 0.4]), np.array([0.1, 0.3])
    difference = np.array([one.mean() - other.mean()])
    errors = [np.array([stats.sem(side)]) for side in (one, other)]
    runs = [np.array([len(side)]) for side in (one, other)]
    half, p = forensics.welch(difference, errors, runs)
    expected = stats.ttest_ind(one, other, equal_var=False)
    bounds = expected.confidence_interval(0.95)
    assert p[0] == pytest.approx(expected.pvalue)
    assert difference[0] - half[0] == pytest.approx(bounds.low)
    assert difference[0] + half[0] == pytest.approx(bounds.high)


def test_the_best_backends_by_scipy():
    rows = forensics.best_backends()
    assert len(rows) == 14 * 3  # trained tables and metrics
    row = rows.filter(
        pl.col("recommender") == "hybrid",
        pl.col("scenario") == "cold",
        pl.col("metric") == "recall",
    ).row(0, named=True)
    table = results.real_and_shuffled().filter(
        pl.col("recommender") == "hybrid",
        pl.col("scenario") == "cold",
        pl.col("metric") == "recall",
    )
    top = table.sort("real", descending=True).head(2)
    assert top["backend"].to_list() == [row["best"], row["second"]]
    # Three runs each: standard deviations from half-widths of Student's t with two degrees.
    spread = top["real_ci95"].to_numpy() / stats.t.ppf(0.975, 2) * np.sqrt(3)
    first, second = zip(top["real"], spread, (3, 3), strict=True)
    expected = stats.ttest_ind_from_stats(*first, *second, equal_var=False)
    assert row["apart"] == (expected.pvalue < 0.05)


def test_cold_knn_by_runs_by_hand():
    chance, spread = 50 / 589, forensics.control_run_spread()
    assert forensics.cold_chance() == chance
    z, above, below = forensics.cold_knn_by_runs(chance + 2 * spread, 10)
    assert z == pytest.approx(2)
    assert above == pytest.approx(1 - stats.norm.cdf(2) ** 10)
    assert below == pytest.approx(1 - stats.norm.cdf(-2) ** 10)


def test_runs_are_three_unless_the_notebook_lists_others():
    rows = forensics.improvements()
    assert len(rows) == 300
    chosen = rows.filter(pl.col("recommender") == "bert4rec", pl.col("metric") == "ndcg")
    runs = {
        (row["scenario"], row["backend"]): (row["n_real"], row["n_shuffled"])
        for row in chosen.iter_rows(named=True)
    }
    assert runs["hot", "mule"] == runs["cold", "mule"] == (6, 5)
    assert runs["hot", "jukebox"] == (2, 2)
    assert runs["hot", "mfcc"] == (3, 5)
    assert runs["hot", "mert"] == (3, 3)


def test_an_improvement_by_scipy():
    row = (
        forensics.improvements()
        .filter(
            pl.col("recommender") == "shallow",
            pl.col("scenario") == "hot",
            pl.col("backend") == "musicnn",
            pl.col("metric") == "recall",
        )
        .row(0, named=True)
    )
    sides = []
    for side in ("real", "shuffled"):
        n = row[f"n_{side}"]
        sides += [row[side], row[f"se_{side}"] * np.sqrt(n), n]
    expected = stats.ttest_ind_from_stats(*sides, equal_var=False)
    assert (row["n_real"], row["n_shuffled"]) == (4, 3)
    assert row["p"] == pytest.approx(expected.pvalue)
    assert row["verdict"] == ("above" if expected.pvalue < 0.05 else "open")


def test_tau_equals_scipy():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 5, (3, 10)), rng.integers(0, 5, (2, 10))
    whole = np.arange(10)[None]
    between = [stats.kendalltau(a, b).statistic for a in one for b in other]
    assert forensics.mean_tau(one, other, whole)[0] == pytest.approx(np.mean(between))
    within = [stats.kendalltau(one[i], one[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert forensics.mean_tau(one, one, whole)[0] == pytest.approx(np.mean(within))


def test_agreement_counts_pairs_and_leaves_out():
    rows = {row["pair"]: row for row in forensics.agreement().iter_rows(named=True)}
    assert {pair: row["n"] for pair, row in rows.items()} == {
        "hot": 7 * 6 // 2,
        "cold": 5 * 4 // 2,
        "hot and cold": 7 * 5,
    }
    assert all(row["low"] <= row["tau"] <= row["high"] for row in rows.values())
    fewer = forensics.agreement(without=["knn"])
    assert fewer["n"].to_list() == [15, 6, 24]


def printed(runs: np.ndarray) -> tuple[float, float]:
    """Mean and half-width of three runs."""
    return runs.mean(), stats.t.ppf(0.975, 2) * stats.sem(runs)


def test_an_exchanged_run_is_recovered(monkeypatch: pytest.MonkeyPatch):
    first, later = np.array([0.61, 0.59, 0.35]), np.array([0.61, 0.59, 0.62])
    (mean, ci95), (mean_complete, ci95_complete) = printed(first), printed(later)
    row = results.repeats().filter(~pl.col("agrees")).head(1)
    planted = row.with_columns(
        mean=pl.lit(mean),
        ci95=pl.lit(ci95),
        mean_complete=pl.lit(mean_complete),
        ci95_complete=pl.lit(ci95_complete),
    )
    monkeypatch.setattr(results, "repeats", lambda: planted)
    found = forensics.replaced_run().row(0, named=True)
    assert found["stayed"] == pytest.approx(0.60)
    assert found["left"] == pytest.approx(0.35)
    assert found["came"] == pytest.approx(0.62)


def test_a_percentage_range_by_hand():
    row = (
        forensics.percentage_ranges()
        .filter(
            pl.col("recommender") == "hybrid",
            pl.col("scenario") == "hot",
            pl.col("backend") == "music2vec",
            pl.col("metric") == "ndcg",
        )
        .row(0, named=True)
    )
    assert (row["real"], row["shuffled"], row["improvement"]) == (0.0262, 0.0008, 3175)
    assert row["low"] == pytest.approx(100 * (0.02615 / 0.00085 - 1))
    assert row["high"] == pytest.approx(100 * (0.02625 / 0.00075 - 1))


def test_every_printed_percentage_lies_in_its_range():
    rows = forensics.percentage_ranges()
    assert len(rows) == 420
    inside = (rows["improvement"] >= rows["low"] - 0.5) & (
        rows["improvement"] <= rows["high"] + 0.5
    )
    assert inside.all()


def test_elsa_by_hand():
    rows = forensics.elsa_and_best()
    recall = rows.filter(pl.col("metric") == "recall").row(0, named=True)
    assert (recall["elsa"], recall["best"], recall["n_above"]) == (0.0823, 0.0631, 0)
    assert (recall["recommender"], recall["backend"], recall["n"]) == ("bert4rec", "musicnn", 100)


@pytest.mark.parametrize("table", [forensics.widths, forensics.training_runs])
def test_data_files_name_known_backends(table: Callable[[], pl.DataFrame]):
    known = set(results.ranks("recall")["backend"])
    assert set(table()["backend"]) <= known


def test_width_correlations_equal_scipy():
    row = forensics.width_correlations().row(1, named=True)
    ranked = results.ranks("recall").filter(
        pl.col("scenario") == row["scenario"],
        pl.col("recommender") == row["recommender"],
        pl.col("variant") == row["variant"],
    )
    wide = ranked.join(forensics.widths(), on="backend")
    expected = stats.spearmanr(wide["width"], wide["mean"]).statistic
    assert row["rho"] == pytest.approx(expected)
    assert len(wide) == 10
