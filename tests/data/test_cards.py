"""The data cards: complete, sourced, and found by the datasets that they are about."""

import json
from pathlib import Path

import pytest
from worlds import random_parts, write_authors, write_own

from mrs.data.cards import ABOUT, card_of, load, others
from mrs.data.dataset import open_dataset


def test_every_card_is_complete_and_sourced() -> None:
    cards = load()
    assert list(cards) == ["demo", "music4all-onion", "yambda-50m", "music4all-february"]
    for card in cards.values():
        table = card.table()
        assert table["about"].unique(maintain_order=True).to_list() == list(ABOUT)
        assert table["source"].str.len_chars().min() > 3  # type: ignore[operator]
        assert table["what is known"].str.ends_with(".").all()
    names = [name for card in cards.values() for name in card.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "found"),
    [("yambda-50m-published", "yambda-50m"), ("music4all-onion", "music4all-onion"), ("own", None)],
)
def test_a_dataset_finds_its_card_by_name(tmp_path: Path, name: str, found: str | None) -> None:
    write_own(tmp_path, random_parts())
    info = json.loads((tmp_path / "dataset.json").read_text()) | {"name": name}
    (tmp_path / "dataset.json").write_text(json.dumps(info))
    card = card_of(open_dataset(tmp_path))
    assert card == (load()[found] if found else None)


def test_the_authors_folder_is_known_by_its_own_name(tmp_path: Path) -> None:
    write_authors(tmp_path / "music4all", random_parts())
    card = card_of(open_dataset(tmp_path / "music4all"))
    assert card is not None
    assert card.title == "Music4All-Onion in February 2019"


def test_the_cards_of_others(tmp_path: Path) -> None:
    write_authors(tmp_path / "music4all", random_parts())
    write_own(tmp_path / "own", random_parts())
    titles = {card.title for card in load().values()}
    assert set(others(open_dataset(tmp_path / "own"))["dataset"]) == titles
    known = others(open_dataset(tmp_path / "music4all"))
    assert known.columns == ["dataset", "about", "what is known", "source"]
    assert set(known["dataset"]) == titles - {"Music4All-Onion in February 2019"}
