"""The numbers that the README tells people to expect."""

from pathlib import Path

import pytest
from specs import make_spec

from mrs.backends.hear_world import hear_world
from mrs.backends.pretrained import MusiCNN
from mrs.backends.weights import at_hand
from mrs.data.dataset import open_dataset
from mrs.study.run import run
from mrs.study.store import Store

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in README.split("## Numbers to expect")[1].split("\n## ")[0].splitlines()
    if line.startswith("| ") and "@" in line
]


@pytest.mark.slow
@pytest.mark.timeout(900)  # MusiCNN hears 2,000 tracks: minutes where other work is beside
def test_numbers_to_expect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MRS_DATA", str(tmp_path / "data"))
    if not at_hand(MusiCNN()):
        pytest.skip("the weights of MusiCNN are not here: `make setup` fetches them")
    dataset, store = open_dataset("demo"), Store(tmp_path / "store")
    hear_world(dataset, ["musicnn"])
    assert len(ROWS) == 8
    for recommender, backend, scenario, metric, mean, by_chance in ROWS:
        name = backend.removeprefix("sim:").lower() or None
        spec = make_spec(dataset, recommender=recommender, backend=name, scenario=scenario)
        record = run(spec, store, dataset)
        assert record.values(metric).mean() == pytest.approx(float(mean), abs=2e-4)
        assert record.chance(metric) == pytest.approx(float(by_chance), abs=6e-5)
