"""A small project with one template, for tests of executing and building."""

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parents[1]


def write_template(root: Path, name: str, *cells: str, heading: str = "# Template") -> Path:
    """A template notebook: a heading, the parameter `backend`, and cells of code."""
    notebook = new_notebook(
        cells=[
            new_markdown_cell(heading),
            new_code_cell('backend = "default"', metadata={"tags": ["parameters"]}),
            *(new_code_cell(cell) for cell in cells),
        ],
        metadata={
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
            "language_info": {"name": "python"},
        },
    )
    path = root / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def write_project(root: Path) -> None:
    """The project's own settings and styles around an empty book."""
    (root / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "book/_static", root / "book/_static")
