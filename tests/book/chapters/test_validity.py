import math
from pathlib import Path

import numpy as np
import pytest
from archives import Run, write_archive
from matplotlib.figure import Figure

from mrs_book.chapters.validity import FOUND, NEEDED, Page

STUDY = """
title: planted
note: A minute.
backends: [mule, muq, mert, jukebox]
recommenders: [knn, {knn: {center: true}}]
archive: worlds.parquet
"""
RUNGS = {"mule": 0.1, "muq": 0.3, "mert": 0.5, "jukebox": 0.8}
CENTER = (("center", True),)
UP, SWAPPED, DOWN = [7, 3, 2, 1], [3, 7, 2, 1], [1, 2, 3, 7]  # ranks of hits by rising rung


def ladder(world: str, ranks: list[int], scenario: str = "cold", **settings: object) -> list[Run]:
    """Thirty users, all with a hit at the rank of each rung."""
    return [
        Run(world, "knn", backend, scenario, [rank] * 30, **settings)  # type: ignore[arg-type]
        for backend, rank in zip(RUNGS, ranks, strict=True)
    ]


def page(folder: Path, runs: list[Run]) -> Page:
    (folder / "worlds.yaml").write_text(STUDY)
    write_archive(folder / "worlds.parquet", runs, RUNGS)
    return Page(str(folder / "demo.yaml"))


def test_tau_over_worlds_by_hand(tmp_path: Path) -> None:
    found = page(
        tmp_path,
        [
            *ladder("demo:seed=1", UP),
            *ladder("demo:seed=2", SWAPPED),
            *ladder("demo:seed=3", UP),
            *ladder("demo", DOWN),
            *ladder("demo:seed=1", DOWN, settings=CENTER),
            *ladder("demo:seed=2", DOWN, settings=CENTER),
        ],
    )
    recovery = found.recovery
    plain, centred = recovery.iter_rows(named=True)
    # One of six pairs stands wrong: (5 - 1) / 6. The t interval of three worlds ends at 1.
    taus = np.array([1, 4 / 6, 1])
    assert plain["mean tau"] == pytest.approx(taus.mean())
    assert (plain["least"], plain["greatest"]) == pytest.approx((4 / 6, 1))
    half = 4.302653 * taus.std(ddof=1) / np.sqrt(3)
    assert (plain["low"], plain["high"]) == pytest.approx((taus.mean() - half, 1))
    assert (centred["low"], centred["high"]) == (None, None)  # of two worlds
    assert (plain["worlds"], plain["default world"]) == (3, -1)
    assert (centred["recommender"], centred["mean tau"]) == ("KNN (center=true)", -1)
    assert centred["default world"] is None
    assert plain[NEEDED] == 2  # no user differs from another, and one tells nothing of others
    assert centred[NEEDED] is None
    (counts,) = found.counts().iter_rows(named=True)
    assert (counts["recommenders"], counts["run in other worlds"]) == (2, 2)
    assert counts["above zero"] == 1
    assert counts["default within"] == 0
    assert counts["default minus mean"] == pytest.approx(-1 - taus.mean())
    assert found.needed()[NEEDED].to_list() == [2, None]
    assert isinstance(found.recovery_figure(), Figure)


def test_only_the_default_world(tmp_path: Path) -> None:
    found = page(tmp_path, [*ladder("demo", UP), *ladder("demo:seed=1", UP, "hot")])
    recovery = found.recovery
    hot, cold = recovery.iter_rows(named=True)
    assert (hot["scenario"], hot["mean tau"], hot["default world"]) == ("hot", 1, None)
    assert (cold["worlds"], cold["mean tau"], cold[NEEDED], cold["default world"]) == (
        0,
        None,
        None,
        1,
    )
    assert found.counts()["run in other worlds"].to_list() == [1, 0]
    assert found.power["scenario"].unique().to_list() == ["hot"]
    assert isinstance(found.recovery_figure(), Figure)


def test_halves_are_ndcg_of_the_upper_rungs_minus_the_lower(tmp_path: Path) -> None:
    found = page(tmp_path, ladder("demo:seed=1", UP))
    ((one,),) = found.groups().values()
    values = [1 / math.log2(1 + rank) for rank in UP]
    assert one.values[0].tolist() == pytest.approx(values)
    assert one.halves.tolist() == pytest.approx(
        [(values[2] + values[3] - sum(values[:2])) / 2] * 30
    )


def test_power_by_number_of_users(tmp_path: Path) -> None:
    found = page(tmp_path, [*ladder("demo:seed=1", UP), *ladder("demo:seed=2", DOWN)])
    power = found.power
    assert power["test users"].to_list() == [25, 30]
    assert power[FOUND].to_list() == [0.5, 0.5]  # in the first world always, in the second never
    assert power["tau"].to_list() == [0, 0]
    for column in (FOUND, "tau"):
        assert isinstance(found.power_figure(column), Figure)


def test_worlds_and_origin(tmp_path: Path) -> None:
    found = page(tmp_path, [*ladder("demo:seed=1", UP), *ladder("demo:seed=1", UP, "hot")])
    assert found.worlds().rows() == [("demo:seed=1", 30, 30)]
    text = found.origin().data
    assert "8 runs of " in text
    assert text.endswith("It lacks KNN (center=true), which `python studies/make_worlds.py` runs.")
    assert "`a command` in 4 minutes" in text  # hot and cold share a fit of a minute: four fits


def test_a_missing_archive_gives_the_command_and_no_number(tmp_path: Path) -> None:
    (tmp_path / "worlds.yaml").write_text(STUDY)
    page = Page(str(tmp_path / "demo.yaml"))
    assert len(page.runs) == len(page.worlds()) == len(page.recovery) == len(page.needed()) == 0
    assert page.recovery_figure() is page.power_figure("tau") is None
    text = page.origin().data
    assert "`python studies/make_worlds.py`" in text
    assert text.endswith("A minute.")
