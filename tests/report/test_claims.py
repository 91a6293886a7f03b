"""The chapter of claims: all of them, nothing typed, and the notebook runs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import papermill
import polars as pl
import pytest
from typed import in_module, in_notebook

from mrs.published.claims import NOT_TESTABLE, PAPERS, VERDICTS, Evidence, Listening, load
from mrs.published.judge import judge_all
from mrs.report.claims import ClaimsPage
from mrs.report.style import PUBLISHED, use_style

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks/claims.ipynb"


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    use_style(PUBLISHED)
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def page() -> ClaimsPage:
    return ClaimsPage(judge_all(load(), Evidence()), Evidence())


def test_every_claim_has_a_row(page: ClaimsPage):
    table, rules = page.table(), page.rules()
    assert table["id"].to_list() == rules["id"].to_list() == [claim.id for claim in load()]
    assert set(table["verdict"]) <= set(VERDICTS)
    assert rules["command"].str.starts_with("python -m mrs claims p").all()
    assert set(table["generated data show"]) == {""}


def test_every_undecided_claim_says_what_it_needs(page: ClaimsPage):
    undecided = page.table().filter(pl.col("verdict") == NOT_TESTABLE)["id"]
    listed = ", ".join(page.untested()["claims"]).split(", ")
    assert sorted(listed) == sorted(undecided)
    assert (page.untested()["needed"].str.len_chars() > 0).all()


def test_the_figure_counts_verdicts(page: ClaimsPage):
    axis = page.figure().axes[0]
    counts = Counter(one.verdict for one in page.judged)
    widths = {bars.get_label(): sum(b.get_width() for b in bars) for bars in axis.containers}
    assert widths == {verdict: counts[verdict] for verdict in VERDICTS}
    assert [text.get_text() for text in axis.get_yticklabels()] == list(PAPERS.values())


def test_the_summary_counts(page: ClaimsPage):
    counts = Counter(one.verdict for one in page.judged)
    text = page.summary()
    assert text.startswith(f"{len(load())} claims of {len(PAPERS)} papers: ")
    assert f"{counts[NOT_TESTABLE]} {NOT_TESTABLE}" in text
    assert "There is no real listening" in text
    real = Evidence(real=Listening("onion"))
    assert "held against onion" in ClaimsPage(page.judged, real).summary()


@pytest.mark.parametrize(
    "name",
    [
        "report/claims",
        "published/judge",
        "published/claims",
        "published/claim_checks",
        "published/claim_checks_listening",
    ],
)
def test_no_number_is_typed_in_a_module(name: str):
    assert in_module(ROOT / f"mrs/{name}.py") == []


def test_no_number_is_typed_in_the_template():
    assert in_notebook(NOTEBOOK) == []
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum("parameters" in cell.metadata.tags for cell in code) == 1
    assert all("remove-input" in cell.metadata.tags and not cell.outputs for cell in code)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path):
    target = tmp_path / "claims.ipynb"
    parameters = {"store": str(tmp_path / "store")}
    papermill.execute_notebook(NOTEBOOK, target, parameters=parameters, progress_bar=False)
    text = target.read_text()
    assert "The shuffled controls fit k = 50" in text
    assert len(text) < 3_000_000
