from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from mrs.data.pseudo_cold import pseudo_cold_split, validation_split
from mrs.data.splits import Split, to_split
from mrs.errors import InputError

END = datetime(2019, 1, 31)
# user, track, days before the last train play
TRAIN = [
    (1, 10, 100),
    (1, 11, 90),
    (1, 13, 20),  # 13 is first played 25 days before the end
    (2, 10, 80),
    (2, 13, 25),
    (2, 14, 0),  # 14 on the last day
    (3, 14, 1),  # user 3 has played nothing else
    (4, 11, 70),
    (4, 12, 45),  # 12 belongs to the second month from the end
    (5, 10, 10),  # 10 is old, although played late
]
VAL = [(1, 12, -3), (4, 10, -4), (4, 13, -5), (3, 10, -6)]
TEST = [(2, 11, -7)]
COLD = [(2, 15, -8)]


def frame(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "track_id": [row[1] for row in rows],
            "timestamp": [END - timedelta(days=row[2]) for row in rows],
            "count": [row[0] + 1 for row in rows],
        }
    )


def small() -> Split:
    parts = {"train": TRAIN, "val": VAL, "hot_test": TEST, "cold_test": COLD}
    tracks = pl.DataFrame({"track_id": [10, 11, 12, 13, 14, 15], "artist_id": [1, 1, 2, 2, 3, 3]})
    return to_split("s", {name: frame(rows) for name, rows in parts.items()}, tracks)


def pairs(split: Split, part: str) -> list[tuple[int, int]]:
    found = getattr(split, part)
    return [
        (int(u), int(t))
        for u, t in zip(split.users[found.user], split.tracks[found.track], strict=True)
    ]


def test_pseudo_cold_tracks_leave_train_by_hand() -> None:
    split, months = pseudo_cold_split(small(), least=2)
    assert months == 1
    assert split.tracks[split.cold].tolist() == [13, 14]
    assert split.tracks[split.warm].tolist() == [10, 11, 12]
    assert split.users.tolist() == [1, 2, 4, 5]  # nothing is left of user 3
    assert pairs(split, "train") == [(1, 10), (1, 11), (2, 10), (4, 11), (4, 12), (5, 10)]
    assert not np.isin(split.train.track, split.cold).any()
    # The truth are the plays that left, of users who are still there; counts and times go along.
    assert pairs(split, "cold_test") == [(1, 13), (2, 13), (2, 14)]
    assert split.cold_test.count.tolist() == [2, 3, 3]
    # Validation keeps what can still be recommended as hot.
    assert pairs(split, "val") == [(1, 12), (4, 10)]
    assert split.hot_test is split.val
    assert split.matrix.shape == (4, 3)
    assert split.artists is not None


def test_more_months_where_the_last_brought_too_few() -> None:
    split, months = pseudo_cold_split(small(), least=3)
    assert months == 2
    assert split.tracks[split.cold].tolist() == [12, 13, 14]
    assert pairs(split, "cold_test") == [(1, 13), (2, 13), (2, 14), (4, 12)]


def test_too_short_a_train_part() -> None:
    with pytest.raises(InputError, match="split s: fewer than 6 tracks"):
        pseudo_cold_split(small(), least=6)


def test_the_test_part_is_not_read() -> None:
    whole = small()
    other = replace(whole, hot_test=whole.val, cold_test=whole.val, cold=whole.cold[:0])
    for one, two in ((pseudo_cold_split(s, least=2)[0] for s in (whole, other)),):
        for part in ("train", "val", "hot_test", "cold_test"):
            assert pairs(one, part) == pairs(two, part)
        assert one.cold.tolist() == two.cold.tolist()


def test_validation_in_the_place_of_the_test() -> None:
    split = validation_split(small())
    assert pairs(split, "hot_test") == [(1, 12), (3, 10), (4, 10), (4, 13)]
    assert not len(split.cold_test)
    assert not len(split.cold)
    with pytest.raises(InputError, match="no validation pairs"):
        validation_split(replace(split, val=split.cold_test))


def long_train(n_cold: int) -> Split:
    """A user plays a new track every day for 400 days; `n_cold` further ones are cold."""
    train = frame([(1, day, 400 - day) for day in range(400)])
    old = frame([(2, 0, 399)])
    cold = frame([(1, 1000 + n, -1) for n in range(n_cold)])
    hot = frame([(2, 7, -2)])
    tracks = pl.DataFrame({"track_id": [*range(400), *range(1000, 1000 + n_cold)]})
    parts = {"train": pl.concat([train, old]), "val": hot, "hot_test": hot, "cold_test": cold}
    return to_split("s", parts, tracks)


@pytest.mark.parametrize(
    ("n_cold", "months", "n_new"),
    [
        (100, 3, 90),  # a fifth of all candidates, hence 80 train tracks: three months
        (10, 2, 60),  # a fortieth would be ten tracks: at least 50
        (1600, 11, 330),  # four fifths, 320 tracks
    ],
)
def test_as_large_a_share_of_train_as_cold_tracks_are(n_cold: int, months: int, n_new: int) -> None:
    split, found = pseudo_cold_split(long_train(n_cold))
    assert (found, len(split.cold)) == (months, n_new)


def test_a_share_that_train_cannot_give_is_as_near_as_it_comes() -> None:
    """Of 400 days 13 months have passed since the first month began."""
    split, months = pseudo_cold_split(long_train(40_000))
    assert months == 13
    assert len(split.cold) == 390
