"""Novelty: how little known the listed items are."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Beyond, mean_of_defined
from mrs.evaluation.metrics.listed import Listed


class Surprisal(Beyond):
    """Novelty@k is the mean self-information of the first k items, in bits.

    Formula: mean over i <= k of -log2(n_i / n), n_i of n train users having the item at rank i
    Source: Zhou et al., PNAS 107(10), 2010; mean inverse user frequency in RecTools.
    Libraries: rectools 0.19.0 MeanInvUserFreq; rs_metrics 0.6.0 surprisal
    Edge cases: an item that nobody has in train counts as if one user had it; a short list is
    averaged over what it holds; users without a list have no value and are not in the mean.
    """

    name, variant, label = "novelty", "surprisal", "Novelty"
    needs = frozenset({"n_train_users"})

    def per_user(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]; NaN for an empty list."""
        return listed.mean_of(_bits(listed), ks)

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return mean_of_defined(self.per_user(listed, ks))


class SurprisalShare(Beyond):
    """Novelty@k is the mean self-information of the first k items over the most there can be.

    Formula: mean over i <= k of -log2(n_i / n) / log2(n), n_i of n train users having the item
    Source: RePlay, so that an item which one user has is 1 and one which all have 0.
    Libraries: replay 0.22.0 Surprisal
    Edge cases: as novelty surprisal; with one train user there is no value.
    """

    name, variant, label = "novelty", "surprisal_share", "Novelty"
    needs = frozenset({"n_train_users"})

    def per_user(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]; NaN for an empty list."""
        most = np.log2(listed.n_train_users or 1)
        return listed.mean_of(_bits(listed) / most if most else _bits(listed) * np.nan, ks)

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return mean_of_defined(self.per_user(listed, ks))


def _bits(listed: Listed) -> np.ndarray:
    """Self-information of each item [n_items]."""
    if listed.train_counts is None or listed.n_train_users is None:
        raise ValueError("this class needs the training plays")
    return np.log2(listed.n_train_users) - np.log2(np.maximum(listed.train_counts, 1))
