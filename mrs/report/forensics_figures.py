"""The figures of the chapter "What the printed numbers say", one per topic."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrs.published import cold_at_20, forensics, results
from mrs.published.cold_at_20 import KS
from mrs.published.results import METRIC_LABELS, RECOMMENDER_LABELS, SCENARIOS
from mrs.report.figures import CHANCE, ORACLE, PLAIN, SHUFFLED, closed, legend_below
from mrs.report.published import backend_label, table_label
from mrs.report.style import WIDTH

ROW = 0.26  # inches
VERDICTS = {"above": PLAIN, "open": "#bbbbbb", "below": SHUFFLED}


def _rows(axis: Axes, names: Sequence[str]) -> None:
    """Name the rows of a panel from the top."""
    axis.set_yticks(range(len(names)), names, fontsize=9)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.grid(visible=False, axis="y")


def cutoff() -> Figure:
    """The mean shuffled cold control and chance at both list lengths, as shares of the latter."""
    rows = cold_at_20.summary(
        cold_at_20.distances(cold_at_20.controls(), cold_at_20.chance_levels())
    )
    figure, axis = plt.subplots(figsize=(WIDTH, 2.2))
    few, many = KS
    for place, row in enumerate(rows.iter_rows(named=True)):
        level = row[f"chance_{many}"]
        axis.hlines(place, row["low"] / level, row["high"] / level, color=PLAIN, linewidth=2)
        axis.plot(row["mean"] / level, place, "o", color=PLAIN, label="mean control, 95 % interval")
        short = row[f"chance_{few}"] / level
        axis.plot(short, place, "x", color=SHUFFLED, label=f"chance @{few}")
    axis.axvline(1, color=CHANCE, linestyle=":", label=f"chance @{many}")
    _rows(axis, [METRIC_LABELS[metric] for metric in rows["metric"]])
    axis.set_xlim(left=0)
    axis.set_xlabel(f"in units of chance @{many}")
    legend_below(figure, axis, 3)
    return closed(figure)


def knn() -> Figure:
    """KNN Recall of each backend against exact chance, hot and cold.

    The grey band is what chance allows: in hot twice the largest sampling error, in cold twice the
    standard deviation of a single shuffled run, whose listeners share much of their lists.
    """
    figure, axes = plt.subplots(1, len(SCENARIOS), figsize=(WIDTH, 3.4))
    levels = {"hot": forensics.hot_chance()[1], "cold": forensics.cold_chance()}
    spreads = {"hot": forensics.hot_recall_error(), "cold": forensics.control_run_spread()}
    for axis, scenario in zip(axes, SCENARIOS, strict=True):
        rows, level = forensics.knn(scenario), levels[scenario]
        half = 2 * spreads[scenario]
        label = "2 largest standard errors (hot), 2 standard deviations of a run (cold)"
        axis.axvspan(level - half, level + half, color="#dddddd", label=label)
        axis.axvline(level, color=CHANCE, linestyle=":", label="chance")
        axis.plot(rows["mean"], range(len(rows)), "o", color=PLAIN, label="printed")
        _rows(axis, [backend_label(name) for name in rows["backend"]])
        axis.set_xlim(left=0)
        axis.set_title(scenario)
        axis.set_xlabel("Recall @50")
        axis.locator_params(axis="x", nbins=3)
    legend_below(figure, axes[0], 1)
    return closed(figure)


def improvements() -> Figure:
    """How many improvements an interval with the right degrees of freedom keeps, a bar a table."""
    rows = forensics.improvements()
    tables = rows.select("scenario", "recommender", "variant").unique(maintain_order=True).rows()
    figure, axis = plt.subplots(figsize=(WIDTH, ROW * len(tables) + 1.2))
    start = np.zeros(len(tables))
    words = {"above": "real above shuffled", "open": "interval holds zero", "below": "real below"}
    for verdict, colour in VERDICTS.items():
        mine = rows.filter(pl.col("verdict") == verdict)
        counts = np.array(
            [
                mine.filter(pl.col("scenario") == s, pl.col("recommender") == r).height
                for s, r, _ in tables
            ]
        )
        axis.barh(range(len(tables)), counts, left=start, color=colour, label=words[verdict])
        start += counts
    _rows(axis, [f"{table_label(r, v)}, {s}" for s, r, v in tables])
    axis.set_xlabel("cells: backends × metrics")
    legend_below(figure, axis, 3)
    return closed(figure)


def wrong_control() -> Figure:
    """Printed against recomputed improvements; those of the "100" tables stand out."""
    rows = results.improvements_from_base()
    figure, axis = plt.subplots(figsize=(WIDTH, 3.6))
    for variant, colour, mark in (("base", PLAIN, "."), ("100", SHUFFLED, "x")):
        mine = rows.filter(pl.col("variant") == variant)
        label = "base tables" if variant == "base" else f"“{variant}” tables"
        axis.plot(mine["recomputed"], mine["improvement"], mark, color=colour, label=label)
    ends = np.quantile(rows["improvement"].to_numpy(), [0, 1])
    axis.plot(ends, ends, color=CHANCE, linestyle=":", linewidth=1, label="equal")
    axis.set_xscale("symlog", linthresh=10)
    axis.set_yscale("symlog", linthresh=10)
    axis.set_xlabel("from the base runs' shuffled mean, %")
    axis.set_ylabel("printed, %")
    legend_below(figure, axis, 3)
    return closed(figure)


def width() -> Figure:
    """Rank correlation of Recall with the width of the vectors, a row a table."""
    rows = forensics.width_correlations()
    figure, axis = plt.subplots(figsize=(WIDTH, ROW * len(rows) + 0.8))
    for place, row in enumerate(rows.iter_rows(named=True)):
        colour = PLAIN if row["scenario"] == "hot" else SHUFFLED
        axis.hlines(place, row["low"], row["high"], color=colour, linewidth=2)
        axis.plot(row["rho"], place, "o", color=colour)
    axis.axvline(0, color=CHANCE, linestyle=":")
    names = [
        f"{table_label(row['recommender'], row['variant'])}, {row['scenario']}"
        for row in rows.iter_rows(named=True)
    ]
    _rows(axis, names)
    axis.set_xlabel("Spearman's ρ of Recall and width")
    return closed(figure)


def elsa() -> Figure:
    """Every hot Recall of a row that reads audio, and ELSA's."""
    hot = results.ranks("recall").filter(pl.col("scenario") == "hot")
    pairs = hot.select("recommender", "variant").unique(maintain_order=True).rows()
    figure, axis = plt.subplots(figsize=(WIDTH, ROW * len(pairs) + 1.1))
    for place, (recommender, variant) in enumerate(pairs):
        mine = hot.filter(pl.col("recommender") == recommender, pl.col("variant") == variant)
        axis.plot(mine["mean"], [place] * len(mine), "o", color=PLAIN, alpha=0.6, label="backends")
    level = forensics.elsa_and_best().filter(pl.col("metric") == "recall")["elsa"][0]
    axis.axvline(level, color=ORACLE, linestyle="--", label=RECOMMENDER_LABELS["elsa"])
    _rows(axis, [table_label(*pair) for pair in pairs])
    axis.set_xlim(left=0)
    axis.set_xlabel("hot Recall @50")
    legend_below(figure, axis, 2)
    return closed(figure)


def agreement() -> Figure:
    """Mean Kendall's tau between tables, with and without KNN."""
    figure, axis = plt.subplots(figsize=(WIDTH, 2.4))
    for shift, colour, label, without in (
        (-0.12, PLAIN, "all recommenders", []),
        (0.12, SHUFFLED, "without KNN", ["knn"]),
    ):
        rows = forensics.agreement(without=without)
        for place, row in enumerate(rows.iter_rows(named=True)):
            axis.hlines(place + shift, row["low"], row["high"], color=colour, linewidth=2)
            axis.plot(row["tau"], place + shift, "o", color=colour, label=label)
    axis.axvline(0, color=CHANCE, linestyle=":", label="no relation")
    axis.axvline(1, color=CHANCE, linestyle="--", label="same order")
    names = {"hot": "within hot", "cold": "within cold", "hot and cold": "between hot and cold"}
    _rows(axis, [names[pair] for pair in rows["pair"]])
    axis.set_xlabel("mean Kendall's τ of two tables' orders")
    legend_below(figure, axis, 2)
    return closed(figure)


def replaced() -> Figure:
    """The two printings of the cell that differs, and the runs behind them."""
    rows = forensics.replaced_run()
    levels = dict(cold_at_20.chance_levels().select("metric", "chance_50").iter_rows())
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH, 1.25 * len(rows) + 0.9))
    for axis, row in zip(np.atleast_1d(axes), rows.iter_rows(named=True), strict=True):
        for place, (name, colour) in enumerate((("first", SHUFFLED), ("later", PLAIN))):
            half, mean = row[f"{name}_ci95"], row[name]
            axis.hlines(place, max(mean - half, 0), mean + half, color=colour, linewidth=2)
            axis.plot(mean, place, "o", color=colour, label="printed mean and interval")
        for place, (name, mark) in enumerate((("left", "x"), ("came", "+"))):
            label = f"run that {name}, recovered"
            axis.plot(row[name], place + 0.3, mark, color=CHANCE, markersize=8, label=label)
        axis.axvline(levels[row["metric"]], color=CHANCE, linestyle=":", label="chance @50")
        _rows(axis, ["earlier printing", "full table"])
        axis.set_xlim(left=0)
        axis.set_title(METRIC_LABELS[row["metric"]], fontsize=10)
    legend_below(figure, np.atleast_1d(axes)[0], 2)
    return closed(figure)


def rounding() -> Figure:
    """How wide the range of each printed percentage is, against the shuffled mean under it."""
    rows = forensics.percentage_ranges()
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4))
    axis.plot(rows["shuffled"], rows["width"], ".", color=PLAIN, alpha=0.6)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("printed shuffled mean")
    axis.set_ylabel("range, percentage points")
    return closed(figure)
