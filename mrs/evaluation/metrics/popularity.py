"""Popularity: how well known the listed items are."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Beyond, mean_of_defined
from mrs.evaluation.metrics.listed import Listed


class PopularityShare(Beyond):
    """Popularity@k is the mean share of the train users who have the first k items.

    Formula: mean over i <= k of n_i / n, n_i of n train users having the item at rank i
    Source: average recommendation popularity, as in Abdollahpouri et al., FLAIRS 2019, by users.
    Libraries: rs_metrics 0.6.0 popularity
    Edge cases: an item that nobody has in train counts 0; a short list is averaged over what it
    holds; users without a list have no value and are not in the mean.
    """

    name, variant, label = "popularity", "share", "Popularity"
    needs = frozenset({"n_train_users"})

    def per_user(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]; NaN for an empty list."""
        return listed.mean_of(_counts(listed), ks) / (listed.n_train_users or np.nan)

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return mean_of_defined(self.per_user(listed, ks))


class PopularityCount(Beyond):
    """Popularity@k is the mean number of train users who have the first k items.

    Formula: mean over i <= k of n_i, n_i train users having the item at rank i
    Source: average recommendation popularity, Abdollahpouri et al., FLAIRS 2019.
    Libraries: rectools 0.19.0 AvgRecPopularity
    Edge cases: as popularity share, and larger where there are more train users.
    """

    name, variant, label = "popularity", "count", "Popularity"
    needs = frozenset({"n_train_users"})

    def per_user(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [U x len(ks)]; NaN for an empty list."""
        return listed.mean_of(_counts(listed), ks)

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return mean_of_defined(self.per_user(listed, ks))


def _counts(listed: Listed) -> np.ndarray:
    if listed.train_counts is None:
        raise ValueError("this class needs the training plays")
    return listed.train_counts
