"""What fewer test users would have shown: subsamples of per-user values."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import t

from mrs.evaluation.significance import LEVEL

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


def share_above_zero(
    differences: np.ndarray, sizes: Sequence[int], *, draws: int = DRAWS, seed: int = 0
) -> np.ndarray:
    """The share of subsamples that find paired differences [U] above zero: [sizes].

    Found: the t interval of the mean at `LEVEL` lies above zero. Sizes are 2 or more.
    """
    pair = np.column_stack([differences, np.square(differences)])
    mean, square = np.moveaxis(subsample_means(pair, sizes, draws=draws, seed=seed), 2, 0)
    size = np.asarray(sizes)
    error = np.sqrt(np.maximum(square - mean**2, 0) / (size - 1))
    return (mean > t.ppf((1 + LEVEL) / 2, size - 1) * error + 1e-12).mean(axis=0)
