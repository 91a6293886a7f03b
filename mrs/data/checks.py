"""Checks at the door: every file that enters the study is read through here.

A mistake becomes one `InputError` that names the file, the row (counted from 0) and the remedy.
"""

import hashlib
import json
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.tables import readable, scan_parquet
from mrs.errors import InputError
from mrs.files import file_state

PARTS = ("train", "val", "hot_test", "cold_test")
PAIR_COLUMNS = {"user_id": "id", "track_id": "id", "timestamp": "time", "count": "integer"}
NPY_MAGIC = b"\x93NUMPY"
VECTOR_BLOCK = 1024  # rows looked at together, so that checking a large file needs little memory


def read_frame(path: Path, columns: dict[str, str]) -> pl.DataFrame:
    """Read the named columns of a parquet file; others are ignored.

    `columns` maps each name to the kind it must have: "id" (integer or string), "time"
    (a datetime), "integer". Times are returned in microseconds of UTC without a time zone. Raises
    `InputError` for a missing, empty, truncated or foreign file, a missing column, a wrong kind, a
    null, or times in a wrong unit.
    """
    frame = scan_frame(path, columns)
    with readable(path):
        return frame.collect()


def scan_frame(path: Path, columns: dict[str, str]) -> pl.LazyFrame:
    """The same columns, checked alike, as a frame that is read when it is collected.

    What is damaged further on in the file is found then: collect it inside `readable`.
    """
    frame = scan_parquet(path, list(columns))
    schema = frame.collect_schema()
    for name, kind in columns.items():
        if not _fits(schema[name], kind):
            wanted, remedy = KINDS[kind]
            raise InputError(
                f"{path}: column {name!r} holds {schema[name]}, not {wanted}; {remedy}"
            )
    times = [name for name, kind in columns.items() if kind == "time"]
    frame = frame.with_columns(_utc(name, schema[name]) for name in times)
    with readable(path):
        n_null = frame.select(pl.all().null_count()).collect(engine="streaming").row(0)
        for name, n in zip(columns, n_null, strict=True):
            if n:
                row = frame.select(pl.col(name).is_null().arg_max()).collect().item()
                raise InputError(
                    f"{path}: row {row}: column {name!r} is null; remove the row or fill it in"
                )
        for name in times:
            _refuse_wrong_unit(path, frame, name)
    return frame


KINDS = {
    "id": ("integers or strings", "convert it and write again"),
    "integer": ("integers", "convert it and write again"),
    "time": (
        "datetimes",
        "convert it, seconds since 1970 for example by polars.from_epoch(..., time_unit='s')",
    ),
}
# Times of today that were read in too small a unit (seconds as milliseconds, and so on) lie in the
# first three weeks of 1970; in too large a unit they lie thousands of years ahead.
FIRST_TIME, LAST_TIME = datetime(1970, 2, 1), datetime(2200, 1, 1)


def _fits(dtype: pl.DataType, kind: str) -> bool:
    if kind == "time":
        return isinstance(dtype, pl.Datetime)
    return dtype.is_integer() or (kind == "id" and dtype == pl.String)


def _utc(name: str, dtype: pl.DataType) -> pl.Expr:
    """Times in microseconds of UTC; those without a time zone are taken as UTC."""
    time = pl.col(name)
    if getattr(dtype, "time_zone", None):
        time = time.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return time.dt.cast_time_unit("us")


def _refuse_wrong_unit(path: Path, frame: pl.LazyFrame, name: str) -> None:
    """Raise `InputError` where every time lies before, or one after, what a clock ever showed."""
    micros = pl.col(name).to_physical()
    low, high = frame.select(low=micros.min(), high=micros.max()).collect(engine="streaming").row(0)
    if high is None:
        return
    first, last = (int(t.replace(tzinfo=UTC).timestamp() * 1e6) for t in (FIRST_TIME, LAST_TIME))
    if high < first or high >= last:
        when = f"before {FIRST_TIME:%B %Y}" if high < first else f"after {LAST_TIME:%Y}"
        which = "every" if high < first or low >= last else "a"
        raise InputError(
            f"{path}: {which} {name} lies {when}, so its unit was mistaken; write it again with "
            "polars.from_epoch and the unit that the numbers are in ('s', 'ms', 'us')"
        )


def refuse_duplicates(path: Path, frame: pl.DataFrame, columns: list[str]) -> None:
    """Raise `InputError` at the first row whose `columns` repeat an earlier row's."""
    if frame.select(pl.struct(columns).hash().n_unique()).item() == len(frame):
        return  # distinct hashes, distinct rows: several times faster than comparing rows
    repeated = ~frame.select(pl.struct(columns).is_first_distinct()).to_series()
    if repeated.any():
        row = int(repeated.arg_true()[0])
        what = ", ".join(f"{name} {frame[name][row]}" for name in columns)
        raise InputError(f"{path}: row {row}: {what} stands there twice; keep one row")


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file: a card or dataset.json; empty where there is no file.

    Raises `InputError` for a file that is damaged or holds no object.
    """
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not readable JSON ({error}); mend or remove it") from error
    if not isinstance(values, dict) or not isinstance(values.get("splits", {}), dict):
        raise InputError(f"{path}: holds no JSON object, or splits that is none; use braces")
    return values


def open_header(path: Path) -> tuple[int, int]:
    """The shape of a .npy file of vectors (rows, width); raises as `open_vectors` does."""
    vectors = _map_vectors(path)
    return vectors.shape[0], vectors.shape[1]


def open_vectors(path: Path, n_rows: int | None = None) -> np.ndarray:
    """Open a .npy file of vectors [n_rows x width] without reading it whole.

    Raises `InputError` for a missing, empty, truncated, pickled or non-numeric file, a wrong
    shape, or a row with a value that is not a finite float32. No pickle is ever loaded.
    """
    vectors = _map_vectors(path)
    if n_rows is not None and len(vectors) != n_rows:
        raise InputError(
            f"{path}: has {len(vectors)} rows for {n_rows} tracks; "
            "save one row per track in the order of tracks.parquet"
        )
    _refuse_not_finite(path, tuple(file_state(path)))
    return vectors


def read_vectors(path: Path, rows: np.ndarray) -> np.ndarray:
    """Rows of a .npy file of vectors, float32 [len(rows) x width]; raises as `open_vectors` does.

    Memory is needed for these rows alone: a part of the file is mapped at a time.
    """
    found = np.empty((len(rows), open_vectors(path).shape[1]), np.float32)
    for start in range(0, len(rows), VECTOR_BLOCK):
        block = slice(start, start + VECTOR_BLOCK)
        found[block] = _map_vectors(path)[rows[block]]
    return found


@lru_cache(maxsize=64)
def _refuse_not_finite(path: Path, state: tuple[int, ...]) -> None:
    """Raise `InputError` at the first row that is not finite; once for each `state` of a file."""
    for start in range(0, len(_map_vectors(path)), VECTOR_BLOCK):
        block = _map_vectors(path)[start : start + VECTOR_BLOCK]
        with np.errstate(over="ignore"):
            usable = np.isfinite(np.asarray(block, np.float32)).all(axis=1)
        if not usable.all():
            row = int(np.argmin(usable))
            what = "NaN or infinite; compute that track's vector again or remove the track"
            if np.isfinite(block[row]).all():
                what = "beyond float32; scale the vectors"
            raise InputError(f"{path}: row {start + row}: a value is {what}")


def repeated_rows(vectors: np.ndarray) -> np.ndarray:
    """Positions of the rows that equal an earlier row, ascending."""
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in vectors]
    return np.flatnonzero(~pl.Series(digests).is_first_distinct().to_numpy())


def _map_vectors(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"{path}: no such file; put the vectors there or choose another backend")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; write the vectors again")
    with path.open("rb") as file:
        start = file.read(len(NPY_MAGIC))
    try:
        if start != NPY_MAGIC:
            raise ValueError("pickle" if start[:1] == b"\x80" else "no .npy header")
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        text = str(error).lower()
        if "object" in text or "pickle" in text:
            raise InputError(
                f"{path}: holds pickled objects, which are never loaded; "
                "save a plain float32 array with numpy.save"
            ) from error
        raise InputError(
            f"{path}: not a readable .npy file (truncated or of another format); "
            "save the array again with numpy.save"
        ) from error
    if vectors.dtype.kind != "f":
        raise InputError(
            f"{path}: holds {vectors.dtype}, not floating-point numbers; save it as float32"
        )
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise InputError(
            f"{path}: has shape {vectors.shape}; save one row per track: tracks x embedding size"
        )
    if not len(vectors):
        raise InputError(f"{path}: has no rows; save one row per track")
    return vectors


def refuse_unknown(
    path: Path,
    frame: pl.DataFrame,
    column: str,
    known: pl.Series,
    what: str,
    rows: pl.Series | None = None,
) -> None:
    """Raise `InputError` at the first row whose id is not among the known.

    `rows` are the frame's rows in the file where it does not hold all of it.
    """
    if frame.schema[column] != known.dtype and (
        frame.schema[column] == pl.String or known.dtype == pl.String
    ):
        raise InputError(
            f"{path}: column {column!r} holds {frame.schema[column]}, {what} hold {known.dtype}; "
            "write the same kind of id in both"
        )
    said = f"{column} {{}} is not among the {what}; add it there or remove the row"
    refuse_rows(path, ~frame[column].is_in(known.implode()), frame[column], said, rows)


def refuse_rows(
    path: Path, wrong: pl.Series, values: pl.Series, said: str, rows: pl.Series | None = None
) -> None:
    """Raise `InputError` at the first row that is wrong: `said`, with the row's value at its {}.

    `rows` are the rows in the file where `wrong` does not have all of them.
    """
    if wrong.any():
        at = int(wrong.arg_true()[0])
        row = at if rows is None else rows[at]
        raise InputError(f"{path}: row {row}: {said.format(values[at])}")


def read_pairs(files: dict[str, Path], tracks: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Read a split's files by part and check what they promise each other. Raises `InputError`."""
    parts = {part: read_frame(path, PAIR_COLUMNS) for part, path in files.items()}
    train, cut = parts["train"], parts["train"]["timestamp"].max()
    if not len(train):
        raise InputError(f"{files['train']}: has no rows; a train part needs plays")
    warm, users = train["track_id"].unique(), train["user_id"].unique()
    for part, frame in parts.items():
        path = files[part]
        refuse_duplicates(path, frame, ["user_id", "track_id"])
        refuse_unknown(path, frame, "track_id", tracks["track_id"], "tracks")
        if part == "train":
            continue
        refuse_unknown(path, frame, "user_id", users, "train users")
        times, ids = frame["timestamp"], frame["track_id"]
        if part != "cold_val":  # these may be new tracks of the train period
            said = (
                f"{{}} is before the last train play ({cut!s}); "
                "a test row must lie after the cut: split by time again"
            )
            refuse_rows(path, times < cut, times, said)
        trained = ids.is_in(warm.implode())
        if part.startswith("cold"):
            said = "track {} is played in train; a cold track must not be: move the row to hot_test"
            refuse_rows(path, trained, ids, said)
        else:
            said = "track {} is not played in train; a hot track must be: move the row to cold_test"
            refuse_rows(path, ~trained, ids, said)
    if "cold_val" in parts:
        ids = parts["cold_test"]["track_id"]
        both = ids.is_in(parts["cold_val"]["track_id"].implode())
        said = "track {} is in cold_val too; keep its rows in one of the two"
        refuse_rows(files["cold_test"], both, ids, said)
    return parts


def split_files(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of a split, those it must have whether they are there or not."""
    files = {part: folder / f"{part}{suffix}" for part in PARTS}
    extra = folder / f"cold_val{suffix}"
    return files | ({"cold_val": extra} if extra.exists() else {})
