"""Tests of the modules and data files that the code of a page can reach."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mrs_book.kit import closure
from mrs_book.kit.closure import modules, reached, template_code

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted((ROOT / "notebooks").glob("*.ipynb"))
FILES = {
    "__init__.py": "",
    "core.py": "A = 1",
    "__init__.pyi": "from .report.late import draw as draw\n",
    "report/__init__.py": "",
    "report/plain.py": "from house import core",
    "report/late.py": "def draw():\n    from house.report import plain",
    "report/nearby.py": "from . import late",
    "report/named.py": "import importlib\nimportlib.import_module('house.report.plain')",
    "report/reader.py": "NAME = 'numbers.csv'",
    "report/data/numbers.csv": "a\n",
    "report/data/cards.yaml": "a: 1\n",
    "report/pages.py": "from house.report import reader",
    "report/first.py": "from house.report import pages",
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package of its own in place of this project's."""
    for name, text in FILES.items():
        path = tmp_path / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(closure, "PACKAGES", ("house",))
    monkeypatch.setattr(closure, "APART", frozenset({"house.report.pages"}))
    caches = (closure.modules, closure._imports, closure._stub, closure._data)
    for one in caches:
        one.cache_clear()
    yield
    for one in caches:
        one.cache_clear()


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("from house import core", {"core.py"}),
        ("from house import draw", {"core.py", "plain.py", "late.py", "cards.yaml"}),
        ("import house.report.plain as p", {"core.py", "plain.py", "cards.yaml"}),
        ("from house.report.late import draw", {"core.py", "plain.py", "late.py", "cards.yaml"}),
        (
            "from house.report import nearby",
            {"core.py", "plain.py", "late.py", "nearby.py", "cards.yaml"},
        ),
        ("from house.report import named", {"core.py", "plain.py", "named.py", "cards.yaml"}),
        ("from house.report import reader", {"reader.py", "numbers.csv", "cards.yaml"}),
        ("from house.report import first", {"first.py", "cards.yaml"}),
        ("import polars", set()),
    ],
)
def test_what_code_reaches(house: None, code: str, names: set[str]) -> None:
    found = {path.name for path in reached(code)} - {"__init__.py"}
    assert found == names


def chapters(template: str) -> set[str]:
    """The modules of the book that a template reaches."""
    paths = reached(template_code(ROOT / f"notebooks/{template}.ipynb"))
    return {n for n, path in modules().items() if path in paths and n.startswith("mrs_book.")}


def test_a_page_reaches_its_own_chapter_alone() -> None:
    assert "mrs_book.chapters.significance" in chapters("significance")
    others = {
        "mrs_book.chapters.coldstart",
        "mrs_book.chapters.forensics",
        "mrs_book.chapters.audit",
    }
    for template in ("significance", "results", "recommend", "data", "overview"):
        assert not chapters(template) & others, template
    assert "mrs_book.chapters.coldstart" in chapters("coldstart")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_every_template_reaches_the_modules_that_it_names(template: Path) -> None:
    paths = reached(template_code(template))
    assert all(path.is_file() for path in paths)
    assert modules()["mrs"] in paths


def test_what_a_page_imports_is_reached() -> None:
    """Against the modules that a run of the imports leaves loaded."""
    for template in ("results", "published"):
        code = template_code(ROOT / f"notebooks/{template}.ipynb")
        imports = [
            line for line in code.splitlines() if line.startswith(("from mrs", "import mrs"))
        ]
        report = "import sys; print(*(n for n in sys.modules if n.split('.')[0] == 'mrs'))"
        run = subprocess.run(
            [sys.executable, "-c", "\n".join([*imports, report])],
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {modules()[name] for name in run.stdout.split()} - {
            modules()["mrs_book.kit.pages"]
        }
        assert loaded <= reached(code)
