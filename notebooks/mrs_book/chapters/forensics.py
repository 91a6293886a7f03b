"""The chapter "What the printed numbers say": for each topic three sentences and one figure.

Sentences are built from values; which of two wordings stands there is decided by them, too.
"""

from functools import cached_property

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from scipy import stats

from mrs.evaluation.bootstrap import t_interval
from mrs_book.kit.figures import forest, scatter, stacked
from mrs_book.kit.style import BLUE, GREEN, GREY, ORANGE
from mrs_book.papers import cold_at_20, forensics, results
from mrs_book.papers.cold_at_20 import KS
from mrs_book.papers.results import (
    BACKEND_LABELS,
    METRIC_LABELS,
    RECOMMENDER_LABELS,
    SCENARIOS,
    table_labels,
)
from mrs_book.papers.t_intervals import width_ratio

POINT, MANY_POINTS = 1, 100  # percentage points: a range worth a word, and a wide one
TAU = {"hot": "within hot", "cold": "within cold", "hot and cold": "between hot and cold"}
WORDS = {"above": "real above shuffled", "open": "interval holds zero", "below": "real below"}
COLOURS = dict(zip(WORDS.values(), (BLUE, "#bbbbbb", ORANGE), strict=True))
METRIC = pl.col("metric").replace_strict(METRIC_LABELS)
BACKEND = pl.col("backend").replace_strict(BACKEND_LABELS)


class Page:
    """The printed tables questioned by themselves: a text and a figure per topic."""

    @cached_property
    def cutoff(self) -> pl.DataFrame:
        """The mean shuffled cold control and chance by metric: `cold_at_20.summary`."""
        return cold_at_20.summary(cold_at_20.distances())

    @cached_property
    def improvements(self) -> pl.DataFrame:
        """Real minus shuffled of every cell: `forensics.improvements`."""
        return forensics.improvements()

    @cached_property
    def percentages(self) -> pl.DataFrame:
        """Printed improvements beside recomputed ones, and whether they are equal."""
        equal = pl.col("improvement") == pl.col("recomputed")
        return results.improvements_from_base().with_columns(equal=equal)

    @cached_property
    def widths(self) -> pl.DataFrame:
        """Correlation of Recall and width by table: `forensics.width_correlations`, row (label)."""
        return _labelled(forensics.width_correlations())

    @cached_property
    def agreement(self) -> pl.DataFrame:
        """Mean Kendall's tau of tables: `forensics.agreement`, group (with or without KNN)."""
        kinds = {"all recommenders": [], "without KNN": ["knn"]}
        return pl.concat(
            forensics.agreement(without=without).with_columns(group=pl.lit(group))
            for group, without in kinds.items()
        )

    @cached_property
    def ranges(self) -> pl.DataFrame:
        """What rounding leaves of each printed percentage: `forensics.percentage_ranges`."""
        return forensics.percentage_ranges().with_columns(table=table_labels())

    # At which list length

    def cutoff_text(self) -> str:
        """Chance at both list lengths, and to which of them the controls are nearer."""
        recall = self.cutoff.filter(metric="recall").row(0, named=True)
        few, many = KS
        n = int(self.cutoff["n"].sum())
        return (
            f"Over the {recall['n']} shuffled cold cells the mean Recall is {recall['mean']:.4f} "
            f"{_range(recall, 4)}; a random ranking of the same test reaches exactly "
            f"{recall[f'chance_{few}']:.4f} at {few} and {recall[f'chance_{many}']:.4f} at {many}. "
            f"{_count(int(self.cutoff[f'nearer_{many}'].sum()), n).capitalize()} control values "
            f"are nearer to chance at {many} than to chance at {few}. "
            f"{cold_at_20.verdict(cold_at_20.distances())}"
        )

    def cutoff_figure(self) -> Figure:
        """The controls and chance at both list lengths, as shares of the latter."""
        few, many = KS
        unit = pl.col(f"chance_{many}")
        control, short = "mean control, 95 % interval", f"chance @{few}"
        row = METRIC.alias("row")
        ends = [(pl.col(name) / unit).alias(name) for name in ("low", "high")]
        means = self.cutoff.select(row, *ends, value=pl.col("mean") / unit, group=pl.lit(control))
        chance = self.cutoff.select(row, value=pl.col(f"chance_{few}") / unit, group=pl.lit(short))
        return forest(
            pl.concat([means, chance], how="diagonal").with_columns(lane=pl.lit("")),
            f"in units of chance @{many}",
            references={f"chance @{many}": 1},
            zero=True,
            styles={control: {"color": BLUE}, short: {"color": ORANGE, "marker": "x"}},
        )

    # KNN and chance

    def knn_text(self) -> str:
        """How far KNN's Recall is from chance, hot by backends and cold by runs."""
        rows = forensics.knn_and_chance()
        hot, cold = (rows.filter(scenario=scenario) for scenario in SCENARIOS)
        low, typical, high = forensics.hot_chance()
        over = t_interval(hot["mean"].to_numpy(), forensics.LEVEL)
        mean, start, end = (float(part) for part in (over.mean, over.low, over.high))
        beyond = int(hot["beyond"].sum())
        chance = forensics.cold_chance()
        bound = stats.norm.ppf((1 + forensics.LEVEL) / 2) * forensics.cold_recall_error()
        apart = int(((cold["mean"] - chance).abs() > bound).sum())
        below = int((cold["mean"] < chance - bound).sum())
        best = cold.row(-1, named=True)
        at_chance = start <= typical <= end and not beyond
        return (
            f"Hot Recall @{forensics.K} of {_count(beyond, len(hot))} backends is further than the "
            f"largest possible sampling error from what a random list reaches ({typical:.5f} for a "
            f"listener of median history, {low:.5f} to {high:.5f} over all), and the mean over "
            f"backends is {mean:.5f} [{start:.5f}, {end:.5f}]: these values "
            + (
                "show no difference from chance, and a largest error cannot exclude one. "
                if at_chance
                else "differ from chance. "
            )
            + f"In cold, {BACKEND_LABELS[best['backend']]} has {best['mean']:.4f} where chance is "
            f"{chance:.4f}: {best['z']:.2f} standard deviations of single shuffled runs above it. "
            f"It is the best of {len(cold)}, and the best of as many runs at chance is as far "
            f"above with a probability of {best['above']:.2f}, so that a level above chance is "
            f"{'supported' if best['above'] <= 1 - forensics.LEVEL else 'open'}. "
            "Runs are the unit: listeners taken as independent would set "
            f"{_count(apart, len(cold))} backends apart from chance, {below} of them below it."
        )

    def knn_figure(self) -> Figure:
        """KNN Recall of each backend against exact chance, hot and cold.

        The grey band is what chance allows: in hot twice the largest sampling error, in cold twice
        the standard deviation of a single shuffled run, whose listeners share much of their lists.
        """
        half = {"hot": forensics.hot_recall_error(), "cold": forensics.control_run_spread()}
        rows = forensics.knn_and_chance()
        band = 2 * pl.col("scenario").replace_strict(half)
        chance = {s: rows.filter(scenario=s)["chance"][0] for s in SCENARIOS}
        return forest(
            rows.select(
                pl.col("scenario").alias("panel"),
                BACKEND.alias("row"),
                group=pl.lit("printed"),
                value="mean",
                band_low=pl.col("chance") - band,
                band_high=pl.col("chance") + band,
            ),
            "Recall @50",
            references={"chance": chance},
            columns=1,
            zero=True,
            band="2 largest standard errors (hot), 2 standard deviations of a run (cold)",
            styles={"printed": {"color": BLUE}},
        )

    # Improvements over shuffled vectors

    def improvements_text(self) -> str:
        """Which improvements the runs support."""
        rows = self.improvements
        above, below, open_ = (rows.filter(verdict=word) for word in ("above", "below", "open"))
        held = above.filter(pl.col("p_holm") < 1 - forensics.LEVEL)
        most = (
            rows.group_by("scenario", "recommender", maintain_order=True)
            .agg(n=pl.len(), open=(pl.col("verdict") == "open").sum())
            .sort("open", descending=True, maintain_order=True)
            .row(0, named=True)
        )
        runs = np.concatenate([rows["n_real"].to_numpy(), rows["n_shuffled"].to_numpy()])
        unusual = int((runs != forensics.USUAL_RUNS).sum())
        factor = [width_ratio(int(n)) for n in np.unique(runs)]
        return (
            f"{len(rows.filter(pl.col('difference') > 0))} of {len(rows)} cells print more with "
            "real than with shuffled vectors; with the degrees of freedom of the runs the interval "
            f"of the difference excludes zero in {len(above)} of them, and in {len(held)} after "
            f"Holm's correction over the backends of a table (rounding could turn "
            f"{int((~rows['firm']).sum())} of the {len(rows)} verdicts). "
            f"{len(below)} cells are below their control beyond the interval and {len(open_)} are "
            f"undecided, most of them in {RECOMMENDER_LABELS[most['recommender']]}, "
            f"{most['scenario']} ({most['open']} of {most['n']}). "
            f"{unusual} of {len(runs)} means do not have {forensics.USUAL_RUNS} runs, and their "
            f"printed half-widths are {min(factor):.2f} to {max(factor):.2f} times what "
            "their runs give."
        )

    def improvements_figure(self) -> Figure:
        """How many improvements an interval with the right degrees of freedom keeps, by table."""
        rows = _labelled(self.improvements)
        every = rows.select("row").unique(maintain_order=True)
        counts = rows.group_by("row", part=pl.col("verdict").replace_strict(WORDS)).len("value")
        return stacked(
            every.join(pl.DataFrame({"part": list(WORDS.values())}), how="cross")
            .join(counts, on=["row", "part"], how="left", maintain_order="left")
            .with_columns(pl.col("value").fill_null(0)),
            "cells: backends × metrics",
            styles={part: {"color": colour} for part, colour in COLOURS.items()},
        )

    # The control of the "100" tables

    def wrong_control_text(self) -> str:
        """Which improvements follow from the base runs' control, and what is right in cold."""
        rows = self.percentages
        later = rows.filter(variant="100")
        cold = forensics.hundred_against_chance()
        return (
            f"{_count(int(rows['equal'].sum()), len(rows)).capitalize()} printed improvements "
            "follow from the printed means with the shuffled mean of the base runs. "
            f"This holds for {_count(int(later['equal'].sum()), len(later))} improvements of the "
            "“100” tables, too: the controls of their own runs are not printed. "
            "In cold any control's expected value is chance, so that the right answer is known: "
            f"the median of {len(cold)} gains is {_median(cold['against_chance']):.0f} % over "
            f"exact chance where {_median(cold['printed']):.0f} % is printed."
        )

    def wrong_control_figure(self) -> Figure:
        """Printed against recomputed improvements; those of the "100" tables stand out."""
        names = {"base": "base tables", "100": "“100” tables"}
        points = self.percentages.select(
            x=pl.col("recomputed").cast(pl.Float64),
            y=pl.col("improvement").cast(pl.Float64),
            group=pl.col("variant").replace_strict(names),
        )
        ends = points.select(x=pl.concat_list(pl.col("y").min(), pl.col("y").max()).explode())
        diagonal = ends.select("x", y="x", group=pl.lit("equal"))
        figure = scatter(
            pl.concat([points, diagonal]),
            "from the base runs' shuffled mean, %",
            "printed, %",
            styles={
                names["base"]: {"color": BLUE, "marker": "."},
                names["100"]: {"color": ORANGE, "marker": "x"},
                "equal": {"color": GREY, "marker": "", "linestyle": ":"},
            },
        )
        for scale in (figure.axes[0].set_xscale, figure.axes[0].set_yscale):
            scale("symlog", linthresh=10)
        return figure

    # Width of the vectors

    def width_text(self) -> str:
        """How the backends' order goes with the width of their vectors."""
        rows = self.widths.sort("rho")
        ends = [f"{row['rho']:.2f} ({row['row']})" for row in rows[[0, -1]].rows(named=True)]
        clear = rows.filter((pl.col("low") > 0) | (pl.col("high") < 0))
        median = {s: _median(rows.filter(scenario=s)["rho"]) for s in SCENARIOS}
        widths = forensics.widths()["width"].sort()
        return (
            f"Spearman's ρ of Recall and width over the backends lies between {ends[0]} and "
            f"{ends[1]}; its interval excludes zero in {len(clear)} of {len(rows)} tables. "
            f"The median is {median['hot']:.2f} in hot and {median['cold']:.2f} in cold. "
            f"Over {len(widths)} backends, {widths[0]} to {widths[-1]} wide, the median interval "
            f"spans {_median(rows['high'] - rows['low']):.2f}: width is neither shown to matter "
            "nor excluded by these numbers."
        )

    def width_figure(self) -> Figure:
        """Rank correlation of Recall with the width of the vectors, one row per table."""
        return forest(
            self.widths.select(
                "row", "low", "high", value="rho", group="scenario", lane=pl.lit("")
            ),
            "Spearman's ρ of Recall and width",
            references={"": 0},
        )

    # ELSA

    def elsa_text(self) -> str:
        """Plain collaborative filtering against every row that reads audio."""
        rows = forensics.elsa_and_best().with_columns(table=table_labels())
        row = rows.filter(metric="recall").row(0, named=True)
        key = {name: row[name] for name in ("recommender", "variant", "backend", "metric")}
        half = results.real_and_shuffled().filter(scenario="hot", **key)["real_ci95"][0]
        beyond = "no interval" if half is None else f"a printed half-width of {half:.4f}"
        above = _count(int(rows["n_above"].sum()), int(rows["n"].sum()))
        return (
            f"ELSA, which reads no audio, has a hot Recall @{forensics.K} of {row['elsa']:.4f}; "
            f"the best of the {row['n']} rows with audio, "
            f"{row['table']} on "
            f"{BACKEND_LABELS[row['backend']]}, has {row['best']:.4f}, "
            f"{row['best'] / row['elsa']:.0%} of it. "
            f"Over the {len(rows)} metrics, {above} hot values with audio are above ELSA's. "
            f"The difference in Recall is {row['elsa'] - row['best']:.4f}, and the best row has "
            f"{beyond}."
        )

    def elsa_figure(self) -> Figure:
        """Every hot Recall of a row that reads audio, and ELSA's."""
        hot = results.ranks("recall").filter(scenario="hot")
        level = forensics.elsa_and_best().filter(metric="recall")["elsa"][0]
        name = RECOMMENDER_LABELS["elsa"]
        return forest(
            hot.select(table_labels().alias("row"), value="mean", group=pl.lit("backends")),
            "hot Recall @50",
            references={name: level},
            zero=True,
            styles={name: {"color": GREEN, "linestyle": "--"}, "backends": {"alpha": 0.6}},
        )

    # Agreement of the tables' orders

    def agreement_text(self) -> str:
        """Whether recommenders order the backends alike."""
        every, trained = (
            {row["pair"]: row for row in rows.iter_rows(named=True)}
            for rows in self.agreement.partition_by("group", maintain_order=True)
        )

        def of(rows: dict[str, dict], pair: str) -> str:
            return f"{rows[pair]['tau']:.2f} {_range(rows[pair])}"

        gap = forensics.order_gaps().filter(without="knn").row(0, named=True)
        verdict = (
            "hot and cold order the backends differently beyond what tables of one scenario do"
            if gap["low"] > 0
            else "tables of one scenario differ more than those of two"
            if gap["high"] < 0
            else "whether hot and cold order the backends differently is open"
        )
        return (
            f"Mean Kendall's τ of the backends' order by Recall is {of(every, 'hot')} over the "
            f"{every['hot']['n']} pairs of hot tables, {of(every, 'cold')} over the "
            f"{every['cold']['n']} pairs of cold ones, and {of(every, 'hot and cold')} between a "
            f"hot and a cold table. Without KNN it is {of(trained, 'hot')} in hot, "
            f"{of(trained, 'cold')} in cold and {of(trained, 'hot and cold')} between the two. "
            f"Without KNN, agreement within scenarios is {gap['within']:.2f} and between them "
            f"{gap['between']:.2f}, a difference of {gap['mean']:.2f} {_range(gap)}: {verdict}."
        )

    def agreement_figure(self) -> Figure:
        """Mean Kendall's tau between tables, with and without KNN."""
        return forest(
            self.agreement.select(
                pl.col("pair").replace_strict(TAU).alias("row"), "group", "low", "high", value="tau"
            ),
            "mean Kendall's τ of two tables' orders",
            references={"no relation": 0, "same order": 1},
        )

    # A cell that is printed with two values

    def replaced_text(self) -> str:
        """The run that was exchanged between two printings."""
        rows = forensics.replaced_run()
        gains = results.repeats().filter(~pl.col("agrees")).row(0, named=True)
        first = rows.row(0, named=True)
        levels = dict(cold_at_20.chance_levels().select("metric", "chance_50").iter_rows())
        left, came, stayed = (
            ", ".join(
                f"{METRIC_LABELS[metric]} {v:.3f}"
                for metric, v in rows.select("metric", name).rows()
            )
            for name in ("left", "came", "stayed")
        )
        chance = ", ".join(f"{levels[metric]:.3f}" for metric in rows["metric"])
        key = {name: first[name] for name in ("recommender", "scenario", "metric")}
        column = results.tables().filter(embeddings="real", **key)
        widest = column.sort("ci95", descending=True).row(0, named=True)
        return (
            f"{RECOMMENDER_LABELS[first['recommender']]}, {first['scenario']}, on "
            f"{BACKEND_LABELS[first['backend']]} is printed twice with different values: "
            f"{METRIC_LABELS[first['metric']]} {first['first']:.4f} ± {first['first_ci95']:.4f} in "
            f"cell {gains['source_cell']} and {first['later']:.4f} ± {first['later_ci95']:.4f} in "
            f"the full table, with a gain over shuffled of "
            f"{gains['improvement_over_shuffle_pct']} % and {gains['improvement_complete']} %. "
            f"If one of {forensics.USUAL_RUNS} runs was exchanged, the two means and half-widths "
            f"give both: the one that left had {left} (chance: {chance}), the one that came "
            f"{came}, and the mean of those that stayed is {stayed}. "
            "The notebook shows the new run's name and no reason; a half-width of "
            f"{widest['ci95']:.4f} stands unexplained in the same column at "
            f"{BACKEND_LABELS[widest['backend']]}."
        )

    def replaced_figure(self) -> Figure:
        """The two printings of the cell that differs, and the runs behind them."""
        rows = forensics.replaced_run()
        printings = {"first": ("earlier printing", "left"), "later": ("full table", "came")}
        parts = []
        for name, (row, run) in printings.items():
            half = pl.col(f"{name}_ci95")
            mark = rows.select(METRIC.alias("panel"), row=pl.lit(row))
            printed = rows.select(
                group=pl.lit("printed mean and interval"),
                value=name,
                low=(pl.col(name) - half).clip(0),
                high=pl.col(name) + half,
            )
            recovered = rows.select(group=pl.lit(f"run that {run}, recovered"), value=run)
            parts += [pl.concat([mark, one], how="horizontal") for one in (printed, recovered)]
        levels = cold_at_20.chance_levels().select(METRIC, "chance_50")
        return forest(
            pl.concat(parts, how="diagonal"),
            references={"chance @50": dict(levels.iter_rows())},
            columns=1,
            zero=True,
        )

    # Rounding

    def rounding_text(self) -> str:
        """What rounding leaves of the percentages."""
        rows = self.ranges
        over, wide = (int((rows["width"] > points).sum()) for points in (POINT, MANY_POINTS))
        row = rows.sort("width", descending=True).row(0, named=True)
        unsigned = rows.filter(pl.col("low") <= 0, pl.col("high") >= 0)
        return (
            "Improvements were computed from means rounded to four decimals: the exact one could "
            f"lie anywhere in a range wider than {POINT} percentage point for {over} of "
            f"{len(rows)}, and wider than {MANY_POINTS} for {wide}. "
            f"The widest is {row['table']}, {row['scenario']}, "
            f"{METRIC_LABELS[row['metric']]} on {BACKEND_LABELS[row['backend']]}: printed "
            f"{row['improvement']} %, between {row['low']:.0f} % and {row['high']:.0f} %, since "
            f"its shuffled mean is printed as {row['shuffled']:.4f}. "
            f"For {len(unsigned)} not even the sign is known; the median range is "
            f"{_median(rows['width']):.1f} points."
        )

    def rounding_figure(self) -> Figure:
        """How wide the range of each printed percentage is, against the shuffled mean under it."""
        return scatter(
            self.ranges.select(x="shuffled", y="width"),
            "printed shuffled mean",
            "range, percentage points",
            scales=("log", "log"),
            styles={"": {"alpha": 0.6, "marker": "."}},
        )


def _labelled(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with the label of their table and scenario: row."""
    return rows.with_columns(row=pl.format("{}, {}", table_labels(), "scenario"))


def _count(n: int, of: int) -> str:
    """How many of how many."""
    if n == of:
        return f"all {of}"
    return f"none of the {of}" if n == 0 else f"{n} of the {of}"


def _median(values: pl.Series) -> float:
    return float(np.median(values.to_numpy()))


def _range(row: dict, decimals: int = 2) -> str:
    return f"[{row['low']:.{decimals}f}, {row['high']:.{decimals}f}]"
