"""What a folder holds for the study, without what other programs leave in it."""

import re
import unicodedata
from pathlib import Path

from mrs.errors import InputError

# Hidden files and folders (.DS_Store, ._x.npy, .ipynb_checkpoints), backups and locks (~$x.npy,
# x.npy~), and the names that systems and archivers give to what they add.
FOREIGN = re.compile(
    r"[.~].*|.*~|__macosx|__pycache__|@eadir|lost\+found|thumbs\.db|desktop\.ini", re.IGNORECASE
)
# Names of vectors become names of pages and parts of their addresses.
NAME = re.compile(r"[\w .,+=()\[\]@-]+")


def visible(folder: Path, suffix: str = "") -> list[Path]:
    """The files and folders in `folder` that end in `suffix`, sorted; none if it is missing."""
    if not folder.is_dir():
        return []
    entries = (path for path in folder.iterdir() if not FOREIGN.fullmatch(path.name))
    return sorted(path for path in entries if path.name.endswith(suffix))


def vector_name(path: Path) -> str:
    """The backend's name that a .npy file gives, in Unicode's composed form.

    Raises `InputError` for a name that no page can have.
    """
    name = unicodedata.normalize("NFC", path.stem)
    if not NAME.fullmatch(name):
        raise InputError(
            f"{str(path)!a}: rename the file with letters, digits, spaces and "
            ". , + = ( ) [ ] @ _ - alone"
        )
    return name


def vector_files(folder: Path) -> dict[str, Path]:
    """The .npy files of a folder by the name of their backend.

    Raises `InputError` as `vector_name` does, and for two names that differ in case
    or in the form of their accents alone: file systems and readers take them for one.
    """
    files: dict[str, Path] = {}
    folded: dict[str, Path] = {}
    for path in visible(folder, ".npy"):
        if not path.is_file():
            continue
        name = vector_name(path)
        other = folded.setdefault(name.casefold(), path)
        if other is not path:
            raise InputError(
                f"{path}: its name differs from {other.name} in case or accents alone; rename one"
            )
        files[name] = path
    return files
