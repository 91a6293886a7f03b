"""The run store: one folder a run, `<store>/<key>/run.json` and `users.parquet`."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.digests import Digests, replacing
from mrs.data.tables import read_parquet
from mrs.errors import InputError


@dataclass(frozen=True)
class Record:
    """One run's record.

    `info` is run.json: the parameters, n_users, n_candidates, seconds, memory, convergence,
    provenance, versions, the command that makes it again. `users` has a row a test user:
    user_id (of real listeners their row in the split, no id), n_relevant, n_candidates, hit_ranks
    (ranks of the hits, from 1), a column a metric and list length ("ndcg@50") and its chance level
    ("chance:ndcg@50").
    """

    key: str
    folder: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """What run.json holds."""
        return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))

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


class Store:
    """A folder of records. A record is written under a temporary name and renamed."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder}: is a file; name a folder for the run store")

    @cached_property
    def digests(self) -> Digests:
        """The cache of input digests that lies in the store."""
        return Digests(self.folder / "digests.json")

    def has(self, key: str) -> bool:
        """Whether the record is there, whole."""
        folder = self.folder / key
        return (folder / "run.json").is_file() and (folder / "users.parquet").is_file()

    def read(self, key: str) -> Record | None:
        """The record of a key, None where there is none."""
        return Record(key, self.folder / key) if self.has(key) else None

    def write(self, key: str, info: dict[str, Any], users: pl.DataFrame) -> Record:
        """Write a record; one that is there already stays."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        except OSError as error:
            raise InputError(
                f"{self.folder}: cannot be written ({error.strerror}); choose another store"
            ) from error
        try:
            users.write_parquet(temporary / "users.parquet")
            text = json.dumps(info, indent=1, ensure_ascii=False)
            (temporary / "run.json").write_text(text, encoding="utf-8")
            temporary.chmod(0o755)
            if (self.folder / key).exists() and not self.has(key):
                shutil.rmtree(self.folder / key)
            os.rename(temporary, self.folder / key)  # noqa: PTH104 - never replaces a full folder
        except OSError:
            if not self.has(key):
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return Record(key, self.folder / key)

    def derived(self, key: str, compute: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """A frame that takes time to compute from records, kept in the store for the next time.

        `key` hashes all that decides it. In a store that cannot be written nothing is kept.
        """
        path = self.folder / ".derived" / f"{key}.parquet"
        with suppress(InputError):
            return read_parquet(path)
        frame = compute()
        with suppress(OSError), replacing(path) as temporary:
            frame.write_parquet(temporary)
        return frame

    def sweep(self) -> None:
        """Remove what interrupted writes left behind. Only for when nobody writes."""
        for leftover in self.folder.glob(".new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for unfinished in self.folder.glob(".derived/.new-*"):
            unfinished.unlink(missing_ok=True)

    def records(self) -> list[Record]:
        """All whole records, sorted by key."""
        keys = sorted(path.name for path in self.folder.glob("[!.]*"))
        return [record for record in map(self.read, keys) if record is not None]
