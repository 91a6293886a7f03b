import json
from pathlib import Path

import polars as pl
import pytest
from planted import planted
from worlds import random_parts, write_own

from mrs.study.results import Results
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.kit.pages import Page, Part, contents, pages

ROOT = Path(__file__).resolve().parents[3]
TEXT = """
title: A test
dataset: {dataset}
recommenders: [knn, {{knn: {{center: true}}}}, popularity]
seeds: [0, 1]
shuffled_seeds: [0, 1, 2]
k: [5, 10]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    card = {"backend": "mert", "origin": "surrogate"}
    (tmp_path / "own/embeddings/mert.json").write_text(json.dumps(card))
    return tmp_path


def lay_out(folder: Path, text: str = TEXT) -> list[Part]:
    path = folder / "study.yaml"
    path.write_text(text.format(dataset=folder / "own"))
    return pages("study.yaml", Results(load_study(path), Store(folder / "store")))


def by_path(parts: list[Part]) -> dict[str, Page]:
    found = {}
    for part in parts:
        for page in part.pages:
            found |= {one.path: one for one in (page, *page.children)}
    return found


# Pages about other things than runs.
ELSEWHERE = {
    "reading",
    "reference",
    "published",
    "cold_at_20",
    "forensics",
    "deviations",
    "claims",
    "audit",
    "definitions",
    "api",
}


def test_the_audit_page_follows_the_live_values(folder: Path) -> None:
    before = by_path(lay_out(folder))
    live = folder / "store/audit/live.csv"
    live.parent.mkdir(parents=True)
    live.write_text("library\n")
    assert changed(before, by_path(lay_out(folder))) == {"audit", "claims"}


def test_slices_have_pages_of_their_own_without_a_slash_in_their_names(folder: Path) -> None:
    scenarios = "scenarios: [cold, cold/discovery]\n"
    found = by_path(lay_out(folder, TEXT.replace("popularity]", "random]") + scenarios))
    assert {"results-cold", "results-cold-discovery"} <= set(found)
    assert {"runs/random-cold", "runs/random-cold-discovery"} <= set(found)
    assert found["results-cold-discovery"].parameters["scenario"] == "cold/discovery"
    assert all(path.count("/") == path.startswith("runs/") for path in found)


def test_parts_and_pages(folder: Path) -> None:
    parts = lay_out(folder)
    assert [(part.caption, [page.path for page in part.pages]) for part in parts] == [
        ("", ["index"]),
        ("The study", ["data", "reading"]),
        ("Results", ["results-hot", "results-cold"]),
        (
            "Recommenders",
            [
                "recommender-knn",
                "recommender-knn-center-true",
                "recommender-popularity",
                "hyperparameters",
            ],
        ),
        ("What a model hears", ["mir", "backend-mert"]),
        (
            "Published results",
            ["published", "cold_at_20", "forensics", "deviations", "claims"],
        ),
        ("Do we calculate metrics consistently?", ["audit", "metrics", "definitions"]),
        ("Appendix", ["api", "reference", "appendix"]),
    ]
    runs = {page.path: [c.title for c in page.children] for page in parts[3].pages}
    assert runs == {
        "recommender-knn": ["sim:MERT, hot", "sim:MERT, cold"],
        "recommender-knn-center-true": ["sim:MERT, hot", "sim:MERT, cold"],
        "recommender-popularity": ["Popularity, hot"],
        "hyperparameters": [],
    }


def test_the_contents_name_every_chapter(folder: Path) -> None:
    parts = lay_out(folder)
    rows = contents(parts)
    chapters = {page.path: page.title for part in parts for page in part.pages}
    listed = {row["page"].removesuffix(".html"): row["part"] for row in rows.iter_rows(named=True)}
    assert listed.items() <= chapters.items()
    others = set(chapters) - set(listed) - {"index", "appendix"}
    assert all(path.startswith(("recommender-", "backend-")) for path in others)


def test_pages_that_only_some_studies_have(tmp_path: Path) -> None:
    text = "recommenders: [hybrid, {hybrid: {n_components: none}}]\n"
    rungs = {"mert": 0.1, "mule": 0.2, "muq": 0.3}
    results = planted(tmp_path, text, rungs)
    found = by_path(pages("study.yaml", results))
    some = {"ladder", "components", "significance"}
    assert some < set(found)
    assert {found[path].template for path in some} == some


def test_a_run_page_spells_out_its_runs(folder: Path) -> None:
    found = by_path(lay_out(folder))
    page = found["runs/knn-center-true-mert-cold"]
    assert page.heading == "KNN (center=true) on sim:MERT, cold"
    assert page.parameters == {
        "dataset": str(folder / "own"),
        "split": None,
        "backend": "mert",
        "recommender": "knn",
        "settings": {"center": True},
        "protocol": "corrected",
        "scenario": "cold",
        "seeds": [0, 1],
        "shuffled_seeds": [0, 1, 2],
        "k": [5, 10],
        "threads": 1,
        "store": (folder / "store").as_posix(),
    }
    popularity = found["runs/popularity-hot"]
    assert popularity.parameters["backend"] is None
    assert popularity.parameters["shuffled_seeds"] == []


def test_every_template_and_text_is_there(folder: Path) -> None:
    for page in by_path(lay_out(folder)).values():
        path = f"notebooks/{page.template}.ipynb" if page.template else f"book/{page.path}.md"
        assert (ROOT / path).is_file(), path


def test_templates_know_their_parameters(folder: Path) -> None:
    for page in by_path(lay_out(folder)).values():
        if page.template is None or not page.parameters:
            continue
        cells = json.loads((ROOT / f"notebooks/{page.template}.ipynb").read_text())["cells"]
        (defaults,) = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
        names = {line.split(" = ")[0] for line in "".join(defaults["source"]).splitlines()}
        assert set(page.parameters) <= names, page.path


def changed(one: dict[str, Page], other: dict[str, Page]) -> set[str]:
    assert set(one) == set(other)
    return {path for path in one if one[path].inputs != other[path].inputs}


def test_a_changed_study_executes_the_pages_of_the_study(folder: Path) -> None:
    before = by_path(lay_out(folder))
    assert changed(before, by_path(lay_out(folder))) == set()
    after = by_path(lay_out(folder, TEXT.replace("A test", "Another title")))
    runs = {path for path in before if path.startswith("runs/")}
    assert changed(before, after) == set(before) - runs - ELSEWHERE


def test_a_changed_input_executes_the_pages_that_show_it(folder: Path) -> None:
    before = by_path(lay_out(folder))
    card = {"backend": "mert", "origin": "file"}
    (folder / "own/embeddings/mert.json").write_text(json.dumps(card))
    after = by_path(lay_out(folder))
    unmoved = {"runs/popularity-hot", "recommender-popularity", "hyperparameters"}
    assert changed(before, after) == set(before) - unmoved - ELSEWHERE
    assert after["runs/knn-mert-hot"].title == "MERT, hot"

    tests = folder / "own/splits/mine/hot_test.parquet"
    pl.read_parquet(tests).head(20).write_parquet(tests)
    again = by_path(lay_out(folder))
    assert "runs/popularity-hot" in changed(after, again)
