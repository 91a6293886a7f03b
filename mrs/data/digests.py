"""Content digests of input files, cached by path, size and time of change."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def of_values(values: Any) -> str:
    """The sha256 of a JSON-serialisable value, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, named .new-*, that takes its place if nothing was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file that is whole or absent."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


class Digests:
    """The sha256 of files; `cache` is a JSON file that remembers them between processes."""

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache
        self._known: dict[str, list] = {}
        if cache is not None and cache.is_file():
            try:
                self._known = json.loads(cache.read_text(encoding="utf-8"))
            except (ValueError, OSError):
                self._known = {}  # a cache: lost entries are computed again

    def of_file(self, path: Path) -> str:
        """The sha256 of a file's bytes as hexadecimal digits."""
        path = path.resolve()
        state = path.stat()
        mark = [state.st_size, state.st_mtime_ns]
        entry = self._known.get(str(path))
        if entry is not None and entry[:2] == mark:
            return entry[2]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[str(path)] = [*mark, digest]
        if self.cache is not None:
            write_atomically(self.cache, json.dumps(self._known))
        return digest
