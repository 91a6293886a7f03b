"""The part on new tracks: its numbers are those of the archive, none of them is typed."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from typed import in_module, in_notebook

from mrs.data.dataset import open_dataset
from mrs.recommenders.coldstart.deepmusic import DeepMusic
from mrs.recommenders.knn import KNN
from mrs.report import coldstart_tracks as tracks
from mrs.report.coldstart import METRICS, STUDIES, ColdStartPage
from mrs.report.style import GENERATED, use_style
from mrs.study.archive import pack
from mrs.study.results import Cell, Results
from mrs.study.spec import RunSpec
from mrs.study.store import Store
from mrs.study.study import Variant, load_study
from mrs.study.worlds import beside

ROOT = Path(__file__).parents[2]
WORLD = "demo:n_users=60,n_tracks=80,n_artists=12,n_cold=20"
TEXT = f"""
title: planted
note: A minute.
dataset: {WORLD}
split: catalogue
backends: [mule, muq]
recommenders:
  - random
  - artist_popularity
  - deepmusic
  - deepmusic: {{use_artist: true}}
  - acarec
  - acarec: {{fusion: glu}}
  - oracle
scenarios: [cold, cold/discovery, cold/exploit]
seeds: [0, 1]
archive: coldstart.parquet
"""
N_USERS = {"cold": 60, "cold/discovery": 40, "cold/exploit": 50}
GROUP = {"candidates": 0.5, "truth": 0.25}


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    use_style(GENERATED)
    yield
    plt.close("all")


def told(share: float) -> dict:
    part = {"spearman": share, "error": 1 - share}
    exposure = [
        GROUP | {"group": 0, "places": share},
        {"group": 1, "candidates": 0.5, "truth": 0.75, "places": 1 - share},
    ]
    return {
        "popularity": dict.fromkeys(("all", "head", "tail"), part),
        "exposure": {"20": exposure},
    }


def plant(spec: RunSpec, place: int, store: Store, key: str) -> None:
    """A record whose users have one relevant track, at a rank that goes from good to bad."""
    rng = np.random.default_rng(place)
    n = N_USERS[spec.scenario]
    ranks = rng.integers(1, 40, n).tolist()
    users = pl.DataFrame(
        {
            "user_id": range(n),
            "n_relevant": [1] * n,
            "n_candidates": [100] * n,
            "hit_ranks": [[rank] for rank in ranks],
        },
        schema_overrides={"hit_ranks": pl.List(pl.UInt32)},
    )
    info = {
        "recommender": spec.recommender.name,
        "k": list(spec.k),
        "n_users": n,
        "machine": "a machine",
        "versions": {"mrs": "0"},
        "seconds": {"fit": 60.0, "rank": 0.0},
        "converged": None,
    }
    if spec.scenario == "cold":
        info["new_tracks"] = told((1 + place % 7) / 10)
    store.write(key, info, users)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its archive, which lacks the ablation on the second backend."""
    folder = tmp_path_factory.mktemp("coldstart")
    (folder / "coldstart.yaml").write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        dataset = open_dataset(WORLD)
        study, store = load_study(folder / "coldstart.yaml"), Store(folder / "planting")
        results = Results(study, store, dataset)
        runs = []
        for place, spec in enumerate(dict.fromkeys(results.specs())):
            if spec.settings.get("fusion") == "glu" and spec.backend == "muq":
                continue
            plant(spec, place, store, results.key(spec))
            record = results.record(spec)
            assert record is not None
            runs.append((spec, record, dataset))
        assert study.archive is not None
        pack(runs, study.archive, command="a command")
    return folder


@pytest.fixture
def page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ColdStartPage:
    monkeypatch.chdir(folder)
    results = Results(load_study(folder / "coldstart.yaml"), Store(folder / "empty"))
    return ColdStartPage(results, "coldstart.yaml")


def test_the_table_is_what_numpy_makes_of_the_archive(page: ColdStartPage) -> None:
    archive = page.results.archive
    assert archive is not None
    for row in page.frame.iter_rows(named=True):
        cell = page.results.cells(row["scenario"])[row["place"]]
        places = [archive.place(spec, cell.card) for spec in cell.runs]
        for metric in METRICS:
            values = archive.values([p for p in places if p is not None], metric)
            assert row[metric] == pytest.approx(values.mean())
            assert row[f"{metric} low"] <= row[metric] <= row[f"{metric} high"]
            assert row[f"{metric} chance"] == pytest.approx(
                archive.record(places[0]).chance(metric)
            )
        assert row["n_users"] == N_USERS[row["scenario"]] == values.shape[1]


def test_tables_have_each_method_once_a_backend(page: ColdStartPage) -> None:
    overview = page.overview()
    assert overview.select("method", "backend").is_unique().all()
    assert {"DeepMusic", "DeepMusic + artist", "ACARec"} <= set(overview["method"])
    assert not overview["method"].str.contains("fusion").any()
    for scenario in page.scenarios():
        table = page.by_slice(scenario)
        assert len(table) == len(overview)
        assert f"{N_USERS[scenario]} users" in page.slice_caption(scenario)
    assert isinstance(page.slice_figure(), Figure)


def test_artist_pairs_are_ratios_of_the_table(page: ColdStartPage) -> None:
    pairs = tracks.artist_pairs(page)
    assert len(pairs) == len(page.scenarios()) * 2
    ratios = (pairs["with artist"] / pairs["content only"]).to_list()
    assert pairs["ratio"].to_list() == pytest.approx(ratios)
    assert "no finding" in tracks.pairs_text(page)


def test_methods_of_content_alone_are_ranked_by_backend(page: ColdStartPage) -> None:
    """DeepMusic is the only one in the study; with its artist it reads more than content."""
    assert tracks.content_text(page) == ""
    variants = (Variant(KNN()), Variant(DeepMusic()))
    study = page.results.study.model_copy(update={"recommenders": variants})
    other = Results(study, Store("ranked"))
    level = {"knn": 0.5, "deepmusic": 1.0}

    def records(cell: Cell) -> list[Any]:
        gap = level[cell.recommender.name] - 0.5
        values = 0.5 + gap * (1 + 1e-6 * np.linspace(-1, 1, 31))
        return [SimpleNamespace(users=pl.DataFrame({METRICS[0]: values}), values=lambda _: values)]

    other_page = ColdStartPage(other, "coldstart.yaml")
    other_page.records = records  # type: ignore[method-assign]
    lines = tracks.content_text(other_page).splitlines()
    assert len(lines) == 2
    assert "DeepMusic is first on sim:MULE with 1.0000" in lines[0]
    assert "+0.5000 above KNN (+0.5000 to +0.5000)" in lines[0]


def test_ablations_and_backends_are_paired_differences(page: ColdStartPage) -> None:
    found = tracks.ablations(page)
    assert set(found["variant"]) == {"ACARec (fusion=glu)"}
    assert len(found) == len(page.scenarios())  # the other backend has no run of it
    gap = (found[METRICS[0]] - found["whole"]).to_list()
    assert found["difference"].to_list() == pytest.approx(gap)
    table = tracks.backends(page)
    assert len(table) == len(page.scenarios()) * 2
    gap = (table["ACARec"] - table["DeepMusic"]).to_list()
    assert table["difference"].to_list() == pytest.approx(gap)
    assert "of 2 backend(s)" in tracks.backends_text(page)
    assert f"of {len(found)} comparisons" in tracks.ablation_text(page)


def test_popularity_and_exposure_are_means_over_seeds(page: ColdStartPage) -> None:
    popularity, exposure = tracks.popularity(page), tracks.exposure(page)
    assert exposure["method"].to_list()[:2] == ["candidates", "truth"]
    assert exposure["unknown artist"].to_list()[:2] == [GROUP["candidates"], GROUP["truth"]]
    # What was planted: the share of places is Spearman's correlation.
    shares = exposure["unknown artist"].to_list()[2:]
    assert popularity["Spearman, all"].to_list() == pytest.approx(shares)
    assert popularity["MAE, tail"].to_list() == pytest.approx([1 - share for share in shares])
    assert "rank correlation" in tracks.popularity_text(page)
    assert "most DeepMusic on sim:MULE, 40%." in tracks.exposure_text(page)


def test_what_is_missing_has_a_command_and_hours(page: ColdStartPage) -> None:
    text = page.missing()
    assert "2 fits are missing" in text  # a seed each
    assert "ACARec (fusion=glu)" in text
    assert "--study coldstart.yaml" in text
    assert "hours" in text


def test_without_a_run_the_page_says_so(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coldstart.yaml").write_text(TEXT)
    monkeypatch.chdir(folder)
    results = Results(load_study(tmp_path / "coldstart.yaml"), Store(tmp_path / "empty"))
    page = ColdStartPage(results, "coldstart.yaml")
    assert not page.has_runs
    assert "hours unknown" in page.origin()
    assert tracks.ablation_text(page) == "No ablation has been run."
    assert not len(tracks.popularity(page))
    assert not len(tracks.exposure(page))


def test_the_default_book_has_the_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    files = beside("studies/demo.yaml", STUDIES)
    assert [path.name for path in files[: len(STUDIES)]] == [f"{name}.yaml" for name in STUDIES]
    assert beside("studies/small.yaml", STUDIES) == []


@pytest.mark.parametrize("name", ["coldstart", "coldstart_tracks"])
def test_no_number_is_typed(name: str) -> None:
    assert not in_module(ROOT / f"mrs/report/{name}.py")


def test_no_number_is_typed_in_the_template() -> None:
    assert not in_notebook(ROOT / "notebooks/coldstart.ipynb")
