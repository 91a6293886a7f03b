"""The run store: one folder a run, `<store>/<key>/run.json` and `users.parquet`.

A record is sealed: run.json holds under `record` its key, the sha256 of users.parquet and that of
what else it says. A record that does not match counts as missing, as one without a seal does, and
the next grid computes it again.
"""

import hashlib
import io
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.sealed import is_whole, sealed
from mrs.data.tables import read_parquet
from mrs.errors import InputError, StorageError, writing
from mrs.files import (
    Digests,
    remove_unfinished,
    replacing,
    scratch_folder,
    take_lock,
    values_digest,
)

SEAL = "record"  # what run.json has in addition to a record's information
UNSEALED = "it has no checksum"


@dataclass(frozen=True)
class Record:
    """One run's record.

    `info` is the content of run.json: the parameters, n_users, n_candidates, seconds, memory,
    convergence, provenance, versions, the command that repeats the run. `users` has one row per
    test user: user_id (for real users their row in the split, not an id), n_relevant, n_candidates,
    hit_ranks (ranks of the hits, from 1), one column per metric and list length ("ndcg@50") and one
    for its chance level ("chance:ndcg@50").
    """

    key: str
    folder: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """The content of run.json."""
        text = (self.folder / "run.json").read_text(encoding="utf-8")
        return {name: value for name, value in json.loads(text).items() if name != SEAL}

    @cached_property
    def users(self) -> pl.DataFrame:
        """The per-user scores, ordered by user."""
        return read_parquet(self.folder / "users.parquet")

    @property
    def metrics(self) -> list[str]:
        """The names of the metric columns, "hitrate@10" and so on."""
        return [c for c in self.users.columns if "@" in c and not c.startswith("chance:")]

    def values(self, metric: str) -> np.ndarray:
        """One metric's per-user values [U]."""
        return self.users[metric].to_numpy()

    def means(self, metrics: Sequence[str]) -> list[float]:
        """Means over users; of users.parquet these columns alone are read."""
        frame = read_parquet(self.folder / "users.parquet", list(metrics))
        return list(frame.mean().row(0)) if metrics else []

    def chance(self, metric: str) -> float:
        """The mean over users of the metric's expected value under a random ranking."""
        return float(self.users[f"chance:{metric}"].mean())  # type: ignore[arg-type]


def stacked(records: Sequence[Record], metrics: Sequence[str]) -> np.ndarray:
    """Per-user values of records over the same users [records x users x metrics]."""
    return np.stack([record.users.select(metrics).to_numpy() for record in records])


def damage(folder: Path) -> str | None:
    """What is wrong with a record's folder, None for a whole record."""
    for name in ("run.json", "users.parquet"):
        if not (folder / name).is_file():
            return f"{name} is missing"
    try:
        said = json.loads((folder / "run.json").read_bytes())
        seal = said.pop(SEAL, None)
    except (ValueError, AttributeError, TypeError):
        return "run.json is no JSON object"
    if not isinstance(seal, dict):
        return UNSEALED
    if seal.get("info") != values_digest(said):
        return "run.json does not match its checksum"
    if seal.get("key") != folder.name:
        return f"it is the record {seal.get('key')} under another name"
    if seal.get("users") != _sha256((folder / "users.parquet").read_bytes()):
        return "users.parquet does not match its checksum"
    return None


def _state(path: Path) -> tuple[int, ...]:
    """What changes when a file does, whatever the clock says."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Store:
    """A folder of records. A record is written under a temporary name and renamed."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder}: is a file; name a folder for the run store")
        self._checked: dict[str, tuple[list, str | None]] = {}

    @cached_property
    def digests(self) -> Digests:
        """The cache of input digests that lies in the store."""
        return Digests(self.folder / "digests.json")

    def has(self, key: str) -> bool:
        """Whether the record is there, whole.

        Checksums are compared on first use and when files have changed. A damaged record is named
        on stderr, once. Raises `InputError` where files cannot be read.
        """
        folder = self.folder / key
        try:
            state = [_state(path) for path in (folder, *sorted(folder.iterdir()))]
            if self._checked.get(key, (None, None))[0] != state:
                found = damage(folder)
                if found:
                    self._say(key, found)
                self._checked[key] = state, found
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be read ({error.strerror}); make it readable"
            ) from error
        return self._checked[key][1] is None

    def _say(self, key: str, found: str) -> None:
        """Name a damaged record; those of earlier versions, which had no checksums, in one line."""
        if found != UNSEALED:
            print(f"mrs: {self.folder / key}: {found}; counts as missing", file=sys.stderr)
        elif all(before != UNSEALED for _, before in self._checked.values()):
            print(
                f"mrs: {self.folder}: has records without a checksum, by an earlier version; they "
                "count as missing",
                file=sys.stderr,
            )

    def read(self, key: str) -> Record | None:
        """The record of a key, None where there is none."""
        return Record(key, self.folder / key) if self.has(key) else None

    def write(self, key: str, info: dict[str, Any], users: pl.DataFrame) -> Record:
        """Write a record; one that is there already and whole stays.

        Raises `StorageError` where the store cannot be written or the disk is full.
        """
        buffer = io.BytesIO()
        users.write_parquet(buffer)
        text = json.dumps(info, ensure_ascii=False)
        seal = {
            "key": key,
            "users": _sha256(buffer.getvalue()),
            "info": values_digest(json.loads(text)),
        }
        folder = self.folder / key
        with scratch_folder(folder) as temporary:
            (temporary / "users.parquet").write_bytes(buffer.getvalue())
            text = json.dumps(info | {SEAL: seal}, indent=1, ensure_ascii=False)
            (temporary / "run.json").write_text(text, encoding="utf-8")
            try:
                if folder.exists() and not self.has(key):
                    shutil.rmtree(folder)
                os.rename(temporary, folder)  # noqa: PTH104 - never replaces a full folder
            except OSError:
                if not self.has(key):
                    raise
        return Record(key, folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other grids out of the store, and remove what interrupted writes left behind.

        The lock ends with the process, whatever ends that. Raises `InputError` where another grid
        has it.
        """
        path = self.folder / ".lock"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
        with file:
            if not take_lock(file):
                file.seek(0)
                raise InputError(
                    f"{self.folder}: another grid is computing into it ({file.read().strip()}); "
                    "wait for its end or name another store"
                )
            # Without locks names never meet all the same, but runs may be computed twice.
            with writing(self.folder):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}")
                file.flush()
            for folder in (self.folder, self.folder / ".derived", self.folder / ".tuning"):
                remove_unfinished(folder)
            yield

    def derived(self, key: str, compute: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """A frame that takes time to compute from records, kept in the store for the next time.

        `key` hashes all that decides it. In a store that cannot be written nothing is kept.
        """
        path = self.folder / ".derived" / f"{key}.parquet"
        with suppress(OSError):
            if is_whole(path):
                return read_parquet(path)
        frame = compute()
        with suppress(StorageError), replacing(path) as temporary:
            temporary.write_bytes(sealed(frame))
        return frame

    def records(self) -> list[Record]:
        """All whole records, sorted by key; folders of another content are no records."""
        parts = [*self.folder.glob("[!.]*/run.json"), *self.folder.glob("[!.]*/users.parquet")]
        keys = sorted({path.parent.name for path in parts})
        return [record for record in map(self.read, keys) if record is not None]
