import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from mrs.errors import StorageError
from mrs.files import Digests, file_state, scratch_folder, write_json

# sha256 of "abc" and of "abd"
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
ABD = "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9"


def replaced_in_place(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def copied_with_its_times(path: Path, other: Path) -> None:
    shutil.copy2(other, path)  # cp -p


def renamed(path: Path, other: Path) -> None:
    other.replace(path)  # mv


@pytest.mark.parametrize("change", [replaced_in_place, copied_with_its_times, renamed])
def test_another_content_of_the_same_size_and_time(tmp_path: Path, change: Any) -> None:
    path, other, cache = tmp_path / "a", tmp_path / "b", tmp_path / "cache.json"
    path.write_bytes(b"abc")
    other.write_bytes(b"abd")
    for each in (path, other):
        os.utime(each, ns=(10**18, 10**18))
    assert Digests(cache).of_file(path) == ABC
    change(path, other)
    os.utime(path, ns=(10**18, 10**18))
    assert path.stat().st_mtime_ns == 10**18
    assert Digests(cache).of_file(path) == ABD


def test_what_is_known_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, cache = tmp_path / "a", tmp_path / "cache.json"
    path.write_bytes(b"abc")
    Digests(cache).of_file(path)
    assert json.loads(cache.read_text()) == {str(path): [*file_state(path), ABC]}
    known = Digests(cache)
    monkeypatch.delattr(Path, "open")
    assert known.of_file(path) == ABC


DAMAGED = [
    "",
    "{",
    "null",
    "[1, 2]",
    "[" * 100_000,
    '{"PATH": null}',
    '{"PATH": [3, 1]}',
    '{"PATH": {"size": 3}}',
    '{"PATH": [3, 1, "DIGEST"]}',  # size, time and digest
    '{"PATH": [STATE, 5]}',
    '{"PATH": [STATE, "abc"]}',
    '{"PATH": "abcde", "other": [STATE, "DIGEST"]}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_cache_is_built_again(tmp_path: Path, text: str) -> None:
    path, cache = tmp_path / "a", tmp_path / "cache.json"
    path.write_bytes(b"abc")
    state = ", ".join(map(str, file_state(path)))
    text = text.replace("PATH", str(path)).replace("STATE", state).replace("DIGEST", ABD)
    cache.write_text(text)
    assert Digests(cache).of_file(path) == ABC
    assert json.loads(cache.read_text())[str(path)] == [*file_state(path), ABC]


def test_a_cache_of_bytes_or_a_folder_in_its_place(tmp_path: Path) -> None:
    path, cache = tmp_path / "a", tmp_path / "cache.json"
    path.write_bytes(b"abc")
    cache.write_bytes(b"\xff\xfe{")
    assert Digests(cache).of_file(path) == ABC
    assert Digests(tmp_path).of_file(path) == ABC  # cannot be kept


def test_a_scratch_folder_is_renamed_or_removed(tmp_path: Path) -> None:
    with scratch_folder(tmp_path / "below" / "whole") as folder:
        write_json(folder / "a.json", {"é": 1})
        folder.rename(tmp_path / "below" / "whole")
    assert (tmp_path / "below/whole/a.json").read_text(encoding="utf-8") == '{\n  "é": 1\n}\n'
    half = scratch_folder(tmp_path / "half")
    with pytest.raises(ValueError, match="no"), half as folder:  # noqa: PT012 - it fails half way
        write_json(folder / "a.json", {})
        raise ValueError("no")
    assert [path.name for path in tmp_path.iterdir()] == ["below"]
    within_a_file = scratch_folder(tmp_path / "below/whole/a.json/b")
    with pytest.raises(StorageError, match="cannot be written"), within_a_file:
        pass
