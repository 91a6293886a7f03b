"""The published numbers: counts, values against the source, and the views on them."""

import polars as pl
import pytest

from mrs.backends import BACKENDS
from mrs_book.papers import results


def value(scenario: str, recommender: str, backend: str, metric: str, **more: object) -> dict:
    wanted = {
        "scenario": scenario,
        "recommender": recommender,
        "backend": backend,
        "metric": metric,
        "variant": "base",
        "embeddings": "real",
        "source_cell": 6,
    } | more
    rows = results.load().filter(*[pl.col(name) == given for name, given in wanted.items()])
    return rows.row(0, named=True) if len(rows) == 1 else {}


def test_counts():
    rows = results.load()
    assert len(rows) == 1119
    assert len(results.tables()) == 783
    assert rows["scenario"].value_counts().sort("scenario").rows() == [("cold", 447), ("hot", 672)]
    assert rows["embeddings"].value_counts().sort("embeddings").rows() == [
        ("real", 777),
        ("shuffled", 342),
    ]
    assert set(rows["backend"]) == {*BACKENDS, "none"}
    assert set(rows["recommender"]) == set(results.RECOMMENDER_LABELS)
    assert set(rows["metric"]) == set(results.METRIC_LABELS)


def test_cold_is_printed_at_20_and_all_was_computed_at_50():
    rows = results.load()
    assert rows.group_by("scenario").agg(pl.col("k_printed").unique()).sort("scenario").rows() == [
        ("cold", [20]),
        ("hot", [50]),
    ]
    assert rows["k_computed"].unique().to_list() == [50]


def test_each_value_is_complete_and_a_share():
    rows = results.load()
    assert rows["mean"].is_between(0, 1).all()
    assert rows["mean"].null_count() == 0
    key = [*results.VALUE, "embeddings", "source_cell"]
    assert rows.select(key).is_unique().all()


@pytest.mark.parametrize(
    ("cell", "mean"),
    [
        (("hot", "knn", "musicnn", "hitrate"), 0.0275),
        (("hot", "shallow", "muq", "recall"), 0.0408),
        (("hot", "bert4rec", "musicnn", "recall"), 0.0631),
        (("hot", "bimodal_collaborative", "mule", "recall"), 0.0396),
        (("hot", "bimodal_average", "muq_mulan", "recall"), 0.0413),
        (("hot", "hybrid", "muq_mulan", "recall"), 0.0481),
        (("hot", "elsa", "none", "hitrate"), 0.558),
        (("hot", "elsa", "none", "recall"), 0.0823),
        (("cold", "knn", "musicnn", "recall"), 0.1189),
        (("cold", "shallow", "muq", "recall"), 0.2412),
        (("cold", "bert4rec", "mule", "recall"), 0.2548),
        (("cold", "bimodal_content", "muq", "recall"), 0.4154),
        (("cold", "hybrid", "muq_mulan", "recall"), 0.3668),
    ],
)
def test_means_of_the_source(cell, mean):
    assert value(*cell)["mean"] == mean


def test_intervals_and_improvements_of_the_source():
    row = value("cold", "hybrid", "music2vec", "hitrate")
    assert (row["mean"], row["ci95"], row["improvement_over_shuffle_pct"]) == (0.599, 0.0221, 72)
    row = value("hot", "hybrid", "music2vec", "ndcg")
    assert (row["mean"], row["improvement_over_shuffle_pct"]) == (0.0262, 3175)
    row = value("hot", "knn", "musicnn", "hitrate")
    assert (row["ci95"], row["improvement_over_shuffle_pct"]) == (None, None)


def test_variant_100_and_shuffled_are_told_apart():
    assert value("cold", "bimodal_content", "jukebox", "recall", variant="100")["mean"] == 0.3937
    shuffled = value("cold", "bert4rec", "encodecmae", "recall", embeddings="shuffled")
    assert (shuffled["mean"], shuffled["ci95"]) == (0.0872, 0.0271)


def test_only_one_cell_is_printed_with_two_values():
    repeats = results.repeats()
    assert len(repeats) == 336
    differ = repeats.filter(~pl.col("agrees"))
    assert differ.select("scenario", "recommender", "backend", "source_cell").unique().rows() == [
        ("cold", "hybrid", "music2vec", 21)
    ]
    hitrate = differ.filter(pl.col("metric") == "hitrate").row(0, named=True)
    assert (hitrate["mean"], hitrate["mean_complete"]) == (0.5228, 0.599)


def test_real_and_shuffled_stand_side_by_side():
    rows = results.real_and_shuffled()
    assert len(rows) == 483
    assert rows["shuffled"].count() == 300
    assert len(rows) + rows["shuffled"].count() == len(results.tables())
    assert rows.filter(pl.col("recommender") == "knn")["shuffled"].null_count() == 60
    row = rows.filter(
        pl.col("scenario") == "hot",
        pl.col("recommender") == "hybrid",
        pl.col("backend") == "musicnn",
        pl.col("metric") == "ndcg",
    ).row(0, named=True)
    assert (row["real"], row["real_ci95"]) == (0.0368, 0.001)
    assert (row["shuffled"], row["shuffled_ci95"]) == (0.0318, 0.0151)
    assert row["improvement_over_shuffle_pct"] == 16


def test_ranks_share_ties():
    rows = results.ranks("recall")
    assert len(rows) == 160  # 16 tables of ten backends
    assert rows.group_by(results.TABLE).agg(pl.col("rank").sum())["rank"].unique().to_list() == [55]
    knn = rows.filter(pl.col("scenario") == "hot", pl.col("recommender") == "knn")
    rank = dict(knn.select("backend", "rank").iter_rows())
    assert rank["mule"] == rank["muq_mulan"] == 1.5
    assert rank["encodecmae"] == 3
    assert rank["musicfm"] == 10


def test_hot_and_cold_pairs():
    rows = results.hot_and_cold("recall")
    assert len(rows) == 60
    row = rows.filter(
        pl.col("recommender") == "bimodal_content",
        pl.col("variant") == "100",
        pl.col("backend") == "jukebox",
    ).row(0, named=True)
    assert (row["mean_hot"], row["mean_cold"], row["rank_cold"]) == (0.0088, 0.3937, 1)


def test_printed_improvements_follow_from_the_base_shuffled_means():
    rows = results.improvements_from_base()
    assert len(rows) == 420
    assert (rows["improvement"] == rows["recomputed"]).all()
