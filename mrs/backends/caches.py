"""Folders for what is kept between commands, where there is no home folder to keep it in."""

import atexit
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path


def cache_folder() -> Path | None:
    """The user's cache folder, whether it can be written or not; None where there is none."""
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"])
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # no $HOME, and no entry in the list of users
        return None


def give_numba_a_cache() -> None:
    """Give numba a temporary folder for compiled code where it finds none by itself.

    It looks at $NUMBA_CACHE_DIR, beside the code and in the user's cache folder. Without any,
    librosa cannot be imported. Acts on processes in which numba has not been imported.
    """
    librosa = importlib.util.find_spec("librosa")
    cache = cache_folder()
    places = [
        os.environ.get("NUMBA_CACHE_DIR"),
        librosa and librosa.origin and Path(librosa.origin).parent / "__pycache__",
        cache and cache / "numba",
    ]
    if not any(place and _writable(Path(place)) for place in places):
        folder = tempfile.mkdtemp(prefix="mrs-numba-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = folder  # workers inherit it


def _writable(folder: Path) -> bool:
    """Whether a folder can be written to, or made."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False
