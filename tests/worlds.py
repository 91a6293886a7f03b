"""Small datasets that tests make, in each layout."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

CUT = datetime(2019, 2, 1)


def random_parts(n_users: int = 30, n_warm: int = 40, n_cold: int = 12, seed: int = 0) -> dict:
    """Pairs of a random world as frames with raw ids: train, val, hot_test, cold_test.

    Track ids 10, 13, 16, ... so that an id is never its own position.
    """
    rng = np.random.default_rng(seed)
    played = rng.random((n_users, n_warm)) < 0.3
    played[np.arange(n_warm) % n_users, np.arange(n_warm)] = True
    later = (rng.random((n_users, n_warm)) < 0.15) & ~played
    fresh = rng.random((n_users, n_cold)) < 0.2
    user, track = np.nonzero(played)
    hot_user, hot_track = np.nonzero(later)
    cold_user, cold_track = np.nonzero(fresh)
    held = np.isin(hot_user, np.setdiff1d(np.arange(n_users), cold_user)[:3])

    def frame(users: np.ndarray, tracks: np.ndarray, start: datetime, days: float) -> pl.DataFrame:
        offset = rng.random(len(users)) * days
        return pl.DataFrame(
            {
                "user_id": users.astype(np.int64) * 5 + 2,
                "track_id": tracks.astype(np.int64) * 3 + 10,
                "timestamp": [start + timedelta(days=float(d)) for d in offset],
                "count": rng.integers(1, 5, len(users)),
            }
        )

    year = CUT - timedelta(days=365)
    return {
        "train": frame(user, track, year, 364.0),
        "val": frame(hot_user[held], hot_track[held], CUT, 27.0),
        "hot_test": frame(hot_user[~held], hot_track[~held], CUT, 27.0),
        "cold_test": frame(cold_user, cold_track + n_warm, CUT, 27.0),
    }


def write_authors(folder: Path, parts: dict, width: int = 7, seed: int = 0) -> np.ndarray:
    """The layout of arXiv 2604.23077's data: .pqt files, vectors with row = raw track id."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in parts.items():
        frame.with_columns(pl.Series("__index_level_0__", np.arange(len(frame)))).write_parquet(
            folder / f"{name}.pqt"
        )
    (folder / "embeddings").mkdir(exist_ok=True)
    last = max(int(frame["track_id"].max()) for frame in parts.values())
    vectors = np.random.default_rng(seed).normal(1, 1, (last + 5, width)).astype(np.float32)
    np.save(folder / "embeddings" / "mert.npy", vectors)
    return vectors


def write_own(folder: Path, parts: dict, width: int = 7, seed: int = 0) -> np.ndarray:
    """The dataset folder with a ready split, tracks in an order of their own."""
    rng = np.random.default_rng(seed)
    ids = pl.concat([frame.select("track_id") for frame in parts.values()])["track_id"].unique()
    ids = ids.sample(fraction=1.0, shuffle=True, seed=seed)
    (folder / "splits" / "mine").mkdir(parents=True)
    (folder / "embeddings").mkdir()
    tracks = pl.DataFrame({"track_id": ids, "artist_id": rng.integers(0, 9, len(ids))})
    tracks.write_parquet(folder / "tracks.parquet")
    for name, frame in parts.items():
        frame.write_parquet(folder / "splits" / "mine" / f"{name}.parquet")
    vectors = rng.normal(1, 1, (len(ids), width)).astype(np.float32)
    np.save(folder / "embeddings" / "mert.npy", vectors)
    card = {"backend": "mert", "origin": "file"}
    (folder / "embeddings" / "mert.json").write_text(json.dumps(card))
    (folder / "dataset.json").write_text(json.dumps({"name": "own", "origin": "real"}))
    return vectors


CLASS_COLUMNS = ["cell", "system", "metric", "class", "k", "value"]


def class_frame(values: dict[tuple[str, str], list[float]]) -> pl.DataFrame:
    """Systems a, b, c, ... in the order of the values, at k = 10."""
    rows = [
        (system, system.upper(), metric, name, 10, value)
        for (metric, name), column in values.items()
        for system, value in zip("abcdefgh", column, strict=False)
    ]
    return pl.DataFrame(rows, schema=CLASS_COLUMNS, orient="row")
