"""The exceptions for what the user can mend: input, and places that cannot be written."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}
CLOSED |= {errno.EISDIR, errno.EIO}


class InputError(Exception):
    """A mistake in a file, a name or a parameter that the user supplied.

    The message is one line that names the file, the row where there is one, what is wrong and
    what to do about it. The command line prints it and exits with status 2.
    """


class StorageError(InputError):
    """A folder or a disk that cannot be written: full, read-only, or not ours."""


def storage_error(error: BaseException, path: str | Path) -> StorageError | None:
    """The line for an error of the system at writing `path`; None for an error of another kind.

    Polars passes the system's error number on in its text alone.
    """
    found = re.search(r"\(os error (\d+)\)", str(error))
    number = getattr(error, "errno", None) or (int(found[1]) if found else None)
    if number in FULL:
        remedy = "free space there and run the same command again"
    elif number in CLOSED:
        remedy = "choose another folder or make it writable"
    else:
        return None
    return StorageError(f"{path}: cannot be written ({os.strerror(number)}); {remedy}")


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Raise `StorageError`, which names `path`, for a disk or a folder that cannot be written."""
    try:
        yield
    except Exception as error:
        said = storage_error(error, path)
        if said is None or isinstance(error, InputError):
            raise
        raise said from error
