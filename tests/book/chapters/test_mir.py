"""MIR against recommendation where both sides are chosen by the test."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from planted import plant, planted

from mrs.evaluation.mir import Score
from mrs.study.results import Results
from mrs_book.chapters import mir
from mrs_book.chapters.backend import BackendPage
from mrs_book.chapters.mir import ALL_TASKS, MirPage
from mrs_book.chapters.mir_records import ProbeRecord

NAMES = ["musicfm", "music2vec", "encodecmae", "mert", "jukebox", "mule", "muq"]


def places(results: Results) -> tuple[str, str]:
    """The study file and the store of `planted`."""
    store = results.store.folder
    return str(store.parent / "study.yaml"), str(store)


def page_of(results: Results) -> MirPage:
    return MirPage(*places(results))


def score(task: str, value: float) -> Score:
    return Score(task, "accuracy", value, value - 0.02, value + 0.02, 0.1, 100, 20, 5)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Seven surrogates: genre rises with recommendation, key falls."""
    rungs = {name: 0.1 * place for place, name in enumerate(NAMES)}
    found = planted(tmp_path, "recommenders: [knn, popularity]\nscenarios: [cold, hot]\n", rungs)
    for cell in found.cells():
        place = NAMES.index(cell.backend) if cell.backend else 3
        spread = np.random.default_rng(place).normal(0, 0.001, 40)
        for spec in cell.runs:
            plant(found, spec, (0.2 + 0.05 * place + spread).tolist())
    space = mir.probe_record(found.dataset, "mert", found.store).space

    def planted_record(_dataset: object, name: str, _store: object) -> ProbeRecord:
        place = NAMES.index(name)
        scores = (score("genre", 0.2 + 0.1 * place), score("key", 0.9 - 0.1 * place))
        return ProbeRecord(f"key of {name}", name, scores, space, 1.0)

    monkeypatch.setattr(mir, "probe_record", planted_record)
    return found


def test_correlations_of_known_orders(results: Results) -> None:
    page = page_of(results)
    frame = page.correlations
    assert frame["backends"].unique().to_list() == [7]
    rho = {(r["task"], r["scenario"]): r["rho"] for r in frame.iter_rows(named=True)}
    for scenario in ("hot", "cold"):
        assert rho["genre", scenario] == pytest.approx(1)
        assert rho["key", scenario] == pytest.approx(-1)
    assert (ALL_TASKS, "hot") not in rho  # the two tasks cancel: all mean ranks are equal
    assert frame["vectors"].unique().to_list() == ["surrogates"]
    assert isinstance(page.correlation_figure("surrogates"), Figure)
    assert "no correlation" not in page.correlation_text()


def test_fewer_than_six_backends_have_no_correlation(results: Results) -> None:
    page = page_of(results)
    for label in list(page.records)[:2]:
        del page.records[label]
    assert len(page.correlations) == 0
    assert "5 surrogates: no correlation is drawn from fewer than 6" in page.correlation_text()


def test_models_and_surrogates_are_ranked_apart(results: Results) -> None:
    page = page_of(results)
    page.records["Own"] = page.records["sim:MERT"]
    page.blocks["Own"] = "file"
    assert set(page.kinds()) == {"models", "surrogates"}
    assert page.correlations["backends"].unique().to_list() == [7]
    blocks = page.probe_grid()["vectors"].unique(maintain_order=True).to_list()
    assert [block.split()[0] for block in blocks] == ["Chance", "Vectors", "Surrogate"]


def test_where_the_order_turns_over(results: Results) -> None:
    page = page_of(results)
    turns = page.turns
    genre, key = (turns.filter(pl.col("task") == task) for task in ("genre", "key"))
    assert len(genre) == len(key) == 2 * 21  # every pair is clear in both scenarios
    assert not genre["turned"].any()
    assert key["turned"].all()
    row = key.row(0, named=True)
    gap = NAMES.index(name(row["heard better"])) - NAMES.index(name(row["heard worse"]))
    assert row["gain"] == pytest.approx(0.05 * gap, abs=0.001)
    assert row["from"] <= row["gain"] <= row["to"] < 0
    assert page.turned()["higher probe score"].to_list() == key["heard better"].to_list()
    counts = page.turn_counts().filter(pl.col("scenario") == "hot")
    assert dict(counts.select("task", "turned over").iter_rows()) == {"genre": 0, "key": 21}


def name(label: str) -> str:
    lower = label.removeprefix("sim:").lower()
    return next(one for one in NAMES if one == lower)


def test_pairs_that_are_not_clear_are_left_out(results: Results) -> None:
    page = page_of(results)
    wide = (Score("genre", "accuracy", 0.5, 0, 1, 0.1, 9, 9, 2),)
    page.records = {
        label: replace(one, key=one.key + "wide", scores=wide)
        for label, one in page.records.items()
    }
    page.tasks = ["genre"]
    assert len(page.turns) == 0


def test_scatter_shows_the_first_and_last_recommender(results: Results) -> None:
    page = page_of(results)
    (variant,) = page.scatter_variants()
    assert variant.name == "knn"
    assert isinstance(page.scatter_figure(variant, "hot"), Figure)
    assert len(page.every_score()) == 14
    assert page.every_score()["MFCC"].is_null().all()


def test_a_backends_page(results: Results) -> None:
    page = BackendPage(*places(results), "mule")
    assert "not computed by it" in page.intro()
    assert isinstance(page.map_figure(), Figure)
    assert isinstance(page.norm_figure(), Figure)
    assert page.map_text().startswith("All tracks on the first two principal components")
    probes = page.probes()
    assert probes["probe"].to_list() == ["genre (accuracy)", "key (accuracy)"]
    assert probes["value"].to_list() == pytest.approx([0.7, 0.4])
    tables = page.results_tables()
    assert len(tables) == 2
    for _, table in tables:
        row = table.row(0, named=True)
        assert row["place"] == "2 of 7"
        assert row["page"].startswith("runs/knn-mule-")
    card = dict(page.vector_card().iter_rows())
    assert card["shown as"] == "sim:MULE"
    assert card["heldout r2"] == "0.5"
    model = page.model_card()
    assert model is not None
    assert dict(model.iter_rows())["model"] == "MULE"
    assert len(page.space_table()) == 7


def test_a_dataset_without_labels(tmp_path: Path) -> None:
    found = planted(tmp_path, "recommenders: [knn]\n", {"mert": 0.1})
    path = tmp_path / "own/tracks.parquet"
    pl.read_parquet(path).select("track_id").write_parquet(path)
    page = page_of(found)
    assert page.tasks == []
    assert "nothing to probe" in page.labels()
    assert len(page.correlations) == len(page.turns) == 0
