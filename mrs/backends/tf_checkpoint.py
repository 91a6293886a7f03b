"""TensorFlow checkpoints read with NumPy alone.

A checkpoint is an index and a data file. The index is a LevelDB table: blocks of key and value with
shared key prefixes, found through an index block, found through a footer of 48 bytes. Keys are
tensor names, values `BundleEntryProto` messages: type, shape, and where in the data file the
tensor's little-endian bytes lie. (tensorflow/core/util/tensor_bundle, protobuf/tensor_bundle.proto)
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

FOOTER_SIZE = 48
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FLOAT32 = 1  # DT_FLOAT in tensorflow/core/framework/types.proto


def read_checkpoint(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """The float32 tensors of a checkpoint of one data file, by name.

    Raises `ValueError` for bytes that are no such checkpoint, are compressed or are cut short.
    """
    if len(index) < FOOTER_SIZE or index[-len(MAGIC) :] != MAGIC:
        raise ValueError("the index has no table footer")
    try:
        return dict(_tensors(index, data))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("the index is damaged") from error


def _tensors(index: bytes, data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    footer = index[-FOOTER_SIZE:]
    _, at = _handle(footer, 0)  # the metaindex, which is empty
    root, _ = _handle(footer, at)
    for _, pointer in _entries(index, root):
        for key, value in _entries(index, _handle(pointer, 0)[0]):
            entry = dict(_fields(value))
            if key == b"" or entry.get(1) != FLOAT32:  # the header, counters
                continue
            shape = tuple(
                dict(_fields(size)).get(1, 0)
                for number, size in _fields(entry.get(2, b""))
                if number == 2
            )
            start, size = entry.get(4, 0), entry.get(5, 0)
            content = data[start : start + size]
            if len(content) != size or size != 4 * np.prod(shape, dtype=np.int64):
                raise ValueError(f"the data of {key.decode()} is cut short")
            yield key.decode(), np.frombuffer(content, "<f4").reshape(shape)


def _entries(index: bytes, place: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a block.

    Behind the block stand one byte for its compression and a checksum. At its end stand the number
    of restart points and their offsets, which only a search needs.
    """
    start, size = place
    if index[start + size] != 0:
        raise ValueError("a block of the index is compressed")
    block = index[start : start + size]
    end = size - 4 - 4 * int.from_bytes(block[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        rest, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + rest]
        at += rest
        yield key, block[at : at + length]
        at += length


def _handle(text: bytes, at: int) -> tuple[tuple[int, int], int]:
    """A block's offset and size, and where the next handle begins."""
    offset, at = _varint(text, at)
    size, at = _varint(text, at)
    return (offset, size), at


def _varint(text: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and the place behind it."""
    value = shift = 0
    while text[at] & 0x80:
        value |= (text[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | text[at] << shift, at + 1


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: number, and a number or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError("the index is damaged")
        yield tag >> 3, message[at : at + size]
        at += size
