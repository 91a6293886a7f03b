"""Real listening: February 2019 of Music4All-Onion, where the file is at hand."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mrs.evaluation.bootstrap import interval
from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.store import Store
from mrs.study.study import load_study

ROOT = Path(__file__).resolve().parents[2]
MUSIC4ALL = ROOT.parent / "shared" / "data" / "music4all"

pytestmark = pytest.mark.skipif(
    not (MUSIC4ALL / "cold_test.pqt").is_file(), reason=f"no real listening in {MUSIC4ALL}"
)


def test_popularity_and_random_on_real_listening(tmp_path: Path) -> None:
    study = load_study(ROOT / "studies" / "music4all-february.yaml", dataset=str(MUSIC4ALL))
    results = Results(study, Store(tmp_path / "store"))
    quick = [s for s in results.specs() if s.recommender.name in ("popularity", "random", "als")]
    records = {s.recommender.name: run(s, results.store, results.dataset) for s in quick}
    for record in records.values():
        assert (record.info["n_users"], record.info["provenance"]["listens"]) == (367, "real")
        assert record.info["examples"] == []
    expected, spread = expected_popularity_recall(20)
    found = records["popularity"].values("recall@20")
    assert spread < 0.02
    assert found.mean() == pytest.approx(expected, abs=spread)
    drawn = records["random"].values("recall@20")
    bounds = interval(drawn, level=0.999)
    assert bounds.low < records["random"].chance("recall@20") < bounds.high
    assert interval(found - drawn).low > 0
    assert interval(records["als"].values("recall@20") - found).low > 0


def expected_popularity_recall(k: int) -> tuple[float, float]:
    """Recall of popularity with ties broken at random: mean and range over orders, plain Python."""
    pairs = pl.read_parquet(MUSIC4ALL / "cold_test.pqt")
    cut = datetime(2019, 2, 22)
    train = pairs.filter(pl.col("timestamp") < cut)
    before = -1
    while len(train) != before:
        before = len(train)
        for column in ("user_id", "track_id"):
            train = train.filter(pl.len().over(column) >= 5)
    listeners = dict(train.group_by("track_id").len().iter_rows())
    history: dict[int, set[int]] = {}
    for user, track in train.select("user_id", "track_id").iter_rows():
        history.setdefault(user, set()).add(track)
    truth: dict[int, set[int]] = {}
    later = pairs.filter(pl.col("timestamp") >= cut)
    for user, track in later.select("user_id", "track_id").iter_rows():
        if user in history and track in listeners:
            truth.setdefault(user, set()).add(track)
    rng = np.random.default_rng(0)
    means = []
    for _ in range(30):
        jitter = dict(zip(listeners, rng.random(len(listeners)), strict=True))
        order = sorted(listeners, key=lambda track: -listeners[track] - jitter[track])
        recalls = []
        for user, tracks in truth.items():
            top = [track for track in order if track not in history[user]][:k]
            recalls.append(len(tracks.intersection(top)) / len(tracks))
        means.append(np.mean(recalls))
    return float(np.mean(means)), float(np.ptp(means)) + 1e-9
