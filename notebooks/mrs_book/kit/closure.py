"""Which files of this project's packages the code of a page can reach: what the page depends on.

A module reaches what it imports anywhere in its text, inside functions too, and every module whose
full name stands in it as a string. One that calls `import_module` with a composed name reaches its
whole package. A name that a package's stub lists, as `mrs` loads its public names, reaches the
module that the stub takes it from. A data file of a package belongs to the modules that name it,
and one that no module names to every module of its package.
"""

import ast
import json
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("mrs", "mrs_book")
# What pages show of which pages there are is among their inputs.
APART = frozenset({"mrs_book.kit.pages"})


def template_code(template: Path) -> str:
    """The code of a notebook, without lines for IPython alone."""
    cells = json.loads(template.read_text(encoding="utf-8"))["cells"]
    lines = (
        line
        for cell in cells
        if cell["cell_type"] == "code"
        for line in "".join(cell["source"]).splitlines()
    )
    return "\n".join(line for line in lines if not line.startswith(("%", "!")))


def reached(code: str) -> set[Path]:
    """The modules and data files that code can reach, their packages' own modules among them."""
    found, left = set[str](), _named(code)
    while left:
        found |= left
        left = {name for one in left for name in _imports(one)} - found - APART
    files = {modules()[name] for name in found}
    for path, owners in _data().items():
        if owners & found:
            files.add(path)
    return files


@cache
def modules() -> dict[str, Path]:
    """Every module of the packages by its name."""
    return {name: path for folder in _folders() for name, path in _modules(folder)}


def _folders() -> list[Path]:
    specs = [find_spec(package) for package in PACKAGES]
    return [Path(spec.origin).parent for spec in specs if spec and spec.origin]


def _modules(folder: Path) -> Iterable[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@cache
def _imports(module: str) -> frozenset[str]:
    path = modules()[module]
    package = module if path.stem == "__init__" else module.rpartition(".")[0]
    return frozenset(_named(path.read_text(encoding="utf-8"), package))


def _named(code: str, package: str = "") -> set[str]:
    """The modules that code imports or names, and the packages that hold them."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join([*(parents if node.level else []), *filter(None, [node.module])])
            lazy = _stub(start)
            names |= {lazy.get(alias.name, f"{start}.{alias.name}") for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= {node.value} & modules().keys()
        elif isinstance(node, ast.Call) and ast.unparse(node).startswith("import_module(f"):
            names |= {name for name in modules() if package and name.startswith(f"{package}.")}
    parts = [name.split(".") for name in names]
    prefixes = {".".join(some[:n]) for some in parts for n in range(1, len(some) + 1)}
    return prefixes & modules().keys()


@cache
def _stub(package: str) -> dict[str, str]:
    """The module of each name that a package's stub lists."""
    path = modules()[package].with_suffix(".pyi") if package in modules() else Path()
    if not path.is_file():
        return {}
    return {
        alias.name: f"{package}.{node.module}"
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@cache
def _data() -> dict[Path, frozenset[str]]:
    """The modules to which each data file of the packages belongs."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in modules().items()}
    homes = {name: path.parent for name, path in modules().items()}
    found = {}
    for folder in _folders():
        for path in folder.rglob("*.*"):
            if path.suffix in {".py", ".pyc", ".pyi"} or not path.is_file():
                continue
            owners = {name for name, text in texts.items() if path.name in text}
            home = next(one for one in path.parents if one in homes.values())
            found[path] = frozenset(owners or {n for n, place in homes.items() if place == home})
    return found
