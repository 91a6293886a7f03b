"""Negative sampling: the other half of a pair, drawn among those that never met."""

import numpy as np
import scipy.sparse as sp

MARKS_PER_PAIR = 8  # bytes per train pair that rejecting negatives takes, at most doubled


class Sampler:
    """Draws negatives among the others that never met an anchor.

    `met` [anchors x others] has an entry wherever the two make a train pair. `among` draws from
    the first so many others only, and without `rejecting` those that met are drawn as well: for
    comparison with published runs.
    """

    def __init__(
        self, met: sp.csr_matrix, *, among: int | None = None, rejecting: bool = True
    ) -> None:
        met = met.sorted_indices()
        degree = np.diff(met.indptr)
        self.n_others = met.shape[1]
        self.n_drawn, self.rejecting = among or self.n_others, rejecting
        self.keys = np.repeat(np.arange(met.shape[0]), degree) * self.n_others + met.indices
        drawn = degree if among is None else np.diff(met[:, :among].indptr)
        self.has_negatives = (drawn < self.n_drawn) | (not rejecting)
        # Most draws never met: a table of marks settles those without a search.
        self.mask = (1 << int(MARKS_PER_PAIR * len(self.keys)).bit_length()) - 1
        self.marked = np.zeros(self.mask + 1, dtype=bool)
        self.marked[self.keys & self.mask] = True

    def have_met(self, anchor: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Whether each anchor and other make a train pair."""
        wanted = anchor * self.n_others + other
        met = self.marked[wanted & self.mask]
        unsure = wanted[met]
        place = np.searchsorted(self.keys, unsure)
        met[met] = self.keys[np.minimum(place, len(self.keys) - 1)] == unsure
        return met

    def draw(self, anchor: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
        """n others per anchor [B x n], each uniform among those that it has not met."""
        other = generator.integers(self.n_drawn, size=(len(anchor), n))
        if not self.rejecting:
            return other
        row, column = np.nonzero(self.have_met(anchor[:, None], other))
        while len(row):
            drawn = generator.integers(self.n_drawn, size=len(row))
            other[row, column] = drawn
            again = self.have_met(anchor[row], drawn)
            row, column = row[again], column[again]
        return other
