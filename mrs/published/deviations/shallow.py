"""Shallow Net as published (arXiv 2409.08987 and 2604.23077, train.py and model.py)."""

from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from typing_extensions import override

from mrs.data.splits import Split
from mrs.published.deviations.base import Deviation
from mrs.recommenders.shallow import (
    HingeRecommender,
    Sampler,
    ShallowIds,
    ShallowModule,
    confidence,
)

PUBLISHED_RANGE, PUBLISHED_USERS = 17_052, 21_018  # the second paper's train users


class NegativesRange(HingeRecommender):
    """Negative users are drawn from the first 17,052 of 21,018, or that share of another number.

    The bound is a constant from the first paper's data set.
    """

    @override
    def sampler(self, met: sp.csr_matrix, **options: Any) -> Sampler:
        n_users = met.shape[1]
        n_drawn = round(n_users * PUBLISHED_RANGE / PUBLISHED_USERS)
        return super().sampler(met, among=max(1, min(n_drawn, n_users - 1)), **options)


class NegativesUnchecked(HingeRecommender):
    """A negative may be a user who played the track."""

    @override
    def sampler(self, met: sp.csr_matrix, **options: Any) -> Sampler:
        return super().sampler(met, rejecting=False, **options)


class HingeValidation(HingeRecommender):
    """The hinge loss of the validation pairs decides when to stop, not their ranking."""

    @override
    def module(self, split: Split, seed: int) -> ShallowModule:
        return HingeValidated(split, self, seed)


class HingeValidated(ShallowModule):
    """Validates by the loss of held-out pairs with newly drawn negatives, batch by batch."""

    def __init__(self, split: Split, settings: HingeRecommender, seed: int) -> None:
        super().__init__(split, settings, seed)
        self.validation_generator = np.random.default_rng([seed, 2])

    @override
    def validate(self, split: Split) -> dict[str, float]:
        anchor, other = self.sides(split.val, split)
        kept = self.sampler.has_negatives[anchor]
        anchor, other = anchor[kept], other[kept]
        losses = []
        for start in range(0, len(anchor), self.settings.batch_size):
            part = slice(start, start + self.settings.batch_size)
            weight = confidence(None, len(anchor[part]))
            batch = self.batch_of(anchor[part], other[part], weight, self.validation_generator)
            losses.append(float(self.loss(batch)))
        return {"minus validation loss": -float(np.mean(losses))} if losses else {}


class FrozenRandomSide(ShallowIds):
    """Users stay as they were drawn, since the flags that freeze a table trained it instead."""

    train_users: ClassVar[bool] = False


DEVIATIONS = (
    # The flags that freeze a table train it: tracks are trained, users are not.
    Deviation("frozen_flags", of=("shallow",), forced={"train_users": False, "train_items": True}),
    Deviation(
        "negatives_range",
        of=("shallow",),
        mixin=NegativesRange,
        forced={"negatives": "users"},
    ),
    Deviation("negatives_unchecked", of=("shallow",), mixin=NegativesUnchecked),
    Deviation("hinge_validation", of=("shallow",), mixin=HingeValidation),
    Deviation("frozen_random_side", of=("shallow_ids",), mixin=FrozenRandomSide),
)
