import math
from pathlib import Path

import numpy as np
import pytest
from archives import Run, write_archive
from matplotlib.figure import Figure

from mrs.report.validity import (
    NEEDED,
    TOLD,
    ValidityPage,
    find_archive,
    missing_text,
    origin_text,
)

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


def page(folder: Path, runs: list[Run]) -> ValidityPage:
    (folder / "worlds.yaml").write_text(STUDY)
    write_archive(folder / "worlds.parquet", runs, RUNGS)
    archive = find_archive(folder / "worlds.yaml")
    assert archive is not None
    return ValidityPage(folder / "worlds.yaml", archive)


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
    recovery = found.recovery()
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
    text = found.recovery_text(recovery)
    assert "KNN in cold recovers the order best: tau is 0.89 (0.41 to 1.00) over 3 world(s)" in text
    assert "KNN (center=true) in cold recovers it least: -1.00 over 2." in text
    assert "In 1 of the 2 pairs" in text
    assert "in 0 of 1 pairs, and differs from their mean by -1.89" in text
    assert "With KNN (center=true) in cold no number does it" in found.power_text(recovery)
    assert isinstance(found.recovery_figure(recovery), Figure)


def test_only_the_default_world(tmp_path: Path) -> None:
    found = page(tmp_path, [*ladder("demo", UP), *ladder("demo:seed=1", UP, "hot")])
    recovery = found.recovery()
    hot, cold = recovery.iter_rows(named=True)
    assert (hot["scenario"], hot["mean tau"], hot["default world"]) == ("hot", 1, None)
    assert (cold["worlds"], cold["mean tau"], cold[NEEDED], cold["default world"]) == (
        0,
        None,
        None,
        1,
    )
    text = found.recovery_text(recovery)
    assert "1 of 2 pairs have been run in the default world alone" in text
    assert "no number" not in found.power_text(recovery)
    assert found.power()["scenario"].unique().to_list() == ["hot"]
    assert isinstance(found.recovery_figure(recovery), Figure)


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
    power = found.power()
    assert power["test users"].to_list() == [25, 30]
    assert power[TOLD].to_list() == [0.5, 0.5]  # in the first world always, in the second never
    assert power["tau"].to_list() == [0, 0]
    for column in (TOLD, "tau"):
        assert isinstance(found.power_figure(power, column), Figure)


def test_worlds_and_origin(tmp_path: Path) -> None:
    found = page(tmp_path, [*ladder("demo:seed=1", UP), *ladder("demo:seed=1", UP, "hot")])
    assert found.worlds().rows() == [("demo:seed=1", 30, 30)]
    text = origin_text(tmp_path / "worlds.yaml", found.archive)
    assert text.startswith("8 runs of ")
    assert text.endswith(
        "Not in it: KNN (center=true); `python -m mrs.study.worlds` runs what is missing."
    )
    assert "`a command` in 4 minutes" in text  # hot and cold share a fit of a minute: four fits


def test_a_missing_archive_gives_the_command_and_no_number(tmp_path: Path) -> None:
    study = tmp_path / "worlds.yaml"
    study.write_text(STUDY)
    assert find_archive(study) is None
    text = missing_text(study)
    assert "`python -m mrs.study.worlds`" in text
    assert text.endswith("A minute.")
