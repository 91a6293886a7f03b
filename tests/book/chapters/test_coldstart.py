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
from mrs.study.archive import pack
from mrs.study.results import Cell, Results
from mrs.study.spec import RunSpec
from mrs.study.store import Store
from mrs.study.study import Variant, load_study
from mrs_book.chapters.coldstart import METRICS, SLICES
from mrs_book.chapters.coldstart_tracks import Page
from mrs_book.kit.style import GENERATED, use_style

ROOT = Path(__file__).parents[3]
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
def page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.chdir(folder)
    return Page("coldstart.yaml", str(folder / "empty"))


def test_the_table_is_what_numpy_makes_of_the_archive(page: Page) -> None:
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


def test_tables_have_each_method_once_a_backend(page: Page) -> None:
    overview = page.overview()
    assert overview.select("method", "backend").is_unique().all()
    assert {"DeepMusic", "DeepMusic + artist", "ACARec"} <= set(overview["method"])
    assert not overview["method"].str.contains("fusion").any()
    for scenario in page.scenarios():
        table = page.by_slice(scenario)
        assert len(table) == len(overview)
        assert f"{N_USERS[scenario]} users" in page.slice_caption(scenario)
    assert isinstance(page.slice_figure(), Figure)


def test_artist_pairs_are_ratios_of_the_table(page: Page) -> None:
    pairs = page.artist_pairs()
    assert len(pairs) == len(page.scenarios()) * 2
    ratios = (pairs["with artist"] / pairs["content only"]).to_list()
    assert pairs["ratio"].to_list() == pytest.approx(ratios)
    assert page.ratio_ranges()["pairs"].to_list() == [2] * len(page.scenarios())


def test_methods_of_content_alone_are_ranked_by_backend(page: Page) -> None:
    """DeepMusic is the only one in the study; with its artist it reads more than content."""
    assert not len(page.content_methods())
    variants = (Variant(KNN()), Variant(DeepMusic()))
    study = page.results.study.model_copy(update={"recommenders": variants})
    level = {"knn": 0.5, "deepmusic": 1.0}

    def records(cell: Cell) -> list[Any]:
        gap = level[cell.recommender.name] - 0.5
        values = 0.5 + gap * (1 + 1e-6 * np.linspace(-1, 1, 31))
        return [SimpleNamespace(users=pl.DataFrame({METRICS[0]: values}), values=lambda _: values)]

    other = Page("coldstart.yaml", "ranked")
    other.results = Results(study, Store("ranked"))
    other.records = records  # type: ignore[method-assign]
    found = other.content_methods()
    assert len(found) == 2
    row = found.row(0, named=True)
    assert (row["backend"], row["first"], row["second"]) == ("sim:MULE", "DeepMusic", "KNN")
    assert [row[n] for n in (METRICS[0], "difference", "low", "high")] == pytest.approx(
        [1, 0.5, 0.5, 0.5], abs=1e-4
    )


def test_ablations_and_backends_are_paired_differences(page: Page) -> None:
    found = page.ablations()
    assert set(found["variant"]) == {"ACARec (fusion=glu)"}
    assert len(found) == len(page.scenarios())  # the other backend has no run of it
    gap = (found[METRICS[0]] - found["whole"]).to_list()
    assert found["difference"].to_list() == pytest.approx(gap)
    table = page.backends()
    assert len(table) == len(page.scenarios()) * 2
    gap = (table["ACARec"] - table["DeepMusic"]).to_list()
    assert table["difference"].to_list() == pytest.approx(gap)
    assert page.backend_counts()["backends"].to_list() == [2] * len(page.scenarios())
    assert f"of {len(found)} intervals" in page.ablation_verdict().data


def test_popularity_and_exposure_are_means_over_seeds(page: Page) -> None:
    popularity, exposure = page.popularity(), page.exposure()
    assert exposure["method"].to_list()[:2] == ["candidates", "truth"]
    assert exposure["unknown artist"].to_list()[:2] == [GROUP["candidates"], GROUP["truth"]]
    # What was planted: the share of places is Spearman's correlation.
    shares = exposure["unknown artist"].to_list()[2:]
    assert popularity["Spearman, all"].to_list() == pytest.approx(shares)
    assert popularity["MAE, tail"].to_list() == pytest.approx([1 - share for share in shares])
    ranked = popularity.filter(~pl.col("method").str.starts_with("Oracle"))
    best = page.best_correlations().filter(pl.col("block").str.starts_with("Surrogate"))
    mine = ranked.filter(pl.col("block").str.starts_with("Surrogate"))
    assert best["Spearman, all"][0] == mine["Spearman, all"].max()
    # Of two groups, what one has too much the other lacks.
    moved = [abs(share - GROUP["truth"]) for share in shares]
    assert exposure["moved"].to_list()[2:] == pytest.approx(moved)


def test_what_is_missing_has_a_command_and_hours(page: Page) -> None:
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
    page = Page(str(tmp_path / "coldstart.yaml"), str(tmp_path / "empty"))
    assert "hours unknown" in page.origin().data
    assert page.ablation_verdict().data == "No ablation has been run."
    assert (page.scenarios(), page.slice_figure()) == ([], None)
    tables = (
        page.overview, page.firsts, page.content_methods, page.below_chance, page.artist_pairs,
        page.ratio_ranges, page.popularity, page.best_correlations, page.exposure,
        page.backends, page.backend_counts,
    )  # fmt: skip
    assert not any(len(table()) for table in tables)


@pytest.mark.parametrize(
    "name", ["coldstart", "coldstart_tracks", "coldstart_backbone", "coldstart_variance"]
)
def test_no_number_is_typed(name: str) -> None:
    assert not in_module(ROOT / f"notebooks/mrs_book/chapters/{name}.py")


def test_no_number_is_typed_in_the_template() -> None:
    assert not in_notebook(ROOT / "notebooks/coldstart.ipynb")


def test_the_first_of_each_slice_is_the_best_of_its_block(page: Page) -> None:
    for row in page.firsts().iter_rows(named=True):
        scenario = next(s for s, name in SLICES.items() if name == row["slice"])
        table = page.by_slice(scenario).filter(block=row["vectors"])
        known = table.filter(~pl.col("method").is_in(["Random", "Oracle"]))
        assert row[METRICS[0]] == known[METRICS[0]].max()
        assert row["oracle"] == page.value(scenario, "oracle")
