"""Every cold-start model through the shared tests, and what all of them have in common."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recommenders.coldstart.material import (
    SMALL,
    ColdConformance,
    backbone,
    cold_validation,
    sounds,
    with_artists,
)
from recommenders.conformance import pairs

from mrs.errors import InputError
from mrs.recommenders import make_recommender
from mrs.recommenders.coldstart.acarec import ACARec
from mrs.recommenders.coldstart.artist_mean import ArtistMean
from mrs.recommenders.coldstart.base import ColdStart, Estimate, Material, TrainedColdStart
from mrs.recommenders.coldstart.catalogues import Catalogues
from mrs.recommenders.coldstart.clcrec import CLCRec
from mrs.recommenders.coldstart.deepmusic import DeepMusic
from mrs.recommenders.coldstart.gar import GAR
from mrs.recommenders.coldstart.heater import Heater
from mrs.recommenders.pca import Components

ACAREC = ACARec(**SMALL, hidden_size=8, n_heads=2)
CONTENT = (
    DeepMusic(**SMALL),
    CLCRec(**SMALL | {"batch_size": 32}, embedding_size=6, n_negatives=4),
    Heater(**SMALL | {"batch_size": 32}, n_experts=2),
    GAR(**SMALL | {"batch_size": 32}),
)
ALL = (ArtistMean(), *CONTENT, *(replace(one, use_artist=True) for one in CONTENT), ACAREC)


class TestArtistMean(ColdConformance):
    recommender = ArtistMean()

    def test_the_seed_matters_only_where_it_is_said_to(self) -> None:
        """Its own seed changes nothing; that of its backbone does."""
        one, other = (self.fit(seed)[1] for seed in (1, 2))
        assert np.array_equal(one.items(), other.items())


class TestDeepMusic(ColdConformance):
    recommender = CONTENT[0]


class TestCLCRec(ColdConformance):
    recommender = CONTENT[1]


class TestHeater(ColdConformance):
    recommender = CONTENT[2]


class TestGAR(ColdConformance):
    recommender = CONTENT[3]


class TestACARec(ColdConformance):
    recommender = ACAREC


def ids(recommender: ColdStart) -> str:
    return recommender.name + ("+artist" if getattr(recommender, "use_artist", False) else "")


@pytest.mark.parametrize("recommender", ALL, ids=ids)
def test_new_tracks_go_to_listeners_of_their_colour(recommender: ColdStart) -> None:
    """The cold tracks that the fit has not seen, one of each colour."""
    split = cold_validation(with_artists())
    split.artists[split.cold] = [2, 3]
    read = (
        sounds(recommender.tracks_needed(split), split) if "vectors" in recommender.needs else None
    )
    fitted = recommender.fit(split, read, backbone=backbone(split), seed=0)
    factors = fitted.encode(sounds(split.cold, split), split.artists[split.cold])
    even, odd = fitted.users() @ factors.T @ [1, -1] > 0, np.arange(12) % 2 == 0
    assert (even == odd).all()


@pytest.mark.parametrize("recommender", ALL, ids=ids)
def test_targets_stay_as_they_are(recommender: ColdStart) -> None:
    split, base = with_artists(), backbone(with_artists())
    before = base.users().copy(), base.items().copy()
    read = sounds(split.warm, split) if "vectors" in recommender.needs else None
    fitted = recommender.fit(split, read, backbone=base, seed=0)
    assert np.array_equal(base.users(), before[0])
    assert np.array_equal(base.items(), before[1])
    assert np.array_equal(fitted.factors, before[1])
    if recommender.name in ("artist_mean", "deepmusic", "acarec"):
        assert np.array_equal(fitted.users(), before[0])
        assert np.array_equal(fitted.items(), before[1])


@pytest.mark.parametrize("recommender", ALL[1:], ids=ids)
def test_cold_validation_tracks_stop_the_fit(recommender: TrainedColdStart) -> None:
    split = cold_validation(with_artists())
    read = sounds(recommender.tracks_needed(split), split)
    assert len(read) == len(split.warm) + 4
    few = replace(recommender, max_epochs=3)
    fitted = few.fit(split, read, backbone=backbone(split), seed=0)
    assert [set(row) for row in fitted.curve] == [{"epoch", "loss", "cold ndcg@20"}] * 3
    with pytest.raises(InputError, match="needs a vector for each of the 20 tracks"):
        few.fit(split, read[:16], backbone=backbone(split), seed=0)


def test_candidates_for_the_test_change_nothing_in_a_fit() -> None:
    split = with_artists()
    fewer = replace(split, cold=split.cold[:1])
    read = sounds(split.cold, split)
    for recommender in (CONTENT[0], ACAREC):
        one, other = (
            recommender.fit(part, sounds(part.warm, part), backbone=backbone(part), seed=0)
            for part in (split, fewer)
        )
        artists = split.artists[split.cold]
        assert np.array_equal(one.encode(read, artists), other.encode(read, artists))


def test_without_artists() -> None:
    known = with_artists()
    split, read = replace(known, artists=None, artist_ids=None), sounds(known.warm, known)
    for recommender in (ACAREC, ArtistMean(), replace(CONTENT[0], use_artist=True)):
        with pytest.raises(InputError, match="needs the tracks' artists.*add a column artist_id"):
            recommender.fit(split, read, backbone=backbone(split), seed=0)
    fitted = CONTENT[0].fit(split, read, backbone=backbone(split), seed=0)
    assert len(fitted.encode(sounds(known.cold, known))) == len(known.cold)
    fitted = ACAREC.fit(known, read, backbone=backbone(known), seed=0)
    with pytest.raises(InputError, match="needs the artist of each of 6 new tracks, got none"):
        fitted.encode(sounds(known.cold, known))


def test_mistakes() -> None:
    split = with_artists()
    for recommender in ALL:
        with pytest.raises(InputError, match="needs a backbone fitted to the same 16 train"):
            recommender.fit(split, sounds(split.warm, split), seed=0)
    with pytest.raises(InputError, match="acarec: n_heads=7: choose a divisor of hidden_size"):
        make_recommender("acarec", {"n_heads": 7})


def test_artist_mean_by_hand(tmp_path: Path) -> None:
    """One other track, several, none and an unknown artist."""
    split = with_artists()
    artists = split.artists.copy()
    artists[split.warm] = [0, *[1] * 14, 2]
    split, base = replace(split, artists=artists), backbone(split)
    items = base.items()
    fitted = ArtistMean().fit(split, backbone=base)
    found = fitted.encode(np.empty((5, 0)), np.array([0, 1, 3, -1, 99]))
    assert np.allclose(found[0], items[0])
    assert np.allclose(found[1], items[1:15].mean(axis=0), atol=1e-6)
    for row in found[2:]:
        assert np.allclose(row, items.mean(axis=0), atol=1e-6)


def test_nothing_of_a_held_out_track_is_learned_from() -> None:
    split, base = with_artists(), backbone(with_artists())
    content = sounds(split.warm, split)
    material = Material.of(split, content, split.artists, base, seed=3)
    held = np.setdiff1d(np.arange(16), material.trained)
    assert len(held) == 2
    assert np.array_equal(material.held.content, content[held])
    assert material.matrix.shape == (12, 14)
    plays = split.matrix[:, held].toarray()
    assert np.array_equal(material.held.users, np.flatnonzero(plays.any(axis=1)))
    assert np.array_equal(material.held.truth.toarray(), plays[material.held.users])
    again = Material.of(split, content, split.artists, base, seed=3)
    assert np.array_equal(again.trained, material.trained)


def test_held_out_tracks_are_those_of_the_split() -> None:
    """Tracks 5 and 8 lie outside of train; users 0 and 3 played one each."""
    split = with_artists()
    split = replace(split, cold_val=pairs(np.array([0, 3]), np.array([5, 8])))
    content = np.arange(18, dtype=np.float32)[:, None]
    material = Material.of(split, content, split.artists, backbone(split), seed=0)
    assert len(material.trained) == 16
    assert material.held.content[:, 0].tolist() == [16, 17]
    assert np.array_equal(material.held_artist, split.artists[[5, 8]])
    assert material.held.users.tolist() == [0, 3]
    assert material.held.truth.toarray().tolist() == [[1, 0], [0, 1]]
    users = np.zeros((12, 2), dtype=np.float32)
    users[0, 0], users[3, 1] = 1, -1  # user 0 ranks it first, user 3 second
    found = material.held.validate(users, np.eye(2, dtype=np.float32))
    assert found == {"cold ndcg@20": pytest.approx((1 + 1 / np.log2(3)) / 2)}


def test_the_estimate_is_a_ridge_regression_as_far_spread_as_artists_means() -> None:
    """Content (1, -1, 2, -2), penalty 1: weight 10 / 11 for factors that equal it, before.

    Means 7 and -7 lie 36 and 64 in the square from the mean factor 1, content 2.5 from 0: the
    weight is sqrt(50 / 2.5).
    """
    content = np.array([[1], [-1], [2], [-2]], dtype=np.float32)
    factors, nothing = content + 1, np.empty((0, 1), dtype=np.float32)
    plain = Estimate.fit(content, factors, nothing)
    assert plain.weight == pytest.approx(10 / 11)
    assert plain(content + 3)[:, 0] == pytest.approx(1 + (content[:, 0] + 3) * 10 / 11)
    means = np.array([[7], [-7]], dtype=np.float32)
    stretched = Estimate.fit(content, factors, means)
    assert stretched.weight == pytest.approx(20**0.5)
    assert stretched.bias == pytest.approx(1)
    deaf = Estimate.fit(content[:, :0], factors, means)
    assert deaf(content[:, :0])[:, 0] == pytest.approx(1)


@pytest.mark.parametrize("recommender", [replace(CONTENT[0], use_artist=True), ACAREC], ids=ids)
def test_tracks_of_unknown_artists_stand_as_far_out_as_the_others(
    recommender: TrainedColdStart,
) -> None:
    """Noise is heard at a tenth of its strength: a plain regression would be a fraction."""
    split = with_artists()
    noise = np.random.default_rng(1).normal(0, 1, (len(split.tracks), 5)).astype(np.float32)
    read = sounds(np.arange(len(noise)), split) * 0.1 + noise
    fitted = replace(recommender, max_epochs=1).fit(
        split, read[split.warm], backbone=backbone(split), seed=0
    )
    trained = Material.of(split, read[split.warm], split.artists, backbone(split), seed=0).trained
    catalogues, factors = Catalogues(split.artists[split.warm], trained), fitted.factors
    content = Components(fitted.mean, fitted.scale, fitted.rotation)(read[split.warm])[trained]
    middle = factors[trained].mean(axis=0)
    means = catalogues.other_means(factors, trained, middle)
    found = Estimate(fitted.weight, fitted.bias)(content)
    assert np.square(found - middle).mean() == pytest.approx(np.square(means - middle).mean(), 1e-4)
