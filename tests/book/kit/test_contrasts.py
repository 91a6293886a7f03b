from pathlib import Path

import numpy as np
import pytest
from planted import plant, planted

from mrs.evaluation.bootstrap import difference
from mrs.study.results import Results
from mrs_book.kit.contrasts import SCHEMA, against_shuffled, against_variant

STUDY = "recommenders: [knn, {knn: {center: true}}]\nshuffled_seeds: [0, 1]\nk: [5, 10]\n"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return planted(tmp_path, STUDY, {"mert": 0.5, "mule": 0.2})


def test_real_minus_shuffled(results: Results) -> None:
    cell = results.cell("knn-mert-cold")
    rng = np.random.default_rng(1)
    real, *shuffled = values = rng.random((3, 30)) + np.array([[0.3], [0.1], [0.2]])
    plant(results, cell.runs[0], real.tolist())
    for run, control in zip(cell.shuffled, shuffled, strict=True):
        plant(results, run, control.tolist())
    (row,) = against_shuffled(results, results.cells()).iter_rows(named=True)
    assert (row["slug"], row["backend"], row["metric"]) == ("knn-mert-cold", "sim:MERT", "ndcg@10")
    means = values[0].mean(), values[1:].mean()
    assert (row["first"], row["second"], row["chance"]) == pytest.approx((*means, 0.1))
    bounds = difference(values[:1, :, None], values[1:, :, None])
    assert [row[name] for name in ("difference", "low", "high")] == pytest.approx(
        [means[0] - means[1], bounds.low[0], bounds.high[0]]
    )


def test_a_cell_that_lacks_a_record_is_left_out(results: Results) -> None:
    cell = results.cell("knn-mert-hot")
    plant(results, cell.runs[0], [0.2])
    plant(results, cell.shuffled[0], [0.1])
    frame = against_shuffled(results, results.cells())
    assert frame.is_empty()
    assert frame.columns == list(SCHEMA)


def test_equal_variants_differ_by_nothing(results: Results) -> None:
    values = np.random.default_rng(0).random(20).tolist()
    one, other = (results.cell(f"{name}-mule-hot") for name in ("knn-center-true", "knn"))
    for cell in (one, other):
        plant(results, cell.runs[0], values)
    (row,) = against_variant(results, [(one, other)]).iter_rows(named=True)
    assert row["recommender"] == "KNN (center=true)"
    # No user differs, and an interval of none is not given.
    assert (row["difference"], row["low"], row["high"]) == (0, None, None)
