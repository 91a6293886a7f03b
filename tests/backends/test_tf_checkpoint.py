import zipfile

import numpy as np
import pytest

from mrs.backends.networks.musicnn import CHECKPOINT
from mrs.backends.pretrained import MusiCNN
from mrs.backends.tf_checkpoint import MAGIC, read_checkpoint
from mrs.backends.weights import ASSETS

WHEEL = MusiCNN.weights[0].name


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def message(number: int, kind: int, value: "int | bytes") -> bytes:
    head = varint(number << 3 | kind)
    return head + (varint(value) if kind == 0 else varint(len(value)) + value)


def block(entries: list[tuple[int, bytes, bytes]]) -> bytes:
    """Entries of (shared prefix length, rest of the key, value), one restart point."""
    body = b"".join(
        varint(shared) + varint(len(rest)) + varint(len(value)) + rest + value
        for shared, rest, value in entries
    )
    return body + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def entry(shape: tuple[int, ...], offset: int, size: int, dtype: int = 1) -> bytes:
    dims = b"".join(message(2, 2, message(1, 0, n)) for n in shape)
    parts = message(1, 0, dtype) + message(2, 2, dims) + message(5, 0, size)
    return parts + (message(4, 0, offset) if offset else b"") + varint(6 << 3 | 5) + b"\0\0\0\0"


def checkpoint(compressed: int = 0) -> tuple[bytes, bytes, dict[str, np.ndarray]]:
    """A checkpoint of two tensors whose names share a prefix, and a counter."""
    tensors = {
        "dense/bias": np.array([0.5, -2.0, 3.25], "<f4"),
        "dense/kernel": np.arange(300, dtype="<f4").reshape(3, 100),
    }
    data = b"".join(value.tobytes() for value in tensors.values()) + bytes(8)
    content = block(
        [
            (0, b"", message(1, 0, 1)),
            (0, b"dense/bias", entry((3,), 0, 12)),
            (6, b"kernel", entry((3, 100), 12, 1200)),
            (0, b"steps", entry((), 1212, 8, dtype=9)),
        ]
    )
    index = content + bytes([compressed]) + bytes(4)
    root = block([(0, b"z", varint(0) + varint(len(content)))])
    handles = varint(0) + varint(0) + varint(len(index)) + varint(len(root))
    footer = handles.ljust(40, b"\0") + MAGIC
    return index + root + b"\0" + bytes(4) + footer, data, tensors


def test_tensors_by_name() -> None:
    index, data, tensors = checkpoint()
    found = read_checkpoint(index, data)
    assert list(found) == list(tensors)
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_scalar() -> None:
    content = block([(0, b"rate", entry((), 0, 4))])
    index = content + bytes(5)
    root = block([(0, b"z", varint(0) + varint(len(content)))])
    handles = varint(0) + varint(0) + varint(len(index)) + varint(len(root))
    whole = index + root + bytes(5) + handles.ljust(40, b"\0") + MAGIC
    found = read_checkpoint(whole, np.float32(0.25).tobytes())
    assert found["rate"].shape == ()
    assert found["rate"] == 0.25


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda index, data: (index[:-1], data), "no table footer"),
        (lambda index, data: (b"", data), "no table footer"),
        (lambda index, data: (index[-48:], data), "damaged"),
        (lambda index, data: (index, data[:1000]), "dense/kernel is cut short"),
        (lambda index, data: (checkpoint(compressed=1)[0], data), "compressed"),
    ],
)
def test_damage(damage: object, said: str) -> None:
    index, data, _ = checkpoint()
    with pytest.raises(ValueError, match=said):
        read_checkpoint(*damage(index, data))


@pytest.mark.skipif(
    not (ASSETS / WHEEL).is_file(),
    reason=f"{ASSETS / WHEEL} is not there",
)
def test_the_wheels_checkpoint_has_150_tensors() -> None:
    with zipfile.ZipFile(ASSETS / WHEEL) as wheel:
        index = wheel.read(f"{CHECKPOINT}.index")
        found = read_checkpoint(index, wheel.read(f"{CHECKPOINT}.data-00000-of-00001"))
    own = {n: v for n, v in found.items() if "Adam" not in n and "_power" not in n}
    assert (len(found), len(own)) == (150, 64)
    assert own["conv2d_1/kernel"].shape == (7, 67, 1, 204)
    assert sum(v.size for n, v in own.items() if "/moving_" not in n) == 787_159
