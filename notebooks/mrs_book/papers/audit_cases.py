"""The inputs of the audit of metric libraries: lists and truth.

A: 300 users, 500 items, the 100 best by score, 4,737 relevant items rated 1 to 5, made from
`data/audit_input/`. B: A with the lists of users 0 to 4 removed and those of users 5 to 14 cut to
five items. The rest are a few users each, written out in `small_cases`.

The libraries' environment, which does not hold the packages of mrs, reads this module, too: it uses
the standard library, numpy and polars alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

LIVE = Path("audit") / "live.csv"  # in the store, written by `make audit`
COLUMNS = ("library", "version", "metric", "k", "input", "value", "function", "note", "date")
INPUT = Path(__file__).parent / "data" / "audit_input"
LIST_LENGTH, CUTOFFS = 100, (10, 20, 50)
NO_LIST, SHORT, SHORT_LENGTH = range(5), range(5, 15), 5


@dataclass(frozen=True)
class Case:
    """Lists and truth.

    `lists` holds the items of each user, best first, and `scores` theirs, which never rise; `truth`
    the rating of each user's relevant items; `full` the scores of all items [users x items] where
    they are known; `train` the items that each user had before.
    """

    name: str
    lists: dict[int, list[int]]
    scores: dict[int, list[float]]
    truth: dict[int, dict[int, int]]
    ks: tuple[int, ...]
    n_items: int
    full: np.ndarray | None = None
    train: dict[int, list[int]] = field(default_factory=dict)

    @property
    def repeats(self) -> bool:
        """Whether a list names an item twice."""
        return any(len(set(items)) < len(items) for items in self.lists.values())

    def pairs(self) -> Iterator[tuple[int, int, float, int]]:
        """User, item, score and rank of every place of every list."""
        for user, items in self.lists.items():
            for rank, (item, score) in enumerate(zip(items, self.scores[user], strict=True), 1):
                yield user, item, score, rank


def input_a() -> Case:
    """The whole input."""
    scores = pl.read_parquet(INPUT / "scores.parquet", glob=False).sort("user_id", "item_id")
    n_users = scores["user_id"].n_unique()
    full = scores["score"].to_numpy().reshape(n_users, -1).astype(np.float64)
    best = np.argsort(-full, axis=1, kind="stable")[:, :LIST_LENGTH]
    truth: dict[int, dict[int, int]] = {}
    for user, item, rating in pl.read_parquet(INPUT / "truth.parquet", glob=False).iter_rows():
        truth.setdefault(user, {})[item] = rating
    train: dict[int, list[int]] = {}
    for user, item in pl.read_parquet(INPUT / "train.parquet", glob=False).iter_rows():
        train.setdefault(user, []).append(item)
    return Case(
        name="A",
        lists={user: best[user].tolist() for user in range(n_users)},
        scores={user: full[user, best[user]].tolist() for user in range(n_users)},
        truth=truth,
        ks=CUTOFFS,
        n_items=full.shape[1],
        full=full,
        train=train,
    )


def input_b(a: Case) -> Case:
    """A with five users without a list and ten with a short one."""

    def cut(rows: dict[int, list[Any]]) -> dict[int, list[Any]]:
        kept = {user: row for user, row in rows.items() if user not in NO_LIST}
        return {u: row[:SHORT_LENGTH] if u in SHORT else row for u, row in kept.items()}

    return replace(a, name="B", lists=cut(a.lists), scores=cut(a.scores), full=None)


def small_cases() -> list[Case]:
    """One effect each, at cutoff 3. User 0 has a hit at rank 1 wherever there is a user 1."""
    hit, miss, other_miss = [1, 2, 3], [4, 5, 6], [7, 8, 9]
    truth = {0: [1], 1: [4], 2: [2]}
    falling = [0.9, 0.8, 0.7]

    def case(
        name: str,
        lists: dict[int, list[int]],
        truth: dict[int, list[int]],
        scores: list[float] = falling,
    ) -> Case:
        return Case(
            name,
            lists,
            {user: scores[: len(items)] for user, items in lists.items()},
            {user: dict.fromkeys(items, 1) for user, items in truth.items()},
            ks=(3,),
            n_items=10,
        )

    return [
        case("no hit", {0: hit, 1: miss}, {0: [1], 1: [9]}),
        case("no list", {0: hit, 2: other_miss}, truth),
        case("empty list", {0: hit, 1: [], 2: other_miss}, truth),
        case("short list", {0: [5, 1]}, {0: [1]}),
        case("no truth", {0: hit, 1: miss}, {0: [1]}),
        case("duplicates", {0: [1, 1, 3]}, {0: [1, 2]}),
        case("ties", {0: [2, 3, 1]}, {0: [3]}, scores=[0.5, 0.5, 0.5]),
        case("scores <= 0", {0: [1, 2, 3]}, {0: [2]}, scores=[0.5, 0.0, -0.5]),
    ]


def cases() -> list[Case]:
    """All inputs."""
    a = input_a()
    return [a, input_b(a), *small_cases()]
