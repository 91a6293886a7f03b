"""The chapter of deviations: its numbers are those of the effects, none of them is typed."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from typed import in_module, in_notebook, typed_numbers

from mrs_book.chapters import deviations as chapter
from mrs_book.chapters.deviations import NOT_MEASURED, NOT_RUN, Page, signed
from mrs_book.kit.style import GENERATED, use_style
from mrs_book.kit.tables import static_table
from mrs_book.papers.deviation_table import deviations
from mrs_book.papers.effects import SCHEMA, Measured

ROOT = Path(__file__).parents[3]
ARCHIVE = ROOT / "studies/deviations.parquet"


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    use_style(GENERATED)
    yield
    plt.close("all")


def effect(deviation: str, recommender: str, scenario: str, difference: float) -> dict:
    return {
        "deviation": deviation,
        "recommender": recommender,
        "scenario": scenario,
        "metric": {"hot": "ndcg@50", "cold": "ndcg@20"}[scenario],
        "backends": ["muq"],
        "n_seeds": 3,
        "n_users": 10,
        "chance": 0.01,
        "corrected": 0.2,
        "published": 0.2 + difference,
        "difference": difference,
        "low": difference - 0.01,
        "high": difference + 0.01,
        "seed_sd": 0.002,
    }


def page(*rows: dict, archive: object = None) -> Page:
    """A page of these effects, without a run or a world."""
    card = SimpleNamespace(label="sim:MuQ", origin="surrogate", details={"heldout_r2": 0.5})
    measured = SimpleNamespace(
        effects=lambda: pl.DataFrame(rows, schema=SCHEMA),
        missing=lambda: [1, 2, 3],
        hours=lambda specs: None if archive is None else len(specs) * 0.5,
        archive=archive,
        dataset=SimpleNamespace(spec="demo:n_users=7", info={"title": "W"}, card=lambda name: card),
        study_path=Path("studies/deviations.yaml"),
    )
    return Page(measured)  # type: ignore[arg-type]


PLANTED = (
    effect("knn_profiles", "knn", "hot", -0.0456),
    effect("knn_profiles", "knn", "cold", 0.00001),
    effect("raw_vectors", "hybrid", "hot", 0.0312),
    effect("raw_vectors", "shallow", "hot", -0.0077),
)


def test_signs():
    assert [signed(value) for value in (0.5, -0.5, 0.00001, -0.00001)] == [
        "+0.5000",
        "−0.5000",
        "0.0000",
        "0.0000",
    ]


def test_the_overview_shows_each_effect_with_its_interval():
    rows = page(*PLANTED).overview()
    (knn,) = rows.filter(pl.col("deviation") == "profiles of other tracks").iter_rows(named=True)
    assert knn["hot"] == "−0.0456 (−0.0556 to −0.0356)"
    assert knn["cold"] == "0.0000 (−0.0100 to +0.0100)"
    title = next(row.title for row in deviations() if row.name == "raw_vectors")
    mine = rows.filter(pl.col("deviation") == title)
    cells = dict(mine.select("recommender", "hot").iter_rows())
    assert cells["Hybrid"].startswith("+0.0312")
    assert cells["Bimodal, average"] == NOT_RUN
    assert mine.filter(recommender="Bimodal, average")["cold"].to_list() == [""]  # answers hot only


def test_every_row_is_there_also_those_that_cannot_be_run():
    rows = page().overview()
    assert set(rows["deviation"]) == {row.title for row in deviations()}
    for row in deviations():
        mine = rows.filter(pl.col("deviation") == row.title)
        assert len(mine) == max(1, len(row.recommenders))
        if row.measured == "none":
            assert mine.select("hot", "cold").rows() == [(NOT_MEASURED, NOT_MEASURED)]


def test_the_table_says_why_something_is_not_measured():
    rows = page(*PLANTED).table()
    texts = dict(zip(rows["deviation"], rows["in words"], strict=True))
    assert texts
    effects = rows.filter(pl.col("") == "effect")["in words"].to_list()
    assert len(effects) == len(deviations())
    reasons = [row.reason for row in deviations() if row.reason]
    assert [text for text in effects if text.startswith(NOT_MEASURED)] == [
        f"{NOT_MEASURED}: {reason}" for reason in reasons
    ]
    assert "−0.0456" in effects[0]
    html = static_table(rows, links={"in words": "address"}, block="deviation")
    assert 'href="https://github.com/Darel13712/adopting-pretrained-audio/blob/2a36454' in html


def test_missing_runs_show_the_command_and_the_hours():
    about = {
        "n_runs": 7,
        "created": "2026-01-02",
        "machine": ["M"],
        "seconds": 7200,
        "command": "c",
    }
    text = page(*PLANTED, archive=SimpleNamespace(about=about)).made()
    assert "7 runs, made 2026-01-02 on M in 2.0 hours" in text
    assert "3 runs are missing: `python studies/make_effects.py`, about 1.5 hours" in text
    assert "3 runs are missing: `python studies/make_effects.py`." in page().made()


def test_surrogates_and_generated_data_are_called_so():
    assert "sim:MuQ (surrogate" in page(*PLANTED).runs()
    cells = json.loads((ROOT / "notebooks/deviations.ipynb").read_text())["cells"]
    prose = " ".join("".join(cell["source"]) for cell in cells)
    assert "generated" in prose
    assert "surrogates" in prose


def test_the_figure_has_a_row_a_deviation():
    figure = page(*PLANTED).figure()
    assert isinstance(figure, Figure)
    hot, cold = figure.axes
    assert [label.get_text() for label in hot.get_yticklabels()] == [
        "profiles of other tracks",
        "vectors read as they are",
    ]
    marks = [[line for line in axis.lines if line.get_marker() == "o"] for axis in (hot, cold)]
    shown = [sorted(float(mark.get_xdata()[0]) for mark in mine) for mine in marks]
    assert shown == [[-0.0456, -0.0077, 0.0312], [0.00001]]
    assert page().figure() is None


def test_no_number_is_typed():
    assert in_notebook(ROOT / "notebooks/deviations.ipynb") == []
    assert in_module(Path(chapter.__file__)) == []


def test_a_typed_effect_would_be_found():
    assert typed_numbers("lowers ndcg@50 by 0.0123") == ["0.0123"]


@pytest.mark.skipif(not ARCHIVE.exists(), reason="the archive of effects is not here")
def test_the_page_shows_what_the_archive_gives_by_hand():
    """One deviation of the committed archive, its mean difference with numpy alone."""
    measured = Measured(ARCHIVE)
    assert measured.archive is not None
    runs = measured.archive.runs.filter(recommender="knn", scenario="hot")
    sides = []
    for protocol in ("corrected", "published:knn_profiles"):
        places = runs.filter(protocol=protocol)["place"].to_list()
        sides.append(np.mean([_ndcg(measured, place, 50) for place in places]))
    shown = Page(measured).overview().filter(recommender="KNN")["hot"][0]
    assert shown.startswith(f"{signed(float(sides[1] - sides[0]))} (")


def _ndcg(measured: Measured, place: int, k: int) -> float:
    """Mean over users of sum 1/log2(rank + 1) over the same for the best list."""
    users = measured.archive.record(place).users  # type: ignore[union-attr]
    values = []
    for ranks, n in users.select("hit_ranks", "n_relevant").iter_rows():
        gain = sum(1 / np.log2(rank + 1) for rank in ranks if rank <= k)
        values.append(gain / sum(1 / np.log2(j + 1) for j in range(1, min(k, n) + 1)))
    return float(np.mean(values))
