"""Parquet and CSV files: paths are no patterns, and each fault has a line of its own."""

import ast
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mrs.data import tables
from mrs.errors import InputError

FRAME = pl.DataFrame({"user_id": [1, 2], "track_id": [5, 6]})
NAMES = ["set[1]", "set*", "what?", "{a,b}", "k=5", "a b", "50%20", "~", "é"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("other", ["set1", "setter", "whats"])
def test_a_path_is_no_pattern(tmp_path: Path, name: str, other: str) -> None:
    for folder, shift in ((other, 10), (name, 0)):
        (tmp_path / folder).mkdir()
        shifted = FRAME + shift
        shifted.write_parquet(tmp_path / folder / f"{folder}.parquet", metadata={"about": folder})
        shifted.write_csv(tmp_path / folder / f"{folder}.csv")
    path = tmp_path / name / f"{name}.parquet"
    assert tables.read_parquet(path).equals(FRAME)
    assert tables.scan_parquet(path, ["track_id"]).collect().equals(FRAME.select("track_id"))
    assert tables.scan_parts([path, path]).collect().equals(pl.concat([FRAME, FRAME]))
    assert tables.parquet_metadata(path)["about"] == name
    assert tables.read_csv(path.with_suffix(".csv")).equals(FRAME)


@pytest.mark.parametrize("name", ["~", "set[1]"])
def test_a_relative_path_is_no_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    FRAME.write_parquet(tmp_path / name / "x.parquet")
    assert tables.read_parquet(Path(name) / "x.parquet").equals(FRAME)


def test_the_package_reads_tables_through_this_module_alone() -> None:
    """Of the others only `audit_cases` reads any, also where the packages of mrs are missing."""
    package = Path(tables.__file__).parents[1]
    found, without_patterns = set(), set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(word.arg == "glob" for word in node.keywords):
                without_patterns.add(node.func)
            if (
                isinstance(node, ast.Attribute)
                and node not in without_patterns
                and node.attr.startswith(("read_", "scan_"))
                and isinstance(node.value, ast.Name)
                and node.value.id in {"pl", "polars", "pd", "pandas"}
            ):
                found.add(file.relative_to(package).as_posix())
    assert found == {"data/tables.py"}


def whole(path: Path) -> None:
    FRAME.write_parquet(path)


def truncated(path: Path) -> None:
    whole(path)
    path.write_bytes(path.read_bytes()[:-20])


def damaged(path: Path) -> None:
    """The first page is overwritten; the end, which names the columns, is whole."""
    whole(path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 40 + content[44:])


def parts(path: Path) -> None:
    path.mkdir()
    FRAME.write_parquet(path / "part-0.parquet")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such file"),
        (Path.touch, "the file is empty"),
        (truncated, "truncated"),
        (damaged, "damaged"),
        (parts, "is a folder, not one file; write its parts into one parquet file"),
        (FRAME.write_csv, "begins with b'user', as text such as CSV does"),
        (FRAME.write_ipc, "not a readable parquet file: it begins with b'ARRO'"),
    ],
)
def test_each_fault_of_a_parquet_file_has_its_line(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "x[1].parquet"
    make(path)
    with pytest.raises(InputError) as caught:
        tables.read_parquet(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert words in text
    assert "\n" not in text
    assert ("truncated" in text) == (make in (truncated, damaged))


def test_a_missing_column_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    whole(path)
    with pytest.raises(InputError, match=r"no column 'a', 'b'; it has user_id, track_id: rename"):
        tables.read_parquet(path, ["a", "user_id", "b"])


def test_a_column_of_another_type_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    whole(path)
    with (
        pytest.raises(InputError, match="its columns cannot be used as they are") as caught,
        tables.readable(path),
    ):
        tables.scan_parquet(path).select(pl.col("user_id").list.len()).collect()
    assert "truncated" not in str(caught.value)


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.parquet"
    whole(path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    for read in (tables.read_parquet, tables.read_csv):
        with pytest.raises(InputError, match="permission denied; let your user read it"):
            read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    whole(path)
    path.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        tables.read_parquet(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"a,b\n1,2,3\n", "not readable as CSV"),
        (b"a,b\n\xff\xfe,2\n", "not readable as CSV"),
    ],
)
def test_each_fault_of_a_csv_file_has_its_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        tables.read_csv(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        tables.read_csv(tmp_path / "none.csv")
