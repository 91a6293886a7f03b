"""The keys of runs stay as they are: stores and archives are found by them."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mrs.files import Digests
from mrs.published.deviations import recommender_of
from mrs.recommenders import RECOMMENDERS
from mrs.study.archive import Archive, archived_name
from mrs.study.spec import RunSpec, run_key
from tests.specs import make_spec

ROOT = Path(__file__).parents[2]
ARCHIVES = sorted(
    path for path in (ROOT / "studies").glob("*.parquet") if ".tuning" not in path.name
)
GOLDEN = Path(__file__).with_name("keys.golden.csv")


def dataset(generated: bool, validates_cold: bool) -> Any:
    """What a key takes of a dataset, with digests that no writer of files changes."""
    return SimpleNamespace(
        spec="demo",
        name="demo" if generated else "own",
        folder=Path("data/demo"),
        generated=generated,
        knows_artists=True,
        backends=lambda: ["mfcc"],
        card=lambda backend: SimpleNamespace(origin="audio"),
        truth=lambda name: "known",
        split_name=lambda name: name or "temporal",
        validates_cold=lambda name: validates_cold,
        split_digest=lambda name, digests: f"pairs of {name}",
        vector_digest=lambda backend, digests: f"vectors of {backend}",
        truth_digest=lambda name, digests: f"truth of {name}",
    )


def golden() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def key(row: dict[str, str]) -> str:
    world = dataset(row["generated"] == "true", row["validates_cold"] == "true")
    spec = make_spec(
        world,
        recommender=row["recommender"],
        scenario=row["scenario"],
        backend=row["backend"] or None,
        settings=json.loads(row["settings"]),
        seed=int(row["seed"]),
        shuffled=row["shuffled"] == "true",
        k=[int(length) for length in row["k"].split()],
        protocol=row["protocol"],
    )
    return run_key(spec, world, Digests())


@pytest.mark.parametrize("row", golden(), ids=lambda row: row["key"])
def test_a_run_keeps_its_key(row: dict[str, str]) -> None:
    assert key(row) == row["key"]


def test_the_frozen_runs_are_of_every_kind() -> None:
    rows = golden()
    assert {row["recommender"] for row in rows} == set(RECOMMENDERS)
    for column in ("generated", "validates_cold", "shuffled"):
        assert {row[column] for row in rows} == {"true", "false"}
    assert {row["scenario"] for row in rows} > {"hot", "cold", "cold/discovery"}
    assert len(rows) == len({row["key"] for row in rows}) >= 40


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_every_archived_run_is_found(path: Path) -> None:
    archive = Archive(path)
    missed = []
    for row in archive.runs.iter_rows(named=True):
        recommender = recommender_of(
            row["recommender"], json.loads(row["settings"]), row["protocol"]
        )
        spec = RunSpec(
            dataset=row["dataset"],
            split=row["split"],
            recommender=recommender,
            backend=row["backend"],
            scenario=row["scenario"],
            seed=row["seed"],
            shuffled=row["shuffled"],
            k=tuple(row["k"]),
        )
        if archived_name(spec) != archive.record(row["place"]).key:
            missed.append(row["place"])
    assert not missed
