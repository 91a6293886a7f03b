"""A small world with artists for the tests of cold-start models."""

from dataclasses import replace

import numpy as np
from recommenders.conformance import N_COLD, N_WARM, Conformance, checkerboard, colours, pairs

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History
from mrs.recommenders.factors import FittedFactors

N_ARTISTS = 4
SMALL = {"max_epochs": 30, "batch_size": 8, "learning_rate": 0.01}


def with_artists() -> Split:
    """The checkerboard; each artist's tracks are of one colour, and cold tracks have them too.

    Warm columns 0, 2, ... are played by even users. Artists 0 and 2 make those, 1 and 3 the odd
    ones; the last cold track's artist is unknown.
    """
    split = checkerboard()
    artists = np.empty(len(split.tracks), dtype=np.int32)
    artists[split.warm] = np.arange(N_WARM) % N_ARTISTS
    artists[split.cold] = np.arange(N_COLD) % 2 + 2
    artists[split.cold[-1]] = -1
    names = np.array([f"artist {code}" for code in range(N_ARTISTS)])
    return replace(split, artists=artists, artist_ids=names)


def sounds(positions: np.ndarray, split: Split) -> np.ndarray:
    """Vectors that tell artists' colours, with a little noise of their own."""
    vectors = np.random.default_rng(4).normal(0, 0.05, (len(split.tracks), 5))[positions]
    vectors[:, 0] += np.where(split.artists[positions] % 2 == 0, 1.0, -1.0)
    return vectors.astype(np.float32)


def backbone(split: Split) -> Fitted:
    """Factors that tell the colours apart: users' first column is their colour."""
    items = colours(split.warm, split, width=6)
    users = np.zeros((len(split.users), 6), dtype=np.float32)
    users[:, 0] = np.where(np.arange(len(users)) % 2 == 0, 1, -1)
    users[:, 1:] = np.random.default_rng(0).normal(0, 0.1, (len(users), 5))
    return FittedFactors(History.of(split), None, [], users, items)


class ColdConformance(Conformance):
    """Cold-only: a fit reads a backbone, and new tracks come with their artists.

    The checkerboard asks for train tracks; for new ones `test_models.py` does.
    """

    solves_checkerboard = False

    def artists(self, split: Split) -> np.ndarray:
        return split.artists[split.cold]

    def fit(self, seed: int = 0) -> tuple[Split, Fitted]:
        split = with_artists()
        return split, self.fit_to(split, seed)

    def fit_to(self, split: Split, seed: int = 0) -> Fitted:
        vectors = sounds(self.recommender.tracks_needed(split), split)
        read = vectors if "vectors" in self.recommender.needs else None
        return self.recommender.fit(split, read, backbone=backbone(split), seed=seed)


def cold_validation(split: Split) -> Split:
    """The same with the first four cold tracks played, each by the users of its colour."""
    tracks, left = split.cold[:4], split.cold[4:]
    user, place = np.nonzero(np.arange(len(split.users))[:, None] % 2 == np.arange(4) % 2)
    return replace(split, cold_val=pairs(user, tracks[place]), cold=left)
