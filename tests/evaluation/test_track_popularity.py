import numpy as np
import pytest
from scipy.stats import spearmanr

from mrs.evaluation.track_popularity import (
    bins,
    calibrated,
    calibration_error,
    head,
    mean_scores,
    parts,
    relative,
    spearman,
)


def test_mean_scores_are_the_means_of_all_scores() -> None:
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
    assert np.allclose(mean_scores(users, items), (users @ items.T).mean(axis=0))


def test_plays_relative_to_the_mean_track() -> None:
    assert relative(np.array([1, 2, 6])).tolist() == [1 / 3, 2 / 3, 2]
    assert relative(np.zeros(3)).tolist() == [0, 0, 0]


def test_spearman_equals_scipy_and_is_none_without_an_order() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 5, 30), rng.integers(0, 9, 30)
    assert spearman(one, other) == pytest.approx(spearmanr(one, other).statistic)
    assert spearman(np.array([3.0, 1, 2]), np.array([30.0, 10, 20])) == pytest.approx(1)
    assert spearman(np.ones(4), np.arange(4)) is None
    assert spearman(np.ones(1), np.ones(1)) is None


def test_the_head_keeps_ties_at_its_cut() -> None:
    plays = np.array([9, 5, 5, 5, 1, 1, 1, 0, 0, 0])
    assert head(plays, 0.1).tolist() == [True] + [False] * 9
    assert head(plays, 0.2).tolist() == [True] * 4 + [False] * 6
    assert head(np.array([3, 8])).tolist() == [False, True]  # never without a track


def test_calibration_pools_what_is_out_of_order() -> None:
    # By hand: 1, (5 + 2) / 2 for the two in the wrong order, 9; outside, the nearest value.
    held_scores, held_plays = np.array([0.1, 0.2, 0.3, 0.4]), np.array([1.0, 5, 2, 9])
    found = calibrated(held_scores, held_plays, np.array([-1, 0.1, 0.2, 0.3, 0.35, 0.4, 7]))
    assert found == pytest.approx([1, 1, 3.5, 3.5, 6.25, 9, 9])
    assert calibrated(np.array([]), np.array([]), held_scores) is None


def test_bins_hold_equal_expectations_together() -> None:
    expected = np.array([1.0, 1, 1, 2, 4, 4])
    found = np.array([0.0, 1, 2, 2, 3, 6])
    # Levels begin at places 0, 3 and 4 of 6: in the first, the second and the second half.
    assert bins(expected, found, 2).tolist() == [[3, 1, 1], [3, 10 / 3, 11 / 3]]
    assert bins(expected, found, 6).tolist() == [[3, 1, 1], [1, 2, 2], [2, 4, 4.5]]
    assert calibration_error(bins(expected, found, 6)) == pytest.approx((0 + 0 + 2 * 0.5) / 6)
    assert bins(np.ones(5), np.arange(5.0)).tolist() == [[5, 1, 2]]


def test_head_and_tail_apart() -> None:
    found = np.array([10.0, 8, 1, 2, 3, 0, 0, 0, 0, 1])
    scores = np.array([5.0, 9, 1, 2, 3, 0, 0, 0, 0, 1])  # the two of the head in the wrong order
    told = parts(scores, 2 * found, found)
    assert (told["head"].n_tracks, told["tail"].n_tracks, told["all"].n_tracks) == (2, 8, 10)
    assert told["head"].spearman == pytest.approx(-1)
    assert told["tail"].spearman == pytest.approx(1)
    assert told["all"].spearman == pytest.approx(spearmanr(scores, found).statistic)
    assert (told["head"].expected, told["head"].found) == (18, 9)
    assert (told["tail"].expected, told["tail"].found) == (1.75, 0.875)
    assert (told["head"].error, told["tail"].error) == (9, 0.875)
    alone = parts(scores, None, found)["all"]
    assert (alone.expected, alone.error) == (None, None)
