"""What a search for hyper-parameters draws from: a table of ranges, and seeded trials.

What is not in a recommender's row is not searched. Epochs, patience, batch sizes, lengths of
histories and layers are a study's limits on cost and stay; sizes and numbers of negatives are
multiples of the study's, capped so that a fit takes at most about twice as long; `n_components`
stays, since all backends are read on equal terms. KNN's `center` makes a row of its own in a
study and is not chosen; popularity, random and the oracles have nothing to set.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrs.study.study import Study, Variant


@dataclass(frozen=True)
class Rate:
    """Log-uniform between two ends, three significant digits."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator, present: Any) -> float:
        """A value; the present one plays no part."""
        return float(f"{np.exp(rng.uniform(np.log(self.low), np.log(self.high))):.3g}")

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, log-uniform"


@dataclass(frozen=True)
class Share:
    """Uniform between two ends, two decimals."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator, present: Any) -> float:
        """A value; the present one plays no part."""
        return round(float(rng.uniform(self.low, self.high)), 2)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, uniform"


@dataclass(frozen=True)
class Times:
    """The study's present whole number times one of some factors, made even but for factor 1."""

    factors: tuple[float, ...]

    def draw(self, rng: np.random.Generator, present: Any) -> int:
        """A multiple of the present value."""
        factor = self.factors[rng.integers(len(self.factors))]
        return int(present) if factor == 1 else max(2, 2 * round(factor * int(present) / 2))

    def __str__(self) -> str:
        return f"{', '.join(f'{factor:g}' for factor in self.factors)} times the study's"


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[str, ...]

    def draw(self, rng: np.random.Generator, present: Any) -> str:
        """A value; the present one plays no part."""
        return self.values[rng.integers(len(self.values))]

    def __str__(self) -> str:
        return " or ".join(self.values)


Range = Rate | Share | Times | Choice

_HINGE: dict[str, Range] = {
    "margin": Rate(0.05, 0.5),
    "n_negatives": Times((0.4, 1, 2)),
    "negatives": Choice(("users", "tracks")),
}
_SEQUENCE: dict[str, Range] = {
    "learning_rate": Rate(0.001, 0.02),
    "embedding_size": Times((0.5, 1, 1.5)),
    "dropout": Share(0, 0.4),
    "mask_probability": Share(0.1, 0.4),
}

_PLACED: dict[str, Range] = {"learning_rate": Rate(0.0001, 0.01)}

# By recommender, or by family where several share a fit and so have the same values.
SPACES: dict[str, dict[str, Range]] = {
    "shallow": _HINGE | {"learning_rate": Rate(0.0005, 0.05)},
    "shallow_ids": _HINGE
    | {"learning_rate": Rate(0.002, 0.2), "embedding_size": Times((0.5, 0.75, 1))},
    "bimodal": {
        "learning_rate": Rate(0.0002, 0.01),
        "temperature": Rate(0.05, 0.5),
        "embedding_size": Times((0.5, 1, 1.5)),
    },
    "hybrid": {"learning_rate": Rate(0.0005, 0.05), "hidden_size": Times((0.5, 1, 2))},
    "bert4rec": _SEQUENCE,
    "bert4rec_ids": _SEQUENCE,
    "elsa": {"learning_rate": Rate(0.002, 0.2), "embedding_size": Times((0.5, 1, 2))},
    "als": {
        "regularization": Rate(0.1, 300),
        "alpha": Rate(0.3, 40),
        "embedding_size": Times((0.5, 1, 2)),
    },
    "bpr": {
        "learning_rate": Rate(0.002, 0.2),
        "regularization": Rate(0.001, 0.3),
        "embedding_size": Times((0.5, 1, 2)),
    },
    "deepmusic": _PLACED,
    "clcrec": _PLACED | {"lambda_": Share(0.1, 0.9), "sample_rate": Share(0.3, 1)},
    "heater": _PLACED | {"alpha": Rate(0.00001, 0.01), "dropout": Share(0.2, 0.8)},
    "gar": _PLACED | {"alpha": Share(0.5, 1), "beta": Share(0, 0.9)},
    "acarec": _PLACED,
}


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
        """What a trial sets of the searched hyper-parameters; trial 0 is the study's present.

        A trial's draws hang on the seed, the group's name and the trial's number alone.
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
    """What of a study can be searched, in its order; rows as published keep their values."""
    found: dict[tuple[str, tuple], list[Variant]] = {}
    for variant in study.recommenders:
        if variant.protocol != "corrected":
            continue
        family = variant.model.family or variant.name
        if family in SPACES and set(variant.model.scenarios) & set(study.scenarios):
            found.setdefault((family, tuple(variant.settings.items())), []).append(variant)
    return [
        Group(
            name=variants[0].slug.replace(variants[0].name, family, 1),
            variants=tuple(variants),
            space=SPACES[family],
        )
        for (family, _), variants in found.items()
    ]
