"""Exposure Gini: how unevenly the ranks are shared out over the items."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Beyond
from mrs.evaluation.metrics.listed import Listed


class GiniCatalogue(Beyond):
    """Exposure Gini@k over the catalogue: 0 where every item is listed alike, near 1 for one item.

    Formula: sum over j of (2j - n - 1) x_j / (n sum x), x_1 <= ... <= x_n being how many lists hold
    each of the n items in their first k ranks
    Source: Fleder and Hosanagar, Management Science 55(5), 2009.
    Libraries: none of those compared
    Edge cases: items that no list holds count with 0, so the value depends on what counts as the
    catalogue; every listed rank is worth the same; without any list there is no value.
    """

    name, variant, label = "exposure_gini", "catalogue", "Exposure Gini"

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return np.array([_gini(counts) for counts in listed.counts(ks)])


class GiniListed(Beyond):
    """Exposure Gini@k over the items that are listed at all, whatever the catalogue holds.

    Formula: as exposure_gini catalogue, over the items with x_j > 0
    Source: Fleder and Hosanagar, Management Science 55(5), 2009.
    Libraries: none of those compared
    Edge cases: lists of one and the same item have 0; read it beside coverage; without any list
    there is no value.
    """

    name, variant, label = "exposure_gini", "listed", "Exposure Gini"

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return np.array([_gini(counts[counts > 0]) for counts in listed.counts(ks)])


def _gini(counts: np.ndarray) -> float:
    if not counts.sum():
        return np.nan
    n = len(counts)
    weights = 2.0 * np.arange(1, n + 1) - n - 1
    return float(weights @ np.sort(counts) / (n * counts.sum()))
