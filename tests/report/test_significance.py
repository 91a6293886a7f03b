from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from planted import plant, planted
from scipy.stats import norm

from mrs.report.significance import SIZES, SignificancePage, family_components
from mrs.study.results import Results

STUDY = """recommenders: [knn, {knn: {center: true}}, hybrid]
scenarios: [hot, cold]
seeds: [0, 1]
k: [20, 50]
"""
LEVELS = {"mert": 0.6, "mule": 0.1, "muq": 0.1}
N_USERS = 60


def values(name: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, *name.encode()])
    return LEVELS[name] + 0.3 * rng.random(N_USERS)


def filled(folder: Path, study: str = STUDY) -> Results:
    results = planted(folder, study, LEVELS)
    for cell in results.cells():
        for spec in cell.runs:
            plant(results, spec, values(str(cell.backend), spec.seed).tolist())
    return results


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> SignificancePage:
    return SignificancePage(filled(tmp_path_factory.mktemp("study")))


def test_told_apart(page: SignificancePage) -> None:
    told = page.told()
    assert told["recommender"].to_list() == ["KNN", "KNN (center=true)", "Hybrid"] * 2
    assert told["seeds"].to_list() == ["no draws", "no draws", "2"] * 2
    # MERT stands far above the other two, which have the same mean but for noise.
    assert told["pairs"].to_list() == [3] * 6
    pairs = page.pairs.filter(pl.col("first") == "sim:MERT")
    assert pairs["apart"].all()
    assert len(pairs) == 12
    others = page.pairs.filter(pl.col("first") != "sim:MERT")
    assert told["told apart"].sum() == 12 + others["apart"].sum()
    assert (told["with few seeds"] <= told["told apart"]).all()


def test_the_table_has_every_pair(page: SignificancePage) -> None:
    table = page.table()
    assert len(table) == len(page.pairs) == 18
    assert set(table["apart"]) <= {"yes", "no"}


def test_opening(page: SignificancePage) -> None:
    text = page.opening()
    assert "18 pairs in 6 families of 3 pairs each" in text
    assert "60 listeners hot, 60 listeners cold" in text
    assert "sim:" in text
    assert "one seed" not in text


def test_errors_are_of_the_components(page: SignificancePage) -> None:
    row = page.errors().row(2, named=True)
    found = family_components(page.pairs.filter(scenario="hot", recommender="Hybrid"))
    assert row["half width"] == pytest.approx(1.959964 * found.standard_error())
    assert row["any number of seeds"] == pytest.approx(1.959964 * np.sqrt(found.users / 60))
    seeds = max(found.seeds, 0) / 2
    assert row["any number of listeners"] == pytest.approx(1.959964 * np.sqrt(seeds))
    assert page.errors()["any number of listeners"][0] == 0  # KNN draws nothing


def test_listeners_needed(page: SignificancePage) -> None:
    row = page.needed().row(0, named=True)
    pairs = [values(a, 0) - values(b, 0) for a, b in combinations(LEVELS, 2)]
    variance = np.mean([np.var(pair, ddof=1) for pair in pairs])
    widths = norm.ppf(1 - 0.05 / 3 / 2) + norm.ppf(0.8)
    assert row["detectable"] == pytest.approx(widths * np.sqrt(variance / N_USERS))
    needed = int(np.ceil(variance * (widths / SIZES[1]) ** 2))
    assert row[f"{SIZES[1]:g}"] == f"{needed:,}"


def test_figures(page: SignificancePage) -> None:
    assert isinstance(page.error_figure(), Figure)
    assert isinstance(page.power_figure(), Figure)
    ((text, figure),) = page.rank_figures()
    assert "Descriptive" in text
    assert "3 backends over 6 blocks" in text
    shown = [label.get_text() for label in figure.axes[0].texts]
    assert any(label.startswith("sim:MERT (1.0)") for label in shown)


def test_matrix_counts(page: SignificancePage) -> None:
    _, figure = page.matrix_figures()
    axis = figure.axes[0]
    assert axis.get_title() == "cold"
    counts = [text.get_text() for text in axis.texts]
    names = [label.get_text() for label in axis.get_xticklabels()]
    assert len(counts) == 9
    assert counts[names.index("sim:MERT")] == "2/2"


def test_one_seed_ranks_nothing(tmp_path: Path) -> None:
    study = "recommenders: [hybrid]\nscenarios: [cold]\nseeds: [0]\nk: [20]\n"
    page = SignificancePage(filled(tmp_path, study))
    assert "**Hybrid ran from one seed.**" in page.opening()
    assert set(page.table()["apart"]) == {"one seed"}
    assert page.told()["told apart"].to_list() == [None]
    assert page.rank_figures() == page.matrix_figures() == []
    assert len(page.errors()) == 0
    assert isinstance(page.power_figure(), Figure)


def test_an_empty_store(tmp_path: Path) -> None:
    page = SignificancePage(planted(tmp_path, STUDY, LEVELS))
    assert page.opening().startswith("The store has no two backends")
    assert (page.scenarios, page.rank_figures()) == ([], [])


def test_missing_runs_are_said(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, LEVELS)
    for cell in results.cells():
        if cell.recommender.name == "knn":
            plant(results, cell.runs[0], values(str(cell.backend), 0).tolist())
    text = SignificancePage(results).opening()
    assert "6 of 18 cells lack a record and are left out (Hybrid)." in text
