"""Artist mean: a new track is the mean of its artist's train tracks."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from mrs.data.splits import Split
from mrs.recommenders.base import Fitted, History
from mrs.recommenders.coldstart.base import ColdStart, FittedColdStart, raw_artist_ids


@dataclass(frozen=True, eq=False)
class FittedArtistMean(FittedColdStart):
    """The backbone's factors, by artist."""

    @override
    def encode(self, vectors: np.ndarray, artists: np.ndarray | None = None) -> np.ndarray:
        """The artists' means [M x d]; the mean of all train tracks for an artist without one.

        All tracks of one artist tie, and so do all of such artists. Raises `InputError` without
        artists.
        """
        codes = self.codes(artists, len(vectors))
        return self.catalogues.means(self.factors, codes, self.factors.mean(axis=0))


@dataclass(frozen=True)
class ArtistMean(ColdStart):
    """A new track's factor is the mean of the backbone's factors of its artist's train tracks.

    Nothing is trained and no audio is read: the bar for all that learns from artists. Its idea is
    that of the artist means which the code of arXiv 2604.07090 appends to content. All tracks of
    an artist are equal; the order within such ties is drawn with the run's seed.
    """

    name: ClassVar[str] = "artist_mean"
    label: ClassVar[str] = "Artist mean"
    needs: ClassVar[frozenset[str]] = frozenset({"backbone", "artists"})
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
    ) -> FittedArtistMean:
        base = self.check_backbone(split, backbone)
        artists = self.artist_codes(split)
        return FittedArtistMean(
            history=History.of(split),
            converged=None,
            curve=[],
            user_factors=base.users(),
            item_factors=base.items(),
            factors=base.items(),
            artist=artists[split.warm],
            artist_ids=raw_artist_ids(split),
        )
