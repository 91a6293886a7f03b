"""Popularity of the artist: new tracks by the number of users who played their artist."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.recommenders.base import Fitted, History, Recommender
from mrs.recommenders.popularity import FittedPopularity


@dataclass(frozen=True, eq=False)
class FittedArtistPopularity(FittedPopularity):
    """Numbers of users who played the artist: `listeners` [N] per train track, `by_artist` [A]."""

    by_artist: np.ndarray

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        if artists is None:
            raise InputError(
                "Artist popularity: needs each track's artist; add artist_id to tracks.parquet"
            )
        return _of_artists(self.by_artist, artists)[:, None]


@dataclass(frozen=True)
class ArtistPopularity(Recommender):
    """New tracks by the number of distinct train users of their artist.

    All tracks of an artist are equal, and so are all whose artist nobody played. The order within
    such ties is drawn with the run's seed.
    """

    name: ClassVar[str] = "artist_popularity"
    label: ClassVar[str] = "Artist popularity"
    needs: ClassVar[frozenset[str]] = frozenset({"artists"})
    scenarios: ClassVar[tuple[str, ...]] = ("cold",)
    ties: ClassVar[bool] = True
    version: ClassVar[int] = 2

    @override
    def fit(
        self,
        split: Split,
        vectors: np.ndarray | None = None,
        *,
        backbone: Fitted | None = None,
        seed: int = 0,
    ) -> FittedArtistPopularity:
        """Count users; the seed draws the order of ties alone.

        Raises `InputError` where no artist is known.
        """
        by_artist = split.artist_listeners.astype(np.float32)
        assert split.artists is not None  # or the line above has raised
        listeners = _of_artists(by_artist, split.artists[split.warm])
        return FittedArtistPopularity(History.of(split), None, [], listeners, by_artist)


def _of_artists(listeners: np.ndarray, artists: np.ndarray) -> np.ndarray:
    """Users by artist code, 0 where there is no such code."""
    known = (artists >= 0) & (artists < len(listeners))
    return np.append(listeners, np.float32(0))[np.where(known, artists, -1)]
