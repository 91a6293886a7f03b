"""Tracks that a fit stays without, which say how well it places new ones."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from mrs.data.splits import Split
from mrs.recommenders.training import mean_ndcg

HELD_OUT_K = 20
METRIC = f"cold ndcg@{HELD_OUT_K}"  # what a curve calls it


class HeldOut(NamedTuple):
    """Tracks without a part in the fit, and who of train played them.

    Their `content` [V x c], the positions of the users who played any of them [T], and who played
    what, `truth` [T x V].
    """

    content: np.ndarray
    users: np.ndarray
    truth: sp.csr_matrix

    @classmethod
    def of(cls, split: Split, content: np.ndarray) -> "HeldOut":
        """The split's cold validation tracks; `content` has a row each."""
        assert split.cold_val is not None
        place = np.searchsorted(split.validation_tracks, split.cold_val.track)
        users, row = np.unique(split.cold_val.user, return_inverse=True)
        ones = np.ones(len(place), dtype=np.float32)
        truth = sp.csr_matrix((ones, (row, place)), shape=(len(users), len(content)))
        return cls(content, users, truth)

    def validate(self, users: np.ndarray, items: np.ndarray) -> dict[str, float]:
        """Mean NDCG@20 of the held-out tracks among themselves, by name.

        `users` are factors of all users [U x d], `items` those of the held-out tracks [V x d].
        """
        return {METRIC: mean_ndcg(users[self.users], items, self.truth, HELD_OUT_K)}
