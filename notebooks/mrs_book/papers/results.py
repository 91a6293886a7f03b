"""Every number of the result tables of arXiv 2604.23077, and the few views that its chapter needs.

The numbers are the stored outputs of `Metrics.ipynb` in the authors' public repository
`Darel13712/adopting-pretrained-audio` at commit 2a36454; `source_cell` is the number of the
notebook cell. Cell 6 prints every table in full; cells 8 to 23 print some of them again, for seven
of the ten backends.

Cold tables are headed @20 there, while the code behind them (`src/utils.py`, lines 56-61, same
commit) passes 50 to each metric and uses 20 in the heading only. Hence two columns, `k_printed`
and `k_computed`; `mrs_book.papers.cold_at_20` checks the second by calculation.
"""

from functools import cache
from importlib.resources import files

import polars as pl

from mrs.backends import BACKENDS
from mrs.data.tables import read_csv
from mrs_book.papers.claims import OWN_CELLS

SOURCE = "published, arXiv 2604.23077"

# Recommenders in the order of the tables, with the labels that tables and figures show.
RECOMMENDER_LABELS: dict[str, str] = {
    "knn": "KNN",
    "shallow": "Shallow",
    "bimodal_content": "Bimodal content",
    "bimodal_collaborative": "Bimodal collaborative",
    "bimodal_average": "Bimodal average",
    "hybrid": "Hybrid",
    "bert4rec": "BERT4Rec",
    "elsa": "ELSA (no audio)",
}
BACKEND_LABELS = {name: backend.label for name, backend in BACKENDS.items()} | {"none": "none"}
METRIC_LABELS: dict[str, str] = {"hitrate": "HitRate", "recall": "Recall", "ndcg": "NDCG"}
SCENARIOS = ("hot", "cold")

# Candidates of every hot ranking before a listener's history is left out: the tracks with a play
# in the train year, `stats.csv` of the same repository.
N_TRAIN_TRACKS = 55_262

K = 50  # at which every value was computed
HALF_DIGIT = 0.00005  # four digits are printed
COMPLETE_CELL = 6
TABLE = ["scenario", "recommender", "variant"]
VALUE = [*TABLE, "backend", "metric"]
CELL = ["scenario", "recommender", "backend", "vectors", "metric"]
KEY = [*CELL, "variant"]


@cache
def load() -> pl.DataFrame:
    """All printed numbers, one row each.

    Columns: backend ("none" for ELSA, which reads no audio), recommender, variant ("base", or
    "100" for the bimodal runs of 100 epochs), embeddings ("real" or "shuffled"), scenario, metric,
    k_printed, k_computed, mean (over training runs, in [0, 1]), ci95 (half-width over training
    runs; null where none is printed), improvement_over_shuffle_pct (per cent, null where none is
    printed), source_cell.
    """
    source = files("mrs_book.papers") / "data" / "results.csv"
    return read_csv(source, schema_overrides={"variant": pl.String})


def tables() -> pl.DataFrame:
    """The complete tables (source cell 6): one row for each value printed there."""
    return load().filter(pl.col("source_cell") == COMPLETE_CELL)


def table_labels() -> pl.Expr:
    """The labels of a frame's tables: the recommender with its variant, such as "Hybrid 100"."""
    variant = pl.when(pl.col("variant") == "base").then(pl.lit(""))
    names = pl.col("recommender").cast(pl.String).replace_strict(RECOMMENDER_LABELS)
    return names + variant.otherwise(pl.lit(" ") + pl.col("variant"))


def repeats() -> pl.DataFrame:
    """The values printed again in later cells beside those of the complete tables.

    Columns of `load` with `mean_complete`, `ci95_complete`, `improvement_complete`, and `agrees`:
    whether all that is printed again is equal.
    """
    complete = tables().select(
        *VALUE,
        "embeddings",
        mean_complete="mean",
        ci95_complete="ci95",
        improvement_complete="improvement_over_shuffle_pct",
    )
    again = load().filter(pl.col("source_cell") != COMPLETE_CELL)
    pairs = {
        "mean": "mean_complete",
        "ci95": "ci95_complete",
        "improvement_over_shuffle_pct": "improvement_complete",
    }
    same = [
        pl.col(name).is_null() | pl.col(name).eq_missing(pl.col(complete_name))
        for name, complete_name in pairs.items()
    ]
    return again.join(complete, on=[*VALUE, "embeddings"], how="left").with_columns(
        agrees=pl.all_horizontal(same)
    )


def real_and_shuffled() -> pl.DataFrame:
    """The complete tables with real and shuffled embeddings side by side.

    Columns: scenario, recommender, variant, backend, metric, k_printed, k_computed, real,
    real_ci95, shuffled, shuffled_ci95, improvement_over_shuffle_pct. KNN, ELSA and the variant
    "100" have no shuffled values: null.
    """
    complete, gain = tables(), "improvement_over_shuffle_pct"
    real = complete.filter(embeddings="real").select(
        *VALUE, "k_printed", "k_computed", gain, real="mean", real_ci95="ci95"
    )
    shuffled = complete.filter(embeddings="shuffled").select(
        *VALUE, shuffled="mean", shuffled_ci95="ci95"
    )
    levels = {"scenario": SCENARIOS, "recommender": RECOMMENDER_LABELS, "variant": ("base", "100")}
    order = [pl.col(name).cast(pl.Enum(list(values))) for name, values in levels.items()]
    metric = pl.col("metric").cast(pl.Enum(list(METRIC_LABELS)))
    both = real.join(shuffled, on=VALUE, how="left").sort(*order, "backend", metric)
    return both.select(pl.exclude(gain), gain)


def ranks(metric: str) -> pl.DataFrame:
    """The rank of each backend within each table, for real embeddings and one metric.

    Rank 1 is the highest mean; equal means share the mean of their ranks. The tables print four
    decimals, so ties are frequent where all values are small. Columns: scenario, recommender,
    variant, backend, mean, rank.
    """
    rows = real_and_shuffled().filter(pl.col("backend") != "none", metric=metric)
    rank = pl.col("real").rank("average", descending=True).over(TABLE)
    return rows.select(*TABLE, "backend", mean="real", rank=rank)


def hot_and_cold(metric: str) -> pl.DataFrame:
    """Each backend's mean and rank in both scenarios, where a recommender has both.

    Columns: recommender, variant, backend, mean_hot, rank_hot, mean_cold, rank_cold.
    """
    key = ["recommender", "variant", "backend"]
    hot, cold = (
        ranks(metric).filter(scenario=scenario).select(*key, "mean", "rank")
        for scenario in SCENARIOS
    )
    both = hot.join(cold, on=key, suffix="_cold", maintain_order="left")
    return both.rename({"mean": "mean_hot", "rank": "rank_hot"})


def improvements_from_base() -> pl.DataFrame:
    """Every printed improvement beside the one recomputed from the printed means.

    Recomputed: 100 * (real - shuffled) / shuffled, rounded, with the shuffled mean of the same
    recommender's *base* variant, for "100" too. Columns: those of the key, real, shuffled (of the
    base variant), improvement, recomputed.
    """
    rows, key = real_and_shuffled(), [name for name in VALUE if name != "variant"]
    base = rows.filter(variant="base").select(*key, "shuffled")
    printed = rows.drop("shuffled").filter(pl.col("improvement_over_shuffle_pct").is_not_null())
    ratio = (pl.col("real") - pl.col("shuffled")) / pl.col("shuffled")
    return printed.join(base, on=key, how="left", maintain_order="left").select(
        *VALUE,
        "real",
        "shuffled",
        improvement="improvement_over_shuffle_pct",
        recomputed=(100 * ratio).round(0).cast(pl.Int64),
    )


# Beside what was computed here on the same data: real plays of the tables' split and vectors from
# audio or files, no others.


def comparable() -> pl.DataFrame:
    """The values of the tables: `KEY`, published, ± (95 % half-width over runs).

    The variant is "base", or "100" for the second tables of the projections, of runs of 100 epochs.
    """
    return (
        tables()
        .filter(pl.col("k_computed") == K)
        .select(
            "scenario",
            "recommender",
            "backend",
            pl.col("embeddings").alias("vectors"),
            "metric",
            "variant",
            pl.col("mean").alias("published"),
            pl.col("ci95").alias("±"),
        )
    )


def agrees(tolerance: float) -> pl.Expr:
    """Whether `difference` is within that share of the published value, and half a digit."""
    return pl.col("difference").abs() <= tolerance * pl.col("published") + HALF_DIGIT


def beside_own(own: pl.DataFrame) -> pl.DataFrame:
    """One row per published value and protocol: `KEY`, published, ±, protocol, here, runs,
    difference.

    `own` has the columns `OWN_CELLS`. A value that nothing was computed for has one row, with
    nulls from `protocol` on. Both variants of a value stand beside the same runs.
    """
    metric = pl.col("metric").str.split("@").list
    ours = own.cast(OWN_CELLS).filter(metric.last() == str(K))  # type: ignore[arg-type]
    ours = ours.select(
        "scenario",
        "recommender",
        pl.col("backend").replace("", "none"),
        pl.when("shuffled").then(pl.lit("shuffled")).otherwise(pl.lit("real")).alias("vectors"),
        metric.first().alias("metric"),
        "protocol",
        pl.col("mean").alias("here"),
        "runs",
    )
    both = comparable().join(ours, on=CELL, how="left", maintain_order="left")
    return both.with_columns(difference=pl.col("here") - pl.col("published"))
