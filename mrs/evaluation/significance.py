"""Which differences are more than chance: p values, Holm, effect sizes, what could be detected.

Everything here is about paired differences: two systems' values of one metric over the same users,
subtracted user by user, [U] or [S seeds x U users].
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import kurtosis, norm, rankdata, skew, studentized_range, t

from mrs.evaluation.bootstrap import Interval

LEVEL = 0.95
POWER = 0.8


def p_values(means: np.ndarray) -> np.ndarray:
    """Two-sided p values of differences from their resampled means [draws x M]: [M].

    Twice the smaller share of draws at or beyond zero, each share counted with the observed sample
    as one more draw: (1 + count) / (1 + draws), so that no p value is 0 (Davison and Hinkley, 1997,
    section 4.2.3). The smallest possible is 2 / (1 + draws).
    """
    below, above = (means <= 0).sum(axis=0), (means >= 0).sum(axis=0)
    return np.minimum(1, 2 * (1 + np.minimum(below, above)) / (1 + len(means)))


def holm(p: np.ndarray) -> np.ndarray:
    """The p values of one family [M], adjusted by Holm's step-down procedure (1979)."""
    from statsmodels.stats.multitest import multipletests  # takes seconds to import

    return multipletests(p, method="holm")[1] if len(p) else np.asarray(p, dtype=np.float64)


def first_step(n: int, level: float = LEVEL) -> float:
    """The level of the first, strictest step of Holm's procedure over a family of n."""
    return 1 - (1 - level) / max(n, 1)


def effect_size(differences: np.ndarray, level: float = LEVEL) -> Interval:
    """Cohen's d_z of paired differences [U], mean over standard deviation, with an interval.

    The interval is d_z -+ z times its large-sample standard error by the delta method, which needs
    no normal values: sqrt((1 - g1 d + (g2 + 2) d^2 / 4) / U) with skewness g1 and excess kurtosis
    g2. For normal values that is the usual sqrt((1 + d^2 / 2) / U). NaN where nothing varies.
    """
    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2 or np.ptp(values) == 0:
        return Interval(np.nan, np.nan, np.nan)
    size = values.mean() / values.std(ddof=1)
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

    def detectable(
        self,
        n_users: float | None = None,
        n_seeds: float | None = None,
        *,
        level: float = LEVEL,
        power: float = POWER,
    ) -> float:
        """The minimum detectable difference, see `detectable`."""
        return _widths(level, power) * self.standard_error(n_users, n_seeds)

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
        per_user, of_seeds, both = self.parts(1, n_seeds)
        left = (size / _widths(level, power)) ** 2 - of_seeds
        return float(np.ceil((per_user + both) / left)) if left > 0 else np.inf


def components(values: np.ndarray) -> Components:
    """Variance components of differences [S x U] or [U], in closed form.

    The random two-way layout with one value a cell: expected mean squares (Searle, Casella and
    McCulloch, 1992, section 4.3) solved for the variances, unbiased. One seed tells nothing of
    seeds: what varies is then counted as the users'. NaN for fewer than two users.
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

    (z(level) + z(power)) times the standard error: a true mean of that size is told from zero by a
    two-sided test at `level` in `power` of all cases (Bloom, 1995). With `n_users` or `n_seeds`
    that of a test with so many of them, drawn from where these came from.

    Assumes a mean that is normal and a standard error that is known, both good with hundreds of
    users; with few seeds the part between seeds is itself uncertain, and with one it is left out.
    NaN for fewer than two users.
    """
    return components(values).detectable(n_users, n_seeds, level=level, power=power)


def _widths(level: float, power: float) -> float:
    """How many standard errors a true difference must be away from zero."""
    return float(norm.ppf((1 + level) / 2) + norm.ppf(power))


def quasi_f(values: np.ndarray) -> float:
    """p value of a mean difference [S x U] with seeds and users as random samples.

    Clark's quasi F with Satterthwaite's degrees of freedom (1973, Journal of Verbal Learning and
    Verbal Behavior 12): with three seeds of which each favours the same system it asks how far
    three seeds can carry, which a bootstrap over three seeds does not. For one seed the paired t
    test over users. 1 where nothing varies and the mean is 0.
    """
    cube = np.atleast_2d(np.asarray(values, dtype=np.float64))
    n_seeds, n_users = cube.shape
    if n_seeds == 1:
        total, freedom = float(cube.var(ddof=1)), float(n_users - 1)
    else:
        of_users, of_seeds, rest = _mean_squares(cube)
        between = max(of_seeds - rest, 0.0)  # estimated, and a variance is not below 0
        total = of_users + between
        weights = of_users**2 / (n_users - 1)
        if between:
            weights += of_seeds**2 / (n_seeds - 1) + rest**2 / ((n_seeds - 1) * (n_users - 1))
        freedom = max(total**2 / weights, 1.0) if weights else 1.0
    mean = abs(cube.mean())
    if total == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(mean / np.sqrt(total / (n_seeds * n_users)), freedom))


def average_ranks(scores: np.ndarray) -> np.ndarray:
    """Mean ranks of k systems over blocks [N x k], 1 for the highest; equal ones share a rank."""
    return rankdata(-np.asarray(scores), axis=1).mean(axis=0)


def critical_difference(n_systems: int, n_blocks: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of average ranks (Demsar, 2006, section 3.2.2)."""
    quantile = studentized_range.ppf(level, n_systems, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_systems * (n_systems + 1) / (6 * n_blocks)))
