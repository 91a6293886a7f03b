from dataclasses import replace

import numpy as np
from recommenders.conformance import pairs

from mrs.data.splits import Split
from mrs.published.deviations import recommender_of
from mrs.published.deviations.knn import played


def six_tracks() -> Split:
    """Tracks 0 to 5: 1, 2 and 4 are played in train, 5 in cold test, 0 and 3 by nobody."""
    nobody = pairs(np.array([], int), np.array([], int))
    return Split(
        name="six",
        users=np.array([7, 8]),
        tracks=np.array(list("abcdef")),
        train=pairs(np.array([0, 0, 1]), np.array([1, 4, 2])),
        val=nobody,
        hot_test=nobody,
        cold_test=pairs(np.array([1]), np.array([5])),
        warm=np.array([1, 2, 4], dtype=np.int32),
        cold=np.array([0, 3, 5], dtype=np.int32),
    )


def test_profiles_read_the_rows_that_carry_the_tracks_numbers_by_hand() -> None:
    split = six_tracks()
    assert played(split).tolist() == [1, 2, 4, 5]
    vectors = np.eye(6, dtype=np.float32)
    fitted = recommender_of("knn", {}, "published:knn_profiles").fit(split, vectors, seed=0)
    # Numbers: track 1 -> 0, track 2 -> 1, track 4 -> 2. The first user played 1 and 4.
    expected = np.zeros((2, 6))
    expected[0, [0, 2]] = 0.5**0.5
    expected[1, 1] = 1
    np.testing.assert_allclose(fitted.users(), expected, atol=1e-7)
    np.testing.assert_array_equal(fitted.items(), vectors[[1, 2, 4]])
    np.testing.assert_array_equal(fitted.encode(vectors[[5]]), vectors[[5]])


def test_where_every_track_was_played_the_rows_are_right() -> None:
    split = six_tracks()
    whole = replace(
        split,
        tracks=split.tracks[:2],
        train=pairs(np.array([0, 1]), np.array([0, 1])),
        warm=np.array([0, 1], np.int32),
        cold=split.cold[:0],
        cold_test=split.val,
    )
    vectors = np.random.default_rng(0).normal(0, 1, (2, 3)).astype(np.float32)
    fits = [
        recommender_of("knn", {"center": True}, protocol).fit(whole, vectors, seed=0)
        for protocol in ("corrected", "published:knn_profiles")
    ]
    np.testing.assert_allclose(fits[1].users(), fits[0].users(), atol=1e-7)
