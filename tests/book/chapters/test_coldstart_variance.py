"""Ratios over the artists' share: recomputed from planted values."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from make_artist_variance import SHARES, worlds

from mrs.study.study import load_study
from mrs_book.chapters.coldstart import method_name
from mrs_book.chapters.coldstart_variance import RATIOS, Page

ROOT = Path(__file__).parents[3]
STUDY = ROOT / "studies/artist-variance.yaml"
N_USERS = (30, 50)  # of the two worlds of a share


class Planted:
    """What is read of an archive: runs, and their users' values."""

    def __init__(self) -> None:
        self.about = {"n_runs": 70, "created": "today", "command": "a command", "seconds": 600.0}
        self.about |= {"machine": ["a machine"]}
        study, rows = load_study(STUDY), []
        self.values: list[np.ndarray] = []
        rng = np.random.default_rng(0)
        for number, world in enumerate(worlds(study)):
            share, n_users = SHARES[number // 2], N_USERS[number % 2]
            content = rng.random(n_users)
            for variant in study.recommenders:
                name = method_name(variant)
                value = content
                if name == "DeepMusic + artist":
                    value = content * (1 + share)
                elif name == "ACARec":
                    value = rng.random(n_users) + share
                full = variant.model.settings()
                rows.append(
                    {
                        "place": len(rows),
                        "dataset": world.dataset,
                        "recommender": variant.name,
                        "settings": json.dumps(full),
                        "seed": 0,
                    }
                )
                self.values.append(value)
        self.runs = pl.DataFrame(rows)

    def record(self, place: int) -> Any:
        values = self.values[place]

        class Record:
            def values(self, metric: str) -> np.ndarray:
                assert metric == "ndcg@20"
                return values

        return Record()


@pytest.fixture(scope="module")
def page() -> Page:
    page = Page(STUDY)
    page.archive = Planted()  # type: ignore[assignment]
    return page


def test_every_pair_has_a_row_a_share(page: Page) -> None:
    found = page.ratios.select("methods", "artists' share", "users").rows()
    names = [f"{aware} / {content}" for aware, content in RATIOS]
    assert found == [(name, share, sum(N_USERS)) for name in names for share in SHARES]


def test_where_each_listener_has_the_same_ratio_it_is_known_without_doubt(
    page: Page,
) -> None:
    for row in page.ratios[: len(SHARES)].iter_rows(named=True):
        wanted = 1 + row["artists' share"]
        assert [row["ratio"], row["low"], row["high"]] == pytest.approx([wanted] * 3)


def test_an_interval_by_a_bootstrap_of_its_own(page: Page) -> None:
    aware, content = (page.values[name, SHARES[2]] for name in ("ACARec", "DeepMusic"))
    row = page.ratios.row(2 * len(SHARES) + 2, named=True)
    assert row["ratio"] == pytest.approx(aware.mean() / content.mean())
    rng = np.random.default_rng(9)
    drawn = []
    for _ in range(5000):
        users = rng.integers(0, len(aware), len(aware))
        drawn.append(aware[users].mean() / content[users].mean())
    ends = np.quantile(drawn, [0.025, 0.975])
    assert (row["low"], row["high"]) == pytest.approx(ends, abs=0.1 * (ends[1] - ends[0]))


def test_words_and_figure(page: Page) -> None:
    assert "70 runs of today" in page.origin().data
    figure = page.figure()
    (axis,) = figure.axes
    assert len(axis.collections) == len(RATIOS)  # the intervals
    assert np.allclose(axis.lines[0].get_ydata(), [1 + share for share in SHARES])
    plt.close("all")


def test_without_an_archive(tmp_path: Path) -> None:
    study = tmp_path / "artist-variance.yaml"
    study.write_text(STUDY.read_text())
    page = Page(study)
    assert (len(page.ratios), page.figure()) == (0, None)
    assert "python studies/make_artist_variance.py" in page.origin().data


def test_the_committed_archive_is_whole() -> None:
    page = Page(STUDY)
    assert len(page.ratios) == len(RATIOS) * len(SHARES)
    assert (page.ratios["low"] <= page.ratios["ratio"]).all()
    assert page.ratios["low"].min() > 0
