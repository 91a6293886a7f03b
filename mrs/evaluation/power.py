"""How many test users a comparison needs: subsamples of per-user values, and the closed form."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from mrs.evaluation.significance import LEVEL, POWER, detectable

DRAWS = 200


def subsample_means(
    values: np.ndarray, sizes: Sequence[int], *, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """Means over some of the users: values [U x n] -> [draws x sizes x n].

    Each draw shuffles the users and takes the first m for each size m <= U, so that a smaller
    sample lies within the larger one. m users out of U that were drawn from a population are m
    users of that population: over many worlds the mean is that of studies with m users.
    """
    if min(sizes) < 1 or max(sizes) > len(values):
        raise ValueError(f"sizes {list(sizes)}: must be 1 to the {len(values)} users")
    rng = np.random.default_rng(seed)
    last = np.asarray(sizes) - 1
    means = np.empty((draws, len(last), values.shape[1]))
    for draw in range(draws):
        sums = np.cumsum(values[rng.permutation(len(values))], axis=0)
        means[draw] = sums[last] / (last + 1)[:, None]
    return means


def told_apart(
    differences: np.ndarray, sizes: Sequence[int], *, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """The share of subsamples that find paired differences [U] above zero: [sizes].

    Found: the interval of the mean at `LEVEL`, by the normal approximation, lies above zero. Sizes
    are 2 or more.
    """
    pair = np.column_stack([differences, np.square(differences)])
    mean, square = np.moveaxis(subsample_means(pair, sizes, draws=draws, seed=seed), 2, 0)
    size = np.asarray(sizes)
    error = np.sqrt(np.maximum(square - mean**2, 0) / (size - 1))
    return (mean > norm.ppf((1 + LEVEL) / 2) * error + 1e-12).mean(axis=0)


def users_needed(differences: np.ndarray, level: float = LEVEL, power: float = POWER) -> float:
    """How many users tell the mean of paired differences [U] from zero in `power` of all studies.

    The number at which the minimum detectable difference is the mean itself: see
    `mrs.evaluation.significance.detectable`. Infinite for a mean of zero or below.
    """
    mean = float(np.mean(differences))
    if mean <= 0:
        return float("inf")
    return (detectable(differences, 1, level=level, power=power) / mean) ** 2
