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

from mrs_book.chapters.claims import Page
from mrs_book.kit.style import PUBLISHED, use_style
from mrs_book.papers.claims import KINDS, NOT_TESTABLE, VERDICTS, Evidence, Listening, load
from mrs_book.papers.judge import Judgement, judge_all

ROOT = Path(__file__).parents[3]
NOTEBOOK = ROOT / "notebooks/claims.ipynb"


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    use_style(PUBLISHED)
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(judge_all(load(), Evidence()), Evidence())


def test_every_claim_has_a_row(page: Page):
    assert list(page.tables()) == list(KINDS.values())
    tables, rules = pl.concat(page.tables().values()), page.rules()
    assert sorted(tables["id"]) == sorted(claim.id for claim in load())
    assert rules["id"].to_list() == [claim.id for claim in load()]
    assert set(tables["verdict"]) <= set(VERDICTS)
    assert rules["command"].str.starts_with("python -m mrs claims p").all()
    shown = rules.filter(pl.col("id") == "p2-gain-hot")["query"].item()
    assert shown.startswith("SELECT verdict = 'above'")


def test_generated_data_stand_in_a_table_of_their_own(page: Page):
    assert len(page.generated()) == 0
    first, *rest = page.judged
    told = Judgement(first.claim, first.found, first.verdict, "0.1 against 0.2")
    evidence = Evidence(generated=Listening("demo"))
    table = Page([told, *rest], evidence).generated()
    assert table.rows() == [(first.claim.id, "generated (demo)", "0.1 against 0.2")]
    assert not any("generated" in name or "0.1 against" in name for name in page.table("abstract"))


def test_every_undecided_claim_says_what_it_needs(page: Page):
    undecided = [one.claim.id for one in page.judged if one.verdict == NOT_TESTABLE]
    listed = ", ".join(page.untested()["claims"]).split(", ")
    assert sorted(listed) == sorted(undecided)
    assert (page.untested()["needed"].str.len_chars() > 0).all()


def test_the_figure_counts_verdicts_by_kind(page: Page):
    axis = page.figure().axes[0]
    widths = {bars.get_label(): [b.get_width() for b in bars] for bars in axis.containers}
    assert widths == {
        verdict: [
            sum(one.verdict == verdict and one.claim.kind == kind for one in page.judged)
            for kind in KINDS
        ]
        for verdict in VERDICTS
    }
    assert [text.get_text() for text in axis.get_yticklabels()] == list(KINDS.values())


def test_the_summary_counts_each_kind(page: Page):
    lines = page.summary().split("\n")
    for kind, line in zip(KINDS, lines, strict=False):
        mine = [one.verdict for one in page.judged if one.claim.kind == kind]
        assert f"{KINDS[kind].capitalize()}** ({len(mine)} claims)" in line
        for verdict, n in Counter(mine).items():
            assert f"{verdict}: {n}" in line
    assert f"{len(page.judged)} claims" not in page.summary()
    assert "There is no real listening" in lines[-1]
    real = Evidence(real=Listening("onion"))
    assert "held against onion" in Page(page.judged, real).summary()


@pytest.mark.parametrize(
    "name",
    ["chapters/claims", "papers/judge", "papers/claims", "papers/claim_frames"],
)
def test_no_number_is_typed_in_a_module(name: str):
    assert in_module(ROOT / f"notebooks/mrs_book/{name}.py") == []


def test_no_number_is_typed_in_the_template():
    assert in_notebook(NOTEBOOK) == []
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert sum("parameters" in cell.metadata.tags for cell in code) == 1
    assert all("remove-input" in cell.metadata.tags for cell in code[1:])
    assert not any(cell.outputs for cell in code)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path):
    target = tmp_path / "claims.ipynb"
    parameters = {"store": str(tmp_path / "store")}
    papermill.execute_notebook(NOTEBOOK, target, parameters=parameters, progress_bar=False)
    text = target.read_text()
    assert "controls are nearer to chance at 20 than at 50" in text
    assert len(text) < 3_000_000
