"""What figures and tables rest on is said inside them, on every page."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from matplotlib.colors import to_rgb

from mrs_book.kit import style
from mrs_book.kit.figures import legend_below
from mrs_book.kit.style import GENERATED, PUBLISHED, SOURCE_COLOURS, Source, mark
from mrs_book.kit.tables import static_table

TEMPLATES = sorted((Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))


def code(template: Path) -> str:
    cells = json.loads(template.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_every_page_says_what_it_rests_on(template: Path) -> None:
    text = code(template)
    shows = "mrs_book" in text.replace("mrs_book.kit.parameters", "")
    assert shows == ("use_style(" in text)
    assert "use_style()" not in text


def contrast_to_white(colour: str) -> float:
    """The contrast ratio of WCAG 2.1."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 1.05 / (sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)) + 0.05)


@pytest.mark.parametrize("kind", SOURCE_COLOURS)
def test_marks_can_be_read(kind: str) -> None:
    assert contrast_to_white(SOURCE_COLOURS[kind]) >= 4.5


def test_a_mark_lies_inside_the_saved_picture(tmp_path: Path) -> None:
    figure, _ = plt.subplots(figsize=(style.WIDTH, 2))
    figure.savefig(tmp_path / "without.png", bbox_inches="tight")
    mark(figure, GENERATED)
    figure.savefig(tmp_path / "with.png", bbox_inches="tight")
    plt.close(figure)
    before, after = (plt.imread(tmp_path / f"{name}.png") for name in ("without", "with"))
    colour = pytest.approx(to_rgb(SOURCE_COLOURS["generated"]), abs=0.01)
    coloured = [tuple(pixel[:3]) == colour for pixel in after[-12, ::10]]
    assert len(after) > len(before)
    assert sum(coloured) > 20


def test_a_mark_does_not_cover_the_legend(tmp_path: Path) -> None:
    style.use_style(GENERATED)
    figure, axis = plt.subplots(figsize=(style.WIDTH, 2))
    axis.plot([], "s", color="#ff0000", label="a")
    legend_below(figure)
    mark(figure, GENERATED)
    figure.savefig(tmp_path / "with.png", bbox_inches="tight")
    plt.close(figure)
    picture = plt.imread(tmp_path / "with.png")[..., :3]

    def rows(colour: str) -> np.ndarray:
        near = np.abs(picture - to_rgb(colour)).max(axis=2) < 0.01
        return np.flatnonzero(near.any(axis=1))

    assert rows("#ff0000").max() < rows(SOURCE_COLOURS["generated"]).min()


def test_the_first_mark_stays() -> None:
    figure, _ = plt.subplots()
    mark(mark(figure, PUBLISHED), GENERATED)
    plt.close(figure)
    assert [text.get_text() for text in figure.texts] == [
        "PUBLISHED: numbers printed in arXiv 2604.23077"
    ]


def test_a_name_is_no_formula() -> None:
    figure, _ = plt.subplots()
    mark(figure, Source("real", "real plays of my $data_set"))
    figure.canvas.draw()  # raises where "$data_set" is read as mathematics
    plt.close(figure)
    assert not figure.texts[0].get_parse_math()


def test_a_table_says_it_in_its_caption() -> None:
    table = static_table(pl.DataFrame({"a": [1]}), "Words", source=Source("real", "<i>plays</i>"))
    caption = table[table.index("<caption>") : table.index("</caption>")]
    assert "Words" in caption
    assert "REAL" in caption
    assert "&lt;i&gt;plays&lt;/i&gt;" in caption
    assert "<caption>" not in static_table(pl.DataFrame({"a": [1]}))
