"""Other settings beside the usual ones: differences are those of planted records."""

from pathlib import Path

import polars as pl
import pytest
from book.chapters.test_coldstart import WORLD, plant
from typed import in_module

from mrs.data.dataset import open_dataset
from mrs.study.archive import pack
from mrs.study.results import Results
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.chapters import coldstart_backbone
from mrs_book.chapters.alternatives import alternatives, clear_text
from mrs_book.chapters.recommender import open_alternatives

ROOT = Path(__file__).parents[3]
TEXT = f"""
title: planted
dataset: {WORLD}
split: catalogue
backends: [mule]
seeds: [0, 1]
recommenders:
  - acarec
  - acarec: {{batch_size: 64, fusion: glu}}
  - artist_mean: {{backbone_epochs: 60}}
  - artist_mean: {{backbone_epochs: 15}}
scenarios: [cold, cold/discovery, cold/exploit]
archive: study.parquet
"""


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(TEXT)
    study, dataset = load_study(tmp_path / "study.yaml"), open_dataset(WORLD)
    planted = Results(study, Store("store"), dataset)
    runs = []
    for place, spec in enumerate(dict.fromkeys(planted.specs())):
        plant(spec, place, planted.store, planted.key(spec))
        runs.append((spec, planted.record(spec), dataset))
    pack(runs, study.archive, command="a command")
    return Results(study, Store("empty"), dataset)


def test_differences_are_to_the_first_of_the_same_recommender(results: Results) -> None:
    table = alternatives(results, "cold")
    assert table["recommender"].to_list() == ["ACARec", "ACARec", "Artist mean", "Artist mean"]
    wanted = ["as elsewhere", "batch_size 64, fusion glu", "as elsewhere", "backbone_epochs 15"]
    assert table["set"].to_list() == wanted
    values = [results.primary_values(cell.runs) for cell in results.cells("cold")]
    assert table["ndcg@20"].to_list() == pytest.approx([float(v.mean()) for v in values])
    assert table["difference"].to_list() == [
        None,
        pytest.approx((values[1] - values[0]).mean()),
        None,
        pytest.approx((values[3] - values[2]).mean()),
    ]
    others = table.drop_nulls("difference")
    assert (others["from"] <= others["difference"]).all()
    assert (others["difference"] <= others["to"]).all()
    n_clear = sum(low > 0 or high < 0 for low, high in others.select("from", "to").iter_rows())
    assert f"In {n_clear} of 2 comparisons" in clear_text(table)


def test_without_runs_nothing_is_said(results: Results, tmp_path: Path) -> None:
    study = results.study.model_copy(update={"archive": None})
    empty = Results(study, Store(tmp_path / "none"), results.dataset)
    assert not len(alternatives(empty, "cold"))
    assert clear_text(alternatives(empty, "cold")) == "No alternative has been run."
    page = backbone(empty)
    assert (len(page.by_epochs), len(page.epochs), page.figure()) == (0, 0, None)


def backbone(results: Results) -> coldstart_backbone.Page:
    page = coldstart_backbone.Page.__new__(coldstart_backbone.Page)
    page.results = results
    return page


def test_epochs_ascend_and_are_averaged_over_seeds(results: Results) -> None:
    page = backbone(results)
    assert page.by_epochs.select("epochs", "seed").rows() == [(15, 0), (15, 1), (60, 0), (60, 1)]
    table = page.epochs
    short = [cell for cell in results.cells("cold") if cell.recommender.name == "artist_mean"][1]
    values = results.primary_values(short.runs).mean(axis=1)
    assert table["epochs"].to_list() == [15, 60]
    assert table["all new tracks"][0] == pytest.approx(values.mean())
    assert table["sd, all new tracks"][0] == pytest.approx(values.std(ddof=1))
    assert page.figure() is not None


@pytest.mark.parametrize(("last", "axis"), [(0.02, True), (0.05, False)])
def test_the_axis_is_named_only_where_the_slices_part(last: float, axis: bool) -> None:
    rows = {
        "epochs": [15, 100, 150],
        "seed": [0, 0, 0],
        "all new tracks": [0.28, 0.36, 0.365],
        "discovery": [0.04, 0.03, last],
        "exploit": [0.37, 0.49, 0.5],
    }
    page = coldstart_backbone.Page.__new__(coldstart_backbone.Page)
    page.by_epochs = pl.DataFrame(rows)
    text = page.verdict().data
    assert ("ends of one axis" in text) == axis
    assert "moves by 0.0050" in text


def test_the_losses_stand_beside_the_default_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    results = open_alternatives("studies/demo.yaml", "results", "bimodal_content")
    assert results is not None
    losses = {variant.settings.get("loss", "adcl") for variant in results.study.recommenders}
    assert losses == {"adcl", "adclw", "dcl", "dclw", "sdcl", "sdclw"}
    assert open_alternatives("studies/demo.yaml", "results", "knn") is None
    assert open_alternatives("studies/small.yaml", "results", "bimodal_content") is None


@pytest.mark.parametrize("name", ["alternatives"])
def test_no_number_is_typed(name: str) -> None:
    assert not in_module(ROOT / f"notebooks/mrs_book/chapters/{name}.py")
