"""The study file: which backends, recommenders and scenarios are run on which data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)

from mrs.errors import InputError
from mrs.published.deviations import recommender_of
from mrs.recommenders import Recommender
from mrs.study.spec import DEFAULT_K, SCENARIOS, SLICES, check_k


def _distinct(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise ValueError("something stands there twice")
    return values


Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_distinct)]


@dataclass(frozen=True)
class Variant:
    """A recommender of a study.

    `given` names the hyper-parameters that the study file sets. `distinct` names those of them
    that not all of the study's rows of the same recommender share: label and slug show them.
    """

    model: Recommender
    given: tuple[str, ...] = ()
    distinct: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The recommender's name."""
        return self.model.name

    @property
    def protocol(self) -> str:
        """The protocol that the recommender follows."""
        return self.model.protocol

    @property
    def settings(self) -> dict[str, Any]:
        """The hyper-parameters that the study file sets."""
        full = self.model.settings()
        return {name: full[name] for name in self.given}

    def _marks(self, equals: str) -> list[str]:
        shown = [(name, value) for name, value in self.settings.items() if name in self.distinct]
        if self.protocol != "corrected":
            shown.append(("protocol", self.protocol))
        return [f"{name}{equals}{str(value).lower()}" for name, value in shown]

    @property
    def label(self) -> str:
        """The name in tables."""
        marks = self._marks("=")
        return self.model.label + (f" ({', '.join(marks)})" if marks else "")

    @property
    def slug(self) -> str:
        """The name in file names."""
        return "-".join([self.name, *self._marks("-")]).replace(":", "-")


class Study(BaseModel):
    """What a study file holds.

    `note` is what readers should know of its settings; the book shows it beside them. Among a
    recommender's settings `protocol` stands for that of `RunSpec`.
    `backends` None means all that the dataset has vectors of. `seeds` are those of the fits,
    `shuffled_seeds` those of the control with shuffled vectors; `seeds_of` and `shuffled_seeds_of`
    give some recommenders others, by name, or by slug for one variant. `threads` is the number of
    threads of each fit: part of the study, since it may change last digits. `archive` is a file
    beside the study's in which runs are kept that take hours: see `mrs.study.archive`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    note: str = ""
    dataset: str = "demo"
    split: str | None = None
    backends: Annotated[tuple[str, ...], AfterValidator(_distinct)] | None = None
    recommenders: tuple[InstanceOf[Variant], ...]
    scenarios: Annotated[tuple[str, ...], AfterValidator(_distinct)] = SCENARIOS
    seeds: Seeds = Field(default=(0,), min_length=1)
    shuffled_seeds: Seeds = ()
    seeds_of: dict[str, Annotated[Seeds, Field(min_length=1)]] = {}
    shuffled_seeds_of: dict[str, Seeds] = {}
    k: tuple[int, ...] = DEFAULT_K
    threads: int = Field(default=1, ge=1)
    archive: Path | None = None

    @field_validator("recommenders", mode="before")
    @classmethod
    def _variants(cls, entries: Any) -> list[Variant]:
        if not isinstance(entries, list) or not entries:
            raise ValueError("list at least one recommender")
        pairs = [(e, {}) if isinstance(e, str) else next(iter(e.items())) for e in entries]
        chosen = []
        for name, settings in pairs:
            given = dict(settings or {})
            protocol = str(given.pop("protocol", "corrected"))
            model = recommender_of(name, given, protocol)
            full = model.settings()
            chosen.append((model, {(key, full[key]) for key in given}))
        shared: dict[str, set[tuple[str, Any]]] = {}
        for model, mine in chosen:
            shared[model.name] = shared.get(model.name, mine) & mine
        variants = []
        for model, mine in chosen:
            distinct = mine - shared[model.name]
            variants.append(Variant(model, *(tuple(sorted(dict(of))) for of in (mine, distinct))))
        if len({variant.slug for variant in variants}) < len(variants):
            raise ValueError("a recommender stands there twice with the same settings")
        return variants

    @field_serializer("recommenders")
    def _entries(self, variants: tuple[Variant, ...]) -> list[dict[str, Any]]:
        return [{one.name: one.settings | {"protocol": one.protocol}} for one in variants]

    @model_validator(mode="after")
    def _known_exceptions(self) -> "Study":
        known = {name for variant in self.recommenders for name in (variant.name, variant.slug)}
        for field in ("seeds_of", "shuffled_seeds_of"):
            strangers = set(getattr(self, field)) - known
            if strangers:
                raise ValueError(f"{field} names {min(strangers)}, which the study lacks")
        return self

    def fits(self, variant: Variant) -> tuple[int, ...]:
        """The seeds of a recommender's fits."""
        of_name = self.seeds_of.get(variant.name, self.seeds)
        return self.seeds_of.get(variant.slug, of_name)

    def controls(self, variant: Variant) -> tuple[int, ...]:
        """The seeds of a recommender's controls with shuffled vectors."""
        of_name = self.shuffled_seeds_of.get(variant.name, self.shuffled_seeds)
        return self.shuffled_seeds_of.get(variant.slug, of_name)

    @field_validator("scenarios")
    @classmethod
    def _scenarios(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = (*SCENARIOS, *SLICES)
        for name in names:
            if name not in known:
                raise ValueError(f"scenario {name!r} is unknown; known: {', '.join(known)}")
        return names

    @field_validator("k")
    @classmethod
    def _list_lengths(cls, k: tuple[int, ...]) -> tuple[int, ...]:
        return check_k(k)


def load_study(path: str | Path, dataset: str | None = None) -> Study:
    """Read a study file; `dataset` replaces the one it names. Raises `InputError`."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such study file; those that come with mrs lie in studies/")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        row = f"row {where.line}: " if where else ""
        raise InputError(f"{path}: {row}not readable YAML; mend it") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds no mapping; write `title:`, `recommenders:` and so on")
    if dataset is not None:
        values["dataset"] = dataset
    if values.get("archive"):
        values["archive"] = path.parent / str(values["archive"])
    try:
        return Study(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "study"
        raise InputError(f"{path}: {where}: {first['msg']}; correct it") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
