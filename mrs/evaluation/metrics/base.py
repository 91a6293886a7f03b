"""What every metric offers, and the arithmetic that several share."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from mrs.errors import InputError
from mrs.evaluation.metrics.judged import Judged


class Metric(Protocol):
    """A ranking metric; the docstring of the class is its definition.

    `per_user` takes judged lists and cutoffs and gives float64 [U x len(ks)]; `chance` gives
    the expectation under a uniformly random order of the user's candidates, in the same shape,
    from the numbers of candidates and of relevant ones among them, int [U] each.
    """

    @property
    def name(self) -> str:
        """Name in tables of data, as in `ndcg@20`."""

    @property
    def label(self) -> str:
        """Name for readers, as in NDCG."""

    def per_user(self, judged: Judged, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]."""

    def chance(
        self, n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]
    ) -> np.ndarray:
        """Expected values float64 [U x len(ks)] of a uniformly random order."""


def columns(ks: Sequence[int]) -> np.ndarray:
    """Column of each cutoff in an array whose column j is about the first j + 1 ranks."""
    return np.asarray(ks, dtype=np.intp) - 1


def ranks(ks: Sequence[int]) -> np.ndarray:
    """Ranks 1 to the largest cutoff, float64."""
    return np.arange(1.0, max(ks) + 1)


def log_discounts(n: int) -> np.ndarray:
    """1 / log2(i + 1) for the ranks i = 1 to n."""
    return 1.0 / np.log2(np.arange(2.0, n + 2))


def within(n_candidates: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Bool [U x max(ks)], the rank exists: a user has as many as candidates."""
    return ranks(ks) <= n_candidates[:, None]


def log_no_hit(n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Log of the probability that a random order has no hit in the first j + 1 ranks.

    Float64 [U x max(ks)]. The hypergeometric probability of no hit is the product over the ranks
    of 1 - R / (N - j). Summing log1p keeps it exact where R / N is tiny; a factor of 0 and the
    ranks after the last candidate give -inf.
    """
    remaining = np.maximum(n_candidates[:, None] - (ranks(ks) - 1), n_relevant[:, None])
    with np.errstate(divide="ignore"):
        return np.cumsum(np.log1p(-n_relevant[:, None] / remaining), axis=1)


def check_cutoffs(ks: Sequence[int]) -> None:
    """Raise InputError where there is no cutoff or one below 1."""
    if not ks or min(ks) < 1:
        raise InputError(f"cutoffs are {list(ks)}; there must be one, and each at least 1")
