"""Records of what vectors hold, kept in the run store: linear probes and the shape of their space.

A record is `<store>/mir/<key>.json`; its key hashes the vectors, the labels and the versions of
what computes it.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mrs.data.dataset import Dataset, open_dataset
from mrs.errors import InputError
from mrs.evaluation.mir import PROBE_VERSION, Score, artist_codes, probe, read_labels
from mrs.files import values_digest, write_atomically
from mrs.study.store import Store
from mrs_book.chapters.mir_space import SPACE_VERSION, Space, describe

FOLDER = "mir"


@dataclass(frozen=True)
class ProbeRecord:
    """A record: a backend's probe scores, and the numbers of its space."""

    key: str
    backend: str
    scores: tuple[Score, ...]
    space: Space
    seconds: float

    def score(self, task: str) -> Score | None:
        """The score of a label, None where the dataset does not have it."""
        return next((score for score in self.scores if score.task == task), None)


def probe_key(dataset: Dataset, backend: str, store: Store) -> str:
    """The key of a backend's record."""
    return values_digest(
        {
            "versions": [PROBE_VERSION, SPACE_VERSION],
            "vectors": dataset.vector_digest(backend, store.digests),
            "labels": _labels_digest(dataset),
        }
    )[:20]


@lru_cache(maxsize=1)
def _labels_digest(dataset: Dataset) -> str:
    total = hashlib.sha256()
    for label in read_labels(dataset.tracks):
        total.update(repr((label.task, label.names)).encode())
        total.update(label.values.tobytes() + label.known.tobytes())
    artists = artist_codes(dataset.tracks)
    total.update(b"" if artists is None else artists.tobytes())
    return total.hexdigest()


def probe_record(dataset: Dataset, backend: str, store: Store) -> ProbeRecord:
    """A backend's record, from the store or computed now. Raises `InputError`."""
    key = probe_key(dataset, backend, store)
    path = store.folder / FOLDER / f"{key}.json"
    if not path.is_file():
        values = _compute(dataset, backend)
        try:
            write_atomically(path, json.dumps(values, indent=1))
        except OSError as error:
            raise InputError(
                f"{path.parent}: cannot be written ({error.strerror}); choose another store"
            ) from error
    return _read(key, path)


def _compute(dataset: Dataset, backend: str) -> dict[str, Any]:
    vectors = dataset.vectors(backend)
    started = time.perf_counter()
    scores = probe(vectors, read_labels(dataset.tracks), artist_codes(dataset.tracks))
    return {
        "backend": backend,
        "dataset": dataset.name,
        "scores": [asdict(score) for score in scores],
        "space": asdict(describe(vectors)),
        "seconds": time.perf_counter() - started,
    }


def _read(key: str, path: Path) -> ProbeRecord:
    values = json.loads(path.read_text(encoding="utf-8"))
    space = values["space"] | {"map_variance": tuple(values["space"]["map_variance"])}
    scores = tuple(Score(**score) for score in values["scores"])
    return ProbeRecord(key, values["backend"], scores, Space(**space), values["seconds"])


def compute_probes(
    dataset: Dataset, backends: Sequence[str], store: Store, workers: int | None = None
) -> None:
    """Compute the records that the store lacks, in `workers` processes (default: one per core)."""
    lacking = [
        name
        for name in backends
        if not (store.folder / FOLDER / f"{probe_key(dataset, name, store)}.json").is_file()
    ]
    workers = min(workers or os.cpu_count() or 1, len(lacking))
    if workers < 2:
        for name in lacking:
            probe_record(dataset, name, store)
        return
    # The widest first, so that no worker is left with it at the end.
    lacking.sort(key=lambda name: -dataset.card(name).embedding_size)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(_work, dataset.spec, n, str(store.folder)) for n in lacking]:
            future.result()


def _work(spec: str, backend: str, store: str) -> None:
    probe_record(open_dataset(spec), backend, Store(store))
