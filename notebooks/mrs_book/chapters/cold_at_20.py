"""The chapter "Are the published cold numbers @20?": its tables, its figure and its verdict."""

from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs_book.kit.figures import forest
from mrs_book.kit.style import BLUE, ORANGE
from mrs_book.papers import cold_at_20
from mrs_book.papers.cold_at_20 import KS, N_COLD_TRACKS
from mrs_book.papers.results import BACKEND_LABELS, METRIC_LABELS, RECOMMENDER_LABELS, tables

CONTROL = "shuffled control, published"
STYLES: dict[str, dict[str, Any]] = {
    "chance @20": {"color": ORANGE, "linestyle": "--"},
    "chance @50": {"color": BLUE, "linestyle": "-"},
    CONTROL: {"color": "#333333", "markersize": 3},
}
METRIC = pl.col("metric").replace_strict(METRIC_LABELS)
RECOMMENDER = pl.col("recommender").replace_strict(RECOMMENDER_LABELS)
BACKEND = pl.col("backend").replace_strict(BACKEND_LABELS)


class Page:
    """The published shuffled controls of the cold tables against chance at both list lengths."""

    @cached_property
    def distances(self) -> pl.DataFrame:
        """Every control with its distance to both chance levels: `cold_at_20.distances`."""
        return cold_at_20.distances()

    def verdict(self) -> str:
        """The computed verdict and the numbers that it rests on."""
        return f"**{cold_at_20.verdict(self.distances)}** {cold_at_20.evidence(self.distances)}"

    def truth(self) -> str:
        """What the chance levels are computed from."""
        sizes = cold_at_20.truth_sizes()
        n_users = int(sizes["n_users"].sum())
        n_pairs = int((sizes["n_users"] * sizes["n_relevant"]).sum())
        few, most = sizes["n_relevant"].sort()[[0, -1]]
        one = int(sizes.filter(n_relevant=1)["n_users"].sum())
        return (
            f"The cold test has {n_users:,} listeners, {N_COLD_TRACKS} candidate tracks and "
            f"{n_pairs:,} relevant listener-track pairs: {n_pairs / n_users:.2f} a listener, from "
            f"{few} to {most}; {one:,} listeners have "
            "one relevant track."
        )

    def levels(self) -> pl.DataFrame:
        """The mean control beside both chance levels, one row per metric."""
        ends = [pl.col(end).round(4).cast(pl.String) for end in ("low", "high")]
        return cold_at_20.summary(self.distances).select(
            METRIC,
            *[pl.col(f"chance_{k}").alias(f"chance @{k}") for k in KS],
            pl.col("mean").alias("mean control"),
            pl.format("{} to {}", *ends).alias("95 % interval"),
            *[pl.col(f"nearer_{k}").alias(f"nearer @{k}") for k in KS],
            *[pl.col(f"cells_covering_{k}").alias(f"covers @{k}") for k in KS],
        )

    def levels_caption(self) -> str:
        n_cells = len(self.distances.select("recommender", "backend").unique())
        return (
            f"Exact chance at 20 and at 50 and the mean of the {n_cells} shuffled cold controls "
            "(printed @20), with a 95 % t interval over the cells. Nearer: cells closer to that "
            "level than to the other. Covers: cells whose own printed interval holds that level."
        )

    def cells(self) -> pl.DataFrame:
        """Every control and its distance to both chance levels, in its own half-widths."""
        return self.distances.select(
            RECOMMENDER,
            BACKEND,
            METRIC,
            pl.col("mean").alias("control"),
            pl.col("ci95").alias("±"),
            *[pl.col(f"distance_{k}").alias(f"to chance @{k}") for k in KS],
            pl.col("nearer").alias("nearer @"),
        )

    def figure(self) -> Figure:
        """Every control with its printed interval, one panel per metric, and both chance levels."""
        order = pl.Enum(list(RECOMMENDER_LABELS))
        rows = self.distances.sort(pl.col("recommender").cast(order), maintain_order=True).select(
            METRIC.alias("panel"),
            pl.concat_str(RECOMMENDER, BACKEND, separator=", ").alias("row"),
            value="mean",
            low=pl.col("mean") - pl.col("ci95"),
            high=pl.col("mean") + pl.col("ci95"),
            group=pl.lit(CONTROL),
        )
        levels = cold_at_20.chance_levels().select(METRIC, "chance_20", "chance_50")
        figure = forest(
            rows,
            references={
                f"chance @{k}": dict(levels.select("metric", f"chance_{k}").iter_rows()) for k in KS
            },
            columns=len(METRIC_LABELS),
            styles=STYLES,
        )
        for axis in figure.axes:
            ends = rows.filter(panel=axis.get_title())["high"].to_numpy()
            axis.set_xlim(0, np.quantile(ends, 0.9))
            axis.locator_params(axis="x", nbins=3)
            axis.tick_params(axis="x", labelsize=8)
        return figure

    def real_below_chance(self) -> str:
        """How the real cold values stand once they are read as @50."""
        real = tables().filter(scenario="cold", embeddings="real")
        real = real.join(cold_at_20.chance_levels(), on="metric")
        below = {k: real.filter(pl.col("mean") < pl.col(f"chance_{k}")) for k in KS}
        counts = below[50].group_by("recommender").len()
        by = counts.sort("len", "recommender", descending=[True, False])
        share = ", ".join(f"{RECOMMENDER_LABELS[name]} {count}" for name, count in by.iter_rows())
        return (
            f"Of the {len(real)} cold values with real embeddings, {len(below[20])} lie below "
            f"chance @20, and {len(below[50])} below chance @50, the level of what was computed "
            f"({share})."
        )
