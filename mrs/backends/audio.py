"""Audio files as the models hear them: one channel, one sample rate.

The rules, the same for every backend:

- Formats: whatever libsndfile reads (WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF ...), found by content.
- Clip: the first `clip_seconds` of a file, or all of it where that is 0; nothing behind is read.
- Channels are averaged, then the average is resampled once, by soxr at its high quality.
- Pad: nothing is ever padded, for a model would hear the padding. A file shorter than the backend
  needs is left out as too short, one shorter than the clip is heard as long as it is.
- Silent is a clip whose channels average to less than 1e-4 of full scale (-80 dB) everywhere.
- A file is corrupt if it cannot be decoded, holds values that are not finite, or lacks more than
  1 % of the length that its header promises.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import numpy as np
import soundfile
import soxr

SILENCE = 1e-4  # of full scale
BLOCK_SECONDS = 10  # decoded at a time, so that memory does not grow with channels and sample rate
MISSING_SHARE = 0.01  # of a clip's promised length, which compressed files often miss by a little


class Reason(StrEnum):
    """Why a file has no vector."""

    MISSING = "missing"
    DIRECTORY = "directory"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    CORRUPT = "corrupt"
    TOO_SHORT = "too short"
    SILENT = "silent"
    NO_VECTOR = "no vector"


class UnheardError(Exception):
    """A file that cannot be heard: a reason, and the detail in words."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def decode(
    path: Path, sample_rate: int, *, clip_seconds: float = 0.0, minimum_seconds: float = 0.0
) -> np.ndarray:
    """A file's clip as mono float32 [n] at `sample_rate` Hz, by the rules above.

    Raises `UnheardError`, and nothing else, for a file that cannot be heard.
    """
    _look_at(path)
    try:
        with _quiet(), soundfile.SoundFile(path) as file:
            waveform = _read(file, sample_rate, clip_seconds)
    except (soundfile.SoundFileError, TypeError, ValueError) as error:  # TypeError: headerless
        detail = " ".join(str(getattr(error, "error_string", error)).split())
        raise UnheardError(Reason.CORRUPT, f"cannot be decoded (libsndfile: {detail})") from error
    if not np.isfinite(waveform).all():
        raise UnheardError(Reason.CORRUPT, "holds values that are not finite")
    refuse_short(waveform, sample_rate, minimum_seconds)
    peak = float(np.abs(waveform).max())
    if peak < SILENCE:
        raise UnheardError(Reason.SILENT, f"peak {peak:.1g} of full scale in the mean channel")
    return waveform


def refuse_short(waveform: np.ndarray, sample_rate: int, minimum_seconds: float) -> None:
    """Raise `UnheardError` for a waveform that is shorter than a model needs, or empty."""
    seconds = len(waveform) / sample_rate
    if seconds < max(minimum_seconds, 1 / sample_rate):
        raise UnheardError(
            Reason.TOO_SHORT, f"{seconds:.3g} s; the model needs {minimum_seconds:.3g} s"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on stderr, where the MP3 decoder itself writes several lines a damaged file."""
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _look_at(path: Path) -> None:
    """Raise `UnheardError` for a path that is not a readable file with something in it."""
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise UnheardError(Reason.EMPTY, "the file has no bytes")
    except FileNotFoundError as error:
        raise UnheardError(Reason.MISSING, "no such file") from error
    except IsADirectoryError as error:
        raise UnheardError(Reason.DIRECTORY, "is a directory") from error
    except (OSError, ValueError) as error:
        detail = getattr(error, "strerror", None) or str(error)
        raise UnheardError(Reason.UNREADABLE, detail) from error


def _read(file: soundfile.SoundFile, sample_rate: int, clip_seconds: float) -> np.ndarray:
    """The clip's mean channel, resampled as it is read."""
    wanted = round(clip_seconds * file.samplerate) if clip_seconds else file.frames
    wanted = min(wanted, file.frames)
    resampler = soxr.ResampleStream(file.samplerate, sample_rate, 1, "float32", "HQ")
    block, parts, n_read = BLOCK_SECONDS * file.samplerate, [], 0
    while n_read < wanted:
        samples = file.read(min(block, wanted - n_read), dtype="float32", always_2d=True)
        if not len(samples):
            break
        n_read += len(samples)
        parts.append(resampler.resample_chunk(samples.mean(axis=1, dtype=np.float32)))
    if wanted - n_read > MISSING_SHARE * wanted:
        raise UnheardError(
            Reason.CORRUPT,
            f"ends after {n_read / file.samplerate:.4g} of {wanted / file.samplerate:.4g} s",
        )
    parts.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(parts)
