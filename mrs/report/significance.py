"""Which differences are more than chance? Pairs of backends, judged; and what a study could see."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from mrs.evaluation.significance import (
    LEVEL,
    POWER,
    Components,
    critical_difference,
    first_step,
)
from mrs.report import summary
from mrs.report.figures import CHANCE, PLAIN, closed, interval_line, legend_below
from mrs.report.parameters import open_results
from mrs.report.ranks import rank_figure
from mrs.report.style import WIDTH, line_mark, palette
from mrs.study.pairs import SCHEMA, against_references, pairs
from mrs.study.results import Results

SIZES = (0.005, 0.01, 0.02, 0.05)  # differences for which the number of listeners is asked
PANELS = 2  # beside each other in a figure
LEAST = 3  # systems, and blocks, that make a figure of ranks
SOURCES = {
    "seeds: more seeds would remove it": "#de8f05",
    "both: either would": "#bbbbbb",
    "listeners: more listeners would": PLAIN,
}
FAMILY = ("scenario", "recommender")
DIFFER = "clearly differ"


class SignificancePage:
    """A study's pairs of backends with the tables, figures and sentences of the page."""

    def __init__(self, results: Results) -> None:
        self.results = results
        frames = [pairs(results, scenario) for scenario in results.study.scenarios]
        self.pairs = pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)
        beside = [against_references(results, scenario) for scenario in results.study.scenarios]
        self.references = pl.concat(beside) if beside else pl.DataFrame(schema=SCHEMA)
        self.scenarios = self.pairs["scenario"].unique(maintain_order=True).to_list()

    def _families(
        self, scenario: str | None = None, *, ranked: bool = False
    ) -> Iterator[tuple[str, str, pl.DataFrame]]:
        """Scenario, recommender and their pairs; with `ranked` those that one seed does not bar."""
        frame = self.pairs.filter(pl.col("ranked")) if ranked else self.pairs
        for (name, recommender), rows in frame.group_by(FAMILY, maintain_order=True):
            if scenario in (None, name):
                yield str(name), str(recommender), rows

    # In words

    def opening(self) -> str:
        """What was compared, and what bars what from being ranked."""
        if not len(self.pairs):
            return "The store has no two backends of one block under one recommender."
        metrics = self.pairs.select("metric", "scenario").unique(maintain_order=True)
        shown = ", ".join(f"{metric} {scenario}" for metric, scenario in metrics.iter_rows())
        sizes = self.pairs.group_by(FAMILY).len()["len"]
        users = self.pairs.select("scenario", "n_users").unique(maintain_order=True)
        parts = [
            f"{len(self.pairs)} pairs in {len(sizes)} families of {_span(sizes)} pairs each, on "
            f"{shown}, over "
            + ", ".join(f"{n:,} listeners {scenario}" for scenario, n in users.iter_rows())
            + f". {summary.provenance_sentence(self.results)}",
            self.one_seed(),
            self.missing(),
        ]
        return "\n\n".join(part for part in parts if part)

    def one_seed(self) -> str:
        """Which recommenders ran from one seed; empty where none did."""
        barred = self.pairs.filter(~pl.col("ranked"))["recommender"].unique(maintain_order=True)
        if not len(barred):
            return ""
        return (
            f"**{', '.join(barred)} ran from one seed.** One seed cannot rank two backends: its "
            "differences, intervals and p values below speak of other listeners only, not of "
            "another random start, and it takes no part in the counts, nor in the ranks."
        )

    def missing(self) -> str:
        """How many cells lack a record; empty where none does."""
        cells = [cell for cell in self.results.cells() if cell.backend]
        lacking = [c for c in cells if len(self.results.records(c.runs)) < len(c.runs)]
        if not lacking:
            return ""
        names = ", ".join(dict.fromkeys(cell.recommender.label for cell in lacking))
        return f"{len(lacking)} of {len(cells)} cells lack a record and are left out ({names})."

    # Which pairs differ

    def told(self) -> pl.DataFrame:
        """A row a family: how many pairs clearly differ, and how large differences are."""
        rows = [
            {
                "scenario": scenario,
                "recommender": recommender,
                "seeds": seeds_text(rows),
                "pairs": len(rows),
                DIFFER: int(rows["apart"].sum()) if _judged(rows) else None,
                "difference": rows["difference"].median(),
                "detectable": rows["detectable"].median(),
                "d_z": rows["d_z"].median(),
            }
            for scenario, recommender, rows in self._families()
        ]
        return pl.DataFrame(rows, schema_overrides={DIFFER: pl.Int64})

    def matrix_figures(self) -> list[Figure]:
        """From how many of the others of its block each backend differs, a figure a scenario."""
        families = {name: list(self._families(name, ranked=True)) for name in self.scenarios}
        return [self._matrix(name, mine) for name, mine in families.items() if mine]

    def _matrix(self, scenario: str, families: list[tuple[str, str, pl.DataFrame]]) -> Figure:
        sides = [
            self.pairs.select("block", backend=side).with_columns(
                pl.col("block").replace_strict({b: i for i, b in enumerate(summary.BLOCKS)})
            )
            for side in ("first", "second")
        ]
        order = pl.concat(sides).unique(maintain_order=True).sort("block", maintain_order=True)
        backends, blocks = order["backend"].to_list(), order["block"].to_list()
        shape = (len(families), len(backends))
        apart, among = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
        for place, (_, _, rows) in enumerate(families):
            for row in rows.iter_rows(named=True):
                for side in ("first", "second"):
                    column = backends.index(row[side])
                    among[place, column] += 1
                    apart[place, column] += bool(row["apart"])
        share = np.where(among > 0, apart / np.maximum(among, 1), np.nan)
        figure, axis = plt.subplots(figsize=(WIDTH, 0.36 * len(families) + 1.7))
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1.7, aspect="auto")
        for place, column in zip(*np.nonzero(among), strict=True):
            text = f"{apart[place, column]}/{among[place, column]}"
            axis.text(column, place, text, ha="center", va="center", fontsize=8)
        for edge in np.flatnonzero(np.diff(blocks)):
            axis.axvline(edge + 0.5, color="black", linewidth=1.5)
        axis.set_xticks(range(len(backends)), backends, rotation=45, ha="right", fontsize=9)
        names = [f"{name}, {rows['apart'].sum()} of {len(rows)}" for _, name, rows in families]
        axis.set_yticks(range(len(names)), names, fontsize=9)
        axis.set_title(scenario)
        axis.grid(visible=False)
        return closed(figure)

    def table(self) -> pl.DataFrame:
        """Every pair, for a sortable table."""
        return self.pairs.select(
            "scenario",
            "recommender",
            pl.col("first").alias("higher"),
            pl.col("second").alias("lower"),
            "difference",
            pl.col("low").alias("from"),
            pl.col("high").alias("to"),
            pl.col("p_holm").alias("p, Holm"),
            "d_z",
            pl.col("d_z_half").alias("±"),
            "detectable",
            _verdict().alias(DIFFER),
        )

    # Against what reads no vectors

    def reference_table(self) -> pl.DataFrame:
        """Every comparison with a reference that reads no vectors, for a sortable table."""
        return self.references.select(
            "scenario",
            pl.col("second").alias("reference"),
            "recommender",
            pl.col("first").alias("backend"),
            pl.col("first_mean").alias("mean"),
            pl.col("second_mean").alias("reference's"),
            "difference",
            pl.col("low").alias("from"),
            pl.col("high").alias("to"),
            pl.col("p_holm").alias("p, Holm"),
            "d_z",
            "detectable",
            _verdict().alias(DIFFER),
        )

    def reference_text(self) -> str:
        """How many recommenders are better and worse than each reference, a line a family."""
        if not len(self.references):
            return (
                "The store has no trained recommender that reads vectors beside a reference that "
                "reads none."
            )
        lines = []
        for (scenario, name, block), rows in self.references.group_by(
            "scenario", "second", "block", maintain_order=True
        ):
            held = rows.filter("apart")
            better = held.filter(pl.col("difference") > 0)
            open_ = len(rows) - len(held)
            middle = {name: float(np.median(rows[name])) for name in ("difference", "detectable")}
            lines.append(
                f"- {str(scenario).capitalize()}, {rows['metric'][0]}, against {name} "
                f"({summary.BLOCKS[str(block)][0].lower()}{summary.BLOCKS[str(block)][1:]}): "
                f"{len(better)} of {len(rows)} are better, {len(held) - len(better)} worse, and "
                f"{open_} undecided. The median difference is {middle['difference']:+.4f}; "
                f"{middle['detectable']:.4f} would be found in {POWER:.0%} of studies."
            )
        return "\n".join(lines)

    def reference_figure(self) -> Figure:
        """Differences from each reference with their intervals, a panel a scenario and reference.

        A row per recommender, its backends beside each other; surrogates are hollow, and a mark is
        pale where Holm's adjusted p value leaves the comparison undecided.
        """
        frame = self.references
        panels = list(frame.select("scenario", "second").unique(maintain_order=True).iter_rows())
        names = frame["recommender"].unique(maintain_order=True).to_list()[::-1]
        colours = palette(frame["first"].unique(maintain_order=True).to_list())
        figure, axes = plt.subplots(
            -(-len(panels) // PANELS),
            PANELS,
            figsize=(WIDTH, (0.5 * len(names) + 1.1) * -(-len(panels) // PANELS) + 0.8),
            sharey=True,
            squeeze=False,
        )
        for axis, (scenario, reference) in zip(axes.flat, panels, strict=False):
            mine = frame.filter(scenario=scenario, second=reference)
            for name in mine["recommender"].unique(maintain_order=True):
                rows = mine.filter(recommender=name)
                offsets = np.linspace(0.35, -0.35, len(rows)) if len(rows) > 1 else [0.0]
                for offset, row in zip(offsets, rows.iter_rows(named=True), strict=True):
                    style = {"color": colours[row["first"]], "alpha": 1 if row["apart"] else 0.35}
                    place = names.index(name) + offset
                    interval_line(axis, place, row["low"], row["high"], linewidth=1.2, **style)
                    mark = line_mark(row["first"]) | {"linestyle": "", "markersize": 4}
                    axis.plot(row["difference"], place, **mark, **style)
                    axis.plot([], [], **mark, color=colours[row["first"]], label=row["first"])
            axis.axvline(0, color=CHANCE, linestyle=":")
            axis.set_title(f"{scenario}, against {reference}", fontsize=10)
            axis.set_xlabel(f"difference in {mine['metric'][0]}")
            axis.locator_params(axis="x", nbins=4)
            axis.set_yticks(range(len(names)), names, fontsize=8)
        for axis in axes.flat[len(panels) :]:
            axis.axis("off")
        legend_below(figure, axes[0, 0], 4)
        return closed(figure)

    # Seeds and listeners

    def errors(self) -> pl.DataFrame:
        """A row a family: half the width of a 95 % interval as it is, and as it could be at best.

        From variance components averaged over the family's pairs; seeds and users as random. With
        any number of seeds their spread is known, and the normal distribution takes t's place.
        """
        rows = []
        for scenario, recommender, pairs_ in self._families(ranked=True):
            found = family_components(pairs_)
            designs: tuple[tuple, ...] = ((), (None, np.inf), (np.inf,))
            now, seeds, users = (found.half_width(*design) for design in designs)
            rows.append(
                {
                    "scenario": scenario,
                    "recommender": recommender,
                    "seeds": seeds_text(pairs_),
                    "listeners": found.n_users,
                    "half width": now,
                    "any number of seeds": seeds,
                    "any number of listeners": users,
                }
            )
        return pl.DataFrame(rows)

    def error_figure(self) -> Figure:
        """Shares of a difference's variance by what would remove it, a panel a scenario."""
        families = list(self._families(ranked=True))
        names = list(dict.fromkeys(recommender for _, recommender, _ in families))[::-1]
        figure, axes = plt.subplots(
            1,
            len(self.scenarios),
            figsize=(WIDTH, 0.34 * len(names) + 1.8),
            sharey=True,
            squeeze=False,
        )
        for scenario, recommender, rows in families:
            axis = axes[0, self.scenarios.index(scenario)]
            users, seeds, both = family_components(rows).parts()
            shares = np.array([seeds, both, users]) / (seeds + both + users)
            starts = np.concatenate([[0], np.cumsum(shares)[:-1]])
            place = names.index(recommender)
            for (label, colour), start, share in zip(SOURCES.items(), starts, shares, strict=True):
                axis.barh(place, share, left=start, color=colour, label=label, height=0.7)
        for axis, scenario in zip(axes[0], self.scenarios, strict=True):
            axis.set_title(scenario)
            axis.set_xlim(0, 1)
            axis.set_xlabel("share of variance")
            axis.grid(axis="y", visible=False)
        axes[0, 0].set_yticks(range(len(names)), names, fontsize=9)
        legend_below(figure, axes[0, 0], 1)
        return closed(figure)

    # Power

    def needed(self) -> pl.DataFrame:
        """A row a family: with how many listeners a difference of each size is detectable."""
        rows = []
        for scenario, recommender, pairs_ in self._families():
            found, level = family_components(pairs_), first_step(len(pairs_))
            needed = [found.users_needed(size, level=level) for size in SIZES]
            rows.append(
                {
                    "scenario": scenario,
                    "recommender": recommender,
                    "seeds": seeds_text(pairs_),
                    "listeners": found.n_users,
                    "detectable": found.detectable(level=level),
                }
                | {
                    f"{size:g}": f"{n:,.0f}" if np.isfinite(n) else "more seeds"
                    for size, n in zip(SIZES, needed, strict=True)
                }
            )
        return pl.DataFrame(rows)

    def power_figure(self) -> Figure:
        """The minimum detectable difference against the number of listeners, a panel a scenario."""
        names = self.pairs["recommender"].unique(maintain_order=True).to_list()
        colours = palette(names)
        figure, axes = plt.subplots(
            len(self.scenarios),
            1,
            figsize=(WIDTH, 2.9 * len(self.scenarios) + 0.8),
            squeeze=False,
        )
        for axis, scenario in zip(axes[:, 0], self.scenarios, strict=True):
            for _, recommender, rows in self._families(scenario):
                found, level = family_components(rows), first_step(len(rows))
                users = np.geomspace(found.n_users / 10, found.n_users * 20, 60)
                sizes = [found.detectable(n, level=level) for n in users]
                style = {"color": colours[recommender], "label": recommender, "linewidth": 1.5}
                axis.plot(users, sizes, linestyle="-" if rows["ranked"].all() else ":", **style)
                axis.plot(
                    found.n_users, found.detectable(level=level), "o", **style | {"label": ""}
                )
            axis.set_xscale("log")
            axis.set_yscale("log")
            axis.xaxis.set_major_formatter("{x:,.0f}")
            axis.yaxis.set(
                major_locator=LogLocator(subs=(1, 2, 5)),
                major_formatter="{x:g}",
                minor_formatter=NullFormatter(),
            )
            axis.set_ylabel(f"detectable, {rows['metric'][0]}\n{scenario}")
        axes[-1, 0].set_xlabel("listeners in the test")
        legend_below(figure, axes[0, 0])
        return closed(figure)

    # Ranks

    def rank_figures(self) -> list[tuple[str, Figure]]:
        """A caption and a critical-difference figure for each block with enough backends."""
        figures = []
        for block, title in summary.BLOCKS.items():
            names, scores = self._scores(block)
            if len(names) >= LEAST and len(scores) >= LEAST:
                text = (
                    f"{title}. Descriptive: average ranks of {len(names)} backends over "
                    f"{len(scores)} blocks of recommender and scenario; the critical difference "
                    f"is {critical_difference(len(names), len(scores)):.1f} ranks."
                )
                figures.append((text, rank_figure(names, scores)))
        return figures

    def _scores(self, block: str) -> tuple[list[str], np.ndarray]:
        """Means over users and seeds [recommender x scenario, backend], of whole rows only."""
        rows = []
        for _, _, frame in self._families(ranked=True):
            mine = frame.filter(pl.col("block") == block)
            sides = ((mine[side], mine[f"{side}_mean"]) for side in ("first", "second"))
            rows.append({n: m for names, means in sides for n, m in zip(names, means, strict=True)})
        names = list(dict.fromkeys(name for row in rows for name in row))
        whole = [[row[name] for name in names] for row in rows if len(row) == len(names)]
        return names, np.array(whole)


def _judged(rows: pl.DataFrame) -> bool:
    """Whether every pair of a family has a verdict."""
    return bool(rows["apart"].is_not_null().all())


def _verdict() -> pl.Expr:
    """Whether a comparison holds, in words."""
    return (
        pl.when("apart").then(pl.lit("yes")).when(~pl.col("apart")).then(pl.lit("no"))
        .when(~pl.col("ranked")).then(pl.lit("one seed")).otherwise(pl.lit("too few users"))
    )  # fmt: skip


def family_components(rows: pl.DataFrame) -> Components:
    """The variance components of a family's pairs, averaged."""
    users, seeds, interaction = (
        float(np.mean(rows[name].to_numpy())) for name in ("users", "seeds", "interaction")
    )
    return Components(users, seeds, interaction, rows["n_users"][0], rows["n_seeds"][0])


def seeds_text(rows: pl.DataFrame) -> str:
    """The number of a family's seeds, or that it draws nothing at random."""
    n = rows["n_seeds"][0]
    return "no draws" if n == 1 and rows["ranked"].all() else str(n)


def _span(sizes: pl.Series) -> str:
    low, high = min(sizes), max(sizes)
    return str(low) if low == high else f"{low} to {high}"


def settings_text() -> str:
    """The level and power that `detectable` stands for."""
    return f"{LEVEL:.0%} level, {POWER:.0%} power"


def open_page(study: str, store: str) -> SignificancePage:
    """The page of a study file's records in a store."""
    return SignificancePage(open_results(study, store))
