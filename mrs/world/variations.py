"""The same content in vectors of another width, or with a common offset: what these alone do.

A variation is one view of the generated world's audible traits, as a surrogate's, in the middle of
the ladder. In `width-N` it is rotated into N dimensions, which keeps every dot product. In
`offset-C` it has one width, and a vector that all tracks share is added, C times as long as the
tracks spread around their mean; its direction is drawn in the space of the view. Real vectors have
such an offset. Nothing else changes, so that whatever changes in a result is the width's or the
offset's doing.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits
from typing_extensions import override

from mrs.data.dataset import Dataset
from mrs.data.vectors import Card, VectorSource
from mrs.errors import InputError
from mrs.files import Digests, values_digest
from mrs.world.catalogue import CONTINUOUS, trait_matrix
from mrs.world.surrogates import HELDOUT_R2, HIGHEST, LOWEST, View, draw_folds, draw_view, rotated

VARIATIONS_VERSION = 1  # raised when the same world gets other vectors

RUNG = (LOWEST + HIGHEST) / 2  # held-out R2 of the view
WIDTHS = (104, 512, 1024, 2048, 4800)
WIDTH = 512  # of the vectors with an offset
OFFSETS = (0.0, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Variation:
    """A width and an offset in units of the spread, the root mean square distance from the mean."""

    width: int
    offset: float


VARIATIONS = {f"width-{width}": Variation(width, 0.0) for width in WIDTHS} | {
    f"offset-{offset:g}": Variation(WIDTH, offset) for offset in OFFSETS
}


def expected_cosine(offset: float) -> float:
    """The mean cosine of two tracks with an offset of so many times the spread.

    The mean dot product over the mean squared length, for many tracks; the mean of the cosines
    where all vectors are equally long.
    """
    return offset**2 / (1 + offset**2)


@dataclass(frozen=True, eq=False)
class Variations(VectorSource):
    """The variations of a generated world: `info` is its dataset.json, `tracks` its tracks."""

    info: dict[str, Any]
    tracks: pl.DataFrame

    @override
    def names(self) -> list[str]:
        return list(VARIATIONS)

    @override
    def card(self, backend: str) -> Card:
        variation = VARIATIONS[backend]
        details = {HELDOUT_R2: round(self._view.heldout_r2, 4), "offset": variation.offset}
        return Card(backend, "surrogate", variation.width, details)

    @override
    def vectors(self, backend: str, positions: np.ndarray | None = None) -> np.ndarray:
        variation = VARIATIONS[backend]
        with threadpool_limits(1):  # as the world's own surrogates
            latent = shifted(self._view.latent, variation.offset, self._stream(1))
            found = rotated(latent, variation.width, self._stream(2))
        return found if positions is None else found[positions]

    @override
    def digest(self, backend: str, digests: Digests) -> str:
        drawn_from = self.info["generator"], self.info["parameters"], VARIATIONS_VERSION, RUNG
        return values_digest([*drawn_from, backend])

    @cached_property
    def _view(self) -> View:
        columns = [self.tracks[f"trait_{name}"].to_numpy() for name in CONTINUOUS]
        mode, key = (self.tracks[f"trait_{name}"].to_numpy() for name in ("mode", "key"))
        traits = trait_matrix(np.column_stack(columns), mode, key)
        artist = np.unique(self.tracks["artist_id"].to_numpy(), return_inverse=True)[1]
        with threadpool_limits(1):
            return draw_view(traits, draw_folds(artist, self._seed), RUNG, self._stream(0))

    @property
    def _seed(self) -> int:
        return int(self.info["parameters"]["seed"])

    def _stream(self, part: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, part, VARIATIONS_VERSION])


def with_variations(dataset: Dataset) -> Dataset:
    """Set the variations beside a world's surrogates. Raises `InputError` for other datasets."""
    if "generator" not in dataset.info:
        raise InputError(f"{dataset.spec}: no generated world; variations are drawn from its truth")
    return dataset.with_vectors(Variations(dataset.info, dataset.tracks))


def shifted(latent: np.ndarray, offset: float, rng: np.random.Generator) -> np.ndarray:
    """Rows [n x d] centred, and a common vector `offset` times their spread added; float32."""
    centred = latent - latent.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.square(centred).sum(axis=1).mean())
    direction = rng.normal(0, 1, latent.shape[1])
    common = offset * spread * direction / np.linalg.norm(direction)
    return (centred + common).astype(np.float32)
