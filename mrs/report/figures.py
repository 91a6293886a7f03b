"""Figures of a study's results."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrs.data.splits import Split
from mrs.report.style import WIDTH, line_mark

PLAIN, CHANCE, SHUFFLED, ORACLE = "#0173b2", "#555555", "#de8f05", "#029e73"


def closed(figure: Figure) -> Figure:
    """A figure to be shown where it is displayed, and not once more at the end of the cell."""
    plt.close(figure)
    return figure


def legend_below(figure: Figure, axis: Axes, n_columns: int = 2) -> None:
    """A legend of what an axis shows, each label once, below the figure's axes."""
    handles, labels = axis.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=n_columns)


def interval_figure(frame: pl.DataFrame, metric: str, ceiling: float | None) -> Figure:
    """One recommender in one scenario, a row a backend, the best on top.

    Shows mean and interval, the control with shuffled vectors, chance and the oracle's mean
    `ceiling`. `frame` as from `summary.summary`; surrogates are hollow and have their own block
    below the others.
    """
    rows = frame.filter(pl.col("metric") == metric).sort(
        pl.col("block") != "surrogate", "mean", descending=[False, False]
    )
    figure, axis = plt.subplots(figsize=(WIDTH, 0.3 * len(rows) + 1.5))
    for place, row in enumerate(rows.iter_rows(named=True)):
        _interval(axis, place, row)
    _reference_lines(axis, rows["chance"][0], ceiling)
    axis.set_yticks(range(len(rows)), rows["backend"].to_list())
    axis.set_xlabel(metric)
    axis.set_xlim(left=0)
    legend_below(figure, axis)
    return figure


def interval_line(
    axis: Axes, place: float, low: float | None, high: float | None, **style: Any
) -> None:
    """The line of an interval, nothing where there is none."""
    if low is not None and high is not None:
        axis.hlines(place, low, high, **style)


def _interval(axis: Axes, place: int, row: dict) -> None:
    interval_line(axis, place, row["low"], row["high"], color=PLAIN, linewidth=2)
    mark = line_mark(row["backend"] or "") | {"linestyle": "", "color": PLAIN}
    axis.plot(row["mean"], place, **mark, label="mean, 95 % interval")
    if row["shuffled"] is not None:
        axis.hlines(place, row["shuffled_low"], row["shuffled_high"], color=SHUFFLED, linewidth=1)
        axis.plot(row["shuffled"], place, "x", color=SHUFFLED, label="vectors shuffled")


def _reference_lines(axis: Axes, chance: float, ceiling: float | None) -> None:
    axis.axvline(chance, color=CHANCE, linestyle=":", label="chance")
    if ceiling is not None:
        axis.axvline(ceiling, color=ORACLE, linestyle="--", label="oracle")


def contrast_figure(frame: pl.DataFrame) -> Figure:
    """Differences with their intervals, a panel a scenario, a row a backend.

    `frame` as from `mrs.report.contrasts`; surrogates are hollow and below the others.
    """
    order = (
        frame.group_by("backend", "block")
        .agg(pl.col("difference").mean())
        .sort(pl.col("block") != "surrogate", "difference")["backend"]
        .to_list()
    )
    scenarios = frame["scenario"].unique(maintain_order=True).to_list()
    figure, axes = plt.subplots(
        1, len(scenarios), figsize=(WIDTH, 0.28 * len(order) + 1.1), sharey=True, squeeze=False
    )
    for axis, scenario in zip(axes[0], scenarios, strict=True):
        rows = frame.filter(pl.col("scenario") == scenario)
        for row in rows.iter_rows(named=True):
            place = order.index(row["backend"])
            interval_line(axis, place, row["low"], row["high"], color=PLAIN, linewidth=2)
            mark = line_mark(row["backend"]) | {"linestyle": "", "color": PLAIN}
            axis.plot(row["difference"], place, **mark)
        axis.axvline(0, color=SHUFFLED, linestyle="--")
        axis.set_title(scenario)
        axis.set_xlabel(f"{rows['metric'][0]}, difference")
    axes[0, 0].set_yticks(range(len(order)), order)
    return figure


def cell_figure(table: pl.DataFrame, ceiling: pl.DataFrame | None) -> Figure:
    """One cell's metrics at one list length between chance and oracle, each on its own scale.

    `table` and `ceiling` (the oracle's, None where there is none) as from `summary.summary`.
    """
    names = table["metric"].to_list()
    figure, axes = plt.subplots(len(names), 1, figsize=(WIDTH, 0.72 * len(names) + 0.9))
    for axis, row in zip(np.atleast_1d(axes), table.iter_rows(named=True), strict=True):
        top = None
        if ceiling is not None:
            top = ceiling.filter(pl.col("metric") == row["metric"])["mean"][0]
        _interval(axis, 0, row)
        _reference_lines(axis, row["chance"], top)
        axis.set_yticks([0], [row["metric"]])
        axis.set_ylim(-1, 1)
        axis.set_xlim(left=0)
        axis.grid(axis="y", visible=False)
    legend_below(figure, np.atleast_1d(axes)[0])
    return figure


def distribution_figure(values: np.ndarray, chance: np.ndarray, metric: str) -> Figure:
    """How one metric spreads over users: the share of users at or above each value."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
    for series, color, style, label in (
        (values, PLAIN, "-", "users"),
        (chance, CHANCE, ":", "each user's chance level"),
    ):
        axis.ecdf(series, complementary=True, color=color, linestyle=style, label=label)
    axis.set_xlabel(metric)
    axis.set_ylabel("share of users above")
    axis.legend()
    return figure


def curve_figure(curves: dict[str, list[dict[str, float]]]) -> Figure | None:
    """Training curves, label -> one mapping an epoch; None where nothing was trained.

    Shows the validation metric where there is one and the loss otherwise; surrogates are dashed.
    """
    curves = {label: curve for label, curve in curves.items() if curve}
    if not curves:
        return None
    names = [name for name in next(iter(curves.values()))[0] if name != "epoch"]
    shown = next((name for name in names if "@" in name), "loss")
    figure, axis = plt.subplots(figsize=(WIDTH, 3.6))
    for label, curve in curves.items():
        epochs = [row["epoch"] + 1 for row in curve]
        style = line_mark(label) | {"marker": None}
        axis.plot(epochs, [row[shown] for row in curve], **style, label=label, linewidth=1.3)
    axis.set_xlabel("epoch")
    axis.set_ylabel("training loss" if shown == "loss" else f"validation {shown}")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def activity_figure(split: Split) -> Figure:
    """How plays spread: tracks a user, and the share of pairs that the most played tracks hold."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(WIDTH, 5.6))
    per_user = np.bincount(split.train.user)
    bins = np.geomspace(max(per_user.min(), 1), per_user.max() + 1, 30)
    upper.hist(per_user, bins=bins, color=PLAIN)
    upper.set_xscale("log")
    upper.set_xlabel("train tracks a user")
    upper.set_ylabel("users")
    per_track = np.sort(np.bincount(split.train.track))[::-1]
    per_track = per_track[per_track > 0]
    share = np.cumsum(per_track) / per_track.sum()
    lower.plot(np.arange(1, len(share) + 1) / len(share), share, color=PLAIN)
    lower.plot([0, 1], [0, 1], color=CHANCE, linestyle=":", label="all tracks alike")
    lower.set_xlabel("share of train tracks, most played first")
    lower.set_ylabel("share of pairs")
    lower.legend()
    return figure
