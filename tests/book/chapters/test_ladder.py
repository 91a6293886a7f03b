import math
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from planted import plant, planted

from mrs.study.results import Results
from mrs_book.chapters.ladder import Page

STUDY = "recommenders: [knn]\nscenarios: [cold]\nshuffled_seeds: [0]\nk: [20]\n"
RUNGS = {"mert": 0.8, "mule": 0.1, "muq": 0.4, "mfcc": 0.6}


def opened(results: Results) -> Page:
    folder = results.store.folder.parent
    return Page(str(folder / "study.yaml"), str(folder / "store"))


def fill(results: Results, real: dict[str, list[float]], shuffled: dict[str, list[float]]) -> None:
    for name, values in real.items():
        cell = results.cell(f"knn-{name}-cold")
        plant(results, cell.runs[0], 10 * values)
        plant(results, cell.shuffled[0], 10 * shuffled[name])


def test_a_known_order(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, RUNGS)
    real = {"mule": [0.1, 0.2], "muq": [0.2, 0.3], "mfcc": [0.3, 0.4], "mert": [0.5, 0.6]}
    fill(results, real, {name: values[::-1] for name, values in real.items()})
    page = opened(results)
    assert page.rungs()["backend"].to_list() == ["sim:MULE", "sim:MuQ", "sim:MFCC", "sim:MERT"]
    (row,) = page.recovery.iter_rows(named=True)
    assert (row["tau"], row["low"], row["high"], row["whole order"]) == (1, 1, 1, 1)
    assert row["tau, shuffled"] == 1
    assert isinstance(page.ladder_figure(), Figure)
    assert isinstance(page.recovery_figure(), Figure)


def test_an_order_that_depends_on_the_listener(tmp_path: Path) -> None:
    # For ten listeners the order of the ladder, for ten the other one. A draw of twenty takes more
    # of the first, as many, or fewer: tau 1, 0 (all means equal) or -1.
    results = planted(tmp_path, STUDY, RUNGS)
    real = {"mule": [0.1, 0.6], "muq": [0.2, 0.5], "mfcc": [0.3, 0.4], "mert": [0.4, 0.3]}
    fill(results, real, {name: [0.1, 0.1] for name in real})
    (row,) = opened(results).recovery.iter_rows(named=True)
    assert (row["low"], row["high"]) == (-1, 1)
    as_many = math.comb(20, 10) / 2**20
    assert row["whole order"] == pytest.approx((1 - as_many) / 2, abs=0.02)
    assert row["tau, shuffled"] == 0


def test_good_vectors_are_the_three_highest_rungs(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, RUNGS)
    real = {"mule": [9.0, 9.0], "muq": [0.2, 0.2], "mfcc": [0.3, 0.3], "mert": [0.4, 0.4]}
    shuffled = {name: [0.1, 0.1] for name in real}
    fill(results, real, shuffled | {"mule": [9.0, 9.0]})
    page = opened(results)
    assert page.good_caption().startswith("On sim:MERT, sim:MFCC, sim:MuQ: ndcg@20 cold")
    (row,) = page.good.iter_rows(named=True)
    found = [row[name] for name in ("in order", "shuffled", "chance", "gain", "from", "to")]
    assert found[:4] == pytest.approx([0.3, 0.1, 0.1, 0.2])
    assert found[4:] == [None, None]  # no user differs from another
    assert isinstance(page.good_figure(), Figure)
