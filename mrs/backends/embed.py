"""Vectors of single files, without a dataset."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mrs.backends.audio import UnusableAudioError
from mrs.backends.base import Backend
from mrs.backends.extract import attempt, describe, load, refuse_unwritable, stopping
from mrs.backends.sources import read_clip
from mrs.backends.weights import require
from mrs.errors import InputError
from mrs.files import replacing, write_json


@dataclass(frozen=True, eq=False)
class Embedded:
    """Vectors or frames [n x d], how many rows of each file, and why the others have none."""

    rows: np.ndarray
    counts: dict[Path, int]
    skipped: dict[Path, UnusableAudioError]


def embed_files(
    backend: Backend,
    files: list[Path],
    out: Path,
    *,
    folder: Path | None = None,
    frames: bool = False,
) -> Embedded:
    """Write one vector per file to the .npy file `out`, in their order; a card beside it.

    With `frames` all time frames of all files, stacked. A file that cannot be used has no row;
    the card says which file has how many, and which were skipped. `folder` holds the weights where
    they are not where they are looked for. Raises `InputError` before anything is computed, where
    the model fails, or if no file can be used.
    """
    if out.is_dir() or out.suffix != ".npy":
        raise InputError(f"{out}: name a file that ends in .npy")
    refuse_unwritable(out.parent)
    place = require(backend, folder)
    model = load(backend, place)
    rows: list[np.ndarray] = []
    counts: dict[Path, int] = {}
    skipped: dict[Path, UnusableAudioError] = {}
    for path in files:
        try:
            with stopping(f"{path}: cannot be used"):
                waveform = read_clip(path, backend)
            found = attempt(model.frames if frames else model.embed, waveform, path)
        except UnusableAudioError as error:
            skipped[path] = error
            continue
        found = np.atleast_2d(found)
        rows.append(found)
        counts[path] = len(found)
    if not rows:
        path, why = next(iter(skipped.items()))
        raise InputError(f"{path}: {why.reason}: {why.detail}; none of the files can be used")
    stacked = np.concatenate(rows).astype(np.float32)
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.save(file, stacked, allow_pickle=False)
    card = describe(backend, place) | {
        "embedding_size": stacked.shape[1],
        "rows": "time frames" if frames else "one a file",
        "files": [{"file": str(path), "rows": n} for path, n in counts.items()],
        "skipped": [
            {"file": str(path), "reason": why.reason, "detail": why.detail}
            for path, why in skipped.items()
        ],
    }
    write_json(out.with_suffix(".json"), card)
    return Embedded(stacked, counts, skipped)
