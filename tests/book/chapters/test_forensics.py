"""The chapter on printed numbers: three sentences per topic, none of whose numbers is typed."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import papermill
import polars as pl
import pytest
from typed import in_module, in_notebook, typed_numbers

from mrs_book.chapters.forensics import Page
from mrs_book.kit.style import PUBLISHED, use_style
from mrs_book.papers import results

ROOT = Path(__file__).parents[3]
NOTEBOOK = ROOT / "notebooks/forensics.ipynb"
Change = Callable[[pl.Expr, pl.Expr], None]
TOPICS = ("cutoff", "knn", "improvements", "wrong_control", "width", "elsa", "agreement",
          "replaced", "rounding")  # fmt: skip


def text_of(name: str) -> str:
    """A topic's text, from the numbers as they are now."""
    return getattr(Page(), f"{name}_text")()


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    use_style(PUBLISHED)
    yield
    plt.close("all")


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Replace the means of chosen rows in a copy of the published numbers."""

    def replace(chosen: pl.Expr, value: pl.Expr) -> None:
        copy = tmp_path / "results.csv"
        rows = results.load().with_columns(
            mean=pl.when(chosen).then(value).otherwise(pl.col("mean"))
        )
        rows.write_csv(copy)
        changed = pl.read_csv(copy, schema_overrides={"variant": pl.String})
        monkeypatch.setattr(results, "load", lambda: changed)

    return replace


@pytest.mark.parametrize("name", TOPICS)
def test_a_topic_is_a_text_and_a_figure(name: str):
    text = text_of(name)
    assert text.endswith(".")
    assert text[0] == text[0].upper()
    assert len(text.split(". ")) >= 3
    assert getattr(Page(), f"{name}_figure")().axes


def col(**values: str) -> pl.Expr:
    return pl.all_horizontal(pl.col(name) == value for name, value in values.items())


CHANGES = {
    "cutoff": (col(scenario="cold", embeddings="shuffled"), pl.col("mean") * 0.45),
    "knn": (col(scenario="hot", recommender="knn"), pl.lit(0.03)),
    "improvements": (col(recommender="shallow", embeddings="real"), pl.lit(0.0)),
    "wrong_control": (col(variant="100", backend="muq"), pl.col("mean") * 2),
    "width": (col(recommender="hybrid", backend="jukebox"), pl.lit(0.9)),
    "elsa": (col(scenario="hot", recommender="shallow", backend="mfcc"), pl.lit(0.9)),
    "agreement": (col(scenario="cold", backend="muq"), pl.lit(0.9)),
    "replaced": (pl.col("source_cell") == 21, pl.col("mean") * 0.9),
    "rounding": (col(recommender="hybrid", embeddings="shuffled"), pl.col("mean") * 9),
}


@pytest.mark.parametrize("name", TOPICS)
def test_other_numbers_give_another_text(name: str, change: Change):
    before = text_of(name)
    change(*CHANGES[name])
    assert text_of(name) != before


def test_the_wording_follows_the_numbers(change: Change):
    assert "these values show no difference from chance" in text_of("knn")
    assert "above chance is open" in text_of("knn")
    assert "none of the 300" in text_of("elsa")
    change(col(scenario="hot"), pl.lit(0.5))
    assert "all 10 backends" in text_of("knn")
    assert "these values differ from chance" in text_of("knn")
    change(col(scenario="cold", recommender="knn", backend="musicnn"), pl.lit(0.5))
    assert "above chance is supported" in text_of("knn")
    change(col(scenario="hot", recommender="shallow"), pl.lit(0.9))
    assert "30 of the 300" in text_of("elsa")


def test_the_verdict_on_the_cutoff_turns(change: Change):
    assert text_of("cutoff").endswith("The shuffled controls fit k = 50, not k = 20.")
    change(*CHANGES["cutoff"])
    assert not text_of("cutoff").endswith("The shuffled controls fit k = 50, not k = 20.")


def test_no_number_is_typed():
    assert in_notebook(NOTEBOOK) == []
    # Labels alone: "2 largest standard errors", "2 standard deviations".
    assert in_module(ROOT / "notebooks/mrs_book/chapters/forensics.py") == ["2", "2"]


def test_no_heading_states_what_the_numbers_should_decide():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = [line for line in text.split("\n") if line.startswith("#")]
    assert len(headings) == 1 + len(TOPICS)
    conclusion = r"\b(can|cannot|are|is not|exceeds?|better|worse|fails?|beats?)\b"
    assert [line for line in headings if re.search(conclusion, line)] == []


def test_a_typed_number_would_be_found(tmp_path: Path):
    assert typed_numbers("reaches 0.31 at @50 in arXiv 2604.23077 on Music2Vec") == ["0.31"]
    module = tmp_path / "page.py"
    module.write_text('"""Over 3."""\nshow(f"all {n:.2f} of {40} cells, 7 of them", "#0072b2")\n')
    assert sorted(in_module(module)) == ["40", "7"]


def test_the_template_shows_every_topic():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all("remove-input" in cell.metadata.tags and not cell.outputs for cell in code)
    shown = [re.findall(r"page\.(\w+)_(?:text|figure)\(", cell.source) for cell in code[1:]]
    assert shown == [[name, name] for name in TOPICS]


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path):
    target = tmp_path / "forensics.ipynb"
    papermill.execute_notebook(NOTEBOOK, target, progress_bar=False)
    text = target.read_text()
    assert "The shuffled controls fit k = 50" in text
    assert len(text) < 2_000_000
