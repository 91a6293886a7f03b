from pathlib import Path

import polars as pl
import pytest
import yaml
from trials import TRIALS, record_frame

from mrs.errors import InputError
from mrs.study.study import Study
from mrs.study.tune import VERSION
from mrs.study.tuning_record import TuningRecord

NAMES = ["hybrid", "als"]


@pytest.fixture
def record() -> TuningRecord:
    return TuningRecord(record_frame(TRIALS))


def test_the_criterion_by_hand(record: TuningRecord) -> None:
    assert record.groups == NAMES
    hybrid = record.trials.filter(pl.col("group") == "hybrid")
    # 0.3 / 0.2 in hot and 0.12 / 0.4 in cold: 1.5 and 0.3.
    assert hybrid["criterion"].to_list() == pytest.approx([1, (1.2 + 0.95) / 2, 0.9])
    assert hybrid["best"].to_list() == pytest.approx([1, 1.075, 1.075])
    # Three fits of 4, 5 and 6 s, counted once although each answers two scenarios.
    assert hybrid["cpu_seconds"].to_list() == [12, 15, 18]
    assert hybrid["fits"].to_list() == [3, 3, 3]
    assert record.n_trials("hybrid") == 3


def test_what_is_chosen(record: TuningRecord) -> None:
    assert record.chosen("hybrid") == 1
    # Equal scores leave the present; a trial with a score that is not a number never wins.
    assert record.chosen("als") == 0
    assert record.trials.filter(pl.col("group") == "als")["criterion"].to_list() == [1, 1, 0]


def test_a_better_trial_that_costs_too_much_is_not_chosen() -> None:
    dear = {"hybrid": [*TRIALS["hybrid"][:2], TRIALS["hybrid"][0], TRIALS["hybrid"][1]]}
    frame = record_frame(
        dear
    ).with_columns(  # the last trial scores best and costs 7 s a fit, not 4
        score=pl.col("score") * pl.when(pl.col("trial") == 3).then(2).otherwise(1)
    )
    record = TuningRecord(frame)
    assert record.trials["criterion"].to_list() == pytest.approx([1, 1.075, 1, 2.15])
    assert record.chosen("hybrid") == 1


def test_the_chosen_are_at_least_as_good_on_the_criterion(record: TuningRecord) -> None:
    for group in NAMES:
        mine = record.trials.filter(pl.col("group") == group)
        assert mine["criterion"][record.chosen(group)] >= mine["criterion"][0]


def test_changes(record: TuningRecord) -> None:
    rows = list(record.changes().iter_rows(named=True))
    assert [(r["recommender"], r["scenario"], r["trial"]) for r in rows] == [
        ("hybrid", "hot", 1),
        ("hybrid", "cold", 1),
        ("als", "hot", 0),
    ]
    assert [row["present"] for row in rows] == pytest.approx([0.2, 0.4, 0.3])
    assert [row["chosen"] for row in rows] == pytest.approx([0.24, 0.38, 0.3])
    assert [row["gain"] for row in rows] == pytest.approx([0.2, -0.05, 0])


def test_a_present_of_zero_says_nothing() -> None:
    cells = [("hybrid", "hot", [0.0]), ("hybrid", "cold", [0.2])]
    better = [("hybrid", "hot", [0.5]), ("hybrid", "cold", [0.1])]
    record = TuningRecord(record_frame({"hybrid": [({}, cells), ({}, better)]}))
    assert record.trials["criterion"].to_list() == pytest.approx([1, 0.5])


def test_the_snippet_is_the_study_with_the_chosen_values(record: TuningRecord) -> None:
    study = Study(
        title="t",
        recommenders=["knn", {"hybrid": {"hidden_size": 64, "max_epochs": 9}}, "als"],  # type: ignore[arg-type,list-item]
    )
    snippet = yaml.safe_load("recommenders:\n" + record.snippet(study))
    assert snippet["recommenders"] == [
        {"hybrid": {"hidden_size": 32, "learning_rate": 0.02, "max_epochs": 9}},
        {"als": {}},
    ]
    assert "chosen 1.075 times the present" in record.as_text(study)


def test_files(tmp_path: Path) -> None:
    study = tmp_path / "s.yaml"
    assert TuningRecord.of(study) is None
    path = tmp_path / "s.tuning.parquet"
    frame = record_frame(TRIALS)
    frame.write_parquet(path)
    found = TuningRecord.of(study)
    assert found is not None
    assert found.frame.equals(frame)
    frame.drop("score").write_parquet(path)
    with pytest.raises(InputError, match=r"s\.tuning\.parquet: has other columns"):
        TuningRecord.of(study)
    path.write_text("no parquet")
    with pytest.raises(InputError, match=r"s\.tuning\.parquet: not a readable"):
        TuningRecord.of(study)


CHANCE = {"hot": 0.1, "cold": 0.3}


def test_chance_is_taken_off_and_both_scenarios_count_alike() -> None:
    """Two recommenders of a family in hot, one in cold; the first version counts three cells."""
    cells = [("content", "hot", [0.2]), ("content", "cold", [0.4]), ("average", "hot", [0.3])]
    other = [("content", "hot", [0.3]), ("content", "cold", [0.35]), ("average", "hot", [0.3])]
    trials = {"bimodal": [({"a": 1}, cells), ({"a": 2}, other)]}
    today = TuningRecord(record_frame(trials, chance=CHANCE))
    # Hot (0.2 / 0.1 + 0.2 / 0.2) / 2 = 1.5, cold 0.05 / 0.1 = 0.5.
    assert today.trials["criterion"].to_list() == pytest.approx([1, (1.5 + 0.5) / 2])
    assert today.chosen("bimodal") == 0
    former = today.by(1)
    assert former is not None
    assert former.version == 1
    expected = (0.3 / 0.2 + 0.35 / 0.4 + 1) / 3
    assert former.trials["criterion"].to_list() == pytest.approx([1, expected])
    assert former.chosen("bimodal") == 1


def test_a_record_without_chance_keeps_its_criterion(tmp_path: Path) -> None:
    """As `mrs tune` wrote them first, without the two columns."""
    path = tmp_path / "s.tuning.parquet"
    record_frame(TRIALS, version=1).drop("chance", "version").write_parquet(path)
    record = TuningRecord.of(tmp_path / "s.yaml")
    assert record is not None
    assert record.version == 1
    assert record.by(VERSION) is None
    hybrid = record.trials.filter(pl.col("group") == "hybrid")
    assert hybrid["criterion"].to_list() == pytest.approx([1, 1.075, 0.9])
