"""Parameters as papermill's command line gives them."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import nbformat
import pytest

from mrs.errors import InputError
from mrs_book.kit.parameters import integers, mapping, required, word, words

ROOT = Path(__file__).parents[3]
APART = {"appendix"}  # it shows the library, with its own errors
TEMPLATES = [
    path
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    if path.stem not in APART and '"parameters"' in path.read_text()
]


@pytest.mark.parametrize("value", [5, "5", [5], (5,), "[5]", "(5,)"])
def test_one_integer(value: object) -> None:
    assert integers("k", value) == (5,)


@pytest.mark.parametrize("value", [[5, 10], "[5,10]", "5,10", "5, 10", "(5, 10)"])
def test_integers(value: object) -> None:
    assert integers("k", value) == (5, 10)


@pytest.mark.parametrize("value", [[], "", "[]"])
def test_no_integer(value: object) -> None:
    assert integers("seeds", value) == ()


@pytest.mark.parametrize("value", ["five", 1.5, None, True, ["a"], {"a": 1}, "[5"])
def test_no_integers(value: object) -> None:
    with pytest.raises(InputError, match=r"^parameter k: .*; write integers such as 5"):
        integers("k", value)


@pytest.mark.parametrize("value", [{"a": 1, "b": "x"}, "a=1,b=x", "{a: 1, b: x}"])
def test_mapping(value: object) -> None:
    assert mapping("settings", value) == {"a": 1, "b": "x"}


@pytest.mark.parametrize("value", ["", None, {}, "{}"])
def test_empty_mapping(value: object) -> None:
    assert mapping("settings", value) == {}


@pytest.mark.parametrize("value", ["a", "=1", 5, ["a"], "{a"])
def test_no_mapping(value: object) -> None:
    with pytest.raises(InputError, match=r"^parameter settings: .*; write name=value"):
        mapping("settings", value)


@pytest.mark.parametrize("value", ["", None, "none"])
def test_no_word(value: object) -> None:
    assert word("backend", value) is None
    with pytest.raises(InputError, match="^parameter backend: .*; write a name"):
        required("backend", value)


def test_word() -> None:
    assert word("backend", "mert") == required("backend", "mert") == "mert"
    assert word("backend", 5) == "5"
    for value in (True, ["mert"]):
        with pytest.raises(InputError, match="^parameter backend: .*; write a name"):
            word("backend", value)


@pytest.mark.parametrize(
    "value", [["ndcg", "5"], "ndcg,5", "[ndcg, 5]", ["ndcg", 5], "('ndcg', 5)"]
)
def test_words(value: object) -> None:
    assert words("metrics", value) == ["ndcg", "5"]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_names_a_parameter_that_it_cannot_read(template: Path) -> None:
    cells = [c for c in nbformat.read(template, as_version=4).cells if c.cell_type == "code"]
    values: dict[str, Any] = {}
    exec(cells[0].source, values)
    names = [name for name in values if not name.startswith("__")]
    values.update(dict.fromkeys(names, True))
    code = "\n".join(cell.source for cell in cells[1:])
    message = rf"^parameter ({'|'.join(names)}): True; "
    with mpl.rc_context(), pytest.raises(InputError, match=message):
        exec(code, values)
