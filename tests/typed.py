"""Finds numbers that are typed where they should be computed."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

# Digits that belong to names: papers, commits, files and their lines, metrics and models, columns,
# colours, the level of intervals, years of papers, and the "100" tables of arXiv 2604.23077.
NAMES = re.compile(
    r"\d{4}\.\d{5}|\b2a36454\b|`[^`]*`(, lines \d+-\d+)?|@(20|50)\b|\b\w*_at_20\b"
    r"|\b2nd\b|[Mm]usic4[Aa]ll|[Mm]usic2[Vv]ec|[Bb][Ee][Rr][Tt]4[Rr]ec|\b\w*ci95\b|\bchance_(20|50)\b"
    r"|(al\.|Aljanaki|table of) \d{4}\b|#[0-9a-f]{6}\b|\b95 % interval|“100”|^100$|\bCD\d\b"
)


def typed_numbers(text: str) -> list[str]:
    """The numbers of a text that are no part of a name."""
    return re.findall(r"\d+(?:\.\d+)?", NAMES.sub("", text))


def in_notebook(path: Path) -> list[str]:
    """Typed numbers in a template's prose."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return [number for text in prose for number in typed_numbers(text)]


def in_module(path: Path) -> list[str]:
    """Typed numbers in a module's strings (docstrings apart), and literals that it prints."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [number for text in _strings(tree) for number in typed_numbers(text)]


def _strings(tree: ast.AST) -> Iterator[str]:
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)  # docstrings
        if isinstance(node, ast.FormattedValue):
            if isinstance(node.value, ast.Constant):
                yield str(node.value.value)
            if node.format_spec is not None:
                skipped |= set(ast.walk(node.format_spec))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.value
