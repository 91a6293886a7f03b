"""Every wrong file gives one line with the file, the row and the remedy."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mrs.data.checks import (
    open_vectors,
    read_frame,
    read_vectors,
    refuse_duplicates,
    repeated_rows,
)
from mrs.errors import InputError

COLUMNS = {"user_id": "id", "track_id": "id"}


@contextmanager
def fails(path: Path, *words: str) -> Iterator[None]:
    """Expect a one-line InputError that names the file and holds the words."""
    with pytest.raises(InputError) as caught:
        yield
    text = str(caught.value)
    assert "\n" not in text
    for word in (str(path), *words):
        assert word in text


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.parquet"
    pl.DataFrame(
        {"user_id": [1, 2, 2], "track_id": [5, 5, 6], "extra": ["", "", ""]}
    ).write_parquet(path)
    return path


def test_good_frame_keeps_the_named_columns(good: Path) -> None:
    assert read_frame(good, COLUMNS).rows() == [(1, 5), (2, 5), (2, 6)]


def test_missing_file(tmp_path: Path) -> None:
    with fails(tmp_path / "none.parquet", "no such file"):
        read_frame(tmp_path / "none.parquet", COLUMNS)


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    path.touch()
    with fails(path, "empty"):
        read_frame(path, COLUMNS)


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.99])
def test_truncated_file(good: Path, kept: float) -> None:
    content = good.read_bytes()
    good.write_bytes(content[: int(kept * len(content))])
    with fails(good, "truncated"):
        read_frame(good, COLUMNS)


def test_not_parquet(tmp_path: Path) -> None:
    path = tmp_path / "text.parquet"
    path.write_text("user_id,track_id\n1,2\n")
    with fails(path, "not a readable parquet file"):
        read_frame(path, COLUMNS)


def test_missing_column(good: Path) -> None:
    with fails(good, "no column 'timestamp'", "user_id"):
        read_frame(good, COLUMNS | {"timestamp": "time"})


def test_wrong_kind(good: Path) -> None:
    with fails(good, "'track_id' holds Int64, not datetimes"):
        read_frame(good, {"track_id": "time"})


def test_null_names_its_row(tmp_path: Path) -> None:
    path = tmp_path / "null.parquet"
    pl.DataFrame({"user_id": [1, 2, None], "track_id": [1, 2, 3]}).write_parquet(path)
    with fails(path, "row 2", "user_id"):
        read_frame(path, COLUMNS)


def test_duplicate_names_its_row(good: Path) -> None:
    frame = pl.DataFrame({"user_id": [1, 2, 1], "track_id": [5, 5, 5]})
    with fails(good, "row 2", "user_id 1", "track_id 5"):
        refuse_duplicates(good, frame, ["user_id", "track_id"])


def test_good_vectors_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.arange(6, dtype=np.float32).reshape(3, 2))
    vectors = open_vectors(path, 3)
    assert isinstance(vectors, np.memmap)
    assert vectors.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("row", [0, 5000, 9999])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_not_finite(tmp_path: Path, row: int, value: float) -> None:
    path = tmp_path / "x.npy"
    vectors = np.ones((10_000, 3), dtype=np.float32)
    vectors[row, 1] = value
    np.save(path, vectors)
    with fails(path, f"row {row}:"):
        open_vectors(path)


def test_vectors_of_wrong_shape(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones((4, 3), dtype=np.float32))
    with fails(path, "4 rows for 5 tracks"):
        open_vectors(path, 5)
    np.save(path, np.ones(4, dtype=np.float32))
    with fails(path, "shape (4,)"):
        open_vectors(path)


def test_vectors_of_wrong_type(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones((4, 3), dtype=np.int64))
    with fails(path, "int64"):
        open_vectors(path)


def test_pickled_vectors_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with fails(path, "pickled"):
        open_vectors(path)


@pytest.mark.parametrize("kept", [0, 4, 60, 200])
def test_truncated_vectors(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones((20, 3), dtype=np.float32))
    path.write_bytes(path.read_bytes()[:kept])
    with fails(path, "again", "truncated" if kept else "empty"):
        open_vectors(path)


def test_repeated_rows() -> None:
    rows = np.array([[1.0, 2], [3, 4], [1, 2], [1, 2], [0, 0]])
    assert repeated_rows(rows).tolist() == [2, 3]


UTC_TIMES = [datetime(2019, 1, 31, 23, 30), datetime(2019, 2, 1, 0, 30)]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York", "Asia/Kolkata"])
def test_times_are_read_as_utc_without_a_zone(tmp_path: Path, unit: str, zone: str | None) -> None:
    path = tmp_path / "x.parquet"
    times = pl.Series("timestamp", UTC_TIMES, pl.Datetime(unit))
    if zone:
        times = times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    times.to_frame().write_parquet(path)
    read = read_frame(path, {"timestamp": "time"})["timestamp"]
    assert read.dtype == pl.Datetime("us")
    assert read.to_list() == UTC_TIMES


@pytest.mark.parametrize("held_in", ["ms", "us", "ns"])
@pytest.mark.parametrize("numbers_are_in", ["s", "ms", "us"])
def test_times_in_a_mistaken_unit_are_refused(
    tmp_path: Path, held_in: str, numbers_are_in: str
) -> None:
    """Numbers of one unit, stored as if they were of another: the right one alone is read."""
    path = tmp_path / "x.parquet"
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    seconds = [1548977400, 1548981000]  # the two times above, since 1970
    numbers = pl.Series("timestamp", [s * per_second[numbers_are_in] for s in seconds])
    numbers.cast(pl.Datetime(held_in)).to_frame().write_parquet(path)
    if held_in == numbers_are_in:
        assert read_frame(path, {"timestamp": "time"})["timestamp"].to_list() == UTC_TIMES
        return
    later = per_second[numbers_are_in] > per_second[held_in]
    with fails(path, "every timestamp lies", "after 2200" if later else "before February 1970"):
        read_frame(path, {"timestamp": "time"})


def test_times_from_an_origin_of_their_own_are_kept(tmp_path: Path) -> None:
    """Yambda publishes seconds from an origin that it does not tell, over 300 days."""
    path = tmp_path / "x.parquet"
    days = [datetime(1970, 1, 1), datetime(1970, 10, 28)]
    pl.DataFrame({"timestamp": days}).write_parquet(path)
    assert read_frame(path, {"timestamp": "time"})["timestamp"].to_list() == days


def test_numbers_are_no_times(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pl.DataFrame({"timestamp": [1548977400]}).write_parquet(path)
    with fails(path, "holds Int64, not datetimes", "polars.from_epoch(..., time_unit='s')"):
        read_frame(path, {"timestamp": "time"})


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_vectors_of_every_float_and_order(tmp_path: Path, dtype: str, order: str) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([[0, 1], [2, 3], [4, 5]], dtype=dtype, order=order))
    assert np.asarray(open_vectors(path, 3), np.float32).tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones(4), "shape (4,)"),
        (np.ones((2, 3, 4)), "shape (2, 3, 4)"),
        (np.ones((4, 0)), "shape (4, 0)"),
        (np.float32(1), "shape ()"),
        (np.ones((0, 3), np.float32), "has no rows"),
        (np.ones((4, 3), complex), "complex128"),
        (np.ones((4, 3), bool), "bool"),
        (np.full((4, 3), "a"), "<U1"),
        (np.ones((4, 3), [("x", "f4")]), "not floating-point"),
        (np.array([[0, 1e39]]), "row 0: a value is beyond float32"),
    ],
)
def test_vectors_that_are_none(tmp_path: Path, array: np.ndarray, words: str) -> None:
    path = tmp_path / "x.npy"
    np.save(path, array)
    with fails(path, words):
        open_vectors(path)


def test_a_few_rows_of_a_large_file_need_their_own_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    vectors = np.random.default_rng(0).normal(size=(40_000, 64))
    np.save(path, vectors)  # 20 MB
    rows = np.array([39_999, 0, 7, 7])
    tracemalloc.start()
    found = read_vectors(path, rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vectors[rows].astype(np.float32))
    assert peak < 2e6


def test_a_file_that_changes_is_checked_again(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones((3, 2)))
    assert len(open_vectors(path)) == 3
    np.save(path, np.array([[1.0, 1.0], [np.nan, 1.0], [1.0, 1.0]]))
    with fails(path, "row 1: a value is NaN"):
        open_vectors(path)
