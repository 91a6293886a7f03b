"""The chapter "Are the published cold numbers @20?": its tables, its figure and its verdict."""

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from mrs.published import cold_at_20
from mrs.published.cold_at_20 import KS, N_COLD_TRACKS
from mrs.published.results import METRIC_LABELS, RECOMMENDER_LABELS, SOURCE, tables
from mrs.report.published import backend_label, show_figure, show_table
from mrs.report.style import WIDTH

COLOURS = {20: "#d55e00", 50: "#0072b2"}  # Okabe and Ito's vermilion and blue
MARKERS = {20: "--", 50: "-"}


def computed_distances() -> pl.DataFrame:
    """Return `cold_at_20.distances` of the published controls."""
    return cold_at_20.distances(cold_at_20.controls(), cold_at_20.chance_levels())


def show_verdict() -> None:
    """Display the computed verdict and the numbers that it rests on."""
    distance = computed_distances()
    display(Markdown(f"**{cold_at_20.verdict(distance)}** {cold_at_20.evidence(distance)}"))


def show_truth() -> None:
    """Display what the chance levels are computed from."""
    sizes = cold_at_20.truth_sizes()
    n_users = int(sizes["n_users"].sum())
    n_pairs = int((sizes["n_users"] * sizes["n_relevant"]).sum())
    fewest, most = min(sizes["n_relevant"].to_list()), max(sizes["n_relevant"].to_list())
    one = int(sizes.filter(pl.col("n_relevant") == 1)["n_users"].sum())
    display(
        Markdown(
            f"The cold test has {n_users:,} listeners, {N_COLD_TRACKS} candidate tracks and "
            f"{n_pairs:,} relevant listener-track pairs: {n_pairs / n_users:.2f} a listener, from "
            f"{fewest} to {most}; {one:,} listeners have "
            "one relevant track."
        )
    )


def levels_table() -> pl.DataFrame:
    """Return the mean control beside both chance levels as it is shown, one row a metric."""
    return cold_at_20.summary(computed_distances()).select(
        pl.col("metric").replace_strict(METRIC_LABELS),
        *[pl.col(f"chance_{k}").alias(f"chance @{k}") for k in KS],
        pl.col("mean").alias("mean control"),
        pl.format(
            "{} to {}", *[pl.col(end).round(4).cast(pl.String) for end in ("low", "high")]
        ).alias("95 % interval"),
        *[pl.col(f"nearer_{k}").alias(f"nearer @{k}") for k in KS],
        *[pl.col(f"cells_covering_{k}").alias(f"covers @{k}") for k in KS],
    )


def show_levels() -> None:
    """Display the mean control beside both chance levels."""
    n_cells = len(cold_at_20.controls()) // len(METRIC_LABELS)
    show_table(
        levels_table(),
        f"Exact chance at 20 and at 50 and the mean of the {n_cells} shuffled cold controls "
        f"({SOURCE}, printed @20), with a 95 % t interval over the cells. Nearer: cells closer to "
        "that level than to the other. Covers: cells whose own printed interval holds that level.",
    )


def show_cells() -> None:
    """Display every control and its distance to both chance levels."""
    show_table(
        computed_distances().select(
            pl.col("recommender").replace_strict(RECOMMENDER_LABELS),
            pl.col("backend").map_elements(backend_label, return_dtype=pl.String),
            pl.col("metric").replace_strict(METRIC_LABELS),
            pl.col("mean").alias("control"),
            pl.col("ci95").alias("±"),
            *[pl.col(f"distance_{k}").alias(f"to chance @{k}") for k in KS],
            pl.col("nearer").alias("nearer @"),
        ),
        f"Shuffled cold controls ({SOURCE}, printed @20): distance to chance in units of each "
        "value's own printed 95 % half-width; between −1 and 1 the interval covers that level.",
        decimals={f"to chance @{k}": 2 for k in KS},
    )


def controls_figure() -> Figure:
    """Return every control with its interval, one panel a metric, against both chance levels."""
    distance = computed_distances()
    cells = distance.select("recommender", "backend").unique(maintain_order=True)
    cells = cells.sort(
        pl.col("recommender").cast(pl.Enum(list(RECOMMENDER_LABELS))), maintain_order=True
    )
    names = [
        f"{RECOMMENDER_LABELS[recommender]}, {backend_label(backend)}"
        for recommender, backend in cells.iter_rows()
    ]
    position = np.arange(len(cells))
    fig, axes = plt.subplots(1, len(METRIC_LABELS), figsize=(WIDTH, 8.2), sharey=True)
    for ax, (metric, label) in zip(axes, METRIC_LABELS.items(), strict=True):
        rows = cells.join(
            distance.filter(pl.col("metric") == metric),
            on=["recommender", "backend"],
            maintain_order="left",
        )
        for k in KS:
            ax.axvline(
                rows[f"chance_{k}"][0],
                color=COLOURS[k],
                linestyle=MARKERS[k],
                linewidth=1.4,
                label=f"chance @{k}",
            )
        ax.errorbar(
            rows["mean"],
            position,
            xerr=rows["ci95"],
            fmt="o",
            color="#333333",
            markersize=3,
            linewidth=0.8,
            label="shuffled control, published",
        )
        ax.set_title(label, fontsize=10)
        ax.set_xlim(0, np.quantile(rows["mean"] + rows["ci95"], 0.9))
        ax.locator_params(axis="x", nbins=3)
        ax.tick_params(labelsize=8)
        ax.grid(visible=False)
    axes[0].set_yticks(position, names)
    axes[0].set_ylim(len(cells) - 0.5, -0.5)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=8.5, frameon=False)
    return fig


def show_controls() -> None:
    """Display the figure of the controls."""
    show_figure(
        controls_figure(),
        f"Shuffled cold controls ({SOURCE}, printed @20) with their printed 95 % intervals, "
        f"against exact chance over {N_COLD_TRACKS} candidates. Long intervals are cut at the "
        "panel's edge.",
    )


def show_real_below_chance() -> None:
    """Display how the real cold values stand once they are read as @50."""
    real = (
        tables()
        .filter(pl.col("scenario") == "cold", pl.col("embeddings") == "real")
        .join(cold_at_20.chance_levels(), on="metric")
    )
    below = {k: real.filter(pl.col("mean") < pl.col(f"chance_{k}")) for k in KS}
    counts = below[50].group_by("recommender").len()
    by = counts.sort("len", "recommender", descending=[True, False])
    share = ", ".join(
        f"{RECOMMENDER_LABELS[recommender]} {count}" for recommender, count in by.iter_rows()
    )
    display(
        Markdown(
            f"Of the {len(real)} cold values with real embeddings ({SOURCE}), {len(below[20])} lie "
            f"below chance @20, and {len(below[50])} below chance @50, the level of what was "
            f"computed ({share})."
        )
    )
