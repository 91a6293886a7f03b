import numpy as np
import pytest

from mrs.evaluation.exposure import exposure, groups


def test_groups_are_quarters_of_the_candidates_of_known_artists() -> None:
    listeners = np.array([8, 1, 2, 3, 4, 5, 6, 7, 0])
    known = np.arange(9) < 8
    assert groups(listeners, known).tolist() == [4, 1, 1, 2, 2, 3, 3, 4, 0]
    assert groups(listeners, known, 2).tolist() == [2, 1, 1, 1, 1, 2, 2, 2, 0]


def test_an_artist_is_not_divided() -> None:
    listeners = np.array([5, 5, 5, 5, 5, 9, 9, 9])
    assert groups(listeners, np.ones(8, dtype=bool)).tolist() == [1] * 5 + [3] * 3
    assert groups(listeners, np.zeros(8, dtype=bool)).tolist() == [0] * 8


def test_shares_by_hand() -> None:
    listeners = np.array([0, 2, 3, 9])
    group = np.array([0, 1, 1, 2])
    lists = np.array([[3, 1], [3, 2], [3, -1]])  # five places
    truth = np.array([0, 1, 1, 3])
    found = exposure(lists, truth, group, listeners)
    assert found["group"].to_list() == [0, 1, 2]
    assert found.select("least", "most").rows() == [(0, 0), (2, 3), (9, 9)]
    assert found["n_tracks"].to_list() == [1, 2, 1]
    assert found["candidates"].to_list() == [0.25, 0.5, 0.25]
    assert found["truth"].to_list() == [0.25, 0.5, 0.25]
    assert found["places"].to_list() == pytest.approx([0, 0.4, 0.6])


def test_everything_listed_gives_the_candidates_shares() -> None:
    rng = np.random.default_rng(0)
    listeners = rng.integers(0, 50, 40)
    group = groups(listeners, listeners > 3)
    lists = np.array([rng.permutation(40) for _ in range(5)])
    found = exposure(lists, lists[0], group, listeners)
    assert found["places"].to_list() == pytest.approx(found["candidates"].to_list())
    assert found["truth"].sum() == pytest.approx(1)
