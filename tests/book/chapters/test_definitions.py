"""The chapter of definitions holds every class, as its definition states it."""

import re
from pathlib import Path

import pytest

from mrs.evaluation.metrics import BEYOND, CLASSES, describe
from mrs_book.chapters import definitions
from mrs_book.papers.libraries import libraries

NOTEBOOK = Path(__file__).parents[3] / "notebooks/definitions.ipynb"
ALL = [(metric, name) for known in (CLASSES, BEYOND) for metric in known for name in known[metric]]


def test_every_class_has_one_block() -> None:
    shown = definitions.blocks()
    headings = re.findall(r"^### (.+)$", "\n".join(shown), flags=re.MULTILINE)
    expected = [definitions.title(metric, name) for metric, name in ALL]
    assert headings == expected
    assert len(set(headings)) == len(ALL)
    assert len(shown) == len({metric for metric, _ in ALL})


@pytest.mark.parametrize(("metric", "name"), ALL)
def test_a_block_is_the_definition(metric: str, name: str) -> None:
    text, parts = definitions.block(metric, name), describe(metric, name)
    for part in ("Statement", "Formula", "Source", "Edge cases"):
        assert parts[part] in text
    assert "$" not in text  # would be read as a formula
    assert f"`{parts['Formula']}`" in text
    assert "`" not in parts["Formula"]


def test_the_sentence_says_over_whom() -> None:
    assert definitions.sentence("map", "min").startswith(
        "MAP@k is the sum of Precision@i over the ranks i <= k that hold a hit, over min(k, |R|); "
        "averaged over all users with at least one relevant item, a missing list counting as an "
        "empty one; equal scores in a random order"
    )
    assert definitions.sentence("map", "min").endswith(", map min).")
    assert "averaged" not in definitions.sentence("precision", "micro")
    assert "; one number for all users" in definitions.sentence("precision", "micro")
    assert "whatever is relevant" in definitions.sentence("coverage", "share")


def test_classes_without_a_cutoff_say_so() -> None:
    without = {
        (metric, name)
        for metric, name in ALL
        if definitions.cutoff(definitions.ALL[metric][name]).startswith("none")
    }
    assert without == {
        ("auc", name)
        for name in ("global", "per_user", "ties_won", "weighted", "elliot", "elliot_per_user")
    }
    assert "random order" not in definitions.sentence("auc", "per_user")


def test_the_guide_names_classes_that_there_are() -> None:
    """Every class that a cell of the notebook names has a statement."""
    code = NOTEBOOK.read_text(encoding="utf-8")
    named = [
        name
        for call in re.findall(r"statements\(([^)]*)\)", code)
        for name in re.findall(r'\\"(\w+ \w+)\\"', call)
    ]
    assert len(named) == 30
    lines = definitions.statements(*named).splitlines()
    for line, name in zip(lines, named, strict=True):
        statement = describe(*name.split())["Statement"]
        assert line == f"- **{definitions.title(*name.split())}**: {statement}"


def test_the_study_reports_one_class_per_name() -> None:
    assert definitions.defaults().count("(") == 6
    assert "MAP (relevant)" in definitions.defaults()


def test_notation_comes_from_the_package() -> None:
    assert definitions.notation().startswith("Notation of the definitions: R the user's")
    assert "Rules that hold for every class" in definitions.notation()


def test_library_table() -> None:
    table = definitions.library_table()
    assert len(table) == (libraries()["class"] != "").sum()
    row = table.filter(library="implicit", computes="MAP (min)").row(0, named=True)
    assert (row["version"], row["its name"]) == ("0.7.3", "MAP")
