"""Settings by name: dataclasses whose fields say by their types what they may hold.

The types below are shared; a choice is a `Literal`. Values may be text, as they come from a
command line or a study file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cache
from textwrap import shorten
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
)

from mrs.errors import InputError

LOWEST_TEMPERATURE = 0.03  # exp((cosine - 1) / t) stays a normal float32 number


def number(value: Any) -> Any:
    """Text such as "1e3" as its number, a whole one where it is whole; true is no number."""
    if isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return value
    try:
        found = float(value)
    except ValueError:
        return value
    return int(found) if found.is_integer() else found


def _or_none(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() == "none" else value


def _moment(value: Any) -> Any:
    """A date in UTC without a zone; no number is one: 20190201 is not seconds after 1970."""
    if value is None:
        return value
    try:
        read = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError("write a date such as 2019-02-01") from error
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read


_Whole = Annotated[int, BeforeValidator(number)]
_Real = Annotated[float, BeforeValidator(number)]

Count = Annotated[_Whole, Field(ge=1, le=10_000_000)]  # epochs, tracks, pairs of a batch
Batch = Annotated[_Whole, Field(ge=2, le=10_000_000)]  # rows that are seen against each other
Negatives = Annotated[_Whole, Field(ge=1, le=10_000)]  # drawn for each pair of a batch
Few = Annotated[_Whole, Field(ge=1, le=1000)]  # layers, heads, experts: each has its own weights
Width = Annotated[_Whole, Field(ge=1, le=16_384)]  # dimensions of a vector
Window = Annotated[_Whole, Field(ge=2, le=16_384)]  # places of a sequence, one to predict
WidthOrNone = Annotated[Width | None, BeforeValidator(_or_none)]  # none: all dimensions
LearningRate = Annotated[_Real, Field(gt=0, le=1)]  # length of an optimiser's step
Margin = Annotated[_Real, Field(ge=0, le=2)]  # a difference of two cosines
Positive = Annotated[_Real, Field(gt=0, le=1e6)]
NotNegative = Annotated[_Real, Field(ge=0, le=1e6)]
Penalty = NotNegative  # weight of a term of a loss
Share = Annotated[_Real, Field(ge=0, le=1)]  # a part of a whole, or a probability
InnerShare = Annotated[_Real, Field(gt=0, lt=1)]  # neither nothing nor all of it
PartShare = Annotated[_Real, Field(ge=0, lt=1)]  # not all of it
Dropout = PartShare  # probability with which a number is left out
Temperature = Annotated[_Real, Field(ge=LOWEST_TEMPERATURE, le=100)]  # divides a softmax's scores
Moment = Annotated[datetime, BeforeValidator(_moment)]  # in UTC without a zone, as plays are
Seed = Annotated[_Whole, Field(ge=0)]  # that a generator of random numbers starts from
Seconds = Annotated[_Real, Field(ge=0)]


class Settings:
    """The base of frozen dataclasses that check their values as they are made.

    A value becomes what its field's type says: "0.1" a number, "true" true. Raises `InputError`
    for a value that its field does not take, and for values that contradict each other.
    """

    def __post_init__(self) -> None:
        checked = validated(self.title(), type(self), vars(self))
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if wrong := self.contradiction():
            raise InputError(f"{self.title()}: {wrong}")

    @classmethod
    def title(cls) -> str:
        """Whose settings these are, in errors."""
        return cls.__name__

    def contradiction(self) -> str:
        """What is wrong with the values taken together; empty where nothing is."""
        return ""

    @classmethod
    def of(cls, values: Mapping[str, Any], kind: str) -> Self:
        """Make it of values by name; `kind` is what one is called in the error for no such name.

        Raises `InputError` for an unknown name besides.
        """
        known = [entry.name for entry in fields(cls)]  # type: ignore[arg-type]
        for name in values:
            if name not in known:
                shown = ", ".join(known) or "none"
                raise InputError(f"{cls.title()}: no {kind} {name!r}; known: {shown}")
        return cls(**values)


def validated(where: str, kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values by name as the fields of the dataclass `kind` hold them.

    Raises `InputError` that begins with `where`.
    """
    try:
        return dict(_model(kind).model_validate(values))
    except ValidationError as error:
        raise InputError(f"{where}: {one_line(error, _model(kind).model_fields)}") from error


def one_line(error: ValidationError, known: Iterable[str]) -> str:
    """The first thing that is wrong: the field, its value and what it should be.

    `known` are the fields' names.
    """
    first = error.errors(include_url=False)[0]
    name = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"{name} is unknown; known: {', '.join(known)}"
    if first["type"] == "missing":
        return f"{name} is missing"
    wrong = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
    value = shorten(str(first["input"]), 60)
    return f"{name}={value}{' ' if first['msg'].startswith('Input ') else ': '}{wrong}"


@cache
def _model(kind: type) -> type[BaseModel]:
    """What checks a dataclass; made when the first one is."""
    defaults = {
        entry.name: (entry.type, ... if entry.default is MISSING else entry.default)
        for entry in fields(kind)
    }
    config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())
    return create_model(kind.__name__, __config__=config, **defaults)  # type: ignore[call-overload]
