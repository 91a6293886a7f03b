"""Which differences are more than chance: p values, Holm, effect sizes, what could be detected.

Everything here is about paired differences: two systems' values of one metric over the same users,
subtracted user by user, [U] or [S seeds x U users].
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import kurtosis, nct, norm, rankdata, skew, studentized_range, t

from mrs.evaluation.bootstrap import LEAST_USERS, Interval

LEVEL = 0.95
POWER = 0.8
MANY = 1000  # degrees of freedom at which Student's t is normal to three digits


def holm(p: np.ndarray) -> np.ndarray:
    """The p values of one family [M], adjusted by Holm's step-down procedure (1979).

    NaN, where nothing was tested, stays NaN and does not count.
    """
    adjusted = np.array(p, dtype=np.float64)
    tested = ~np.isnan(adjusted)
    order = np.argsort(adjusted[tested])
    steps = adjusted[tested][order] * np.arange(len(order), 0, -1)
    raised = np.empty(len(order))
    raised[order] = np.minimum(np.maximum.accumulate(steps), 1)
    adjusted[tested] = raised
    return adjusted


def first_step(n: int, level: float = LEVEL) -> float:
    """The level of the first, strictest step of Holm's procedure over a family of n."""
    return 1 - (1 - level) / max(n, 1)


def effect_size(differences: np.ndarray, level: float = LEVEL) -> Interval:
    """Cohen's d_z of paired differences [U], mean over standard deviation, with an interval.

    The interval is d_z -+ z times its large-sample standard error by the delta method, which needs
    no normal values: sqrt((1 - g1 d + (g2 + 2) d^2 / 4) / U) with skewness g1 and excess kurtosis
    g2. For normal values that is the usual sqrt((1 + d^2 / 2) / U). NaN where nothing varies; the
    ends are NaN for fewer than `LEAST_USERS` users.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or np.ptp(values) == 0:
        return Interval(np.nan, np.nan, np.nan)
    size = values.mean() / values.std(ddof=1)
    if len(values) < LEAST_USERS:
        return Interval(float(size), np.nan, np.nan)
    spread = 1 - skew(values) * size + (kurtosis(values) + 2) * size**2 / 4
    half = norm.ppf((1 + level) / 2) * np.sqrt(spread / len(values))
    return Interval(float(size), float(size - half), float(size + half))


@dataclass(frozen=True)
class Components:
    """Where the variance of differences [S x U] lies; any of the estimates may be below zero.

    `users` is the variance of what is a user's own, `seeds` of what all users share under a seed,
    `interaction` of the rest, a user under a seed. The mean over n users and m seeds has the
    variance users / n + seeds / m + interaction / (n m).
    """

    users: float
    seeds: float
    interaction: float
    n_users: int
    n_seeds: int

    def parts(self, n_users: float | None = None, n_seeds: float | None = None) -> np.ndarray:
        """The variance of the mean by its source: users, seeds, interaction, each at least 0 [3].

        For other numbers of users and seeds than there were if given; infinity is allowed.
        """
        n, m = n_users or self.n_users, n_seeds or self.n_seeds
        variance = np.array([self.users / n, self.seeds / m, self.interaction / (n * m)])
        return np.maximum(variance, 0)

    def standard_error(self, n_users: float | None = None, n_seeds: float | None = None) -> float:
        """The standard error of the mean over users and seeds as random samples."""
        return float(np.sqrt(self.parts(n_users, n_seeds).sum()))

    def half_width(
        self,
        n_users: float | None = None,
        n_seeds: float | None = None,
        *,
        level: float = LEVEL,
    ) -> float:
        """Half the width that the interval of `mrs.evaluation.bootstrap` has at these variances.

        Seeds and interaction have a t interval with m - 1 degrees of freedom, users one with n - 1.
        With one seed there is none for seeds, and the interval is one over users.
        """
        n, m = n_users or self.n_users, n_seeds or self.n_seeds
        users, seeds, both = self.parts(n, m)
        tail = (1 - level) / 2
        if m == 1:
            return float(t.isf(tail, n - 1) * np.sqrt(users + both))
        of_users, of_seeds = t.isf(tail, n - 1) ** 2 * users, t.isf(tail, m - 1) ** 2
        return float(np.sqrt(of_users + of_seeds * (seeds + both)))

    def detectable(
        self,
        n_users: float | None = None,
        n_seeds: float | None = None,
        *,
        level: float = LEVEL,
        power: float = POWER,
    ) -> float:
        """The minimum detectable difference, see `detectable`."""
        error = self.standard_error(n_users, n_seeds)
        if not error > 0:
            return error  # 0 or NaN
        critical = self.half_width(n_users, n_seeds, level=level) / error
        return error * _errors_away(critical, level, power)

    def users_needed(
        self,
        size: float,
        n_seeds: float | None = None,
        *,
        level: float = LEVEL,
        power: float = POWER,
    ) -> float:
        """The number of users with whom a difference of that size is detectable.

        Infinity where seeds alone hide it: more users cannot help, more seeds may.
        """

        def seen(n_users: float) -> bool:
            return self.detectable(n_users, n_seeds, level=level, power=power) <= size

        if size <= 0 or not seen(np.inf):
            return np.inf
        few, enough = 1, 2  # one user has no variance
        while not seen(enough):
            few, enough = enough, 2 * enough
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if seen(middle) else (middle, enough)
        return float(enough)


def components(values: np.ndarray) -> Components:
    """Variance components of differences [S x U] or [U], in closed form.

    The random two-way layout with one value per cell: expected mean squares (Searle, Casella and
    McCulloch, 1992, section 4.3) solved for the variances, unbiased. With one seed the
    variance between seeds is unknown and all variance is counted as the users'. NaN for fewer than
    two users.
    """
    cube = np.atleast_2d(np.asarray(values, dtype=np.float64))
    n_seeds, n_users = cube.shape
    if n_users < 2:
        return Components(np.nan, np.nan, np.nan, n_users, n_seeds)
    if n_seeds == 1:
        return Components(float(cube.var(ddof=1)), 0.0, 0.0, n_users, 1)
    of_users, of_seeds, rest = _mean_squares(cube)
    return Components(
        users=(of_users - rest) / n_seeds,
        seeds=(of_seeds - rest) / n_users,
        interaction=rest,
        n_users=n_users,
        n_seeds=n_seeds,
    )


def _mean_squares(cube: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of differences [S x U] between users, between seeds, and of the rest."""
    n_seeds, n_users = cube.shape
    by_user, by_seed = cube.mean(axis=0), cube.mean(axis=1)
    rest = cube - by_user - by_seed[:, None] + cube.mean()
    of_users = n_seeds * by_user.var(ddof=1)
    of_seeds = n_users * by_seed.var(ddof=1)
    freedom = (n_seeds - 1) * (n_users - 1)
    return float(of_users), float(of_seeds), float((rest**2).sum() / freedom)


def detectable(
    values: np.ndarray,
    n_users: float | None = None,
    *,
    n_seeds: float | None = None,
    level: float = LEVEL,
    power: float = POWER,
) -> float:
    """The minimum detectable difference of a mean of paired differences [U] or [S x U].

    A true mean of that size differs clearly from zero in a two-sided test at `level`, in `power` of
    all cases (Bloom, 1995). With `n_users` or `n_seeds` that of a test with so many of them, drawn
    from where these came from. The test is that of the intervals: with few seeds, whose spread it
    has to estimate from them, a difference must be larger. With one seed the part between seeds is
    left out. Assumes a mean that is normal. NaN for fewer than two users.
    """
    return components(values).detectable(n_users, n_seeds, level=level, power=power)


def _errors_away(critical: float, level: float, power: float) -> float:
    """How many standard errors a true difference is away from zero that is found with `power`.

    `critical` is the multiple at which the test rejects. It is that of Student's t with some
    degrees of freedom, and the noncentral t distribution with those has the power.
    """
    tail = (1 - level) / 2
    if critical <= norm.isf(tail) * (1 + 1e-6):
        return float(critical + norm.ppf(power))
    freedom = brentq(lambda x: t.isf(tail, np.exp(x)) - critical, np.log(0.5), np.log(1e9))
    freedom = float(np.exp(freedom))
    if freedom > MANY:
        return float(critical + norm.ppf(power))

    def missing(away: float) -> float:
        return float(nct.sf(critical, freedom, away)) - power

    return float(brentq(missing, 0, 10 * critical + 10))


def average_ranks(scores: np.ndarray) -> np.ndarray:
    """Mean ranks of k systems over blocks [N x k], 1 for the highest; equal ones share a rank."""
    return rankdata(-np.asarray(scores), axis=1).mean(axis=0)


def critical_difference(n_systems: int, n_blocks: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of average ranks (Demsar, 2006, section 3.2.2)."""
    quantile = studentized_range.ppf(level, n_systems, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_systems * (n_systems + 1) / (6 * n_blocks)))
