"""What the chapter on metric libraries shows, and that its verdicts follow the values."""

from pathlib import Path

import nbformat
import papermill
import polars as pl
import pytest

from mrs.published import metrics_audit
from mrs.report import audit

NOTEBOOK = Path(__file__).parents[2] / "notebooks/audit.ipynb"


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> audit.Audit:
    return audit.open_audit(str(tmp_path_factory.mktemp("store")))


def with_values(page: audit.Audit, values: pl.DataFrame) -> audit.Audit:
    return audit.Audit(page.store, page.now, metrics_audit.fits(values), page.effects)


def test_the_overview_counts(frozen: audit.Audit) -> None:
    text = audit.overview(frozen)
    assert "Precision and Recall have one value in all libraries" in text
    assert "451 fit one, 0 fit none" in text
    assert "4 of the paper's classes changed since: DaisyRec MAP, DaisyRec MRR" in text
    assert "9 functions" in text


def test_the_overview_follows_the_values(frozen: audit.Audit) -> None:
    values = frozen.values.drop("class", "difference")
    first = pl.int_range(pl.len()) == 0
    off = values.with_columns(pl.when(first).then(0.123).otherwise(pl.col("value")).alias("value"))
    assert "450 fit one, 1 fit none" in audit.overview(with_values(frozen, off))


def test_the_overview_follows_the_classes(frozen: audit.Audit) -> None:
    daisyrec = pl.col("library") == "daisyrec"
    page = audit.Audit(frozen.store, frozen.now.filter(~daisyrec), frozen.values, frozen.effects)
    text = audit.overview(page)
    assert "1 of the paper's classes changed since: MS_Recommenders MAP" in text


def test_the_origin_says_frozen(frozen: audit.Audit) -> None:
    text = audit.origin(frozen)
    assert "(frozen, 2026-11-22)" in text
    assert "`make audit` computes those of eleven libraries anew" in text


def test_tables_hold_every_row(frozen: audit.Audit) -> None:
    assert len(audit.classes_table(frozen)) == len(frozen.now)
    changes = audit.changes_table(frozen)
    daisy = changes.filter(pl.col("library") == "DaisyRec", pl.col("metric") == "MAP")
    assert daisy.row(0, named=True)["classes now"] == "hits"
    population = audit.population_table(frozen)
    assert len(population) == 8 * 12  # questions x (eleven libraries, torchmetrics in two ways)


def test_own_rules_name_the_library(frozen: audit.Audit) -> None:
    rows = audit.own_rules(frozen)
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
    assert "Not testable here" in text
    assert "frozen, 2026-11-22" in text
    assert len(text) < 3_000_000
