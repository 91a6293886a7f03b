"""The kinds of plot: what they draw and in what order."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from mrs_book.kit import figures
from mrs_book.kit.style import BLUE, CLOSED_FORM, mark


@pytest.fixture(autouse=True)
def constrained() -> Iterator[None]:
    with plt.rc_context({"figure.constrained_layout.use": True}):
        yield
    assert not plt.get_fignums()  # all are closed


def entries(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def ticks(figure: Figure, panel: int = 0) -> list[str]:
    return [label.get_text() for label in figure.axes[panel].get_yticklabels()]


def test_a_forest_has_rows_from_the_top_and_hollow_surrogates() -> None:
    frame = pl.DataFrame(
        {
            "row": ["MERT", "sim:MERT", "MERT"],
            "group": ["hot", "hot", "shuffled"],
            "value": [0.3, 0.2, 0.1],
            "low": [0.2, 0.1, None],
            "high": [0.4, 0.3, None],
        }
    )
    figure = figures.forest(frame, "ndcg@10", references={"chance": 0.05, "": 0.01})
    (axis,) = figure.axes
    assert ticks(figure) == ["MERT", "sim:MERT"]
    assert axis.get_ylim() == (1.5, -0.5)
    assert axis.get_xlabel() == "ndcg@10"
    assert entries(figure) == ["hot", "shuffled", "chance"]
    faces = {(line.get_label(), to_hex(line.get_markerfacecolor())) for line in axis.lines}
    assert {("hot", BLUE), ("hot", "#ffffff")} <= faces
    figure.draw_without_rendering()
    assert mark(figure, CLOSED_FORM).texts


def test_panels_of_a_forest_share_their_rows_unless_they_stand_below_each_other() -> None:
    frame = pl.DataFrame(
        {"panel": ["a", "b", "b"], "row": ["x", "y", "x"], "value": [1.0, 2.0, 3.0]}
    )
    beside = figures.forest(frame, references={"chance": {"a": 0.5}}, zero=True)
    assert ticks(beside) == ["x", "y"]
    assert [axis.get_title() for axis in beside.axes] == ["a", "b"]
    assert [len(axis.lines) for axis in beside.axes] == [2, 1]  # one panel has the reference
    below = figures.forest(frame, columns=1, titles=False)
    assert [ticks(below, panel) for panel in (0, 1)] == [["x"], ["y", "x"]]
    assert [axis.get_title() for axis in below.axes] == ["", ""]


def test_the_groups_of_a_row_stand_below_each_other_or_in_one_lane() -> None:
    frame = pl.DataFrame({"row": ["x", "x"], "group": ["hot", "cold"], "value": [1.0, 2.0]})
    lanes = figures.forest(frame, joined=True).axes[0].lines
    assert [line.get_ydata()[0] for line in lanes] == pytest.approx([-0.2, 0.2])
    overlaid = frame.with_columns(lane=pl.lit(""), band_low=pl.lit(0.5), band_high=pl.lit(1.5))
    figure = figures.forest(overlaid, joined=True, band="noise")
    assert [line.get_ydata()[0] for line in figure.axes[0].lines] == [0, 0]
    assert entries(figure) == ["hot", "cold", "noise"]


def test_names_stand_beside_the_points_of_a_scatter() -> None:
    frame = pl.DataFrame({"x": [1, 10, 100], "y": [0.1, 0.2, 0.3], "name": ["a", "", "sim:b"]})
    figure = figures.scatter(
        frame.with_columns(y_low=pl.col("y") - 0.05, y_high=pl.col("y") + 0.05),
        "millions of parameters",
        "recall",
        scales=("log", "linear"),
        x_references={"start": 5.0},
        zero=True,
    )
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["a", "sim:b"]
    assert axis.get_xscale() == "log"
    assert axis.get_ylim()[0] == 0
    assert entries(figure) == ["start"]


def test_lines_join_the_points_of_a_group_and_dash_surrogates() -> None:
    frame = pl.DataFrame(
        {"group": ["a", "a", "sim:a", "sim:a"], "x": [1, 2, 1, 2], "y": [1.0, 2.0, 3.0, 4.0]}
    )
    figure = figures.lines(frame, "epoch", "loss", styles={"a": {"marker": ""}})
    real, surrogate = figure.axes[0].lines
    assert (real.get_linestyle(), real.get_marker()) == ("-", "")
    assert surrogate.get_linestyle() == "--"
    assert real.get_color() == surrogate.get_color()
    assert list(surrogate.get_ydata()) == [3, 4]


@pytest.mark.parametrize("scale", ["high", "low", "diverging"])
def test_each_cell_of_a_heat_map_says_its_value_in_dark_text(scale: str) -> None:
    frame = pl.DataFrame(
        {"row": ["x", "x", "y"], "column": ["first", "second", "first"], "value": [-1.0, 0.5, 1.0]}
    )
    figure = figures.heat_map(frame, scale=scale, decimals=1)
    (axis,) = figure.axes
    assert [text.get_text() for text in axis.texts] == ["-1.0", "0.5", "1.0"]
    figure.draw_without_rendering()
    (mesh,) = axis.collections
    colours = mesh.get_facecolors()
    shown = colours[colours[:, 3] > 0, :3]  # an empty cell is transparent
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    luminance = light @ [0.2126, 0.7152, 0.0722]
    assert (luminance.min() + 0.05) / 0.05 > 4.5  # WCAG's contrast with black


def test_the_parts_of_a_bar_follow_each_other_with_their_counts() -> None:
    frame = pl.DataFrame({"row": ["x", "x", "y"], "part": ["yes", "no", "no"], "value": [2, 3, 4]})
    figure = figures.stacked(frame, "claims", counts=True)
    (axis,) = figure.axes
    bars = [(bar.get_x(), bar.get_width()) for bar in axis.patches]
    assert bars == [(0, 2), (0, 0), (2, 3), (0, 4)]
    assert [text.get_text() for text in axis.texts] == ["2", "3", "4"]
    assert entries(figure) == ["yes", "no"]


def test_a_figure_grows_with_the_rows_of_its_legend() -> None:
    """Entries stand side by side where they fit: 0.078 inches a letter, and 0.5 more."""
    heights = {}
    for n, letters in ((3, 8), (3, 70), (6, 70)):
        parts = [f"{number:0{letters}d}" for number in range(n)]
        figure = figures.stacked(pl.DataFrame({"row": "one", "part": parts, "value": 1.0}))
        heights[n, letters] = figure.get_figheight()
    # 3 x (8 x 0.078 + 0.5) = 3.4 inches fit into 5.6; 70 letters need them alone.
    assert heights[3, 70] - heights[3, 8] == pytest.approx(0.2)
    assert heights[6, 70] - heights[3, 8] == pytest.approx(0.8)
