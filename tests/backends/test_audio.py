import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from sounds import tone, write_tone

from mrs.backends.audio import Reason, UnusableAudioError, decode
from mrs.errors import InputError


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "音楽 Ære.wav"])
def test_formats_and_names(tmp_path: Path, name: str) -> None:
    path = write_tone(tmp_path / name, 1.0)
    heard = decode(path, 16_000)
    assert heard.dtype == np.float32
    assert len(heard) == pytest.approx(16_000, abs=1200)  # MP3 adds frames of its own
    spectrum = np.abs(np.fft.rfft(heard[:16_000]))
    assert abs(int(spectrum.argmax()) * 16_000 / min(len(heard), 16_000) - 440) < 2


def test_what_has_the_rate_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(0.5), 16_000, subtype="FLOAT")
    assert np.array_equal(decode(path, 16_000), tone(0.5))


def test_channels_are_averaged_and_resampled_once(tmp_path: Path) -> None:
    path = tmp_path / "wide.wav"
    rng = np.random.default_rng(0)
    stereo = rng.uniform(-0.5, 0.5, (192_000 * 25, 2)).astype(np.float32)  # 3 blocks
    soundfile.write(path, stereo, 192_000, subtype="FLOAT")
    heard = decode(path, 16_000)
    at_once = soxr.resample(stereo.mean(axis=1), 192_000, 16_000, "HQ")
    assert len(heard) == len(at_once) == 16_000 * 25
    np.testing.assert_allclose(heard, at_once, atol=1e-6)


def test_frequencies_above_the_half_rate_are_gone(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "high.wav", 1.0, hz=20_000, rate=48_000)
    heard = decode(path, 16_000)
    assert np.abs(heard[500:-500]).max() < 1e-4  # but for the clicks at both ends


def test_the_clip_is_the_start(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([tone(1.0), tone(1.0, 880)]), 16_000, subtype="FLOAT")
    assert np.array_equal(decode(path, 16_000, clip_seconds=1.0), tone(1.0))
    assert len(decode(path, 16_000, clip_seconds=30.0)) == 32_000  # not padded


def bad_file(folder: Path, reason: str) -> Path:
    path = folder / "a.wav"
    if reason == "missing":
        return path
    if reason == "directory":
        path.mkdir()
        return path
    write_tone(path, 1.0)
    content = {"empty": b"", "corrupt": b"this is no sound" * 99}
    if reason in content:
        path.write_bytes(content[reason])
    if reason == "silent":
        soundfile.write(path, tone(1.0, gain=5e-5), 16_000, subtype="FLOAT")
    if reason == "too short":
        write_tone(path, 0.2)
    return path


REASONS = ["missing", "directory", "empty", "corrupt", "silent", "too short"]


@pytest.mark.parametrize("reason", REASONS)
def test_reasons(tmp_path: Path, reason: str) -> None:
    with pytest.raises(UnusableAudioError) as caught:
        decode(bad_file(tmp_path, reason), 16_000, minimum_seconds=0.25)
    assert caught.value.reason == reason
    assert caught.value.detail


def test_opposite_channels_are_silent(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(1.0), -tone(1.0)], axis=1), 16_000)
    with pytest.raises(UnusableAudioError, match="mean channel"):
        decode(path, 16_000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_corrupt(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.append(tone(1.0), np.float32(value)), 16_000, subtype="FLOAT")
    with pytest.raises(UnusableAudioError) as caught:
        decode(path, 16_000)
    assert caught.value.reason is Reason.CORRUPT


@pytest.mark.parametrize("name", ["a.flac", "a.raw"])
def test_cut_short_or_without_header(tmp_path: Path, name: str) -> None:
    whole = write_tone(tmp_path / "whole.flac", 5.0).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: len(whole) // 2] if name == "a.flac" else tone(1.0).tobytes())
    with pytest.raises(UnusableAudioError) as caught:
        decode(path, 16_000)
    assert caught.value.reason is Reason.CORRUPT


def test_decoders_say_nothing_themselves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(np.random.default_rng(0).bytes(9_999))
    with pytest.raises(UnusableAudioError, match="cannot be decoded"):
        decode(path, 16_000)
    print("heard", file=sys.stderr)
    assert capfd.readouterr().err == "heard\n"


def test_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(0), 16_000)
    with pytest.raises(UnusableAudioError) as caught:
        decode(path, 16_000)
    assert caught.value.reason is Reason.TOO_SHORT


def test_names_that_are_no_utf_8(tmp_path: Path) -> None:
    whole = write_tone(tmp_path / "a.wav", 1.0)
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Bj\xf8rk.wav"))  # Latin-1
    path.write_bytes(whole.read_bytes())
    assert np.array_equal(decode(path, 16_000), decode(whole, 16_000))


@pytest.mark.parametrize("name", ["a\0.wav", "x" * 300, "a.wav/b.wav"])
def test_names_that_lead_nowhere(tmp_path: Path, name: str) -> None:
    write_tone(tmp_path / "a.wav", 1.0)
    with pytest.raises(UnusableAudioError) as caught:
        decode(tmp_path / name, 16_000)
    assert caught.value.reason is Reason.MISSING


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnusableAudioError, match="no regular file") as caught:
        decode(tmp_path / "pipe", 16_000)
    assert caught.value.reason is Reason.UNREADABLE


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO, errno.ESTALE])
def test_what_cannot_be_read_now_is_no_property_of_the_file(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tone(tmp_path / "a.wav", 1.0)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=rf"a\.wav: cannot be read \({os.strerror(number)}\)"):
        decode(path, 16_000)


@pytest.mark.parametrize("rate", [1, 800_000_000])
def test_sample_rates_that_no_recording_has(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0), rate)
    with pytest.raises(UnusableAudioError, match=f"states a sample rate of {rate} Hz") as caught:
        decode(tmp_path / "a.wav", 16_000)
    assert caught.value.reason is Reason.CORRUPT
