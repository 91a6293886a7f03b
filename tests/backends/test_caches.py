"""Commands without a home folder, or with one that cannot be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sounds import write_tone

from mrs.backends import caches, weights
from mrs.backends.mfcc import MFCC
from mrs.backends.pretrained import MusiCNN
from mrs.backends.weights import require
from mrs.errors import InputError

# numba as it is where the packages belong to somebody else
FOREIGN_PACKAGES = """
import sys, tempfile
whole = tempfile.TemporaryFile
def elsewhere(*rest, dir=None, **more):
    if dir and "site-packages" in str(dir):
        raise PermissionError(13, "Permission denied", str(dir))
    return whole(*rest, dir=dir, **more)
tempfile.TemporaryFile = elsewhere
from mrs.cli import main
sys.argv = ["mrs", "embed", "mfcc", "a.wav", "--out", "x.npy"]
main()
"""


@pytest.mark.slow
def test_mfcc_where_no_cache_can_be_written(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 1.0)
    (tmp_path / "tmp").mkdir()
    left_out = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"HOME": "/proc/none", "TMPDIR": str(tmp_path / "tmp")}
    environment["PYTHONPATH"] = str(Path(caches.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN_PACKAGES],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.npy").is_file()
    assert not list((tmp_path / "tmp").iterdir())  # the temporary cache is gone


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
