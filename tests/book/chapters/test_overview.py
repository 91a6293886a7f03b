from pathlib import Path

import pytest
from planted import plant, planted

from mrs.study.results import Results
from mrs_book.chapters.overview import StudyPage

STUDY = """
recommenders: [knn, {knn: {center: true}}, bimodal_average, elsa]
shuffled_seeds: [0, 1]
shuffled_seeds_of: {bimodal_average: [0]}
k: [20, 50]
"""


@pytest.fixture
def results(tmp_path: Path) -> Results:
    results = planted(tmp_path, STUDY, {"mert": 0.5, "mfcc": 0.1})
    for cell in results.cells():
        if cell.slug != "knn-mfcc-cold":
            plant(results, cell.runs[0], [0.25, 0.75])
    return results


def test_the_grid_has_empty_cells_where_there_is_no_result(results: Results) -> None:
    page = StudyPage(results)
    table, links = page.whole_grid("cold")
    assert list(links) == ["KNN", "KNN (center=true)", "Bimodal, average"]
    rows = {row["backend"]: row for row in table.iter_rows(named=True)}
    assert list(rows) == ["sim:MFCC", "sim:MERT"]
    assert rows["sim:MERT"]["KNN"] == pytest.approx(0.5)
    assert rows["sim:MERT"][links["KNN"]] == "runs/knn-mert-cold.html"
    assert rows["sim:MFCC"]["KNN"] is None
    assert {row["Bimodal, average"] for row in rows.values()} == {None}
    assert page.grid_caption("cold").startswith("Cold, ndcg@20, mean over users and seeds; chance")


def test_controls_are_counted(results: Results) -> None:
    assert "1 to 2 shuffled control(s)" in StudyPage(results).grid_state()
