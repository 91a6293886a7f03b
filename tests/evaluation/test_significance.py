"""Statistics against hand values, closed forms, statsmodels, scikit-posthocs, and by simulation."""

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs
import scipy.stats
from scipy.stats import norm, ttest_1samp
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests

from mrs.evaluation.bootstrap import spread
from mrs.evaluation.significance import (
    Components,
    average_ranks,
    components,
    critical_difference,
    detectable,
    effect_size,
    first_step,
    holm,
)


class TestHolm:
    def test_by_hand(self) -> None:
        found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
        np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])

    def test_is_statsmodels(self) -> None:
        p = np.random.default_rng(0).uniform(size=30) ** 3
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])

    def test_none(self) -> None:
        assert len(holm(np.array([]))) == 0

    def test_what_was_not_tested_does_not_count(self) -> None:
        found = holm(np.array([0.01, np.nan, 0.04]))
        np.testing.assert_allclose(found, [0.02, np.nan, 0.04])

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
        assert found.mean == pytest.approx(size)
        assert np.isnan([found.low, found.high]).all()  # four users are too few
        many = effect_size(np.tile(values, 100))
        size = 2.5 / np.sqrt(5 / 4 * 400 / 399)
        half = 1.959964 * np.sqrt((1 + (41 / 25 - 1) * size**2 / 4) / 400)
        ends = (many.mean, many.low, many.high)
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
    def test_one_seed_is_the_power_of_the_t_test(self) -> None:
        values = np.random.default_rng(0).normal(size=12)
        error = np.std(values, ddof=1) / np.sqrt(12)
        for level in (0.95, 0.995):
            away = detectable(values, level=level) / error
            critical = scipy.stats.t.isf((1 - level) / 2, 11)
            assert scipy.stats.nct.sf(critical, 11, away) == pytest.approx(0.8)
        assert np.isnan(detectable(values[:1]))
        assert detectable(np.ones(5)) == 0

    def test_many_users_need_the_textbooks_2_8_standard_errors(self) -> None:
        values = np.random.default_rng(0).normal(size=20_000)
        error = np.std(values, ddof=1) / np.sqrt(20_000)
        assert detectable(values) == pytest.approx((1.959964 + 0.841621) * error, rel=1e-3)
        assert detectable(values, 80_000) == pytest.approx(detectable(values) / 2, rel=1e-3)

    @pytest.mark.parametrize(("n_seeds", "seeds"), [(3, 0.0), (3, 0.1), (3, 0.6), (5, 0.1)])
    def test_a_difference_of_that_size_is_found_by_the_interval(
        self, n_seeds: int, seeds: float
    ) -> None:
        """The spread over three seeds has to be estimated, which costs power."""
        found = Components(1.0, seeds**2, 0.5**2, n_users=200, n_seeds=n_seeds)
        worlds = two_way(np.random.default_rng(2), (n_seeds, 200, 1000), (1, seeds, 0.5))
        bounds = spread([worlds + found.detectable()], draws=400).interval()
        assert (np.asarray(bounds.low) > 0).mean() == pytest.approx(0.8, abs=0.05)

    def test_half_width_by_hand(self) -> None:
        found = Components(users=2.0, seeds=0.03, interaction=6.0, n_users=400, n_seeds=3)
        users, seeds = 1.965927**2 * 2 / 400, 4.302653**2 * (0.03 / 3 + 6 / 1200)
        assert found.half_width() == pytest.approx(np.sqrt(users + seeds), rel=1e-6)
        assert found.half_width(n_seeds=1) == pytest.approx(1.965927 * np.sqrt(8 / 400), rel=1e-6)
        assert found.half_width(np.inf) == pytest.approx(4.302653 * 0.1, rel=1e-6)

    def test_a_true_difference_of_that_size_is_seen_in_80_percent(self) -> None:
        rng = np.random.default_rng(0)
        size = detectable(rng.normal(size=5000), 200)
        seen = [ttest_1samp(rng.normal(size, 1, 200), 0).pvalue < 0.05 for _ in range(2000)]
        assert np.mean(seen) == pytest.approx(0.8, abs=0.03)

    def test_users_needed_is_the_inverse(self) -> None:
        found = Components(users=1.0, seeds=0.0003, interaction=0.6, n_users=500, n_seeds=3)
        size = found.detectable(800)
        assert found.users_needed(size * (1 + 1e-9)) == 800
        assert found.users_needed(size * 0.9) > 800
        floor = found.detectable(np.inf)
        assert found.users_needed(floor * 0.99) == np.inf
        assert found.users_needed(floor * 0.99, n_seeds=6) < np.inf
        assert found.users_needed(-size) == found.users_needed(0) == np.inf

    def test_users_needed_by_the_textbook(self) -> None:
        # (1.95996 + 0.84162)^2 = 7.849 users for one standard deviation, in many times as many.
        found = Components(1.0, 0, 0, n_users=50, n_seeds=1)
        assert found.users_needed(0.03) == pytest.approx(7.849 / 0.03**2, rel=1e-3)


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
