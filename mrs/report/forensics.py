"""The chapter "What the printed numbers say": for each topic one figure and three sentences.

Sentences are built from values; which of two wordings stands there is decided by them, too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from IPython.display import Markdown, display
from matplotlib.figure import Figure
from scipy import stats

from mrs.evaluation.bootstrap import t_interval
from mrs.published import cold_at_20, forensics, results
from mrs.published.cold_at_20 import KS
from mrs.published.results import METRIC_LABELS, RECOMMENDER_LABELS, SOURCE
from mrs.report import forensics_figures as figures
from mrs.report.published import backend_label, table_label

Sentences = tuple[str, str, str]
POINT, MANY_POINTS = 1, 100  # percentage points: a range worth a word, and a wide one


@dataclass(frozen=True)
class Topic:
    """A figure, the three sentences below it, and what the figure shows."""

    figure: Callable[[], Figure]
    sentences: Callable[[], Sentences]
    caption: str


def _count(n: int, of: int) -> str:
    """How many of how many."""
    if n == of:
        return f"all {of}"
    return f"none of the {of}" if n == 0 else f"{n} of the {of}"


def _median(values: pl.Series) -> float:
    return float(np.median(values.to_numpy()))


def _range(row: dict, decimals: int = 2) -> str:
    return f"[{row['low']:.{decimals}f}, {row['high']:.{decimals}f}]"


def cutoff() -> Sentences:
    """Cold tables headed with one list length and computed at another."""
    distance = cold_at_20.distances(cold_at_20.controls(), cold_at_20.chance_levels())
    rows = cold_at_20.summary(distance)
    recall = rows.filter(pl.col("metric") == "recall").row(0, named=True)
    few, many = KS
    return (
        f"Over the {recall['n']} shuffled cold cells the mean Recall is {recall['mean']:.4f} "
        f"{_range(recall, 4)}; a random ranking of the same test reaches exactly "
        f"{recall[f'chance_{few}']:.4f} at {few} and {recall[f'chance_{many}']:.4f} at {many}.",
        f"{_count(int(rows[f'nearer_{many}'].sum()), len(distance)).capitalize()} control values "
        f"are nearer to chance at {many} than to chance at {few}.",
        cold_at_20.verdict(distance),
    )


def knn() -> Sentences:
    """KNN against chance."""
    hot, cold = (forensics.knn(scenario) for scenario in ("hot", "cold"))
    low, typical, high = forensics.hot_chance()
    over = t_interval(hot["mean"].to_numpy(), forensics.LEVEL)
    mean, start, end = (float(part) for part in (over.mean, over.low, over.high))
    z = float(stats.norm.ppf((1 + forensics.LEVEL) / 2))
    beyond = int(((hot["mean"] - typical).abs() > z * forensics.hot_recall_error()).sum())
    chance, error = forensics.cold_chance(), forensics.cold_recall_error()
    best = cold.row(-1, named=True)
    apart = int(((cold["mean"] - chance).abs() > z * error).sum())
    below = int((cold["mean"] < chance - z * error).sum())
    spread, probability, _ = forensics.cold_knn_by_runs(best["mean"], len(cold))
    supported = probability <= 1 - forensics.LEVEL
    return (
        f"Hot Recall @{forensics.K} of {_count(beyond, len(hot))} backends is further than the "
        f"largest possible sampling error from what a random list reaches ({typical:.5f} for a "
        f"listener of median history, {low:.5f} to {high:.5f} over all), and the mean over "
        f"backends is {mean:.5f} [{start:.5f}, {end:.5f}]: "
        + (
            "these values show no difference from chance, and a largest error cannot exclude one."
            if start <= typical <= end and not beyond
            else "these values differ from chance."
        ),
        f"In cold, {backend_label(best['backend'])} has {best['mean']:.4f} where chance is "
        f"{chance:.4f}: {spread:.2f} standard deviations of single shuffled runs above it. It is "
        f"the best of {len(cold)}, and the best of as many runs at chance is as far above with a "
        f"probability of {probability:.2f}, so that a level above chance is "
        f"{'supported' if supported else 'open'}.",
        f"Runs are the unit, since listeners taken as independent would set "
        f"{_count(apart, len(cold))} backends apart from chance, {below} of them below it, which "
        "random lists drawn for each listener would hardly do: PROBABLE cause is that profiles "
        "made of other tracks' vectors are nearly alike, so that all listeners share one list.",
    )


def improvements() -> Sentences:
    """Which improvements over shuffled vectors the runs support."""
    rows = forensics.improvements()
    up = rows.filter(pl.col("difference") > 0)
    above = rows.filter(pl.col("verdict") == "above")
    held = above.filter(pl.col("p_holm") < 1 - forensics.LEVEL)
    below, open_ = (rows.filter(pl.col("verdict") == word) for word in ("below", "open"))
    share = (
        rows.group_by("scenario", "recommender", maintain_order=True)
        .agg(n=pl.len(), open=(pl.col("verdict") == "open").sum())
        .sort("open", descending=True, maintain_order=True)
        .row(0, named=True)
    )
    runs = np.concatenate([rows["n_real"].to_numpy(), rows["n_shuffled"].to_numpy()])
    unusual = runs != forensics.USUAL_RUNS
    quantile = (1 + forensics.LEVEL) / 2
    factor = stats.t.ppf(quantile, forensics.PRINTED_DF) / stats.t.ppf(quantile, runs - 1)
    return (
        f"{len(up)} of {len(rows)} cells print more with real than with shuffled vectors; with the "
        f"degrees of freedom of the runs the interval of the difference excludes zero in "
        f"{len(above)} of them, and in {len(held)} after Holm's correction over the backends of a "
        f"table (rounding could turn {int((~rows['firm']).sum())} of the {len(rows)} verdicts).",
        f"{len(below)} cells are below their control beyond the interval and {len(open_)} are "
        f"undecided, most of them in {RECOMMENDER_LABELS[share['recommender']]}, "
        f"{share['scenario']} ({share['open']} of {share['n']}).",
        f"Runs are counted from the lists of run names in the notebook: {int(unusual.sum())} of "
        f"{len(runs)} means do not have {forensics.USUAL_RUNS}, and their printed half-widths are "
        f"{factor.min():.2f} to {factor.max():.2f} times what their runs give; that the lists are "
        "those behind the printed tables is an assumption, and the “100” tables print no control.",
    )


def wrong_control() -> Sentences:
    """The control of the "100" tables."""
    rows = results.improvements_from_base().with_columns(
        equal=pl.col("improvement") == pl.col("recomputed")
    )
    later = rows.filter(pl.col("variant") == "100")
    cold = forensics.hundred_against_chance()
    printed, exact = _median(cold["printed"]), _median(cold["against_chance"])
    return (
        f"{_count(int(rows['equal'].sum()), len(rows)).capitalize()} printed improvements follow "
        "from the printed means with the shuffled mean of the base runs.",
        f"This holds for {_count(int(later['equal'].sum()), len(later))} improvements of the "
        "“100” tables, too: their runs are set against the controls of the base runs, PROBABLY of "
        "another training length, and the controls of their own are not printed.",
        f"In cold any control's expected value is chance, so that the right answer is known: the "
        f"median of {len(cold)} gains is {exact:.0f} % over exact chance where {printed:.0f} % is "
        "printed; in hot it cannot be recovered.",
    )


def width() -> Sentences:
    """Order of the backends and width of their vectors."""
    rows = forensics.width_correlations().sort("rho")
    ends = [
        f"{row['rho']:.2f} ({table_label(row['recommender'], row['variant'])}, {row['scenario']})"
        for row in (rows.row(0, named=True), rows.row(-1, named=True))
    ]
    clear = rows.filter((pl.col("low") > 0) | (pl.col("high") < 0))
    median = {s: _median(rows.filter(pl.col("scenario") == s)["rho"]) for s in results.SCENARIOS}
    span = _median(rows["high"] - rows["low"])
    widths = sorted(forensics.widths()["width"])
    return (
        f"Spearman's ρ of Recall and width over the backends lies between {ends[0]} and "
        f"{ends[1]}; its interval excludes zero in {len(clear)} of {len(rows)} tables.",
        f"The median is {median['hot']:.2f} in hot and {median['cold']:.2f} in cold.",
        f"Over {len(widths)} backends the median interval is {span:.2f} wide, so that width, "
        f"{widths[0]} to {widths[-1]} and the hidden size of some "
        "recommenders, is neither shown to matter nor excluded by these numbers.",
    )


def elsa() -> Sentences:
    """Plain collaborative filtering against every row that reads audio."""
    rows = forensics.elsa_and_best()
    row = rows.filter(pl.col("metric") == "recall").row(0, named=True)
    best = table_label(row["recommender"], row["variant"])
    half = (
        results.real_and_shuffled()
        .filter(
            pl.col("scenario") == "hot",
            pl.col("metric") == "recall",
            *[pl.col(name) == row[name] for name in ("recommender", "variant", "backend")],
        )["real_ci95"]
        .to_list()[0]
    )
    gap = row["elsa"] - row["best"]
    beyond = "no" if half is None else f"a printed half-width of {half:.4f}"
    return (
        f"ELSA, which reads no audio, has a hot Recall @{forensics.K} of {row['elsa']:.4f}; the "
        f"best of the {row['n']} rows with audio, {best} on {backend_label(row['backend'])}, has "
        f"{row['best']:.4f}, {row['best'] / row['elsa']:.0%} of it.",
        f"Over the {len(rows)} metrics, {_count(int(rows['n_above'].sum()), int(rows['n'].sum()))} "
        "hot values with audio are above ELSA's.",
        f"The difference in Recall is {gap:.4f}, the best row has {beyond}, and ELSA has one run "
        "and none; its candidates also include the cold tracks, which costs it rather than helps.",
    )


def agreement() -> Sentences:
    """Do recommenders order the backends alike?"""
    every, trained = (
        {row["pair"]: row for row in forensics.agreement(without=without).iter_rows(named=True)}
        for without in ([], ["knn"])
    )

    def of(rows: dict[str, dict], pair: str) -> str:
        return f"{rows[pair]['tau']:.2f} {_range(rows[pair])}"

    gap = forensics.order_gaps().filter(without="knn").row(0, named=True)
    low, high = gap["low"], gap["high"]
    verdict = (
        "hot and cold order the backends differently beyond what tables of one scenario do"
        if low > 0
        else "tables of one scenario differ more than those of two"
        if high < 0
        else "whether hot and cold order the backends differently is open"
    )
    return (
        f"Mean Kendall's τ of the backends' order by Recall is {of(every, 'hot')} over the "
        f"{every['hot']['n']} pairs of hot tables, {of(every, 'cold')} over the "
        f"{every['cold']['n']} pairs of cold ones, and {of(every, 'hot and cold')} between a hot "
        "and a cold table.",
        f"Without KNN it is {of(trained, 'hot')} in hot, {of(trained, 'cold')} in cold and "
        f"{of(trained, 'hot and cold')} between the two.",
        f"Without KNN, agreement within scenarios is {gap['within']:.2f} and between them "
        f"{gap['between']:.2f}, a difference of {gap['mean']:.2f} [{low:.2f}, {high:.2f}]: "
        f"{verdict}. Intervals are over the backends that happen to be there.",
    )


def replaced() -> Sentences:
    """The run that was exchanged between two printings."""
    rows = forensics.replaced_run()
    again = results.repeats().filter(~pl.col("agrees"))
    first = rows.row(0, named=True)
    levels = dict(cold_at_20.chance_levels().select("metric", "chance_50").iter_rows())

    def listed(name: str) -> str:
        return ", ".join(
            f"{METRIC_LABELS[row['metric']]} {row[name]:.3f}" for row in rows.iter_rows(named=True)
        )

    chance = ", ".join(f"{levels[metric]:.3f}" for metric in rows["metric"])
    table = results.tables().filter(
        pl.col("embeddings") == "real",
        *[pl.col(name) == first[name] for name in ("recommender", "scenario", "metric")],
    )
    widest = table.sort("ci95", descending=True).row(0, named=True)
    gains = again.row(0, named=True)
    return (
        f"{RECOMMENDER_LABELS[first['recommender']]}, {first['scenario']}, on "
        f"{backend_label(first['backend'])} is printed twice with different values: "
        f"{METRIC_LABELS[first['metric']]} {first['first']:.4f} ± {first['first_ci95']:.4f} in "
        f"cell {gains['source_cell']} and {first['later']:.4f} ± {first['later_ci95']:.4f} in the "
        f"full table, with a gain over shuffled of {gains['improvement_over_shuffle_pct']} % and "
        f"{gains['improvement_complete']} %.",
        f"If one of {forensics.USUAL_RUNS} runs was exchanged, the two means and half-widths give "
        f"both: the one that left had {listed('left')} (chance: {chance}), the one that came "
        f"{listed('came')}, and the mean of those that stayed is {listed('stayed')}.",
        "The notebook shows the new run's name and no reason; a half-width of "
        f"{widest['ci95']:.4f} stands unexplained in the same column at "
        f"{backend_label(widest['backend'])}, so that seeds which fail to train are PROBABLE in "
        "this recommender and would be better reported than replaced.",
    )


def rounding() -> Sentences:
    """What rounding leaves of the percentages."""
    rows = forensics.percentage_ranges()
    over, wide = (int((rows["width"] > points).sum()) for points in (POINT, MANY_POINTS))
    row = rows.sort("width", descending=True).row(0, named=True)
    unsigned = rows.filter(pl.col("low") <= 0, pl.col("high") >= 0)
    return (
        "Improvements were computed from means rounded to four decimals: the exact one could lie "
        f"anywhere in a range wider than {POINT} percentage point for {over} of {len(rows)}, and "
        f"wider than {MANY_POINTS} for {wide}.",
        f"The widest is {table_label(row['recommender'], row['variant'])}, {row['scenario']}, "
        f"{METRIC_LABELS[row['metric']]} on {backend_label(row['backend'])}: printed "
        f"{row['improvement']} %, between {row['low']:.0f} % and {row['high']:.0f} %, since its "
        f"shuffled mean is printed as {row['shuffled']:.4f}.",
        f"For {len(unsigned)} not even the sign is known; the median range is "
        f"{_median(rows['width']):.1f} points.",
    )


TOPICS: dict[str, Topic] = {
    "cutoff": Topic(figures.cutoff, cutoff, "Mean shuffled cold control and chance"),
    "knn": Topic(figures.knn, knn, "KNN Recall of each backend and chance"),
    "improvements": Topic(figures.improvements, improvements, "Real minus shuffled, by table"),
    "wrong_control": Topic(figures.wrong_control, wrong_control, "Improvements, recomputed"),
    "width": Topic(figures.width, width, "Recall and width of the vectors, blue hot, orange cold"),
    "elsa": Topic(figures.elsa, elsa, "Hot Recall of every row that reads audio, and ELSA's"),
    "agreement": Topic(figures.agreement, agreement, "Agreement of the tables' orders"),
    "replaced": Topic(figures.replaced, replaced, "Two printings of one cell"),
    "rounding": Topic(figures.rounding, rounding, "Ranges that rounding leaves"),
}


def show(name: str) -> None:
    """Display a topic: its sentences, its figure, and what that shows."""
    topic = TOPICS[name]
    display(Markdown(" ".join(topic.sentences())))
    display(topic.figure())
    display(Markdown(f"*{topic.caption} ({SOURCE}).*"))
