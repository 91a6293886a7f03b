"""Commands without a home folder, or with one that cannot be written."""

import os
from pathlib import Path

import pytest

from mrs.backends import caches, weights
from mrs.backends.mfcc import MFCC
from mrs.backends.musicnn import MusiCNN
from mrs.backends.weights import require
from mrs.errors import InputError


@pytest.mark.parametrize("elsewhere", [True, False])
def test_numba_has_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # taken back behind the test
    monkeypatch.setattr(caches, "_writable", lambda _: elsewhere)
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(caches.atexit, "register", lambda *_, **__: None)
    caches.give_numba_a_cache()
    given = os.environ["NUMBA_CACHE_DIR"]
    assert [str(path) for path in tmp_path.iterdir()] == ([] if elsewhere else [given])


def test_places_that_can_be_written(tmp_path: Path) -> None:
    assert caches._writable(tmp_path / "new" / "below")
    assert list(tmp_path.iterdir()) == []
    for place in ("/proc/none/.cache", "/dev/null/x"):
        assert not caches._writable(Path(place))


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No $HOME, and a user whom the system does not list."""

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.setattr(weights, "ASSETS", tmp_path / "assets")
    for name in ("XDG_CACHE_HOME", "MRS_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder(tmp_path: Path) -> None:
    assert caches.cache_folder() is None
    require(MFCC())  # needs no weights
    with pytest.raises(InputError, match=r"MusiCNN: there is no home folder .* set HOME, or MRS_W"):
        require(MusiCNN())
    with pytest.raises(InputError, match="no such file; fetch the weights"):
        require(MusiCNN(), tmp_path)
    with pytest.raises(InputError, match="there is no home folder"):
        weights.fetch(MusiCNN())


def test_a_cache_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert caches.cache_folder() == Path("/somewhere")
