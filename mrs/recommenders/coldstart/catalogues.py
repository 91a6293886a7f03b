"""Catalogues: the tracks of each artist, their mean factors, and samples of them."""

import numpy as np
import scipy.sparse as sp


class Catalogues:
    """The tracks of each artist, among some of the train tracks.

    `artist` [N] is the code of each train track's artist, below zero where it is unknown; `among`
    are the train tracks that catalogues are made of (None: all), for a fit that holds some out.
    """

    def __init__(self, artist: np.ndarray, among: np.ndarray | None = None) -> None:
        tracks = np.arange(len(artist)) if among is None else np.sort(among)
        tracks = tracks[artist[tracks] >= 0]
        self.artist = artist
        self.tracks = tracks[np.argsort(artist[tracks], kind="stable")]  # by artist
        n_artists = int(artist.max(initial=-1)) + 1
        n_tracks = np.bincount(artist[self.tracks], minlength=n_artists)
        self.start = np.concatenate(([0], np.cumsum(n_tracks)))
        self.place = np.full(len(artist), -1)  # each track's place in its artist's catalogue
        self.place[self.tracks] = np.arange(len(tracks)) - np.repeat(self.start[:-1], n_tracks)

    def sizes(self, artists: np.ndarray) -> np.ndarray:
        """How many tracks each artist has [M]; 0 for one that is unknown or has none."""
        known = (artists >= 0) & (artists < len(self.start) - 1)
        code = np.where(known, artists, 0)
        sizes = np.diff(self.start)[code] if len(self.start) > 1 else np.zeros_like(code)
        return np.where(known, sizes, 0)

    def n_others(self, tracks: np.ndarray) -> np.ndarray:
        """How many other tracks the artist of each of these train tracks has [B]."""
        return self.sizes(self.artist[tracks]) - (self.place[tracks] >= 0)

    def draw(self, tracks: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
        """Other tracks by the artists of these train tracks [B x size], distinct, never itself.

        All subsets are equally likely. A row with fewer others than `size` holds them all and
        ends in -1. Every draw is the number of a track among those still free; it is stepped over
        what was taken before, in ascending order: size^2 / 2 passes over B numbers.
        """
        n_others, place = self.n_others(tracks), self.place[tracks]
        taken = place[:, None]  # a track outside of all catalogues has place -1 and blocks nothing
        drawn = np.full((len(tracks), size), -1)
        for already in range(size):
            free = n_others - already
            number = (generator.random(len(tracks)) * np.maximum(free, 1)).astype(np.int64)
            for other in taken.T:
                number += (number >= other) & (other >= 0)
            drawn[:, already] = np.where(free > 0, number, -1)
            taken = np.sort(np.column_stack([taken, number]), axis=1)
        row, column = np.nonzero(drawn >= 0)
        first = self.start[self.artist[tracks[row]]]
        drawn[row, column] = self.tracks[first + drawn[row, column]]
        return drawn

    def of_artists(self, artists: np.ndarray, size: int, seed: int) -> np.ndarray:
        """Up to `size` tracks of each artist [A x at most size], rows end in -1.

        An artist with more gives a sample drawn with `seed` and the artist's code, so that it does
        not depend on the other artists.
        """
        found = []
        for code, n in zip(artists.tolist(), self.sizes(artists).tolist(), strict=True):
            mine = self.tracks[self.start[code] : self.start[code] + n] if n else self.tracks[:0]
            if n > size:
                mine = np.sort(np.random.default_rng([seed, code]).choice(mine, size, False))
            found.append(mine)
        table = np.full((len(found), max(map(len, found), default=0)), -1)
        for row, mine in zip(table, found, strict=True):
            row[: len(mine)] = mine
        return table

    def sums(self, factors: np.ndarray) -> np.ndarray:
        """Sum of the factors [N x d] of each artist's tracks [artists x d]."""
        shape = (len(self.start) - 1, len(factors))
        ones = np.ones(len(self.tracks), dtype=factors.dtype)
        return sp.csr_matrix((ones, self.tracks, self.start), shape=shape) @ factors

    def means(self, factors: np.ndarray, artists: np.ndarray, default: np.ndarray) -> np.ndarray:
        """Mean factors of each artist's tracks [M x d], `default` [d or M x d] without tracks."""
        n = self.sizes(artists)[:, None]
        sums = self.sums(factors)[np.where(n[:, 0] > 0, artists, 0)] if n.any() else 0.0
        return np.where(n > 0, sums / np.maximum(n, 1), default).astype(np.float32)

    def other_means(
        self, factors: np.ndarray, tracks: np.ndarray, default: np.ndarray
    ) -> np.ndarray:
        """Mean factors of the other tracks by the artists of these train tracks [B x d]."""
        n = self.n_others(tracks)[:, None]
        own = np.where(self.place[tracks, None] >= 0, factors[tracks], 0)
        sums = self.sums(factors)[np.maximum(self.artist[tracks], 0)] if n.any() else own
        return np.where(n > 0, (sums - own) / np.maximum(n, 1), default).astype(np.float32)
