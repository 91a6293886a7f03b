"""The book's figures: a few kinds of plot, each drawn from one polars frame.

Optional columns of the frame of every plot:

    panel   one panel for each value, named after it
    group   colour, mark and entry of the legend, as `style.looks` gives them
    hollow  whether a mark is hollow; by default those of surrogate vectors are
    faint   whether a mark is pale

Panels, rows and groups stand in the order in which they first come. `references` are lines such as
chance: a name with its place in all panels, or in each; an empty name has no entry in the legend.
`styles` adds matplotlib's keyword arguments to the look of a group or reference. A function returns
a closed figure, which a notebook shows once; its axes can still be changed.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from mrs_book.kit.labels import label_points
from mrs_book.kit.style import GREY, PALE, STYLES, SURROGATE, WIDTH, looks

Words = str | Mapping[str, str]  # the same for all panels, or by panel
References = Mapping[str, float | Mapping[str, float] | None]
Styles = Mapping[str, Mapping[str, Any]]
NOTHING: Mapping[str, Any] = {}
HEAD = 0.85  # inches of a panel for its title, ticks and label
LETTER, HANDLE = 0.078, 0.5  # inches of a letter in a legend, and of a handle with its space
LINE = 0.2  # inches of a row of a legend


def closed(figure: Figure) -> Figure:
    """A figure to be shown where it is displayed, and not once more at the end of the cell."""
    plt.close(figure)
    return figure


def legend_below(figure: Figure) -> None:
    """A legend of what the axes show, each label once, below them in columns that fit.

    The figure grows by what more than two rows of it take.
    """
    found = [axis.get_legend_handles_labels() for axis in figure.axes]
    handles = {
        label: handle for some in found for handle, label in zip(*some, strict=True)
    }  # the last one of a label is not pale
    if handles:
        n_columns = max(_fitting(list(handles), figure.get_figwidth()), default=1)
        n_rows = -(-len(handles) // n_columns)
        figure.set_figheight(figure.get_figheight() + LINE * max(n_rows - 2, 0))
        figure.legend(
            list(handles.values()), list(handles), loc="outside lower center", ncols=n_columns
        )


def _fitting(labels: list[str], width: float) -> Iterator[int]:
    """The numbers of columns in which a legend of these labels is at most `width` inches wide."""
    for n in range(1, len(labels) + 1):
        widest = [max(map(len, column)) for column in np.array_split(labels, n)]
        if LETTER * sum(widest) + HANDLE * n <= width:
            yield n


def forest(
    frame: pl.DataFrame,
    label: Words = "",
    *,
    references: References = NOTHING,
    columns: int | None = None,
    joined: bool = False,
    zero: bool = False,
    band: str = "",
    scale: str = "linear",
    titles: bool = True,
    styles: Styles = NOTHING,
) -> Figure:
    """Values with their intervals, row by row from the top.

    Columns: `row`, `value`, and optionally `low` and `high` (the interval's ends, null where there
    is none), `lane` (the marks of a row with different lanes stand below each other; by default
    the group), `band_low` and `band_high` (a grey area behind a row, named `band`).
    `label` names the values' axis. `columns` is the number of panels beside each other, which
    share their rows; with 1 each panel has its own. `joined` joins a row's marks by a line, `zero`
    begins the axis at 0.
    """
    frame = _filled(frame, "row", lane=pl.col("group"))
    panels, look = _values(frame, "panel"), looks(_values(frame, "group"), styles)
    columns = columns or (len(panels) if len(panels) <= 3 else 2)
    rows = {p: _values(frame.filter(panel=p) if columns == 1 else frame, "row") for p in panels}
    lanes = frame.select("row", "lane").unique(maintain_order=True)
    shift = ((pl.int_range(pl.len()) + 0.5) / pl.len() - 0.5).over("row")
    n_lanes = max(lanes.group_by("row").len()["len"], default=1)
    places = lanes.with_columns(shift=0.8 * shift)
    height, head = 0.21 + 0.04 * n_lanes, HEAD if titles else HEAD / 2
    figure, axes = _axes({p: len(rows[p]) * height + head for p in panels}, columns, columns > 1)
    for panel, axis in axes.items():
        names = rows[panel]
        mine = frame.filter(panel=panel).join(places, on=["row", "lane"], maintain_order="left")
        middle = pl.col("row").replace_strict(
            names, list(range(len(names))), return_dtype=pl.Float64
        )
        mine = mine.with_columns(middle=middle, y=middle + pl.col("shift"))
        if "band_low" in mine.columns:
            start, end = (mine[name].to_numpy() for name in ("band_low", "band_high"))
            axis.barh(mine["middle"], end - start, left=start, height=1, color=PALE, label=band)
        if joined:
            ends = mine.group_by("y").agg(low=pl.col("value").min(), high=pl.col("value").max())
            axis.hlines(ends["y"], ends["low"], ends["high"], color="#bbbbbb", linewidth=1.5)
        renamed = {"value": "x", "low": "x_low", "high": "x_high"}
        _draw(axis, mine.rename(renamed, strict=False), look)
        _refer(axis.axvline, panel, references, styles)
        axis.set_yticks(range(len(names)), names, fontsize=9)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.grid(visible=False, axis="y")
        _scale(axis.set_xscale, axis.xaxis, scale)
        if zero:
            axis.set_xlim(left=0)
        if columns > 1 and scale == "linear":
            axis.locator_params(axis="x", nbins=4)
        axis.set_title(panel if titles else "", fontsize=10)
        axis.set_xlabel(_word(label, panel))
    return _finished(figure)


def scatter(
    frame: pl.DataFrame,
    x_label: Words,
    y_label: Words,
    *,
    references: References = NOTHING,
    x_references: References = NOTHING,
    scales: tuple[str, str] = ("linear", "linear"),
    columns: int = 1,
    joined: bool = False,
    zero: bool = False,
    height: float = 3.4,
    titles: bool = True,
    styles: Styles = NOTHING,
) -> Figure:
    """Points with their intervals.

    Columns: `x`, `y`, and optionally `x_low`, `x_high`, `y_low`, `y_high` (the intervals' ends) and
    `name`, written beside the point. Panels beside each other (`columns`) have one scale of y
    where `y_label` is the same for all. `joined` joins a group's points in their order, `zero`
    begins y at 0; `references` lie at values of y, `x_references` of x; `height` is that of a panel
    in inches.
    """
    frame = _filled(frame, "name")
    panels, look = _values(frame, "panel"), looks(_values(frame, "group"), styles)
    shared = columns > 1 and isinstance(y_label, str)
    figure, axes = _axes(dict.fromkeys(panels, height), columns, shared)
    for number, (panel, axis) in enumerate(axes.items()):
        _draw(axis, frame.filter(panel=panel), look, joined)
        _refer(axis.axhline, panel, references, styles)
        _refer(axis.axvline, panel, x_references, styles)
        _scale(axis.set_xscale, axis.xaxis, scales[0])
        _scale(axis.set_yscale, axis.yaxis, scales[1])
        if zero:
            axis.set_ylim(bottom=0)
        last = number + columns >= len(panels)
        axis.set_title(panel if titles else "", fontsize=10)
        if last or not isinstance(x_label, str):
            axis.set_xlabel(_word(x_label, panel))
        if not shared or number % columns == 0:
            axis.set_ylabel(_word(y_label, panel))
    _finished(figure)
    if (frame["name"] != "").any():
        figure.draw_without_rendering()  # labels need the final layout
        figure.set_layout_engine("none")
        for panel, axis in axes.items():
            mine = frame.filter(pl.col("name") != "", panel=panel)
            label_points(axis, mine.select("x", "y").to_numpy(), mine["name"].to_list())
    return figure


def lines(frame: pl.DataFrame, x_label: Words, y_label: Words, **how: Any) -> Figure:
    """`scatter` with the points of each group joined in their order."""
    return scatter(frame, x_label, y_label, joined=True, **how)


def heat_map(
    frame: pl.DataFrame,
    *,
    scale: Literal["high", "low", "diverging"] = "high",
    limits: tuple[float, float] | None = None,
    decimals: int = 2,
    columns: int = 1,
) -> Figure:
    """A grid of coloured cells, each with its value, light enough throughout for dark text.

    Columns: `row`, `column`, `value` (null for an empty cell), and optionally `text` (what the cell
    says; by default the value with `decimals`). High or low values are the dark ones, or those far
    from 0 ("diverging"). Colours span `limits`, by default each panel's own range; `columns` is the
    number of panels beside each other.
    """
    import seaborn as sns  # takes a second to import

    frame = _filled(frame, "row")
    panels = {panel: frame.filter(panel=panel) for panel in _values(frame, "panel")}
    names = {panel: _values(mine, "column") for panel, mine in panels.items()}
    heights = {p: 0.26 * mine["row"].n_unique() + HEAD for p, mine in panels.items()}
    figure, axes = _axes(heights, columns, columns > 1)
    under = [*list(names.values())[columns:], *[None] * columns]
    for (panel, mine), below in zip(panels.items(), under, strict=False):
        cells = {(row["row"], row["column"]): row for row in mine.iter_rows(named=True)}
        grid = [[cells.get((r, c), {}) for c in names[panel]] for r in _values(mine, "row")]
        values = np.array([[cell.get("value") for cell in line] for line in grid], dtype=float)
        low, high = limits or (np.nanmin(values), np.nanmax(values))
        wide, far = 1.7 * ((high - low) or 1), 1.7 * max(abs(low), abs(high))
        colours, ends = {
            "high": ("Blues", (low, low + wide)),
            "low": ("Blues_r", (high - wide, high)),
            "diverging": ("RdBu_r", (-far, far)),
        }[scale]
        texts = [
            [cell.get("text", f"{value:.{decimals}f}") for cell, value in zip(*both, strict=True)]
            for both in zip(grid, values, strict=True)
        ]
        shown = names[panel] != below  # otherwise the panel below shows them
        sns.heatmap(
            values,
            annot=np.array(texts),
            fmt="",
            cmap=colours,
            vmin=ends[0],
            vmax=ends[1],
            cbar=False,
            ax=axes[panel],
            annot_kws={"size": 8.5, "color": "black"},
            linewidths=0.4,
            xticklabels=names[panel] if shown else False,
            yticklabels=_values(mine, "row"),
        )
        axes[panel].tick_params(labelsize=8.5, length=0)
        axes[panel].tick_params(axis="y", rotation=0)
        if max(map(len, names[panel])) > 2:
            ticks = axes[panel].get_xticklabels()
            plt.setp(ticks, rotation=40, ha="right", rotation_mode="anchor")
        axes[panel].set_title(panel, fontsize=10)
    return _finished(figure)


def stacked(
    frame: pl.DataFrame,
    label: str = "",
    *,
    columns: int | None = None,
    counts: bool = False,
    styles: Styles = NOTHING,
) -> Figure:
    """Bars of parts, row by row from the top.

    Columns: `row`, `part`, `value` (the length of the part). `counts` writes the values into their
    parts; `columns` is the number of panels beside each other (default: all).
    """
    frame = _filled(frame, "row")
    names, panels = _values(frame, "row"), _values(frame, "panel")
    columns = columns or len(panels)
    look = looks(_values(frame, "part"), styles)
    heights = dict.fromkeys(panels, 0.28 * len(names) + HEAD)
    figure, axes = _axes(heights, columns, columns > 1)
    for panel, axis in axes.items():
        start = np.zeros(len(names))
        for part in look:
            mine = frame.filter(panel=panel, part=part)
            lengths = dict(mine.select("row", "value").iter_rows())
            values = np.array([lengths.get(name, 0.0) for name in names])
            style = {"color": look[part]["color"], "edgecolor": "white", **styles.get(part, {})}
            axis.barh(range(len(names)), values, left=start, height=0.75, label=part, **style)
            for place in np.flatnonzero(values).tolist() if counts else ():
                middle = start[place] + values[place] / 2
                text = axis.text(middle, place, f"{values[place]:g}", ha="center", va="center")
                text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
            start += values
        axis.set_yticks(range(len(names)), names, fontsize=9)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.grid(visible=False, axis="y")
        axis.set_title(panel, fontsize=10)
        axis.set_xlabel(label)
    return _finished(figure)


def _filled(frame: pl.DataFrame, label: str, **defaults: pl.Expr) -> pl.DataFrame:
    """The frame with the optional columns that it lacks; `label` may name a surrogate."""
    empty = {name: pl.lit("") for name in (label, "panel", "group")}
    surrogate = pl.any_horizontal(pl.col(label, "group").str.starts_with(SURROGATE))
    further = {"faint": pl.lit(value=False), "hollow": surrogate}
    for name, value in (empty | further | defaults).items():
        if name not in frame.columns:
            frame = frame.with_columns(value.alias(name))
    return frame


def _values(frame: pl.DataFrame, column: str) -> list[str]:
    return frame[column].unique(maintain_order=True).to_list()


def _axes(
    heights: Mapping[str, float], columns: int, shared: bool
) -> tuple[Figure, dict[str, Axes]]:
    """A figure and its panels, `columns` beside each other, with one scale of y where `shared`."""
    inches = list(heights.values())
    rows = [max(inches[start : start + columns]) for start in range(0, len(inches), columns)]
    figure, axes = plt.subplots(
        max(len(rows), 1),
        columns,
        figsize=(WIDTH, sum(rows) + 0.4),
        height_ratios=rows or None,
        sharey=shared,
        squeeze=False,
    )
    for axis in axes.flat[len(heights) :]:
        axis.remove()
    return figure, dict(zip(heights, axes.flat, strict=False))


def _draw(axis: Axes, frame: pl.DataFrame, look: Styles, joined: bool = False) -> None:
    """The points of a frame with the intervals that it has, pale ones first."""
    kinds = frame.sort("faint", descending=True, maintain_order=True)
    for (group, hollow, faint), mine in kinds.group_by(
        "group", "hollow", "faint", maintain_order=True
    ):
        style = {"markersize": 5, "linewidth": 1.5} | dict(look[str(group)])
        style.setdefault("linestyle", ("--" if hollow else "-") if joined else "")
        if hollow:
            style.setdefault("markerfacecolor", "white")
        if faint:
            style["alpha"] = 0.35
        line = {name: style[name] for name in ("color", "alpha") if name in style}
        line["linewidth"] = 1.6
        numbers = mine.select(pl.col("^[xy](_low|_high)?$").cast(pl.Float64))
        at = {name: numbers[name].to_numpy() for name in numbers.columns}
        if "x_low" in at:
            axis.hlines(at["y"], at["x_low"], at["x_high"], **line)
        if "y_low" in at:
            axis.vlines(at["x"], at["y_low"], at["y_high"], **line)
        axis.plot(at["x"], at["y"], label=str(group) or "_", **style)


def _refer(draw: Callable[..., Any], panel: str, references: References, styles: Styles) -> None:
    for number, (name, places) in enumerate(references.items()):
        place = places.get(panel) if isinstance(places, Mapping) else places
        if place is not None:
            style = {"color": GREY, "linestyle": "--" if number else ":", "linewidth": 1.3}
            more = {**STYLES.get(name, {}), **styles.get(name, {})}
            draw(place, label=name or "_", **style | more)


def _scale(choose: Callable[..., Any], axis: Axis, scale: str) -> None:
    if scale == "log":
        choose(scale)
        low, high = axis.get_view_interval()
        steps = (1, 2, 5) if high < 200 * max(low, 1e-9) else (1,)
        axis.set(
            major_locator=LogLocator(subs=steps),
            major_formatter="{x:,g}",
            minor_formatter=NullFormatter(),
        )


def _word(words: Words, panel: str) -> str:
    return words if isinstance(words, str) else words.get(panel, "")


def _finished(figure: Figure) -> Figure:
    legend_below(figure)
    return closed(figure)
