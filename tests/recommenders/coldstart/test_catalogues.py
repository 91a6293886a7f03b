import time

import numpy as np
import pytest

from mrs.recommenders.coldstart.catalogues import Catalogues

ARTIST = np.array([1, 0, 1, 3, 1, -1, 3])  # artist 2 has no track, track 5 no artist


def test_sizes_and_others() -> None:
    catalogues = Catalogues(ARTIST)
    assert catalogues.sizes(np.array([0, 1, 2, 3, 4, -1])).tolist() == [1, 3, 0, 2, 0, 0]
    assert catalogues.n_others(np.arange(7)).tolist() == [2, 0, 2, 1, 2, 0, 1]
    assert catalogues.of_artists(np.array([1, 2, 3]), 9, seed=0).tolist() == [
        [0, 2, 4],
        [-1, -1, -1],
        [3, 6, -1],
    ]


def test_held_out_tracks_are_in_no_catalogue() -> None:
    catalogues = Catalogues(ARTIST, np.array([0, 1, 3, 4, 5]))
    assert catalogues.of_artists(np.array([1, 3]), 9, seed=0).tolist() == [[0, 4], [3, -1]]
    assert catalogues.n_others(np.array([2, 6, 0])).tolist() == [2, 1, 1]
    drawn = catalogues.draw(np.array([2, 6, 0]), 3, np.random.default_rng(0))
    assert [sorted(row) for row in drawn.tolist()] == [[-1, 0, 4], [-1, -1, 3], [-1, -1, 4]]


def test_draws_are_uniform_distinct_and_never_the_track_itself() -> None:
    """Each of the C(5, 3) = 10 subsets of the others is as likely."""
    catalogues, rng = Catalogues(np.zeros(6, dtype=int)), np.random.default_rng(0)
    for track in (0, 3, 5):
        drawn = np.sort(catalogues.draw(np.full(20_000, track), 3, rng), axis=1)
        assert not (drawn == track).any()
        assert (np.diff(drawn, axis=1) > 0).all()
        subsets, counts = np.unique(drawn, axis=0, return_counts=True)
        assert len(subsets) == 10
        assert np.abs(counts / 20_000 - 0.1).max() < 5 * np.sqrt(0.09 / 20_000)
        first = np.unique(catalogues.draw(np.full(20_000, track), 1, rng), return_counts=True)[1]
        assert np.abs(first / 20_000 - 0.2).max() < 5 * np.sqrt(0.16 / 20_000)


def test_a_small_catalogue_is_drawn_whole() -> None:
    catalogues = Catalogues(ARTIST)
    drawn = catalogues.draw(np.arange(7), 5, np.random.default_rng(0))
    wanted = [{2, 4}, set(), {0, 4}, {6}, {0, 2}, set(), {3}]
    for row, others in zip(drawn.tolist(), wanted, strict=True):
        assert set(row[: len(others)]) == others
        assert row[len(others) :] == [-1] * (5 - len(others))


def test_an_artist_with_5000_tracks() -> None:
    catalogues, rng = Catalogues(np.zeros(5000, dtype=int)), np.random.default_rng(0)
    drawn = catalogues.draw(np.arange(5000), 5, rng)
    assert not (drawn == np.arange(5000)[:, None]).any()
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()
    (table,) = catalogues.of_artists(np.array([0]), 250, seed=1)
    assert len(np.unique(table)) == 250
    (again,) = catalogues.of_artists(np.array([0]), 250, seed=1)
    (other,) = catalogues.of_artists(np.array([0]), 250, seed=2)
    assert np.array_equal(table, again)
    assert not np.array_equal(table, other)


def test_means_by_hand() -> None:
    catalogues = Catalogues(ARTIST)
    factors = np.array([[1, 0], [5, 5], [3, 0], [2, 2], [8, 3], [9, 9], [4, 4]], dtype=np.float32)
    default = np.array([7, 7], dtype=np.float32)
    means = catalogues.means(factors, np.array([1, 0, 2, -1, 3, 50]), default)
    assert means.tolist() == [[4, 1], [5, 5], [7, 7], [7, 7], [3, 3], [7, 7]]
    others = catalogues.other_means(factors, np.arange(7), default)
    assert others.tolist() == [
        [5.5, 1.5],
        [7, 7],
        [4.5, 1.5],
        [4, 4],
        [2, 0],
        [7, 7],
        [2, 2],
    ]
    held = Catalogues(ARTIST, np.array([0, 4]))
    assert held.other_means(factors, np.array([2, 0, 3]), default).tolist() == [
        [4.5, 1.5],
        [8, 3],
        [7, 7],
    ]


def test_nobody_known() -> None:
    catalogues = Catalogues(np.full(3, -1))
    assert catalogues.sizes(np.array([0, -1])).tolist() == [0, 0]
    assert (catalogues.draw(np.arange(3), 2, np.random.default_rng(0)) == -1).all()
    ones = np.ones(2, dtype=np.float32)
    assert (catalogues.means(np.zeros((3, 2), np.float32), np.array([0]), ones) == 1).all()


@pytest.mark.slow
def test_a_draw_for_music4all_takes_less_than_a_tenth_of_a_second() -> None:
    rng = np.random.default_rng(0)
    artist = rng.zipf(1.6, 55_262) % 9000
    catalogues = Catalogues(artist)
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        catalogues.draw(rng.permutation(55_262), 5, rng)
        seconds.append(time.process_time() - begin)
    assert min(seconds) < 0.1
