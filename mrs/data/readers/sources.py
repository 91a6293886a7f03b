"""Where public datasets are fetched from: addresses, checksums and sizes, file by file.

Music4All-Onion is version 2 of its record, whose listing states md5 and size of every file at the
time of the download. Yambda's host states sha256 and size of a file on request.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import quote

from mrs.data import download
from mrs.data.cards import DataCard, load
from mrs.data.dataset import data_home
from mrs.data.download import gigabytes
from mrs.errors import InputError

ZENODO = "https://zenodo.org"
RECORD = "15394646"
HUB = "https://huggingface.co/datasets/yandex/yambda/resolve/main"
CHECKSUM = re.compile("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class File:
    """A file of a source, by its place below the source's folder.

    `checksum` is as in `download.fetch`, `size` in bytes; the host states what is None. `needed`
    are those that `data reduce` reads.
    """

    name: str
    needed: bool = False
    checksum: str | None = None
    size: int | None = None

    def fits(self, pattern: str) -> bool:
        """Whether a shell pattern is of this file's name or its stem."""
        stem = Path(self.name).name.split(".")[0]
        return fnmatchcase(self.name, pattern) or fnmatchcase(stem, pattern)


@dataclass(frozen=True)
class Source:
    """A public dataset: the page that describes it, and its files as far as they are known here."""

    page: str
    files: tuple[File, ...]


SOURCES = {
    name: Source(card.source["page"], tuple(File(**file) for file in card.source["files"]))
    for name, card in load().items()
    if card.source
}


def fetch_dataset(name: str, into: Path | None = None, only: Sequence[str] = ()) -> Path:
    """Fetch a public dataset's files into a folder, continuing what was interrupted; returns it.

    By default those that `data reduce` reads, into `downloads/NAME` of `data_home()`; `only` are
    shell patterns of the files to fetch instead. Licence, origin, size and target are said on
    stderr before anything is written. What is there is checked and kept. Raises `InputError`.
    """
    card = _card(name)
    folder = into or data_home() / "downloads" / name
    files = _stated(name, _chosen(name, only))
    lacking = [file for file in files if not (folder / file.name).is_file()]
    known = [file.size for file in lacking if file.size is not None]
    size = gigabytes(sum(known)) + (" or more" if len(known) < len(lacking) else "")
    names = ", ".join(file.name for file in lacking) or "all are there"
    print(
        f"{card.title}, from {SOURCES[name].page}; licence: {card.text('licence')}\n"
        f"May be passed on: {card.text('redistribution')}\n"
        f"{len(lacking)} of {len(files)} files to fetch, {size}, into {folder}: {names}",
        file=sys.stderr,
    )
    for file in files:
        path = folder / file.name
        trouble = path.is_file() and download.difference(path, file.checksum, file.size)
        if trouble:
            raise InputError(
                f"{path}: {trouble}; it is damaged or another version: remove it and fetch again"
            )
    parts = [folder / f"{file.name}.part" for file in lacking]
    there = sum(part.stat().st_size for part in parts if part.is_file())
    download.require_space(folder, max(0, sum(known) - there))
    for file in lacking:
        if file.checksum is None:
            print(f"{file.name}: no checksum is stated, its length is checked", file=sys.stderr)
        download.fetch(_address(name, file), folder / file.name, file.checksum)
    return folder


def overview() -> str:
    """What can be fetched, as text."""
    lines = []
    for name, source in SOURCES.items():
        card = _card(name)
        needed = ", ".join(file.name for file in source.files if file.needed)
        further = ", ".join(file.name for file in source.files if not file.needed)
        lines += [
            f"{name}: {card.title}, {source.page}",
            f"  origin: {card.text('origin')}",
            f"  licence: {card.text('licence')}",
            f"  fetched: {needed}",
            f"  with --only: {further} ...",
        ]
    return "\n".join(lines)


def _card(name: str) -> DataCard:
    if name not in SOURCES:
        raise InputError(f"dataset {name!r} cannot be fetched; known: {', '.join(SOURCES)}")
    return load()[name]


def _chosen(name: str, only: Sequence[str]) -> list[File]:
    """The requested files, by default those that are needed."""
    files = list(SOURCES[name].files)
    if not only:
        return [file for file in files if file.needed]
    if name == "music4all-onion":
        files = _record()
    for pattern in only:
        if not any(file.fits(pattern) for file in files):
            there = ", ".join(file.name for file in files)
            raise InputError(f"--only {pattern}: no such file in {name}; there are {there}")
    return [file for file in files if any(map(file.fits, only))]


def _record() -> list[File]:
    """The files of the record by its listing; what is frozen here stays."""
    url = f"{ZENODO}/api/records/{RECORD}"
    frozen = {file.name: file for file in SOURCES["music4all-onion"].files if file.checksum}
    try:
        listed = [
            File(entry["key"], checksum=entry["checksum"], size=int(entry["size"]))
            for entry in download.read_json(url)["files"]
            if Path(entry["key"]).name == entry["key"] and CHECKSUM.fullmatch(entry["checksum"])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{url}: lists no files with key, checksum and size; its format has changed, fetch "
            f"them by hand from {SOURCES['music4all-onion'].page}"
        ) from error
    return [frozen.get(file.name, file) for file in listed]


def _stated(name: str, files: list[File]) -> list[File]:
    """The files with what their host states about them, where that is not known."""
    found = []
    for file in files:
        if file.size is None:
            stated = download.stated(_address(name, file))
            checksum = file.checksum or stated.checksum
            file = replace(file, checksum=checksum, size=stated.size)
        found.append(file)
    return found


def _address(name: str, file: File) -> str:
    if name == "music4all-onion":
        return f"{ZENODO}/records/{RECORD}/files/{quote(file.name)}?download=1"
    return f"{HUB}/{quote(file.name)}"
