"""Where the sound lies in an audio file, found by walking the file.

Headers state lengths that are wrong, unknown or estimated: written before the length was known (a
pipe), taken from the first frames' bit rate (MP3), or true of the first of several joined files.
Decoders stop at what is stated. Here each recording of a file is found by its own marks, and given
to the decoder with a header that does not end it early.

Formats: MPEG audio (ISO 11172-3; its Xing and VBRI tags), Ogg (RFC 3533), FLAC (RFC 9639), WAV,
RF64, Wave64, AIFF, CAF and AU. Any other file is one recording of the length that libsndfile finds.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import BinaryIO

BLOCK = 1 << 20  # bytes searched at a time
NAMES = re.compile(rb"[A-Za-z0-9_ ()]{4}")  # of chunks
PLACEHOLDER = 0x7FFF0000  # bytes; sizes from here on that a file lacks are written by pipes
UNKNOWN = 0xFFFFFFFF  # a size of four bytes that states none
LARGEST = 2**62  # bytes
LARGEST_RATIO = 64  # more than that of any two bit rates of MPEG audio
SPARE_FRAMES = 2  # MPEG frames by which encoders' own counts differ
SPARE_SECONDS = 1.0  # walked beyond the clip


@dataclass(frozen=True)
class Piece:
    """A recording in a file: the bytes of `head`, then the file's from `start` to `stop`.

    `promised` is the length in frames that its header states, 0 where it states none and None
    where what libsndfile finds is that length. `spare` is the number of bytes by which the piece is
    to seem longer than it is, to a decoder that estimates its length from that.
    """

    head: bytes
    start: int
    stop: int
    promised: int | None = None
    spare: int = 0


def pieces(file: BinaryIO, seconds: float) -> Iterator[Piece]:
    """The recordings of an open file in their order; of MPEG audio what `seconds` need (0: all)."""
    size = file.seek(0, 2)
    start = _behind_tags(file, 0)
    magic = _bytes(file, start, 12)
    if magic[:4] == b"OggS":
        yield from _ogg(file, start, size)
    elif magic[:4] == b"fLaC":
        yield from _flac(file, start, size)
    elif magic[:4] == b".snd":
        yield from _au(file, start, size)
    elif layout := next((one for one in LAYOUTS if one.begins(magic)), None):
        yield from _chunked(file, start, size, layout)
    elif _frame(magic[:4]) is not None:
        yield from _mpeg(file, start, size, seconds)
    else:
        yield Piece(b"", 0, size)


def _bytes(file: BinaryIO, at: int, n: int) -> bytes:
    file.seek(at)
    return file.read(n)


def _behind_tags(file: BinaryIO, at: int) -> int:
    """Where the ID3v2 tags that begin at `at` end."""
    while (tag := _bytes(file, at, 10))[:3] == b"ID3" and len(tag) == 10:
        size = 0
        for byte in tag[6:]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if tag[5] & 0x10 else 0)
    return at


def _find(file: BinaryIO, pattern: re.Pattern[bytes], at: int, longest: int) -> Iterator[int]:
    """Where a pattern of at most `longest` bytes is found from `at` on."""
    while len(block := _bytes(file, at, BLOCK + longest - 1)) > 0:
        for found in pattern.finditer(block):
            if found.start() < BLOCK:
                yield at + found.start()
        at += BLOCK


# MPEG audio


BITRATES = {  # kbit/s by (MPEG-1, layer) and index
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SYNC = re.compile(rb"\xff[\xe0-\xff]")


@dataclass(frozen=True)
class _Frame:
    """An MPEG frame by its header: bytes, samples, and what decoders do not let change."""

    length: int
    samples: int
    rate: int
    layer: int
    mono: bool
    side: int  # bytes of the side information, behind which a tag would lie

    @property
    def kind(self) -> tuple[int, int, bool]:
        return self.rate, self.layer, self.mono


def _frame(header: bytes) -> _Frame | None:
    """The frame that a header of four bytes begins; None if it is none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] < 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    index, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or index in (0, 15) or rate == 3:
        return None
    first = version == 3
    hz = (44_100, 48_000, 32_000)[rate] >> (0 if first else 1 if version == 2 else 2)
    bits, padding = 1000 * BITRATES[first, layer][index], header[2] >> 1 & 1
    mono = header[3] >> 6 == 3
    if layer == 1:
        samples, length = 384, 4 * (12 * bits // hz + padding)
    else:
        samples = 576 if layer == 3 and not first else 1152
        length = samples // 8 * bits // hz + padding
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return _Frame(length, samples, hz, layer, mono, side)


def _frames(file: BinaryIO, at: int, size: int) -> Iterator[tuple[int, bytes, _Frame]]:
    """All frames from `at` on: place, first bytes, header. What lies between them is passed."""
    while at < size:
        begin = _bytes(file, at, 64).ljust(64, b"\0")
        frame = _frame(begin[:4])
        if frame is None:
            behind = _behind_tags(file, at)
            found = behind if behind > at else _resynchronised(file, at + 1, size)
            if found is None:
                return
            at = found
            continue
        if at + frame.length > size:
            return  # cut short
        yield at, begin, frame
        at += frame.length


def _resynchronised(file: BinaryIO, at: int, size: int) -> int | None:
    """Where, from `at` on, a frame begins that another one follows."""
    for place in _find(file, SYNC, at, 2):
        frame = _frame(_bytes(file, place, 4))
        if frame is None:
            continue
        end = place + frame.length
        following = _frame(_bytes(file, end, 4))
        if end == size or (following and following.kind == frame.kind):
            return place
    return None


def _stated(begin: bytes, frame: _Frame) -> int | None:
    """The number of frames that a tag states, 0 where it states none; None if it is no tag."""
    at = 4 + frame.side
    for place in (at, at + 2):  # behind a checksum
        if frame.layer == 3 and begin[place : place + 4] in (b"Xing", b"Info"):
            flags, count = struct.unpack_from(">II", begin, place + 4)
            return count if flags & 1 else 0
    if begin[36:40] == b"VBRI":
        return struct.unpack_from(">I", begin, 50)[0]
    return None


def _mpeg(file: BinaryIO, start: int, size: int, seconds: float) -> Iterator[Piece]:
    """MPEG audio: a new recording where a tag, another format or more than is stated comes.

    Where a tag states no number of frames, libsndfile estimates it from the bytes and the first
    frame's bit rate, so that the bytes are said to be more than any bit rate can make of it.
    """
    begin, end, n, stated, surplus = start, start, 0, 0, False
    first: _Frame | None = None

    def piece(stop: int) -> Piece:
        if stated:
            return Piece(b"", begin, stop)
        return Piece(b"", begin, end, promised=0, spare=LARGEST_RATIO * (end - begin))

    for at, content, frame in _frames(file, start, size):
        count = _stated(content, frame)
        over = stated > 0 and n == stated
        if first is None or count is not None or over or frame.kind != first.kind:
            if first is not None and n and not (surplus and n <= SPARE_FRAMES):
                yield piece(at)
            first, n, stated, surplus = frame, 0, count or 0, over
            begin = at + frame.length if count == 0 else at
            if count is not None:
                continue
        n, end = n + 1, at + frame.length
        if seconds and n * frame.samples > (seconds + SPARE_SECONDS) * frame.rate:
            yield piece(size)
            return
    if first is None:
        yield Piece(b"", 0, size)
    elif n and not (surplus and n <= SPARE_FRAMES):
        yield piece(size)


# Ogg and FLAC


PAGE = re.compile(rb"OggS\0")


def _ogg(file: BinaryIO, start: int, size: int) -> Iterator[Piece]:
    """Ogg: a new recording where a stream begins after another's pages."""
    begin, at, beginning = start, start, True
    while at < size:
        header = _bytes(file, at, 27)
        if header[:4] != b"OggS" or len(header) < 27:
            at = next(_find(file, PAGE, at + 1, 5), size)
            continue
        starts = bool(header[5] & 2)
        if starts and not beginning:
            yield Piece(b"", begin, at)
            begin = at
        beginning = starts
        at += 27 + header[26] + sum(file.read(header[26]))
    yield Piece(b"", begin, size)


STREAMINFO = re.compile(rb"fLaC[\0\x80]\0\0\x22")


def _flac(file: BinaryIO, start: int, size: int) -> Iterator[Piece]:
    """FLAC: a new recording at each header; the decoder is given an unknown length."""
    begins = [start, *_find(file, STREAMINFO, start + 42, 8), size]
    for begin, stop in pairwise(begins):
        head = bytearray(_bytes(file, begin, 26))
        if len(head) < 26:
            yield Piece(b"", begin, stop)
            continue
        total = int.from_bytes(head[21:26], "big") & 0xFFFFFFFFF  # the last 36 bits
        head[21] &= 0xF0
        head[22:26] = bytes(4)
        yield Piece(bytes(head), begin + 26, stop, total)


# Chunks, one of which holds the samples


@dataclass(frozen=True)
class _Layout:
    """How a format writes chunks: a name, a size, the content, filled up to `align` bytes.

    `first` is where they begin, `inclusive` says whether sizes count name and size. `frames` gives
    the number of frames from the chunk that describes the samples and the bytes of the samples; 0
    where it does not tell.
    """

    magic: bytes  # a pattern
    first: int
    name: int
    size: str
    align: int
    samples: bytes
    described: bytes
    frames: Callable[[bytes, int], int]
    inclusive: bool = False

    def begins(self, magic: bytes) -> bool:
        """Whether a file's first bytes are of this format."""
        return bool(re.match(self.magic, magic, re.DOTALL))


def _wav_frames(described: bytes, n: int, order: str = "<") -> int:
    kind, _, _, _, align = struct.unpack_from(f"{order}HHIIH", described)
    return n // align if kind in FIXED and align else 0


def _aiff_frames(described: bytes, n: int) -> int:
    return struct.unpack_from(">I", described, 2)[0]


def _caf_frames(described: bytes, n: int) -> int:
    size, frames = struct.unpack_from(">II", described, 16)
    return (n - 4) // size * frames if size else 0


FIXED = (1, 3, 6, 7, 0xFFFE)  # WAV formats in which every sample has the same number of bytes
LAYOUTS = (
    _Layout(rb"(?:RIFF|RF64)....WAVE", 12, 4, "<I", 2, b"data", b"fmt ", _wav_frames),
    _Layout(rb"RIFX....WAVE", 12, 4, ">I", 2, b"data", b"fmt ", partial(_wav_frames, order=">")),
    _Layout(rb"FORM....AIF[FC]", 12, 4, ">I", 2, b"SSND", b"COMM", _aiff_frames),
    _Layout(rb"caff\x00\x01", 8, 4, ">q", 1, b"data", b"desc", _caf_frames),
    _Layout(rb"riff\x2e\x91\xcf\x11", 40, 16, "<q", 8, b"data", b"fmt ", _wav_frames, True),
)


def _chunked(file: BinaryIO, start: int, size: int, layout: _Layout) -> Iterator[Piece]:
    """WAV and its like: the samples go as far as stated if a chunk or the end follows there.

    Otherwise they go to the end of the file. Another header behind them begins a new recording.
    """
    width = struct.calcsize(layout.size)
    at, name, described = start + layout.first, b"", b""
    long = 0  # where a size of eight bytes is, if it is
    while at + layout.name + width <= size:
        header = _bytes(file, at, layout.name + width)
        (n,) = struct.unpack_from(layout.size, header, layout.name)
        body = at + len(header)
        n -= len(header) if layout.inclusive else 0
        name = header[:4]
        if name == layout.samples or n < 0:
            break
        if name == layout.described:
            described = _bytes(file, body, 32)
        if name == b"ds64":
            long = body + 8
        at = body + -(-n // layout.align) * layout.align
    if name != layout.samples:
        yield Piece(b"", start, size)
        return
    if long and n == UNKNOWN:
        n = min(int.from_bytes(_bytes(file, long, 8), "little"), LARGEST) or -1
    stops = (body + n, body + -(-n // layout.align) * layout.align)
    ends = [place for place in stops if body <= place <= size]
    joined = next((place for place in ends if layout.begins(_bytes(file, place, 12))), None)
    if joined is not None:
        yield Piece(b"", start, joined)
        yield from _chunked(file, joined, size, layout)
    elif body + n > size and n < (LARGEST if long else PLACEHOLDER):
        yield Piece(b"", start, size, layout.frames(described.ljust(32, b"\0"), n))
    elif any(_follows(file, place, size, layout) for place in ends):
        yield Piece(b"", start, size)
    else:
        rest = size - body + (len(header) if layout.inclusive else 0)
        stated = struct.pack(layout.size, min(rest, 0xFFFFFFFE) if width == 4 else rest)
        head = bytearray(_bytes(file, start, body - width - start) + stated)
        if long:
            head[long - start : long - start + 8] = struct.pack("<Q", rest)
        yield Piece(bytes(head), body, size, 0)


def _follows(file: BinaryIO, at: int, size: int, layout: _Layout) -> bool:
    """Whether a chunk or the end of the file comes at `at`."""
    width = struct.calcsize(layout.size)
    header = _bytes(file, at, layout.name + width)
    if len(header) < layout.name + width:
        return True
    (n,) = struct.unpack_from(layout.size, header, layout.name)
    return bool(NAMES.match(header)) and 0 <= n <= size - at


# AU, of one header and the samples


AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # of a sample by encoding


def _au(file: BinaryIO, start: int, size: int) -> Iterator[Piece]:
    """AU: the samples go as far as stated if the end or another header follows there."""
    header = _bytes(file, start, 24).ljust(24, b"\0")
    offset, n, encoding, _, channels = struct.unpack(">IIIII", header[4:])
    end = start + offset + n
    width = AU_BYTES.get(encoding, 0) * channels
    if n and n != UNKNOWN and end < size and _bytes(file, end, 4) == b".snd":
        yield Piece(b"", start, end)
        yield from _au(file, end, size)
    elif end == size or (end > size and n < PLACEHOLDER):
        yield Piece(b"", start, size, n // width if width else 0)
    else:
        yield Piece(header[:8] + struct.pack(">I", UNKNOWN), start + 12, size, 0)
