"""What the two chapters of published numbers show, and that their notebooks run."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import papermill
import polars as pl
import pytest

from mrs.errors import InputError
from mrs_book.chapters import cold_at_20
from mrs_book.chapters.published import K_LABELS, Page
from mrs_book.kit.labels import label_points
from mrs_book.kit.style import PUBLISHED, use_style
from mrs_book.papers import results

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    use_style(PUBLISHED)
    yield
    plt.close("all")


def page(metric: str = "ndcg", metrics: str = "ndcg,recall") -> Page:
    return Page("no store", metric, metrics)


def test_the_tables_show_every_number_once():
    shown = sum(
        page().values(scenario)[column].count()
        for scenario in results.SCENARIOS
        for column in ("real", "shuffled")
    )
    assert shown == len(results.tables())
    again = page().repeats()
    assert shown + len(again) == len(results.load())
    widths = sum(
        page().values(scenario)[column].count()
        for scenario in results.SCENARIOS
        for column in ("± real", "± shuffled")
    )
    assert widths + again["±"].count() == results.load()["ci95"].count()


def test_a_row_of_the_cold_table():
    rows = (
        page()
        .values("cold")
        .filter(
            pl.col("recommender") == "Bimodal content 100",
            pl.col("backend") == "Jukebox",
            pl.col("metric") == "Recall",
        )
    )
    assert rows.row(0, named=True)["real"] == 0.3937
    assert rows.row(0, named=True)["shuffled"] is None


def test_the_levels_table():
    recall = cold_at_20.Page().levels().row(1, named=True)
    assert recall["metric"] == "Recall"
    assert recall["chance @20"] == pytest.approx(20 / 589)
    assert recall["95 % interval"] == "0.0817 to 0.0877"
    assert (recall["nearer @20"], recall["nearer @50"]) == (0, 40)


def test_cold_tables_say_both():
    cold = page().values("cold")
    assert cold["k printed"].unique().to_list() == [20]
    assert cold["k computed"].unique().to_list() == [50]
    assert K_LABELS["cold"] == "printed @20, computed @50"


def test_heat_maps_hold_the_published_values():
    figure = page(metrics="recall").heat_maps("cold")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert len(texts) == 60
    expected = results.ranks("recall").filter(pl.col("scenario") == "cold")["mean"]
    assert sorted(texts) == sorted(f"{value:.4f}"[1:] for value in expected)
    assert "printed @20, computed @50" in figure.axes[0].get_title()


def test_the_rank_map_puts_backend_and_table_together():
    hot, cold = page("recall").rank_map().axes
    backends = [label.get_text() for label in hot.get_yticklabels()]
    columns = [[label.get_text() for label in axis.get_xticklabels()] for axis in (hot, cold)]
    assert (len(backends), *map(len, columns)) == (10, 10, 6)
    texts = {
        (int(text.get_position()[1]), int(text.get_position()[0])): text.get_text()
        for text in cold.texts
    }
    assert texts[backends.index("Jukebox"), columns[1].index("Bimodal content 100")] == "1"


@pytest.mark.parametrize(
    ("metric", "metrics", "message"),
    [
        ("mrr", "ndcg", "parameter metric: 'mrr'; write hitrate, recall, ndcg"),
        ("ndcg", "[ndcg, mrr]", "parameter metrics: 'mrr'; write hitrate, recall, ndcg"),
    ],
)
def test_a_metric_that_is_not_printed(metric: str, metrics: str, message: str):
    with pytest.raises(InputError, match=message):
        page(metric, metrics)


def test_hot_against_cold_names_every_point():
    figure = page().hot_against_cold()
    assert len(figure.axes) == 6
    for axis in figure.axes:
        assert len({text.get_text() for text in axis.texts}) == 10


def test_labels_keep_apart_where_there_is_room():
    figure, axis = plt.subplots(figsize=(4, 4))
    points = np.array([[0.0, 0.0], [0.0, 0.01], [0.01, 0.0], [1.0, 1.0]])
    axis.scatter(*points.T)
    axis.margins(0.3)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    texts = label_points(axis, points, ["one", "two", "three", "four"])
    boxes = [text.get_window_extent() for text in texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_real_against_shuffled_has_a_panel_a_controlled_recommender():
    assert len(page("recall").real_against_shuffled("hot").axes) == 6
    assert len(page("recall").real_against_shuffled("cold").axes) == 4


def test_the_controls_figure_draws_both_levels():
    axis = cold_at_20.Page().figure().axes[1]
    lines = {line.get_label(): line.get_xdata()[0] for line in axis.get_lines()}
    assert lines["chance @20"] == pytest.approx(20 / 589)
    assert lines["chance @50"] == pytest.approx(50 / 589)


@pytest.mark.parametrize(("name", "parameters"), [("published", 1), ("cold_at_20", 0)])
def test_templates_hide_their_code_and_hold_no_output(name, parameters):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tags = [cell.metadata.tags for cell in code]
    assert tags == [["parameters"]] * parameters + [["remove-input"]] * (len(code) - parameters)
    assert not any(cell.outputs for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("published", "printed @20, computed @50"),
        ("cold_at_20", "The shuffled controls fit k = 50"),
    ],
)
def test_notebooks_run(name, phrase, tmp_path):
    target = tmp_path / f"{name}.ipynb"
    papermill.execute_notebook(NOTEBOOKS / f"{name}.ipynb", target, progress_bar=False)
    text = target.read_text()
    assert phrase in text
    assert "numbers printed in arXiv 2604.23077" in text
    assert len(text) < 3_000_000
