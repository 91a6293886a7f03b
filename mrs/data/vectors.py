"""Vectors of a dataset's tracks: files, their cards, and where else vectors may come from."""

import re
import unicodedata
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field
from typing_extensions import override

from mrs.data import checks
from mrs.errors import InputError
from mrs.files import Digests, values_digest, visible
from mrs.models import MODELS
from mrs.settings import Settings

Origin = Literal["audio", "file", "surrogate"]
# Names of vectors become names of pages and parts of their addresses.
NAME = re.compile(r"[\w .,+=()\[\]@-]+")


@dataclass(frozen=True)
class Card(Settings):
    """Where a backend's vectors came from.

    `origin` is "audio" (computed here from audio), "file" (the user's own, or downloaded) or
    "surrogate" (generated); a surrogate's `label` begins with "sim:". `embedding_size` is their
    width, `details` whatever else stands on the card.
    """

    backend: str
    origin: Origin
    embedding_size: Annotated[int, Field(ge=1)]
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name that tables and figures show."""
        return label_of(self.backend, self.origin)


def label_of(backend: str, origin: str) -> str:
    """The label of a backend's vectors of an origin, see `Card`."""
    name = MODELS[backend].label if backend in MODELS else backend
    return f"sim:{name}" if origin == "surrogate" else name


def read_card(vectors: Path, backend: str) -> Card:
    """The card beside a file of vectors; without one they are of origin "file".

    Raises `InputError` for a card that is no JSON object or names another origin.
    """
    path = vectors.with_suffix(".json")
    details = checks.read_object(path)
    card = {"backend": backend, "origin": details.pop("origin", "file"), "details": details}
    card["embedding_size"] = checks.open_header(vectors)[1]
    return Card.from_file(str(path), card)


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


class VectorSource(ABC):
    """Where vectors of a dataset's tracks come from, by the name of their backend."""

    @abstractmethod
    def names(self) -> list[str]:
        """The names of the backends that it has vectors of."""

    @abstractmethod
    def card(self, backend: str) -> Card:
        """The card of a backend's vectors. Raises `InputError` where it cannot be read."""

    @abstractmethod
    def vectors(self, backend: str, positions: np.ndarray | None = None) -> np.ndarray:
        """The vectors of the tracks at `positions` (default: all), float32 [n x width].

        Raises `InputError` for a file that cannot be used.
        """

    @abstractmethod
    def digest(self, backend: str, digests: Digests) -> str:
        """A digest of all that decides a backend's vectors."""


@dataclass(frozen=True, eq=False)
class FolderVectors(VectorSource):
    """The vectors in the folder `embeddings` of a dataset's folder.

    `info` is its dataset.json, `track_ids` are the raw ids [n_tracks]. `rows` maps positions to
    rows of the files [n_tracks], None where they are the same.
    """

    folder: Path
    info: dict[str, Any]
    track_ids: pl.Series
    rows: np.ndarray | None = None

    @override
    def names(self) -> list[str]:
        found = set(self._files)
        return [name for name in MODELS if name in found] + sorted(found - set(MODELS))

    @property
    def _files(self) -> dict[str, Path]:
        return vector_files(self.folder / "embeddings")

    def _file(self, backend: str) -> Path:
        files = self._files
        if backend not in files:
            known = ", ".join(self.names()) or "none"
            raise InputError(
                f"{self.folder / 'embeddings'}: no backend {backend!r} (there: {known}); "
                f"put its vectors there as {backend}.npy"
            )
        return files[backend]

    @override
    def card(self, backend: str) -> Card:
        return read_card(self._file(backend), backend)

    @override
    def vectors(self, backend: str, positions: np.ndarray | None = None) -> np.ndarray:
        path, n_tracks = self._file(backend), len(self.track_ids)
        stored = checks.open_vectors(path, n_tracks if self.rows is None else None)
        rows = np.arange(n_tracks) if self.rows is None else self.rows
        if rows.max(initial=-1) >= len(stored):
            at = int(np.argmax(rows >= len(stored)))
            raise InputError(
                f"{path}: has {len(stored)} rows, none for track {self.track_ids[at]}; "
                "save one row per raw track id"
            )
        return checks.read_vectors(path, rows if positions is None else rows[positions])

    @override
    def digest(self, backend: str, digests: Digests) -> str:
        # Vectors computed from a generated world's sound are known by what they were computed
        # from, as long as they are those that their card describes.
        path = self._file(backend)
        details = self.card(backend).details
        if "generator" in self.info and details.get("sha256") == digests.of_file(path):
            made_from = self.info["generator"], self.info.get("parameters"), details["inputs"]
            return values_digest(["heard", *made_from])
        return self.content_digest(path, digests)

    def content_digest(self, path: Path, digests: Digests) -> str:
        """The digest of a file in the folder; an unchanged generated one has its generator's.

        Files that another processor or library version generates may differ in last bits; what
        was drawn from the same parameters is the same input.
        """
        content = digests.of_file(path)
        name = path.relative_to(self.folder).as_posix()
        if "generator" in self.info and self.info.get("checksums", {}).get(name) == content:
            return values_digest([self.info["generator"], self.info.get("parameters"), name])
        return content
