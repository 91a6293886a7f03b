"""Audio files as the models hear them: one channel, one sample rate.

The rules, the same for every backend:

- Formats: whatever libsndfile reads (WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF ...), found by content.
- Length: what can be decoded, whatever a header states; recordings that were joined into one file
  follow one another (see `mrs.backends.containers`). Nothing is ever sought: after a
  seek libsndfile's MP3 decoder lacks what earlier frames held for the next, some 50 ms of sound.
- Clip: the first `clip_seconds` of a file, or all of it where that is 0; nothing behind is decoded.
- Channels are averaged, then the average is resampled once, by soxr at its high quality.
- Pad: nothing is ever padded, for a model would hear the padding. A file shorter than the backend
  needs is left out as too short, one shorter than the clip is heard as long as it is.
- Silent is a clip whose channels average to less than 1e-4 of full scale (-80 dB) everywhere.
- A file is corrupt if it cannot be decoded, holds values that are not finite, states a sample
  rate that no recording has, or lacks more than 1 % of the length that its header promises.
- Only these are properties of a file. What keeps a file from being read (permissions, a disk that
  fails, too many open files) is an `InputError`.
"""

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile
import soxr

from mrs.backends.containers import Piece, pieces
from mrs.errors import InputError

SILENCE = 1e-4  # of full scale
BLOCK_SECONDS = 10  # decoded at a time, so that memory does not grow with the file's length
LARGEST_BLOCK = 1 << 24  # values decoded at a time, whatever the channels and the sample rate
LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz; others are of damaged headers
NOTHING = np.zeros(0, np.float32)
ENDLESS = 2**63 - 1  # frames, where libsndfile knows none
NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)  # the name leads to none
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


class UnusableAudioError(Exception):
    """A file that cannot be used: a reason, and the detail in words."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def decode(
    path: Path, sample_rate: int, *, clip_seconds: float = 0.0, minimum_seconds: float = 0.0
) -> np.ndarray:
    """A file's clip as mono float32 [n] at `sample_rate` Hz, by the rules above.

    Raises `UnusableAudioError` for a file that cannot be used, `InputError` where it cannot be read
    now.
    """
    with _opened(path) as file:
        try:
            with _quiet():
                waveform = _read(file, sample_rate, clip_seconds)
        except (soundfile.SoundFileError, TypeError) as error:  # TypeError: headerless
            detail = " ".join(str(getattr(error, "error_string", error)).split())
            raise UnusableAudioError(
                Reason.CORRUPT, f"cannot be decoded (libsndfile: {detail})"
            ) from error
        except OSError as error:
            raise _unreadable(path, error) from error
    if not np.isfinite(waveform).all():
        raise UnusableAudioError(Reason.CORRUPT, "holds values that are not finite")
    refuse_short(waveform, sample_rate, minimum_seconds)
    peak = float(np.abs(waveform).max())
    if peak < SILENCE:
        said = f"peak {peak:.1g} of full scale in the mean channel"
        raise UnusableAudioError(Reason.SILENT, said)
    return waveform


def refuse_short(waveform: np.ndarray, sample_rate: int, minimum_seconds: float) -> None:
    """Raise `UnusableAudioError` for a waveform that is shorter than a model needs, or empty."""
    seconds = len(waveform) / sample_rate
    if seconds < max(minimum_seconds, 1 / sample_rate):
        raise UnusableAudioError(
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


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file with content. Raises `UnusableAudioError` for what is none, or `InputError`."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise UnusableAudioError(Reason.DIRECTORY, "is a directory")
        if not stat.S_ISREG(kind):
            said = "is no regular file; write the audio to one"
            raise UnusableAudioError(Reason.UNREADABLE, said)
        file = path.open("rb")
    except ValueError as error:
        raise UnusableAudioError(Reason.MISSING, str(error)) from error
    except OSError as error:
        if error.errno in NOWHERE:
            detail = error.strerror if error.errno != errno.ENOENT else None
            raise UnusableAudioError(Reason.MISSING, detail or "no such file") from error
        raise _unreadable(path, error) from error
    with file:
        if not file.read(1):
            raise UnusableAudioError(Reason.EMPTY, "the file has no bytes")
        yield file


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: cannot be read ({error.strerror or error}); nothing is known of its sound: mend "
        "that and run the command again"
    )


class _Part(io.RawIOBase):
    """A piece of an open file, as a file of its own; behind its end it seems to hold zeros."""

    def __init__(self, file: BinaryIO, piece: Piece) -> None:
        self.file, self.piece, self.at = file, piece, 0
        self.size = len(piece.head) + piece.stop - piece.start
        self.trouble: OSError | None = None

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = max(0, offset + (0, self.at, self.size + self.piece.spare)[whence])
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, less only at the end; 0 after an error, which `trouble` keeps."""
        if self.at > self.size:  # where MP3 decoders look for a tag
            content = bytes(min(len(buffer), self.size + self.piece.spare - self.at))
            buffer[: len(content)] = content
            return len(content)
        wanted = min(len(buffer), self.size - self.at)
        content = self.piece.head[self.at : self.at + wanted]
        try:
            if len(content) < wanted:
                behind = self.at + len(content) - len(self.piece.head)
                self.file.seek(self.piece.start + behind)
                content += self.file.read(wanted - len(content))
        except OSError as error:  # would be lost in libsndfile
            self.trouble = error
            return 0
        buffer[: len(content)] = content
        self.at += len(content)
        return len(content)


class _Stream(soundfile.SoundFile):
    """A sound file that is read from its start to its end, as if it could not be sought."""

    def seekable(self) -> bool:
        """False: reading would end in a seek, and stop at the length that is stated."""
        return False


def _read(file: BinaryIO, sample_rate: int, clip_seconds: float) -> np.ndarray:
    """The clip's mean channel, resampled as it is read."""
    heard, rate, resampler = 0.0, 0, None  # seconds, Hz
    parts = []
    for piece in pieces(file, clip_seconds):
        part = _Part(file, piece)
        with _Stream(part) as sound:
            if not LOWEST_RATE <= sound.samplerate <= HIGHEST_RATE:
                said = f"states a sample rate of {sound.samplerate} Hz"
                raise UnusableAudioError(Reason.CORRUPT, said)
            largest = max(1, LARGEST_BLOCK // sound.channels)
            if resampler is None or sound.samplerate != rate:
                if resampler is not None:
                    parts.append(resampler.resample_chunk(NOTHING, last=True))
                rate = sound.samplerate
                resampler = soxr.ResampleStream(rate, sample_rate, 1, "float32", "HQ")
            wanted = round((clip_seconds - heard) * rate) if clip_seconds else ENDLESS
            n_read = 0
            while n_read < wanted:
                n_block = min(BLOCK_SECONDS * rate, largest, wanted - n_read)
                samples = sound.read(n_block, dtype="float32", always_2d=True)
                if part.trouble:
                    raise part.trouble
                if not len(samples):
                    break
                n_read += len(samples)
                parts.append(resampler.resample_chunk(samples.mean(axis=1, dtype=np.float32)))
            promised = sound.frames if piece.promised is None else piece.promised
        due = min(wanted, promised) if promised < ENDLESS else 0
        if due - n_read > MISSING_SHARE * due:
            raise UnusableAudioError(
                Reason.CORRUPT, f"ends after {n_read / rate:.4g} of {due / rate:.4g} s"
            )
        heard += n_read / rate
        if n_read == wanted:
            break
    assert resampler is not None  # every file has a piece
    parts.append(resampler.resample_chunk(NOTHING, last=True))
    return np.concatenate(parts)
