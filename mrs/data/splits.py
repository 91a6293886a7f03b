"""Splits as data: the plays before the cut, and those after it that are to be predicted.

Everything is in positions: a user is its place in `Split.users`, a track its row in
`Dataset.tracks`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from typing_extensions import override

from mrs.errors import InputError
from mrs.settings import Count, Moment, Seed, Settings, Share

Plays = pl.DataFrame | pl.LazyFrame  # user_id, track_id, timestamp: one row per play


@dataclass(frozen=True, eq=False)
class Interactions:
    """Pairs of a user and a track, one row per pair, sorted by user, then time.

    Four arrays [n]: `user` and `track` positions (int32), `timestamp` of the pair's first play
    in this part of the split (int64, microseconds), `count` of its plays there (int32). Raises
    ValueError where the users are not in order, which all that reads histories relies on.
    """

    user: np.ndarray
    track: np.ndarray
    timestamp: np.ndarray
    count: np.ndarray

    def __post_init__(self) -> None:
        if (np.diff(self.user) < 0).any():
            raise ValueError("interactions must be sorted by user")

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: np.ndarray | slice, place: np.ndarray | None = None) -> Self:
        """Some of the rows, in their order; `place` gives each user's new position."""
        user, *others = (column[rows] for column in vars(self).values())
        return type(self)(user if place is None else place[user], *others)


@dataclass(frozen=True, eq=False)
class Split:
    """A data split, in positions.

    `users` are the raw ids of the train users, sorted [U]; `tracks` all raw track ids
    [n_tracks]; `warm` the tracks with a train play [N] and `cold` those never played in train
    that a cold recommendation chooses from [M], both ascending positions. `cold_val` are pairs of
    further tracks that nobody played in train, neither warm nor cold, to stop a fit by. `artists`
    is one code per track [n_tracks], -1 where its artist is unknown, or None where all are;
    `artist_ids` the raw id of each code.
    """

    name: str
    users: np.ndarray
    tracks: np.ndarray
    train: Interactions
    val: Interactions
    hot_test: Interactions
    cold_test: Interactions
    warm: np.ndarray
    cold: np.ndarray
    cold_val: Interactions | None = None
    artists: np.ndarray | None = None
    artist_ids: np.ndarray | None = None

    @cached_property
    def validation_tracks(self) -> np.ndarray:
        """Positions of the cold validation tracks [V], ascending; none where it has none."""
        if self.cold_val is None:
            return np.empty(0, dtype=np.int32)
        return np.unique(self.cold_val.track)

    def without_validation(self) -> Self:
        """The same split without validation pairs; its train part is what it was."""
        return replace(self, val=self.val.take(slice(0)))

    def keeping(self, stays: np.ndarray) -> tuple[Self, Callable[..., Interactions]]:
        """The split with those train rows alone that stay, of users with such a row.

        Also returns what takes rows of any pairs of this split, of these users alone, with their
        new positions; the split's other parts are yet to be replaced by it.
        """
        known = np.bincount(self.train.user[stays], minlength=len(self.users)) > 0
        place = (np.cumsum(known) - 1).astype(np.int32)

        def part(pairs: Interactions, chosen: np.ndarray) -> Interactions:
            return pairs.take(chosen & known[pairs.user], place)

        train = part(self.train, stays)
        played = np.bincount(train.track, minlength=len(self.tracks))
        warm = np.flatnonzero(played).astype(np.int32)
        return replace(self, users=self.users[known], train=train, warm=warm), part

    @cached_property
    def column(self) -> np.ndarray:
        """Each track's place in `warm`, its column in `matrix` [n_tracks]; -1 for the others."""
        column = np.full(len(self.tracks), -1, dtype=np.int32)
        column[self.warm] = np.arange(len(self.warm), dtype=np.int32)
        return column

    @property
    def _codes(self) -> np.ndarray:
        if self.artists is None:
            raise InputError(
                f"split {self.name}: no artist is known; add artist_id to tracks.parquet"
            )
        return self.artists

    def refuse_without_test(self) -> None:
        """Raise `InputError` where there is no test row, hot or cold: nothing can be evaluated."""
        if not len(self.hot_test) and not len(self.cold_test):
            last = datetime.fromtimestamp(int(self.train.timestamp.max()) / 1e6, UTC)
            raise InputError(
                f"split {self.name}: has no test row, hot or cold; its last train play is of "
                f"{last:%Y-%m-%d}: check test_start, or the rows of hot_test and cold_test"
            )

    @cached_property
    def known_artist(self) -> np.ndarray:
        """Whether a track of each track's artist was played in train [n_tracks].

        Raises `InputError` where the split knows no artists.
        """
        return np.isin(self._codes, self._codes[self.warm]) & (self._codes >= 0)

    @cached_property
    def artist_listeners(self) -> np.ndarray:
        """Distinct train users of each artist, by code [n_artists].

        Raises `InputError` where the split knows no artists.
        """
        artist = self._codes[self.train.track]
        n = int(self._codes.max(initial=-1)) + 1
        pairs = np.unique(self.train.user[artist >= 0].astype(np.int64) * n + artist[artist >= 0])
        return np.bincount(pairs % max(n, 1), minlength=n)

    def plays_artist(self, user: np.ndarray, track: np.ndarray) -> np.ndarray:
        """Whether each user played the artist of the track beside it in train.

        `user` and `track` are positions [n]; nobody plays an unknown artist. Raises `InputError`
        where the split knows no artists.
        """

        def pair(user: np.ndarray, track: np.ndarray) -> np.ndarray:
            return user.astype(np.int64) * (len(self.tracks) + 1) + self._codes[track] + 1

        played = pair(self.train.user, self.train.track)
        return np.isin(pair(user, track), played) & (self._codes[track] >= 0)

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """Who played what in train: float32 [U x N], ones, columns in the order of `warm`."""
        n_played = np.bincount(self.train.user, minlength=len(self.users))
        bounds = np.concatenate(([0], np.cumsum(n_played)))
        ones = np.ones(len(self.train), dtype=np.float32)
        shape = (len(self.users), len(self.warm))
        # The pairs are sorted by user, so that they are the matrix's rows as they stand.
        matrix = sp.csr_matrix((ones, self.column[self.train.track], bounds), shape=shape)
        matrix.sort_indices()
        return matrix


@dataclass(frozen=True)
class TemporalRule(Settings):
    """The temporal hot and cold split of arXiv 2604.23077 (its split.py).

    Train plays lie in [train_start, test_start), test plays in [test_start, test_end). Plays are
    compressed to pairs inside each part, so that no play after the cut reaches a train count;
    test keeps the pairs whose first play in the window is on or after the cut. An iterative
    `min_core` on train leaves users and tracks with at least that many pairs. Test users must be
    train users. A pair is hot if its track was played in train and cold if nobody played it
    there; tracks that only the core removed are neither. A `validation_share` of the test users
    without cold pairs, drawn with `seed`, gives the validation pairs; hot test is the hot pairs
    of all other users.

    `source` is the file of plays. One that already holds one row per pair with a `count` is read
    by its first plays alone: such a count covers the whole period, plays after the cut included.
    """

    name: ClassVar[str] = "temporal"

    test_start: Moment
    train_start: Moment | None = None
    test_end: Moment | None = None
    validation_share: Share = 0.3
    seed: Seed = 42
    min_core: Count = 1
    source: str = "listens.parquet"

    @classmethod
    @override
    def title(cls) -> str:
        return f"{cls.name} split"

    @property
    def validates_cold(self) -> bool:
        """Whether it sets cold validation tracks apart."""
        return False

    def cut(self, plays: Plays) -> dict[str, pl.DataFrame]:
        """Cut plays (user_id, track_id, timestamp; one row per play) into what `to_split` takes.

        Frames of pairs (user_id, track_id, timestamp, count) for train, val, hot_test and
        cold_test, and `dropped`: the track_id column of tracks that only the core removed. Some
        rules add `cold_val`, and `cold`: the track_id column of the cold candidates.
        """
        before, after = parts_of_window(plays, self)
        parts, hot, cold = train_and_test(before, after, self)
        return parts | divide(hot, cold, self)


# Rules by name for files of a known layout that carry no dataset.json of their own.
KNOWN_RULES: dict[str, TemporalRule] = {
    # One real month, arXiv 2604.23077's public cold test pairs (February 2019), cut inside it.
    "february-2019": TemporalRule(
        test_start=datetime(2019, 2, 22),
        validation_share=0.0,
        min_core=5,
        source="cold_test.pqt",
    ),
}


def compress(plays: Plays) -> pl.DataFrame:
    """One row a (user_id, track_id) pair: its first timestamp and its number of plays.

    Plays that are read from a file pass through in parts.
    """
    return (
        plays.lazy()
        .group_by("user_id", "track_id")
        .agg(pl.col("timestamp").min(), pl.len().cast(pl.Int32).alias("count"))
        .collect(engine="streaming")
        .sort("user_id", "timestamp", "track_id")
    )


def core(pairs: pl.DataFrame, k: int) -> pl.DataFrame:
    """The largest part of `pairs` in which every user and every track has at least k rows."""
    while True:
        kept = pairs.filter(
            (pl.len().over("user_id") >= k) & (pl.len().over("track_id") >= k),
        )
        if len(kept) == len(pairs):
            return kept
        pairs = kept


def train_and_test(
    before: pl.DataFrame, after: pl.DataFrame, rule: TemporalRule, late: pl.DataFrame | None = None
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """Train pairs and `dropped` tracks by name, and the test pairs of hot and of new tracks.

    The tracks of `late` take part in none of them.
    """
    early = before if late is None else before.join(late, on="track_id", how="anti")
    train = core(early, rule.min_core) if rule.min_core > 1 else early
    dropped = early.select("track_id").unique().join(train, on="track_id", how="anti")
    test = (
        after.join(before, on=["user_id", "track_id"], how="anti")
        .join(train, on="user_id", how="semi")
        .join(before.join(train, on="track_id", how="anti"), on="track_id", how="anti")
    )
    hot, new = (test.join(train, on="track_id", how=how) for how in ("semi", "anti"))
    return {"train": train, "dropped": dropped}, hot, new


def parts_of_window(plays: Plays, rule: TemporalRule) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pairs played before the cut and those played after it, inside the rule's window."""
    plays = plays.lazy()
    if rule.train_start is not None:
        plays = plays.filter(pl.col("timestamp") >= rule.train_start)
    if rule.test_end is not None:
        plays = plays.filter(pl.col("timestamp") < rule.test_end)
    before = compress(plays.filter(pl.col("timestamp") < rule.test_start))
    after = compress(plays.filter(pl.col("timestamp") >= rule.test_start))
    return before, after


def divide(hot: pl.DataFrame, cold: pl.DataFrame, rule: TemporalRule) -> dict[str, pl.DataFrame]:
    """The pairs after the cut as val, hot_test and cold_test.

    Validation users are a share of the users with hot pairs alone, drawn with the rule's seed.
    """
    free = hot.select("user_id").unique().join(cold, on="user_id", how="anti").sort("user_id")
    n_val = int(rule.validation_share * len(free))
    chosen = np.random.default_rng(rule.seed).permutation(len(free))[:n_val]
    held = free[np.sort(chosen)]
    order = ["user_id", "timestamp", "track_id"]
    return {
        "val": hot.join(held, on="user_id", how="semi").sort(order),
        "hot_test": hot.join(held, on="user_id", how="anti").sort(order),
        "cold_test": cold.sort(order),
    }


def to_split(
    name: str,
    parts: dict[str, pl.DataFrame],
    tracks: pl.DataFrame,
    cold_ids: pl.Series | None = None,
) -> Split:
    """Turn frames of pairs with raw ids into a `Split` of positions.

    `parts` as a rule's `cut` gives them, with `cold_val` where there is one; every id must be
    known: users in train, tracks in `tracks` (track_id, and artist_id where known). `cold_ids` are
    the cold candidates; None means every track that nobody played in train, but for `dropped` and
    the tracks of `cold_val`.
    """
    users = parts["train"]["user_id"].unique().sort()
    user_at = pl.DataFrame({"user_id": users, "user": np.arange(len(users), dtype=np.int32)})
    position = np.arange(len(tracks), dtype=np.int32)
    track_at = tracks.select("track_id").with_columns(pl.Series("track", position))

    def positions(frame: pl.DataFrame) -> Interactions:
        frame = frame.join(user_at, on="user_id").join(track_at, on="track_id")
        # One key of user and time: comparing two columns with many ties takes three times as long.
        key = pl.col("user").cast(pl.Int128) * 2**64 + pl.col("timestamp").dt.epoch("us")
        frame = frame.sort(key, "track")
        return Interactions(
            frame["user"].to_numpy(),
            frame["track"].to_numpy(),
            frame["timestamp"].dt.epoch("us").to_numpy(),
            frame["count"].cast(pl.Int32).to_numpy(),
        )

    train = positions(parts["train"])
    warm = np.flatnonzero(np.bincount(train.track)).astype(np.int32)
    if cold_ids is not None:
        cold = tracks["track_id"].is_in(cold_ids.implode())
    else:
        cold = pl.Series(np.ones(len(tracks), dtype=bool))
        if "dropped" in parts:
            cold &= ~tracks["track_id"].is_in(parts["dropped"]["track_id"].implode())
    artists = artist_ids = None
    if "artist_id" in tracks.columns:
        artist_ids = tracks["artist_id"].drop_nulls().unique().sort().to_numpy()
        artists = tracks["artist_id"].rank("dense").cast(pl.Int32).fill_null(0).to_numpy() - 1
    cold_val = positions(parts["cold_val"]) if "cold_val" in parts else None
    taken = warm if cold_val is None else np.union1d(warm, cold_val.track)
    return Split(
        name=name,
        users=users.to_numpy(),
        tracks=tracks["track_id"].to_numpy(),
        train=train,
        val=positions(parts["val"]),
        hot_test=positions(parts["hot_test"]),
        cold_test=positions(parts["cold_test"]),
        warm=warm,
        cold=np.setdiff1d(cold.arg_true().to_numpy(), taken).astype(np.int32),
        cold_val=cold_val,
        artists=artists,
        artist_ids=artist_ids,
    )


def restrict(split: Split, kept: np.ndarray) -> Split:
    """A split without the tracks that are not `kept` [n_tracks], and without users left empty."""
    left, part = split.keeping(kept[split.train.track])
    others: dict[str, Any] = {
        name: part(pairs, kept[pairs.track])
        for name in ("val", "hot_test", "cold_test", "cold_val")
        if (pairs := getattr(split, name)) is not None
    }
    return replace(left, cold=split.cold[kept[split.cold]], **others)
