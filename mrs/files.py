"""Files that are whole or absent, locks, and digests of content, cached by the file's state."""

import fcntl
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
from typing import IO, Annotated, Any

from pydantic import Field, StrictInt, TypeAdapter, ValidationError

from mrs.errors import StorageError, writing

# Hidden files and folders (.DS_Store, ._x.npy, .ipynb_checkpoints), backups and locks (~$x.npy,
# x.npy~), and the names that systems and archivers give to what they add.
FOREIGN = re.compile(
    r"[.~].*|.*~|__macosx|__pycache__|@eadir|lost\+found|thumbs\.db|desktop\.ini", re.IGNORECASE
)


def values_digest(values: Any) -> str:
    """The sha256 of a JSON-serialisable value, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def unfinished_prefix() -> str:
    """How the names of this process's unfinished files and folders begin."""
    return f".new-{os.getpid()}@{socket.gethostname()}-"


def remove_unfinished(folder: Path) -> None:
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


def take_lock(file: int | IO[Any]) -> bool:
    """Lock an open file or folder for this process; False where another one has it.

    A file system without locks refuses nobody.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, named .new-*, that takes its place if nothing was raised.

    Raises `StorageError` where the folder cannot be written or the disk is full.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=unfinished_prefix())
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


def write_json(path: Path, values: Any) -> None:
    """Write values as a JSON file that is whole or absent."""
    write_atomically(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, named .new-*, that is removed with its content at the end.

    What is to be whole or absent at `path` is written there and renamed. Raises `StorageError`
    where the folder cannot be written or the disk is full.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=unfinished_prefix()))
        try:
            folder.chmod(0o755)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def file_state(path: Path) -> list[int]:
    """What changes with a file's content: size, times of content and of attributes (ns), inode.

    The time of the attributes is the system's own, so that it tells what was copied with its old
    time of change or put in another's place. Raises `OSError`.
    """
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_KNOWN = TypeAdapter(dict[str, tuple[StrictInt, StrictInt, StrictInt, StrictInt, _Sha256]])


class Digests:
    """The sha256 of files; `cache` is a JSON file that remembers them between processes."""

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache
        self._known: dict[str, tuple[int, int, int, int, str]] = {}
        if cache is not None:
            with suppress(OSError, ValidationError):  # what is lost is computed again
                self._known = _KNOWN.validate_json(cache.read_bytes())

    def of_file(self, path: Path) -> str:
        """The sha256 of a file's bytes as hexadecimal digits."""
        path = path.resolve()
        state = file_state(path)  # before it is read: what changes meanwhile is read again
        known = self._known.get(str(path))
        if known is not None and list(known[:-1]) == state:
            return known[-1]
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._known[str(path)] = (*state, digest)  # type: ignore[assignment]
        if self.cache is not None:
            with suppress(OSError, StorageError):  # a cache: what is not kept is computed again
                write_atomically(self.cache, json.dumps(self._known))
        return digest


def visible(folder: Path, suffix: str = "") -> list[Path]:
    """The files and folders in `folder` that end in `suffix`, sorted; none if it is missing."""
    if not folder.is_dir():
        return []
    entries = (path for path in folder.iterdir() if not FOREIGN.fullmatch(path.name))
    return sorted(path for path in entries if path.name.endswith(suffix))
