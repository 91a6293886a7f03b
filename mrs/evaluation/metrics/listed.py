"""What was listed, and what is known of the items: all that metrics beyond accuracy need."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrs.errors import InputError


@dataclass(frozen=True, eq=False)
class Listed:
    """The lists of all users, and what is known of the items.

    lists: int [U x depth], item numbers below n_items, -1 after the end of a list.
    n_items: items that could be listed.
    train_counts: int [n_items], users who have the item in train, and n_train_users of how many.
    vectors: float [n_items x embedding_size].

    Raises InputError where an item number or a count is out of range, or where train_counts and
    n_train_users do not come together.
    """

    lists: np.ndarray
    n_items: int
    train_counts: np.ndarray | None = None
    n_train_users: int | None = None
    vectors: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.lists.size and not (self.lists.min() >= -1 and self.lists.max() < self.n_items):
            raise InputError(f"a list holds an item outside of -1 to {self.n_items - 1}")
        for rows in (self.train_counts, self.vectors):
            if rows is not None and len(rows) != self.n_items:
                raise ValueError(f"{len(rows)} rows for {self.n_items} items")
        if (self.train_counts is None) != (self.n_train_users is None):
            raise ValueError("train_counts and n_train_users come together")
        if self.train_counts is not None and not (
            self.train_counts.min() >= 0 and self.train_counts.max() <= (self.n_train_users or 0)
        ):
            raise InputError(f"a count is outside of 0 to the {self.n_train_users} users of train")

    def counts(self, ks: Sequence[int]) -> np.ndarray:
        """How many lists hold each item in their first k ranks: int [len(ks) x n_items]."""
        return np.stack(
            [
                np.bincount(top[top >= 0], minlength=self.n_items)
                for top in (self.lists[:, :k] for k in ks)
            ]
        )

    def mean_of(self, values: np.ndarray, ks: Sequence[int]) -> np.ndarray:
        """Each user's mean of an item's value [n_items] over the first k ranks: [U x len(ks)].

        NaN for an empty list; a short list is averaged over what it holds.
        """
        depth = max(ks)
        there = self.lists[:, :depth] >= 0
        sums = np.cumsum(np.where(there, values[self.lists[:, :depth]], 0.0), axis=1)
        lengths = np.cumsum(there, axis=1)
        at = np.asarray(ks, dtype=np.intp) - 1
        return np.divide(
            sums[:, at],
            lengths[:, at],
            out=np.full((len(self.lists), len(ks)), np.nan),
            where=lengths[:, at] > 0,
        )
