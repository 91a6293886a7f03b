"""What other programs leave in a folder is not seen; names of vectors are usable and distinct."""

import unicodedata
from pathlib import Path

import pytest

from mrs.data.vectors import vector_files
from mrs.errors import InputError
from mrs.files import visible

LEFT_BEHIND = [
    ".DS_Store",
    "._mert.npy",
    ".ipynb_checkpoints",
    ".mert.npy.part",
    ".~lock.mert.npy#",
    "~$mert.npy",
    "~lock.npy",
    "mert.npy~",
    "Thumbs.db",
    "desktop.ini",
    "__MACOSX",
    "@eaDir",
    "lost+found",
]


def test_what_other_programs_leave_is_not_seen(tmp_path: Path) -> None:
    for name in LEFT_BEHIND:
        (tmp_path / name).touch()
    for name in ("b.npy", "a.npy", "a.json"):
        (tmp_path / name).touch()
    assert [path.name for path in visible(tmp_path)] == ["a.json", "a.npy", "b.npy"]
    assert [path.name for path in visible(tmp_path, ".npy")] == ["a.npy", "b.npy"]
    assert visible(tmp_path / "none") == []


@pytest.mark.parametrize("name", ["my vectors (2)", "mert[1]", "mert-v1.5", "クラシック", "a=b"])
def test_names_of_vectors(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.npy").touch()
    (tmp_path / "folder.npy").mkdir()
    assert vector_files(tmp_path) == {name: tmp_path / f"{name}.npy"}


def test_accents_in_pieces_name_the_same_backend(tmp_path: Path) -> None:
    path = tmp_path / (unicodedata.normalize("NFD", "é") + ".npy")
    path.touch()
    assert vector_files(tmp_path) == {"é": path}


@pytest.mark.parametrize("pair", [("Mert", "mert"), ("\u00e9", "e\u0301"), ("STRASSE", "straße")])
def test_names_that_clash_are_refused(tmp_path: Path, pair: tuple[str, str]) -> None:
    for name in pair:
        (tmp_path / f"{name}.npy").touch()
    if len(list(tmp_path.iterdir())) < 2:
        pytest.skip("this file system takes the two for one")
    with pytest.raises(InputError, match="in case or accents alone; rename one"):
        vector_files(tmp_path)


@pytest.mark.parametrize("name", [b"<img src=x onerror=alert(1)>", b"a#b", b"a?b", b"\xff\xfe"])
def test_names_that_no_page_can_have_are_refused(tmp_path: Path, name: bytes) -> None:
    path = Path(f"{tmp_path}/".encode().decode() + name.decode(errors="surrogateescape") + ".npy")
    path.touch()
    with pytest.raises(InputError, match="rename the file with letters, digits") as caught:
        vector_files(tmp_path)
    str(caught.value).encode("ascii")
