"""Precomputed runs, packed into one parquet file that comes with the project.

Per user an archive keeps the ranks of the hits, the number of relevant tracks and the number of
candidates; every metric and its chance level follow from those when a record is read. Runs are
found by their identity, not by the content of their inputs, so that they are found on a machine
where vectors differ in their last digits. Only runs on generated worlds are archived. The file
carries the checksum of its bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from typing_extensions import override

from mrs.data.dataset import Dataset
from mrs.data.sealed import is_whole, sealed
from mrs.data.tables import parquet_metadata, read_parquet
from mrs.data.vectors import Card
from mrs.errors import InputError
from mrs.evaluation.metrics import Judged, chance, evaluate
from mrs.files import replacing, values_digest
from mrs.study.spec import METRICS, RunSpec, versions_of
from mrs.study.store import Record
from mrs.world.surrogates import HELDOUT_R2

USERS: dict[str, Any] = {
    "user_id": pl.List(pl.Int32),
    "n_relevant": pl.List(pl.UInt16),
    "n_candidates": pl.List(pl.UInt32),
    "hit_ranks": pl.List(pl.List(pl.UInt16)),
}
IDENTITY: dict[str, Any] = {
    "dataset": pl.String,
    "split": pl.String,
    "recommender": pl.String,
    "settings": pl.String,
    "backend": pl.String,
    "label": pl.String,
    "origin": pl.String,
    "embedding_size": pl.Int64,
    "rung": pl.Float64,
    "scenario": pl.String,
    "seed": pl.Int64,
    "shuffled": pl.Boolean,
    "protocol": pl.String,
    "k": pl.List(pl.Int64),
}
SCHEMA = pl.Schema({"asked": pl.String, "info": pl.String, **IDENTITY, **USERS})
LEFT_OUT = ("examples",)  # of run.json: long, and shown of the run's own record alone


def archived_name(spec: RunSpec) -> str:
    """A run's name in archives: a hash of its identity and of the versions that compute it."""
    return values_digest(spec.identity() | versions_of(spec.recommender))[:20]


@dataclass(frozen=True)
class ArchivedRecord(Record):
    """A run's record in an archive; hits are known up to its largest list length."""

    row: pl.DataFrame

    @override
    @cached_property
    def info(self) -> dict[str, Any]:
        """The content of run.json except the examples."""
        return json.loads(self.row["info"].item())

    @override
    @cached_property
    def users(self) -> pl.DataFrame:
        """The per-user scores, computed from the ranks of the hits."""
        k = self.info["k"]
        users = {name: self.row[name].item() for name in USERS}
        relevant, candidates = (
            users[name].to_numpy().astype(np.int64) for name in ("n_relevant", "n_candidates")
        )
        judged = Judged.from_ranks(users["hit_ranks"], relevant, candidates, max(k))
        by_chance = _chance(candidates.tobytes(), relevant.tobytes(), tuple(k))
        return pl.DataFrame(
            {
                "user_id": users["user_id"],
                "n_relevant": relevant.astype(np.int32),
                "n_candidates": candidates.astype(np.int32),
                "hit_ranks": users["hit_ranks"].cast(pl.List(pl.UInt32)),
            }
            | evaluate(judged, METRICS, k)
            | {f"chance:{name}": values for name, values in by_chance.items()}
        )

    @override
    def means(self, metrics: Sequence[str]) -> list[float]:
        return [float(self.values(metric).mean()) for metric in metrics]


@lru_cache(maxsize=8)
def _chance(candidates: bytes, relevant: bytes, k: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Chance levels, the same for all runs over the same users."""
    n_candidates, n_relevant = (np.frombuffer(p, dtype=np.int64) for p in (candidates, relevant))
    return chance(n_candidates, n_relevant, METRICS, k)


class Archive:
    """The runs of a parquet file that `pack` wrote. Raises `InputError` for another file.

    `about` says when, where, by which command and in how many seconds of fitting they were made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            whole = is_whole(self.path)
            if whole is False:
                raise ValueError
            self.about: dict[str, Any] = json.loads(parquet_metadata(self.path)["about"])
            self._runs = read_parquet(self.path, ["asked", *IDENTITY]).with_row_index("place")
            if whole is None and "sealed" in self.about:
                raise ValueError
        except (OSError, KeyError, ValueError, InputError) as error:
            raise InputError(
                f"{self.path}: is no archive of runs, or not as it was written; "
                "restore it or pack it"
            ) from error

    @property
    def runs(self) -> pl.DataFrame:
        """One row per run: its place, which `record` takes, and the columns of `IDENTITY`."""
        return self._runs.drop("asked")

    @cached_property
    def _places(self) -> dict[str, int]:
        return dict(zip(self._runs["asked"], self._runs["place"], strict=True))

    def place(self, spec: RunSpec, card: Card | None) -> int | None:
        """The row of a run on vectors of the card's origin, None where it is not here."""
        place = self._places.get(archived_name(spec))
        if place is not None and self._runs["origin"][place] == (card.origin if card else None):
            return place
        return None

    def read(self, spec: RunSpec, dataset: Dataset) -> Record | None:
        """The record of a run on vectors as the dataset has them, None where it is not here."""
        place = self.place(spec, dataset.card(spec.backend) if spec.backend else None)
        return None if place is None else self.record(place)

    def record(self, place: int) -> Record:
        """The record of a row of `runs`."""
        row = self._table[place]
        return ArchivedRecord(row["asked"].item(), self.path, row)

    def values(self, places: Sequence[int], metric: str) -> np.ndarray:
        """Per-user values of runs over the same users: [runs x U]."""
        return np.stack([self.record(place).values(metric) for place in places])

    @cached_property
    def _table(self) -> pl.DataFrame:
        return read_parquet(self.path, ["asked", "info", *USERS])


def open_archive(path: Path | None) -> Archive | None:
    """The archive at a path, None where no path is named or nothing is there."""
    return Archive(path) if path is not None and path.is_file() else None


def pack(
    runs: Sequence[tuple[RunSpec, Record, Dataset]], path: str | Path, *, command: str
) -> Archive:
    """Write runs on generated worlds into an archive at `path`; `command` makes them again.

    Raises `InputError` for runs on real listening: an archive is passed on with the project.
    """
    path = Path(path)
    rows = []
    for spec, record, dataset in runs:
        if not dataset.generated:
            raise InputError(f"{dataset.folder}: real listening is not archived; keep the store")
        rows.append(_row(spec, record, dataset))
    about = {
        "sealed": True,  # archives of before have no checksum
        "created": datetime.now(UTC).date().isoformat(),
        "machine": sorted({record.info["machine"] for _, record, _ in runs}),
        "versions": runs[0][1].info["versions"],
        "command": command,
        "n_runs": len(runs),
        "seconds": round(_seconds(runs), 1),
    }
    frame = pl.DataFrame(rows, schema=SCHEMA)
    content = sealed(
        frame,
        {"about": json.dumps(about)},
        compression="zstd",
        compression_level=15,
        data_page_size=16 << 20,  # users and candidates repeat from run to run
    )
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return Archive(path)


def _row(spec: RunSpec, record: Record, dataset: Dataset) -> dict[str, Any]:
    users, card = record.users, dataset.card(spec.backend) if spec.backend else None
    ranks = users["hit_ranks"].list.eval(pl.element().filter(pl.element() <= max(spec.k)))
    info = {name: value for name, value in record.info.items() if name not in LEFT_OUT}
    return spec.identity() | {
        "asked": archived_name(spec),
        "info": json.dumps(info, ensure_ascii=False),
        "settings": json.dumps(spec.settings),
        "label": card.label if card else None,
        "origin": card.origin if card else None,
        "embedding_size": card.embedding_size if card else None,
        "rung": card.details.get(HELDOUT_R2) if card else None,
        "k": list(spec.k),
        "user_id": users["user_id"].to_list(),
        "n_relevant": users["n_relevant"].to_list(),
        "n_candidates": users["n_candidates"].to_list(),
        "hit_ranks": ranks.to_list(),
    }


def _seconds(runs: Sequence[tuple[RunSpec, Record, Dataset]]) -> float:
    """Worker seconds: each fit once, however many runs share it."""
    fits = {(d.spec, spec.fit): record.info["seconds"]["fit"] for spec, record, d in runs}
    return sum(fits.values()) + sum(record.info["seconds"]["rank"] for _, record, _ in runs)
