"""The cards of recommenders: what is said of each, and where its class is.

A card is a YAML file beside a recommender's module, named after the recommender. Another installed
package adds recommenders of its own by an entry point of the group `mrs.recommenders`, whose value
is the name of a package that holds modules and cards; each of its .yaml files is a card.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mrs.errors import InputError
from mrs.recommenders.base import Recommender
from mrs.settings import one_line

GROUP = "mrs.recommenders"
LAST = 1000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is built
_CODE = re.compile(r"\.(py|sh)\b|^P3")


def plain(value: Any) -> str:
    """A value of a hyper-parameter as tables and cards show it."""
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Part):
    """A box of the figure: what is done, whether it is trained, and whether new tracks lack it.

    Text alone stands for a step with neither.
    """

    text: str
    trained: bool = False
    warm_only: bool = False

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str) else value


class Source(_Part):
    """Where a hyper-parameter's default comes from.

    `published` are the published values, separated by commas, and `where` their source: P1 is
    arXiv 2409.08987 with its code (Darel13712/pretrained-audio-representations at ad0f645), P2
    arXiv 2604.23077 with its code (Darel13712/adopting-pretrained-audio at 2a36454), P3 the code
    of arXiv 2604.07090 (gmeehan96/ACARec at 522e21b). `ours` is the reason for another default.
    """

    published: str = ""
    where: str = ""
    ours: str = ""

    def of(self, value: Any) -> str:
        """Where a value comes from: "paper" or "code" if it is a published one, else "ours"."""
        if plain(value) not in self.published.split(", "):
            return "ours"
        return "code" if _CODE.search(self.where) else "paper"

    def text(self) -> str:
        """The published source and the reason for our default, in one line."""
        return "; ".join(filter(None, (self.where, self.ours and f"ours: {self.ours}")))


class Range(_Part):
    """The values that a search draws a hyper-parameter from; one field is set.

    `log_uniform`: between two ends, three significant digits. `uniform`: between two ends, two
    decimals. `times`: the study's present whole number times one of these factors, made even but
    for factor 1. `choice`: one of these words.
    """

    log_uniform: tuple[float, float] | None = None
    uniform: tuple[float, float] | None = None
    times: tuple[float, ...] = ()
    choice: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> "Range":
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of log_uniform, uniform, times, choice")
        return self

    def draw(self, rng: np.random.Generator, present: Any) -> Any:
        """A value; `present`, the study's, plays a part in `times` alone."""
        if self.log_uniform:
            low, high = self.log_uniform
            return float(f"{np.exp(rng.uniform(np.log(low), np.log(high))):.3g}")
        if self.uniform:
            return round(float(rng.uniform(*self.uniform)), 2)
        if self.choice:
            return self.choice[rng.integers(len(self.choice))]
        factor = self.times[rng.integers(len(self.times))]
        return int(present) if factor == 1 else max(2, 2 * round(factor * int(present) / 2))

    def __str__(self) -> str:
        if ends := self.log_uniform or self.uniform:
            kind = "log-uniform" if self.log_uniform else "uniform"
            return f"{ends[0]:g} to {ends[1]:g}, {kind}"
        if self.choice:
            return " or ".join(self.choice)
        return f"{', '.join(f'{factor:g}' for factor in self.times)} times the study's"


class Card(_Part):
    """What is said of a recommender.

    `class` is "module:Class" with the module beside the card; `order` its place in tables. `idea`
    is a few lines of Markdown, and in `formulas` $H_u$ are the tracks that user $u$ played in
    train, $x_u$ the same as a row of zeros and ones, $v_t$ a track's vector and $c_t$ its principal
    components; norm scales to length one. `user` and `track` are the steps that each goes through
    until both meet in the score, `shared` those of both with the same parameters, and `teacher`
    what is read in training alone and pulled together with the track.

    `hyperparameters` holds the source of each default and `search` the ranges of those that a
    search sets. `epoch` is what the time of an epoch is proportional to: the train pairs, the
    users' sequences, the tracks, or without it users x tracks; with `batch_moves_all_rows` each
    batch also moves every row of both tables. `coldstart_source` is the method's source in the
    chapter on new tracks, and `alternatives` names the study, beside the default one, that varies
    the recommender's settings.
    """

    class_: str = Field(alias="class", pattern=r"^\w+:\w+$")
    order: int = LAST
    idea: str
    formulas: tuple[str, ...]
    user: tuple[Step, ...]
    track: tuple[Step, ...]
    shared: tuple[Step, ...] = ()
    teacher: tuple[Step, ...] = ()
    score: str = "dot product = score"
    hyperparameters: dict[str, Source] = {}
    search: dict[str, Range] = {}
    epoch: Literal["pairs", "sequences", "tracks"] | None = None
    batch_moves_all_rows: bool = False
    coldstart_source: str = ""
    alternatives: str = ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps."""
        return (*self.user, *self.track, *self.shared, *self.teacher)

    @property
    def answers_cold(self) -> bool:
        """Whether a track that nobody played gets to the score."""
        return not all(step.warm_only for step in self.track)


@cache
def _files() -> dict[str, tuple[str, Path]]:
    """The package of each card's module and its file, by the recommender's name."""
    found: dict[str, tuple[str, Path]] = {}
    for root in (__package__, *(entry.value for entry in entry_points(group=GROUP))):
        spec = find_spec(root)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"entry points {GROUP}: {root} is no package; install it again")
        for folder in map(Path, spec.submodule_search_locations):
            for file in folder.rglob("*.yaml"):
                if file.stem in found:
                    raise InputError(f"{file}: recommender {file.stem} has another card already")
                package = ".".join((root, *file.parent.relative_to(folder).parts))
                found[file.stem] = package, file
    return found


@cache
def cards() -> dict[str, Card]:
    """All cards by the recommender's name, in their order.

    Raises `InputError` that names the file and the field of a card that is wrong.
    """
    found = {name: _read(file) for name, (_, file) in _files().items()}
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def _read(file: Path) -> Card:
    try:
        return Card.model_validate(yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER))
    except yaml.YAMLError as error:
        raise InputError(f"{file}: no YAML ({' '.join(str(error).split())})") from error
    except ValidationError as error:
        raise InputError(f"{file}: {one_line(error, Card.model_fields)}") from error


class Recommenders(Mapping[str, type[Recommender]]):
    """The recommenders' classes by name, in the order of their cards; imported as they are read."""

    def __getitem__(self, name: str) -> type[Recommender]:
        module, _, kind = cards()[name].class_.partition(":")
        return getattr(import_module(f"{_files()[name][0]}.{module}"), kind)

    def __iter__(self) -> Iterator[str]:
        return iter(cards())

    def __len__(self) -> int:
        return len(cards())
