"""`mrs metrics` as a user calls it."""

import json
import sys

import polars as pl
import pytest

from mrs.cli import main


@pytest.fixture
def metrics(monkeypatch, capfd, tmp_path):
    pl.DataFrame(
        {"user_id": [1, 1, 1, 2, 2], "track_id": [7, 8, 9, 9, 7], "rank": [1, 2, 3, 1, 2]}
    ).write_parquet(tmp_path / "r.parquet")
    pl.DataFrame(
        {"user_id": [1, 1, 2, 3], "track_id": [8, 5, 7, 9], "rating": [2, 1, 3, 1]}
    ).write_parquet(tmp_path / "t.parquet")
    monkeypatch.chdir(tmp_path)

    def call(*words):
        command = ["mrs", "metrics", "--ranked", "r.parquet", "--truth", "t.parquet", *words]
        monkeypatch.setattr(sys, "argv", command)
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code or 0
        out, err = capfd.readouterr()
        return status, out, err

    return call


def test_json(metrics):
    status, out, err = metrics("--k", "1,2", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["1", "2"]
    assert found["2"]["hitrate"]["any"] == pytest.approx(2 / 3)
    assert found["2"]["recall"]["relevant"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert {"linear", "exponential", "min", "none"} <= found["2"]["ndcg"].keys()
    assert found["2"]["coverage"]["share"] == 3 / 4


def test_options(metrics):
    found = json.loads(metrics("--k", "2", "--json", "--users", "with-list", "--n-items", "6")[1])
    assert found["2"]["hitrate"]["any"] == 1.0
    assert found["2"]["coverage"]["share"] == 3 / 6


def test_text_and_what_rules_were_needed(metrics):
    status, out, err = metrics("--k", "1,2")
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["metric", "class", "@1", "@2"]
    assert ["hitrate", "any", "0.000000", "0.666667"] in lines
    assert lines[-1] == ["3", "users"]
    assert "mrs: 1 of 3 users with relevant items have no list" in err.splitlines()
    assert any("left out auc global" in line for line in err.splitlines())


def test_nothing_defined_is_null(metrics, tmp_path):
    """All candidates of all users are relevant: no AUC."""
    pl.DataFrame({"user_id": [1], "track_id": [7], "rank": [1]}).write_parquet(
        tmp_path / "r.parquet"
    )
    pl.DataFrame({"user_id": [1], "track_id": [7]}).write_parquet(tmp_path / "t.parquet")
    found = json.loads(metrics("--k", "1", "--json")[1])
    assert found["1"]["auc"]["per_user"] is None
    assert found["1"]["auc"]["in_list"] == 1.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "r.parquet: the cutoff 50 is beyond the lists, the longest of which holds 3 ranks"),
        (["--k", "x"], "write list lengths as 10,20,50"),
        (["--k", "1", "--n-items", "2"], "hold 4 distinct items"),
        (["--k", "1", "--users", "none"], "choose all or with-list"),
    ],
)
def test_mistakes_are_one_line_and_status_2(metrics, words, message):
    status, out, err = metrics(*words, "--json")
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
