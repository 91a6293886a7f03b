from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from planted import plant, planted
from scipy.stats import nct, norm, t

from mrs.evaluation.significance import holm
from mrs.study.results import Cell, Results
from mrs_book.chapters.significance import DIFFER, SIZES, Page, family_components

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


def opened(results: Results) -> Page:
    folder = results.store.folder.parent
    return Page(str(folder / "study.yaml"), str(folder / "store"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return opened(filled(tmp_path_factory.mktemp("study")))


def test_told_apart(page: Page) -> None:
    families = page.families()
    assert families["recommender"].to_list() == ["KNN", "KNN (center=true)", "Hybrid"] * 2
    assert families["seeds"].to_list() == ["no draws", "no draws", "2"] * 2
    # MERT stands far above the other two, which have the same mean but for noise.
    assert families["pairs"].to_list() == [3] * 6
    pairs = page.pairs.filter(pl.col("first") == "sim:MERT")
    assert len(pairs) == 12
    # Two seeds carry little after Holm: t of one degree of freedom at 1.7 % is 38.
    assert pairs.group_by("recommender").agg(pl.col("apart").sum()).sort("recommender").rows() == [
        ("Hybrid", pairs.filter(pl.col("apart"), recommender="Hybrid").height),
        ("KNN", 4),
        ("KNN (center=true)", 4),
    ]
    assert families[DIFFER].sum() == page.pairs["apart"].sum()


def test_the_table_has_every_pair(page: Page) -> None:
    table = page.table()
    assert len(table) == len(page.pairs) == 18
    assert set(table[DIFFER]) <= {"yes", "no"}


def test_opening(page: Page) -> None:
    text = page.opening().data
    assert "18 pairs in 6 families of 3 pairs each" in text
    assert "60 users, ndcg@20 cold over 60 users" in text
    assert "sim:" in text
    assert "one seed" not in text


def test_errors_are_of_the_components(page: Page) -> None:
    row = page.errors().row(2, named=True)
    found = family_components(page.pairs.filter(scenario="hot", recommender="Hybrid"))
    users, seeds, both = found.parts()
    half = np.sqrt(t.isf(0.025, 59) ** 2 * users + t.isf(0.025, 1) ** 2 * (seeds + both))
    assert row["half width"] == pytest.approx(half)
    assert row["any number of seeds"] == pytest.approx(t.isf(0.025, 59) * np.sqrt(users))
    assert row["any number of users"] == pytest.approx(t.isf(0.025, 1) * np.sqrt(seeds))
    assert page.errors()["any number of users"][0] == 0  # KNN draws nothing


def test_listeners_needed(page: Page) -> None:
    row = page.needed().row(0, named=True)
    pairs = [values(a, 0) - values(b, 0) for a, b in combinations(LEVELS, 2)]
    variance = np.mean([np.var(pair, ddof=1) for pair in pairs])
    away = row["detectable"] / np.sqrt(variance / N_USERS)
    assert nct.sf(t.isf(0.05 / 3 / 2, N_USERS - 1), N_USERS - 1, away) == pytest.approx(0.8)
    # With thousands of listeners the textbook's normal distribution is close.
    widths = norm.ppf(1 - 0.05 / 3 / 2) + norm.ppf(0.8)
    needed = variance * (widths / SIZES[0]) ** 2
    assert int(row[f"{SIZES[0]:g}"].replace(",", "")) == pytest.approx(needed, rel=0.01)


def test_figures(page: Page) -> None:
    assert isinstance(page.error_figure(), Figure)
    assert isinstance(page.power_figure(), Figure)
    ((text, figure),) = page.rank_figures()
    assert "Descriptive" in text
    assert "3 backends over 6 blocks" in text
    shown = [label.get_text() for label in figure.axes[0].texts]
    assert any(label.startswith("sim:MERT (1.0)") for label in shown)


def test_matrix_counts(page: Page) -> None:
    figure = page.matrix_figure()
    assert figure is not None
    axis = figure.axes[1]
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


def beside(folder: Path, n_users: int = N_USERS) -> Page:
    results = planted(folder, BESIDE, {"mert": 0.6, "mule": 0.1})
    for place, cell in enumerate(results.cells()):
        users = np.random.default_rng([place, 99]).random(n_users)
        for spec in cell.runs:
            noise = np.random.default_rng([place, spec.seed]).random(n_users)
            plant(results, spec, (level(cell) + 0.2 * users + 0.02 * noise).tolist())
    return opened(results)


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
    counts = page.reference_counts().select(
        "reference", "comparisons", "better", "worse", "undecided"
    )
    n_better = elsa.filter(pl.col("apart"), pl.col("difference") > 0).height
    n_worse = elsa.filter(pl.col("apart"), pl.col("difference") < 0).height
    assert counts.row(0) == ("ELSA", 4, n_better, n_worse, 4 - n_better - n_worse)
    assert counts.row(2) == ("random start", 2, 0, 2, 0)
    assert len(page.reference_table()) == len(rows)
    figure = page.reference_figure()
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes][2] == "hot, against random start"
    alone = opened(filled(tmp_path / "b"))
    assert (len(alone.references), alone.reference_figure()) == (0, None)


def test_few_listeners_have_no_verdict(tmp_path: Path) -> None:
    page = beside(tmp_path, 12)
    assert page.pairs["p_holm"].is_null().all()
    assert set(page.table()[DIFFER]) == {"too few users"}
    assert set(page.reference_table()[DIFFER]) == {"too few users", "one seed"}  # Random drew once
    assert page.families()[DIFFER].is_null().all()
    assert isinstance(page.reference_figure(), Figure)
    counts = page.reference_counts()
    assert set(counts.select("better", "worse").rows()) == {(0, 0)}
    assert (counts["undecided"] == counts["comparisons"]).all()
    assert isinstance(page.matrix_figure(), Figure)


def test_one_seed_ranks_nothing(tmp_path: Path) -> None:
    study = "recommenders: [hybrid]\nscenarios: [cold]\nseeds: [0]\nk: [20]\n"
    page = opened(filled(tmp_path, study))
    assert "**Hybrid ran from one seed**" in page.opening().data
    assert set(page.table()[DIFFER]) == {"one seed"}
    assert page.families()[DIFFER].to_list() == [None]
    assert (page.rank_figures(), page.matrix_figure()) == ([], None)
    assert len(page.errors()) == 0
    assert isinstance(page.power_figure(), Figure)


def test_an_empty_store(tmp_path: Path) -> None:
    page = opened(planted(tmp_path, STUDY, LEVELS))
    assert page.opening().data.startswith("The store has no two backends")
    assert (len(page.table()), page.rank_figures(), page.power_figure()) == (0, [], None)


def test_missing_runs_are_said(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, LEVELS)
    for cell in results.cells():
        if cell.recommender.name == "knn":
            plant(results, cell.runs[0], values(str(cell.backend), 0).tolist())
    text = opened(results).opening().data
    assert "6 of 18 cells lack a record and are left out (Hybrid)." in text
