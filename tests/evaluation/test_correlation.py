"""Rank correlations against scipy and the interval's formula."""

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from mrs.evaluation.correlation import rank_correlation, tau_b


def test_against_scipy_and_by_hand() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=12).round(1)
    second = (first + rng.normal(size=12)).round(1)
    found = rank_correlation(first, second)
    assert found is not None
    rho = spearmanr(first, second).statistic
    assert found.mean == pytest.approx(rho)
    half = 1.959964 * ((1 + rho**2 / 2) / 9) ** 0.5
    z = 0.5 * np.log((1 + rho) / (1 - rho))
    assert found.low == pytest.approx(np.tanh(z - half), abs=1e-6)
    assert found.high == pytest.approx(np.tanh(z + half), abs=1e-6)


def test_perfect_orders_keep_an_interval() -> None:
    up = rank_correlation(np.arange(8), np.arange(8) ** 2)
    down = rank_correlation(np.arange(8), -np.arange(8))
    assert up is not None
    assert down is not None
    assert (up.mean, up.high, down.mean, down.low) == pytest.approx((1, 1, -1, -1))
    assert up.low < 0.95
    assert down.high == pytest.approx(-up.low)


def test_few_or_equal_systems_have_none() -> None:
    assert rank_correlation(np.arange(5), np.arange(5)) is None
    assert rank_correlation(np.ones(9), np.arange(9)) is None


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(2000):
        found = rank_correlation(*rng.normal(size=(2, 10)))
        assert found is not None
        covered += found.low <= 0 <= found.high
    assert covered / 2000 == pytest.approx(0.95, abs=0.025)


def test_tau_by_hand() -> None:
    one = np.array([1.0, 2.0, 3.0, 4.0])
    others = np.array([[1, 2, 3, 4], [1, 3, 2, 4], [4, 3, 2, 1], [5, 5, 5, 5]])
    np.testing.assert_allclose(tau_b(one, others), [1, 4 / 6, -1, 0])


def test_tau_is_scipys_with_ties() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, (2, 20, 6)).astype(float)
    expected = [[kendalltau(row, other).statistic for other in second] for row in first]
    found = tau_b(first[:, None], second)
    np.testing.assert_allclose(found, np.nan_to_num(expected), atol=1e-12)


def test_tau_of_one_order_with_each_row() -> None:
    rng = np.random.default_rng(0)
    rungs = np.array([0.1, 0.1, 0.2, 0.3, 0.3, 0.5])
    means = rng.integers(0, 4, (20, 6)).astype(float)
    expected = [kendalltau(rungs, row).statistic for row in means]
    np.testing.assert_allclose(tau_b(rungs, means), np.nan_to_num(expected), atol=1e-12)
