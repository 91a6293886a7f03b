"""A dataset's vectors from its audio: in shards, over worker processes, continued where it ended.

Vectors go to `embeddings/NAME.npy` of the dataset's folder, beside them the card (`NAME.json`) and
the list of skipped tracks (`NAME.skipped.csv`). Until all shards are there they lie in
`embeddings/.NAME.parts`, each renamed into place when it is whole and named by a digest of all that
decides its content: what is killed continues, what has changed is computed again.

Only properties of a track's audio (see `mrs.backends.audio`) and an unusable vector are reasons
to skip it. Any other failure, of the model, the machine or a permission, ends the command with a
line, and nothing is kept of the tracks that it met.

The row of a track that could not be used is a copy of another track's, see
`mrs.data.filled_rows`.
"""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.backends import weights
from mrs.backends.audio import Reason, UnusableAudioError
from mrs.backends.base import Backend, Model
from mrs.backends.sources import Source, source_of
from mrs.data import filled_rows
from mrs.data.checks import read_object
from mrs.data.dataset import Dataset, open_dataset
from mrs.data.filled_rows import Filled
from mrs.data.tables import read_csv
from mrs.errors import InputError, writing
from mrs.files import (
    Digests,
    remove_unfinished,
    replacing,
    take_lock,
    values_digest,
    write_json,
)
from mrs.workers import run_on_workers

LARGEST_SHARD, FEWEST_SHARDS = 32, 64  # a shard's tracks are what a kill can cost each worker
BATCH_SECONDS = 240  # of audio in memory at a time
Skip = tuple[int, str, str]  # position, reason, detail
LIBRARIES = ("numpy", "torch", "librosa", "soundfile", "soxr", "transformers")


@dataclass(frozen=True)
class Shard:
    """Tracks from `start` to `stop` (exclusive), and the file that their vectors go to."""

    start: int
    stop: int
    path: Path


def extract(
    dataset: Dataset, backend: Backend, folder: Path | None = None, workers: int | None = None
) -> Filled:
    """Compute a dataset's vectors from its audio and write them into its folder.

    `folder` holds the weights where they are not where they are looked for; `workers` processes
    (default: one per core, or one where there is a GPU) load the model once each. Memory does not
    grow with the number of tracks. Raises `InputError` before anything is computed, or if shards
    failed; the others are kept.
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
    full = inputs | {"audio": values_digest([dataset.info.get("parameters"), states])}
    finished = _finished(path, full, dataset)
    if finished is not None:
        return finished
    refuse_unwritable(target)
    remove_unfinished(target)
    parts = target / f".{backend.name}.parts"
    with _alone(parts):
        finished = _finished(path, full, dataset)  # by another command, just now
        if finished is None:
            shards = list(
                _shards(parts, inputs | {"world": dataset.info.get("parameters")}, states)
            )
            missing = [shard for shard in shards if not zipfile.is_zipfile(shard.path)]
            if missing:
                _compute(missing, dataset.spec, backend, place, workers)
            finished = _finish(dataset, source, shards, backend, place, full)
        shutil.rmtree(parts, ignore_errors=True)
    return finished


def refuse_unwritable(folder: Path) -> None:
    """Make a folder and see that a file can be written there. Raises `InputError`."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


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


@contextmanager
def stopping(what: str) -> Iterator[None]:
    """Turn any failure but `InputError` and `UnusableAudioError` into one about `what`."""
    try:
        yield
    except (InputError, UnusableAudioError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
        raise InputError(
            f"{what} ({reason}); nothing is kept of it: mend that and run the command again"
        ) from error


def attempt(
    model: Callable[[np.ndarray], np.ndarray], waveform: np.ndarray, name: object
) -> np.ndarray:
    """What a model gives for the waveform of the track or file `name`.

    Raises `UnusableAudioError` where that is of no use, and `InputError` where the model fails.
    """
    with stopping(f"{name}: the model failed"):
        found = model(waveform)
    if not _of_use(found):
        said = "the model gave zeros or values that are not finite"
        raise UnusableAudioError(Reason.NO_VECTOR, said)
    return found


def load(backend: Backend, place: Path) -> Model:
    """The model with its weights from `place`. Raises `InputError`."""
    with stopping(f"{backend.label}: cannot be loaded"):
        return backend.load(place)


def _of_use(found: np.ndarray) -> bool:
    return bool(np.isfinite(found).all() and found.any())


def _refuse_overwriting(dataset: Dataset, backend: Backend) -> None:
    """A user's own vectors are not to be replaced by computed ones."""
    if backend.name in dataset.backends() and dataset.card(backend.name).origin == "file":
        path = dataset.folder / "embeddings" / f"{backend.name}.npy"
        raise InputError(
            f"{path}: is not computed from audio here; move it away to compute it anew"
        )


def _inputs(backend: Backend, place: Path) -> dict[str, Any]:
    """What decides the vectors but the audio, for keys and for continuing."""
    return {
        "backend": backend.name,
        "version": backend.version,
        "settings": backend.settings(),
        "weights": weights.digests(backend, place),
    }


def _finished(path: Path, inputs: dict[str, Any], dataset: Dataset) -> Filled | None:
    """An earlier extraction with the same inputs, if it is there and untouched."""
    try:
        details = read_object(path.with_suffix(".json"))
        skipped = read_csv(filled_rows.report_file(path))
    except InputError:
        return None  # damaged, or none
    same = path.is_file() and details.get("inputs") == json.loads(json.dumps(inputs))
    if not same or details.get("sha256") != Digests().of_file(path):
        return None
    return Filled(path, len(dataset.tracks), skipped)


@contextmanager
def _alone(parts: Path) -> Iterator[None]:
    """The folder `parts` for this command alone. The lock ends with the process.

    Raises `InputError` where another extraction has it.
    """
    while True:
        with writing(parts):
            parts.mkdir(parents=True, exist_ok=True)
            folder = os.open(parts, os.O_RDONLY)
        try:
            if not take_lock(folder):
                raise InputError(
                    f"{parts}: another command is computing these vectors; wait for its end and "
                    "run this one again"
                )
            if parts.is_dir() and parts.stat().st_ino == os.fstat(folder).st_ino:
                yield
                return
        finally:
            os.close(folder)  # the folder was removed by the command that had it: again


def shard_size(n_tracks: int) -> int:
    """Tracks of a shard: fewer in small datasets, so that workers have equal shares."""
    return max(1, min(LARGEST_SHARD, n_tracks // FEWEST_SHARDS))


def _shards(parts: Path, inputs: dict[str, Any], states: list[Any]) -> Iterator[Shard]:
    size = shard_size(len(states))
    for start in range(0, len(states), size):
        chunk = states[start : start + size]
        digest = values_digest([inputs, start, chunk])[:16]
        yield Shard(start, start + len(chunk), parts / f"{start:08d}-{digest}.npz")


def _compute(
    shards: list[Shard],
    spec: str,
    backend: Backend,
    place: Path,
    workers: int | None,
) -> None:
    """Compute shards on workers. Raises `InputError` if one failed."""
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
        raise InputError(
            f"{failures[0]} ({len(failures)} of {len(shards)} shards failed; the others are kept, "
            "and the same command continues)"
        )


def _has_gpu() -> bool:
    with stopping("torch: cannot be loaded"):
        import torch
    return torch.cuda.is_available()


@lru_cache(maxsize=1)
def _source(spec: str) -> Source:
    """The dataset's audio, opened once a worker."""
    with stopping(f"{spec}: cannot be opened"):
        return source_of(open_dataset(spec))


@lru_cache(maxsize=1)
def _model(backend: Backend, place: Path) -> Model:
    """The model, loaded once a worker."""
    return load(backend, place)


def compute_shard(shard: Shard, spec: str, backend: Backend, place: Path) -> None:
    """Hear a shard's tracks and write what came of it: vectors, their positions, the skipped.

    `spec` opens the dataset, `place` holds the weights. Where a batch fails, for want of memory
    perhaps, its tracks are tried one by one. Raises `InputError` where one of them fails too.
    """
    source, model = _source(spec), _model(backend, place)
    rows: list[np.ndarray] = []
    positions: list[int] = []
    skipped: list[Skip] = []
    for batch in _batches(shard, backend, source, skipped):
        try:
            found = model.embed_batch(list(batch.values()))
        except Exception:
            found = None
        for i, (position, waveform) in enumerate(batch.items()):
            try:
                if found is not None and _of_use(found[i]):
                    rows.append(found[i])
                else:
                    rows.append(attempt(model.embed, waveform, _name(source, position)))
                positions.append(position)
            except UnusableAudioError as error:
                skipped.append((position, error.reason, error.detail))
    with replacing(shard.path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            allow_pickle=False,
            vectors=np.array(rows, np.float32) if rows else np.zeros((0, 0), np.float32),
            positions=np.array(positions, np.int64),
            skipped=np.array(json.dumps(sorted(skipped))),
        )
        file.flush()
        os.fsync(file.fileno())


def _name(source: Source, position: int) -> str:
    return source.name(position) or f"track {position}"


def _batches(
    shard: Shard, backend: Backend, source: Source, skipped: list[Skip]
) -> Iterator[dict[int, np.ndarray]]:
    """A shard's waveforms by position, some `BATCH_SECONDS` at a time; adds to `skipped`."""
    batch: dict[int, np.ndarray] = {}
    n_samples = 0
    for position in range(shard.start, shard.stop):
        try:
            with stopping(f"{_name(source, position)}: cannot be used"):
                batch[position] = source.read(position, backend)
        except UnusableAudioError as error:
            skipped.append((position, error.reason, error.detail))
            continue
        n_samples += len(batch[position])
        if n_samples >= BATCH_SECONDS * backend.sample_rate:
            yield batch
            batch, n_samples = {}, 0
    if batch:
        yield batch


@contextmanager
def _stored(shard: Shard) -> Iterator[Any]:
    """The arrays of a shard. Raises `InputError` for a damaged one, and removes it."""
    try:
        with np.load(shard.path, allow_pickle=False) as stored:
            yield stored
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        shard.path.unlink()
        raise InputError(
            f"{shard.path}: was damaged ({error}) and is removed; run the command again"
        ) from error


def _finish(
    dataset: Dataset,
    source: Source,
    shards: list[Shard],
    backend: Backend,
    place: Path,
    inputs: dict[str, Any],
) -> Filled:
    """Put the shards together to the dataset's vectors, with their card and report."""
    path = dataset.folder / "embeddings" / f"{backend.name}.npy"
    usable: list[int] = []
    skipped: list[Skip] = []
    width = 0
    for shard in shards:
        with _stored(shard) as stored:
            usable += stored["positions"].tolist()
            skipped += [tuple(entry) for entry in json.loads(str(stored["skipped"]))]
            width = max(width, stored["vectors"].shape[1])
    if not usable:
        row, reason, detail = skipped[0]
        raise InputError(
            f"{dataset.folder}: none of the {len(dataset.tracks)} tracks can be used; the first, "
            f"{source.name(row) or 'without a file'}, is {reason}: {detail}"
        )
    drawn = filled_rows.draw(usable, [row for row, _, _ in skipped])
    done = Filled(path, len(dataset.tracks), _listed(dataset, source, skipped, drawn))
    with replacing(path) as part:  # renamed last: from then on the dataset has these vectors
        _write_vectors(part, shards, width, drawn)
        done.write_report()
        card = describe(backend, place) | {
            "embedding_size": width,
            "skipped": done.on_card(),
            "inputs": inputs,
            "sha256": Digests().of_file(part),
        }
        write_json(path.with_suffix(".json"), card)
    return done


def _listed(
    dataset: Dataset, source: Source, skipped: list[Skip], drawn: dict[int, int]
) -> pl.DataFrame:
    """The skipped tracks as `Filled` has them."""
    schema = {"row": pl.Int64, "reason": pl.String, "detail": pl.String}
    frame = pl.DataFrame(skipped, schema=schema, orient="row")
    names = [source.name(row) for row in drawn]
    return frame.select(
        "row",
        dataset.tracks["track_id"][list(drawn)],
        pl.Series("audio", names, dtype=pl.String),
        "reason",
        "detail",
        pl.Series("stand_in", list(drawn.values()), dtype=pl.Int64),
    )


def _write_vectors(part: Path, shards: list[Shard], width: int, drawn: dict[int, int]) -> None:
    """Write the shards' vectors as a .npy file, one shard in memory at a time."""
    with part.open("wb+") as file:
        rows = filled_rows.RowFile(file, shards[-1].stop, width)
        for shard in shards:
            block = np.zeros((shard.stop - shard.start, width), np.float32)
            with _stored(shard) as stored:
                if len(stored["positions"]):
                    block[stored["positions"] - shard.start] = stored["vectors"]
            rows.write(shard.start, block)
        rows.fill(drawn)
