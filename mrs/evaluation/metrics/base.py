"""What a formula is in code, and the arithmetic that several share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mrs.errors import InputError
from mrs.evaluation.metrics.judged import Judged
from mrs.evaluation.metrics.listed import Listed

OfJudged = Callable[[Judged, Sequence[int]], np.ndarray]
OfListed = Callable[[Listed, Sequence[int]], np.ndarray]
Chance = Callable[[np.ndarray, np.ndarray, Sequence[int]], np.ndarray]


@dataclass(frozen=True)
class Definition:
    """One formula among those that share a metric's name.

    `name` and `variant` are its short name in text, JSON and code, as in `map` / `min`. `needs`
    are the optional parts of the lists that it reads, keys of what `lacks` answers.
    """

    name: str
    variant: str
    needs: tuple[str, ...] = field(default=(), kw_only=True)


class Accuracy(Definition):
    """A metric that holds lists against the truth."""

    def lacks(self, judged: Judged) -> str | None:
        """Why the class has no value on these lists, or None where it has one."""
        best = judged.best_ratings
        reasons = {
            "n_candidates": (judged.n_candidates is None, "the number of candidates is not known"),
            "ratings": (best is None, "the truth has no ratings"),
            "complete": (not judged.complete, "the lists do not rank every candidate"),
            "scores": (judged.scores is None, "the lists have no scores"),
            "powers": (
                best is not None and best.max(initial=0) > 500,
                "a rating is above 500, and 2 to its power is out of range",
            ),
        }
        return next((why for need, (no, why) in reasons.items() if no and need in self.needs), None)


@dataclass(frozen=True)
class Metric(Accuracy):
    """A metric with one value per user; its mean over users is reported.

    `per_user(judged, ks)` gives the values float64 [U x len(ks)]; NaN where a user has none.
    """

    per_user: OfJudged


@dataclass(frozen=True)
class WithChance(Metric):
    """A metric whose expectation under a random order has a closed form.

    `chance(n_candidates, n_relevant, ks)` gives it from the numbers of candidates and of relevant
    ones among them, int [U] each: float64 [U x len(ks)].
    """

    chance: Chance


@dataclass(frozen=True)
class Pooled(Accuracy):
    """A metric with one value for all users together, which is no mean over them.

    `pooled(judged, ks)` gives the values float64 [len(ks)]; NaN where nothing defines one.
    """

    pooled: OfJudged


@dataclass(frozen=True)
class Beyond(Definition):
    """A metric of what is listed, whether relevant or not.

    `of(listed, ks)` gives the values float64 [len(ks)], NaN where nothing defines one; or where
    `each`, one per user [U x len(ks)], NaN where a user has none.
    """

    of: OfListed
    each: bool = False

    def value(self, listed: Listed, ks: Sequence[int]) -> np.ndarray:
        """Values float64 [len(ks)]; the mean over users who have one where there is one each."""
        values = self.of(listed, ks)
        return mean_of_defined(values) if self.each else values

    def lacks(self, listed: Listed) -> str | None:
        """Why the class has no value on these lists, or None where it has one."""
        reasons = {
            "n_train_users": "the training plays are not given",
            "vectors": "the items' vectors are not given",
        }
        return next((reasons[n] for n in self.needs if getattr(listed, n) is None), None)


def columns(ks: Sequence[int]) -> np.ndarray:
    """Column of each cutoff in an array whose column j is about the first j + 1 ranks."""
    return np.asarray(ks, dtype=np.intp) - 1


def ranks(ks: Sequence[int]) -> np.ndarray:
    """Ranks 1 to the largest cutoff, float64."""
    return np.arange(1.0, max(ks) + 1)


def log_discounts(n: int) -> np.ndarray:
    """1 / log2(i + 1) for the ranks i = 1 to n."""
    return 1.0 / np.log2(np.arange(2.0, n + 2))


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, 0 where below is 0."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.zeros(above.shape), where=below != 0)


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the users [U x n] who have a value; NaN where nobody has one."""
    defined = ~np.isnan(values)
    n = defined.sum(axis=0)
    sums = np.where(defined, values, 0.0).sum(axis=0)
    return np.divide(sums, n, out=np.full(len(n), np.nan), where=n > 0)


def within(n_candidates: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Bool [U x max(ks)], the rank exists: a user has as many as candidates."""
    return ranks(ks) <= n_candidates[:, None]


def log_no_hit(n_candidates: np.ndarray, n_relevant: np.ndarray, ks: Sequence[int]) -> np.ndarray:
    """Log of the probability that a random order has no hit in the first j + 1 ranks.

    Float64 [U x max(ks)]. The hypergeometric probability of no hit is the product over the ranks
    of 1 - R / (N - j). Summing log1p keeps it exact where R / N is tiny; a factor of 0 and the
    ranks after the last candidate give -inf.
    """
    remaining = np.maximum(n_candidates[:, None] - (ranks(ks) - 1), n_relevant[:, None])
    with np.errstate(divide="ignore"):
        return np.cumsum(np.log1p(-n_relevant[:, None] / remaining), axis=1)


def check_cutoffs(ks: Sequence[int]) -> None:
    """Raise InputError where there is no cutoff or one below 1."""
    if not ks or min(ks) < 1:
        raise InputError(f"cutoffs are {list(ks)}; there must be one, and each at least 1")
