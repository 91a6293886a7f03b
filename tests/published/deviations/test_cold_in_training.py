from dataclasses import replace

import numpy as np
import pytest
from recommenders.conformance import N_COLD, checkerboard, colours

from mrs.errors import InputError
from mrs.published.deviations import recommender_of
from mrs.recommenders.factors import FittedFactors

PROTOCOL = "published:cold_in_training"


def fits(name: str, **settings: object) -> tuple[FittedFactors, FittedFactors]:
    """As published on the split, and the clean fit on a split in which cold tracks are warm."""
    split = checkerboard()
    wide = replace(split, warm=np.union1d(split.warm, split.cold))
    reads = name != "elsa"
    read = 1 + colours(wide.warm, split) if reads else None
    published = recommender_of(name, settings, PROTOCOL)
    assert np.array_equal(published.tracks_needed(split), wide.warm)
    found = published.fit(split, read, seed=0)
    whole = recommender_of(name, settings).fit(wide, read, seed=0)
    assert isinstance(found, FittedFactors)
    assert isinstance(whole, FittedFactors)
    assert np.array_equal(found.users(), whole.users())
    assert np.array_equal(found.items(), whole.items()[wide.column[split.warm]])
    assert len(found.history.track_ids) == len(split.warm)
    return found, whole


def test_elsa_has_a_row_for_each_cold_track_while_it_is_trained() -> None:
    fits("elsa", embedding_size=4, max_epochs=3)


def test_hybrid_learns_to_rank_cold_sound_low() -> None:
    split = checkerboard()
    found, _ = fits("hybrid", hidden_size=8, n_components=None, max_epochs=5)
    clean = recommender_of("hybrid", {"hidden_size": 8, "n_components": None, "max_epochs": 5})
    plain = clean.fit(split, 1 + colours(split.warm, split), seed=0)
    cold = 1 + colours(split.cold, split)
    assert not np.allclose(found.encode(cold), plain.encode(cold))


def test_bert4rec_scores_cold_tracks_by_the_rows_that_were_trained() -> None:
    split = checkerboard()
    found, whole = fits("bert4rec", embedding_size=4, max_epochs=3, dropout=0.0)
    everything = np.union1d(split.warm, split.cold)
    vectors = 1 + colours(everything, split)
    column = np.searchsorted(everything, split.cold)
    order = np.random.default_rng(0).permutation(N_COLD)
    rows = found.encode(vectors[column][order])
    assert np.array_equal(rows, whole.items()[column][order])
    assert not np.allclose(rows, whole.encode(vectors[column][order]))  # the residual is theirs
    with pytest.raises(InputError, match="the split's own cold tracks alone"):
        found.encode(vectors[:1] + 9)


def test_cold_rows_are_pushed_away_by_the_softmax() -> None:
    """Never a target: a listener's score of a cold track falls behind that of the warm ones."""
    settings = {"embedding_size": 8, "max_epochs": 40, "learning_rate": 0.02, "dropout": 0.0}
    split = checkerboard()
    found, _ = fits("bert4rec", **settings)
    everything = np.union1d(split.warm, split.cold)
    vectors = 1 + colours(everything, split)
    cold = found.encode(vectors[np.searchsorted(everything, split.cold)])
    assert (found.users() @ cold.T).mean() < (found.users() @ found.items().T).mean()


def test_refuses_rows_of_the_train_tracks_alone() -> None:
    split = checkerboard()
    with pytest.raises(InputError, match="each of the 22 tracks that it reads, got 16 rows"):
        recommender_of("hybrid", {}, PROTOCOL).fit(split, colours(split.warm, split), seed=0)
