"""Imports point down the flow: every import of every module is read, those in functions too."""

import ast
from collections.abc import Iterator
from pathlib import Path

import mrs
import mrs_book

PACKAGES = [Path(package.__file__ or "").parent for package in (mrs, mrs_book)]
# From the left of the flow to its right; what stands in no room is a leaf that all may import.
ROOMS = ("data", "world", "backends", "evaluation", "recommenders", "published", "study", "cli")
# Within the book: chapters use the kit, and both the papers' printed numbers.
SHELVES = ("papers", "kit", "chapters")
# What `pip install .` does not install, by the names that are imported.
OF_THE_BOOK = {
    "pandas",
    "matplotlib",
    "seaborn",
    "itables",
    "scikit_posthocs",
    "papermill",
    "ipykernel",
    "jupyter_client",
    "nbconvert",
    "nbformat",
}
# A generated world is made where one is opened for the first time.
LATE = {("mrs.data.dataset", "mrs.world.demo")}
# The entry points, and the modules of the kit that assemble the chapters to a book.
KNOW_ALL = {"mrs.__main__", "mrs_book.commands"} | {
    f"mrs_book.kit.{name}" for name in ("book", "pages", "preload")
}


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            parts = path.relative_to(package.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imported(path, known)) - {name} for name, path in known.items()}


def imported(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in known else node.module


def is_book(name: str) -> bool:
    return name.split(".")[0] == "mrs_book"


def test_the_library_never_imports_the_book() -> None:
    wrong = {
        (name, other)
        for name, others in imports().items()
        for other in others
        if is_book(other) and not is_book(name)
    }
    assert not wrong


def test_the_library_needs_none_of_the_books_packages() -> None:
    wrong = set()
    for name, path in modules().items():
        if is_book(name):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            else:
                named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong |= {(name, one) for one in named if one.split(".")[0] in OF_THE_BOOK}
    assert not wrong


def place(name: str) -> int:
    room = [*name.split("."), ""][1]
    order = SHELVES if is_book(name) else ROOMS
    return order.index(room) if room in order else -1


def test_imports_point_left_along_the_flow() -> None:
    wrong = {
        (name, other)
        for name, others in imports().items()
        for other in others
        if is_book(name) == is_book(other)
        and place(other) > place(name)
        and (name, other) not in LATE
        and name not in KNOW_ALL
    }
    assert not wrong


def test_no_modules_import_each_other() -> None:
    graph = {
        name: {other for other in others if (name, other) not in LATE}
        for name, others in imports().items()
    }
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_a_circle_and_an_arrow_would_be_seen(tmp_path: Path) -> None:
    """The reader of imports finds those of functions and of names in packages."""
    module = tmp_path / "one.py"
    module.write_text("def f():\n    from mrs_book.kit import book\n    import mrs.study.store\n")
    assert set(imported(module, modules())) == {"mrs_book.kit.book", "mrs.study.store"}
