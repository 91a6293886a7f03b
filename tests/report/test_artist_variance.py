"""Ratios over the artists' share: recomputed from planted values."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest
from typed import in_module

from mrs.report import artist_variance
from mrs.report.artist_variance import RATIOS, ArtistVariancePage, missing_text, open_page
from mrs.report.coldstart import method_name
from mrs.study.artist_variance import SHARES, worlds
from mrs.study.study import load_study

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies/artist-variance.yaml"
N_USERS = (30, 50)  # of the two worlds of a share


class Planted:
    """What is read of an archive: runs, and their users' values."""

    def __init__(self) -> None:
        self.about = {"n_runs": 70, "created": "today", "command": "a command", "seconds": 600.0}
        study, rows = load_study(STUDY), []
        self.values: list[np.ndarray] = []
        rng = np.random.default_rng(0)
        for share, of_share in worlds(study).items():
            for world, n_users in zip(of_share, N_USERS, strict=True):
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
def page() -> ArtistVariancePage:
    return ArtistVariancePage(STUDY, Planted())  # type: ignore[arg-type]


def test_every_pair_has_a_row_a_share(page: ArtistVariancePage) -> None:
    found = page.ratios.select("methods", "artists' share", "users").rows()
    names = [f"{aware} / {content}" for aware, content in RATIOS]
    assert found == [(name, share, sum(N_USERS)) for name in names for share in SHARES]


def test_where_each_listener_has_the_same_ratio_it_is_known_without_doubt(
    page: ArtistVariancePage,
) -> None:
    for row in page.ratios[: len(SHARES)].iter_rows(named=True):
        wanted = 1 + row["artists' share"]
        assert [row["ratio"], row["low"], row["high"]] == pytest.approx([wanted] * 3)


def test_an_interval_by_a_bootstrap_of_its_own(page: ArtistVariancePage) -> None:
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


def test_words_and_figure(page: ArtistVariancePage) -> None:
    words = page.text()
    assert "DeepMusic + artist / DeepMusic: 1.10 (1.10 to 1.10) at a share of 0.1 and 1.90" in words
    assert "a property of the generator, and no finding" in words
    assert "70 runs of today" in page.origin()
    figure = page.figure()
    (axis,) = figure.axes
    assert len(axis.collections) == len(RATIOS)  # the intervals
    assert np.allclose(axis.lines[0].get_ydata(), [1 + share for share in SHARES])
    plt.close("all")


def test_without_an_archive(tmp_path: Path) -> None:
    study = tmp_path / "artist-variance.yaml"
    study.write_text(STUDY.read_text())
    assert open_page(study) is None
    assert "python -m mrs.study.artist_variance" in missing_text(study)


def test_no_number_is_typed() -> None:
    assert not in_module(Path(artist_variance.__file__))


def test_the_committed_archive_is_whole() -> None:
    page = open_page(STUDY)
    assert page is not None
    assert len(page.ratios) == len(RATIOS) * len(SHARES)
    assert (page.ratios["low"] <= page.ratios["ratio"]).all()
    assert page.ratios["low"].min() > 0
