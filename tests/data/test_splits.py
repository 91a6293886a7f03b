"""The temporal split: what it keeps, and that nothing leaks over the cut."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mrs.data.checks import read_frame
from mrs.data.rules import parse_rule
from mrs.data.splits import (
    KNOWN_RULES,
    Interactions,
    TemporalRule,
    compress,
    core,
    to_split,
)
from mrs.errors import InputError

CUT = datetime(2019, 2, 1)
MUSIC4ALL = Path(__file__).resolve().parents[3] / "shared" / "data" / "music4all"


def temporal_split(frame: pl.DataFrame, rule: TemporalRule) -> dict[str, pl.DataFrame]:
    return rule.cut(frame)


def plays(*rows: tuple[str, str, float]) -> pl.DataFrame:
    """Plays by (user, track, days after the cut)."""
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "track_id": [row[1] for row in rows],
            "timestamp": [CUT + timedelta(days=row[2]) for row in rows],
        }
    )


def pairs(frame: pl.DataFrame) -> set[tuple[str, str]]:
    return set(frame.select("user_id", "track_id").iter_rows())


def rule(**values: object) -> TemporalRule:
    return TemporalRule(test_start=CUT, **{"validation_share": 0.0, **values})


def test_hot_cold_and_neither() -> None:
    parts = temporal_split(
        plays(
            ("ann", "old", -5),
            ("bob", "old", -4),
            ("bob", "other", -4),
            ("ann", "other", 1),  # first play by her: hot
            ("ann", "old", 2),  # played before: not to be predicted
            ("ann", "new", 3),  # nobody played it before: cold
            ("eve", "old", 3),  # no train plays: not a test user
        ),
        rule(),
    )
    assert pairs(parts["train"]) == {("ann", "old"), ("bob", "old"), ("bob", "other")}
    assert pairs(parts["hot_test"]) == {("ann", "other")}
    assert pairs(parts["cold_test"]) == {("ann", "new")}


def test_counts_cover_only_their_own_part() -> None:
    parts = temporal_split(
        plays(
            *[("ann", "old", d) for d in (-3, -2, 1, 2, 3)], ("ann", "new", 1), ("ann", "new", 2)
        ),
        rule(),
    )
    assert parts["train"]["count"].to_list() == [2]
    assert parts["train"]["timestamp"].to_list() == [CUT - timedelta(days=3)]
    assert parts["cold_test"]["count"].to_list() == [2]
    assert parts["cold_test"]["timestamp"].to_list() == [CUT + timedelta(days=1)]


def test_window_ends_are_half_open() -> None:
    parts = temporal_split(
        plays(("a", "x", -10), ("a", "y", -5), ("a", "z", 0), ("a", "w", 28)),
        rule(train_start=CUT - timedelta(days=5), test_end=CUT + timedelta(days=28)),
    )
    assert pairs(parts["train"]) == {("a", "y")}
    assert pairs(parts["cold_test"]) == {("a", "z")}


def test_validation_users_have_no_cold_pairs_and_are_not_tested() -> None:
    rows = [(f"u{i}", "old", -9.0) for i in range(40)] + [("seed", "hot", -9.0)]
    rows += [(f"u{i}", "hot", 1.0) for i in range(40)]
    rows += [(f"u{i}", "cold", 2.0) for i in range(0, 40, 4)]
    parts = temporal_split(plays(*rows), rule(validation_share=0.3, seed=42))
    cold_users = set(parts["cold_test"]["user_id"])
    val_users = set(parts["val"]["user_id"])
    assert len(cold_users) == 10
    assert len(val_users) == int(0.3 * 30)
    assert not val_users & cold_users
    assert not val_users & set(parts["hot_test"]["user_id"])
    assert len(parts["val"]) + len(parts["hot_test"]) == 40


def test_the_validation_draw_follows_its_seed() -> None:
    rows = [(f"u{i}", "old", -9.0) for i in range(40)] + [("seed", "hot", -9.0)]
    rows += [(f"u{i}", "hot", 1.0) for i in range(40)]
    drawn = [
        set(temporal_split(plays(*rows), rule(validation_share=0.3, seed=s))["val"]["user_id"])
        for s in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_core_is_iterative() -> None:
    # b has two tracks, one of which only b played: without it b has one, and so on.
    frame = plays(
        ("a", "x", 0), ("a", "y", 0), ("b", "x", 0), ("b", "z", 0), ("c", "x", 0), ("c", "y", 0)
    )
    assert pairs(core(compress(frame), 2)) == {("a", "x"), ("a", "y"), ("c", "x"), ("c", "y")}


def test_core_sees_train_alone_and_its_losses_are_not_cold() -> None:
    parts = temporal_split(
        plays(
            *[(u, t, -2.0) for u in "ab" for t in "xy"],
            ("a", "rare", -2.0),
            ("b", "rare", 1.0),  # a second listener, but after the cut
            ("b", "new", 1.0),
        ),
        rule(min_core=2),
    )
    assert pairs(parts["train"]) == {(u, t) for u in "ab" for t in "xy"}
    assert parts["dropped"]["track_id"].to_list() == ["rare"]
    assert pairs(parts["cold_test"]) == {("b", "new")}
    assert not len(parts["hot_test"])


def test_plays_after_the_cut_change_nothing_before_it() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"u{u}", f"t{t}", float(d))
        for u, t, d in zip(
            rng.integers(0, 9, 300),
            rng.integers(0, 20, 300),
            rng.uniform(-20, 20, 300),
            strict=True,
        )
    ]
    before = [row for row in rows if row[2] < 0]
    with_future = temporal_split(plays(*rows), rule(min_core=2))["train"]
    without = temporal_split(plays(*before), rule(min_core=2))["train"]
    assert with_future.equals(without)


def test_positions() -> None:
    parts = temporal_split(
        plays(("b", "t2", -3), ("a", "t3", -2), ("b", "t3", -1), ("a", "t2", 1), ("b", "t9", 2)),
        rule(),
    )
    tracks = pl.DataFrame({"track_id": ["t9", "t3", "t7", "t2"], "artist_id": [5, None, 5, 2]})
    split = to_split("s", parts, tracks)
    assert split.users.tolist() == ["a", "b"]
    assert split.warm.tolist() == [1, 3]
    assert split.cold.tolist() == [0, 2]
    assert split.matrix.toarray().tolist() == [[1, 0], [1, 1]]
    assert (split.hot_test.user.tolist(), split.hot_test.track.tolist()) == ([0], [3])
    assert (split.cold_test.user.tolist(), split.cold_test.track.tolist()) == ([1], [0])
    assert split.artists is not None
    assert split.artists.tolist() == [1, -1, 1, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rule": "random", "test_start": "2019-02-01"}, "unknown split rule"),
        ({"test_start": "2019-02-01", "sead": 1}, "sead"),
        ({"seed": 1}, "test_start is missing"),
        ({"test_start": "February"}, "test_start=February: write a date such as 2019-02-01"),
        ({"test_start": "2019-02-01", "min_core": "five"}, "min_core=five"),
        (
            {"test_start": "2019-02-01", "validation_share": 2},
            "validation_share=2 should be less than or equal to 1",
        ),
        (["2019-02-01"], "no mapping"),
    ],
)
def test_wrong_rules(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_rule("dataset.json: splits.x", values)


@pytest.mark.skipif(
    not (MUSIC4ALL / "cold_test.pqt").is_file(), reason=f"no real listening in {MUSIC4ALL}"
)
def test_real_february() -> None:
    columns = {"user_id": "id", "track_id": "id", "timestamp": "time"}
    frame = read_frame(MUSIC4ALL / "cold_test.pqt", columns)
    parts = temporal_split(frame, KNOWN_RULES["february-2019"])
    train, hot = parts["train"], parts["hot_test"]
    assert (len(frame), frame["user_id"].n_unique(), frame["track_id"].n_unique()) == (
        23269,
        4553,
        589,
    )
    assert (len(train), train["user_id"].n_unique(), train["track_id"].n_unique()) == (
        11352,
        1225,
        313,
    )
    assert (len(hot), hot["user_id"].n_unique()) == (843, 367)
    assert train["count"].unique().to_list() == [1]


def test_interactions_out_of_order_are_refused() -> None:
    in_order, ones = np.array([0, 1, 1]), np.ones(3, dtype=np.int32)
    assert len(Interactions(in_order, ones, ones, ones)) == 3
    with pytest.raises(ValueError, match="sorted by user"):
        Interactions(in_order[::-1], ones, ones, ones)
