"""Files whose headers state a wrong length, none, or that of the first of several recordings."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sounds import tone

from mrs.backends import audio
from mrs.backends.audio import Reason, UnusableAudioError, decode
from mrs.backends.containers import _frames, pieces

RATE = 16_000
SECONDS = 12
CASES = ["RIFF", "RIFX", "RF64", "FORM", "W64", "AU"]


def changing(seconds: float = SECONDS, rate: int = RATE) -> np.ndarray:
    """Silence, then a tone that rises by 100 Hz each second: MP3 frames of many bit rates."""
    parts = [np.zeros(2 * rate, np.float32)]
    parts += [tone(1.0, 300.0 + 100 * i, rate) for i in range(round(seconds) - 2)]
    return np.concatenate(parts)


def write(path: Path, samples: np.ndarray, rate: int = RATE, **how: str) -> bytes:
    soundfile.write(path, samples, rate, **how)
    return path.read_bytes()


def hear(folder: Path, content: bytes, clip: float = 0.0) -> np.ndarray:
    path = folder / "audio"  # no format is told by the name
    path.write_bytes(content)
    return decode(path, RATE, clip_seconds=clip)


def highest(samples: np.ndarray, second: float) -> float:
    """The frequency in Hz that prevails in the half second from `second` on."""
    begin = round(second * RATE)
    spectrum = np.abs(np.fft.rfft(samples[begin : begin + RATE // 2]))
    return 2.0 * float(spectrum.argmax())


def mp3(folder: Path, samples: np.ndarray | None = None, rate: int = RATE) -> bytes:
    samples = changing(rate=rate) if samples is None else samples
    return write(folder / "whole.mp3", samples, rate, bitrate_mode="VARIABLE")


def untagged(content: bytes) -> bytes:
    """MP3 without its first frame, which holds the Xing tag."""
    assert b"Xing" in content[:64] or b"Info" in content[:64]
    return content[frame_places(content)[1] :]


def frame_places(content: bytes) -> list[int]:
    return [at for at, _, _ in _frames(io.BytesIO(content), 0, len(content))]


def test_blocks_of_mp3_join_without_a_seam(tmp_path: Path) -> None:
    rate = 44_100
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4 * rate).astype(np.float32)
    content = mp3(
        tmp_path, np.concatenate([tone(4.0, 440, rate), noise, tone(4.0, 880, rate)]), rate
    )
    with soundfile.SoundFile(tmp_path / "whole.mp3") as file:
        at_once = file.read(dtype="float32")
    (tmp_path / "audio").write_bytes(content)
    np.testing.assert_array_equal(decode(tmp_path / "audio", rate), at_once)


def test_mp3_of_variable_rate_without_a_tag(tmp_path: Path) -> None:
    whole = mp3(tmp_path)
    content = untagged(whole)
    (tmp_path / "untagged.mp3").write_bytes(content)
    stated = soundfile.info(tmp_path / "untagged.mp3").duration
    assert abs(stated - SECONDS) > 1  # what libsndfile makes of it
    heard = hear(tmp_path, content)
    assert len(heard) / RATE == pytest.approx(SECONDS, abs=0.2)
    assert [highest(heard, 2.3 + i) for i in range(9)] == pytest.approx(
        [300.0 + 100 * i for i in range(9)], abs=4
    )
    assert len(hear(tmp_path, content, clip=5.0)) == 5 * RATE


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_untagged_mp3_of_constant_rate_is_heard_to_the_sample(tmp_path: Path, rate: int) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 5 * rate)
    content = write(tmp_path / "whole.mp3", samples, rate, bitrate_mode="CONSTANT")
    (tmp_path / "untagged.mp3").write_bytes(untagged(content))
    with soundfile.SoundFile(tmp_path / "untagged.mp3") as file:
        at_once = file.read(dtype="float32")  # may end too early
    heard = decode(tmp_path / "untagged.mp3", rate)
    assert len(heard) / rate == pytest.approx(5.0, abs=0.15)
    assert len(at_once) > rate
    np.testing.assert_array_equal(heard[: len(at_once)], at_once)


ID3V2 = b"ID3\x04\0\0\0\0\x02\x01" + b"\xff\xfb" * 128 + b"\0"  # 257 bytes that look like frames
ID3V1 = b"TAG".ljust(128, b" ")


@pytest.mark.parametrize("between", [b"", ID3V1 + ID3V2, b"APETAGEX" + bytes(90), b"\xff" * 700])
@pytest.mark.parametrize("tagged", [True, False])
def test_joined_mp3_files(tmp_path: Path, tagged: bool, between: bytes) -> None:
    contents = [mp3(tmp_path, tone(3.0, hz)) for hz in (440, 880)]
    one, other = contents if tagged else map(untagged, contents)
    heard = hear(tmp_path, ID3V2 + one + between + other + ID3V1)
    assert len(heard) / RATE == pytest.approx(6.0, abs=0.3)
    assert highest(heard, 1.5) == pytest.approx(440, abs=4)
    assert highest(heard, 4.5) == pytest.approx(880, abs=4)
    if tagged:
        np.testing.assert_array_equal(heard[: 3 * RATE], hear(tmp_path, one)[: 3 * RATE])


def test_mp3_goes_on_behind_the_frames_that_its_tag_states(tmp_path: Path) -> None:
    content = mp3(tmp_path, tone(3.0)) + untagged(mp3(tmp_path, tone(3.0, 880)))
    heard = hear(tmp_path, content)
    assert len(heard) / RATE == pytest.approx(6.0, abs=0.2)
    assert highest(heard, 4.5) == pytest.approx(880, abs=4)


def test_joined_mp3_files_of_other_rates_and_channels(tmp_path: Path) -> None:
    stereo = np.stack([tone(3.0, 880, 44_100)] * 2, axis=1)
    contents = [mp3(tmp_path, tone(3.0)), mp3(tmp_path, stereo, 44_100)]
    for content in (b"".join(contents), b"".join(map(untagged, contents))):
        heard = hear(tmp_path, content)
        assert len(heard) / RATE == pytest.approx(6.0, abs=0.2)
        assert highest(heard, 4.5) == pytest.approx(880, abs=4)


def test_mp3_cut_short(tmp_path: Path) -> None:
    content = mp3(tmp_path)
    half = content[: len(content) // 2]
    with pytest.raises(UnusableAudioError, match=r"ends after .* of 12 s") as caught:
        hear(tmp_path, half)
    assert caught.value.reason is Reason.CORRUPT
    assert len(hear(tmp_path, half, clip=3.0)) == 3 * RATE  # it reaches that far
    rest = untagged(half)  # states nothing
    n_frames = len(frame_places(rest))
    assert len(hear(tmp_path, rest)) == n_frames * 576
    assert 3 < n_frames * 576 / RATE < 11


def with_total(content: bytes, n: int) -> bytes:
    """FLAC that states `n` frames in the last 36 bits of bytes 18 to 25."""
    first = int.from_bytes(content[18:26], "big") >> 36 << 36
    return content[:18] + (first | n).to_bytes(8, "big") + content[26:]


@pytest.mark.parametrize("stated", [0, 3 * RATE])
def test_flac_of_unknown_or_wrong_length(tmp_path: Path, stated: int) -> None:
    content = write(tmp_path / "whole.flac", changing())
    expected = decode(tmp_path / "whole.flac", RATE)
    assert len(expected) == SECONDS * RATE
    np.testing.assert_array_equal(hear(tmp_path, with_total(content, stated)), expected)
    np.testing.assert_array_equal(
        hear(tmp_path, with_total(content, stated), clip=11.0), expected[: 11 * RATE]
    )


def test_flac_that_lacks_what_it_states(tmp_path: Path) -> None:
    content = write(tmp_path / "whole.flac", changing())
    with pytest.raises(UnusableAudioError, match=r"ends after 12 of 20 s"):
        hear(tmp_path, with_total(content, 20 * RATE))


@pytest.mark.parametrize("how", [{"format": "OGG"}, {"format": "FLAC"}])
@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_chained_recordings(tmp_path: Path, how: dict[str, str], rate: int) -> None:
    one = write(tmp_path / "one", tone(3.0), **how)
    other = write(tmp_path / "other", tone(3.0, 880, rate), rate, **how)
    heard = hear(tmp_path, one + other + one)
    assert len(heard) / RATE == pytest.approx(9.0, abs=0.01)
    for second, hz in ((1.5, 440), (4.5, 880), (7.5, 440)):
        assert highest(heard, second) == pytest.approx(hz, abs=2)
    np.testing.assert_array_equal(heard[:40_000], decode(tmp_path / "one", RATE)[:40_000])
    assert len(hear(tmp_path, one + other + one, clip=4.0)) == 4 * RATE


def test_opus_streams_are_chained(tmp_path: Path) -> None:
    one = write(tmp_path / "one", tone(3.0, 440, 48_000), 48_000, format="OGG", subtype="OPUS")
    assert len(hear(tmp_path, one + one)) == pytest.approx(6 * RATE, abs=2)


def chunked(kind: str, folder: Path) -> tuple[bytes, int, str]:
    """A file of 12 s, and where and how it states the bytes of its samples."""
    how = {"RIFX": ("WAV", "BIG"), "FORM": ("AIFF", "FILE"), "RIFF": ("WAV", "FILE")}
    name, endian = how.get(kind, (kind, "FILE"))
    content = write(folder / "whole", changing(), format=name, endian=endian, subtype="PCM_16")
    if kind == "AU":
        return content, 8, ">I"
    if kind == "RF64":
        return content, content.index(b"ds64") + 16, "<Q"
    name_of_samples = b"SSND" if kind == "FORM" else b"data"
    behind = 16 if kind == "W64" else 4
    place = content.index(name_of_samples) + behind
    return content, place, {"W64": "<q", "FORM": ">I", "RIFX": ">I"}.get(kind, "<I")


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("stated", [0, 1_000, "largest", "right"])
def test_samples_go_to_the_end_where_nothing_else_follows(
    tmp_path: Path, kind: str, stated: int | str
) -> None:
    content, place, size = chunked(kind, tmp_path)
    expected = decode(tmp_path / "whole", RATE)
    assert len(expected) == SECONDS * RATE
    if stated != "right":
        largest = 2 ** (8 * struct.calcsize(size)) - 1 if size.isupper() else -1
        n = largest if stated == "largest" else stated
        content = bytearray(content)
        struct.pack_into(size, content, place, n)
    heard = hear(tmp_path, bytes(content))
    np.testing.assert_array_equal(heard, expected)


@pytest.mark.parametrize("riff", [0, 0xFFFFFFFF])
def test_wav_from_a_pipe(tmp_path: Path, riff: int) -> None:
    content, place, _ = chunked("RIFF", tmp_path)
    for stated in (0, 0x7FFFF000, 0xFFFFFFFF):
        piped = bytearray(content)
        struct.pack_into("<I", piped, 4, riff)
        struct.pack_into("<I", piped, place, stated)
        assert len(hear(tmp_path, bytes(piped))) == SECONDS * RATE


@pytest.mark.parametrize("kind", CASES)
def test_samples_cut_short(tmp_path: Path, kind: str) -> None:
    content, _, _ = chunked(kind, tmp_path)
    half = content[: len(content) // 2]
    with pytest.raises(UnusableAudioError, match=r"ends after (5\.99\d|6) of 12 s") as caught:
        hear(tmp_path, half)
    assert caught.value.reason is Reason.CORRUPT
    assert len(hear(tmp_path, half, clip=5.0)) == 5 * RATE


@pytest.mark.parametrize("kind", [*CASES, "CAF"])
def test_joined_files(tmp_path: Path, kind: str) -> None:
    if kind == "CAF":
        content = write(tmp_path / "whole", changing(), format="CAF")
    else:
        content, _, _ = chunked(kind, tmp_path)
    once = decode(tmp_path / "whole", RATE)
    np.testing.assert_array_equal(hear(tmp_path, content * 2), np.tile(once, 2))


def test_chunks_behind_the_samples_are_no_sound(tmp_path: Path) -> None:
    content, place, _ = chunked("RIFF", tmp_path)
    odd = content + b"LIST" + struct.pack("<I", 4_000) + b"INFO".ljust(4_000, b"\x7f")
    assert len(hear(tmp_path, odd)) == SECONDS * RATE
    empty = content[:place] + bytes(4) + odd[len(content) :]
    with pytest.raises(UnusableAudioError) as caught:
        hear(tmp_path, empty)
    assert caught.value.reason is Reason.TOO_SHORT


def test_mp3_is_walked_no_further_than_the_clip(tmp_path: Path) -> None:
    content = mp3(tmp_path, tone(30.0))
    path = tmp_path / "audio"
    path.write_bytes(untagged(content))
    with path.open("rb") as file:
        (whole,) = pieces(file, 0.0)
        (part,) = pieces(file, 3.0)
    assert whole.stop - whole.start == len(untagged(content))
    assert (part.stop - part.start) / whole.stop == pytest.approx(4 / 30, abs=0.03)


def test_a_disk_that_fails_is_no_property_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.wav", tone(1.0))

    class Failing(audio._Part):
        def readinto(self, buffer: object) -> int:
            if self.at > 1_000:
                self.trouble = OSError(5, "Input/output error")
                return 0
            return super().readinto(buffer)

    monkeypatch.setattr(audio, "_Part", Failing)
    with pytest.raises(audio.InputError, match=r"a\.wav: cannot be read \(Input/output error\)"):
        decode(tmp_path / "a.wav", RATE)
