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
from typing_extensions import TypeAliasType

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

# Named types: the API reference shows their names.

#: A number of epochs, tracks or pairs of a batch.
Count = TypeAliasType("Count", Annotated[_Whole, Field(ge=1, le=10_000_000)])
#: Rows of a batch that are compared with each other.
Batch = TypeAliasType("Batch", Annotated[_Whole, Field(ge=2, le=10_000_000)])
#: Negatives per pair of a batch.
Negatives = TypeAliasType("Negatives", Annotated[_Whole, Field(ge=1, le=10_000)])
#: Layers, heads or experts, each with weights of its own.
Few = TypeAliasType("Few", Annotated[_Whole, Field(ge=1, le=1000)])
#: Dimensions of a vector.
Width = TypeAliasType("Width", Annotated[_Whole, Field(ge=1, le=16_384)])
#: Positions of a sequence, one of them to predict.
Window = TypeAliasType("Window", Annotated[_Whole, Field(ge=2, le=16_384)])
#: Dimensions of a vector; none: all of them.
WidthOrNone = TypeAliasType("WidthOrNone", Annotated[Width | None, BeforeValidator(_or_none)])
#: Length of an optimiser's step.
LearningRate = TypeAliasType("LearningRate", Annotated[_Real, Field(gt=0, le=1)])
#: A difference of two cosines.
Margin = TypeAliasType("Margin", Annotated[_Real, Field(ge=0, le=2)])
#: A number above 0.
Positive = TypeAliasType("Positive", Annotated[_Real, Field(gt=0, le=1e6)])
#: A number from 0.
NotNegative = TypeAliasType("NotNegative", Annotated[_Real, Field(ge=0, le=1e6)])
#: Weight of a term of a loss.
Penalty = TypeAliasType("Penalty", NotNegative)
#: A part of a whole, or a probability.
Share = TypeAliasType("Share", Annotated[_Real, Field(ge=0, le=1)])
#: A share that is neither nothing nor all of it.
InnerShare = TypeAliasType("InnerShare", Annotated[_Real, Field(gt=0, lt=1)])
#: A share that is not all of it.
PartShare = TypeAliasType("PartShare", Annotated[_Real, Field(ge=0, lt=1)])
#: Probability with which a number is left out.
Dropout = TypeAliasType("Dropout", PartShare)
#: Divides the scores of a softmax.
Temperature = TypeAliasType("Temperature", Annotated[_Real, Field(ge=LOWEST_TEMPERATURE, le=100)])
#: A date in UTC without a zone, as plays have it.
Moment = TypeAliasType("Moment", Annotated[datetime, BeforeValidator(_moment)])
#: Starts a generator of random numbers.
Seed = TypeAliasType("Seed", Annotated[_Whole, Field(ge=0)])
#: Seconds, from 0.
Seconds = TypeAliasType("Seconds", Annotated[_Real, Field(ge=0)])


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

    @classmethod
    def from_file(cls, where: str, values: Mapping[str, Any]) -> Self:
        """Make it of values as a file holds them; `where` names the file in errors.

        Raises `InputError`.
        """
        values = validated(where, cls, values)
        try:
            return cls(**values)
        except InputError as error:  # a contradiction, which knows no file
            raise InputError(f"{where}: {error}") from error


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
