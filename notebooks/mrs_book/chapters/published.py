"""The chapter of published results: tables and figures of the numbers of arXiv 2604.23077.

Beside the printed values stand runs on the tables' own data where the store has them: real plays
with the models' own vectors.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import polars as pl
from matplotlib.figure import Figure
from scipy import stats

from mrs.data.vectors import label_of
from mrs.errors import InputError
from mrs.study.store import Store
from mrs_book.kit.figures import forest, heat_map, scatter
from mrs_book.kit.parameters import required, words
from mrs_book.kit.style import Source
from mrs_book.papers import claims, results
from mrs_book.papers.evidence import own_data
from mrs_book.papers.results import (
    BACKEND_LABELS,
    KEY,
    METRIC_LABELS,
    RECOMMENDER_LABELS,
    SCENARIOS,
    table_labels,
)

K_LABELS = {"hot": "@50", "cold": "printed @20, computed @50"}
BESIDE = Source("real", "real plays; the column “published” is printed in arXiv 2604.23077")
BACKEND = pl.col("backend").replace_strict(BACKEND_LABELS)
METRIC = pl.col("metric").replace_strict(METRIC_LABELS)
RECOMMENDER = pl.col("recommender").replace_strict(RECOMMENDER_LABELS)


class Page:
    """Every printed number, and beside it what a store has on the same data.

    `metric` is that of ranks, of hot against cold and of real against shuffled; `metrics` are those
    of the heat maps.
    """

    def __init__(self, store: Any, metric: Any, metrics: Any) -> None:
        self.store = Store(required("store", store))
        (self.metric,) = _known("metric", [required("metric", metric)])
        self.metrics = _known("metrics", words("metrics", metrics))
        (self.claim,) = claims.find("p2-values")  # sets the tolerance

    # In words

    def size(self) -> str:
        """How many numbers the chapter holds."""
        everything, complete = results.load(), results.tables()
        n = {scenario: len(everything.filter(scenario=scenario)) for scenario in SCENARIOS}
        return (
            f"{len(everything):,} values: {len(complete)} in the full tables and "
            f"{len(everything) - len(complete)} printed again; {n['hot']} hot and {n['cold']} "
            f"cold. Hot values are {K_LABELS['hot']}; cold values are {K_LABELS['cold']}."
        )

    def knn_level(self) -> str:
        """The hot KNN values beside the level of a random ranking."""
        knn = results.ranks("recall").filter(scenario="hot", recommender="knn")["mean"]
        low, high = knn.sort()[[0, -1]]
        return (
            f"Hot KNN Recall @50: {low:.4f} to {high:.4f}, mean {knn.to_numpy().mean():.5f}; a "
            f"random list of 50 out of {results.N_TRAIN_TRACKS:,} train tracks reaches about "
            f"{50 / results.N_TRAIN_TRACKS:.5f}."
        )

    def improvements(self) -> str:
        """How the printed improvements over shuffled embeddings come out when recomputed."""
        rows = results.improvements_from_base()
        equal = int((rows["improvement"] == rows["recomputed"]).sum())
        return (
            f"{equal} of the {len(rows)} printed improvements equal 100 (real − shuffled) / "
            "shuffled, computed from the printed four-decimal means with the shuffled mean of the "
            f"base runs. This includes the {len(rows.filter(variant='100'))} improvements of the "
            "“100” tables, whose own shuffled runs are not printed."
        )

    # On the same data, computed here

    @cached_property
    def on_own_data(self) -> pl.DataFrame:
        """Every published value beside the store's runs: `results.beside_own` with within."""
        rows = results.beside_own(own_data(self.store))
        return rows.with_columns(within=results.agrees(self.claim.tolerance))

    def own_text(self) -> str:
        """How many values of the base tables have a run on the same data, and come out again."""
        rows, claim = self.on_own_data.filter(variant="base"), self.claim
        wanted = f"{claim.wanted}, then `{claim.run}`"
        values = rows.select(KEY).n_unique()
        found = rows.filter(pl.col("protocol").is_not_null())
        if not len(found):
            return (
                "No run on that data with the models' own vectors is in the store: none of the "
                f"{values} values of the base tables has one of ours beside it. It takes {wanted}."
            )
        parts = [
            f"{int(mine['within'].sum())} of {len(mine)} with protocol {protocol}"
            for (protocol,), mine in found.group_by(["protocol"], maintain_order=True)
        ]
        missing = values - found.select(KEY).n_unique()
        rest = f" {missing} of {values} values have no run: it takes {wanted}." if missing else ""
        return (
            f"Within tolerance are {' and '.join(parts)}. The tolerance, set beforehand in the "
            f"claims' table (`{claim.id}`), is {claim.tolerance:g} {claim.unit}: "
            f"{claim.reason}.{rest} Counted are the base tables; values of the “100” tables, of "
            "projections trained for 100 epochs, stand beside the same runs."
        )

    def own_tables(self) -> dict[str, pl.DataFrame]:
        """Ours beside published: a caption and a table for each scenario that has runs."""
        found = self.on_own_data.filter(pl.col("protocol").is_not_null())
        tables = {}
        for scenario in SCENARIOS:
            mine = found.filter(scenario=scenario)
            protocols = mine["protocol"].unique()
            caption = f"{scenario.capitalize()}, @{results.K}: {results.SOURCE}, and computed "
            caption += "here on real plays"
            if len(protocols) == 1:
                caption += f", protocol {protocols[0]}"
                mine = mine.drop("protocol")
            if len(mine):
                tables[caption] = mine.select(
                    pl.when(pl.col("variant") == "base")
                    .then(RECOMMENDER)
                    .otherwise(RECOMMENDER + ", “100”"),
                    pl.col("backend").map_elements(lambda name: label_of(name, "audio"), pl.String),
                    "vectors",
                    METRIC,
                    pl.col("^protocol$"),  # where several are shown
                    "published",
                    pl.col("here").alias("here, real plays"),
                    "difference",
                    "within",
                    "±",
                    "runs",
                )
        return tables

    # Tables

    def values(self, scenario: str) -> pl.DataFrame:
        """The complete tables of a scenario, one row per printed pair of real and shuffled."""
        rows = results.real_and_shuffled().filter(scenario=scenario)
        return rows.select(
            table_labels(),
            BACKEND,
            METRIC,
            pl.col("k_printed").alias("k printed"),
            pl.col("k_computed").alias("k computed"),
            "real",
            pl.col("real_ci95").alias("± real"),
            "shuffled",
            pl.col("shuffled_ci95").alias("± shuffled"),
            pl.col("improvement_over_shuffle_pct").alias("gain, %"),
        )

    def values_caption(self, scenario: str) -> str:
        return (
            f"All {scenario} values, {K_LABELS[scenario]} (source cell {results.COMPLETE_CELL}). "
            "Means over training runs, real and shuffled embeddings; ±: printed 95 % half-width "
            "over runs; gain: printed improvement over shuffled."
        )

    def repeats(self) -> pl.DataFrame:
        """The values that are printed a second time."""
        return results.repeats().select(
            pl.col("source_cell").alias("cell"),
            "scenario",
            table_labels(),
            BACKEND,
            METRIC,
            "embeddings",
            pl.col("k_printed").alias("k printed"),
            pl.col("k_computed").alias("k computed"),
            "mean",
            pl.col("ci95").alias("±"),
            pl.col("improvement_over_shuffle_pct").alias("gain, %"),
            pl.col("mean_complete").alias("full table"),
            "agrees",
        )

    def repeats_caption(self) -> str:
        first, last = results.repeats()["source_cell"].sort()[[0, -1]]
        return (
            f"Values printed again in source cells {first} to {last}. Cold rows: "
            f"{K_LABELS['cold']}."
        )

    def repeats_text(self) -> str:
        """Which of the values printed a second time differ."""
        repeated = results.repeats()
        differ = repeated.filter(~pl.col("agrees"))
        where = differ.select("source_cell", "scenario", RECOMMENDER, BACKEND).unique()
        names = ", ".join(
            f"{recommender} {scenario} with {backend} (cell {cell})"
            for cell, scenario, recommender, backend in where.sort("source_cell").iter_rows()
        )
        return (
            f"{len(repeated)} values are printed again; {len(differ)} of them differ from the "
            f"full tables{': ' + names if names else ''}."
        )

    # Figures

    def heat_maps(self, scenario: str) -> Figure:
        """One heat map per metric: backends by recommenders, real embeddings."""
        order = _order(self.metrics[0])
        parts = [
            _ranked(order, metric)
            .filter(scenario=scenario)
            .select(
                "row",
                "column",
                value="mean",
                text=pl.col("mean")
                .map_elements("{:.4f}".format, pl.String)
                .str.strip_chars_start("0"),
                panel=pl.lit(f"{METRIC_LABELS[metric]}, {scenario}, {K_LABELS[scenario]}"),
            )
            for metric in self.metrics
        ]
        return heat_map(pl.concat(parts))

    def elsa(self) -> str:
        """ELSA's values, which stand in no heat map."""
        elsa = results.tables().filter(recommender="elsa")
        values = dict(elsa.select("metric", "mean").iter_rows())
        listed = ", ".join(f"{METRIC_LABELS[name]} {values[name]:.4f}" for name in self.metrics)
        return f"ELSA, without audio: {listed}."

    def rank_map(self) -> Figure:
        """The rank of each backend in every table, hot and cold side by side."""
        panels = {scenario: self._label(scenario).replace(", p", ",\np") for scenario in SCENARIOS}
        rows = _ranked(_order(self.metric), self.metric).select(
            "row",
            "column",
            panel=pl.col("scenario").cast(pl.String).replace_strict(panels),
            value="rank",
            text=pl.col("rank").map_elements("{:g}".format, pl.String),
        )
        return heat_map(rows, scale="low", columns=2)

    def hot_against_cold(self) -> Figure:
        """Hot against cold means, one panel per recommender that has both."""
        parts = []
        for rows in results.hot_and_cold(self.metric).partition_by(
            "recommender", "variant", maintain_order=True
        ):
            rho = stats.spearmanr(rows["rank_hot"], rows["rank_cold"]).statistic
            title = table_labels() + f", ρ = {rho:.2f}"
            parts.append(
                rows.select(
                    title.alias("panel"), BACKEND.alias("name"), x="mean_hot", y="mean_cold"
                )
            )
        left = [part["panel"][0] for part in parts[::2]]
        return scatter(
            pl.concat(parts),
            self._label("hot"),
            dict.fromkeys(left, self._label("cold").replace(", p", ",\np")),
            columns=2,
            height=3.0,
        )

    def real_against_shuffled(self, scenario: str) -> Figure:
        """Real and shuffled means with their printed intervals, one panel per recommender."""
        rows = (
            results.real_and_shuffled()
            .filter(pl.col("shuffled").is_not_null(), scenario=scenario, metric=self.metric)
            .join(_order(self.metric), on="backend", maintain_order="left")
            .with_columns(panel=table_labels())
        )
        panels = rows["panel"].unique(maintain_order=True)
        sides = [
            rows.sort(pl.col("panel").cast(pl.Enum(panels)), "place").select(
                "panel",
                "row",
                group=pl.lit(side),
                value=side,
                low=(pl.col(side) - pl.col(f"{side}_ci95")).clip(0),
                high=pl.col(side) + pl.col(f"{side}_ci95"),
            )
            for side in ("real", "shuffled")
        ]
        label = self._label(scenario).replace(", p", ",\np")
        return forest(
            pl.concat(sides), dict.fromkeys(panels.to_list()[-2:], label), columns=2, zero=True
        )

    def _label(self, scenario: str) -> str:
        """The metric, the scenario and its cutoff, for an axis."""
        return f"{METRIC_LABELS[self.metric]}, {scenario}, {K_LABELS[scenario]}"


def _known(name: str, metrics: Sequence[str]) -> list[str]:
    """Metrics that the tables print. Raises `InputError`."""
    for metric in metrics:
        if metric not in METRIC_LABELS:
            raise InputError(f"parameter {name}: {metric!r}; write {', '.join(METRIC_LABELS)}")
    return list(metrics)


def _order(metric: str) -> pl.DataFrame:
    """The backends by their mean rank over the tables: backend, row (the label), place."""
    ranked = results.ranks(metric).group_by("backend").agg(pl.col("rank").mean())
    return ranked.sort("rank", "backend").select("backend", row=BACKEND).with_row_index("place")


def _ranked(order: pl.DataFrame, metric: str) -> pl.DataFrame:
    """`results.ranks` by table and by `order`, with row (backend) and column (table)."""
    rows = results.ranks(metric).join(order, on="backend", maintain_order="left")
    tables = rows.select("scenario", column=table_labels()).unique(maintain_order=True)
    return (
        rows.with_columns(column=table_labels())
        .join(tables.with_row_index("table"), on=["scenario", "column"], maintain_order="left")
        .sort("place", "table")
    )
