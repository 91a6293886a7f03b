"""A user's own vectors: read, checked, and set beside those of a dataset's folder.

Nothing is written to the dataset. The `.npy` file has one row per track in the order of
`tracks.parquet`, or comes with a CSV file whose column `track_id` says which track each row belongs
to. A card beside it (`NAME.json`, as in `embeddings/`) may say where the vectors came from.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from typing_extensions import override

from mrs.data import checks
from mrs.data.dataset import Dataset
from mrs.data.tables import read_csv
from mrs.data.vectors import Card, VectorSource, read_card, vector_name
from mrs.errors import InputError
from mrs.files import Digests, values_digest

FAR = 100.0  # a vector this many times as long as the median one is pointed out


@dataclass(frozen=True, eq=False)
class OwnVectors(VectorSource):
    """The user's own vectors of one backend, `name`, in a .npy file.

    `rows` gives each track's row of the file [n_tracks], -1 where it has none; `ids` is the CSV
    file that says so, None for the order of the dataset.
    """

    name: str
    file: Path
    ids: Path | None
    rows: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """Which tracks have a vector, bool [n_tracks]."""
        return self.rows >= 0

    @override
    def names(self) -> list[str]:
        return [self.name]

    @override
    def card(self, backend: str) -> Card:
        card = read_card(self.file, self.name)
        return replace(card, backend=str(card.details.pop("backend", self.name)))

    @override
    def vectors(self, backend: str, positions: np.ndarray | None = None) -> np.ndarray:
        rows = self.rows if positions is None else self.rows[positions]
        vectors = checks.read_vectors(self.file, np.maximum(rows, 0))
        vectors[rows < 0] = 0  # tracks without a vector, which no split has
        return vectors

    @override
    def digest(self, backend: str, digests: Digests) -> str:
        # That of the file, which it keeps when it is dropped into the dataset's folder.
        content = digests.of_file(self.file)
        straight = np.array_equal(self.rows, np.arange(len(self.rows)))
        return content if straight else values_digest([content, self.rows.tolist()])


def read_own_vectors(dataset: Dataset, file: Path, ids: Path | None = None) -> OwnVectors:
    """A user's own vectors of a dataset's tracks. Raises `InputError` for what cannot be used."""
    stored = checks.open_vectors(file)
    if not np.ptp(stored, axis=0).any():
        raise InputError(
            f"{file}: all rows are equal, so that no order follows; save one row per track"
        )
    if ids is None:
        rows = _rows_by_position(dataset, file, len(stored))
    else:
        rows = _rows_by_id(dataset, file, len(stored), ids)
    name = vector_name(file)
    own = OwnVectors("own" if name == "mfcc" else name, file, ids, rows)
    own.card(own.name)  # refuses one that cannot be read
    return own


def _rows_by_position(dataset: Dataset, file: Path, n_rows: int) -> np.ndarray:
    place = dataset.stored.rows
    if place is not None:
        rows = np.where(place < n_rows, place, -1)
        if (rows < 0).all():
            raise InputError(f"{file}: has {n_rows} rows, none of them a track's; name --ids")
        return rows
    if n_rows != len(dataset.tracks):
        raise InputError(
            f"{file}: has {n_rows} rows for {len(dataset.tracks)} tracks; save one row per track "
            "in the order of tracks.parquet, or name the rows' tracks with --ids"
        )
    return np.arange(n_rows)


def _rows_by_id(dataset: Dataset, file: Path, n_rows: int, ids: Path) -> np.ndarray:
    named = _read_ids(ids)
    if len(named) != n_rows:
        raise InputError(
            f"{ids}: has {len(named)} ids for the {n_rows} rows of {file}; write one id per row"
        )
    frame = pl.DataFrame({"track_id": named})
    checks.refuse_duplicates(ids, frame, ["track_id"])
    known = dataset.tracks["track_id"].cast(pl.String)
    place = {name: row for row, name in enumerate(named.to_list())}
    rows = np.array([place.get(name, -1) for name in known.to_list()])
    if (rows < 0).all():
        raise InputError(
            f"{ids}: row 0: track_id {named[0]} and all others are not among the tracks of "
            f"{dataset.folder}, which begin with {known[0]}; write the dataset's own ids"
        )
    return rows


def _read_ids(ids: Path) -> pl.Series:
    """The column `track_id` of a CSV file, as text."""
    if not ids.is_file():
        raise InputError(f"{ids}: no such file; write a CSV file with a column track_id")
    frame = read_csv(ids, infer_schema=False)
    if "track_id" not in frame.columns:
        raise InputError(
            f"{ids}: no column 'track_id' (there: {', '.join(frame.columns)}); name it in the "
            "first line"
        )
    named = frame["track_id"].str.strip_chars()
    empty = named.is_null() | (named == "")
    checks.refuse_rows(ids, empty, named, "no track_id; write one per row")
    return named


@dataclass(frozen=True)
class Checks:
    """What was found in a user's own vectors, and what the user should know of it."""

    n_rows: int
    width: int
    n_tracks: int
    n_covered: int
    n_unknown: int
    zeros: int
    duplicates: int
    norm_median: float
    norm_low: float
    norm_high: float
    warnings: tuple[str, ...]


def check(own: OwnVectors, dataset: Dataset) -> Checks:
    """Coverage, rows of zeros, repeated rows and lengths; an oddity is a warning, not an error."""
    stored = checks.open_vectors(own.file).astype(np.float32, copy=False)
    norms = np.sqrt(np.einsum("nd,nd->n", stored, stored, dtype=np.float64))
    zeros, repeated = np.flatnonzero(norms == 0), checks.repeated_rows(stored)
    repeated = np.setdiff1d(repeated, zeros)
    low, median, high = np.quantile(norms, [0.05, 0.5, 0.95])
    n_covered = int(own.covered.sum())
    n_unknown = len(stored) - n_covered if own.ids is not None else 0
    far = np.flatnonzero(norms > FAR * median)
    name = own.file
    found = []
    if n_covered < len(own.rows):
        at = int(np.argmin(own.covered))
        found.append(
            f"{len(own.rows) - n_covered} of {len(own.rows)} tracks have no vector, first "
            f"track_id {dataset.tracks['track_id'][at]}; they are left out for every system"
        )
    if n_unknown:
        found.append(f"{n_unknown} rows belong to tracks that the dataset does not have")
    if len(zeros):
        found.append(f"{len(zeros)} rows are all zeros, first row {zeros[0]}: they say nothing")
    if len(repeated):
        found.append(
            f"{len(repeated)} rows repeat an earlier one, first row {repeated[0]}: such tracks "
            "cannot be distinguished"
        )
    if len(far):
        found.append(
            f"{len(far)} rows are more than {FAR:.0f} times as long as the median one, first row "
            f"{far[0]}: they dominate every mean that they are part of"
        )
    return Checks(
        n_rows=len(stored),
        width=stored.shape[1],
        n_tracks=len(own.rows),
        n_covered=n_covered,
        n_unknown=n_unknown,
        zeros=len(zeros),
        duplicates=len(repeated),
        norm_median=float(median),
        norm_low=float(low),
        norm_high=float(high),
        warnings=tuple(f"{name}: {text}" for text in found),
    )
