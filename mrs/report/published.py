"""The chapter of published results: sortable tables and figures of arXiv 2604.23077's numbers.

Each `show_*` displays one table or figure with its caption, each other function returns a figure.
Figures are tall rather than wide, so that they can be read on a telephone.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from mrs.backends import BACKENDS
from mrs.published import results
from mrs.published.results import METRIC_LABELS, RECOMMENDER_LABELS, SCENARIOS, SOURCE
from mrs.report.labels import label_points
from mrs.report.style import WIDTH
from mrs.report.tables import show

K_LABELS = {"hot": "@50", "cold": "printed @20, computed @50"}
REAL, SHUFFLED = "#0072b2", "#d55e00"  # Okabe and Ito's blue and vermilion


def backend_label(name: str) -> str:
    """Return the label of a backend as tables and figures show it."""
    return BACKENDS[name].label if name in BACKENDS else "none"


def table_label(recommender: str, variant: str) -> str:
    """Return the label of a recommender and its variant."""
    label = RECOMMENDER_LABELS[recommender]
    return label if variant == "base" else f"{label} {variant}"


def show_table(frame: pl.DataFrame, caption: str, *, decimals: int | Mapping[str, int] = 4) -> None:
    """Display a sortable table below its caption, which wraps where a wide table scrolls."""
    display(Markdown(caption))
    show(frame, sortable=True, decimals=decimals)


# Tables


def values_table(scenario: str) -> pl.DataFrame:
    """Return the complete tables of a scenario as they are shown: one row a printed pair."""
    rows = results.real_and_shuffled().filter(pl.col("scenario") == scenario)
    return rows.select(
        *_label_columns(),
        pl.col("k_printed").alias("k printed"),
        pl.col("k_computed").alias("k computed"),
        pl.col("real"),
        pl.col("real_ci95").alias("± real"),
        pl.col("shuffled"),
        pl.col("shuffled_ci95").alias("± shuffled"),
        pl.col("improvement_over_shuffle_pct").alias("gain, %"),
    )


def show_values(scenario: str) -> None:
    """Display every value of the complete tables of a scenario."""
    show_table(
        values_table(scenario),
        f"All {scenario} values, {K_LABELS[scenario]} ({SOURCE}, source cell "
        f"{results.COMPLETE_CELL}). Means over training runs, real and shuffled embeddings; "
        "±: printed 95 % half-width over runs; gain: printed improvement over shuffled.",
    )


def repeats_table() -> pl.DataFrame:
    """Return the values printed a second time as they are shown."""
    return results.repeats().select(
        pl.col("source_cell").alias("cell"),
        pl.col("scenario"),
        *_label_columns(),
        pl.col("embeddings"),
        pl.col("k_printed").alias("k printed"),
        pl.col("k_computed").alias("k computed"),
        pl.col("mean"),
        pl.col("ci95").alias("±"),
        pl.col("improvement_over_shuffle_pct").alias("gain, %"),
        pl.col("mean_complete").alias("full table"),
        pl.when("agrees").then(pl.lit("yes")).otherwise(pl.lit("no")).alias("agrees"),
    )


def show_repeats() -> None:
    """Display the values printed a second time, and say which of them differ."""
    repeated = results.repeats()
    cells = repeated["source_cell"].to_list()
    show_table(
        repeats_table(),
        f"Values printed again in source cells {min(cells)} to {max(cells)} ({SOURCE}). Cold "
        f"rows: {K_LABELS['cold']}.",
    )
    differ = repeated.filter(~pl.col("agrees"))
    where = differ.select("recommender", "scenario", "backend", "source_cell").unique()
    names = ", ".join(
        f"{RECOMMENDER_LABELS[row['recommender']]} {row['scenario']} with "
        f"{backend_label(row['backend'])} (cell {row['source_cell']})"
        for row in where.sort("source_cell").iter_rows(named=True)
    )
    display(
        Markdown(
            f"{len(repeated)} values are printed again; {len(differ)} of them differ from the "
            f"full tables{': ' + names if names else ''}."
        )
    )


def show_size() -> None:
    """Display how many numbers the chapter holds."""
    everything = results.load()
    complete = results.tables()
    display(
        Markdown(
            f"{len(everything):,} values ({SOURCE}): {len(complete)} in the full tables and "
            f"{len(everything) - len(complete)} printed again; "
            f"{(everything['scenario'] == 'hot').sum()} hot and "
            f"{(everything['scenario'] == 'cold').sum()} cold. Hot values are {K_LABELS['hot']}; "
            f"cold values are {K_LABELS['cold']}."
        )
    )


def show_improvements() -> None:
    """Display how the printed improvements over shuffled embeddings come out when recomputed."""
    rows = results.improvements_from_base()
    equal = int((rows["improvement"] == rows["recomputed"]).sum())
    later = int((rows["variant"] == "100").sum())
    display(
        Markdown(
            f"{equal} of the {len(rows)} printed improvements equal 100 (real − shuffled) / "
            "shuffled, computed from the printed four-decimal means with the shuffled mean of the "
            f"base runs. This includes the {later} improvements of the “100” tables, whose own "
            "shuffled runs are not printed."
        )
    )


def show_knn_level() -> None:
    """Display the hot KNN values beside the level of a random ranking."""
    knn = results.ranks("recall").filter(
        pl.col("scenario") == "hot", pl.col("recommender") == "knn"
    )["mean"]
    n_tracks = results.N_TRAIN_TRACKS
    display(
        Markdown(
            f"Hot KNN Recall @50 ({SOURCE}): {min(knn):.4f} to {max(knn):.4f}, mean "
            f"{sum(knn) / len(knn):.5f}; a random list of 50 out of {n_tracks:,} train tracks "
            f"reaches about {50 / n_tracks:.5f}."
        )
    )


# Figures


def heat_maps(scenario: str, metrics: Sequence[str]) -> Figure:
    """Return one heat map a metric: backends by recommenders, real embeddings."""
    labels = _columns(scenario)
    order = _backends_by_rank(metrics[0])
    fig, axes = plt.subplots(
        len(metrics), 1, figsize=(WIDTH, 1.1 + 2.7 * len(metrics)), squeeze=False
    )
    for ax, metric in zip(axes[:, 0], metrics, strict=True):
        matrix = _matrix(results.ranks(metric), scenario, "mean", order)
        text = np.vectorize(lambda value: f"{value:.4f}".removeprefix("0"))(matrix)
        last = ax is axes[-1, 0]
        _heat(ax, matrix, text, order, [label for _, label in labels] if last else None)
        ax.set_title(f"{METRIC_LABELS[metric]}, {scenario}, {K_LABELS[scenario]}", fontsize=10)
    return fig


def show_heat_maps(scenario: str, metrics: Sequence[str]) -> None:
    """Display the heat maps of a scenario."""
    note = ""
    if scenario == "hot":
        elsa = results.tables().filter(pl.col("recommender") == "elsa")
        values = dict(elsa.select("metric", "mean").iter_rows())
        note = " ELSA, without audio: " + ", ".join(
            f"{METRIC_LABELS[metric]} {values[metric]:.4f}" for metric in metrics
        )
        note += "."
    show_figure(
        heat_maps(scenario, metrics),
        f"Backend by recommender, {scenario}, {K_LABELS[scenario]}, real embeddings ({SOURCE}). "
        f"Colours span each panel's own range.{note}",
    )


def rank_map(metric: str) -> Figure:
    """Return the rank of each backend in every table, hot and cold side by side."""
    order = _backends_by_rank(metric)
    columns = [(scenario, *column) for scenario in SCENARIOS for column in _columns(scenario)]
    matrix = np.hstack(
        [_matrix(results.ranks(metric), scenario, "rank", order) for scenario in SCENARIOS]
    )
    fig, ax = plt.subplots(figsize=(WIDTH, 4.8))
    text = np.vectorize(lambda rank: f"{rank:g}")(matrix)
    _heat(ax, -matrix, text, order, [label for _, _, label in columns])
    n_hot = len(_columns("hot"))
    ax.axvline(n_hot, color="white", linewidth=4)
    for middle, scenario in ((n_hot / 2, "hot"), ((n_hot + len(columns)) / 2, "cold")):
        ax.text(middle, -0.25, scenario, ha="center", fontsize=10)
    return fig


def show_rank_map(metric: str) -> None:
    """Display the ranks."""
    show_figure(
        rank_map(metric),
        f"Rank of each backend by {METRIC_LABELS[metric]} (1 = highest) within each recommender "
        f"and scenario ({SOURCE}). Hot {K_LABELS['hot']}; cold {K_LABELS['cold']}. Equal printed "
        "values share their mean rank. Backends are ordered by their mean rank over the columns; "
        "descriptive only, no test is implied.",
    )


def hot_against_cold(metric: str) -> Figure:
    """Return hot against cold means, one panel a recommender that has both."""
    pairs = results.hot_and_cold(metric)
    panels = list(pairs.select("recommender", "variant").unique(maintain_order=True).iter_rows())
    n_rows = -(-len(panels) // 2)
    fig, axes = plt.subplots(n_rows, 2, figsize=(WIDTH, 2.7 * n_rows), squeeze=False)
    for ax, (recommender, variant) in zip(axes.flat, panels, strict=False):
        rows = pairs.filter(pl.col("recommender") == recommender, pl.col("variant") == variant)
        ax.scatter(rows["mean_hot"], rows["mean_cold"], s=12, color=REAL)
        rho = stats.spearmanr(rows["rank_hot"], rows["rank_cold"]).statistic
        ax.set_title(f"{table_label(recommender, variant)}, ρ = {rho:.2f}", fontsize=10)
        ax.tick_params(labelsize=8)
        ax.margins(0.18)
        ax.grid(visible=False)
        ax.locator_params(nbins=4)
    for ax in list(axes.flat)[len(panels) :]:
        ax.remove()
    fig.supxlabel(f"{METRIC_LABELS[metric]}, hot, {K_LABELS['hot']}", fontsize=9.5)
    fig.supylabel(f"{METRIC_LABELS[metric]}, cold, {K_LABELS['cold']}", fontsize=9.5)
    fig.draw_without_rendering()
    fig.set_layout_engine("none")
    for ax, (recommender, variant) in zip(axes.flat, panels, strict=False):
        rows = pairs.filter(pl.col("recommender") == recommender, pl.col("variant") == variant)
        points = rows.select("mean_hot", "mean_cold").to_numpy()
        label_points(ax, points, [backend_label(name) for name in rows["backend"]])
    return fig


def show_hot_against_cold(metric: str) -> None:
    """Display hot against cold."""
    show_figure(
        hot_against_cold(metric),
        f"Hot against cold {METRIC_LABELS[metric]} of each backend, real embeddings ({SOURCE}). "
        f"Hot {K_LABELS['hot']}; cold {K_LABELS['cold']}. ρ: Spearman's rank correlation over the "
        "ten backends. Axes differ between panels.",
    )


def real_against_shuffled(scenario: str, metric: str) -> Figure:
    """Return real and shuffled means with their printed intervals, one panel a recommender."""
    rows = results.real_and_shuffled().filter(
        pl.col("scenario") == scenario,
        pl.col("metric") == metric,
        pl.col("shuffled").is_not_null(),
    )
    panels = list(rows.select("recommender", "variant").unique(maintain_order=True).iter_rows())
    order = _backends_by_rank(metric)
    n_rows = -(-len(panels) // 2)
    fig, axes = plt.subplots(
        n_rows, 2, figsize=(WIDTH, 0.7 + 2.3 * n_rows), squeeze=False, sharey=True
    )
    position = np.arange(len(order))
    for ax, (recommender, variant) in zip(axes.flat, panels, strict=False):
        chosen = rows.filter(pl.col("recommender") == recommender, pl.col("variant") == variant)
        by_name = {row["backend"]: row for row in chosen.iter_rows(named=True)}
        for kind, colour, marker, shift in (
            ("real", REAL, "o", -0.15),
            ("shuffled", SHUFFLED, "s", 0.15),
        ):
            ax.errorbar(
                [by_name[name][kind] for name in order],
                position + shift,
                xerr=[by_name[name][f"{kind}_ci95"] for name in order],
                fmt=marker,
                color=colour,
                markersize=3.5,
                markerfacecolor="white" if kind == "shuffled" else colour,
                linewidth=0.9,
                label=f"{kind} embeddings",
            )
        ax.set_title(table_label(recommender, variant), fontsize=10)
        ax.set_xlim(left=0)
        ax.tick_params(labelsize=8.5)
        ax.locator_params(axis="x", nbins=4)
        ax.grid(visible=False, axis="y")
        ax.grid(axis="x", linewidth=0.6)
    axes[0, 0].set_yticks(position, [backend_label(name) for name in order])
    axes[0, 0].invert_yaxis()
    for ax in list(axes.flat)[len(panels) :]:
        ax.remove()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    fig.supxlabel(f"{METRIC_LABELS[metric]}, {scenario}, {K_LABELS[scenario]}", fontsize=9.5)
    return fig


def show_real_against_shuffled(scenario: str, metric: str) -> None:
    """Display real against shuffled embeddings."""
    show_figure(
        real_against_shuffled(scenario, metric),
        f"Real against shuffled embeddings, {METRIC_LABELS[metric]}, {scenario}, "
        f"{K_LABELS[scenario]} ({SOURCE}). Bars: printed 95 % intervals over training runs, cut at "
        "zero. KNN and the “100” variants have no printed shuffled values.",
    )


def _label_columns() -> list[pl.Expr]:
    labels = {name: backend_label(name) for name in [*BACKENDS, "none"]}
    variant = (
        pl.when(pl.col("variant") == "base").then(pl.lit("")).otherwise(" " + pl.col("variant"))
    )
    return [
        (pl.col("recommender").cast(pl.String).replace_strict(RECOMMENDER_LABELS) + variant).alias(
            "recommender"
        ),
        pl.col("backend").replace_strict(labels),
        pl.col("metric").replace_strict(METRIC_LABELS),
    ]


def _columns(scenario: str) -> list[tuple[tuple[str, str], str]]:
    """Return ((recommender, variant), label) of each table of a scenario that has backends."""
    rows = results.ranks("ndcg").filter(pl.col("scenario") == scenario)
    pairs = rows.select("recommender", "variant").unique(maintain_order=True).iter_rows()
    return [(pair, table_label(*pair)) for pair in pairs]


def _backends_by_rank(metric: str) -> list[str]:
    ranked = results.ranks(metric).group_by("backend").agg(pl.col("rank").mean())
    return ranked.sort("rank", "backend")["backend"].to_list()


def _matrix(ranked: pl.DataFrame, scenario: str, value: str, backends: list[str]) -> np.ndarray:
    """Return one column of `results.ranks` as an array [backends x tables of the scenario]."""
    cells = {
        (row["recommender"], row["variant"], row["backend"]): row[value]
        for row in ranked.filter(pl.col("scenario") == scenario).iter_rows(named=True)
    }
    columns = _columns(scenario)
    return np.array([[cells[*pair, name] for pair, _ in columns] for name in backends])


def _heat(
    ax: Axes, matrix: np.ndarray, text: np.ndarray, backends: list[str], columns: list[str] | None
) -> None:
    """Draw a heat map, darker for more, light enough throughout for dark text."""
    low, high = matrix.min(), matrix.max()
    sns.heatmap(
        matrix,
        annot=text,
        fmt="",
        cmap="Blues",
        vmin=low,
        vmax=low + 1.7 * (high - low),
        cbar=False,
        ax=ax,
        annot_kws={"size": 8.5, "color": "black"},
        linewidths=0.4,
        xticklabels=columns or False,
        yticklabels=[backend_label(name) for name in backends],
    )
    ax.tick_params(labelsize=8.5, length=0)
    ax.tick_params(axis="y", rotation=0)
    plt.setp(ax.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")


def show_figure(fig: Figure, caption: str) -> None:
    """Display a figure with its caption below."""
    display(fig)
    plt.close(fig)
    display(Markdown(caption))
