"""Bootstrap intervals of means over users, and over seeds where there are several."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from mrs.errors import InputError

CHUNK_CELLS = 1 << 16  # draws x users at a time: counts that stay in the cache


@dataclass(frozen=True, eq=False)
class Interval:
    """A mean and the ends of its interval: a float each, or one value a metric [M]."""

    mean: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray


def interval(
    values: np.ndarray, *, draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of the mean (Efron and Tibshirani, 1993, chapter 13).

    values: [U users], [S seeds x U users] or [S x U x M metrics]. Each draw takes U users and S
    seeds with replacement, the same seeds for all users of the draw, and the mean of what it
    took. Every metric shares the draws.

    Which users a draw takes depends on `seed`, `draws` and U alone. Two systems over the same
    users are hence resampled in the same way: `interval(a - b)` is the paired interval of their
    difference.

    Raises InputError for values that are empty or not finite, for draws < 1 and for a level
    outside of 0 to 1.
    """
    if np.ndim(values) not in (1, 2, 3):
        raise ValueError(f"values have {np.ndim(values)} dimensions, not 1 to 3")
    cube = np.asarray(values, dtype=np.float64)
    cube = cube.reshape((1,) * (cube.ndim == 1) + cube.shape + (1,) * (cube.ndim < 3))
    means = resampled_means(cube, draws=draws, seed=seed)
    bounds = _ends(cube.mean(axis=(0, 1)), means, level)
    if np.ndim(values) == 3:
        return bounds
    return Interval(float(bounds.mean[0]), float(bounds.low[0]), float(bounds.high[0]))  # type: ignore[index]


def difference(
    first: np.ndarray,
    second: np.ndarray,
    *,
    draws: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of the mean of `first` [S x U x M] minus that of `second` [T x U x M].

    Both are over the same users, drawn together. Where there are as many seeds on both sides they
    are drawn together, too, so that a seed stands beside the same seed. Raises InputError as
    `interval` does.
    """
    means = resampled_means(first, draws=draws, seed=seed)
    means -= resampled_means(second, draws=draws, seed=seed)
    return _ends(first.mean(axis=(0, 1)) - second.mean(axis=(0, 1)), means, level)


def resampled_means(values: np.ndarray, *, draws: int = 10_000, seed: int = 0) -> np.ndarray:
    """The mean that each draw of users and seeds takes of values [S x U x M]: [draws x M].

    Raises InputError as `interval` does.
    """
    cube = np.asarray(values, dtype=np.float64)
    if cube.size == 0 or not np.isfinite(cube).all():
        raise InputError("an interval needs at least one value, and finite ones only")
    if draws < 1:
        raise InputError(f"draws is {draws}; at least 1")
    n_seeds, n_users, n_metrics = cube.shape
    per_user = cube.transpose(1, 0, 2).reshape(n_users, n_seeds * n_metrics)
    users, seeds = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    chunk = max(1, CHUNK_CELLS // n_users)
    means = np.empty((draws, n_metrics))
    with threadpool_limits(1, user_api="blas"):  # the last digit depends on the split over threads
        for start in range(0, draws, chunk):
            n = min(chunk, draws - start)
            sums = (_counts(users, n, n_users) @ per_user).reshape(n, n_seeds, n_metrics)
            taken = _counts(seeds, n, n_seeds)
            means[start : start + n] = (taken[:, :, None] * sums).sum(axis=1)
    return means / (n_seeds * n_users)


def _ends(mean: np.ndarray, means: np.ndarray, level: float) -> Interval:
    """The percentile interval of resampled means [draws x M]."""
    if not 0 < level < 1:
        raise InputError(f"level {level}; between 0 and 1")
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return Interval(mean, low, high)


def _counts(stream: np.random.Generator, n_draws: int, n: int) -> np.ndarray:
    """How often each of n was taken in n draws with replacement, float64 [n_draws x n]."""
    taken = stream.integers(0, n, size=(n_draws, n), dtype=np.uint32)
    cells = taken + np.arange(n_draws)[:, None] * n
    return np.bincount(cells.ravel(), minlength=n_draws * n).reshape(n_draws, n).astype(np.float64)
