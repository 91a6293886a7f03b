"""What a deviation is: a published program's departure, as a class mixed into a recommender."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mrs.data.splits import Split
from mrs.recommenders import RECOMMENDERS


@dataclass(frozen=True)
class Deviation:
    """One way in which published code departs from its paper or from what was meant.

    `of` are the recommenders that it concerns. `mixin` overrides what the clean recommender does,
    one class for all or one for each by name, and `forced` sets hyper-parameters. `backbone_mixin`
    is for a backbone of that name, which the recommender builds on. One that stands `alone` is no
    part of `published`. `note` says how a deviation is run that is no variant of a recommender;
    `of` is then empty. `version` is raised when results change.
    """

    name: str
    of: tuple[str, ...] = ()
    mixin: type | Mapping[str, type] | None = None
    forced: Mapping[str, Any] = field(default_factory=dict)
    backbone_mixin: tuple[str, type] | None = None
    alone: bool = False
    note: str = ""
    version: int = 1

    def mixins(self, recommender: str) -> tuple[type, ...]:
        """What is mixed into that recommender: one class or none."""
        if self.mixin is None:
            return ()
        return (self.mixin if isinstance(self.mixin, type) else self.mixin[recommender],)


def all_tracks(split: Split) -> np.ndarray:
    """Every track's position [n_tracks]: for a fit that reads the vectors of all."""
    return np.arange(len(split.tracks))


def answering(scenario: str) -> tuple[str, ...]:
    """The recommenders that answer a scenario."""
    return tuple(name for name, kind in RECOMMENDERS.items() if scenario in kind.scenarios)
