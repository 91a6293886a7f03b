"""Yambda-50m: listens or likes of a Yandex service, with the published audio vectors and artists.

huggingface.co/datasets/yandex/yambda, Apache-2.0. Times there count seconds from an origin that is
not published; here they are written as if it were 1970.
"""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from mrs.data import checks
from mrs.data.cards import load
from mrs.data.readers.writer import first_named, refuse_existing, write_folder
from mrs.data.tables import readable, scan_parquet
from mrs.errors import InputError
from mrs.progress import tracked

LISTENS = "flat/50m/listens.parquet"
LIKES = "flat/50m/likes.parquet"
ARTISTS = "artist_item_mapping.parquet"
ALBUMS = "album_item_mapping.parquet"
EMBEDDINGS = "embeddings.parquet"
BACKEND = "yambda_audio"
PART = 1 << 17  # items whose vectors are looked at together

# What counts as a play, above which `played_ratio_pct`. The column is a percentage; the published
# code of arXiv 2604.07090 compares it with 0.2, which keeps nearly every play.
LEAST_PLAYED = {"corrected": 20.0, "published": 0.2}
RATIO = "played_ratio_pct"
EVENTS = {"listens": LISTENS, "likes": LIKES}
TEST_PERIOD = timedelta(weeks=4)


def reduce_yambda(
    source: Path, folder: Path, protocol: str = "corrected", events: str = "listens"
) -> Path:
    """Write the plays of tracks with an audio vector as a dataset folder; returns it.

    `source` holds `LISTENS`, `ARTISTS` and `EMBEDDINGS` as they are published, and maybe `ALBUMS`;
    the test period is the last four weeks. Of the artists, and albums, of a track the first is kept
    that the mapping names. With `events` "likes" each of `LIKES` counts as a play, and nothing
    else. Plays and vectors pass through in parts: memory holds the vectors that are kept. Raises
    `InputError`.
    """
    refuse_existing(folder)
    for what, value, known in (("protocol", protocol, LEAST_PLAYED), ("events", events, EVENTS)):
        if value not in known:
            raise InputError(f"{what} {value!r} is unknown; known: {', '.join(known)}")
    if events == "likes" and protocol != "corrected":
        raise InputError(f"protocol {protocol} says what a play is; leave it out for likes")
    path = source / EVENTS[events]
    kinds = {"uid": "id", "timestamp": "integer", "item_id": "id"}
    kept, described = pl.lit(True), "Likes"
    if events == "listens":
        kinds[RATIO] = "integer"
        kept = pl.col(RATIO) > LEAST_PLAYED[protocol]
        described = f"Listens with {RATIO} > {LEAST_PLAYED[protocol]:g}"
    rows = checks.scan_frame(path, kinds)
    plays = rows.filter(kept).select(
        pl.col("uid").alias("user_id"),
        pl.col("item_id").alias("track_id"),
        pl.from_epoch("timestamp", "s").cast(pl.Datetime("us")),
    )
    with readable(path):
        last = rows.select(pl.from_epoch(pl.col("timestamp").max(), "s"))
        last = last.collect(engine="streaming").item()
        played = plays.select(pl.col("track_id").unique()).collect(engine="streaming")
    if last is None:
        raise InputError(f"{path}: has no rows; download it again")
    ids, vectors = read_embeddings(source / EMBEDDINGS, played["track_id"])
    plays = plays.filter(pl.col("track_id").is_in(ids.implode()))
    tracks = pl.DataFrame({"track_id": ids})
    columns = {ARTISTS: "artist_id"}
    if (source / ALBUMS).is_file():
        columns[ALBUMS] = "album_id"
    for name, column in columns.items():
        mapping = checks.read_frame(source / name, {column: "id", "item_id": "id"})
        first = mapping.select(pl.col("item_id").alias("track_id"), column)
        tracks = tracks.join(first_named(first), on="track_id", how="left", maintain_order="left")
    info = load()["yambda-50m"].dataset
    variant = "" if protocol == "corrected" else f"-{protocol}"
    info = info | {
        "name": info["name"] + variant + ("" if events == "listens" else f"-{events}"),
        "description": info["description"].format(plays=described),
        "splits": {
            "catalogue": info["splits"]["catalogue"]
            | {"test_start": (last - TEST_PERIOD).isoformat()}
        },
    }
    card = {"origin": "file", "source": f"{EMBEDDINGS} of yandex/yambda, column embed"}
    return write_folder(folder, tracks, plays, info, {BACKEND: (vectors, card)})


def read_embeddings(path: Path, wanted: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """The wanted items that have a vector, ascending, and float32 [items x width].

    Reads the file (item_id, embed: list of float) in parts, so that memory is needed for the wanted
    alone; progress goes to stderr. Raises `InputError` for another file, and for vectors of several
    widths.
    """
    is_wanted = pl.col("item_id").is_in(wanted.implode()), pl.col("embed").list.len() > 0
    rows = scan_parquet(path, ["item_id", "embed"])
    with readable(path):
        starts = range(0, max(rows.select(pl.len()).collect().item(), 1), PART)
        parts = [
            rows.slice(start, PART).filter(*is_wanted).collect()
            for start in tracked(starts, path.name)
        ]
        found = pl.concat(parts).sort("item_id")
    checks.refuse_duplicates(path, found, ["item_id"])
    widths = found["embed"].list.len().unique()
    if len(widths) != 1:
        text = ", ".join(map(str, widths.sort())) or "no vector of a played item"
        raise InputError(f"{path}: vectors of one width are needed, not {text}")
    vectors = found["embed"].list.to_array(int(widths[0])).to_numpy()
    return found["item_id"], np.ascontiguousarray(vectors, dtype=np.float32)
