"""The dataset folder: one layout for the generated world, real data and a user's own.

`open_dataset` also reads the layout in which the authors of arXiv 2604.23077 publish theirs.
"""

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.backends import BACKENDS
from mrs.data import checks, demo
from mrs.data.digests import Digests, of_values
from mrs.data.folders import vector_files, visible
from mrs.data.labels import one_value_each
from mrs.data.render import Renderer
from mrs.data.rules import parse_rule
from mrs.data.splits import KNOWN_RULES, Split, TemporalRule, to_split
from mrs.data.tables import read_parquet, readable
from mrs.errors import InputError

PARTS = ("train", "val", "hot_test", "cold_test")
PAIR_COLUMNS = {"user_id": "id", "track_id": "id", "timestamp": "time", "count": "integer"}
PLAY_COLUMNS = {"user_id": "id", "track_id": "id", "timestamp": "time"}
TRACKS = "tracks.parquet"
ORIGINS = ("audio", "file", "surrogate")


@dataclass(frozen=True)
class Card:
    """Where a backend's vectors came from.

    `origin` is "audio" (computed here from audio), "file" (brought or downloaded) or "surrogate"
    (generated); a surrogate's `label` begins with "sim:".
    """

    backend: str
    origin: str
    embedding_size: int
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name that tables and figures show."""
        return label_of(self.backend, self.origin)


def label_of(backend: str, origin: str) -> str:
    """The label of a backend's vectors of an origin, see `Card`."""
    known = BACKENDS.get(backend)
    name = known.label if known else backend
    return f"sim:{name}" if origin == "surrogate" else name


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset folder that passed the checks of its tracks; the rest is checked as it is read.

    A track's position is its row in `tracks`. `vector_rows` maps positions to rows of the .npy
    files, None where they are the same; `cold_ids` are the cold candidates where the layout
    names them.
    """

    spec: str
    folder: Path
    info: dict[str, Any]
    tracks: pl.DataFrame
    pair_files: dict[str, dict[str, Path]]
    vector_rows: np.ndarray | None = None
    cold_ids: pl.Series | None = None

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

    @property
    def _vector_files(self) -> dict[str, Path]:
        return vector_files(self.folder / "embeddings")

    def backends(self) -> list[str]:
        """The names of the backends with vectors here: the known ones in their order first."""
        found = set(self._vector_files)
        return [name for name in BACKENDS if name in found] + sorted(found - set(BACKENDS))

    def _vector_file(self, backend: str) -> Path:
        if backend not in self.backends():
            known = ", ".join(self.backends()) or "none"
            raise InputError(
                f"{self.folder / 'embeddings'}: no backend {backend!r} (there: {known}); "
                f"put its vectors there as {backend}.npy"
            )
        return self._vector_files[backend]

    def card(self, backend: str) -> Card:
        """The backend's card; vectors without one are of origin "file"."""
        return read_card(self._vector_file(backend), backend)

    def vectors(self, backend: str, positions: np.ndarray | None = None) -> np.ndarray:
        """The vectors of the tracks at `positions` (default: all) as float32 [n x width]."""
        expected = len(self.tracks) if self.vector_rows is None else None
        path = self._vector_file(backend)
        stored = checks.open_vectors(path, expected)
        rows = self.vector_rows if self.vector_rows is not None else np.arange(len(self.tracks))
        if rows.max(initial=-1) >= len(stored):
            at = int(np.argmax(rows >= len(stored)))
            raise InputError(
                f"{path}: has {len(stored)} rows, none for track {self.tracks['track_id'][at]}; "
                "save one row a raw track id"
            )
        return np.asarray(stored[rows if positions is None else rows[positions]], np.float32)

    def truth(self, name: str) -> np.ndarray | None:
        """A generated world's known play probabilities [n_users x n_tracks], else None.

        `name` is "oracle" or "oracle_content"; rows in the order of the sorted user ids.
        """
        path = self.folder / "truth" / f"{name}.npy"
        return checks.open_vectors(path) if path.is_file() else None

    @cached_property
    def renderer(self) -> Renderer | None:
        """The sound of a generated world's tracks, made when it is asked for; None for others."""
        if "generator" not in self.info:
            return None
        return Renderer(self.tracks, self.info["parameters"]["seed"])

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
            where = f"{self.folder / 'dataset.json'}: splits.{name}"
            return parse_rule(where, self.info["splits"][name])
        if name in KNOWN_RULES:
            return KNOWN_RULES[name]
        raise InputError(
            f"{self.folder}: no split {name!r}; known: {', '.join(self.splits()) or 'none'}"
        )

    def split_name(self, name: str | None = None) -> str:
        """The split's name, the default's where none is asked for."""
        if name is None:
            if not self.splits():
                raise InputError(
                    f"{self.folder}: no split; put {', '.join(PARTS)} files under splits/NAME/ or "
                    "listens.parquet with a split rule in dataset.json"
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
        name = self.split_name(name)
        rule = self._rule(name)
        if rule is None:
            files = self.pair_files[name]
            return to_split(name, _read_pairs(files, self.tracks), self.tracks, self.cold_ids)
        path = self.folder / rule.source
        plays = checks.scan_frame(path, PLAY_COLUMNS)
        with readable(path):
            first = plays.with_row_index("row").group_by("track_id").agg(pl.col("row").min())
            ids = first.collect(engine="streaming").sort("row")
            _refuse_unknown(path, ids, "track_id", self.tracks["track_id"], "tracks", ids["row"])
            parts = rule.cut(plays)
        if not len(parts["train"]):
            raise InputError(
                f"{path}: no train play before {rule.test_start:%Y-%m-%d}: check the rule"
            )
        cold = parts["cold"]["track_id"] if "cold" in parts else None
        return to_split(name, parts, self.tracks, cold)

    def split_digest(self, name: str, digests: Digests) -> str:
        """A digest of all that decides the split: its files or its rule and plays."""
        rule = self._rule(name)
        files = [self.folder / rule.source] if rule else list(self.pair_files[name].values())
        files.append(self.folder / "tracks.parquet")
        content = [self._content(path, digests) for path in files if path.is_file()]
        return of_values({"rule": repr(rule), "content": content})

    def vector_digest(self, backend: str, digests: Digests) -> str:
        """A digest of the backend's vectors.

        Vectors computed from a generated world's sound are known by what they were computed from,
        as long as they are those that their card describes.
        """
        path = self._vector_file(backend)
        details = self.card(backend).details
        if "generator" in self.info and details.get("sha256") == digests.of_file(path):
            made_from = self.info["generator"], self.info.get("parameters"), details["inputs"]
            return of_values(["heard", *made_from])
        return self._content(path, digests)

    def truth_digest(self, name: str, digests: Digests) -> str:
        """A digest of a known truth."""
        return self._content(self.folder / "truth" / f"{name}.npy", digests)

    def _content(self, path: Path, digests: Digests) -> str:
        """A file's digest; an unchanged generated file has that of what generated it.

        Files that another processor or library version generates may differ in last bits; what
        was drawn from the same parameters is the same input.
        """
        content = digests.of_file(path)
        name = path.relative_to(self.folder).as_posix()
        if "generator" in self.info and self.info.get("checksums", {}).get(name) == content:
            return of_values([self.info["generator"], self.info.get("parameters"), name])
        return content

    def artist_names(self) -> np.ndarray:
        """An artist's name a track, or its id where there is no name, or "" [n_tracks]."""
        for column in ("artist", "artist_id"):
            if column in self.tracks.columns:
                return self.tracks[column].cast(pl.String).fill_null("").to_numpy()
        return np.full(len(self.tracks), "")

    def titles(self) -> np.ndarray:
        """A title a track, or its id where there is none [n_tracks]."""
        column = "title" if "title" in self.tracks.columns else "track_id"
        return self.tracks[column].cast(pl.String).fill_null("").to_numpy()


def read_card(vectors: Path, backend: str) -> Card:
    """The card beside a file of vectors; without one they are of origin "file"."""
    path = vectors.with_suffix(".json")
    details = _read_json(path)
    origin = details.pop("origin", "file")
    if origin not in ORIGINS:
        raise InputError(f"{path}: origin {origin!r}; write one of {', '.join(ORIGINS)}")
    return Card(backend, origin, checks.open_header(vectors)[1], details)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not readable JSON ({error}); mend or remove it") from error
    if not isinstance(values, dict) or not isinstance(values.get("splits", {}), dict):
        raise InputError(f"{path}: holds no JSON object, or splits that is none; use braces")
    return values


def _refuse_unknown(
    path: Path,
    frame: pl.DataFrame,
    column: str,
    known: pl.Series,
    what: str,
    rows: pl.Series | None = None,
) -> None:
    """Raise `InputError` at the first row whose id is not among the known.

    `rows` are the frame's rows in the file where it does not hold all of it.
    """
    if frame.schema[column] != known.dtype and (
        frame.schema[column] == pl.String or known.dtype == pl.String
    ):
        raise InputError(
            f"{path}: column {column!r} holds {frame.schema[column]}, {what} hold {known.dtype}; "
            "write the same kind of id in both"
        )
    unknown = ~frame[column].is_in(known.implode())
    if unknown.any():
        place = int(unknown.arg_true()[0])
        row = place if rows is None else rows[place]
        raise InputError(
            f"{path}: row {row}: {column} {frame[column][place]} is not among the {what}; "
            "add it there or remove the row"
        )


def _read_pairs(files: dict[str, Path], tracks: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Read a split's files and check what they promise each other."""
    parts = {part: checks.read_frame(path, PAIR_COLUMNS) for part, path in files.items()}
    train, cut = parts["train"], parts["train"]["timestamp"].max()
    if not len(train):
        raise InputError(f"{files['train']}: has no rows; a train part needs plays")
    warm, users = train["track_id"].unique(), train["user_id"].unique()
    for part, frame in parts.items():
        path = files[part]
        checks.refuse_duplicates(path, frame, ["user_id", "track_id"])
        _refuse_unknown(path, frame, "track_id", tracks["track_id"], "tracks")
        if part == "train":
            continue
        _refuse_unknown(path, frame, "user_id", users, "train users")
        early = frame["timestamp"] < cut
        if part != "cold_val" and early.any():  # these may be new tracks of the train period
            row = int(early.arg_true()[0])
            raise InputError(
                f"{path}: row {row}: {frame['timestamp'][row]} is before the last train play "
                f"({cut!s}); a test row must lie after the cut: split by time again"
            )
        trained = frame["track_id"].is_in(warm.implode())
        is_cold = part.startswith("cold")
        if is_cold and trained.any():
            row = int(trained.arg_true()[0])
            raise InputError(
                f"{path}: row {row}: track {frame['track_id'][row]} is played in train; "
                "a cold track must not be: move the row to hot_test"
            )
        if not is_cold and not trained.all():
            row = int((~trained).arg_true()[0])
            raise InputError(
                f"{path}: row {row}: track {frame['track_id'][row]} is not played in train; "
                "a hot track must be: move the row to cold_test"
            )
    if "cold_val" in parts:
        both = parts["cold_test"]["track_id"].is_in(parts["cold_val"]["track_id"].implode())
        if both.any():
            row = int(both.arg_true()[0])
            raise InputError(
                f"{files['cold_test']}: row {row}: track {parts['cold_test']['track_id'][row]} "
                "is in cold_val too; keep its rows in one of the two"
            )
    return parts


def _split_files(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of a split, those it must have whether they are there or not."""
    files = {part: folder / f"{part}{suffix}" for part in PARTS}
    extra = folder / f"cold_val{suffix}"
    return files | ({"cold_val": extra} if extra.exists() else {})


def _open_own(spec: str, folder: Path) -> Dataset:
    path = folder / TRACKS
    checks.read_frame(path, {"track_id": "id"})
    tracks = one_value_each(path, read_parquet(path))
    checks.refuse_duplicates(path, tracks, ["track_id"])
    split_folders = [path for path in visible(folder / "splits") if path.is_dir()]
    pair_files = {p.name: _split_files(p, ".parquet") for p in split_folders}
    info = _read_json(folder / "dataset.json")
    if info.get("generator") == demo.GENERATOR:  # also one written before a rule was added
        info["splits"] = demo.SPLITS | info.get("splits", {})
    return Dataset(spec, folder, info, tracks, pair_files)


def _open_authors(spec: str, folder: Path) -> Dataset:
    """The authors' layout: four .pqt files in one folder, vectors with row = raw track id.

    The tracks are all rows up to the last that a file names: the published KNN reads rows of
    tracks that nobody played. The cold candidates are exactly the tracks of cold_test, as in the
    authors' evaluation (589 of them there).
    """
    names = [f"{part}.pqt" for part in PARTS]
    present = [name for name in names if (folder / name).exists()]
    complete = len(present) == len(names)
    if "train.pqt" not in present:  # a part by itself, which a known rule cuts
        present = [r.source for r in KNOWN_RULES.values() if (folder / r.source).exists()]
        if not present:
            raise InputError(f"{folder}: no train.pqt; put the authors' four .pqt files there")
    kinds = {"track_id": "id"}
    frames = {name: checks.read_frame(folder / name, kinds) for name in present}
    named = pl.concat(list(frames.values()))["track_id"]
    if not named.dtype.is_integer() or (named < 0).any():
        raise InputError(
            f"{folder / present[0]}: track_id must be the row of the vectors, 0 or more"
        )
    n_rows = named.to_numpy().max(initial=-1) + 1
    tracks = pl.DataFrame({"track_id": pl.Series(np.arange(n_rows), dtype=named.dtype)})
    info = {"name": folder.resolve().name, "origin": "real", "layout": "authors"}
    return Dataset(
        spec,
        folder,
        info | _read_json(folder / "dataset.json"),
        tracks,
        {"temporal": _split_files(folder, ".pqt")} if complete or "train.pqt" in present else {},
        vector_rows=tracks["track_id"].to_numpy(),
        cold_ids=frames["cold_test.pqt"]["track_id"].unique() if complete else None,
    )


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
        parameters = demo.Params.parse(spec.removeprefix("demo").removeprefix(":"))
        folder = data_home() / parameters.folder_name()
        if not (folder / "dataset.json").is_file():
            print(f"generating the demo world in {folder} (seconds)", file=sys.stderr)
            demo.build(folder, parameters)
        dataset = _open_own(spec, folder)
        if dataset.info.get("generator") != demo.GENERATOR:
            raise InputError(
                f"{folder}: generated by another version of the generator; "
                "move your own files away and remove the folder"
            )
        return dataset
    folder = Path(spec)
    if not folder.is_dir():
        folder = data_home() / spec
    if not folder.is_dir():
        raise InputError(
            f"{spec}: no such dataset; give a folder, or `demo` for the generated world"
        )
    if (folder / TRACKS).exists():
        return _open_own(spec, folder)
    if any((folder / f"{part}.pqt").exists() for part in PARTS):
        return _open_authors(spec, folder)
    raise InputError(
        f"{folder}: holds neither tracks.parquet nor train.pqt; see the layout in README.md"
    )
