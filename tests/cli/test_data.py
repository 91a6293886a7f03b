"""Commands on datasets as a user calls them."""

import bz2
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from commands import RUN, Call
from worlds import random_parts, write_authors
from yambda_files import generated_rows
from yambda_files import write as write_yambda


def test_data_reduce(mrs: Call, tmp_path: Path) -> None:
    write_yambda(tmp_path / "raw", generated_rows())
    done = mrs("data", "reduce", "yambda-50m", "raw", "yambda", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("embeddings.parquet")  # how much of it has been read
    described = mrs("data", "describe", "yambda", cwd=tmp_path)
    assert "\nlicence: Apache-2.0. [huggingface.co/datasets/yandex/yambda]\n" in described.stdout
    assert "split catalogue" in described.stdout
    assert "cold validation" in described.stdout
    for words in (
        ["yambda", "raw", "x"],
        ["music4all-onion", "raw", "x", "--protocol", "published"],
        ["music4all-onion", "raw", "x", "--events", "likes"],
    ):
        done = mrs("data", "reduce", *words, cwd=tmp_path)
        assert done.returncode == 2
        assert "write music4all-onion without these, or yambda-50m" in done.stderr


def test_data_embeddings(mrs: Call, folder: Path) -> None:
    ids = pl.read_parquet(folder / "own" / "tracks.parquet")["track_id"].to_list()
    lines = ["id\tf0\tf1", *(f"{name}\t{name / 7}\t1" for name in ids[1:])]
    (folder / "id_musicnn.tsv.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))
    done = mrs("data", "embeddings", "own", "id_musicnn.tsv.bz2", cwd=folder)
    assert done.returncode == 0
    n = len(ids)
    path = "own/embeddings/onion_musicnn_tags.npy"
    assert done.stdout == f"{path}: {n - 1} of {n} tracks\n"
    assert f"mrs: 1 of {n} tracks have no row in id_musicnn.tsv.bz2, see" in done.stderr
    assert "onion_musicnn_tags" in mrs("data", "describe", "own", cwd=folder).stdout
    again = mrs("data", "embeddings", "own", "id_musicnn.tsv.bz2", cwd=folder)
    assert again.returncode == 2
    assert f"{path}: is there already" in again.stderr


def test_data_fetch(mrs: Call, tmp_path: Path) -> None:
    listed = mrs("data", "fetch", cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "yambda-50m: Yambda-50m, https" in listed.stdout
    done = mrs("data", "fetch", "music4all", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mrs: dataset 'music4all' cannot be fetched")
    assert not list(tmp_path.iterdir())


def test_bad_vectors_end_in_one_line(mrs: Call, folder: Path) -> None:
    path = folder / "own" / "embeddings" / "mert.npy"
    vectors = np.load(path)
    vectors[11, 2] = np.nan
    np.save(path, vectors)
    done = mrs(*RUN, cwd=folder)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "mert.npy: row 11" in done.stderr


def test_data_verify_and_describe(mrs: Call, folder: Path) -> None:
    write_authors(folder / "m4a", random_parts())
    for name, split in (("own", "mine"), ("m4a", "temporal")):
        done = mrs("data", "verify", name, cwd=folder)
        assert done.returncode == 0
        assert f"split {split}" in done.stdout
        described = mrs("data", "describe", name, cwd=folder).stdout
        for word in ("licence", split, "hot test", "MERT"):
            assert word in described


def test_data_verify_finds_changed_content(mrs: Call, folder: Path) -> None:
    info = {"name": "own", "checksums": {"tracks.parquet": "0" * 64}}
    (folder / "own" / "dataset.json").write_text(json.dumps(info))
    done = mrs("data", "verify", "own", cwd=folder)
    assert done.returncode == 2
    assert "tracks.parquet: content differs" in done.stderr


def test_real_february_needs_its_file(mrs: Call, folder: Path) -> None:
    study = Path(__file__).parents[2] / "studies" / "music4all-february.yaml"
    done = mrs("grid", "--study", str(study), cwd=folder)
    assert done.returncode == 2
    assert "music4all: no such dataset" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_a_terminal_of_any_encoding(folder: Path, encoding: str) -> None:
    tracks = folder / "own" / "dataset.json"
    info = json.loads(tracks.read_text()) | {"title": "Björk – クラシック"}
    tracks.write_text(json.dumps(info))
    described = subprocess.run(
        [sys.executable, "-m", "mrs", "data", "describe", "own"],
        cwd=folder,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert described.stderr == b""
    text = described.stdout.decode(encoding)
    shown = "Björk – クラシック".encode(encoding, "backslashreplace").decode(encoding)
    assert f"\ntitle: {shown}\n" in text
    assert ("│" in text) == (encoding == "utf-8")
    assert ("| mert " in text) == (encoding != "utf-8")
