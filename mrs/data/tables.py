"""Reading of parquet and CSV files: the whole package reads them through this module.

A path names one file and is never a pattern: `[`, `]`, `*` and `?` stand for themselves. Whatever
is wrong with a file becomes one `InputError` line that names the file, the cause and the remedy.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import polars as pl

from mrs.errors import InputError

PARQUET_MAGIC = b"PAR1"  # the first and the last four bytes of a parquet file
FEWEST_BYTES = 12


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read the named columns of a parquet file, or all of them. Raises `InputError`."""
    frame = scan_parquet(path, columns)
    with readable(path):
        return frame.collect()


def scan_parquet(path: Path, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """The named columns of a parquet file, or all of them, to be read when they are collected.

    Raises `InputError` for what is no parquet file and for missing columns. Damage further on in
    the file is found when the frame is collected: do that inside `readable`.
    """
    _refuse_foreign(path)
    with readable(path):
        frame = _scan(path)
        present = frame.collect_schema().names()
    if columns is None:
        return frame
    missing = [name for name in columns if name not in present]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(map(repr, missing))}; "
            f"it has {', '.join(present) or 'none'}: rename or add it"
        )
    return frame.select(columns)


def scan_parts(paths: Sequence[Path]) -> pl.LazyFrame:
    """The rows of several parquet files of the same columns, one file after the other."""
    return pl.concat([_scan(path) for path in paths])


def parquet_metadata(path: Path) -> dict[str, str]:
    """The key-value metadata of a parquet file. Raises `InputError`."""
    _refuse_foreign(path)
    with readable(path):
        return pl.read_parquet_metadata(path)


def read_csv(
    source: Path | Traversable | bytes, where: str | None = None, **options: Any
) -> pl.DataFrame:
    """Read a CSV file, or text of one, with the options of `polars.read_csv`.

    `where` names the source in errors; default: its path. Raises `InputError`.
    """
    where = where or str(source)
    try:
        content = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise InputError(f"{where}: {_denied(error)}") from error
    try:
        return pl.read_csv(content, **options)
    except pl.exceptions.NoDataError as error:
        raise InputError(f"{where}: the file is empty; write or download it again") from error
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{where}: not readable as CSV ({_reason(error)}); write or download it again"
        ) from error


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raise `InputError` where reading what was scanned fails, with the cause that is known."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {_denied(error)}") from error
    except UnicodeEncodeError as error:
        raise InputError(f"{str(path)!r}: the name is not UTF-8; rename the file") from error
    except pl.exceptions.ComputeError as error:
        raise InputError(
            f"{path}: not a readable parquet file ({_reason(error)}); it may be truncated or "
            "damaged: copy it again"
        ) from error
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"{path}: its columns cannot be used as they are ({_reason(error)}); write them with "
            "the types that the README lists"
        ) from error


def _scan(path: Path) -> pl.LazyFrame:
    # An absolute path does not begin with "~", which polars would take for the home folder.
    return pl.scan_parquet(path.absolute(), glob=False, hive_partitioning=False)


def _refuse_foreign(path: Path) -> None:
    """Raise `InputError` for whatever does not begin and end as a parquet file does."""
    try:
        with path.open("rb") as file:
            start = file.read(len(PARQUET_MAGIC))
            size = file.seek(0, 2)
            file.seek(max(0, size - len(PARQUET_MAGIC)))
            end = file.read()
    except OSError as error:
        raise InputError(f"{path}: {_denied(error)}") from error
    if not size:
        raise InputError(f"{path}: the file is empty; copy or download it again")
    if start != PARQUET_MAGIC:
        what = f"it begins with {start!r}"
        if start.isascii() and start.decode().isprintable():
            what += ", as text such as CSV does"
        raise InputError(
            f"{path}: not a readable parquet file: {what}; write it with polars.write_parquet"
        )
    if end != PARQUET_MAGIC or size < FEWEST_BYTES:
        raise InputError(
            f"{path}: not a readable parquet file: its end is missing, so it is truncated; "
            "copy it again"
        )


def _denied(error: OSError) -> str:
    """What keeps a file from being read, and the remedy."""
    if isinstance(error, FileNotFoundError):
        return "no such file; put it there or name another one"
    if isinstance(error, IsADirectoryError):
        return (
            "is a folder, not one file; write its parts into one parquet file, in their order: "
            "polars.scan_parquet('FOLDER/*.parquet').sink_parquet('FILE.parquet')"
        )
    if isinstance(error, PermissionError):
        return "permission denied; let your user read it (chmod u+r)"
    return f"cannot be read ({_reason(error)}); check the disk, or copy the file again"


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
