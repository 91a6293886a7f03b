import numpy as np
import pytest

from mrs.evaluation.power import subsample_means, told_apart, users_needed
from mrs.study.compare import detectable


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


def test_told_apart_by_hand() -> None:
    # All differ alike: no error, told with any two. None differ: never told.
    assert told_apart(np.full(9, 0.1), [2, 9]).tolist() == [1, 1]
    assert told_apart(np.zeros(9), [2, 9]).tolist() == [0, 0]
    # Mean 1, standard deviation sqrt(6/5), error sqrt(1/5) = 0.447: 1 > 1.96 * 0.447.
    assert told_apart(np.array([0.0, 0, 2, 2, 2, 0]), [6]).tolist() == [1]
    # Mean 2/3, error sqrt(0.7111 * 1.2 / 6 ... ) = 0.422: 0.667 < 1.96 * 0.422.
    assert told_apart(np.array([0.0, 0, 2, 2, 0, 0]), [6]).tolist() == [0]


def test_users_needed_is_where_the_detectable_difference_is_the_mean() -> None:
    differences = np.random.default_rng(0).normal(0.2, 1, 400)
    needed = users_needed(differences)
    at_hand = detectable(differences)
    assert at_hand * np.sqrt(400 / needed) == pytest.approx(differences.mean())
    # (1.95996 + 0.84162)^2 = 7.849 users for a mean of one standard deviation.
    assert users_needed(np.array([0.0, 2.0]) / np.sqrt(2)) == pytest.approx(7.849 * 2, abs=0.002)
    assert users_needed(-differences) == np.inf


def test_the_share_told_apart_is_the_power_of_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    shares = [told_apart(rng.normal(0.3, 1, 300), [87], draws=20)[0] for _ in range(200)]
    assert users_needed(np.array([-0.7, 1.3])) / 2 == pytest.approx(87.2, abs=0.1)
    assert np.mean(shares) == pytest.approx(0.8, abs=0.05)
