from pathlib import Path

import make_worlds as worlds
import pytest
import yaml

from mrs.errors import InputError
from mrs.study.archive import Archive
from mrs.study.store import Store
from mrs.study.study import load_study

ROOT = Path(__file__).resolve().parents[2]
TINY = "demo:n_users=60,n_tracks=120,n_artists=20,n_cold=18"


@pytest.fixture(autouse=True)
def _opened_anew() -> None:
    worlds.open_world.cache_clear()


def test_a_seed_is_added() -> None:
    assert worlds.world("demo", 3) == "demo:seed=3"
    assert worlds.world("demo:n_users=5", 3) == "demo:n_users=5,seed=3"
    for dataset in ("demo:seed=1", "music4all"):
        with pytest.raises(InputError, match="without a seed"):
            worlds.world(dataset, 3)


def test_the_studies_have_recommenders_of_the_default_one_and_archives() -> None:
    default = load_study(ROOT / "studies/demo.yaml")
    for name in worlds.STUDIES:
        study = load_study(ROOT / f"studies/{name}.yaml")
        assert {v.name for v in study.recommenders} <= {v.name for v in default.recommenders}
        assert study.archive == ROOT / f"studies/{name}.parquet"
        assert (study.k, study.threads) == (default.k, default.threads)


@pytest.mark.slow
def test_worlds_are_computed_and_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(worlds, "DEFAULT", TINY)
    (tmp_path / "studies").mkdir()
    for name, backends in (("worlds", ["mule", "muq"]), ("variations", ["width-104", "offset-1"])):
        study = {
            "title": name,
            "dataset": TINY,
            "backends": backends,
            "recommenders": ["knn"],
            "archive": f"{name}.parquet",
        }
        (tmp_path / f"studies/{name}.yaml").write_text(yaml.safe_dump(study))
    worlds.main(store=tmp_path / "store", folder=tmp_path / "studies", at_most=2)
    runs = Archive(tmp_path / "studies/worlds.parquet").runs
    assert runs["dataset"].unique(maintain_order=True).to_list() == [
        f"{TINY},seed=1",
        f"{TINY},seed=2",
        TINY,
    ]
    assert len(runs) == 3 * 2 * 2
    assert set(runs["origin"]) == {"surrogate"}
    varied = Archive(tmp_path / "studies/variations.parquet")
    assert set(varied.runs["backend"]) == {"width-104", "offset-1"}
    assert varied.about["command"] == "python studies/make_worlds.py"
    # With the archives there, a store without records has nothing to compute.
    study = load_study(tmp_path / "studies/worlds.yaml")
    for one in worlds.in_worlds(study, 2):
        results = worlds.open_results(one, Store(tmp_path / "empty"))
        assert all(results.has(spec) for spec in results.specs())
    # So it packs the same again.
    worlds.main(store=tmp_path / "empty", folder=tmp_path / "studies", at_most=2)
    assert Archive(tmp_path / "studies/worlds.parquet").runs.equals(runs)
    assert not Store(tmp_path / "empty").records()


def test_vectors_that_were_heard_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MRS_DATA", str(tmp_path))
    path = tmp_path / "study.yaml"
    path.write_text(f"title: t\ndataset: {TINY}\nbackends: [muq]\nrecommenders: [knn]\n")
    (study,) = worlds.in_worlds(load_study(path), 1)
    folder = worlds.open_results(study, Store(tmp_path / "store")).dataset.folder
    card = folder / "embeddings/muq.json"
    card.write_text(card.read_text().replace('"surrogate"', '"audio"'))
    worlds.open_world.cache_clear()
    with pytest.raises(InputError, match="MuQ is no surrogate here"):
        worlds.open_results(study, Store(tmp_path / "store"))
