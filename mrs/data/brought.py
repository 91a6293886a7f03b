"""Vectors that somebody brings: read, checked, and set beside a dataset's own.

Nothing is written to the dataset. The `.npy` file has one row a track in the order of
`tracks.parquet`, or comes with a CSV file whose column `track_id` says which track each row belongs
to. A card beside it (`NAME.json`, as in `embeddings/`) may say where the vectors came from.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data import checks
from mrs.data.dataset import Card, Dataset, read_card
from mrs.data.digests import Digests, of_values
from mrs.data.folders import vector_name
from mrs.data.splits import Interactions, Split
from mrs.data.tables import read_csv
from mrs.errors import InputError

FAR = 100.0  # a vector this many times as long as the median one is pointed out


@dataclass(frozen=True, eq=False, kw_only=True)
class WithVectors(Dataset):
    """A dataset with brought vectors as one more backend, named `own`.

    `rows` gives each track's row of the file [n_tracks], -1 where it has none. Such tracks are left
    out of every split, so that all systems choose among the same tracks.
    """

    own: str
    file: Path
    ids: Path | None
    rows: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """Which tracks have a vector, bool [n_tracks]."""
        return self.rows >= 0

    def backends(self) -> list[str]:
        """The dataset's own and the brought one, last."""
        return [name for name in super().backends() if name != self.own] + [self.own]

    def card(self, backend: str) -> Card:
        """The card beside the brought file, or the dataset's own."""
        if backend != self.own:
            return super().card(backend)
        card = read_card(self.file, self.own)
        return replace(card, backend=str(card.details.pop("backend", self.own)))

    def vectors(self, backend: str, positions: np.ndarray | None = None) -> np.ndarray:
        """As `Dataset.vectors`; rows of tracks without a brought vector are zeros."""
        if backend != self.own:
            return super().vectors(backend, positions)
        rows = self.rows if positions is None else self.rows[positions]
        stored = checks.open_vectors(self.file)
        vectors = np.asarray(stored[np.maximum(rows, 0)], dtype=np.float32)
        vectors[rows < 0] = 0
        return vectors

    def vector_digest(self, backend: str, digests: Digests) -> str:
        """That of the file, which it keeps when it is dropped into the dataset's folder."""
        if backend != self.own:
            return super().vector_digest(backend, digests)
        content = digests.of_file(self.file)
        straight = np.array_equal(self.rows, np.arange(len(self.rows)))
        return content if straight else of_values([content, self.rows.tolist()])

    def split(self, name: str | None = None) -> Split:
        """As `Dataset.split`, without the tracks that have no brought vector."""
        whole = super().split(name)
        return whole if self.covered.all() else restrict(whole, self.covered)

    def split_digest(self, name: str, digests: Digests) -> str:
        """As `Dataset.split_digest`, with the tracks that are left."""
        whole = super().split_digest(name, digests)
        if self.covered.all():
            return whole
        return of_values([whole, np.flatnonzero(self.covered).tolist()])


def restrict(split: Split, kept: np.ndarray) -> Split:
    """A split without the tracks that are not `kept` [n_tracks], and without users left empty."""
    users = np.unique(split.train.user[kept[split.train.track]])
    place = np.full(len(split.users), -1, dtype=np.int32)
    place[users] = np.arange(len(users), dtype=np.int32)

    def part(whole: Interactions) -> Interactions:
        chosen = kept[whole.track] & (place[whole.user] >= 0)
        columns = [getattr(whole, field.name)[chosen] for field in fields(Interactions)]
        return Interactions(place[columns[0]], *columns[1:])

    return Split(
        name=split.name,
        users=split.users[users],
        tracks=split.tracks,
        train=part(split.train),
        val=part(split.val),
        hot_test=part(split.hot_test),
        cold_test=part(split.cold_test),
        warm=split.warm[kept[split.warm]],
        cold=split.cold[kept[split.cold]],
        cold_val=part(split.cold_val) if split.cold_val is not None else None,
        artists=split.artists,
    )


def bring(dataset: Dataset, file: Path, ids: Path | None = None) -> WithVectors:
    """Set vectors beside a dataset's own. Raises `InputError` for what cannot be used."""
    stored = checks.open_vectors(file)
    if not np.ptp(stored, axis=0).any():
        raise InputError(f"{file}: all rows are equal, so that no order follows; save one a track")
    if ids is None:
        rows = _rows_by_position(dataset, file, len(stored))
    else:
        rows = _rows_by_id(dataset, file, len(stored), ids)
    own = vector_name(file)
    own = "brought" if own == "mfcc" else own
    base: dict[str, Any] = {field.name: getattr(dataset, field.name) for field in fields(dataset)}
    brought = WithVectors(**base, own=own, file=file, ids=ids, rows=rows)
    brought.card(own)  # refuses one that cannot be read
    return brought


def _rows_by_position(dataset: Dataset, file: Path, n_rows: int) -> np.ndarray:
    if dataset.vector_rows is not None:
        rows = np.where(dataset.vector_rows < n_rows, dataset.vector_rows, -1)
        if (rows < 0).all():
            raise InputError(f"{file}: has {n_rows} rows, none of them a track's; name --ids")
        return rows
    if n_rows != len(dataset.tracks):
        raise InputError(
            f"{file}: has {n_rows} rows for {len(dataset.tracks)} tracks; save one row a track in "
            "the order of tracks.parquet, or name the rows' tracks with --ids"
        )
    return np.arange(n_rows)


def _rows_by_id(dataset: Dataset, file: Path, n_rows: int, ids: Path) -> np.ndarray:
    named = _read_ids(ids)
    if len(named) != n_rows:
        raise InputError(
            f"{ids}: has {len(named)} ids for the {n_rows} rows of {file}; write one id a row"
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
    if empty.any():
        raise InputError(f"{ids}: row {empty.arg_true()[0]}: no track_id; write one a row")
    return named


@dataclass(frozen=True)
class Checks:
    """What was found in brought vectors, and what their owner should know of it."""

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


def check(dataset: WithVectors) -> Checks:
    """Coverage, rows of zeros, repeated rows and lengths; an oddity is a warning, not an error."""
    stored = np.asarray(checks.open_vectors(dataset.file), dtype=np.float32)
    norms = np.linalg.norm(stored.astype(np.float64), axis=1)
    zeros, repeated = np.flatnonzero(norms == 0), checks.repeated_rows(stored)
    repeated = np.setdiff1d(repeated, zeros)
    low, median, high = np.quantile(norms, [0.05, 0.5, 0.95])
    n_covered = int(dataset.covered.sum())
    n_unknown = len(stored) - n_covered if dataset.ids is not None else 0
    far = np.flatnonzero(norms > FAR * median)
    name = dataset.file
    found = []
    if n_covered < len(dataset.rows):
        at = int(np.argmin(dataset.covered))
        found.append(
            f"{len(dataset.rows) - n_covered} of {len(dataset.rows)} tracks have no vector, first "
            f"track_id {dataset.tracks['track_id'][at]}; they are left out for every system"
        )
    if n_unknown:
        found.append(f"{n_unknown} rows belong to tracks that the dataset does not have")
    if len(zeros):
        found.append(f"{len(zeros)} rows are all zeros, first row {zeros[0]}: they tell nothing")
    if len(repeated):
        found.append(
            f"{len(repeated)} rows repeat an earlier one, first row {repeated[0]}: such tracks "
            "cannot be told apart"
        )
    if len(far):
        found.append(
            f"{len(far)} rows are more than {FAR:.0f} times as long as the median one, first row "
            f"{far[0]}: they rule every mean that they are part of"
        )
    return Checks(
        n_rows=len(stored),
        width=stored.shape[1],
        n_tracks=len(dataset.rows),
        n_covered=n_covered,
        n_unknown=n_unknown,
        zeros=len(zeros),
        duplicates=len(repeated),
        norm_median=float(median),
        norm_low=float(low),
        norm_high=float(high),
        warnings=tuple(f"{name}: {text}" for text in found),
    )
