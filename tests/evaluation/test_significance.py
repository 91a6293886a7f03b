"""Statistics against hand values, closed forms, statsmodels, scikit-posthocs, and by simulation."""

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
import scipy.stats
from scipy.stats import norm, ttest_1samp
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from mrs.evaluation.bootstrap import resampled_means
from mrs.evaluation.significance import (
    Components,
    average_ranks,
    components,
    critical_difference,
    detectable,
    effect_size,
    first_step,
    holm,
    p_values,
    quasi_f,
)


class TestPValues:
    def test_by_hand(self) -> None:
        draws = np.array([[1.0, -1, 0], [2, -1, 0], [3, 1, 0], [-1, -1, 0]])
        # One of four at or below zero: 2 (1 + 1) / 5. One at or above: the same. All: at most 1.
        np.testing.assert_allclose(p_values(draws), [0.8, 0.8, 1.0])

    def test_never_zero(self) -> None:
        assert p_values(np.ones((999, 1)))[0] == 2 / 1000

    def test_near_the_t_test(self) -> None:
        values = np.random.default_rng(0).normal(0.13, 1, 300)
        (p,) = p_values(resampled_means(values[None, :, None]))
        assert p == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.01)


class TestHolm:
    def test_by_hand(self) -> None:
        found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
        np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])

    def test_none(self) -> None:
        assert len(holm(np.array([]))) == 0

    def test_the_first_step_is_bonferronis(self) -> None:
        assert first_step(10) == pytest.approx(0.995)
        # A p value at the level of the first step is adjusted to 0.05.
        assert holm(np.array([1 - first_step(3), 0.9, 0.9]))[0] == pytest.approx(0.05)


class TestEffectSize:
    def test_by_hand(self) -> None:
        values = np.array([1.0, 2, 3, 4])
        found = effect_size(values)
        size = 2.5 / np.sqrt(5 / 3)
        # Symmetric: no skewness; kurtosis of four equal steps is 41 / 25 (not in excess of 3).
        half = 1.959964 * np.sqrt((1 + (41 / 25 - 1) * size**2 / 4) / 4)
        ends = (found.mean, found.low, found.high)
        assert ends == pytest.approx((size, size - half, size + half))

    def test_for_normal_values_the_usual_formula(self) -> None:
        values = norm.ppf((np.arange(20_000) + 0.5) / 20_000) + 0.5
        half = 1.959964 * np.sqrt((1 + 0.5**2 / 2) / 20_000)
        assert effect_size(values).high == pytest.approx(0.5 + half, rel=1e-3)

    def test_skewed_values_as_scipys_bootstrap(self) -> None:
        values = np.random.default_rng(1).exponential(size=2000) - 0.7
        theirs = scipy.stats.bootstrap(
            (values,),
            lambda v, axis: v.mean(axis=axis) / v.std(axis=axis, ddof=1),
            n_resamples=4000,
            method="percentile",
            rng=2,
        )
        ours = effect_size(values)
        assert (ours.high - ours.low) / 3.919928 == pytest.approx(theirs.standard_error, rel=0.05)

    @pytest.mark.parametrize("values", [[0.0, 0.0], [1.0], [2.0, 2.0, 2.0]])
    def test_nothing_varies(self, values: list[float]) -> None:
        assert np.isnan(effect_size(np.array(values)).mean)


def two_way(
    rng: np.random.Generator, shape: tuple[int, int, int], spread: tuple[float, float, float]
) -> np.ndarray:
    """[seeds x users x worlds] with standard deviations of users, seeds and interaction."""
    n_seeds, n_users, n_worlds = shape
    users, seeds, both = spread
    return (
        users * rng.normal(size=(1, n_users, n_worlds))
        + seeds * rng.normal(size=(n_seeds, 1, n_worlds))
        + both * rng.normal(size=shape)
    )


class TestComponents:
    def test_by_hand(self) -> None:
        # User means 2, 4, 6, seed means 3, 5, residuals +-1 and 0; mean squares: users
        # 2 x 4 = 8, seeds 3 x 2 = 6, rest (1 + 0 + 1 + 1 + 0 + 1) / 2 = 2.
        found = components(np.array([[2.0, 3, 4], [2, 5, 8]]))
        assert (found.users, found.seeds, found.interaction) == (3, 4 / 3, 2)
        np.testing.assert_allclose(found.parts(), [1, 2 / 3, 1 / 3])
        assert found.standard_error() == pytest.approx(np.sqrt(2))
        np.testing.assert_allclose(found.parts(np.inf), [0, 2 / 3, 0])
        np.testing.assert_allclose(found.parts(n_seeds=np.inf), [1, 0, 0])

    def test_mean_squares_are_statsmodels(self) -> None:
        values = two_way(np.random.default_rng(0), (4, 15, 1), (1, 0.5, 0.8))[:, :, 0]
        seed, user = np.indices(values.shape)
        frame = pd.DataFrame({"y": values.ravel(), "s": seed.ravel(), "u": user.ravel()})
        table = anova_lm(ols("y ~ C(u) + C(s)", frame).fit())["mean_sq"]
        found = components(values)
        assert found.interaction == pytest.approx(table["Residual"])
        assert found.users * 4 + found.interaction == pytest.approx(table["C(u)"])
        assert found.seeds * 15 + found.interaction == pytest.approx(table["C(s)"])

    def test_unbiased(self) -> None:
        worlds = two_way(np.random.default_rng(1), (3, 20, 2000), (1, 0.5, 0.7))
        found = [components(world) for world in worlds.transpose(2, 0, 1)]
        mean = np.mean([(one.users, one.seeds, one.interaction) for one in found], axis=0)
        np.testing.assert_allclose(mean, [1, 0.25, 0.49], rtol=0.1)

    def test_seeds_averaged_are_users_and_interaction(self) -> None:
        values = two_way(np.random.default_rng(2), (3, 50, 1), (1, 0.5, 0.7))[:, :, 0]
        users, _, both = components(values).parts()
        assert users + both == pytest.approx(values.mean(axis=0).var(ddof=1) / 50)

    def test_one_seed(self) -> None:
        values = np.array([0.0, 1, 2, 3])
        assert components(values) == components(values[None]) == Components(5 / 3, 0, 0, 4, 1)
        assert np.isnan(components(values[:1]).standard_error())

    def test_estimates_below_zero_count_as_zero(self) -> None:
        values = np.array([[0.0, 1], [1, 0]])  # all of it interaction
        found = components(values)
        assert (found.users, found.seeds, found.interaction) == (-0.5, -0.5, 1)
        np.testing.assert_allclose(found.parts(), [0, 0, 0.25])


class TestDetectable:
    def test_by_formula(self) -> None:
        values = np.array([0.0, 1, 2, 3])
        error = np.std(values, ddof=1) / 2
        assert detectable(values) == pytest.approx((1.959964 + 0.841621) * error, rel=1e-6)
        level = 1 - 0.05 / 10
        assert detectable(values, level=level) == pytest.approx(
            (norm.ppf(0.9975) + 0.841621) * error
        )
        assert detectable(values, 16) == pytest.approx(detectable(values) / 2)
        assert np.isnan(detectable(values[:1]))

    def test_a_true_difference_of_that_size_is_seen_in_80_percent(self) -> None:
        rng = np.random.default_rng(0)
        size = detectable(rng.normal(size=5000), 200)
        seen = [ttest_1samp(rng.normal(size, 1, 200), 0).pvalue < 0.05 for _ in range(2000)]
        assert np.mean(seen) == pytest.approx(0.8, abs=0.03)

    def test_with_other_numbers_of_users_and_seeds(self) -> None:
        # Components from a large sample, then tests in a smaller design: 4 seeds, 40 users.
        rng, spread = np.random.default_rng(1), (1, 0.3, 1.5)
        size = detectable(two_way(rng, (60, 400, 1), spread)[:, :, 0], 40, n_seeds=4)
        means = two_way(rng, (4, 40, 4000), spread).mean(axis=(0, 1))
        threshold = norm.ppf(0.975) * np.sqrt(1 / 40 + 0.3**2 / 4 + 1.5**2 / 160)
        assert (np.abs(means) > threshold).mean() == pytest.approx(0.05, abs=0.015)
        assert (np.abs(means + size) > threshold).mean() == pytest.approx(0.8, abs=0.05)

    def test_users_needed_is_the_inverse(self) -> None:
        found = Components(users=1.0, seeds=0.0003, interaction=0.6, n_users=500, n_seeds=3)
        size = found.detectable(800)
        assert found.users_needed(size * (1 + 1e-9)) == 800
        assert found.users_needed(size * 0.9) > 800
        floor = found.detectable(np.inf)
        assert found.users_needed(floor * 0.99) == np.inf
        assert found.users_needed(floor * 0.99, n_seeds=6) < np.inf


class TestQuasiF:
    def test_by_hand(self) -> None:
        values = np.array([[2.0, 3, 4], [2, 5, 8]])
        # Mean squares 8, 6, 2 as above; F' = (8 + 6 - 2) / 6 of the mean 4, and Satterthwaite's
        # degrees of freedom 12^2 / (8^2 / 2 + 6^2 / 1 + 2^2 / 2).
        expected = 2 * scipy.stats.t.sf(4 / np.sqrt(12 / 6), 144 / (32 + 36 + 2))
        assert quasi_f(values) == pytest.approx(expected)

    def test_one_seed_is_the_paired_t_test(self) -> None:
        values = np.random.default_rng(0).normal(0.2, 1, 50)
        assert quasi_f(values) == pytest.approx(ttest_1samp(values, 0).pvalue)

    def test_nothing_varies(self) -> None:
        assert quasi_f(np.zeros((3, 4))) == 1
        assert quasi_f(np.ones((3, 4))) == 0

    @pytest.mark.parametrize("seeds", [0.0, 0.1, 0.3])
    def test_false_alarms(self, seeds: float) -> None:
        worlds = two_way(np.random.default_rng(3), (3, 100, 2000), (1, seeds, 0.8))
        alarms = np.mean([quasi_f(world) < 0.05 for world in worlds.transpose(2, 0, 1)])
        assert 0.02 < alarms < 0.08


class TestRanks:
    def test_by_hand(self) -> None:
        scores = np.array([[0.3, 0.2, 0.1], [0.3, 0.1, 0.1], [0.1, 0.2, 0.3]])
        np.testing.assert_allclose(average_ranks(scores), [5 / 3, 6.5 / 3, 6.5 / 3])

    @pytest.mark.parametrize(
        ("n_systems", "quantile"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)]
    )
    def test_critical_values_are_demsars(self, n_systems: int, quantile: float) -> None:
        expected = quantile * np.sqrt(n_systems * (n_systems + 1) / (6 * 12))
        assert critical_difference(n_systems, 12) == pytest.approx(expected, rel=5e-4)

    def test_agrees_with_scikit_posthocs(self) -> None:
        scores = np.random.default_rng(0).normal(size=(14, 6)) + np.linspace(0, 2, 6)
        ranks = average_ranks(scores)
        apart = np.abs(ranks[:, None] - ranks) > critical_difference(6, 14)
        theirs = scikit_posthocs.posthoc_nemenyi_friedman(scores).to_numpy() < 0.05
        assert 0 < apart.sum() < 30
        assert (apart == theirs).all()
