"""Where a dataset's audio comes from: files that `tracks.parquet` names, or generated sound."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soxr

from mrs.backends.audio import Reason, UnusableAudioError, decode, refuse_short
from mrs.backends.base import Backend
from mrs.data.dataset import Dataset, Renderer
from mrs.errors import InputError
from mrs.files import file_state

COLUMN = "audio"  # of tracks.parquet: a path, relative to the dataset's folder or absolute


@dataclass(frozen=True, eq=False)
class Files:
    """A dataset's tracks as audio files below its folder, None for a track without one."""

    folder: Path
    names: list[str | None]

    def name(self, position: int) -> str | None:
        """The file as tracks.parquet names it, None where there is none."""
        return self.names[position]

    def read(self, position: int, backend: Backend) -> np.ndarray:
        """What the backend hears of a track. Raises `UnusableAudioError`."""
        name = self.names[position]
        if not name:
            raise UnusableAudioError(Reason.MISSING, f"tracks.parquet names no {COLUMN} file")
        return read_clip(self.folder / name, backend)

    def state(self, position: int) -> Any:
        """What tells whether a track's audio is still the same."""
        name = self.names[position]
        try:
            return [name, file_state(self.folder / name) if name else None]
        except (OSError, ValueError):
            return [name, None]


@dataclass(frozen=True, eq=False)
class Rendered:
    """The sound of a generated world's tracks, as `Files` gives those of a folder."""

    renderer: Renderer = field(repr=False)

    def name(self, position: int) -> str | None:
        """None: there is no file."""
        return None

    def read(self, position: int, backend: Backend) -> np.ndarray:
        """What the backend hears of a track. Raises `UnusableAudioError`."""
        waveform, rate = self.renderer(position), self.renderer.sample_rate
        refuse_short(waveform, rate, backend.minimum_seconds)
        if backend.clip_seconds:
            waveform = waveform[: round(backend.clip_seconds * rate)]
        return soxr.resample(waveform, rate, backend.sample_rate, "HQ")

    def state(self, position: int) -> Any:
        """What tells whether the sound is still the same."""
        return self.renderer.version  # the world's parameters decide the rest


Source = Files | Rendered  # the audio of a dataset's tracks, by position


def read_clip(path: Path, backend: Backend) -> np.ndarray:
    """What a backend hears of a file. Raises `UnusableAudioError`."""
    return decode(
        path,
        backend.sample_rate,
        clip_seconds=backend.clip_seconds,
        minimum_seconds=backend.minimum_seconds,
    )


def source_of(dataset: Dataset) -> Source:
    """The audio of a dataset. Raises `InputError` where it has none."""
    path = dataset.folder / "tracks.parquet"
    if COLUMN in dataset.tracks.columns:
        if dataset.tracks.schema[COLUMN] != pl.String:
            raise InputError(
                f"{path}: column {COLUMN!r} holds {dataset.tracks.schema[COLUMN]}, not paths; "
                "write the audio files' names into it"
            )
        return Files(dataset.folder.resolve(), dataset.tracks[COLUMN].to_list())
    if dataset.renderer is not None:
        return Rendered(dataset.renderer)
    raise InputError(
        f"{path}: no column {COLUMN!r}; add one with each track's audio file, relative to "
        "the dataset's folder"
    )
