"""Which differences are more than chance? Pairs of backends, references, seeds, power and ranks."""

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
from IPython.display import Markdown
from matplotlib.figure import Figure

from mrs.evaluation.significance import (
    LEVEL,
    POWER,
    Components,
    average_ranks,
    critical_difference,
    first_step,
)
from mrs_book.chapters.significance_pairs import against_references, pairs
from mrs_book.kit import summary
from mrs_book.kit.figures import closed, forest, heat_map, lines, stacked
from mrs_book.kit.parameters import open_results
from mrs_book.kit.style import BLUE, GREY, ORANGE, WIDTH, is_surrogate

FAMILY = ("scenario", "recommender")
DIFFER = "clearly differ"
SIZES = (0.005, 0.01, 0.02, 0.05)  # differences for which the number of users is computed
SETTINGS = f"{LEVEL:.0%} level, {POWER:.0%} power"  # of `detectable`
LEAST = 3  # systems, and blocks, that make a figure of ranks
SOURCES = {
    "seeds: more seeds would remove it": {"color": ORANGE},
    "both: either would": {"color": "#bbbbbb"},
    "users: more users would": {"color": BLUE},
}
# Numbers of users beside the study's own, which is the element OWN.
USERS, OWN = 2.0 ** np.arange(-3, 4.5, 0.25), 12
SEEDS = (
    pl.when((pl.col("n_seeds").first() == 1) & pl.col("ranked").all())
    .then(pl.lit("no draws"))
    .otherwise(pl.col("n_seeds").first().cast(pl.String))
    .alias("seeds")
)
VERDICT = (
    pl.when("apart").then(pl.lit("yes")).when(~pl.col("apart")).then(pl.lit("no"))
    .when(~pl.col("ranked")).then(pl.lit("one seed")).otherwise(pl.lit("too few users"))
    .alias(DIFFER)
)  # fmt: skip
INTERVAL = ("difference", pl.col("low").alias("from"), pl.col("high").alias("to"))
TEST = (pl.col("p_holm").alias("p, Holm"), "d_z")


class Page:
    """The comparisons of a study's records in a store.

    `pairs` and `references` have the columns of `mrs_book.chapters.significance_pairs.SCHEMA`.
    """

    def __init__(self, study: str, store: str) -> None:
        self.results = open_results(study, store)
        scenarios = self.results.study.scenarios
        self.pairs = pl.concat([pairs(self.results, name) for name in scenarios])
        self.references = pl.concat([against_references(self.results, name) for name in scenarios])

    def _families(self, *, ranked: bool = False) -> Iterator[tuple[str, str, pl.DataFrame]]:
        """Scenario, recommender and pairs; with `ranked` without those of one seed."""
        frame = self.pairs.filter("ranked") if ranked else self.pairs
        for (name, recommender), rows in frame.group_by(FAMILY, maintain_order=True):
            yield str(name), str(recommender), rows

    def opening(self) -> Markdown:
        if not len(self.pairs):
            return Markdown("The store has no two backends of one block under one recommender.")
        metrics = self.pairs.select("metric", "scenario", "n_users").unique(maintain_order=True)
        sizes = self.pairs.group_by(FAMILY).len()["len"]
        each = " to ".join(str(n) for n in dict.fromkeys((sizes.min(), sizes.max())))
        parts = [
            f"{len(self.pairs)} pairs in {len(sizes)} families of {each} pairs each: "
            + ", ".join(f"{m} {name} over {n:,} users" for m, name, n in metrics.iter_rows())
            + f". {summary.provenance_sentence(self.results)}"
        ]
        barred = self.pairs.filter(~pl.col("ranked"))["recommender"].unique(maintain_order=True)
        if len(barred):
            parts.append(
                f"**{', '.join(barred)} ran from one seed**, which cannot rank two backends: "
                "its numbers say nothing of other seeds, and no count or rank includes it."
            )
        cells = [cell for cell in self.results.cells() if cell.backend]
        lacking = [c for c in cells if len(self.results.records(c.runs)) < len(c.runs)]
        if lacking:
            names = ", ".join(dict.fromkeys(cell.recommender.label for cell in lacking))
            parts.append(
                f"{len(lacking)} of {len(cells)} cells lack a record and are left out ({names})."
            )
        return Markdown("\n\n".join(parts))

    # Which pairs differ

    def families(self) -> pl.DataFrame:
        """One row per family: how many pairs clearly differ, and medians over its pairs."""
        unjudged = pl.col("apart").is_null().any()
        return self.pairs.group_by(FAMILY, maintain_order=True).agg(
            SEEDS,
            pl.len().alias("pairs"),
            pl.when(~unjudged).then(pl.col("apart").sum()).alias(DIFFER),
            pl.col("difference", "detectable", "d_z").median(),
        )

    def matrix_figure(self) -> Figure | None:
        """From how many others of its block each backend clearly differs, by family."""
        judged = self.pairs.filter("ranked")
        if not len(judged):
            return None
        sides = [judged.select(*FAMILY, "block", "apart", column=n) for n in ("first", "second")]
        cells = pl.concat(sides).group_by(*FAMILY, "block", "column", maintain_order=True)
        scenarios, names = (judged[name].unique(maintain_order=True) for name in FAMILY)
        backends = {c.card.label: c.provenance for c in self.results.cells() if c.card}
        order = sorted(backends, key=lambda label: list(summary.BLOCKS).index(backends[label]))
        found, among = (pl.col(name).sum().over(FAMILY) // 2 for name in ("found", "among"))
        frame = (
            cells.agg(found=pl.col("apart").sum(), among=pl.len())
            .sort(
                pl.col("scenario").replace_strict(scenarios, range(len(scenarios))),
                pl.col("column").replace_strict(order, range(len(order))),
                pl.col("recommender").replace_strict(names, range(len(names))),
            )
            .select(
                "column",
                panel="scenario",
                row=pl.format("{}, {} of {}", "recommender", found, among),
                value=pl.col("found") / pl.col("among"),
                text=pl.format("{}/{}", "found", "among"),
            )
        )
        figure = heat_map(frame, limits=(0, 1))
        for axis, (_, mine) in zip(
            figure.axes, frame.group_by("panel", maintain_order=True), strict=True
        ):
            blocks = [backends[name] for name in mine["column"].unique(maintain_order=True)]
            for edge in range(1, len(blocks)):
                if blocks[edge] != blocks[edge - 1]:
                    axis.axvline(edge, color="black", linewidth=1.5)
        return figure

    def table(self) -> pl.DataFrame:
        """One row per pair."""
        higher, lower = pl.col("first").alias("higher"), pl.col("second").alias("lower")
        half = pl.col("d_z_half").alias("±")
        return self.pairs.select(
            *FAMILY, higher, lower, *INTERVAL, *TEST, half, "detectable", VERDICT
        )

    # References that read no vectors

    def reference_table(self) -> pl.DataFrame:
        """One row per recommender with vectors and reference without."""
        return self.references.select(
            "scenario",
            pl.col("second").alias("reference"),
            "recommender",
            pl.col("first").alias("backend"),
            pl.col("first_mean").alias("mean"),
            pl.col("second_mean").alias("reference's"),
            *INTERVAL,
            *TEST,
            "detectable",
            VERDICT,
        )

    def reference_counts(self) -> pl.DataFrame:
        """One row per family: how many are clearly better, worse and neither; medians."""
        differs = pl.col("apart").fill_null(value=False)
        better, worse = differs & (pl.col("difference") > 0), differs & (pl.col("difference") < 0)
        reference = pl.col("second").alias("reference")
        families = self.references.group_by("scenario", reference, "block", maintain_order=True)
        return families.agg(
            pl.col("metric").first(),
            pl.len().alias("comparisons"),
            better.sum().alias("better"),
            worse.sum().alias("worse"),
            (~differs).sum().alias("undecided"),
            pl.col("difference", "detectable").median(),
        ).with_columns(pl.col("block").replace_strict(summary.BLOCKS))

    def reference_figure(self) -> Figure | None:
        """Differences from each reference; pale where the comparison is undecided."""
        if not len(self.references):
            return None
        frame = self.references.select(
            "metric",
            "difference",
            "low",
            "high",
            panel=pl.format("{}, against {}", "scenario", "second"),
            row="recommender",
            group="first",
            value="difference",
            faint=~pl.col("apart").fill_null(value=False),
        )
        metrics = frame.select("panel", pl.format("difference in {}", "metric"))
        return forest(frame, dict(metrics.iter_rows()), references={"": 0.0}, columns=2)

    # Seeds and users

    def errors(self) -> pl.DataFrame:
        """One row per family: half the width of a 95 % interval, now and at best.

        From variance components averaged over the family's pairs; seeds and users as random. With
        any number of seeds their spread is known, and the normal distribution takes t's place.
        """
        rows = []
        for scenario, recommender, rows_ in self._families(ranked=True):
            found = family_components(rows_)
            row = {
                "scenario": scenario,
                "recommender": recommender,
                "seeds": rows_.select(SEEDS).item(),
                "users": found.n_users,
                "half width": found.half_width(),
                "any number of seeds": found.half_width(None, np.inf),
                "any number of users": found.half_width(np.inf),
            }
            rows.append(row)
        return pl.DataFrame(rows)

    def error_figure(self) -> Figure | None:
        """Shares of a difference's variance by what would remove it."""
        rows = []
        for scenario, recommender, family in self._families(ranked=True):
            users, seeds, both = family_components(family).parts()
            for part, value in zip(SOURCES, (seeds, both, users), strict=True):
                share = value / (seeds + both + users)
                rows.append({"panel": scenario, "row": recommender, "part": part, "value": share})
        return stacked(pl.DataFrame(rows), "share of variance", styles=SOURCES) if rows else None

    # Power

    def needed(self) -> pl.DataFrame:
        """One row per family: the number of users that makes each difference detectable."""
        rows = []
        for scenario, recommender, family in self._families():
            found, level = family_components(family), first_step(len(family))
            needed = [found.users_needed(size, level=level) for size in SIZES]
            row = {
                "scenario": scenario,
                "recommender": recommender,
                "seeds": family.select(SEEDS).item(),
                "users": found.n_users,
                "detectable": found.detectable(level=level),
            }
            for size, n in zip(SIZES, needed, strict=True):
                row[f"{size:g}"] = f"{n:,.0f}" if np.isfinite(n) else "more seeds"
            rows.append(row)
        return pl.DataFrame(rows)

    def power_figure(self) -> Figure | None:
        """The minimum detectable difference by number of users; dots mark the study's own."""
        frames, styles, labels = [], {}, {}
        for scenario, recommender, family in self._families():
            found, level = family_components(family), first_step(len(family))
            users = found.n_users * USERS
            sizes = [found.detectable(n, level=level) for n in users]
            frame = pl.DataFrame({"x": users, "y": sizes})
            frames.append(frame.with_columns(panel=pl.lit(scenario), group=pl.lit(recommender)))
            line = "-" if family["ranked"].all() else ":"
            styles[recommender] = {"markevery": [OWN], "linestyle": line}
            labels[scenario] = f"detectable, {family['metric'][0]}"
        if not frames:
            return None
        return lines(
            pl.concat(frames), "users in the test", labels, scales=("log", "log"), styles=styles
        )

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
            sides = (mine.select(side, f"{side}_mean").iter_rows() for side in ("first", "second"))
            rows.append({name: mean for pairs_ in sides for name, mean in pairs_})
        names = list(dict.fromkeys(name for row in rows for name in row))
        whole = [[row[name] for name in names] for row in rows if len(row) == len(names)]
        return names, np.array(whole)


def family_components(rows: pl.DataFrame) -> Components:
    """The variance components of a family's pairs, averaged."""
    users, seeds, interaction = (
        float(np.mean(rows[name].to_numpy())) for name in ("users", "seeds", "interaction")
    )
    return Components(users, seeds, interaction, rows["n_users"][0], rows["n_seeds"][0])


def rank_figure(names: list[str], scores: np.ndarray) -> Figure:
    """Average ranks (Demsar 2006, Journal of Machine Learning Research 7); surrogates hollow.

    A bar joins those within Nemenyi's critical difference. `scores` [blocks x systems], higher is
    better.
    """
    import scikit_posthocs  # takes seconds to import

    ranks = pd.Series(average_ranks(scores), index=names)
    p = scikit_posthocs.posthoc_nemenyi_friedman(scores)
    p.index = p.columns = pd.Index(names)
    figure, axis = plt.subplots(figsize=(WIDTH, 0.24 * len(names) + 1.6))
    scikit_posthocs.critical_difference_diagram(
        ranks,
        p,
        ax=axis,
        label_fmt_left="{label} ({rank:.1f})",
        label_fmt_right="({rank:.1f}) {label}",
        label_props={"fontsize": 9},
        elbow_props={"color": GREY, "linewidth": 1},
        marker_props={
            "edgecolor": BLUE,
            "facecolor": "white" if all(map(is_surrogate, names)) else BLUE,
        },
        crossbar_props={"color": BLUE},
        text_h_margin=0.1,
    )
    axis.grid(visible=False)
    return closed(figure)
