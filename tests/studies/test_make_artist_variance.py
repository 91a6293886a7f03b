from pathlib import Path

import pytest
from make_artist_variance import PAIRS, SHARES, at_share, worlds

from mrs.study.study import load_study
from mrs.world.params import Params
from mrs_book.chapters.coldstart_variance import artist_share

ROOT = Path(__file__).resolve().parents[2]


def test_a_share_by_hand() -> None:
    """Traits: artists' 0.52^2 and tracks' 0.46^2 are 0.482 in all, of which 0.1 goes to artists."""
    spec = at_share("demo:n_users=300", 0.1)
    assert spec.startswith("demo:n_users=300,sd_artist=0.2195,sd_track=0.6586,kappa_fame=")
    assert at_share("demo", 0.1).startswith("demo:sd_artist=0.2195,")


@pytest.mark.parametrize("share", SHARES)
def test_the_sums_stay_and_the_artists_part_is_the_share(share: float) -> None:
    made, default = Params.parse(at_share("demo", share).partition(":")[2]), Params()
    for artist, track in PAIRS:
        whole = getattr(made, artist) ** 2 + getattr(made, track) ** 2
        before = getattr(default, artist) ** 2 + getattr(default, track) ** 2
        assert whole == pytest.approx(before, rel=2e-3)
        assert getattr(made, artist) ** 2 / whole == pytest.approx(share, rel=2e-3)


def test_the_worlds_of_the_study() -> None:
    study = load_study(ROOT / "studies/artist-variance.yaml")
    names = [one.dataset for one in worlds(study)]
    assert [artist_share(name) for name in names[::2]] == list(SHARES)
    assert len(SHARES) == 5
    assert len(set(names)) == 10
    assert names[:2] == [f"{at_share(study.dataset, SHARES[0])},seed={seed}" for seed in (1, 2)]
    assert study.split == "catalogue"
    assert study.archive == ROOT / "studies/artist-variance.parquet"
