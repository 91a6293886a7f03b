import numpy as np
import pytest
import scipy.stats
from threadpoolctl import threadpool_limits

from mrs.errors import InputError
from mrs.evaluation import bootstrap
from mrs.evaluation.bootstrap import difference, interval


def test_mean_and_order():
    values = np.random.default_rng(0).random((3, 50))
    result = interval(values, draws=500)
    assert result.mean == pytest.approx(values.mean(), abs=1e-15)
    assert result.low < result.mean < result.high
    assert isinstance(result.low, float)


def test_agrees_with_scipy_within_monte_carlo_error():
    values = np.random.default_rng(1).exponential(size=40)
    ours = interval(values, draws=20_000)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=2
    ).confidence_interval
    # The standard error of a 2.5 % quantile from 20,000 draws is 0.019 standard deviations.
    tolerance = 6 * 0.019 * values.std() / np.sqrt(40)
    assert ours.low == pytest.approx(theirs.low, abs=tolerance)
    assert ours.high == pytest.approx(theirs.high, abs=tolerance)


def test_two_values_have_the_binomial_distribution():
    # The mean of two draws from {0, 1} is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4.
    assert interval(np.array([0.0, 1.0]), level=0.95).low == 0.0
    inner = interval(np.array([0.0, 1.0]), level=0.4)
    assert (inner.low, inner.high) == (0.5, 0.5)


def test_coverage():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        result = interval(rng.random(100), draws=400)
        covered += result.low <= 0.5 <= result.high
    assert 0.91 <= covered / 400 <= 0.985


def test_seeds_widen_the_interval_by_their_own_variance():
    rng = np.random.default_rng(4)
    seeds = np.array([-1.0, 0.0, 1.0])
    values = seeds[:, None] + 0.1 * rng.standard_normal((3, 200))
    result = interval(values)
    # Three seeds with replacement: the mean is -1 with probability 1/27 = 3.7 %, above 2.5 %.
    assert result.low == pytest.approx(-1.0, abs=0.05)
    assert result.high == pytest.approx(1.0, abs=0.05)
    users_only = interval(values.mean(axis=0))
    assert users_only.high - users_only.low < 0.1


def test_the_same_digits_again_and_with_other_threads():
    values = np.random.default_rng(5).random((2, 700, 3))
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
    difference = interval(other - system, draws=500)
    assert difference.low == pytest.approx(0.25, abs=1e-12)
    assert difference.high == pytest.approx(0.25, abs=1e-12)
    # A constant shift moves the interval by itself only where the draws are the same.
    assert interval(other, draws=500).low == pytest.approx(
        interval(system, draws=500).low + 0.25, abs=1e-12
    )
    # Users are drawn alike however many seeds there are.
    assert interval(np.stack([system, system]), draws=500).low == pytest.approx(
        interval(system, draws=500).low, abs=1e-12
    )


def test_one_user():
    result = interval(np.array([0.3]), draws=10)
    assert (result.mean, result.low, result.high) == pytest.approx((0.3, 0.3, 0.3))


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
    many = np.repeat(values - 0.25, 5, axis=0)
    ours = difference(values, many, draws=300)
    assert (ours.low[0], ours.high[0]) == pytest.approx((0.25, 0.25), abs=1e-12)


def test_a_difference_of_unequal_seeds_has_both_variances():
    rng = np.random.default_rng(11)
    first, second = rng.normal(size=(4, 1, 1)), rng.normal(size=(9, 1, 1))
    ours = difference(first, second)
    # The mean of n draws of n values has their variance / n; both sides are drawn apart.
    spread = np.sqrt(first.var() / 4 + second.var() / 9)
    assert (ours.high - ours.low)[0] == pytest.approx(2 * 1.96 * spread, rel=0.06)
