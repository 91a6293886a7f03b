"""What the page of the hyper-parameters shows, all of it from the study and its search's record."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
from trials import TRIALS, record_frame

from mrs.recommenders import RECOMMENDERS
from mrs.recommenders.cards import Source, cards, plain
from mrs.study.study import load_study
from mrs_book.chapters.hyperparameters import NEVER, TuningPage, open_page

NOTEBOOK = Path(__file__).parents[3] / "notebooks/hyperparameters.ipynb"
TEXT = """
title: t
dataset: demo
recommenders:
  - knn
  - hybrid: {{hidden_size: {size}, learning_rate: {rate}}}
  - als: {{regularization: 10.0}}
"""


def write(folder: Path, size: int = 64, rate: float = 0.01, record: bool = True) -> str:
    path = folder / "s.yaml"
    path.write_text(TEXT.format(size=size, rate=rate))
    if record:
        record_frame(TRIALS).write_parquet(folder / "s.tuning.parquet")
    return str(path)


def sources(page: TuningPage) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (row["recommender"], row["hyper-parameter"]): (row["source"], row["budget"])
        for row in page.table().iter_rows(named=True)
    }


def test_the_source_of_a_value() -> None:
    source = Source(published="dcl, adcl, 0.10", where="P2, contrastive.py")
    assert source.of("adcl") == "code"
    assert source.of("sdcl") == "ours"
    assert Source(published="false", where="P1 as described").of(False) == "paper"
    assert Source(published="0.1", where="P3: Yambda").of(0.1) == "code"
    assert Source().of(None) == "ours"
    assert [plain(value) for value in (10_000, 0.0001, True, None)] == [
        "10000",
        "0.0001",
        "true",
        "none",
    ]


def test_sources_before_and_after_the_values_are_taken_over(tmp_path: Path) -> None:
    before = sources(open_page(write(tmp_path)))
    assert before["Hybrid", "hidden_size"] == ("searched, not taken over: 32", "3 trials")
    assert before["ALS", "regularization"] == ("searched and kept", "3 trials")
    assert before["Hybrid", "max_epochs"] == ("code", NEVER)
    assert before["KNN", "center"] == ("code", NEVER)
    assert before["BPR (not in this study)", "learning_rate"] == ("ours", NEVER)
    after = sources(open_page(write(tmp_path, 32, 0.02)))
    assert after["Hybrid", "hidden_size"] == ("tuned", "3 trials")
    assert after["Hybrid", "learning_rate"] == ("tuned", "3 trials")
    other = sources(open_page(write(tmp_path, 48, 0.02)))
    assert other["Hybrid", "hidden_size"] == ("ours, set after the search", "3 trials")


def test_every_recommender_and_hyper_parameter_has_a_row(tmp_path: Path) -> None:
    page = open_page(write(tmp_path))
    names = {name.removesuffix(" (not in this study)") for name in page.table()["recommender"]}
    assert names == {kind.label for kind in RECOMMENDERS.values() if kind().settings()}
    assert {row["where"] for row in page.table().iter_rows(named=True)} >= {
        source.where for source in cards()["bert4rec"].hyperparameters.values() if source.where
    }


def test_the_texts_follow_the_record(tmp_path: Path) -> None:
    path = write(tmp_path)
    intro = open_page(path).intro()
    assert "Each of 2 recommenders or families had 3 trials" in intro
    assert "the generated world `demo:seed=1`" in intro
    assert "sim:MERT (rung 0.10), sim:MULE (rung 0.40), sim:MuQ (rung 0.70)" in intro
    assert "the 61 tracks first played in the last 2 months of train" in intro
    # Two groups, three trials of three fits of 2, 3 and 4 s, with 2 s more of processor time each.
    assert "together took 54 s, 90 s of processor time, on 2031-05-06; Linux x86_64" in intro
    frame = record_frame({name: trials[:2] for name, trials in TRIALS.items()})
    frame.with_columns(months=pl.lit(1, pl.Int64)).write_parquet(tmp_path / "s.tuning.parquet")
    other = open_page(path).intro()
    assert "had 2 trials" in other
    assert "in the last month of train" in other


def test_tables_and_figures(tmp_path: Path) -> None:
    page = open_page(write(tmp_path))
    (size,) = page.ranges().filter(pl.col("hyper-parameter") == "hidden_size").rows()
    assert size == ("hybrid", "hidden_size", "0.5, 1, 2 times the study's", "64", "32")
    costs = page.costs().row(0, named=True)
    assert (costs["trials"], costs["fits"], costs["processor s"]) == (3, 9, 45)
    assert (costs["chosen: cost / first"], costs["best: cost / first"]) == (1.25, 1.25)
    assert costs["chosen: score / first"] == pytest.approx(1.075)
    assert page.changes()["change, %"].to_list() == pytest.approx([20, -5, 0])
    trials = page.trials()
    assert trials["score / first"].to_list() == pytest.approx([1, 1.075, 0.9, 1, 1, 0])
    assert trials["values"][1] == "learning_rate 0.02, hidden_size 32"
    lines = {line.get_label(): line for line in page.best_figure().axes[0].lines}
    assert list(lines["hybrid"].get_ydata()) == pytest.approx([1, 1.075, 1.075])
    (hybrid, als) = page.value_figures()
    assert (hybrid[0], als[0]) == ("hybrid", "als")
    rate, size_axis = hybrid[1].axes
    assert (rate.get_xlabel(), rate.get_xscale()) == ("learning_rate", "log")
    assert list(size_axis.lines[0].get_xdata()) == [64, 32, 128]


def test_without_a_search_there_is_no_number_of_one(tmp_path: Path) -> None:
    page = open_page(write(tmp_path, record=False))
    assert page.record is None
    assert page.command() == f"python -m mrs tune --study {tmp_path / 's.yaml'}"
    assert "Nothing was searched" in page.intro()
    assert set(page.table()["budget"]) == {NEVER}
    assert "None was of: KNN, Hybrid, ALS." in page.never_tuned()


def test_the_notebook_types_no_number() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    known = re.compile(r"P[123]\b|\b\d{4}\.\d{5}\b|\bP1: arXiv")
    assert not re.search(r"\d", known.sub("", "\n".join(texts)))


def test_a_study_that_the_record_does_not_fit(tmp_path: Path) -> None:
    """Recommenders that left the study or came after the search."""
    path = write(tmp_path)
    text = Path(path).read_text().replace("  - als: {regularization: 10.0}\n", "  - elsa\n")
    Path(path).write_text(text)
    page = open_page(path)
    assert sources(page)["ELSA", "learning_rate"] == ("ours", NEVER)
    assert "als" in page.ranges()["searched"].to_list()
    assert load_study(path).recommenders[-1].name == "elsa"
    assert len(page.value_figures()) == 2
