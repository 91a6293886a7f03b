"""Ranked lists held against the truth: all that a ranking metric needs to know."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from mrs.errors import InputError

BLOCK_CELLS = 1 << 22  # users x candidates looked up at a time: 4 MiB


@dataclass(frozen=True, eq=False)
class Judged:
    """Which ranks of each user's list are relevant.

    hits: bool [U x depth], rank j + 1 holds a relevant track.
    n_relevant: int [U], relevant tracks of the user, in the list or not; at least 1.
    n_listed: int [U], length of the list. Ranks after it are misses.

    A user without truth has no value in any metric and must be left out before.
    """

    hits: np.ndarray
    n_relevant: np.ndarray
    n_listed: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.hits) == len(self.n_relevant) == len(self.n_listed):
            raise ValueError("hits, n_relevant and n_listed must have one row a user")
        if len(self.hits) and self.n_relevant.min() < 1:
            row = int(self.n_relevant.argmin())
            raise InputError(
                f"the user in row {row} has no relevant track; leave users without truth out"
            )

    @property
    def depth(self) -> int:
        """Ranks that the lists can hold."""
        return self.hits.shape[1]

    @cached_property
    def n_hits(self) -> np.ndarray:
        """int32 [U x depth], hits in the first j + 1 ranks."""
        return np.cumsum(self.hits, axis=1, dtype=np.int32)

    @classmethod
    def from_lists(cls, lists: np.ndarray, truth: sp.csr_matrix) -> "Judged":
        """Look the lists [U x depth] (columns of `truth`, -1 after the end) up in the truth.

        truth: sparse [U x n_candidates], True where the candidate is relevant to the user.

        Raises InputError where a list holds a column that is not there, goes on after -1 or
        names a track twice, or where a user has no relevant track.
        """
        n_users, n_candidates = truth.shape
        if lists.ndim != 2 or len(lists) != n_users:
            raise ValueError(f"lists are {lists.shape}, the truth has {n_users} users")
        truth = truth.astype(bool)  # a copy
        truth.sum_duplicates()
        truth.eliminate_zeros()
        if lists.size and not (lists.min() >= -1 and lists.max() < n_candidates):
            raise InputError(f"a list holds a column outside of -1 to {n_candidates - 1}")
        listed = lists >= 0
        if (listed[:, 1:] & ~listed[:, :-1]).any():
            raise InputError("a list goes on after -1; the places without a track come last")
        hits = np.zeros(lists.shape, dtype=bool)
        n_rows = max(1, BLOCK_CELLS // max(1, n_candidates))
        marks = np.zeros(min(n_rows, n_users) * n_candidates, dtype=np.uint8)
        for start in range(0, n_users, n_rows):
            stop = min(start + n_rows, n_users)
            offsets = np.arange(stop - start, dtype=np.int64) * n_candidates
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
        return cls(hits, np.diff(truth.indptr), listed.sum(axis=1))


def _refuse_repeats(lists: np.ndarray, start: int) -> None:
    ordered = np.sort(lists, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    row, place = np.argwhere(repeated)[0]
    raise InputError(
        f"the list of the user in row {start + row} names column {ordered[row, place]} twice"
    )
