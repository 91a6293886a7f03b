"""The catalogue split on plays small enough to cut by hand."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from mrs.data.rules import CatalogueRule, KnownRule, PlayedRule, parse_rule
from mrs.data.splits import Split, TemporalRule, to_split
from mrs.errors import InputError

CUT = datetime(2018, 9, 1)
MONTH = CUT - timedelta(days=31)

Play = tuple[str, str, float]


def plays(*rows: Play) -> pl.DataFrame:
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


def rule(**values: object) -> CatalogueRule:
    return CatalogueRule(test_start=CUT, **{"validation_share": 0.0, "min_core": 1, **values})


# Ann, Bob and Cid play two old tracks each; "late" comes out in the last month.
OLD: list[Play] = [(user, track, -90.0) for user in "abc" for track in ("old", "too")]


def test_tracks_first_played_in_the_last_month_are_for_validation() -> None:
    parts = rule(cold_validation_start=MONTH).cut(
        plays(
            *OLD,
            ("a", "late", -20),
            ("a", "late", -19),
            ("b", "late", 5),  # of a validation track nothing after the cut counts
            ("z", "late", -9),  # no train user
            ("a", "old", -3),  # an old track stays one
            ("a", "new", 3),
            ("z", "new", 3),
        )
    )
    assert pairs(parts["train"]) == {(u, t) for u in "abc" for t in ("old", "too")}
    assert pairs(parts["cold_val"]) == {("a", "late")}
    assert parts["cold_val"]["count"].to_list() == [2]
    assert pairs(parts["cold_test"]) == {("a", "new")}
    assert parts["cold"]["track_id"].to_list() == ["new"]
    assert not len(parts["hot_test"])


def test_what_was_first_played_before_the_window_does_not_count_as_new_inside() -> None:
    """New means: first played inside the window, whatever came before it."""
    whole = [*OLD, ("a", "back", -400.0), ("b", "back", -5.0)]
    parts = rule(cold_validation_start=MONTH, train_start=CUT - timedelta(days=365)).cut(
        plays(*whole)
    )
    assert pairs(parts["cold_val"]) == {("b", "back")}


def test_a_share_of_the_new_tracks_is_for_validation_by_track() -> None:
    new = [(user, f"new{i}", 1.0 + i) for i in range(10) for user in "ab"]
    draws = [rule(cold_validation_share=0.3, seed=s).cut(plays(*OLD, *new)) for s in (1, 1, 2)]
    held = [set(parts["cold_val"]["track_id"]) for parts in draws]
    assert [len(tracks) for tracks in held] == [3, 3, 3]
    assert held[0] == held[1] != held[2]
    for parts, tracks in zip(draws, held, strict=True):
        assert set(parts["cold_test"]["track_id"]) == {f"new{i}" for i in range(10)} - tracks
        assert set(parts["cold"]["track_id"]) == set(parts["cold_test"]["track_id"])
        assert len(parts["cold_val"]) + len(parts["cold_test"]) == len(new)


def test_no_cold_validation_unless_asked_for() -> None:
    parts = rule().cut(plays(*OLD, ("a", "new", 3)))
    assert "cold_val" not in parts
    assert to_split("s", parts, pl.DataFrame({"track_id": ["old", "too", "new"]})).cold_val is None


def test_the_core_is_iterative_and_its_losses_are_neither_hot_nor_cold() -> None:
    rows = [(user, track, -90.0) for user in "abc" for track in "xy"]
    # Dan has two tracks until "rare", his alone, falls: then he has one, and falls too.
    rows += [("d", "x", -90.0), ("d", "rare", -90.0), ("a", "late", -9.0), ("b", "late", -9.0)]
    rows += [("b", "rare", 4.0), ("d", "new", 4.0), ("a", "new", 4.0), ("c", "y", 4.0)]
    parts = rule(min_core=2, cold_validation_start=MONTH).cut(plays(*rows))
    assert pairs(parts["train"]) == {(user, track) for user in "abc" for track in "xy"}
    assert parts["dropped"]["track_id"].to_list() == ["rare"]
    assert pairs(parts["cold_val"]) == {("a", "late"), ("b", "late")}
    assert pairs(parts["cold_test"]) == {("a", "new")}
    assert not len(parts["hot_test"])


def test_validation_tracks_do_not_help_anybody_into_the_core() -> None:
    rows = [*OLD, ("d", "old", -90.0), ("d", "late", -9.0), ("a", "late", -9.0)]
    parts = rule(min_core=2, cold_validation_start=MONTH).cut(plays(*rows))
    assert set(parts["train"]["user_id"]) == {"a", "b", "c"}
    assert pairs(parts["cold_val"]) == {("a", "late")}


def test_users_with_new_tracks_are_no_validation_users() -> None:
    users = [f"u{i:02d}" for i in range(20)]
    rows = [(user, "old", -90.0) for user in users] + [("a", "hot", -90.0)]
    rows += [(user, "hot", 2.0) for user in users] + [(user, "new", 2.0) for user in users[::2]]
    parts = rule(validation_share=0.5).cut(plays(*rows))
    assert len(set(parts["val"]["user_id"])) == 5
    assert set(parts["val"]["user_id"]) <= set(users[1::2])
    assert len(parts["hot_test"]) == 15


def semi_cold() -> Split:
    """Artist 1 has old tracks that Ann and Bob play, artist 2 one that Bob plays, 3 a new one."""
    parts = rule().cut(
        plays(
            ("a", "one", -90), ("b", "one", -90), ("b", "uno", -80), ("b", "two", -70),
            ("a", "new1", 1), ("a", "new2", 1), ("a", "new3", 1), ("a", "who", 1), ("b", "new2", 2),
        )
    )  # fmt: skip
    tracks = pl.DataFrame(
        {
            "track_id": ["one", "uno", "two", "new1", "new2", "new3", "who", "unplayed"],
            "artist_id": [1, 1, 2, 1, 2, 3, None, 1],
        }
    )
    return to_split("s", parts, tracks, parts["cold"]["track_id"])


def test_artists_known_and_unknown_are_told_apart() -> None:
    split = semi_cold()
    assert split.cold.tolist() == [3, 4, 5, 6]  # no candidate that nobody played
    assert split.known_artist.tolist() == [True] * 5 + [False, False, True]
    assert split.artist_listeners.tolist() == [2, 1, 0]
    users = split.cold_test.user.tolist()
    assert (users, split.cold_test.track.tolist()) == ([0, 0, 0, 0, 1], [3, 4, 5, 6, 4])
    played = split.plays_artist(split.cold_test.user, split.cold_test.track)
    assert played.tolist() == [True, False, False, False, True]


def test_a_split_without_artists_says_so() -> None:
    parts = rule().cut(plays(*OLD, ("a", "new", 3)))
    split = to_split("mine", parts, pl.DataFrame({"track_id": ["old", "too", "new"]}))
    with pytest.raises(InputError, match="split mine: no artist is known; add artist_id"):
        _ = split.known_artist


def test_rules_by_name() -> None:
    start = {"test_start": "2018-09-01"}
    assert parse_rule("x", start) == TemporalRule(CUT)
    assert parse_rule("x", {"rule": "temporal", **start}) == TemporalRule(CUT)
    found = parse_rule(
        "x", {"rule": "catalogue", **start, "cold_validation_start": "2018-08-01", "min_core": 5}
    )
    assert found == CatalogueRule(CUT, cold_validation_start=datetime(2018, 8, 1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"rule": "random"},
            "unknown split rule 'random'; known: temporal, played, known, catalogue",
        ),
        ({"cold_validation_share": 1}, "cold_validation_share=1 should be less than 1"),
        ({"cold_validation_share": "few"}, "cold_validation_share=few should be a valid number"),
        ({"cold_validation_start": "2018-09-01"}, "must lie before test_start"),
        ({"cold_validation_start": "2018-08-01", "cold_validation_share": 0.3}, "keep one"),
        ({"min_core": 0}, "min_core=0 should be greater than or equal to 1"),
        ({"cold_validation": "August"}, "x: cold_validation is unknown; known: test_start"),
    ],
)
def test_mistakes(values: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_rule("x", {"rule": "catalogue", "test_start": "2018-09-01", **values})


# "new" is played after the cut, "gone" before the window and "later" after it.
LONG = plays(
    *OLD,
    ("a", "gone", -400),
    ("a", "new", 3),
    ("z", "alone", 3),  # no train user: not a candidate
    ("b", "later", 40),
    ("b", "third", -80),
    ("a", "third", 4),
    ("c", "third", 4),
)
WINDOW = {"train_start": CUT - timedelta(days=100), "test_end": CUT + timedelta(days=30)}


def test_cold_candidates_are_the_tracks_of_the_cold_test() -> None:
    rule = PlayedRule(CUT, validation_share=0.0, **WINDOW)  # type: ignore[arg-type]
    parts, temporal = rule.cut(LONG), TemporalRule(CUT, validation_share=0.0, **WINDOW).cut(LONG)  # type: ignore[arg-type]
    assert parts["cold"]["track_id"].to_list() == ["new"]
    for part in ("train", "val", "hot_test", "cold_test"):
        assert parts[part].sort(pl.all()).equals(temporal[part].sort(pl.all()))


def test_without_new_tracks_every_test_user_may_validate() -> None:
    """Ann has a new track and Cid has none; each share of one half takes one of the two."""
    parts = KnownRule(CUT, validation_share=0.5, **WINDOW).cut(LONG)  # type: ignore[arg-type]
    assert not len(parts["cold_test"])
    assert not len(parts["cold"])
    assert pairs(parts["train"]) == {(u, t) for u in "abc" for t in ("old", "too")} | {
        ("b", "third")
    }
    assert pairs(parts["val"]) | pairs(parts["hot_test"]) == {("a", "third"), ("c", "third")}
    assert len(parts["val"]) == len(parts["hot_test"]) == 1
    users = {
        seed: KnownRule(CUT, validation_share=0.5, seed=seed, **WINDOW).cut(LONG)
        for seed in range(9)
    }  # type: ignore[arg-type]
    assert {one["val"]["user_id"].item() for one in users.values()} == {"a", "c"}
