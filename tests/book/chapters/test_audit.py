"""What the chapter on metric libraries shows, and that its verdicts follow the values."""

from copy import copy
from pathlib import Path

import nbformat
import papermill
import polars as pl
import pytest

from mrs_book.chapters.audit import AuditPage
from mrs_book.papers import metrics_audit

NOTEBOOK = Path(__file__).parents[3] / "notebooks/audit.ipynb"


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> AuditPage:
    return AuditPage(str(tmp_path_factory.mktemp("store")))


def test_the_overview_counts(frozen: AuditPage) -> None:
    text = frozen.overview()
    assert "Precision and Recall have one value in all libraries" in text
    assert "451 fit one, 0 fit none" in text
    assert "4 of the paper's classes changed since: DaisyRec MAP, DaisyRec MRR" in text
    assert "9 functions" in text


def test_the_overview_follows_the_values(frozen: AuditPage) -> None:
    values = frozen.values.drop("class", "difference")
    first = pl.int_range(pl.len()) == 0
    off = values.with_columns(pl.when(first).then(0.123).otherwise(pl.col("value")).alias("value"))
    page = copy(frozen)
    page.values = metrics_audit.fits(off)
    assert "450 fit one, 1 fit none" in page.overview()


def test_the_overview_follows_the_classes(frozen: AuditPage) -> None:
    daisyrec = pl.col("library") == "daisyrec"
    page = copy(frozen)
    page.now = frozen.now.filter(~daisyrec)
    text = page.overview()
    assert "1 of the paper's classes changed since: MS_Recommenders MAP" in text


def test_the_origin_says_frozen(frozen: AuditPage) -> None:
    text = frozen.origin()
    assert "(frozen, 2026-11-22)" in text
    assert "`make audit` computes those of eleven libraries anew" in text


def test_tables_hold_every_row(frozen: AuditPage) -> None:
    assert len(frozen.classes()) == len(frozen.now)
    changes = frozen.changes()
    daisy = changes.filter(pl.col("library") == "DaisyRec", pl.col("metric") == "MAP")
    assert daisy.row(0, named=True)["classes now"] == "hits"
    population = frozen.population()
    assert len(population) == 8 * 12  # questions x (eleven libraries, torchmetrics in two ways)
    assert "torchmetrics (list only)" in population["library"]
    assert len(frozen.changed()) == 4
    assert "changed: 4" in frozen.change_counts()
    assert "fits no class as it is defined" in frozen.unexplained()


def test_own_rules_name_the_library(frozen: AuditPage) -> None:
    rows = frozen.own_rules()
    lenskit = rows.filter(pl.col("library") == "lenskit").row(0, named=True)
    assert lenskit["function"] == "AveragePrecision"
    assert lenskit["inputs"] == ["B"]


def test_the_template_is_parameterised_and_holds_no_output() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.cells[0].source.startswith("# ")
    assert sum("parameters" in cell.metadata.tags for cell in code) == 1
    assert all("remove-input" in cell.metadata.tags and not cell.outputs for cell in code)


@pytest.mark.slow
def test_the_notebook_runs_without_a_store(tmp_path: Path) -> None:
    target = tmp_path / "audit.ipynb"
    papermill.execute_notebook(
        NOTEBOOK, target, parameters={"store": str(tmp_path)}, progress_bar=False
    )
    text = target.read_text()
    assert "What changed since 2021" in text
    assert "frozen, 2026-11-22" in text
    assert len(text) < 3_000_000
