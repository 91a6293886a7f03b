"""Commands from audio to vectors as a user calls them."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import RUN, Call, swap
from sounds import write_sounding, write_tone


def test_embed_writes_one_row_a_file(mrs: Call, tmp_path: Path) -> None:
    write_tone(tmp_path / "a b.wav", 1.0)
    write_tone(tmp_path / "Ж.flac", 0.5, rate=44_100)
    done = mrs("embed", "mfcc", "a b.wav", "Ж.flac", "--out", "x.npy", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "x.npy: 2 x 104 of 2 files\n"
    assert np.load(tmp_path / "x.npy").shape == (2, 104)
    done = mrs("embed", "mfcc", "a b.wav", "--frames", "--out", "f.npy", cwd=tmp_path)
    assert np.load(tmp_path / "f.npy").shape == (32, 52)


def test_embed_names_what_it_skips(mrs: Call, tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 1.0)
    none = [f"none{i}.wav" for i in range(9)]
    done = mrs("embed", "mfcc", "a.wav", *none, "--out", "x.npy", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "x.npy: 1 x 104 of 1 files\n")
    lines = done.stderr.splitlines()
    assert lines[0] == "mrs: skipped none0.wav: missing: no such file"
    assert lines[5:] == ["mrs: skipped 4 more: see x.json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mart", "a.wav", "--out", "x.npy"], "backend 'mart' is unknown"),
        (["mfcc", "a.wav", "--out", "x.npy", "--set", "layer=3"], "layer=3"),
        (["mfcc", "a.wav", "--out", "a.wav/x.npy"], "cannot be written"),
        (["mfcc", "a.wav", "--out", "x.txt"], "ends in .npy"),
        (["mfcc", "no.wav", "--out", "x.npy"], "no.wav: missing"),
        (["musicnn", "a.wav", "--out", "x.npy", "--weights", "."], "no such file; fetch"),
        (["mfcc", "--out", "x.npy"], "files"),
    ],
)
def test_mistakes_of_embed(mrs: Call, tmp_path: Path, words: list[str], said: str) -> None:
    write_tone(tmp_path / "a.wav", 1.0)
    done = mrs("embed", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 6
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.slow
def test_extract_writes_vectors_that_a_run_reads(mrs: Call, tmp_path: Path) -> None:
    write_sounding(tmp_path / "own", {4: "corrupt"})
    words = ["extract", "--dataset", "own", "--backend", "mfcc", "--workers", "1"]
    done = mrs(*words, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == "own/embeddings/mfcc.npy: 51 of 52 tracks computed\n"
    assert "skipped 1 of 52 tracks (corrupt 1), see own/embeddings/mfcc.skipped.csv" in done.stderr
    out = json.loads(mrs(*swap(RUN, backend="mfcc"), "--json", cwd=tmp_path).stdout)
    assert out["n_users"] > 0


def test_extract_needs_audio(mrs: Call, folder: Path) -> None:
    done = mrs("extract", "--dataset", "own", "--backend", "mfcc", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no column 'audio'" in done.stderr


def test_weights_of_an_unknown_backend(mrs: Call, tmp_path: Path) -> None:
    done = mrs("weights", "mart", cwd=tmp_path)
    assert done.returncode == 2
    assert "backend 'mart' is unknown" in done.stderr
