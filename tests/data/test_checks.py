"""Every wrong file gives one line with the file, the row and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mrs.data.checks import open_vectors, read_frame, refuse_duplicates, repeated_rows
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
