import json
import runpy
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import worlds

from mrs.data.dataset import open_dataset
from mrs.errors import InputError
from mrs.recommenders.knn import KNN
from mrs.study.archive import Archive, archived_name, pack
from mrs.study.grid import make_plan, run_grid
from mrs.study.results import Results
from mrs.study.store import Store
from mrs.study.study import load_study

MAKE_ARCHIVE = runpy.run_path(str(Path(__file__).parents[2] / "studies/make_archive.py"))["main"]
WORLD = "demo:n_users=60,n_tracks=90,n_artists=20,n_cold=20"
STUDY = """
title: small
dataset: {world}
backends: [mert, mule]
recommenders: [knn, popularity]
shuffled_seeds: [1]
k: [5, 10]
archive: small.parquet
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study with its store, packed."""
    folder = tmp_path_factory.mktemp("archive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MRS_DATA", str(folder / "data"))
        (folder / "small.yaml").write_text(STUDY.format(world=WORLD), encoding="utf-8")
        run_grid(load_study(folder / "small.yaml"), Store(folder / "store"), workers=1)
        MAKE_ARCHIVE(folder / "small.yaml", folder / "store")
    return folder


@pytest.fixture
def results(folder, monkeypatch):
    monkeypatch.setenv("MRS_DATA", str(folder / "data"))
    return Results(load_study(folder / "small.yaml"), Store(folder / "store"))


class TestArchive:
    def test_a_record_is_what_was_packed(self, results):
        for spec in results.specs():
            stored = results.store.read(results.key(spec))
            packed = results.archive.record(
                results.archive.place(
                    spec, results.dataset.card(spec.backend) if spec.backend else None
                )
            )
            assert packed.info == {k: v for k, v in stored.info.items() if k != "examples"}
            assert packed.metrics == stored.metrics
            for name in set(stored.users.columns) - {"hit_ranks"}:
                np.testing.assert_array_equal(packed.users[name], stored.users[name])
            short = [[r for r in ranks if r <= 10] for ranks in stored.users["hit_ranks"].to_list()]
            assert packed.users["hit_ranks"].to_list() == short

    def test_says_what_was_run_and_how(self, results):
        runs, about = results.archive.runs, results.archive.about
        # knn on two backends in two scenarios, real and shuffled, and popularity in one
        assert len(runs) == about["n_runs"] == 2 * 2 * 2 + 1
        assert about["command"].startswith("python -m mrs grid --study")
        assert set(runs["label"].drop_nulls()) == {"sim:MERT", "sim:MULE"}
        mert = runs.filter(backend="mert")
        card = results.dataset.card("mert")
        assert set(mert["rung"]) == {card.details["heldout_r2"]}
        assert set(mert["embedding_size"]) == {1024}
        assert json.loads(mert["settings"][0]) == {"center": False}

    def test_values_are_stacked(self, results):
        places = results.archive.runs.filter(recommender="knn", scenario="cold")["place"].to_list()
        values = results.archive.values(places, "ndcg@5")
        assert values.shape == (4, len(results.archive.record(places[0]).users))

    def test_a_study_reads_runs_that_its_store_lacks(self, results, folder, tmp_path):
        elsewhere = Results(load_study(folder / "small.yaml"), Store(tmp_path))
        assert make_plan(elsewhere).n_missing == 0
        spec = elsewhere.specs()[0]
        np.testing.assert_array_equal(
            elsewhere.record(spec).values("ndcg@10"), results.record(spec).values("ndcg@10")
        )

    def test_a_new_version_is_another_run(self, results, monkeypatch):
        spec = results.specs()[0]
        before = archived_name(spec)
        monkeypatch.setattr(KNN, "version", KNN.version + 1)
        assert archived_name(spec) != before
        assert results.archive.place(spec, results.dataset.card(spec.backend)) is None

    def test_vectors_of_another_origin_are_another_run(self, results):
        spec = results.specs()[0]
        card = results.dataset.card(spec.backend)
        assert results.archive.place(spec, card) is not None
        assert results.archive.place(spec, None) is None

    def test_real_listening_is_refused(self, results, tmp_path):
        worlds.write_authors(tmp_path / "real", worlds.random_parts())
        real = open_dataset(str(tmp_path / "real"))
        spec = results.specs()[0]
        with pytest.raises(InputError, match="real listening"):
            pack([(spec, results.record(spec), real)], tmp_path / "x.parquet", command="")
        assert not list(tmp_path.glob("*.parquet*"))

    def test_another_file_is_refused(self, tmp_path):
        (tmp_path / "x.parquet").write_text("no")
        with pytest.raises(InputError, match="no archive of runs"):
            Archive(tmp_path / "x.parquet")

    def test_a_flipped_bit_anywhere_is_named(self, results, tmp_path):
        content = results.archive.path.read_bytes()
        copy = tmp_path / "copy.parquet"
        places = {*range(0, len(content), len(content) // 40), len(content) - 1}
        about, seal = content.rindex(b'"seconds"'), content.rindex(b"mrs:sha256")
        for place in places | {about, about + 12, seal, seal + 5, seal + 11, seal + 30}:
            damaged = bytearray(content)
            damaged[place] ^= 1
            copy.write_bytes(damaged)
            with pytest.raises(InputError, match=r"copy\.parquet: .*; restore it or pack it"):
                Archive(copy)
        copy.write_bytes(content[:-100])
        with pytest.raises(InputError, match="restore it or pack it"):
            Archive(copy)
        copy.write_bytes(content)
        assert len(Archive(copy).runs) == len(results.archive.runs)

    def test_an_archive_of_before_has_no_checksum_and_is_read(self, results, tmp_path):
        path = results.archive.path
        about = {k: v for k, v in results.archive.about.items() if k != "sealed"}
        pl.read_parquet(path).write_parquet(
            tmp_path / "old.parquet", metadata={"about": json.dumps(about)}
        )
        old = Archive(tmp_path / "old.parquet")
        assert old.about == about
        assert old.record(0).info == results.archive.record(0).info

    def test_a_study_without_an_archive(self, folder, tmp_path):
        text = (folder / "small.yaml").read_text().replace("archive: small.parquet", "")
        (tmp_path / "bare.yaml").write_text(text)
        with pytest.raises(InputError, match="names no archive"):
            MAKE_ARCHIVE(tmp_path / "bare.yaml", tmp_path)
