"""The metrics against values that other libraries computed on one common input."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from mrs.evaluation.metrics import METRICS, Judged, evaluate

DEFAULT = Path(__file__).parents[4] / "shared" / "reference"
REFERENCE = Path(os.environ.get("MRS_REFERENCE", DEFAULT))
VALUES = REFERENCE / "metric_library_values.csv"

pytestmark = pytest.mark.skipif(
    not VALUES.is_file(), reason=f"no library values at {VALUES}; set MRS_REFERENCE to their folder"
)

# Name and formula in the file, for the definition that this package has under each name.
FORMULAS = {
    "hitrate": "HitRate[any]",
    "recall": "Recall[/|R|]",
    "ndcg": "NDCG[bin,ideal min(k,|R|)]",
    "precision": "Precision[/k]",
    "mrr": "MRR[first]",
    "map": "MAP[/|R|]",
}
LIBRARIES = ("rs_metrics", "ranx")
KS = (10, 20, 50)


@pytest.fixture(scope="module")
def means():
    lists = pl.read_parquet(REFERENCE / "metric_input" / "pred.parquet")
    truth = pl.read_parquet(REFERENCE / "metric_input" / "test.parquet")
    users = truth["user_id"].unique().sort().to_numpy()
    n_items = 1 + max(lists["item_id"].max(), truth["item_id"].max())
    ranked = np.full((len(users), lists["rank"].max()), -1, dtype=np.int32)
    rows = np.searchsorted(users, lists["user_id"].to_numpy())
    ranked[rows, lists["rank"].to_numpy() - 1] = lists["item_id"].to_numpy()
    relevant = sp.csr_matrix(
        (
            np.ones(len(truth), dtype=bool),
            (np.searchsorted(users, truth["user_id"].to_numpy()), truth["item_id"].to_numpy()),
        ),
        shape=(len(users), n_items),
    )
    values = evaluate(Judged.from_lists(ranked, relevant), list(METRICS), KS)
    return {key: float(value.mean()) for key, value in values.items()}


@pytest.mark.parametrize("k", KS)
@pytest.mark.parametrize("metric", list(METRICS))
def test_equals_the_named_formula_and_two_libraries(means, metric, k):
    published = pl.read_csv(VALUES, infer_schema_length=0).filter(pl.col("k") == str(k))
    formula = published.filter(pl.col("metric") == FORMULAS[metric], pl.col("library") == "FORMULA")
    libraries = published.filter(
        pl.col("metric") == METRICS[metric].label, pl.col("library").is_in(LIBRARIES)
    )
    assert set(libraries["library"]) == set(LIBRARIES)
    expected = [*formula["value"].cast(pl.Float64), *libraries["value"].cast(pl.Float64)]
    assert len(expected) == 3
    assert expected == pytest.approx([means[f"{metric}@{k}"]] * 3, abs=1e-9)
