"""Cards: their errors, and a recommender of another package from its card to its page."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from worlds import random_parts, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs.errors import InputError
from mrs.recommenders import RECOMMENDERS, cards, make_recommender
from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.search import groups
from mrs.study.store import Store
from mrs.study.study import Study
from mrs_book.chapters.recommender import RecommenderPage

MODULE = '''
from dataclasses import dataclass
from typing import ClassVar

from mrs.recommenders.base import History, Recommender
from mrs.recommenders.factors import FittedFactors, mean_of_history
from mrs.settings import Positive


@dataclass(frozen=True)
class Near(Recommender):
    """Tracks near the history by the dot product of raw vectors."""

    name: ClassVar[str] = "near"
    label: ClassVar[str] = "Near"
    needs: ClassVar[frozenset[str]] = frozenset({"vectors"})
    scenarios: ClassVar[tuple[str, ...]] = ("hot",)
    stochastic: ClassVar[bool] = False

    scale: Positive = 2.0

    def fit(self, split, vectors=None, *, backbone=None, seed=0):
        vectors = self.scale * self.check_vectors(split, vectors)
        users = mean_of_history(split.matrix, vectors)
        return FittedFactors(History.of(split), None, [], users, vectors)
'''
CARD = """
class: near_module:Near
idea: A user is the mean of what they played.
formulas: ['s(u, t) = m_u \\cdot v_t']
user: [tracks played in train, mean of their vectors]
track: [{text: audio vector, warm_only: true}]
hyperparameters:
  scale: {ours: all vectors alike}
search:
  scale: {log_uniform: [0.5, 4]}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package `others` whose folder `deep` holds a recommender and its card."""
    deep = tmp_path / "site" / "others" / "deep"
    deep.mkdir(parents=True)
    (deep.parent / "__init__.py").touch()
    (deep / "near_module.py").write_text(MODULE)
    (deep / "near.yaml").write_text(CARD)
    about = tmp_path / "site" / "others-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[{cards.GROUP}]\nmine = others\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    forget()
    yield deep
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "others"]:
        del sys.modules[name]
    cards._files.cache_clear()
    cards.cards.cache_clear()


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_own(tmp_path / "own", random_parts())
    return open_dataset(tmp_path / "own")


def test_a_recommender_of_another_package_from_its_card_to_its_page(
    package: Path, dataset: Dataset, tmp_path: Path
) -> None:
    assert list(RECOMMENDERS)[-1] == "near"  # after the others, whose cards have an order
    assert make_recommender("near", {"scale": "3"}).settings() == {"scale": 3.0}
    backend = dataset.backends()[0]
    study = Study.model_validate(
        {"title": "t", "dataset": dataset.spec, "backends": [backend], "scenarios": ["hot"]}
        | {"recommenders": ["near"], "k": [50], "shuffled_seeds": []}
    )
    (group,) = groups(study)
    assert 0.5 <= group.values(1, seed=0)["scale"] <= 4
    results = Results(study, Store(tmp_path / "store"), dataset)
    (cell,) = results.cells()
    run(cell.runs[0], results.store, dataset)
    page = RecommenderPage(results, "near")
    assert page.intro().startswith("A user is the mean of what they played.\n\nIt reads vectors")
    assert "$$\ns(u, t) = m_u \\cdot v_t\n$$" in page.formulas()
    assert page.figure().axes
    (row,) = page.hyperparameters().iter_rows(named=True)
    assert row["hyper-parameter"] == "scale"
    assert row["source, and reason for ours"] == "ours: all vectors alike"
    ((caption, table),) = page.tables()
    assert caption.startswith("Hot")
    assert len(table) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("class: near_module:Near\n", "", "near.yaml: class is missing"),
        ("class: near_module:Near", "class: Near", "near.yaml: class=Near"),
        ("track: [", "tracks: [", "near.yaml: track"),
        ("log_uniform: [0.5, 4]", "", "near.yaml: search.scale"),
        ("idea: A", "idea: [A", "near.yaml: no YAML"),
    ],
)
def test_a_wrong_card_is_named(package: Path, old: str, new: str, message: str) -> None:
    path = package / "near.yaml"
    path.write_text(CARD.replace(old, new))
    with pytest.raises(InputError, match=message) as caught:
        list(RECOMMENDERS)
    assert "\n" not in str(caught.value)


def test_two_cards_of_one_name(package: Path) -> None:
    (package / "knn.yaml").write_text(CARD)
    with pytest.raises(InputError, match="recommender knn has another card already"):
        list(RECOMMENDERS)


def test_an_entry_point_without_its_package(package: Path) -> None:
    about = package.parents[1] / "others-1.dist-info"
    (about / "entry_points.txt").write_text(f"[{cards.GROUP}]\nmine = absent\n")
    with pytest.raises(InputError, match="absent is no package"):
        list(RECOMMENDERS)
