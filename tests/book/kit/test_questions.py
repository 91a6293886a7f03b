from pathlib import Path

import pytest
from planted import COMPONENTS as STUDY
from planted import planted

from mrs_book.kit.questions import (
    COLDSTART,
    WORLDS,
    companion_files,
    has_ladder,
    has_pairs,
    variant_pairs,
)

ROOT = Path(__file__).parents[3]


def test_the_companions_of_a_study(tmp_path: Path) -> None:
    study = "title: t\nrecommenders: [knn]\n"
    path = tmp_path / "demo.yaml"
    path.write_text(study)
    assert companion_files(path, WORLDS) == []
    for name in WORLDS:
        (tmp_path / f"{name}.yaml").write_text(f"{study}archive: {name}.parquet\n")
    (tmp_path / "worlds.parquet").touch()
    names = [file.name for file in companion_files(path, WORLDS)]
    assert names == ["worlds.yaml", "variations.yaml", "worlds.parquet"]
    path.write_text(f"{study}dataset: demo:n_users=60,n_tracks=120,n_artists=20,n_cold=18\n")
    assert companion_files(path, WORLDS) == []
    assert companion_files(tmp_path / "absent.yaml", WORLDS) == []


def test_the_default_book_has_new_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    files = companion_files("studies/demo.yaml", COLDSTART)
    assert [path.stem for path in files[: len(COLDSTART)]] == list(COLDSTART)
    assert companion_files("studies/small.yaml", COLDSTART) == []


def test_variant_pairs_differ_in_nothing_else(tmp_path: Path) -> None:
    study = planted(tmp_path, STUDY, {"mert": 0.5}).study
    (pair,) = variant_pairs(study, "n_components")
    assert pair.other == study.recommenders[0]
    assert pair.one == study.recommenders[1]


def test_two_rungs_make_no_ladder(tmp_path: Path) -> None:
    two = planted(tmp_path / "two", STUDY, {"mert": 0.1, "mule": 0.2})
    assert not has_ladder(two)
    assert has_pairs(two)
    assert has_ladder(planted(tmp_path / "three", STUDY, {"mert": 0.1, "mule": 0.2, "muq": 0.3}))
    assert not has_pairs(planted(tmp_path / "one", STUDY, {"mert": 0.8}))
