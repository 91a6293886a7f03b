"""The dataset folder: one layout for the generated world, real data and a user's own.

`open_dataset` also reads the layout in which the authors of arXiv 2604.23077 publish theirs.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import polars as pl

from mrs.data import checks
from mrs.data.labels import one_value_each
from mrs.data.readers import authors
from mrs.data.rules import parse_rule
from mrs.data.splits import KNOWN_RULES, Split, TemporalRule, restrict, to_split
from mrs.data.tables import read_parquet, readable
from mrs.data.vectors import Card, FolderVectors, VectorSource
from mrs.errors import InputError
from mrs.files import Digests, values_digest, visible

PLAY_COLUMNS = {"user_id": "id", "track_id": "id", "timestamp": "time"}
TRACKS = "tracks.parquet"
INFO = "dataset.json"


class Renderer(Protocol):
    """The sound of a generated world's tracks, made when it is needed.

    `sample_rate` is in Hz; `version` is raised when the same world gets another sound.
    """

    sample_rate: int
    version: int

    def __call__(self, position: int) -> np.ndarray:
        """The clip of the track at a position: float32 [n], one channel."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset folder that passed the checks of its tracks; the rest is checked as it is read.

    A track's position is its row in `tracks`. `stored` are the vectors in the folder, `beside`
    further ones, of which a later source takes the place of an earlier one's names. `cold_ids` are
    the cold candidates where the layout names them. `covered` says which tracks take part in the
    splits, bool [n_tracks]; None means all. `renderer` is a generated world's, None for others.
    """

    spec: str
    folder: Path
    info: dict[str, Any]
    tracks: pl.DataFrame
    pair_files: dict[str, dict[str, Path]]
    stored: FolderVectors
    beside: tuple[VectorSource, ...] = ()
    cold_ids: pl.Series | None = None
    covered: np.ndarray | None = None
    renderer: Renderer | None = None

    @property
    def name(self) -> str:
        """The dataset's name, from dataset.json or its folder."""
        return str(self.info.get("name", self.folder.resolve().name))

    @property
    def generated(self) -> bool:
        """Whether listeners and tracks are generated."""
        return self.info.get("origin") == "generated"

    @property
    def knows_artists(self) -> bool:
        """Whether the tracks have a column of artists, where some may be null."""
        return "artist_id" in self.tracks.columns

    @cached_property
    def tie_order(self) -> np.ndarray:
        """A fixed permutation of the track positions, seeded by the dataset's name [n_tracks].

        Equal scores are ranked in this order, so that no order of ids can gain from ties.
        """
        return np.random.default_rng(self._name_seed).permutation(len(self.tracks))

    def drawn_tie_order(self, seed: int) -> np.ndarray:
        """Another permutation of the track positions for each seed of a run [n_tracks].

        It ranks what a recommender cannot but score equally: runs over several seeds then average
        over orders, and the spread over orders is a part of their spread over seeds.
        """
        return np.random.default_rng([self._name_seed, seed]).permutation(len(self.tracks))

    @property
    def _name_seed(self) -> int:
        return int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:8], "little")

    def with_vectors(self, source: VectorSource, covered: np.ndarray | None = None) -> Self:
        """The dataset with the vectors of one more source; nothing is written.

        Tracks that are not `covered` [n_tracks] are left out of every split, so that all systems
        choose among the same tracks.
        """
        if covered is not None and covered.all():
            covered = None
        return replace(self, beside=(*self.beside, source), covered=covered)

    def backends(self) -> list[str]:
        """The names of the backends with vectors: the known ones in their order first."""
        names = self.stored.names()
        for source in self.beside:
            names = [name for name in names if name not in source.names()] + source.names()
        return names

    def _source(self, backend: str) -> VectorSource:
        return next((s for s in reversed(self.beside) if backend in s.names()), self.stored)

    def card(self, backend: str) -> Card:
        """The backend's card; vectors without one are of origin "file"."""
        return self._source(backend).card(backend)

    def vectors(self, backend: str, positions: np.ndarray | None = None) -> np.ndarray:
        """The vectors of the tracks at `positions` (default: all) as float32 [n x width]."""
        return self._source(backend).vectors(backend, positions)

    def truth(self, name: str) -> np.ndarray | None:
        """A generated world's known play probabilities [n_users x n_tracks], else None.

        `name` is "oracle" or "oracle_content"; rows in the order of the sorted user ids.
        """
        path = self.folder / "truth" / f"{name}.npy"
        return checks.open_vectors(path) if path.is_file() else None

    def splits(self) -> list[str]:
        """Names of the splits, the default first."""
        return [*self.pair_files, *self.info.get("splits", {})] or [
            name for name, rule in KNOWN_RULES.items() if (self.folder / rule.source).exists()
        ]

    def _rule(self, name: str) -> TemporalRule | None:
        """The rule that makes the split, None where it lies in files."""
        if name in self.pair_files:
            return None
        if name in self.info.get("splits", {}):
            return parse_rule(f"{self.folder / INFO}: splits.{name}", self.info["splits"][name])
        if name in KNOWN_RULES:
            return KNOWN_RULES[name]
        raise InputError(
            f"{self.folder}: no split {name!r}; known: {', '.join(self.splits()) or 'none'}"
        )

    def split_name(self, name: str | None = None) -> str:
        """The split's name, the default's for None. Raises `InputError` where there is none."""
        if name is None:
            if not self.splits():
                raise InputError(
                    f"{self.folder}: no split; put {', '.join(checks.PARTS)} files under "
                    "splits/NAME/ or listens.parquet with a split rule in dataset.json"
                )
            return self.splits()[0]
        self._rule(name)
        return name

    def validates_cold(self, name: str) -> bool:
        """Whether the split has cold validation tracks."""
        rule = self._rule(name)
        return "cold_val" in self.pair_files[name] if rule is None else rule.validates_cold

    def split(self, name: str | None = None) -> Split:
        """Read and check a split, or make it by its rule; None is the default split."""
        whole = self._whole_split(self.split_name(name))
        return whole if self.covered is None else restrict(whole, self.covered)

    def _whole_split(self, name: str) -> Split:
        rule = self._rule(name)
        if rule is None:
            parts = checks.read_pairs(self.pair_files[name], self.tracks)
            return to_split(name, parts, self.tracks, self.cold_ids)
        path = self.folder / rule.source
        plays = checks.scan_frame(path, PLAY_COLUMNS)
        with readable(path):
            first = plays.with_row_index("row").group_by("track_id").agg(pl.col("row").min())
            ids = first.collect(engine="streaming").sort("row")
            known = self.tracks["track_id"]
            checks.refuse_unknown(path, ids, "track_id", known, "tracks", ids["row"])
            parts = rule.cut(plays)
        if not len(parts["train"]):
            raise InputError(
                f"{path}: no train play before {rule.test_start:%Y-%m-%d}: check the rule"
            )
        cold = parts["cold"]["track_id"] if "cold" in parts else None
        return to_split(name, parts, self.tracks, cold)

    def split_digest(self, name: str, digests: Digests) -> str:
        """A digest of all that decides the split: its files or its rule, plays, tracks left out."""
        rule = self._rule(name)
        files = [self.folder / rule.source] if rule else list(self.pair_files[name].values())
        files.append(self.folder / TRACKS)
        content = [self.stored.content_digest(path, digests) for path in files if path.is_file()]
        whole = values_digest({"rule": repr(rule), "content": content})
        if self.covered is None:
            return whole
        return values_digest([whole, np.flatnonzero(self.covered).tolist()])

    def vector_digest(self, backend: str, digests: Digests) -> str:
        """A digest of all that decides the backend's vectors."""
        return self._source(backend).digest(backend, digests)

    def truth_digest(self, name: str, digests: Digests) -> str:
        """A digest of a known truth."""
        return self.stored.content_digest(self.folder / "truth" / f"{name}.npy", digests)

    def artist_names(self) -> np.ndarray:
        """The name of each track's artist, its id where it has no name, or "" [n_tracks]."""
        for column in ("artist", "artist_id"):
            if column in self.tracks.columns:
                return self.tracks[column].cast(pl.String).fill_null("").to_numpy()
        return np.full(len(self.tracks), "")

    def titles(self) -> np.ndarray:
        """The title of each track, or its id where no titles are known [n_tracks]."""
        column = "title" if "title" in self.tracks.columns else "track_id"
        return self.tracks[column].cast(pl.String).fill_null("").to_numpy()


def data_home() -> Path:
    """Where datasets are looked for by name and generated: $MRS_DATA, or `data/` here."""
    return Path(os.environ.get("MRS_DATA", "data"))


def open_dataset(spec: str | Path) -> Dataset:
    """Open a dataset by name or folder.

    "demo" is the generated world with its default parameters, "demo:seed=1,n_users=400" another
    one; both are generated under `data_home()` when they are not there. Anything else is a
    folder, or the name of one under `data_home()`. Raises `InputError`.
    """
    spec = str(spec)
    if spec == "demo" or spec.startswith("demo:"):
        from mrs.world.demo import generated_folder  # which imports this module: the one arrow back

        return _open_own(spec, generated_folder(spec, data_home()))
    folder = Path(spec)
    if not folder.is_dir():
        folder = data_home() / spec
    if not folder.is_dir():
        raise InputError(
            f"{spec}: no such dataset; give a folder, or `demo` for the generated world"
        )
    if (folder / TRACKS).exists():
        return _open_own(spec, folder)
    if any((folder / f"{part}.pqt").exists() for part in checks.PARTS):
        return _open_authors(spec, folder)
    raise InputError(
        f"{folder}: holds neither tracks.parquet nor train.pqt; see the layout in README.md"
    )


def _open_own(spec: str, folder: Path) -> Dataset:
    path = folder / TRACKS
    checks.read_frame(path, {"track_id": "id"})
    tracks = one_value_each(path, read_parquet(path))
    checks.refuse_duplicates(path, tracks, ["track_id"])
    split_folders = [path for path in visible(folder / "splits") if path.is_dir()]
    pair_files = {p.name: checks.split_files(p, ".parquet") for p in split_folders}
    info = checks.read_object(folder / INFO)
    renderer = None
    if "generator" in info:
        from mrs.world.demo import complete

        info, renderer = complete(info, tracks)
    stored = FolderVectors(folder, info, tracks["track_id"])
    return Dataset(spec, folder, info, tracks, pair_files, stored, renderer=renderer)


def _open_authors(spec: str, folder: Path) -> Dataset:
    tracks, files, cold_ids = authors.read_layout(folder)
    info = {"name": folder.resolve().name, "origin": "real", "layout": "authors"}
    info |= checks.read_object(folder / INFO)
    stored = FolderVectors(folder, info, tracks["track_id"], tracks["track_id"].to_numpy())
    return Dataset(spec, folder, info, tracks, files, stored, cold_ids=cold_ids)
