from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recommenders.conformance import checkerboard

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.recommenders import RECOMMENDERS
from mrs.recommenders.artist_popularity import ArtistPopularity, FittedArtistPopularity


def with_artists() -> Split:
    """Artists 0 to 3 of the train tracks in turns, 4 of new tracks alone; -1 is unknown."""
    split = checkerboard()
    artists = np.full(len(split.tracks), -1, dtype=np.int32)
    artists[split.warm] = np.arange(len(split.warm)) % 4
    artists[split.warm[0]] = -1
    artists[split.cold] = [0, 1, 2, 3, 4, -1]
    return replace(split, artists=artists)


def test_counts_the_distinct_listeners_of_an_artist() -> None:
    split = with_artists()
    assert split.artists is not None
    fitted = ArtistPopularity().fit(split)
    artist = split.artists[split.train.track]
    count = {a: len(set(split.train.user[artist == a])) for a in range(4)}
    expected = [count[a] for a in range(4)] + [0, 0]
    none = np.empty((6, 0), dtype=np.float32)
    assert fitted.encode(none, split.artists[split.cold])[:, 0].tolist() == expected
    assert fitted.items()[:5, 0].tolist() == [0, count[1], count[2], count[3], count[0]]
    assert fitted.items().dtype == fitted.encode(none, split.artists[split.cold]).dtype == "f4"
    assert np.array_equal(fitted.users(), np.ones((12, 1)))


def test_codes_that_train_never_saw_have_no_listeners() -> None:
    fitted = ArtistPopularity().fit(with_artists())
    none = np.empty((2, 0), dtype=np.float32)
    assert fitted.encode(none, np.array([99, -1])).tolist() == [[0], [0]]


def test_needs_artists() -> None:
    with pytest.raises(InputError, match="no artist is known; add artist_id"):
        ArtistPopularity().fit(checkerboard())
    with pytest.raises(InputError, match="needs each track's artist"):
        ArtistPopularity().fit(with_artists()).encode(np.empty((2, 0), dtype=np.float32))


def test_save_and_load(tmp_path: Path) -> None:
    split = with_artists()
    assert split.artists is not None
    fitted = RECOMMENDERS["artist_popularity"]().fit(split, seed=0)
    fitted.save(tmp_path)
    loaded = FittedArtistPopularity.load(tmp_path)
    none = np.empty((6, 0), dtype=np.float32)
    for one in (fitted, loaded):
        assert np.array_equal(one.items(), fitted.items())
        codes = split.artists[split.cold]
        assert np.array_equal(one.encode(none, codes), fitted.encode(none, codes))
