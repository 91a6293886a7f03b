"""Intra-list diversity: how different the items of one list are from each other."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Beyond, columns, mean_of_defined
from mrs.evaluation.metrics.listed import Listed

BLOCK_CELLS = 1 << 22  # users x ranks x embedding size at a time: 32 MiB


class CosineDiversity(Beyond):
    """Diversity@k is the mean cosine distance over the pairs of items in the first k ranks.

    Formula: mean over pairs i < j <= k of 1 - cos(v_i, v_j)
    Source: Smyth and McClave, ICCBR 2001; Ziegler et al., WWW 2005.
    Libraries: none of those compared
    Edge cases: an item whose vector is 0 has cosine 0 to all others; a short list is averaged over
    its own pairs; a list of fewer than two items has no value and is not in the mean. It depends on
    whose vectors are taken, so say which.
    """

    name, variant, label = "intra_list_diversity", "cosine", "Intra-list diversity"
    needs = frozenset({"vectors"})

    def per_user(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]; NaN for a list of fewer than two items."""
        if listed.vectors is None:
            raise ValueError("this class needs the items' vectors")
        lists = listed.lists[:, : max(ks)]
        values = np.empty((len(lists), len(ks)))
        n_rows = max(1, BLOCK_CELLS // max(1, lists.shape[1] * listed.vectors.shape[1]))
        for start in range(0, len(lists), n_rows):
            block = lists[start : start + n_rows]
            units = _units(np.asarray(listed.vectors[block], dtype=np.float64))
            units[block < 0] = 0.0
            # The cosines of all pairs add up to (|sum of units|^2 - sum of |unit|^2) / 2.
            squares = (np.cumsum(units, axis=1) ** 2).sum(axis=2)
            cosines = (squares - np.cumsum((units**2).sum(axis=2), axis=1)) / 2
            lengths = np.cumsum(block >= 0, axis=1)[:, columns(ks)]
            pairs = lengths * (lengths - 1) / 2
            mean = np.full(pairs.shape, np.nan)
            np.divide(cosines[:, columns(ks)], pairs, out=mean, where=pairs > 0)
            values[start : start + n_rows] = 1.0 - mean
        return values

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return mean_of_defined(self.per_user(listed, ks))


def _units(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
