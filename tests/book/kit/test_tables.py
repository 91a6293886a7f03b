import re
from html.parser import HTMLParser

import polars as pl
import pytest
from IPython.display import HTML

from mrs_book.kit import tables
from mrs_book.kit.tables import cell_text, show, static_table

FRAME = pl.DataFrame(
    {
        "backend": ["sim:MERT", "<b>x</b>", None],
        "page": ["runs/a.html?x=1&y=2", None, None],
        "block": ["one", "one", "two"],
        "users": [12, None, 3],
        "ndcg@50": [0.12345, None, float("nan")],
    }
)


class Rows(HTMLParser):
    """The text of a table's cells, row by row; a class or address in front in brackets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.inside = True
            self.rows[-1].append("[n]" if known.get("class") == "number" else "")
        elif tag == "a":
            self.rows[-1][-1] += f"[{known['href']}]"

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


def test_static_table() -> None:
    text = static_table(
        FRAME, "All < some", decimals={"ndcg@50": 2}, links={"backend": "page"}, block="block"
    )
    assert "<caption><span>All &lt; some</span></caption>" in text
    assert "<b>" not in text
    assert Rows(text).rows == [
        ["backend", "[n]users", "[n]ndcg@50"],
        ["one"],
        ["[runs/a.html?x=1&y=2]sim:MERT", "[n]12", "[n]0.12"],
        ["<b>x</b>", "[n]", "[n]"],
        ["two"],
        ["", "[n]3", "[n]"],
    ]


def test_rows_of_a_block_stand_together() -> None:
    frame = pl.DataFrame({"x": ["a", "b", "c"], "block": ["two", "one", "two"]})
    text = static_table(frame, block="block")
    assert Rows(text).rows == [["x"], ["two"], ["a"], ["c"], ["one"], ["b"]]
    assert Rows(static_table(frame[:0], block="block")).rows == [["x"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00005, "0.0001"),
        (-1.5, "-1.5000"),
        (True, "yes"),
        (False, "no"),
        (12345, "12345"),
        ([1, 0.5], "1, 0.5000"),
        ("a", "a"),
        (None, ""),
        (float("nan"), ""),
    ],
)
def test_cell_text(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_sortable_table_brings_its_script_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ready", False)
    monkeypatch.setattr("itables.javascript._html_display_is_supported", lambda: True)
    shown = ["", ""]
    for turn in range(2):
        outputs: list[HTML] = []
        monkeypatch.setattr("IPython.display.display", outputs.append)
        show(FRAME, "<All>", sortable=True, links={"backend": "page"}, decimals=2)
        shown[turn] = "".join(output.data for output in outputs)
    first, second = shown
    assert len(first) > 500_000 > 20_000 > len(second)
    for text in shown:
        assert not re.search(r"(src|from|import)[ =(]*['\"]https?:", text)
    assert "<b>" not in second
    assert "&lt;All&gt;" in second
    assert "toFixed(2)" in second
    assert '[[\\"<a href=\\\\\\"runs/a.html?x=1&amp;y=2' in second
    assert "0.12345" in second  # sorted by the full value, shown with two decimals


def test_heads_of_sortable_tables_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ready", True)
    monkeypatch.setattr("itables.javascript._html_display_is_supported", lambda: True)
    outputs: list[HTML] = []
    monkeypatch.setattr("IPython.display.display", outputs.append)
    show(pl.DataFrame({"<img src=x>": [1.0]}), sortable=True)
    text = "".join(output.data for output in outputs)
    assert "<img" not in text
    assert "&lt;img src=x&gt;" in text


def test_a_column_without_a_name_is_no_address():
    frame = pl.DataFrame({"": ["evidence"], "in words": ["a file"], "address": ["x.html"]})
    text = static_table(frame, "", links={"in words": "address"})
    assert "<td>evidence</td>" in text
    assert '<a href="x.html">a file</a>' in text
