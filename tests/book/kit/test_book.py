import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from projects import write_project, write_template
from rich.console import Console

from mrs.errors import InputError
from mrs.study.store import Store
from mrs_book.kit import book
from mrs_book.kit.book import (
    build_book,
    build_early,
    build_html,
    execute_pages,
    install_mathjax,
    prune,
    write_toc,
)
from mrs_book.kit.execute import BookError, Task
from mrs_book.kit.pages import Page, Part

QUIET = Console(quiet=True)
KNN = Page("runs/knn", "sim:MERT, hot", "run", parameters={"backend": "mert"}, inputs=("key",))
INDEX = Page("index", "Overview", "run")
READING = Page("reading", "How to read the numbers")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which executing writes only the stamp, and a page called broken fails."""

    def execute_all(tasks: Mapping[str, Task], workers: int, console: Console) -> dict[str, str]:
        for task in tasks.values():
            if task.output.stem != "broken":
                task.output.parent.mkdir(parents=True, exist_ok=True)
                task.output.write_text(json.dumps({"metadata": {"mrs": {"stamp": task.stamp}}}))
        return {path: "Traceback\nValueError: no" for path in tasks if path == "broken"}

    write_project(tmp_path)
    write_template(tmp_path, "run", "print(backend)")
    (tmp_path / "book/reading.md").write_text("# How to read the numbers\n")
    monkeypatch.setattr(book, "execute_all", execute_all)
    return tmp_path


def execute(root: Path, *pages: Page) -> list[str]:
    return execute_pages(pages, root, 1, QUIET)


def test_only_changed_pages_are_executed(root: Path) -> None:
    assert execute(root, INDEX, READING, KNN) == ["index", "runs/knn"]
    assert execute(root, INDEX, READING, KNN) == []
    changes = {"inputs": ("another",), "parameters": {"backend": "muq"}, "heading": "New"}
    for name, value in changes.items():
        changed = Page(**(vars(KNN) | {name: value}))
        assert execute(root, INDEX, READING, changed) == ["runs/knn"], name
    assert execute(root, INDEX, READING, KNN) == ["runs/knn"]
    (root / "book/runs/knn.ipynb").write_text("{")
    assert execute(root, INDEX, READING, KNN) == ["runs/knn"]
    write_template(root, "run", "print(backend, 1)")
    assert execute(root, INDEX, READING, KNN) == ["index", "runs/knn"]


def test_pages_about_most_runs_begin(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    monkeypatch.setattr(book, "execute_all", lambda tasks, *_: begun.extend(tasks) or {})
    whole = Page("results", "Results", "run", inputs=("key", "other"))
    assert execute(root, INDEX, READING, KNN, whole) == ["index", "runs/knn", "results"]
    assert begun == ["results", "runs/knn", "index"]


def test_a_changed_module_executes_the_pages_that_reach_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core, chapter = root / "core.py", root / "chapter.py"
    core.write_text("A = 1\n")
    chapter.write_text("B = 1\n")
    found = {"print(backend)": {core, chapter}, "print(1)": {core}}
    monkeypatch.setattr(book, "reached", lambda code: found[code.splitlines()[-1]])
    write_template(root, "run", "print(backend)")
    write_template(root, "other", "print(1)")
    other = Page("other", "Other", "other")
    assert execute(root, other, KNN) == ["other", "runs/knn"]
    chapter.write_text("B = 2\n")
    assert execute(root, other, KNN) == ["runs/knn"]
    core.write_text("A = 2\n")
    assert execute(root, other, KNN) == ["other", "runs/knn"]


def test_pages_that_are_gone_are_removed(root: Path) -> None:
    execute(root, INDEX, READING, KNN)
    (root / "book/mine.ipynb").write_text("{}")
    prune({"index", "reading"}, root)
    left = {path.relative_to(root / "book").as_posix() for path in (root / "book").glob("*")}
    assert left == {"_static", "index.ipynb", "mine.ipynb", "reading.md"}


@pytest.mark.parametrize("minutes", [2, 20])
def test_pages_that_need_no_run_are_shown_before_long_runs(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], minutes: int
) -> None:
    forensics = Page("forensics", "What the printed numbers say", "run")
    built: list[str] = []

    def listed(root: Path, strict: bool, console: Console) -> Path:
        table = yaml.safe_load((root / "book/_toc.yml").read_text())
        chapters = [entry["file"] for part in table["parts"] for entry in part["chapters"]]
        built.extend([table["root"], *chapters])
        return root / book.FIRST_PAGE

    monkeypatch.setattr(
        book, "pages", lambda *_: [Part("", (INDEX,)), Part("A", (READING, KNN, forensics))]
    )
    monkeypatch.setattr(book, "build_html", listed)
    monkeypatch.setattr(
        "mrs.study.costs.estimate", lambda *_: SimpleNamespace(seconds=60 * minutes)
    )
    monkeypatch.chdir(root)  # where the generated world goes
    study = Path(__file__).parents[3] / "studies/small.yaml"
    build_early(str(study), Store(root / "results"), root, workers=1)
    assert built == (["reading", "forensics"] if minutes == 20 else [])
    assert not (root / "book/runs").exists()
    assert ("2 pages that need no run can already be read" in capsys.readouterr().err) == bool(
        built
    )


def test_a_failed_page_is_named_after_the_others_are_done(root: Path) -> None:
    with pytest.raises(BookError, match=r"1 of 2 pages failed, first broken .*: ValueError: no"):
        execute(root, Page("broken", "Broken", "run"), KNN)
    assert "Traceback\nValueError: no" in (root / "build/book.log").read_text()
    assert execute(root, KNN) == []


def test_missing_files_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"notebooks/none\.ipynb: not found"):
        execute(root, Page("x", "X", "none"))
    with pytest.raises(InputError, match=r"book/none\.md: not found"):
        execute(root, Page("none", "None"))
    with pytest.raises(InputError, match=r"_config\.yml: not found"):
        build_book("studies/demo.yaml", Store(tmp_path / "store"), root=tmp_path / "book")


def test_contents(root: Path) -> None:
    top = Page("knn", "KNN", "run", children=(KNN,))
    write_toc([Part("", (INDEX, READING)), Part("Recommenders", (top,)), Part("None", ())], root)
    assert yaml.safe_load((root / "book/_toc.yml").read_text()) == {
        "format": "jb-book",
        "root": "index",
        "parts": [
            {"chapters": [{"file": "reading", "title": "How to read the numbers"}]},
            {
                "caption": "Recommenders",
                "chapters": [
                    {
                        "file": "knn",
                        "title": "KNN",
                        "sections": [{"file": "runs/knn", "title": "sim:MERT, hot"}],
                    }
                ],
            },
        ],
    }


def test_mathjax_is_copied_or_replaced_by_nothing(root: Path) -> None:
    console = Console(record=True, quiet=False, file=(root / "said").open("w"))
    target = root / "book/assets/mathjax/tex-svg.js"
    install_mathjax(root, console)
    assert target.read_text() == ""
    assert "formulas are shown as TeX" in console.export_text()
    source = root / book.MATHJAX
    source.parent.mkdir(parents=True)
    source.write_text("the script")
    install_mathjax(root, console)
    assert target.read_text() == "the script"
    assert console.export_text() == ""


class Sphinx:
    """In place of the real build: notes the command and whether it starts from nothing."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.code = 0

    def __call__(self, command: list[str], root: Path, log: Path, console: Console) -> int:
        fresh = not (root / "book/_build/html").exists()
        strict = "--warningiserror" in command
        self.calls.append("fresh" * fresh + "kept" * (not fresh) + " strict" * strict)
        (root / "book/_build/html").mkdir(parents=True, exist_ok=True)
        font = '<link rel="preload" as="font" type="font/woff2" crossorigin href="x.woff2" />'
        (root / "book/_build/html/index.html").write_text(f"<head>{font}</head>")
        log.write_text("fine\nbook/x.md:1: WARNING: bad link\n")
        return self.code


def test_html_is_built_when_something_changed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sphinx = Sphinx()
    monkeypatch.setattr(book, "_run_sphinx", sphinx)

    def calls(strict: bool = False) -> list[str]:
        sphinx.calls.clear()
        page = build_html(root, strict, QUIET)
        assert page.read_text() == "<head></head>"
        return list(sphinx.calls)

    write_toc([Part("", (INDEX,))], root)
    assert calls() == ["fresh"]
    assert calls() == []
    (root / "book/reading.md").write_text("# Another\n")
    assert calls() == ["kept"]
    write_toc([Part("", (INDEX, READING))], root)
    assert calls() == ["fresh"]
    (root / "book/_static/custom.css").write_text("")
    assert calls() == ["fresh"]
    assert calls(strict=True) == ["fresh strict"]
    assert calls() == []
    (root / "book/reading.md").write_text("# A third\n")
    sphinx.code = 1
    with pytest.raises(BookError, match=r"(?s)failed, see .*WARNING: bad link$"):
        calls()
    sphinx.code = 0
    assert calls() == ["fresh"]
    assert calls() == []


def test_html_in_markdown_is_text() -> None:
    """Notes, names and labels of users go into Markdown: the book's parser takes no tag of them."""
    settings = yaml.safe_load((Path(__file__).parents[3] / "_config.yml").read_text())
    disabled = settings["sphinx"]["config"]["myst_disable_syntax"]
    extensions = set(settings["parse"]["myst_enable_extensions"])
    config = MdParserConfig(enable_extensions=extensions, disable_syntax=disabled)
    hostile = "# <i>x</i>\n\nA <img src=x onerror=a()> **b**\n\n<script>\n\n<iframe src=x"
    html = create_md_parser(config, RendererHTML).render(hostile)
    assert set(re.findall(r"<(\w+)", html)) == {"h1", "p", "strong"}


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"', "\x00"])
def test_a_damaged_memory_of_the_last_build_builds_all(tmp_path: Path, text: str) -> None:
    memory = tmp_path / "built.json"
    memory.write_text(text, encoding="utf-8")
    assert book._built(memory) == {}
    memory.write_text('{"frame": "x"}', encoding="utf-8")
    assert book._built(memory) == {"frame": "x"}
    assert book._built(tmp_path / "none") == {}
