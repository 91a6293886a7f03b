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

COMPLETE_CELL = 6
TABLE = ["scenario", "recommender", "variant"]
VALUE = [*TABLE, "backend", "metric"]


@cache
def load() -> pl.DataFrame:
    """Return all printed numbers, one row each.

    Columns: backend ("none" for ELSA, which reads no audio), recommender, variant ("base", or
    "100" for the bimodal runs of 100 epochs), embeddings ("real" or "shuffled"), scenario, metric,
    k_printed, k_computed, mean (over training runs, in [0, 1]), ci95 (half-width over training
    runs; null where none is printed), improvement_over_shuffle_pct (per cent, null where none is
    printed), source_cell.
    """
    source = files("mrs_book.papers") / "data" / "results.csv"
    return read_csv(source, schema_overrides={"variant": pl.String})


def tables() -> pl.DataFrame:
    """Return the complete tables (source cell 6): one row for each value printed there."""
    return load().filter(pl.col("source_cell") == COMPLETE_CELL)


def table_labels() -> pl.Expr:
    """The labels of a frame's tables: the recommender with its variant, such as "Hybrid 100"."""
    variant = pl.when(pl.col("variant") == "base").then(pl.lit(""))
    names = pl.col("recommender").cast(pl.String).replace_strict(RECOMMENDER_LABELS)
    return names + variant.otherwise(pl.lit(" ") + pl.col("variant"))


def repeats() -> pl.DataFrame:
    """Return the values printed again in later cells beside those of the complete tables.

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
    """Return the complete tables with real and shuffled embeddings side by side.

    Columns: scenario, recommender, variant, backend, metric, k_printed, k_computed, real,
    real_ci95, shuffled, shuffled_ci95, improvement_over_shuffle_pct. KNN, ELSA and the variant
    "100" have no shuffled values: null.
    """
    complete = tables()
    real = complete.filter(pl.col("embeddings") == "real").select(
        *VALUE,
        "k_printed",
        "k_computed",
        "improvement_over_shuffle_pct",
        real="mean",
        real_ci95="ci95",
    )
    shuffled = complete.filter(pl.col("embeddings") == "shuffled").select(
        *VALUE, shuffled="mean", shuffled_ci95="ci95"
    )
    order = [
        pl.col(name).cast(pl.Enum(levels))
        for name, levels in (
            ("scenario", SCENARIOS),
            ("recommender", list(RECOMMENDER_LABELS)),
            ("variant", ("base", "100")),
            ("metric", list(METRIC_LABELS)),
        )
    ]
    return (
        real.join(shuffled, on=VALUE, how="left")
        .sort([order[0], order[1], order[2], pl.col("backend"), order[3]])
        .select(
            *VALUE,
            "k_printed",
            "k_computed",
            "real",
            "real_ci95",
            "shuffled",
            "shuffled_ci95",
            "improvement_over_shuffle_pct",
        )
    )


def ranks(metric: str) -> pl.DataFrame:
    """Return the rank of each backend within each table, for real embeddings and one metric.

    Rank 1 is the highest mean; equal means share the mean of their ranks. The tables print four
    decimals, so ties are frequent where all values are small. Columns: scenario, recommender,
    variant, backend, mean, rank.
    """
    return (
        _real(metric)
        .with_columns(rank=pl.col("mean").rank("average", descending=True).over(TABLE))
        .select(*TABLE, "backend", "mean", "rank")
    )


def hot_and_cold(metric: str) -> pl.DataFrame:
    """Return each backend's mean and rank in both scenarios, where a recommender has both.

    Columns: recommender, variant, backend, mean_hot, rank_hot, mean_cold, rank_cold.
    """
    ranked = ranks(metric)
    sides = [
        ranked.filter(pl.col("scenario") == scenario).select(
            "recommender",
            "variant",
            "backend",
            pl.col("mean").alias(f"mean_{scenario}"),
            pl.col("rank").alias(f"rank_{scenario}"),
        )
        for scenario in SCENARIOS
    ]
    return sides[0].join(sides[1], on=["recommender", "variant", "backend"], maintain_order="left")


def improvements_from_base() -> pl.DataFrame:
    """Return every printed improvement beside the one recomputed from the printed means.

    Recomputed: 100 * (real - shuffled) / shuffled, rounded, with the shuffled mean of the same
    recommender's *base* variant, for "100" too. Columns: those of the key, real, shuffled (of the
    base variant), improvement, recomputed.
    """
    base = real_and_shuffled().filter(pl.col("variant") == "base").drop("variant")
    key = [name for name in VALUE if name != "variant"]
    printed = (
        real_and_shuffled()
        .drop("shuffled")
        .filter(pl.col("improvement_over_shuffle_pct").is_not_null())
    )
    ratio = (pl.col("real") - pl.col("shuffled")) / pl.col("shuffled")
    joined = printed.join(base.select(*key, "shuffled"), on=key, how="left", maintain_order="left")
    return joined.select(
        *VALUE,
        "real",
        "shuffled",
        improvement="improvement_over_shuffle_pct",
        recomputed=(100 * ratio).round(0).cast(pl.Int64),
    )


def _real(metric: str) -> pl.DataFrame:
    chosen = (pl.col("metric") == metric) & (pl.col("backend") != "none")
    return real_and_shuffled().filter(chosen).rename({"real": "mean"})
