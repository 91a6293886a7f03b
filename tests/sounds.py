"""Small generated audio files, and backends that tests run on them."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import soundfile
from worlds import random_parts, write_own

from mrs.backends.base import Backend, Model
from mrs.models import Facts

FACTS = Facts("MIT", "none", "1", 0, "none", "none", "none", "tests")


def tone(seconds: float, hz: float = 440.0, rate: int = 16_000, gain: float = 0.5) -> np.ndarray:
    """A sine, float32 [n]."""
    return (gain * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def write_tone(path: Path, seconds: float, hz: float = 440.0, rate: int = 16_000) -> Path:
    """A sine as an audio file of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, hz, rate), rate)
    return path


def write_sounding(folder: Path, bad: dict[int, str] | None = None) -> list[str]:
    """A dataset folder whose 52 tracks are tones of a second; returns their names.

    `bad` maps rows to what is wrong there: "missing", "corrupt", "silent", "empty".
    """
    write_own(folder, random_parts())
    path = folder / "tracks.parquet"
    tracks = pl.read_parquet(path)
    names = [f"audio/Bjørk ñ {row}.wav" for row in range(len(tracks))]
    tracks.with_columns(audio=pl.Series(names)).write_parquet(path)
    for row, name in enumerate(names):
        wrong = (bad or {}).get(row)
        place = folder / name
        if wrong != "missing":
            write_tone(place, 1.0, 200.0 + 20 * row)
        if wrong in ("corrupt", "empty"):
            place.write_bytes(b"no sound" if wrong == "corrupt" else b"")
        if wrong == "silent":
            soundfile.write(place, np.zeros(16_000), 16_000)
    return names


class Counting(Model):
    """Frames of 100 samples: their mean, spread and peak."""

    def frames(self, waveform: np.ndarray) -> np.ndarray:
        rows = waveform[: len(waveform) // 100 * 100].reshape(-1, 100)
        return np.stack([rows.mean(1), rows.std(1), rows.max(1)], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Stub(Backend):
    """A backend without weights."""

    name: ClassVar[str] = "mule"  # stands where nothing else is
    label: ClassVar[str] = "Stub"
    embedding_size: ClassVar[int] = 3
    sample_rate: ClassVar[int] = 8_000
    card: ClassVar[Facts] = FACTS

    def load(self, folder: Path | None) -> Model:
        return Counting()


class SlowModel(Counting):
    """Takes its time, and notes every waveform in the file $MRS_TEST_LOG."""

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        time.sleep(0.05)
        with Path(os.environ["MRS_TEST_LOG"]).open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()}\n")
        return super().embed(waveform)


@dataclass(frozen=True)
class Slow(Stub):
    """A slow backend, which notes each load."""

    def load(self, folder: Path | None) -> Model:
        with Path(os.environ["MRS_TEST_LOG"] + ".loads").open("a", encoding="utf-8") as log:
            log.write(f"{os.getpid()}\n")
        return SlowModel()


def card_of(path: Path) -> dict:
    """The card beside a file of vectors."""
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
