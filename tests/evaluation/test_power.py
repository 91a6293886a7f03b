import numpy as np
import pytest

from mrs.evaluation.power import share_above_zero, subsample_means
from mrs.evaluation.significance import Components


def test_all_users_give_their_mean_and_one_user_one_row() -> None:
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    means = subsample_means(values, [1, 3], draws=40)
    assert means.shape == (40, 2, 2)
    np.testing.assert_allclose(means[:, 1], np.tile([7 / 3, 70 / 3], (40, 1)))
    assert {tuple(row) for row in means[:, 0]} == {(1, 10), (2, 20), (4, 40)}


def test_a_smaller_sample_lies_within_the_larger() -> None:
    values = np.eye(6)  # a mean shows who was taken
    small, large = np.moveaxis(subsample_means(values, [2, 5], draws=20) > 0, 1, 0)
    assert (small.sum(axis=1) == 2).all()
    assert (large.sum(axis=1) == 5).all()
    assert (large | ~small).all()


def test_more_users_than_there_are_raise() -> None:
    with pytest.raises(ValueError, match="1 to the 3 users"):
        subsample_means(np.zeros((3, 1)), [4])


def test_share_above_zero_by_hand() -> None:
    # All differ alike: no error, found with any two. None differ: never found.
    assert share_above_zero(np.full(9, 0.1), [2, 9]).tolist() == [1, 1]
    assert share_above_zero(np.zeros(9), [2, 9]).tolist() == [0, 0]
    # Mean 4/3, variance 16/15, error sqrt(16/90) = 0.422: 1.333 > 2.571 * 0.422 = 1.084.
    assert share_above_zero(np.array([0.0, 2, 2, 2, 2, 0]), [6]).tolist() == [1]
    # Mean 1, error sqrt(1/5) = 0.447: 1 < 2.571 * 0.447 = 1.150, though above 1.96 errors.
    assert share_above_zero(np.array([0.0, 0, 2, 2, 2, 0]), [6]).tolist() == [0]


def test_the_share_is_the_power_of_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    needed = int(Components(1.0, 0, 0, n_users=300, n_seeds=1).users_needed(0.3))
    shares = [share_above_zero(rng.normal(0.3, 1, 300), [needed], draws=20)[0] for _ in range(200)]
    assert 87 < needed < 92
    assert np.mean(shares) == pytest.approx(0.8, abs=0.05)
