"""A dataset's vectors from its audio: in shards, over worker processes, continued where it ended.

Vectors go to `embeddings/NAME.npy` of the dataset's folder, beside them the card (`NAME.json`) and
the list of skipped tracks (`NAME.skipped.csv`). Until all shards are there they lie in
`embeddings/.NAME.parts`, each renamed into place when it is whole and named by a digest of all that
decides its content: what is killed continues, what has changed is computed again.

The row of a track that could not be heard is a copy of another track's, see
`mrs.data.stand_ins`.
"""

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.backends import weights
from mrs.backends.audio import Reason, UnheardError
from mrs.backends.base import Backend, Model
from mrs.backends.sources import Source, source_of
from mrs.data import stand_ins
from mrs.data.dataset import Dataset, open_dataset
from mrs.data.digests import Digests, of_values, write_atomically
from mrs.data.tables import read_csv
from mrs.errors import InputError
from mrs.workers import run_on_workers

LARGEST_SHARD, FEWEST_SHARDS = 32, 64  # a shard's tracks are what a kill can cost each worker
BATCH_SECONDS = 240  # of audio in memory at a time
STOPS = (InputError, MemoryError)  # of a model: not the fault of a single track
Skip = tuple[int, str, str]  # position, reason, detail
LIBRARIES = ("numpy", "torch", "librosa", "soundfile", "soxr", "transformers")


@dataclass(frozen=True)
class Shard:
    """Tracks from `start` to `stop` (exclusive), and the file that their vectors go to."""

    start: int
    stop: int
    path: Path


@dataclass(frozen=True)
class Extracted:
    """What an extraction gave: the file of vectors, of how many tracks, the skipped ones.

    `skipped` has a row a skipped track: row, track_id, audio, reason, detail, stand_in (a row).
    """

    path: Path
    n_tracks: int
    skipped: pl.DataFrame

    def reasons(self) -> str:
        """The reasons of the skipped tracks with their numbers, the most frequent first."""
        counts = Counter(self.skipped["reason"].to_list())
        return ", ".join(f"{reason} {n}" for reason, n in counts.most_common())


def extract(
    dataset: Dataset, backend: Backend, folder: Path | None = None, workers: int | None = None
) -> Extracted:
    """Compute a dataset's vectors from its audio and write them into its folder.

    `folder` holds the weights where they are not where they are looked for; `workers` processes
    (default: one a core, or one where there is a GPU) load the model once each. Memory does not
    grow with the number of tracks. Raises `InputError` before anything is computed, and
    `RuntimeError` if shards failed; the others are kept.
    """
    if workers is not None and workers < 1:
        raise InputError(f"workers {workers}: must be 1 or more")
    target = dataset.folder / "embeddings"
    source = source_of(dataset)
    _refuse_overwriting(dataset, backend)
    place = weights.require(backend, folder)
    inputs = _inputs(backend, place)
    states = [source.state(position) for position in range(len(dataset.tracks))]
    path = target / f"{backend.name}.npy"
    full = inputs | {"audio": of_values([dataset.info.get("parameters"), states])}
    finished = _finished(path, full, dataset)
    if finished is not None:
        return finished
    refuse_unwritable(target)
    parts = target / f".{backend.name}.parts"
    parts.mkdir(exist_ok=True)
    shards = list(_shards(parts, inputs | {"world": dataset.info.get("parameters")}, states))
    missing = [shard for shard in shards if not shard.path.is_file()]
    if missing:
        _compute(missing, dataset.spec, backend, place, workers)
    extracted = _assemble(dataset, source, shards, path)
    _write_card(backend, place, full, extracted)
    _part(path).replace(path)  # last: from here on the dataset has these vectors
    shutil.rmtree(parts)
    return extracted


def refuse_unwritable(folder: Path) -> None:
    """Make a folder and see that a file can be written there. Raises `InputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror}); choose another place or mend its "
            "permissions"
        ) from error


def describe(backend: Backend, folder: Path) -> dict[str, Any]:
    """What a card says of a backend and how it was read; `folder` holds its weights."""
    return {
        "backend": backend.name,
        "origin": "audio",
        "embedding_size": backend.embedding_size,
        "created_by": f"mrs {version('mrs')}",
        "model": backend.card.source,
        "revision": backend.card.revision,
        "weights": weights.digests(backend, folder),
        "weights_licence": backend.card.weights_licence,
        "sample_rate": backend.sample_rate,
        "layer": backend.layer,
        "pooling": backend.pooling,
        "settings": backend.settings(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def attempt(model: Callable[[np.ndarray], np.ndarray], waveform: np.ndarray) -> np.ndarray:
    """What a model gives for a waveform. Raises `UnheardError` if that is nothing of use."""
    try:
        found = model(waveform)
    except STOPS:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UnheardError(Reason.NO_VECTOR, f"the model failed: {reason}") from error
    if not _of_use(found):
        raise UnheardError(Reason.NO_VECTOR, "the model gave zeros or values that are not finite")
    return found


def _of_use(found: np.ndarray) -> bool:
    return bool(np.isfinite(found).all() and found.any())


def _refuse_overwriting(dataset: Dataset, backend: Backend) -> None:
    """Vectors that the user brought are not to be replaced by computed ones."""
    if backend.name in dataset.backends() and dataset.card(backend.name).origin == "file":
        path = dataset.folder / "embeddings" / f"{backend.name}.npy"
        raise InputError(f"{path}: was brought here, not computed; move it away to compute it anew")


def _inputs(backend: Backend, place: Path) -> dict[str, Any]:
    """What decides the vectors but the audio, for keys and for continuing."""
    return {
        "backend": backend.name,
        "version": backend.version,
        "settings": backend.settings(),
        "weights": weights.digests(backend, place),
    }


def _finished(path: Path, inputs: dict[str, Any], dataset: Dataset) -> Extracted | None:
    """An earlier extraction with the same inputs, if it is there and untouched."""
    card, report = path.with_suffix(".json"), stand_ins.report_file(path)
    if not (path.is_file() and card.is_file() and report.is_file()):
        return None
    details = json.loads(card.read_text(encoding="utf-8"))
    if details.get("inputs") != json.loads(json.dumps(inputs)):
        return None
    if details.get("sha256") != Digests().of_file(path):
        return None
    return Extracted(path, len(dataset.tracks), read_csv(report))


def shard_size(n_tracks: int) -> int:
    """Tracks of a shard: fewer in small datasets, so that workers have equal shares."""
    return max(1, min(LARGEST_SHARD, n_tracks // FEWEST_SHARDS))


def _shards(parts: Path, inputs: dict[str, Any], states: list[Any]) -> Iterator[Shard]:
    size = shard_size(len(states))
    for start in range(0, len(states), size):
        chunk = states[start : start + size]
        digest = of_values([inputs, start, chunk])[:16]
        yield Shard(start, start + len(chunk), parts / f"{start:08d}-{digest}.npz")


def _compute(
    shards: list[Shard],
    spec: str,
    backend: Backend,
    place: Path,
    workers: int | None,
) -> None:
    """Compute shards on workers. Raises `RuntimeError` if one failed."""
    cores = os.cpu_count() or 1
    wanted = min(workers or (1 if _has_gpu() else cores), len(shards))
    failures = list(
        run_on_workers(
            compute_shard,
            shards,
            workers=wanted,
            threads=max(1, cores // wanted),
            title=f"{backend.label}: {sum(s.stop - s.start for s in shards)} tracks",
            spec=spec,
            backend=backend,
            place=place,
        )
    )
    if failures:
        raise RuntimeError(
            f"{len(failures)} of {len(shards)} shards failed, the others are kept and the same "
            f"command continues; the first: {failures[0]}"
        )


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@lru_cache(maxsize=1)
def _source(spec: str) -> Source:
    """The dataset's audio, opened once a worker."""
    return source_of(open_dataset(spec))


@lru_cache(maxsize=1)
def _model(backend: Backend, place: Path) -> Model:
    """The model, loaded once a worker."""
    return backend.load(place)


def compute_shard(shard: Shard, spec: str, backend: Backend, place: Path) -> None:
    """Hear a shard's tracks and write what came of it: vectors, their positions, the skipped.

    `spec` opens the dataset, `place` holds the weights. Where a batch fails, its tracks are tried
    one by one, so that one that the model cannot take does not cost the others theirs.
    """
    source, model = _source(spec), _model(backend, place)
    rows: list[np.ndarray] = []
    positions: list[int] = []
    skipped: list[Skip] = []
    for batch in _batches(shard, backend, source, skipped):
        try:
            found = model.embed_batch(list(batch.values()))
        except STOPS:
            raise
        except Exception:
            found = None
        for i, (position, waveform) in enumerate(batch.items()):
            try:
                if found is not None and _of_use(found[i]):
                    rows.append(found[i])
                else:
                    rows.append(attempt(model.embed, waveform))
                positions.append(position)
            except UnheardError as error:
                skipped.append((position, error.reason, error.detail))
    with tempfile.NamedTemporaryFile(
        dir=shard.path.parent, prefix=shard.path.stem, suffix=".part", delete=False
    ) as file:
        np.savez(
            file,
            allow_pickle=False,
            vectors=np.array(rows, np.float32) if rows else np.zeros((0, 0), np.float32),
            positions=np.array(positions, np.int64),
            skipped=np.array(json.dumps(sorted(skipped))),
        )
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(shard.path)


def _batches(
    shard: Shard, backend: Backend, source: Source, skipped: list[Skip]
) -> Iterator[dict[int, np.ndarray]]:
    """A shard's waveforms by position, some `BATCH_SECONDS` at a time; adds to `skipped`."""
    batch: dict[int, np.ndarray] = {}
    n_samples = 0
    for position in range(shard.start, shard.stop):
        try:
            batch[position] = source.read(position, backend)
        except UnheardError as error:
            skipped.append((position, error.reason, error.detail))
            continue
        n_samples += len(batch[position])
        if n_samples >= BATCH_SECONDS * backend.sample_rate:
            yield batch
            batch, n_samples = {}, 0
    if batch:
        yield batch


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _assemble(dataset: Dataset, source: Source, shards: list[Shard], path: Path) -> Extracted:
    """Write all shards' vectors to a temporary file beside `path`, and the list of the skipped."""
    n, width = len(dataset.tracks), 0
    heard: list[int] = []
    skipped: list[Skip] = []
    for shard in shards:
        with np.load(shard.path, allow_pickle=False) as stored:
            heard += stored["positions"].tolist()
            skipped += [tuple(entry) for entry in json.loads(str(stored["skipped"]))]
            width = max(width, stored["vectors"].shape[1])
    if not heard:
        row, reason, detail = skipped[0]
        raise InputError(
            f"{dataset.folder}: none of the {n} tracks can be heard; the first, "
            f"{source.name(row) or 'without a file'}, is {reason}: {detail}"
        )
    rows = [row for row, _, _ in skipped]
    drawn = stand_ins.draw(heard, rows)
    _write_vectors(_part(path), shards, width, drawn)
    columns = {
        "row": pl.Series(rows, dtype=pl.Int64),
        "track_id": dataset.tracks["track_id"][rows],
        "audio": pl.Series([source.name(row) for row in rows], dtype=pl.String),
        "reason": pl.Series([reason for _, reason, _ in skipped], dtype=pl.String),
        "detail": pl.Series([detail for _, _, detail in skipped], dtype=pl.String),
        "stand_in": pl.Series(drawn.values(), dtype=pl.Int64),
    }
    frame = pl.DataFrame(columns)
    write_atomically(stand_ins.report_file(path), frame.write_csv())
    return Extracted(path, n, frame)


def _write_vectors(part: Path, shards: list[Shard], width: int, drawn: dict[int, int]) -> None:
    """Write the shards' vectors as a .npy file, one shard in memory at a time."""
    with part.open("wb+") as file:
        rows = stand_ins.RowFile(file, shards[-1].stop, width)
        for shard in shards:
            block = np.zeros((shard.stop - shard.start, width), np.float32)
            with np.load(shard.path, allow_pickle=False) as stored:
                if len(stored["positions"]):
                    block[stored["positions"] - shard.start] = stored["vectors"]
            rows.write(shard.start, block)
        rows.fill(drawn)


def _write_card(
    backend: Backend, place: Path, inputs: dict[str, Any], extracted: Extracted
) -> None:
    part = _part(extracted.path)
    width = np.load(part, mmap_mode="r").shape[1]
    card = describe(backend, place) | {
        "embedding_size": width,
        "skipped": stand_ins.on_card(extracted.path, extracted.skipped),
        "inputs": inputs,
        "sha256": Digests().of_file(part),
    }
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    write_atomically(extracted.path.with_suffix(".json"), text)
