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
    cube = np.asarray(values, dtype=np.float64)
    if cube.ndim not in (1, 2, 3):
        raise ValueError(f"values have {cube.ndim} dimensions, not 1 to 3")
    if cube.size == 0 or not np.isfinite(cube).all():
        raise InputError("an interval needs at least one value, and finite ones only")
    if draws < 1 or not 0 < level < 1:
        raise InputError(f"draws is {draws}, level {level}; at least 1, and between 0 and 1")
    cube = cube.reshape((1,) * (cube.ndim == 1) + cube.shape + (1,) * (cube.ndim < 3))
    n_seeds, n_users, n_metrics = cube.shape
    per_user = cube.transpose(1, 0, 2).reshape(n_users, n_seeds * n_metrics)
    user_stream, seed_stream = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    chunk = max(1, CHUNK_CELLS // n_users)
    means = np.empty((draws, n_metrics))
    with threadpool_limits(1, user_api="blas"):  # the last digit depends on the split over threads
        for start in range(0, draws, chunk):
            n = min(chunk, draws - start)
            sums = (_counts(user_stream, n, n_users) @ per_user).reshape(n, n_seeds, n_metrics)
            seeds = _counts(seed_stream, n, n_seeds)
            means[start : start + n] = (seeds[:, :, None] * sums).sum(axis=1)
    means /= n_seeds * n_users
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    mean = cube.mean(axis=(0, 1))
    if np.ndim(values) == 3:
        return Interval(mean, low, high)
    return Interval(float(mean[0]), float(low[0]), float(high[0]))


def _counts(stream: np.random.Generator, n_draws: int, n: int) -> np.ndarray:
    """How often each of n was taken in n draws with replacement, float64 [n_draws x n]."""
    taken = stream.integers(0, n, size=(n_draws, n), dtype=np.uint32)
    cells = taken + np.arange(n_draws)[:, None] * n
    return np.bincount(cells.ravel(), minlength=n_draws * n).reshape(n_draws, n).astype(np.float64)
