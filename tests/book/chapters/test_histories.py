from pathlib import Path

import numpy as np
import pytest
from planted import plant, planted

from mrs.evaluation.bootstrap import difference
from mrs_book.chapters import histories

STUDY = """
recommenders:
  - bert4rec: &short {max_epochs: 3}
  - bert4rec: {<<: *short, max_length: 50}
  - bert4rec: {<<: *short, n_components: none}
  - popularity
seeds: [0, 1]
scenarios: [hot]
k: [50]
"""


def test_whole_histories_against_the_newest_tracks(tmp_path: Path) -> None:
    results = planted(tmp_path, STUDY, {"mert": 0.5})
    whole, short = results.cells()[:2]
    recent = np.random.default_rng(0).random((2, 30))
    long = recent**2 + 0.5
    for seed in (0, 1):
        plant(results, whole.runs[seed], long[seed].tolist())
        plant(results, short.runs[seed], recent[seed].tolist())
    frame = histories.differences(results)
    (row,) = frame.iter_rows(named=True)
    assert row["whole histories"] == pytest.approx(long.mean())
    assert row["49 tracks"] == pytest.approx(recent.mean())
    gap = (long - recent).mean()
    assert row["difference"] == pytest.approx(gap)
    bounds = difference(long[:, :, None], recent[:, :, None])
    assert (row["from"], row["to"]) == pytest.approx((bounds.low[0], bounds.high[0]))
    assert row["from"] > 0
    assert row["page"] == f"runs/{whole.slug}.html"
    said = histories.text(frame)
    assert "better on 1 and worse on 0 of 1 backends" in said
    assert "NDCG@50".lower() in said
    assert f"{gap:+.4f}" in said


def test_no_study_at_length_no_row(tmp_path: Path) -> None:
    assert not len(histories.open_differences(str(tmp_path / "demo.yaml"), str(tmp_path)))
