"""Intervals and p values of means over users, and over seeds where there are several.

Users are many and their scores are skewed, so they are resampled: the studentised bootstrap (Efron
and Tibshirani, 1993, section 12.5). Seeds are few, and resampling three of them says next to
nothing about a fourth: they have a t interval with the degrees of freedom that they have. Both are
joined by the method of variance estimates recovery (Zou and Donner, 2008, Statistics in Medicine
27:1693): the distances from the mean to an end are added as squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from threadpoolctl import threadpool_limits

from mrs.errors import InputError

CHUNK_CELLS = 1 << 16  # draws x users at a time: counts that stay in the cache
DRAWS = 10_000
LEAST_USERS = 20  # with fewer no interval is given
LEAST_DIFFERING = 10  # users with another value than the most common one, likewise
LEAST_UNITS = 3  # of the t interval of few units, which are no users
HALVINGS = 40  # of the range in which a p value is looked for
BEYOND = 1e9  # a studentised deviation whose draw has no spread


@dataclass(frozen=True, eq=False)
class Interval:
    """A mean and the ends of its interval: a float each, or one value per metric [M].

    The ends are NaN where there are too few users for an interval, see `too_few`.
    """

    mean: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray

    def rows(self) -> list[tuple[float, float | None, float | None]]:
        """Mean, low and high per metric, as frames and JSON take them: None in place of NaN."""
        ends = (np.atleast_1d(part).tolist() for part in (self.mean, self.low, self.high))
        return [
            (mean, None if np.isnan(low) else low, None if np.isnan(high) else high)
            for mean, low, high in zip(*ends, strict=True)
        ]


def too_few(values: np.ndarray) -> str:
    """Why values or differences [U] or [S x U] have no interval, "" where they have one."""
    per_user = np.atleast_2d(np.asarray(values, dtype=np.float64)).mean(axis=0)
    n_users = len(per_user)
    if n_users < LEAST_USERS:
        return f"{n_users} users are too few for an interval; at least {LEAST_USERS}"
    n_differing = int(_differing(per_user[:, None])[0])
    if n_differing < LEAST_DIFFERING:
        return (
            f"{n_differing} of {n_users:,} users differ from the most common value, too few for "
            f"an interval; at least {LEAST_DIFFERING}"
        )
    return ""


def interval(
    values: np.ndarray, *, draws: int = DRAWS, level: float = 0.95, seed: int = 0
) -> Interval:
    """The interval of the mean for other users and other seeds of their kind.

    values: [U users], [S seeds x U users] or [S x U x M metrics]. Every metric shares the draws.

    Which users a draw takes depends on `seed`, `draws` and U alone. Two systems over the same
    users are hence resampled in the same way: `interval(a - b)` is the paired interval of their
    difference. One seed speaks of other users only.

    Raises InputError for values that are empty or not finite, for draws < 1 and for a level
    outside of 0 to 1.
    """
    if np.ndim(values) not in (1, 2, 3):
        raise ValueError(f"values have {np.ndim(values)} dimensions, not 1 to 3")
    cube = np.asarray(values, dtype=np.float64)
    cube = cube.reshape((1,) * (cube.ndim == 1) + cube.shape + (1,) * (cube.ndim < 3))
    bounds = spread([cube], draws=draws, seed=seed).interval(level)
    if np.ndim(values) == 3:
        return bounds
    return Interval(float(bounds.mean[0]), float(bounds.low[0]), float(bounds.high[0]))  # type: ignore[index]


def difference(
    first: np.ndarray,
    second: np.ndarray,
    *,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Interval of the mean of `first` [S x U x M] minus that of `second` [T x U x M].

    Both are over the same users, drawn together. Where there are as many seeds on both sides, a
    seed stands beside the same seed. Raises InputError as `interval` does.
    """
    return spread(sides(first, second), draws=draws, seed=seed).interval(level)


def sides(first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    """A difference [S x U x M] of paired seeds, or its two parts where the seeds are no pairs."""
    return [first - second] if len(first) == len(second) else [first, -second]


def t_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Student's t interval of the mean of few independent units such as worlds [n].

    The ends are NaN for fewer than `LEAST_UNITS`: the interval of two is as wide as their values.
    """
    mean, n = float(np.mean(values)), len(values)
    if n < LEAST_UNITS:
        return Interval(mean, np.nan, np.nan)
    half = float(-stdtrit(n - 1, (1 - level) / 2) * np.std(values, ddof=1) / np.sqrt(n))
    return Interval(mean, mean - half, mean + half)


@dataclass(frozen=True, eq=False)
class Spread:
    """What the interval of a mean [M] is made of.

    `studentised` holds the sorted deviations of the draws' means from the mean, each over the
    draw's own standard deviation [draws x M], `users` the users' standard deviation under the seeds
    at hand, NaN where there are too few users, and `own` the share of it that is theirs under any
    seed. `seeds` are the variances of the mean between seeds [M], each with its degrees of freedom.
    """

    mean: np.ndarray
    studentised: np.ndarray
    users: np.ndarray
    own: np.ndarray
    seeds: tuple[tuple[np.ndarray, int], ...]

    def interval(self, level: float = 0.95) -> Interval:
        """The interval at a level. Raises InputError for a level outside of 0 to 1."""
        if not 0 < level < 1:
            raise InputError(f"level {level}; between 0 and 1")
        below, above = self._halves(np.full(len(self.mean), 1 - level))
        return Interval(self.mean, self.mean - below, self.mean + above)

    def p_values(self) -> np.ndarray:
        """Two-sided p values of a mean of zero [M]: NaN where there are too few users.

        One minus the highest level at which the interval leaves out zero; at least what the number
        of draws allows, 2 / (draws + 1).
        """
        least = 2 / (len(self.studentised) + 1)
        low, high = np.full(len(self.mean), np.log(least)), np.zeros(len(self.mean))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            below, above = self._halves(np.exp(middle))
            clear = np.abs(self.mean) > np.where(self.mean > 0, below, above)
            low, high = np.where(clear, low, middle), np.where(clear, middle, high)
        return np.where(np.isnan(self.users), np.nan, np.exp(high))

    def _halves(self, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distances from the mean to both ends at 1 - alpha [M] each.

        At least those for other users under the seeds at hand, which few seeds may meet by luck.
        """
        of_seeds = sum(stdtrit(freedom, alpha / 2) ** 2 * part for part, freedom in self.seeds)
        ends = (self._quantile(1 - alpha / 2), -self._quantile(alpha / 2))
        of_users = [np.maximum(end, 0) * self.users for end in ends]
        below, above = (
            np.maximum(np.sqrt(np.square(self.own * part) + of_seeds), part) for part in of_users
        )
        return below, above

    def _quantile(self, share: np.ndarray) -> np.ndarray:
        """The quantile of each column of `studentised` at its own share [M]."""
        place = share * (len(self.studentised) - 1)
        lower = np.floor(place).astype(int)
        upper = np.minimum(lower + 1, len(self.studentised) - 1)
        column = np.arange(len(self.mean))
        start, stop = self.studentised[lower, column], self.studentised[upper, column]
        return start + (place - lower) * (stop - start)


def spread(parts: Sequence[np.ndarray], *, draws: int = DRAWS, seed: int = 0) -> Spread:
    """The spread of a sum of means over the same users, its parts [S x U x M] with seeds of own.

    Between seeds a part has the variance of its seeds' means. It contains what is a user's own
    under a seed (the interaction), which is hence taken off the variance between users: counted
    once, and there, where few seeds make the interval wide. Without that the level is not held
    (`benchmarks/false_positives.py`). Raises InputError as `interval` does.
    """
    cubes = [np.asarray(part, dtype=np.float64) for part in parts]
    for cube in cubes:
        _check(cube, draws)
    per_user = np.sum([cube.mean(axis=0) for cube in cubes], axis=0)
    n_users = len(per_user)
    mean = per_user.mean(axis=0)
    centred = per_user - mean
    studentised = np.sort(_studentised(centred, draws, seed), axis=0)
    own = np.ones(len(mean))
    if n_users > 1:
        interaction = np.sum([_interaction(cube) for cube in cubes], axis=0)
        variance = np.maximum(per_user.var(axis=0, ddof=1), np.finfo(float).tiny)
        own = np.sqrt(np.maximum(1 - interaction / variance, 0))
    enough = (n_users >= LEAST_USERS) & (_differing(per_user) >= LEAST_DIFFERING)
    seeds = tuple(
        (cube.mean(axis=1).var(axis=0, ddof=1) / len(cube), len(cube) - 1)
        for cube in cubes
        if len(cube) > 1
    )
    return Spread(mean, studentised, np.where(enough, centred.std(axis=0), np.nan), own, seeds)


def resampled_means(values: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Means [draws x M] as other users and other seeds may give, of values [S x U x M].

    For what is computed from several means, such as a rank correlation or a ratio. Each draw takes
    U users with replacement. To their mean over seeds it adds a multiple of each seed's deviation,
    drawn so that the sum of a metric has Student's t distribution with S - 1 degrees of freedom
    and the standard error of the seeds' mean: resampling few seeds would understate it. Raises
    InputError as `interval` does.
    """
    cube = np.asarray(values, dtype=np.float64)
    _check(cube, draws)
    n_seeds = len(cube)
    per_user = cube.mean(axis=0)
    mean = per_user.mean(axis=0)
    means = mean + _sums(per_user - mean, draws, seed) / len(per_user)
    if n_seeds > 1:
        stream = np.random.default_rng([seed, 1])
        multiple = stream.standard_normal((draws, n_seeds))
        multiple /= np.sqrt(n_seeds * stream.chisquare(n_seeds - 1, (draws, 1)))
        means += multiple @ (cube.mean(axis=1) - mean)
    return means


def _check(cube: np.ndarray, draws: int) -> None:
    if cube.size == 0 or not np.isfinite(cube).all():
        raise InputError("an interval needs at least one value, and finite ones only")
    if draws < 1:
        raise InputError(f"draws is {draws}; at least 1")


def _differing(per_user: np.ndarray) -> np.ndarray:
    """How many users have another value than the most common one, per metric [M], of [U x M]."""
    n_users, n_metrics = per_user.shape
    ordered = np.sort(per_user, axis=0)
    run = np.arange(n_users)[:, None] - np.maximum.accumulate(
        np.where(np.diff(ordered, axis=0, prepend=np.nan) != 0, np.arange(n_users)[:, None], 0),
        axis=0,
    )
    most = run.max(axis=0) + 1 if n_users else np.zeros(n_metrics, dtype=int)
    return np.where(most == 1, n_users, n_users - most)


def _interaction(cube: np.ndarray) -> np.ndarray:
    """The part of the users' variance over seed means that is a user's under a seed [M]."""
    n_seeds, n_users, _ = cube.shape
    if n_seeds == 1:
        return np.zeros(cube.shape[2])
    rest = cube - cube.mean(axis=0) - cube.mean(axis=1, keepdims=True) + cube.mean(axis=(0, 1))
    return np.square(rest).sum(axis=(0, 1)) / ((n_seeds - 1) * (n_users - 1) * n_seeds)


def _studentised(centred: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Mean over standard deviation of each draw of centred values [U x M]: [draws x M]."""
    n_users, n_metrics = centred.shape
    sums = _sums(np.hstack([centred, np.square(centred)]), draws, seed) / n_users
    mean, square = sums[:, :n_metrics], sums[:, n_metrics:]
    variance = square - np.square(mean)
    flat = variance <= 1e-12 * np.square(centred).mean(axis=0)
    variance[flat] = 1
    mean /= np.sqrt(variance, out=variance)
    mean[flat] = BEYOND * np.sign(mean[flat])
    return mean


def _sums(per_user: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The sum over the users that each draw takes of values [U x M]: [draws x M]."""
    n_users = len(per_user)
    stream = np.random.default_rng([seed, 0])
    chunk = max(1, CHUNK_CELLS // n_users)
    sums = np.empty((draws, per_user.shape[1]))
    with threadpool_limits(1, user_api="blas"):  # the last digit depends on the split over threads
        for start in range(0, draws, chunk):
            n = min(chunk, draws - start)
            np.matmul(_counts(stream, n, n_users), per_user, out=sums[start : start + n])
    return sums


def _counts(stream: np.random.Generator, n_draws: int, n: int) -> np.ndarray:
    """How often each of n was taken in n draws with replacement, float64 [n_draws x n]."""
    taken = stream.integers(0, n, size=(n_draws, n), dtype=np.uint32)
    cells = taken + np.arange(n_draws)[:, None] * n
    return np.bincount(cells.ravel(), minlength=n_draws * n).reshape(n_draws, n).astype(np.float64)
