"""The verdict follows the comparisons, and the page needs nothing but itself."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output
from worlds import random_parts, write_own

from mrs.cli import main
from mrs.study import compare
from mrs_book.chapters.compare import ComparePage, render


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "HYBRID", {"hidden_size": 4, "max_epochs": 2})
    monkeypatch.setattr(compare, "SEEDS", (0,))
    monkeypatch.setattr(compare, "KNN_SHUFFLES", (0, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    vectors = np.load(tmp_path / "own/embeddings/mert.npy")
    np.save(tmp_path / "mine.npy", vectors)
    return tmp_path


def page(folder: Path) -> ComparePage:
    return ComparePage(str(folder / "own"), str(folder / "mine.npy"), store=str(folder / "store"))


def decide(page: ComparePage, **outcomes: str) -> None:
    """Give every comparison of a kind an outcome; the rest have no significant difference."""
    ends = {"better": (0.01, 0.02), "worse": (-0.02, -0.01)}
    page.contrasts = [
        replace(c, detectable=0.05, low=low, high=high)
        for c in page.contrasts
        for low, high in [ends.get(outcomes.get(c.kind, ""), (-0.01, 0.01))]
    ]


def test_the_verdict_follows_the_comparisons(folder: Path) -> None:
    shown = page(folder)
    decide(shown, chance="better", collaborative="worse")
    text = shown.verdict()
    assert "More than chance: **yes**, with 3 of 3 recommenders." in text
    assert "More than plain collaborative filtering: **no**, worse with 3 of 3" in text
    assert "shuffled: **not seen**; up to 0.0500 could have been missed." in text
    assert "More than MFCC: cannot be answered, the dataset has no MFCC vectors" in text
    assert "plain collaborative filtering: cannot be answered, it has no place for new" in text
    assert "generated" not in text
    first = next(i for i, c in enumerate(shown.contrasts) if c.kind == "chance")
    shown.contrasts[first] = replace(shown.contrasts[first], low=-0.2, high=-0.1)
    assert "More than chance: **mixed**, better with 2 and worse with 1 of 3." in shown.verdict()


def test_generated_listeners_and_surrogates_prove_nothing(folder: Path) -> None:
    (folder / "own/dataset.json").write_text('{"name": "own", "origin": "generated"}')
    (folder / "mine.json").write_text('{"backend": "mert", "origin": "surrogate"}')
    text = page(folder).verdict()
    assert "nothing about real listeners" in text
    assert "sim:MERT are surrogate vectors, generated" in text


def test_tables_and_figures(folder: Path) -> None:
    shown = page(folder)
    for scenario in ("hot", "cold"):
        assert isinstance(shown.figure(scenario), Figure)
        answers = shown.answers_table(scenario)
        assert answers["question"].to_list()[0] == "more than chance"
        assert len(answers) == 4
        n = len([c for c in shown.contrasts if c.scenario == scenario])
        assert len(shown.contrast_table(scenario)) == n
        titles = [title for title, _ in shown.leaderboards(scenario)]
        assert "Vectors brought as files" in titles
    found = dict(shown.checks_table().iter_rows())
    assert found["shape"] == "52 x 7"
    assert found["tracks with a vector"] == "52 of 52"


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Call the command line in this process: status, stdout, stderr."""

    def done(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["mrs", "compare", "--dataset", "own", *words])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capfd.readouterr()

    return done


@pytest.mark.slow
def test_the_command_writes_one_page_that_works_offline(call, folder: Path) -> None:
    vectors = np.load(folder / "mine.npy")
    vectors[3] = 0
    np.save(folder / "mine.npy", vectors)
    status, out, err = call("--vectors", "mine.npy", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["label"] == "mine"
    assert found["checks"]["zeros"] == 1
    assert "mine.npy: 1 rows are all zeros, first row 3" in err
    assert {c["outcome"] for c in found["contrasts"]} <= {
        "better",
        "worse",
        "no significant difference",
    }
    text = (folder / found["page"]).read_text(encoding="utf-8")
    assert found["page"] == "build/compare/mine.html"
    assert "<h1" in text
    assert "Do mine vectors help?" in text
    assert text.count("data:image/png;base64,") == 2
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', text)
    assert not re.search(r"@import|url\(", text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vectors", "none.npy"), "none.npy: no such file"),
        (("--vectors", "bad.npy"), "bad.npy: row 2: a value is NaN or infinite"),
        (("--vectors", "mine.npy", "--ids", "none.csv"), "none.csv: no such file"),
        (("--vectors", "mine.npy", "--split", "other"), "no split 'other'"),
    ],
)
def test_mistakes_end_in_one_line(call, folder: Path, words: tuple, said: str) -> None:
    bad = np.load(folder / "mine.npy")
    bad[2, 0] = np.nan
    np.save(folder / "bad.npy", bad)
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not (folder / "build").exists()


def test_html_in_words_is_text() -> None:
    words = new_output("display_data", {"text/markdown": "Plays of **mine** <img src=x onerror=f>"})
    page = render(new_notebook(cells=[new_code_cell(outputs=[words])]), "title")
    assert "<strong>mine</strong>" in page
    assert "<img" not in page
    assert "&lt;img src=x" in page
