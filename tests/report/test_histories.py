from pathlib import Path

import pytest
from planted import plant, planted

from mrs.report import histories

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
    for seed in (0, 1):
        plant(results, whole.runs[seed], [0.3, 0.4])
        plant(results, short.runs[seed], [0.2, 0.3])
    frame = histories.differences(results)
    (row,) = frame.iter_rows(named=True)
    assert (row["whole histories"], row["49 tracks"]) == pytest.approx((0.35, 0.25))
    assert row["difference"] == pytest.approx(0.1)
    assert (row["from"], row["to"]) == pytest.approx((0.1, 0.1))
    assert row["page"] == f"runs/{whole.slug}.html"
    said = histories.text(frame)
    assert "better on 1 and worse on 0 of 1 backends" in said
    assert "NDCG@50".lower() in said
    assert "+0.1000" in said


def test_no_study_at_length_no_row(tmp_path: Path) -> None:
    assert not len(histories.open_differences(str(tmp_path / "demo.yaml"), str(tmp_path)))
