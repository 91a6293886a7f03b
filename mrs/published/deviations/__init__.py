"""Recommenders as published: each departure of the public code as a variant of the clean one.

Written anew from a description of the code of arXiv 2409.08987, 2604.23077 and 2604.07090;
`registry.DEVIATIONS` has them in the order of the book's table. A protocol is "corrected",
"published" (all deviations that concern the recommender, but for those that stand alone) or
"published:NAME" (that one alone).
"""

from dataclasses import fields, make_dataclass
from functools import cache
from typing import Any

from mrs.errors import InputError
from mrs.published.deviations.base import Deviation
from mrs.recommenders import RECOMMENDERS, Recommender, make_recommender

__all__ = ["Deviation", "backbone_of", "deviations_of", "recommender_of"]

CORRECTED, PUBLISHED = "corrected", "published"


def deviations_of(recommender: str, protocol: str) -> tuple[Deviation, ...]:
    """The deviations of a recommender that a protocol names, in the table's order.

    Raises `InputError` for an unknown protocol and one that does not concern the recommender.
    """
    if protocol == CORRECTED:
        return ()
    from mrs.published.deviations.registry import DEVIATIONS  # imports every recommender

    mine = [d for d in DEVIATIONS.values() if recommender in d.of]
    whole, _, name = protocol.partition(":")
    known = f"known: {CORRECTED}, {PUBLISHED}, {PUBLISHED}:NAME"
    if whole != PUBLISHED or (name and name not in DEVIATIONS) or protocol.endswith(":"):
        choice = f" with NAME one of {', '.join(DEVIATIONS)}"
        raise InputError(f"protocol {protocol!r} is unknown; {known}{choice}")
    if name and DEVIATIONS[name].note:
        raise InputError(f"protocol {protocol!r}: {DEVIATIONS[name].note}")
    chosen = [d for d in mine if (d.name == name if name else not d.alone)]
    if not chosen:
        apply = ", ".join(d.name for d in mine) or "none"
        raise InputError(
            f"protocol {protocol!r} does not concern recommender {recommender}; "
            f"deviations that do: {apply}"
        )
    return tuple(chosen)


def recommender_of(name: str, settings: dict[str, Any], protocol: str = CORRECTED) -> Recommender:
    """`make_recommender` with the protocol's deviations mixed in.

    Raises `InputError` as that does, as `deviations_of` does, and for a hyper-parameter that a
    deviation sets to another value.
    """
    clean = make_recommender(name, settings)
    if protocol == CORRECTED:
        return clean
    kind = _published(type(clean), protocol)
    forced = {key: value for d in deviations_of(name, protocol) for key, value in d.forced.items()}
    values = clean.settings()
    for key in set(settings) & set(forced):
        if values[key] != forced[key]:
            raise InputError(
                f"recommender {name}: protocol {protocol!r} sets {key}={forced[key]}; "
                f"leave {key} out or choose another protocol"
            )
    return kind(**values | forced)


def backbone_of(recommender: Recommender) -> Recommender:
    """The backbone of a recommender, with default hyper-parameters, under its protocol."""
    name = recommender.settings()["backbone"]
    if not recommender.deviations:
        return RECOMMENDERS[name]()
    from mrs.published.deviations.registry import DEVIATIONS  # imports every recommender

    mixins = [DEVIATIONS[deviation].backbone_mixin for deviation in recommender.deviations]
    return _mixed(RECOMMENDERS[name], tuple(one[1] for one in mixins if one and one[0] == name))()


@cache
def _published(clean: type[Recommender], protocol: str) -> type[Recommender]:
    """The class that follows a protocol; the values that the protocol sets are its defaults."""
    chosen = deviations_of(clean.name, protocol)
    types = {entry.name: entry.type for entry in fields(clean)}  # type: ignore[arg-type]
    forced = {key: value for d in chosen for key, value in d.forced.items()}
    return make_dataclass(
        f"Published{clean.__name__}",
        [(key, types[key], value) for key, value in forced.items()],
        bases=(*(mixin for d in chosen for mixin in d.mixins(clean.name)), clean),
        namespace={
            "protocol": protocol,
            "deviations": tuple(d.name for d in chosen),
            "__reduce__": _remake,
        },
        frozen=True,
    )


def _remake(made: Recommender) -> tuple:
    """How to unpickle a recommender as published: its class is no attribute of a module."""
    return recommender_of, (made.name, made.settings(), made.protocol)


@cache
def _mixed(clean: type[Recommender], mixins: tuple[type, ...]) -> type[Recommender]:
    """The clean class below the mixins, the same class each time."""
    return type(f"Published{clean.__name__}", (*mixins, clean), {}) if mixins else clean
