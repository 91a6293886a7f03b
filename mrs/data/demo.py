"""The demo world: a generated catalogue and its listeners, written as a dataset folder.

Everything in it is drawn from a seed. It shows whether a method recovers a known order and gives
tables a ceiling; it holds no evidence about real listeners or about any audio model.
"""

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from mrs.data.catalogue import CONTINUOUS, Catalogue, draw_catalogue
from mrs.data.digests import Digests
from mrs.data.listening import (
    Listeners,
    content_probability,
    draw_listeners,
    draw_plays,
    probability,
)
from mrs.data.names import artist_names, genre_names, track_titles
from mrs.data.params import Params
from mrs.data.surrogates import draw_surrogates
from mrs.errors import InputError

GENERATOR = 1  # raised when the same parameters give another world

START = np.datetime64("2018-02-01")

_WINDOW = {"train_start": "2018-02-01", "test_start": "2019-02-01", "test_end": "2019-03-01"}
SPLITS: dict[str, dict[str, object]] = {
    "temporal": {"rule": "temporal", **_WINDOW, "validation_share": 0.3, "seed": 42},
    "catalogue": {
        "rule": "catalogue",
        **_WINDOW,
        "validation_share": 0.3,
        "seed": 42,
        "min_core": 5,
        # Months rather than the last one alone: few tracks come out in each.
        "cold_validation_start": "2018-11-01",
    },
}

# One stream of random numbers a part: the catalogue of a seed stays when the listeners change.
_CATALOGUE, _LISTENERS, _PLAYS, _NAMES, _SURROGATES = range(5)


@dataclass(frozen=True)
class World:
    """A catalogue, its listeners and their plays, sorted by listener and time.

    `user` (int32) and `track` (int32) are positions in listeners and catalogue, `timestamp` is
    microseconds since 1970 (int64).
    """

    params: Params
    catalogue: Catalogue
    listeners: Listeners
    user: np.ndarray
    track: np.ndarray
    timestamp: np.ndarray

    def traits(self) -> np.ndarray:
        """Audible traits as one standardised matrix; float [T, 16]."""
        return self.catalogue.traits()

    def oracle(self) -> np.ndarray:
        """P(track | listener) in the test month; float32 [U, T], rows sum to 1."""
        return probability(self.params, self.catalogue, self.listeners)

    def oracle_content(self) -> np.ndarray:
        """What sound alone tells of `oracle`; float32 [U, T], rows sum to 1."""
        return content_probability(self.params, self.catalogue, self.listeners)


def generate(params: Params) -> World:
    """Draw a world; the same parameters give the same world."""
    with threadpool_limits(1):  # digits must not depend on the number of cores
        catalogue = draw_catalogue(params, _stream(params, _CATALOGUE))
        listeners = draw_listeners(params, catalogue, _stream(params, _LISTENERS))
        plays = draw_plays(params, catalogue, listeners, _stream(params, _PLAYS))
    user, track, since_start = plays
    timestamp = since_start + START.astype("datetime64[us]").astype(np.int64)
    return World(params, catalogue, listeners, user, track, timestamp)


def build(folder: Path, params: Params) -> None:
    """Generate a world and write it to `folder` as a dataset folder.

    It is written beside `folder` and renamed, so that `folder` is whole or absent; where another
    process has finished the same folder in the meantime, that one stays. Raises `InputError` where
    something else is in the way.
    """
    if folder.exists() and not (folder / "dataset.json").is_file():
        raise InputError(f"{folder}: exists and is not a dataset folder; remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        with threadpool_limits(1):  # as in `generate`; many small products are faster so, too
            _write(temporary, generate(params))
        if not (folder / "dataset.json").is_file():
            temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path, world: World) -> None:
    tracks(world).write_parquet(folder / "tracks.parquet")
    listens(world).write_parquet(folder / "listens.parquet")
    (folder / "truth").mkdir()
    heard = np.unique(world.user)  # a row for each listener who appears in the listens
    np.save(folder / "truth" / "oracle.npy", world.oracle()[heard])
    np.save(folder / "truth" / "oracle_content.npy", world.oracle_content()[heard])
    (folder / "embeddings").mkdir()
    seed = int(_stream(world.params, _SURROGATES).integers(2**32))
    for card, vectors in draw_surrogates(world.traits(), world.catalogue.artist, seed):
        name = folder / "embeddings" / str(card["backend"])
        np.save(name.with_suffix(".npy"), vectors)
        _write_json(name.with_suffix(".json"), card)
    _write_json(folder / "dataset.json", _info(folder, world.params))


def tracks(world: World) -> pl.DataFrame:
    """One row a track, with its names, release and true traits; `track_id` is 1 + the row."""
    catalogue, rng = world.catalogue, _stream(world.params, _NAMES)
    genres = np.array(genre_names(world.params.n_genres, rng))
    artists = np.array(artist_names(world.params.n_artists, rng))
    columns = {
        "track_id": np.arange(world.params.n_tracks, dtype=np.int64) + 1,
        "artist_id": catalogue.artist.astype(np.int64) + 1,
        "artist": artists[catalogue.artist],
        "title": track_titles(catalogue.artist, rng),
        "genre": genres[catalogue.genre],
        "release": (START + catalogue.release).astype("datetime64[D]"),
    }
    traits = {f"trait_{name}": catalogue.continuous[:, i] for i, name in enumerate(CONTINUOUS)}
    return pl.DataFrame(
        columns | traits | {"trait_key": catalogue.key, "trait_mode": catalogue.mode}
    )


def listens(world: World) -> pl.DataFrame:
    """One row a play, sorted by user and time; `user_id` is 1 + the listener."""
    return pl.DataFrame(
        {
            "user_id": world.user.astype(np.int64) + 1,
            "track_id": world.track.astype(np.int64) + 1,
            "timestamp": world.timestamp.view("datetime64[us]"),
        }
    )


def _info(folder: Path, params: Params) -> dict[str, object]:
    digests = Digests()
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "name": "demo",
        "title": "Demo world (generated)",
        "origin": "generated",
        "licence": "CC0-1.0",
        "redistribution": "everything; all of it is generated",
        "description": (
            f"A generated catalogue of {params.n_tracks:,} tracks by {params.n_artists:,} artists "
            f"and the plays of {params.n_users:,} generated listeners over thirteen months. "
            "Listeners, tracks, names and surrogate vectors are drawn at random; nothing in it was "
            "measured. A track's sound is rendered from its traits when it is asked for."
        ),
        "generator": GENERATOR,
        "parameters": asdict(params),
        "splits": SPLITS,
        "checksums": {
            path.relative_to(folder).as_posix(): digests.of_file(path) for path in written
        },
    }


def _stream(params: Params, part: int) -> np.random.Generator:
    return np.random.default_rng([params.seed, part])


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
