"""Every field of split rules, world parameters and cards: what it takes and what it does not."""

from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from mrs.data.rules import RULES, parse_rule
from mrs.data.vectors import Card
from mrs.errors import InputError
from mrs.world.params import Params

NUMBERS = ("text", "", "nan", float("nan"), "inf", "-inf", None, [])
WHOLE = (*NUMBERS, 1.5, "0.5")
SHARE = ((0, "1", 0.5), (-0.01, 1.01, *NUMBERS))
SPREAD = ((0, "0.5", 2), (-1e-9, 1.1e6, *NUMBERS))
COUNT = ((1, "1e3", 10_000_000), (0, -1, 10_000_001, *WHOLE))
SEED = ((0, "7"), (-1, *WHOLE))
DATE = (("2018-03-01", datetime(2018, 3, 1)), ("March", 1, "2018-13-01", [], True))
CUT = (("2018-09-01", "2019-02-01"), (*DATE[1], None))

RULE_FIELDS: dict[str, tuple[tuple, tuple]] = {
    "test_start": CUT,
    "train_start": (("2018-01-01", None), DATE[1]),
    "test_end": (("2019-03-01", None), DATE[1]),
    "validation_share": SHARE,
    "seed": SEED,
    "min_core": COUNT,
    "source": (("plays.parquet",), (1, None, [])),
    "cold_validation_start": (("2018-08-01", None), DATE[1]),
    "cold_validation_share": ((0, "0.5"), (-0.01, 1, *NUMBERS)),
}
POSITIVE = ((1e-3, "380"), (0, -1, 1.1e6, *NUMBERS))
WORLD_FIELDS: dict[str, tuple[tuple, tuple]] = {
    "seed": SEED,
    "n_users": COUNT,
    "n_tracks": ((1000, "3e3"), COUNT[1]),
    "n_artists": ((100, "2e2"), COUNT[1]),
    "n_genres": ((2, "120"), (1, 121, *WHOLE)),
    "n_cold": ((100, "200"), (-1, *WHOLE)),
    "n_scenes": COUNT,
    "debut": ((0, "0.05"), SHARE[1]),
    "unheard": ((0, "0.02"), SHARE[1]),
    "same_artist": ((0, "0.7"), SHARE[1]),
    "same_genre": ((0, "0.6"), SHARE[1]),
    "new_boost": POSITIVE,
    "plays_median": POSITIVE,
    "session_mean": ((1, "7.5"), (0.99, -1, *NUMBERS)),
} | dict.fromkeys(("scene_genre", "explore", "repeat", "late"), SHARE)
CARD_FIELDS: dict[str, tuple[tuple, tuple]] = {
    "backend": (("mert", "mine"), (1, None)),
    "origin": (("audio", "file", "surrogate"), ("ears", "", None, 1)),
    "embedding_size": ((1, 40_000), (0, -1, *WHOLE)),
    "details": (({}, {"layer": 3}), ("text", None, 3)),
}


@pytest.mark.parametrize(
    ("rule", "field"), [(name, f.name) for name, kind in RULES.items() for f in fields(kind)]
)
def test_rules(rule: str, field: str) -> None:
    given = {"rule": rule, "test_start": "2018-09-01"}
    taken, refused = RULE_FIELDS[field]
    for value in taken:
        parse_rule("x", given | {field: value})
    for value in refused:
        changed = {field: value}
        one_line(f"x: {field}={value}", partial(parse_rule, "x", given | changed))
        one_line(f"{rule} split: {field}=", partial(RULES[rule].of, CUT_ONLY | changed, ""))


CUT_ONLY = {"test_start": "2018-09-01"}


@pytest.mark.parametrize("field", [entry.name for entry in fields(Params)])
def test_world_parameters(field: str) -> None:
    taken, refused = WORLD_FIELDS.get(field, SPREAD)
    for value in taken:
        others = {"same_artist": 0, "same_genre": 0, "debut": 0, field: value}
        assert Params(**others) == Params.of(others, "parameter")
    for value in refused:
        one_line(f"demo: {field}={value}", partial(Params, **{field: value}))


@pytest.mark.parametrize("field", [entry.name for entry in fields(Card)])
def test_cards(field: str) -> None:
    given: dict[str, Any] = {"backend": "mert", "origin": "file", "embedding_size": 8}
    taken, refused = CARD_FIELDS[field]
    for value in taken:
        assert getattr(Card(**given | {field: value}), field) == value
    for value in refused:
        make = partial(Card.from_file, "x.json", given | {field: value})
        one_line(f"x.json: {field}={value}", make)


def one_line(begins: str, make: Any) -> None:
    with pytest.raises(InputError) as caught:
        make()
    words = str(caught.value)
    assert words.startswith(begins.rstrip())
    assert "\n" not in words
