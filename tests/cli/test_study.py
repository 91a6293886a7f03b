"""Commands on runs and studies as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import RUN, Call, swap


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
        assert set(value) == {"mean", "low", "high"}
        if value["low"] is not None:
            assert value["low"] <= value["mean"] <= value["high"]
    assert out["metrics"]["ndcg@5"]["low"] is not None
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
        (
            {"recommender": "bpr", "scenario": "hot", "set": "learning_rate=-1"},
            "mrs: recommender bpr: learning_rate=-1 should be greater than 0\n",
        ),
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


def test_grid_estimate_computes_nothing(mrs: Call, folder: Path) -> None:
    study = "title: t\ndataset: own\nrecommenders: [knn, random]\n"
    (folder / "s.yaml").write_text(study)
    done = mrs("grid", "--study", "s.yaml", "--estimate", cwd=folder)
    assert done.returncode == 0
    assert done.stdout.startswith("4 of 4 runs missing, in 2 fits\nabout ")
    assert "GB of memory per worker" in done.stdout
    assert "\n  KNN: less than a second\n" in done.stdout
    assert not list((folder / "results").glob("[!.]*/run.json"))


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
    assert claim["verdict"] == "agrees with the printed tables"
    assert claim["kind"] == "read off the printed tables"
    assert claim["found"] == "300 of 300 hot values are below ELSA's (100%)"
    text = mrs("claims", "p2-best-hot-shallow", cwd=tmp_path).stdout
    assert text.startswith("p2-best-hot-shallow: not testable here\n")
    assert "--study studies/music4all-onion.yaml" in text
    every = mrs("claims", cwd=tmp_path).stdout
    heads = [line for line in every.splitlines() if " claims): " in line]
    assert [head.split(" (")[0] for head in heads] == [
        "Of an abstract",
        "Of code or counts",
        "Read off the printed tables",
        "This project's reading",
    ]
    assert not list(tmp_path.iterdir())


def test_an_unknown_claim_is_named(mrs: Call, tmp_path: Path) -> None:
    done = mrs("claims", "p9", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("mrs: claim 'p9' is unknown; known: p2-cold-cutoff")
