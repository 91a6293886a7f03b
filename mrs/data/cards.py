"""Data cards: a dataset's origin, licence, consent, known skew, and what may be passed on."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict

from mrs.data.dataset import Dataset

ABOUT = ("origin", "licence", "consent", "skew", "redistribution")


class Statement(BaseModel):
    """A sentence and where it is from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str
    source: str


class DataCard(BaseModel):
    """What is known about a dataset, see `cards.yaml`.

    `dataset` is what this package writes into its dataset.json, but for what its plays decide,
    `source` the page and the files that it is fetched from, see `mrs.data.readers.sources`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    names: tuple[str, ...]
    origin: tuple[Statement, ...]
    licence: tuple[Statement, ...]
    consent: tuple[Statement, ...]
    skew: tuple[Statement, ...]
    redistribution: tuple[Statement, ...]
    dataset: dict[str, Any] = {}
    source: dict[str, Any] = {}

    def text(self, about: str) -> str:
        """What the card says about one of `ABOUT`, in one line."""
        return " ".join(statement.text for statement in getattr(self, about))

    def table(self) -> pl.DataFrame:
        """One row per statement: about, what is known, source."""
        rows = [
            (about, statement.text, statement.source)
            for about in ABOUT
            for statement in getattr(self, about)
        ]
        return pl.DataFrame(rows, schema=["about", "what is known", "source"], orient="row")


@lru_cache(maxsize=1)
def load() -> dict[str, DataCard]:
    """All cards by name."""
    values = yaml.safe_load((files("mrs.data") / "cards.yaml").read_text(encoding="utf-8"))
    return {name: DataCard.model_validate(card) for name, card in values.items()}


def card_of(dataset: Dataset) -> DataCard | None:
    """The card of a dataset, None for one that is not known here."""
    return next((card for card in load().values() if dataset.name in card.names), None)


def others(dataset: Dataset) -> pl.DataFrame:
    """The cards of all other datasets: dataset (its title), and the columns of a card's table."""
    mine = card_of(dataset)
    tables = [
        card.table().select(pl.lit(card.title).alias("dataset"), pl.all())
        for card in load().values()
        if card != mine
    ]
    return pl.concat(tables)
