from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from planted import plant, planted
from scipy.stats import nct, norm, t

from mrs.evaluation.significance import holm
from mrs.report.significance import DIFFER, SIZES, SignificancePage, family_components
from mrs.study.results import Cell, Results

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
    assert len(pairs) == 12
    # Two seeds carry little after Holm: t of one degree of freedom at 1.7 % is 38.
    assert pairs.group_by("recommender").agg(pl.col("apart").sum()).sort("recommender").rows() == [
        ("Hybrid", pairs.filter(pl.col("apart"), recommender="Hybrid").height),
        ("KNN", 4),
        ("KNN (center=true)", 4),
    ]
    assert told[DIFFER].sum() == page.pairs["apart"].sum()


def test_the_table_has_every_pair(page: SignificancePage) -> None:
    table = page.table()
    assert len(table) == len(page.pairs) == 18
    assert set(table[DIFFER]) <= {"yes", "no"}


def test_opening(page: SignificancePage) -> None:
    text = page.opening()
    assert "18 pairs in 6 families of 3 pairs each" in text
    assert "60 listeners hot, 60 listeners cold" in text
    assert "sim:" in text
    assert "one seed" not in text


def test_errors_are_of_the_components(page: SignificancePage) -> None:
    row = page.errors().row(2, named=True)
    found = family_components(page.pairs.filter(scenario="hot", recommender="Hybrid"))
    users, seeds, both = found.parts()
    half = np.sqrt(t.isf(0.025, 59) ** 2 * users + t.isf(0.025, 1) ** 2 * (seeds + both))
    assert row["half width"] == pytest.approx(half)
    assert row["any number of seeds"] == pytest.approx(t.isf(0.025, 59) * np.sqrt(users))
    assert row["any number of listeners"] == pytest.approx(t.isf(0.025, 1) * np.sqrt(seeds))
    assert page.errors()["any number of listeners"][0] == 0  # KNN draws nothing


def test_listeners_needed(page: SignificancePage) -> None:
    row = page.needed().row(0, named=True)
    pairs = [values(a, 0) - values(b, 0) for a, b in combinations(LEVELS, 2)]
    variance = np.mean([np.var(pair, ddof=1) for pair in pairs])
    away = row["detectable"] / np.sqrt(variance / N_USERS)
    assert nct.sf(t.isf(0.05 / 3 / 2, N_USERS - 1), N_USERS - 1, away) == pytest.approx(0.8)
    # With thousands of listeners the textbook's normal distribution is close.
    widths = norm.ppf(1 - 0.05 / 3 / 2) + norm.ppf(0.8)
    needed = variance * (widths / SIZES[0]) ** 2
    assert int(row[f"{SIZES[0]:g}"].replace(",", "")) == pytest.approx(needed, rel=0.01)


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


BESIDE = """recommenders:
  [knn, hybrid, bert4rec, elsa, popularity, random, bert4rec_ids, artist_mean]
scenarios: [hot, cold]
seeds: [0, 1, 2, 3, 4]
seeds_of: {bert4rec: [0, 1, 2], random: [1]}
k: [20, 50]
"""


def level(cell: Cell) -> float:
    """Hybrid with MERT far above all, BERT4Rec below its own random start, the rest alike."""
    if cell.recommender.name == "hybrid" and cell.backend == "mert":
        return 0.6
    return 0.4 if cell.recommender.name == "bert4rec_ids" else 0.2


def beside(folder: Path, n_users: int = N_USERS) -> SignificancePage:
    results = planted(folder, BESIDE, {"mert": 0.6, "mule": 0.1})
    for place, cell in enumerate(results.cells()):
        users = np.random.default_rng([place, 99]).random(n_users)
        for spec in cell.runs:
            noise = np.random.default_rng([place, spec.seed]).random(n_users)
            plant(results, spec, (level(cell) + 0.2 * users + 0.02 * noise).tolist())
    return SignificancePage(results)


def test_against_what_reads_no_vectors(tmp_path: Path) -> None:
    page = beside(tmp_path)
    rows = page.references
    families = rows.group_by("scenario", "second", maintain_order=True).agg(pl.len()).rows()
    assert families == [
        ("hot", "ELSA", 4), ("hot", "Popularity", 4), ("hot", "random start", 2),
        ("cold", "Random", 4), ("cold", "Artist mean", 4),
    ]  # fmt: skip
    assert set(rows["recommender"]) == {"Hybrid", "BERT4Rec"}  # KNN is not trained
    best = rows.filter(pl.col("second") != "Random", recommender="Hybrid", first="sim:MERT")
    assert best["apart"].all()
    assert (best["difference"] - 0.4).abs().max() < 0.1  # type: ignore[operator]
    twins = rows.filter(second="random start")
    assert (twins["high"] < 0).all()
    assert twins["apart"].all()
    # The study gives BERT4Rec three seeds, and its random start five: three are shared.
    assert twins["n_seeds"].to_list() == [3, 3]
    # Random drew once: one seed ranks nothing, however many its rivals have.
    drawn_once = rows.filter(second="Random")
    assert drawn_once["n_seeds"].to_list() == [1] * 4
    assert drawn_once["apart"].is_null().all()
    elsa = rows.filter(second="ELSA")
    np.testing.assert_allclose(elsa["p_holm"], holm(elsa["p"].to_numpy()))
    text = page.reference_text().splitlines()
    assert "0 of 2 are better, 2 worse, and 0 undecided" in text[2]
    n_better = elsa.filter(pl.col("apart"), pl.col("difference") > 0).height
    assert "Hot, ndcg@50, against ELSA" in text[0]
    assert f"{n_better} of 4 are better" in text[0]
    assert len(page.reference_table()) == len(rows)
    figure = page.reference_figure()
    assert [axis.get_title() for axis in figure.axes][2] == "hot, against random start"
    alone = SignificancePage(filled(tmp_path / "b"))
    assert alone.reference_text().startswith("The store has no trained")


def test_few_listeners_have_no_verdict(tmp_path: Path) -> None:
    page = beside(tmp_path, 12)
    assert page.pairs["p_holm"].is_null().all()
    assert set(page.table()[DIFFER]) == {"too few users"}
    assert set(page.reference_table()[DIFFER]) == {"too few users", "one seed"}  # Random drew once
    assert page.told()[DIFFER].is_null().all()
    assert isinstance(page.reference_figure(), Figure)
    assert "0 of 4 are better, 0 worse, and 4 undecided" in page.reference_text()
    assert [isinstance(figure, Figure) for figure in page.matrix_figures()] == [True, True]


def test_one_seed_ranks_nothing(tmp_path: Path) -> None:
    study = "recommenders: [hybrid]\nscenarios: [cold]\nseeds: [0]\nk: [20]\n"
    page = SignificancePage(filled(tmp_path, study))
    assert "**Hybrid ran from one seed.**" in page.opening()
    assert set(page.table()[DIFFER]) == {"one seed"}
    assert page.told()[DIFFER].to_list() == [None]
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
