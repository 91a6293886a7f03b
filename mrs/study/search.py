"""The trials of a search for hyper-parameters, drawn with a seed from the ranges of the cards.

What a card does not list under `search` is not searched. Epochs, patience, batch sizes, lengths of
histories and layers limit what a study costs and stay. Sizes and numbers of negatives are multiples
of the study's, capped so that a fit takes at most about twice as long. `n_components` stays, since
all backends are read on equal terms. KNN's `center` makes a row of its own in a study and is not
chosen.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrs.recommenders.cards import Range, cards
from mrs.study.study import Study, Variant


@dataclass(frozen=True)
class Group:
    """The rows of a study that get one set of values: a recommender, or a family with one fit."""

    name: str
    variants: tuple[Variant, ...]
    space: Mapping[str, Range]

    @property
    def settings(self) -> dict[str, Any]:
        """All hyper-parameters that the study has now."""
        return self.variants[0].model.settings()

    def values(self, trial: int, seed: int) -> dict[str, Any]:
        """The searched hyper-parameters of a trial; trial 0 has those that the study has now.

        A trial's draws depend on the seed, the group's name and the trial's number alone.
        """
        present = self.settings
        if trial == 0:
            return {name: present[name] for name in self.space}
        rng = np.random.default_rng([seed, zlib.crc32(self.name.encode()), trial])
        return {name: where.draw(rng, present[name]) for name, where in self.space.items()}

    def cells(self, scenarios: tuple[str, ...]) -> list[tuple[str, str]]:
        """The pairs of recommender and scenario that one fit answers."""
        return [
            (variant.name, scenario)
            for variant in self.variants
            for scenario in variant.model.scenarios
            if scenario in scenarios
        ]


def groups(study: Study) -> list[Group]:
    """The groups of a study that can be searched, in the order of the study.

    Rows with a protocol of published code keep their values.
    """
    found: dict[tuple[str, tuple], list[Variant]] = {}
    for variant in study.recommenders:
        if variant.protocol != "corrected":
            continue
        model, space = variant.model, cards()[variant.name].search
        if space and set(model.scenarios) & set(study.scenarios):
            group = model.family or variant.name, tuple(variant.settings.items())
            found.setdefault(group, []).append(variant)
    return [
        Group(
            name=variants[0].slug.replace(variants[0].name, family, 1),
            variants=tuple(variants),
            space=cards()[variants[0].name].search,
        )
        for (family, _), variants in found.items()
    ]
