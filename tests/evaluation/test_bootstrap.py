import numpy as np
import pytest
from scipy.stats import norm, t, ttest_1samp
from threadpoolctl import threadpool_limits

from mrs.errors import InputError
from mrs.evaluation import bootstrap
from mrs.evaluation.bootstrap import (
    LEAST_USERS,
    difference,
    interval,
    resampled_means,
    spread,
    t_interval,
    too_few,
)


def test_mean_and_order():
    values = np.random.default_rng(0).random((3, 50))
    result = interval(values, draws=500)
    assert result.mean == pytest.approx(values.mean(), abs=1e-15)
    assert result.low < result.mean < result.high
    assert isinstance(result.low, float)


def test_agrees_with_a_studentised_bootstrap_of_its_own():
    values = np.random.default_rng(1).exponential(size=40)
    ours = interval(values, draws=20_000)
    rng = np.random.default_rng(2)
    taken = values[rng.integers(0, 40, (20_000, 40))]
    studentised = (taken.mean(axis=1) - values.mean()) / taken.std(axis=1)
    high, low = values.mean() - values.std() * np.quantile(studentised, [0.025, 0.975])
    # The standard error of such a quantile from 20,000 draws is about 0.03 standard deviations.
    tolerance = 6 * 0.03 * values.std() / np.sqrt(40)
    assert ours.low == pytest.approx(low, abs=tolerance)
    assert ours.high == pytest.approx(high, abs=tolerance)


def normal(n: int) -> np.ndarray:
    """Values whose mean is 0 and whose quantiles are those of the normal distribution [n]."""
    return norm.ppf((np.arange(n) + 0.5) / n)


def test_many_normal_users_and_one_seed_have_the_t_interval():
    values = normal(400) + 2
    result = interval(values)
    half = t.isf(0.025, 399) * values.std(ddof=1) / 20
    assert (result.low, result.high) == pytest.approx((2 - half, 2 + half), abs=0.03 * half)


def test_seeds_that_differ_alone_have_the_t_interval_of_their_means():
    values = np.array([-1.0, 0.0, 4.0])[:, None] + 1e-6 * normal(200)
    result = interval(values)
    half = t.isf(0.025, 2) * np.std([-1, 0, 4], ddof=1) / np.sqrt(3)
    assert (result.low, result.high) == pytest.approx((1 - half, 1 + half), rel=1e-4)
    with_level = interval(values, level=0.8)
    assert with_level.high - with_level.low == pytest.approx(2 * half * 1.885618 / 4.302653)


def test_users_and_seeds_add_as_squares():
    # Each seed shifts all users alike: no interaction, and seeds of -2, 0, 2 standard errors.
    users = normal(400)
    error = users.std(ddof=1) / 20
    values = users + error * np.array([-2.0, 0.0, 2.0])[:, None]
    of_users, of_seeds = t.isf(0.025, 399) * error, t.isf(0.025, 2) * 2 * error / np.sqrt(3)
    result = interval(values)
    assert result.high == pytest.approx(np.hypot(of_users, of_seeds), rel=0.01)


def test_an_interaction_alone_has_the_t_interval_of_the_seeds():
    """Nothing is a user's own, so that other users add nothing to what the seeds' means say."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4, 2000))
    values -= values.mean(axis=0) * 0.2  # what is left of a user's own is below nothing
    values += np.array([-0.05, 0.02, 0.02, 0.01])[:, None]
    result = interval(values)
    half = t.isf(0.025, 3) * values.mean(axis=1).std(ddof=1) / 2
    assert (result.high - result.low) / 2 == pytest.approx(half, rel=1e-9)


def test_seeds_that_agree_by_luck_do_not_narrow_the_interval():
    values = np.random.default_rng(3).normal(size=(2, 300))
    values -= values.mean(axis=1, keepdims=True)
    result, users = interval(values), interval(values.mean(axis=0))
    assert (result.low, result.high) == pytest.approx((users.low, users.high))


def zero_inflated(rng: np.random.Generator, p: float, shape: tuple[int, int]) -> np.ndarray:
    """NDCG@50 of users with one relevant track that is listed with probability p."""
    rank = rng.integers(1, 51, shape)
    return np.where(rng.random(shape) < p, 1 / np.log2(rank + 1), 0)


def alarms(values: np.ndarray, mean: float) -> float:
    """The share of worlds [U x worlds] whose interval is there and leaves out the true mean."""
    bounds = interval(values[None], draws=1000)
    return float(((bounds.low > mean) | (bounds.high < mean)).mean())


@pytest.mark.parametrize("n_users", [1, 2, 3, 5, 19, 20, 30, 60])
def test_few_users_hold_the_level_or_have_no_interval(n_users):
    """False in 5 % of worlds at most: normal, exponential and mostly zero, as NDCG is."""
    rng, shape = np.random.default_rng(n_users), (n_users, 2000)
    found = {
        "normal": alarms(rng.normal(size=shape), 0),
        "exponential": alarms(rng.exponential(size=shape), 1),
    }
    for p in (0.02, 0.1, 0.3):
        mean = p * (1 / np.log2(np.arange(2, 52))).mean()
        found[f"zero but for {p}"] = alarms(zero_inflated(rng, p, shape), mean)
    # Three standard errors of a share of 2,000 worlds above 5 %.
    assert max(found.values()) < 0.065, found
    if n_users < LEAST_USERS:
        assert max(found.values()) == 0


def test_why_there_is_no_interval():
    rng = np.random.default_rng(0)
    assert too_few(rng.random(20)) == too_few(rng.random((3, 20))) == ""
    assert too_few(rng.random(19)) == "19 users are too few for an interval; at least 20"
    values = np.zeros(1500)
    values[:9] = rng.random(9)
    assert too_few(values) == (
        "9 of 1,500 users differ from the most common value, too few for an interval; at least 10"
    )
    assert interval(values[None, :, None]).rows() == [(values.mean(), None, None)]
    values[9] = 1
    ((_, low, high),) = interval(values[None, :, None]).rows()
    assert low is not None
    assert low < values.mean() < high


class TestPValues:
    def test_the_level_at_which_the_interval_touches_zero(self):
        rng = np.random.default_rng(5)
        values = rng.normal(0.1, 1, (3, 200, 6)) + rng.normal(0, 0.05, (3, 1, 6))
        drawn = spread([values], draws=2000)
        p = drawn.p_values()
        assert ((p > 0.002) & (p < 1)).all()
        for column in range(6):
            inside = drawn.interval(1 - p[column] * 0.99)
            outside = drawn.interval(1 - p[column] * 1.01)
            assert inside.low[column] < 0 < inside.high[column]
            assert outside.low[column] > 0 or outside.high[column] < 0

    def test_near_the_t_test(self):
        values = np.random.default_rng(0).normal(0.13, 1, 300)
        (p,) = spread([values[None, :, None]]).p_values()
        assert p == pytest.approx(ttest_1samp(values, 0).pvalue, abs=0.015)

    def test_of_seeds_alone_that_of_the_t_test_of_their_means(self):
        means = np.array([0.2, 0.5, 0.3])
        values = means[:, None] + 1e-9 * normal(100)
        (p,) = spread([values[:, :, None]]).p_values()
        assert p == pytest.approx(ttest_1samp(means, 0).pvalue, rel=1e-3)

    def test_never_zero_and_none_for_too_few(self):
        (p,) = spread([normal(100)[None, :, None] + 50], draws=999).p_values()
        assert p == pytest.approx(2 / 1000, rel=1e-6)
        assert np.isnan(spread([np.ones((1, 5, 1))]).p_values()).all()


@pytest.mark.parametrize("ratio", [0.0, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("interaction", [0.0, 1.0])
def test_false_positives_of_three_seeds(ratio, interaction):
    """At most 6 % whatever the seeds add; `ratio` is their sd in standard errors over users.

    A bootstrap of users and seeds together has 15 % at a ratio of 3 and 24 % at 30.
    """
    rng = np.random.default_rng(7)
    shape = (3, 200, 1500)
    values = (
        rng.normal(size=(1, *shape[1:]))
        + ratio / np.sqrt(200) * rng.normal(size=(3, 1, 1500))
        + interaction * rng.normal(size=shape)
    )
    bounds = interval(values, draws=400)
    assert ((bounds.low > 0) | (bounds.high < 0)).mean() < 0.06


def test_the_t_interval_of_few_worlds():
    values = np.array([0.2, 0.5, 0.3, 0.9])
    theirs = ttest_1samp(values, 0).confidence_interval(0.95)
    ours = t_interval(values)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert t_interval(values[:2]).rows() == [(0.35, None, None)]


def test_resampled_means_have_both_variances():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(3, 400, 2)) + rng.normal(size=(3, 1, 2))
    means = resampled_means(values, draws=20_000)
    by_seed = values.mean(axis=1)
    error = by_seed.std(axis=0, ddof=1) / np.sqrt(3)
    users = values.mean(axis=0).std(axis=0, ddof=1) / 20
    # Seeds dominate: the quartiles are those of Student's t with two degrees of freedom.
    assert (users < 0.2 * error).all()
    quarter = np.quantile(means, [0.25, 0.75], axis=0)
    np.testing.assert_allclose((quarter[1] - quarter[0]) / 2, t.ppf(0.75, 2) * error, rtol=0.05)
    # A difference of two columns is drawn as the difference of their draws.
    apart = resampled_means(values[:, :, :1] - values[:, :, 1:], draws=20_000)
    np.testing.assert_allclose(means[:, 0] - means[:, 1], apart[:, 0], atol=1e-12)
    one = resampled_means(values[:1], draws=20_000)
    np.testing.assert_allclose(one.std(axis=0), values[0].std(axis=0) / 20, rtol=0.03)


def test_the_same_digits_again_and_with_other_threads():
    rng = np.random.default_rng(5)
    values = rng.random((2, 700, 3)) + 2 * rng.random((700, 3))
    with threadpool_limits(1):
        first = interval(values, draws=3000, seed=7)
    with threadpool_limits(2):
        second = interval(values, draws=3000, seed=7)
    np.testing.assert_array_equal(first.low, second.low)
    np.testing.assert_array_equal(first.high, second.high)
    assert (interval(values, draws=3000, seed=8).low != first.low).all()


def test_size_of_the_chunks_does_not_matter(monkeypatch):
    values = np.random.default_rng(6).random((3, 51))
    whole = interval(values, draws=999)
    monkeypatch.setattr(bootstrap, "CHUNK_CELLS", 51 * 7)
    parts = interval(values, draws=999)
    assert parts.low == pytest.approx(whole.low, abs=1e-14)
    assert parts.high == pytest.approx(whole.high, abs=1e-14)


def test_metrics_share_the_draws():
    values = np.random.default_rng(7).random((2, 60, 4))
    together = interval(values, draws=800)
    assert together.mean.shape == (4,)
    for column in range(4):
        alone = interval(values[:, :, column], draws=800)
        assert together.low[column] == pytest.approx(alone.low, abs=1e-14)
        assert together.high[column] == pytest.approx(alone.high, abs=1e-14)


def test_systems_over_the_same_users_are_paired():
    rng = np.random.default_rng(8)
    system = rng.random(80)
    other = system + 0.25
    # A constant shift moves the interval by itself only where the draws are the same.
    assert interval(other, draws=500).low == pytest.approx(
        interval(system, draws=500).low + 0.25, abs=1e-12
    )
    # Seeds that do not differ add nothing.
    assert interval(np.stack([system, system]), draws=500).low == pytest.approx(
        interval(system, draws=500).low, abs=1e-12
    )


@pytest.mark.parametrize("values", [np.empty(0), np.empty((0, 4)), np.array([1.0, np.nan])])
def test_empty_and_nan(values):
    with pytest.raises(InputError, match="finite"):
        interval(values)


@pytest.mark.parametrize("options", [{"draws": 0}, {"level": 1.0}, {"level": 0.0}])
def test_parameters_out_of_range(options):
    with pytest.raises(InputError, match="at least 1|between 0 and 1"):
        interval(np.ones(3), **options)


def test_a_difference_over_equal_seeds_is_the_interval_of_the_differences():
    rng = np.random.default_rng(9)
    first, second = rng.random((3, 40, 2)), rng.random((3, 40, 2))
    ours, theirs = difference(first, second, draws=700), interval(first - second, draws=700)
    np.testing.assert_allclose(ours.mean, theirs.mean, atol=1e-14)
    np.testing.assert_allclose(ours.low, theirs.low, atol=1e-14)
    np.testing.assert_allclose(ours.high, theirs.high, atol=1e-14)


def test_a_difference_draws_the_users_together():
    values = np.random.default_rng(10).random((1, 40, 1))
    noise = 1e-6 * normal(40)[None, :, None]
    many = np.repeat(values - 0.25 + noise, 5, axis=0)
    ours = difference(values, many, draws=300)
    assert (ours.low[0], ours.high[0]) == pytest.approx((0.25, 0.25), abs=1e-5)


def test_a_difference_of_unequal_seeds_has_both_variances():
    rng = np.random.default_rng(11)
    first, second = rng.normal(size=(4, 1, 1)), rng.normal(size=(9, 1, 1))
    users = 1e-6 * normal(30)[None, :, None]
    ours = difference(first + users, second + 2 * users)
    halves = [
        t.isf(0.025, len(side) - 1) * side.std(ddof=1) / np.sqrt(len(side))
        for side in (first, second)
    ]
    assert (ours.high - ours.low)[0] == pytest.approx(2 * np.hypot(*halves), rel=1e-4)
