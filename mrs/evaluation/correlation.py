"""Rank correlations of scores of the same few systems."""

import numpy as np
from scipy.stats import norm, rankdata

from mrs.evaluation.bootstrap import Interval

LEAST = 6  # systems: with fewer an interval says next to nothing, and no correlation is given


def rank_correlation(
    first: np.ndarray, second: np.ndarray, *, level: float = 0.95
) -> Interval | None:
    """Spearman's rank correlation of two scores [n], with an interval over systems.

    The interval is that of Fisher's z with the standard error of Bonett and Wright (2000),
    sqrt((1 + rho^2 / 2) / (n - 3)). A perfect correlation, at which it has no width, counts as one
    exchange of neighbours away from it for the interval. It holds for systems drawn from many of
    their kind, which the models that happen to be at hand are not: it shows how little a handful
    of systems can say. None for fewer than `LEAST` systems, or where one score is constant.
    """
    n = len(first)
    if n < LEAST or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    rho = float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
    closest = 1 - 12 / (n * (n * n - 1))  # 1 - 6 sum(d^2) / (n^3 - n) with sum(d^2) = 2
    within = float(np.clip(rho, -closest, closest))
    half = norm.ppf((1 + level) / 2) * np.sqrt((1 + within**2 / 2) / (n - 3))
    low, high = np.tanh(np.arctanh(within) + np.array([-half, half]))
    return Interval(rho, float(min(low, rho)), float(max(high, rho)))


def tau_b(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Kendall's tau-b along the last axis: [... x n] and [... x n] -> [...].

    The other axes are broadcast against each other. The value is 0 where one side is constant.
    """
    left, right = np.triu_indices(np.shape(first)[-1], 1)
    a, b = (np.sign(part[..., right] - part[..., left]) for part in (first, second))
    pairs = np.sqrt(np.square(a).sum(axis=-1) * np.square(b).sum(axis=-1))
    agree = np.einsum("...p,...p->...", a, b)
    return np.divide(agree, pairs, out=np.zeros_like(pairs), where=pairs > 0)
