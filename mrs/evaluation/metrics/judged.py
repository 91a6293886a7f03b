"""Ranked lists held against the truth: all that a ranking metric needs to know."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from mrs.errors import InputError

BLOCK_CELLS = 1 << 22  # users x candidates looked up at a time: 4 MiB


@dataclass(frozen=True, eq=False)
class Judged:
    """Which ranks of each user's list are relevant.

    hits: bool [U x depth], rank j + 1 holds a relevant track.
    n_relevant: int [U], relevant tracks of the user, in the list or not; at least 1.
    n_listed: int [U], length of the list. Ranks after it are misses.

    What only some metric classes read, None where it is not known:

    n_candidates: int [U], tracks that could be listed for the user.
    ratings: float [U x depth], rating of the relevant track at the rank, 0 elsewhere.
    best_ratings: float [U x max(n_relevant)], ratings of the user's relevant tracks, highest first,
    then 0.
    scores: float [U x depth], the score of each rank, never rising along a list; what stands after
    the end of a list is not read.

    A user without truth has no value in any metric and must be left out before.
    """

    hits: np.ndarray
    n_relevant: np.ndarray
    n_listed: np.ndarray
    n_candidates: np.ndarray | None = None
    ratings: np.ndarray | None = None
    best_ratings: np.ndarray | None = None
    scores: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not len(self.hits) == len(self.n_relevant) == len(self.n_listed):
            raise ValueError("hits, n_relevant and n_listed must have one row per user")
        if len(self.hits) and self.n_relevant.min() < 1:
            row = int(self.n_relevant.argmin())
            raise InputError(
                f"the user in row {row} has no relevant track; leave users without truth out"
            )
        if self.n_candidates is not None:
            least = np.maximum(self.n_listed, self.n_relevant)
            if (self.n_candidates < least).any():
                row = int((self.n_candidates < least).argmax())
                raise InputError(
                    f"the user in row {row} has {self.n_candidates[row]} candidates but "
                    f"{least[row]} listed or relevant; count all that can be listed"
                )
        if (self.ratings is None) != (self.best_ratings is None):
            raise ValueError("ratings and best_ratings come together")

    @property
    def complete(self) -> bool:
        """Every list that is not empty ranks all of its user's candidates."""
        if self.n_candidates is None:
            return False
        there = self.n_listed > 0
        return bool(there.any() and (self.n_listed == self.n_candidates)[there].all())

    def of(self, users: np.ndarray) -> "Judged":
        """The lists of these users alone: rows, or a bool [U]."""
        taken: dict[str, Any] = {
            field.name: None if value is None else value[users]
            for field, value in ((field, getattr(self, field.name)) for field in fields(self))
        }
        return Judged(**taken)

    @property
    def depth(self) -> int:
        """Ranks that the lists can hold."""
        return self.hits.shape[1]

    @cached_property
    def n_hits(self) -> np.ndarray:
        """int32 [U x depth], hits in the first j + 1 ranks."""
        return np.cumsum(self.hits, axis=1, dtype=np.int32)

    @classmethod
    def from_ranks(
        cls, ranks: pl.Series, n_relevant: np.ndarray, n_candidates: np.ndarray, depth: int
    ) -> "Judged":
        """From the ranks of each user's hits in a list of `depth` candidates, or of all."""
        hits = np.zeros((len(ranks), depth), dtype=bool)
        row = np.repeat(np.arange(len(ranks)), ranks.list.len().to_numpy())
        hits[row, ranks.explode(empty_as_null=False).to_numpy().astype(np.int64) - 1] = True
        return cls(hits, n_relevant, np.minimum(depth, n_candidates), n_candidates)

    @classmethod
    def from_lists(
        cls,
        lists: np.ndarray,
        truth: sp.csr_matrix,
        *,
        graded: bool = False,
        n_candidates: np.ndarray | None = None,
        scores: np.ndarray | None = None,
    ) -> "Judged":
        """Look the lists [U x depth] (columns of `truth`, -1 after the end) up in the truth.

        truth: sparse [U x columns], True where the candidate is relevant to the user, or with
        `graded` its rating, > 0. n_candidates and scores are kept as they are.

        Raises InputError where a list holds a column that is not there, goes on after -1 or
        names a track twice, or where a user has no relevant track or a negative rating.
        """
        n_users, n_columns = truth.shape
        if lists.ndim != 2 or len(lists) != n_users:
            raise ValueError(f"lists are {lists.shape}, the truth has {n_users} users")
        ratings = truth if graded else None
        truth = truth.astype(bool)  # a copy
        truth.sum_duplicates()
        truth.eliminate_zeros()
        if lists.size and not (lists.min() >= -1 and lists.max() < n_columns):
            raise InputError(f"a list holds a column outside of -1 to {n_columns - 1}")
        listed = lists >= 0
        if (listed[:, 1:] & ~listed[:, :-1]).any():
            raise InputError("a list goes on after -1; the places without a track come last")
        hits = np.zeros(lists.shape, dtype=bool)
        n_rows = max(1, BLOCK_CELLS // max(1, n_columns))
        marks = np.zeros(min(n_rows, n_users) * n_columns, dtype=np.uint8)
        for start in range(0, n_users, n_rows):
            stop = min(start + n_rows, n_users)
            offsets = np.arange(stop - start, dtype=np.int64) * n_columns
            bounds = truth.indptr[start : stop + 1]
            relevant = np.repeat(offsets, np.diff(bounds))
            relevant += truth.indices[bounds[0] : bounds[-1]]
            ranked = (lists[start:stop] + offsets[:, None])[listed[start:stop]]
            marks[relevant] = 1
            hits[start:stop][listed[start:stop]] = marks[ranked]
            marks[relevant] = 0
            marks[ranked] = 1
            n_distinct = np.count_nonzero(marks)
            marks[ranked] = 0
            if n_distinct < len(ranked):
                _refuse_repeats(lists[start:stop], start)
        listed_ratings, best_ratings = (None, None) if ratings is None else _rate(ratings, lists)
        return cls(
            hits,
            np.diff(truth.indptr),
            listed.sum(axis=1),
            n_candidates,
            listed_ratings,
            best_ratings,
            scores,
        )


def _rate(truth: sp.csr_matrix, lists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of the listed tracks [U x depth], and of each user's relevant ones, best first."""
    truth = sp.csr_matrix(truth, dtype=np.float64, copy=True)
    truth.sum_duplicates()  # sorts, too
    truth.eliminate_zeros()
    if not np.isfinite(truth.data).all() or truth.data.min(initial=1.0) < 0:
        raise InputError("a rating is negative or not finite; ratings are 0 or more")
    n_users, n_columns = truth.shape
    n_relevant = np.diff(truth.indptr)
    rows = np.repeat(np.arange(n_users), n_relevant)
    cells = rows * np.int64(n_columns) + truth.indices
    wanted = np.arange(n_users)[:, None] * np.int64(n_columns) + lists
    place = np.searchsorted(cells, wanted).clip(max=len(cells) - 1)
    found = (cells[place] == wanted) & (lists >= 0)
    best = np.zeros((n_users, n_relevant.max(initial=0)))
    order = np.lexsort((-truth.data, rows))
    best[rows, np.arange(len(rows)) - np.repeat(truth.indptr[:-1], n_relevant)] = truth.data[order]
    return np.where(found, truth.data[place], 0.0), best


def _refuse_repeats(lists: np.ndarray, start: int) -> None:
    ordered = np.sort(lists, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    row, place = np.argwhere(repeated)[0]
    raise InputError(
        f"the list of the user in row {start + row} names column {ordered[row, place]} twice"
    )
