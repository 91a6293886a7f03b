from pathlib import Path

import pytest
from planted import plant, planted

from mrs_book.chapters.alternatives import kept_first_epoch
from mrs_book.chapters.recommender import RecommenderPage, curve_figure

STUDY = """
note: Short training.
recommenders: [knn, {hybrid: {max_epochs: 3}}, random, popularity]
seeds: [0, 1]
shuffled_seeds: [0, 1]
k: [50]
"""


@pytest.fixture
def page(tmp_path: Path) -> RecommenderPage:
    results = planted(tmp_path, STUDY, {"mert": 0.5, "mule": 0.1})
    for cell in results.cells():
        if cell.recommender.name == "hybrid":
            for spec in cell.runs:
                plant(results, spec, [0.5, 0.7])
            for spec in cell.shuffled:
                plant(results, spec, [0.3, 0.3] if cell.scenario == "hot" else [0.1, 0.1])
    return RecommenderPage(results, "hybrid")


def test_intro_and_formulas(page: RecommenderPage) -> None:
    assert page.intro().endswith("It reads vectors and answers: hot, cold.")
    assert "$$\n\\hat x_u = x_u A A^\\top - x_u\n$$" in page.formulas()
    popularity = RecommenderPage(page.results, "popularity")
    assert popularity.intro().endswith("It reads plays alone and answers: hot.")
    assert "Hybrid" in page.code()


def test_hyperparameters(page: RecommenderPage) -> None:
    rows = {row["hyper-parameter"]: row for row in page.hyperparameters().iter_rows(named=True)}
    assert rows["max_epochs"]["here"] == "3"
    assert rows["max_epochs"]["default"] == "200"
    assert rows["max_epochs"]["published"] == "200"
    assert "train_hybrid.py" in rows["max_epochs"]["source, and reason for ours"]
    assert rows["n_components"]["published"] == "none"
    assert page.hyperparameters_text().endswith("Short training.")
    assert page.hyperparameters_text()
    assert RecommenderPage(page.results, "popularity").hyperparameters().is_empty()


def test_tables_hold_the_gain(page: RecommenderPage) -> None:
    (hot, hot_table), (cold, cold_table) = page.tables()
    assert hot.startswith("Hot, chance 0.1000: Surrogate")
    assert cold.startswith("Cold")
    assert hot_table.columns[:3] == ["backend", "ndcg@50", "low"]
    assert hot_table["gain"].to_list() == pytest.approx([0.3, 0.3])
    assert cold_table["gain"].to_list() == pytest.approx([0.5, 0.5])
    assert hot_table["page"].to_list() == ["runs/hybrid-mert-hot.html", "runs/hybrid-mule-hot.html"]


def test_what_the_control_says(page: RecommenderPage) -> None:
    text = page.shuffled_text()
    assert "In hot it reaches 3.0 times chance: what the plays alone tell stays" in text
    assert "- Hot, ndcg@50. Surrogate vectors (sim:), generated" in text
    assert "mean over 2: in order 0.6000, shuffled 0.3000" in text
    figure = page.shuffled_figure()
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes] == ["hot", "cold"]
    assert RecommenderPage(page.results, "random").shuffled_figure() is None


def test_costs(page: RecommenderPage) -> None:
    rows = page.costs().to_dicts()
    assert [(row["scenario"], row["runs"]) for row in rows] == [
        (scenario, runs)
        for scenario in ("hot", "cold")
        for runs in ("4, vectors as they are", "4, shuffled")
    ]
    assert [row["fit, median s"] for row in rows] == [1.0, 2.0, 1.0, 2.0]
    assert {row["converged"] for row in rows} == {"nothing to train"}


@pytest.mark.parametrize(
    ("converged", "epochs", "first"), [(True, 4, True), (True, 5, False), (False, 4, False)]
)
def test_a_fit_that_kept_its_first_epoch(converged: bool, epochs: int, first: bool) -> None:
    """With a patience of 3 it stops after the fourth."""
    curve = [{"epoch": float(epoch)} for epoch in range(epochs)]
    info = {"converged": converged, "curve": curve, "settings": {"patience": 3}}
    assert kept_first_epoch(info) == first


def test_curves(page: RecommenderPage) -> None:
    assert page.curves() is None
    curve = [
        {"epoch": 0.0, "loss": 2.0, "ndcg@50": 0.1},
        {"epoch": 1.0, "loss": 1.0, "ndcg@50": 0.3},
    ]
    figure = curve_figure({"sim:MERT": curve, "MERT": []})
    assert figure is not None
    (line,) = figure.axes[0].lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([1, 2], [0.1, 0.3])
