"""Parquet files that carry the checksum of their own bytes."""

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import polars as pl

BLANK = "0" * 64  # stands where the checksum goes while it is computed
SEAL = re.compile(rb"mrs:sha256.{2}(.{64})", re.DOTALL)  # in the footer: key, type, length


def sealed(frame: pl.DataFrame, metadata: dict[str, str] | None = None, **options: Any) -> bytes:
    """The bytes of a parquet file whose metadata hold, beside `metadata`, its own sha256."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, metadata=(metadata or {}) | {"mrs:sha256": BLANK}, **options)
    content = buffer.getvalue()
    head, _, tail = content.rpartition(BLANK.encode())
    return head + hashlib.sha256(content).hexdigest().encode() + tail


def is_whole(path: Path) -> bool | None:
    """Whether a file has the bytes that `sealed` gave it; None for one without a checksum."""
    content = path.read_bytes()
    seals = SEAL.findall(content)
    if not seals:
        return None
    head, digest, tail = content.rpartition(seals[-1])
    return hashlib.sha256(head + BLANK.encode() + tail).hexdigest() == digest.decode(
        errors="replace"
    )
