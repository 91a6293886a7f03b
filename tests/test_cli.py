"""The command line as a user calls it."""

import bz2
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sounds import write_sounding, write_tone
from worlds import random_parts, write_authors, write_own
from yambda_files import generated_rows
from yambda_files import write as write_yambda

from mrs.cli import main


@dataclass
class Done:
    """What a call printed and its exit status."""

    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]


@pytest.fixture
def mrs(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command line in this process."""

    def call(*words: str, cwd: Path) -> Done:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["mrs", *words])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return Done(status, out, err)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    return tmp_path


RUN = ["run", "--dataset", "own", "--recommender", "knn", "--scenario", "hot", "--backend", "mert"]


def test_run_prints_one_json_object(mrs: Call, folder: Path) -> None:
    done = mrs(*RUN, "--json", "--k", "1,5", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    out = json.loads(done.stdout)
    assert set(out) == {"metrics", "chance", "n_users", "seconds", "converged", "key"}
    names = {
        f"{m}@{k}" for m in ("hitrate", "recall", "ndcg", "precision", "mrr", "map") for k in (1, 5)
    }
    assert set(out["metrics"]) == set(out["chance"]) == names
    for value in out["metrics"].values():
        assert value["low"] <= value["mean"] <= value["high"]
    assert (folder / "results" / out["key"] / "users.parquet").is_file()
    assert out["converged"] is None
    assert json.loads(mrs(*RUN, "--json", "--k", "1,5", cwd=folder).stdout) == out


def test_the_module_is_the_command(folder: Path) -> None:
    words = [sys.executable, "-m", "mrs", *swap(RUN, backend="mart"), "--json"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mrs: own/embeddings: no backend 'mart' (there: mert)")


def test_run_prints_a_table(mrs: Call, folder: Path) -> None:
    done = mrs(*RUN, "--set", "center=true", cwd=folder)
    assert done.returncode == 0
    assert "--set center=true" in done.stdout.splitlines()[0]
    assert "ndcg@50" in done.stdout


def swap(words: list[str], **changes: str) -> list[str]:
    words = list(words)
    for name, value in changes.items():
        if f"--{name}" in words:
            words[words.index(f"--{name}") + 1] = value
        else:
            words += [f"--{name}", value]
    return words


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backend": "mart"}, "no backend 'mart'"),
        ({"recommender": "knm"}, "recommender 'knm' is unknown"),
        ({"scenario": "warm"}, "scenario 'warm' is unknown"),
        ({"split": "other"}, "no split 'other'"),
        ({"dataset": "nowhere"}, "nowhere: no such dataset"),
        ({"dataset": "demo:n_usr=3"}, "n_usr"),
        ({"k": "0"}, "k=0"),
        ({"k": "ten"}, "k=ten"),
        ({"k": ""}, "k="),
        ({"seed": "-1"}, "seed -1"),
        ({"protocol": "lax"}, "protocol 'lax' is unknown"),
        ({"set": "center"}, "write name=value"),
        ({"set": "centre=true"}, "no hyper-parameter 'centre'"),
        ({"recommender": "popularity", "scenario": "cold"}, "cannot answer the cold scenario"),
        ({"seed": "one"}, "seed"),
        ({"colour": "red"}, "--colour"),
    ],
)
def test_mistakes_end_in_status_2_and_few_lines(
    mrs: Call, folder: Path, changes: dict, said: str
) -> None:
    done = mrs(*swap(RUN, **changes), cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 6
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list((folder / "results").glob("[!.]*/run.json"))


def test_a_slice_of_the_cold_scenario(mrs: Call, folder: Path) -> None:
    found = {}
    for scenario in ("cold", "cold/exploit"):
        done = mrs(*swap([*RUN, "--json"], scenario=scenario), cwd=folder)
        assert done.returncode == 0
        found[scenario] = json.loads(done.stdout)
    assert found["cold"]["key"] != found["cold/exploit"]["key"]
    assert 0 < found["cold/exploit"]["n_users"] <= found["cold"]["n_users"]


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


def test_grid_estimate_computes_nothing(mrs: Call, folder: Path) -> None:
    study = "title: t\ndataset: own\nrecommenders: [knn, random]\n"
    (folder / "s.yaml").write_text(study)
    done = mrs("grid", "--study", "s.yaml", "--estimate", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.startswith("4 of 4 runs missing, in 2 fits\nabout ")
    assert "GB of memory a worker" in done.stdout
    assert "\n  KNN: less than a second\n" in done.stdout
    assert not list((folder / "results").glob("[!.]*/run.json"))


def test_real_february_needs_its_file(mrs: Call, folder: Path) -> None:
    study = Path(__file__).parents[1] / "studies" / "music4all-february.yaml"
    done = mrs("grid", "--study", str(study), cwd=folder)
    assert done.returncode == 2
    assert "music4all: no such dataset" in done.stderr


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
    assert done.stdout == "own/embeddings/mfcc.npy: 51 of 52 tracks heard\n"
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


def test_tune_prints_the_values_for_the_study_file(mrs: Call, folder: Path) -> None:
    text = "title: t\ndataset: own\nrecommenders: [als: {max_epochs: 2}]\nscenarios: [hot]\n"
    (folder / "s.yaml").write_text(text)
    done = mrs("tune", "--study", "s.yaml", "--trials", "2", "--workers", "1", cwd=folder)
    assert done.returncode == 0
    assert "\nrecommenders:\n  - als: {" in done.stdout
    assert "als: 2 trials of 3 fits" in done.stdout
    assert done.stdout.endswith("all trials: s.tuning.parquet\n")
    bad = mrs("tune", "--study", "s.yaml", "--trials", "0", cwd=folder)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == "mrs: trials 0: must be 1 or more\n"
    none = mrs("tune", "--study", "none.yaml", cwd=folder)
    assert (none.returncode, none.stderr.count("\n")) == (2, 1)


def test_claims_are_printed_with_their_verdict(mrs: Call, tmp_path: Path) -> None:
    done = mrs("claims", "p2-elsa-printed", "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (claim,) = json.loads(done.stdout)
    assert claim["id"] == "p2-elsa-printed"
    assert claim["verdict"] == "reproduced"
    assert claim["found"] == "300 of 300 hot values are below ELSA's (100%)"
    text = mrs("claims", "p2-best-hot-shallow", cwd=tmp_path).stdout
    assert text.startswith("p2-best-hot-shallow: not testable here\n")
    assert "--study studies/music4all-onion.yaml" in text
    assert not list(tmp_path.iterdir())


def test_an_unknown_claim_is_named(mrs: Call, tmp_path: Path) -> None:
    done = mrs("claims", "p9", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("mrs: claim 'p9' is unknown; known: p2-cold-cutoff")
