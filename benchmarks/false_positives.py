"""False positives and power of the interval of a difference, by seeds and what they add.

    python benchmarks/false_positives.py [--worlds 1000]

Each world has 300 users. `ratio` is the seeds' standard deviation in standard errors of the mean
over users; a true difference of four of those errors is what power is asked at. `resampled` are the
false positives of an interval that draws users and seeds anew together.
"""

import argparse

import numpy as np

from mrs.evaluation.bootstrap import interval

N_USERS, EFFECT, LEVEL = 300, 4.0, 0.05
SEEDS = (2, 3, 5, 10)
RATIOS = (0, 0.3, 1, 3, 10, 30)


def worlds(rng: np.random.Generator, n_seeds: int, ratio: float, n_worlds: int) -> np.ndarray:
    """Differences without a true one [S x U x worlds]; half the variance is a user's own."""
    return (
        rng.normal(size=(1, N_USERS, n_worlds))
        + rng.normal(size=(n_seeds, N_USERS, n_worlds))
        + ratio / np.sqrt(N_USERS) * rng.normal(size=(n_seeds, 1, n_worlds))
    )


def found(values: np.ndarray) -> float:
    """The share of worlds whose interval leaves out zero."""
    bounds = interval(values, draws=1000)
    return float(((bounds.low > 0) | (bounds.high < 0)).mean())


def resampled(rng: np.random.Generator, values: np.ndarray) -> float:
    """The share whose percentile interval of resampled users and seeds leaves out zero."""
    n_seeds, n_users, n_worlds = values.shape
    means = np.empty((400, n_worlds))
    for row in means:
        seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds)) / n_seeds
        users = rng.multinomial(n_users, np.full(n_users, 1 / n_users)) / n_users
        row[:] = np.einsum("s,u,suw->w", seeds, users, values, optimize=True)
    low, high = np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    return float(((low > 0) | (high < 0)).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    n_worlds = parser.parse_args().worlds
    rng = np.random.default_rng(0)
    print(f"{'seeds':>5}{'ratio':>7}{'false':>8}{'power':>8}{'resampled':>11}")
    for n_seeds in SEEDS:
        for ratio in RATIOS:
            values = worlds(rng, n_seeds, ratio, n_worlds)
            effect = EFFECT / np.sqrt(N_USERS)
            false, power = found(values), found(values + effect)
            print(
                f"{n_seeds:5}{ratio:7g}{false:8.3f}{power:8.3f}{resampled(rng, values):11.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
