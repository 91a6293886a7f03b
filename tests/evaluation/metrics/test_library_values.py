"""Every value that a library gave on one common input, against the class it is said to compute."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from mrs.evaluation.metrics import (
    BEYOND,
    CLASSES,
    Judged,
    Listed,
    class_means,
    describe,
    left_out,
)
from mrs_book.papers.libraries import audit_2021, computed_by, libraries, library_values

DATA = Path(__file__).parents[1] / "data"
N_USERS, N_ITEMS = 300, 500
ROUNDED = ("torchmetrics", "neurec", "recsys2019dl")  # single precision
KEY = ["library", "version", "library_metric", "function"]


@pytest.fixture(scope="module")
def means():
    places = pl.read_parquet(DATA / "scores.parquet").cast(pl.Int64)
    scores = (256 * places["high"] + places["low"]).to_numpy().reshape(N_USERS, N_ITEMS)
    order = np.argsort(-scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1).astype(np.float64)
    truth = pl.read_parquet(DATA / "truth.parquet")
    ratings = sp.csr_matrix(
        (truth["rating"].to_numpy(), (truth["user_id"].to_numpy(), truth["item_id"].to_numpy())),
        shape=(N_USERS, N_ITEMS),
    )
    train = pl.read_parquet(DATA / "train.parquet")
    counts = np.bincount(train["item_id"].to_numpy(), minlength=N_ITEMS)

    def judge(depth):
        return Judged.from_lists(
            order[:, :depth],
            ratings,
            graded=True,
            n_candidates=np.full(N_USERS, N_ITEMS),
            scores=ordered[:, :depth],
        )

    top, everything = judge(100), judge(N_ITEMS)
    listed = Listed(order[:, :100], N_ITEMS, counts, train["user_id"].n_unique())
    assert left_out(everything, listed) == {
        "the items' vectors are not given": ["intra_list_diversity cosine"]
    }
    found = class_means(top, [10, 20, 50, 100], listed=listed)
    return {
        "10": found[10],
        "20": found[20],
        "50": found[50],
        "list(100)": found[100],
        "full": class_means(everything, [N_ITEMS])[N_ITEMS],
    }


def numbers():
    values = library_values().filter(pl.col("value").is_not_null())
    return values.join(libraries(), on=KEY, how="left", suffix="_of_class")


def test_every_value_is_there_and_has_one_row_in_the_mapping():
    values = library_values()
    assert len(values) == 487
    assert values["value"].is_not_null().sum() == 451
    assert not libraries().select(KEY).is_duplicated().any()
    assert values.join(libraries(), on=KEY, how="anti").is_empty()
    assert libraries().join(values, on=KEY, how="anti").is_empty()


@pytest.mark.parametrize("library", libraries()["library"].unique(maintain_order=True).to_list())
def test_each_value_is_that_of_the_class_it_is_said_to_be(means, library):
    rows = numbers().filter(pl.col("library") == library)
    assert len(rows) > 0
    tolerance = 1e-6 if library in ROUNDED else 1e-9
    for row in rows.iter_rows(named=True):
        value = means[row["k"]][row["metric"]][row["class"]]
        assert value == pytest.approx(row["value"], abs=tolerance), row


def test_no_value_fits_no_class():
    without = libraries().filter(pl.col("class") == "")
    assert set(zip(without["library"], without["function"], strict=True)) == {
        ("cornac", "MRR.compute on top-k list"),
        ("daisyrec", "AUC"),
        ("ir_measures", "nDCG(dcg='exp-log2')"),
    }
    assert library_values().join(without, on=KEY, how="semi")["value"].is_null().all()
    assert without["note"].str.starts_with("no value").all()


def test_classes_differ_on_this_input(means):
    """Else the values could not tell which class a library computes; two pairs are meant to."""
    at_10 = {(m, c): v for m, classes in means["10"].items() for c, v in classes.items()}
    same = {
        frozenset([a, b])
        for a in at_10
        for b in at_10
        if a < b and a[0] == b[0] and abs(at_10[a] - at_10[b]) < 1e-6
    }
    # All lists hold 100 items, so the two differ on short lists only.
    assert same == {frozenset([("precision", "k"), ("precision", "returned")])}


@pytest.mark.parametrize(
    ("metric", "variant"),
    [(m, v) for known in (CLASSES, BEYOND) for m, classes in known.items() for v in classes],
)
def test_the_definition_is_whole(metric, variant):
    parts = describe(metric, variant)
    assert list(parts) == ["Statement", "Formula", "Source", "Edge cases"]
    assert all(parts.values())


def test_libraries_of_a_class_are_those_of_the_mapping():
    assert computed_by("map", "hits") == (
        "daisyrec 2.3.0 MAP; torchmetrics 1.9.0 RetrievalMAP [list+missed(score 0)], "
        "RetrievalMAP [list only]"
    )
    assert computed_by("map", "neurec") == "neurec map (notebook copy)"
    assert computed_by("precision", "r") == "none of those compared"


def test_2021_classes_are_known():
    rows = audit_2021().filter(pl.col("class") != "")
    assert len(rows) == 68
    for row in rows.iter_rows(named=True):
        assert row["class"] in CLASSES[row["metric"]]
        assert row["value"] is not None
    # One class, one input: the same number, except where the notebooks printed fewer digits.
    at_20 = rows.filter(pl.col("k") == "20").group_by("metric", "class").agg(pl.col("value"))
    for row in at_20.iter_rows(named=True):
        assert row["value"] == pytest.approx([row["value"][0]] * len(row["value"]), abs=5e-5), row
