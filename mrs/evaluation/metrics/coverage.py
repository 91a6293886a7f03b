"""Coverage: how much of the catalogue the lists reach."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from mrs.evaluation.metrics.base import Beyond
from mrs.evaluation.metrics.listed import Listed


class Coverage(Beyond):
    """Coverage@k is the share of the items that stand in the first k ranks of at least one list.

    Formula: |union over users of the first k items| / n_items
    Source: catalogue coverage of Ge et al., RecSys 2010.
    Libraries: recpack 0.3.6 CoverageK; rectools 0.19.0 CatalogCoverage(normalize=True); replay
    0.22.0 Coverage (vs train items); rs_metrics 0.6.0 coverage
    Edge cases: grows with the number of users, so only lists of the same users compare; what counts
    as the catalogue must be said (RePlay: the items of train); without any list it is 0.
    """

    name, variant, label = "coverage", "share", "Coverage"

    @override
    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        return (listed.counts(ks) > 0).sum(axis=1) / listed.n_items
