"""Large bz2 compressed tables of text, read a block at a time."""

import bz2
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mrs.errors import InputError


@contextmanager
def packed_lines(path: Path, size: int) -> Iterator[Iterator[bytes]]:
    """The first line, then the rest in blocks of whole lines, of about `size` bytes of text.

    How much has been read goes to stderr, with the time that is left; it ends with the context,
    whatever ends that. Reading raises `InputError` for a missing, truncated or foreign file.
    """
    with closing(_lines(path, size)) as lines:
        yield lines


def _lines(path: Path, size: int) -> Generator[bytes]:
    from rich.console import Console
    from rich.progress import open as open_counted

    if not path.is_file():
        raise InputError(f"{path}: no such file; download it from Zenodo record 15394646")
    console = Console(stderr=True)
    try:
        with (
            open_counted(path, "rb", description=path.name, console=console) as packed,
            bz2.open(packed) as file,
        ):
            yield file.readline()
            rest = b""
            while block := file.read(size):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if whole:
                    yield whole + newline
            if rest:
                yield rest
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: not a whole bz2 file ({error}); download it again") from error
