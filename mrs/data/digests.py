"""Content digests of input files, cached by path, size and time of change."""

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mrs.errors import StorageError, writing


def of_values(values: Any) -> str:
    """The sha256 of a JSON-serialisable value, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def unfinished() -> str:
    """How the names of this process's unfinished files and folders begin."""
    return f".new-{os.getpid()}@{socket.gethostname()}-"


def sweep(folder: Path) -> None:
    """Remove unfinished files and folders whose process is gone; others' are left alone."""
    for path in folder.glob(".new-*"):
        named = re.match(r"\.new-(\d+)@(.+)-", path.name)
        if named and (named[2] != socket.gethostname() or _runs(int(named[1]))):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, named .new-*, that takes its place if nothing was raised.

    Raises `StorageError` where the folder cannot be written or the disk is full.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=unfinished())
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
            with suppress(StorageError):  # a cache: what is not kept is computed again
                write_atomically(self.cache, json.dumps(self._known))
        return digest
