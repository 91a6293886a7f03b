"""History and vectors in, factors out: one module and one card per recommender."""

from collections.abc import Mapping
from typing import Any

from mrs.errors import InputError
from mrs.recommenders.base import Fitted, Recommender
from mrs.recommenders.cards import Recommenders

__all__ = ["RECOMMENDERS", "Fitted", "Recommender", "make_recommender"]

#: The classes of recommenders by name, each imported when it is first read.
RECOMMENDERS = Recommenders()


def make_recommender(name: str, settings: Mapping[str, Any] | None = None) -> Recommender:
    """A recommender by name with some of its hyper-parameters set.

    Values may be text, as they come from a command line. Raises `InputError` for an unknown name
    or hyper-parameter, or a value that it does not take.
    """
    if name not in RECOMMENDERS:
        known = ", ".join(RECOMMENDERS)
        raise InputError(f"recommender {name!r} is unknown; choose one of {known}")
    return RECOMMENDERS[name].of(settings or {}, "hyper-parameter")
