"""Yambda-50m: listens of a Yandex service, with the published audio vectors and artists.

huggingface.co/datasets/yandex/yambda, Apache-2.0. Times there count seconds from an origin that is
not published; here they are written as if it were 1970.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data import checks
from mrs.data.reduced import primary_artists, write_folder
from mrs.errors import InputError

LISTENS = "flat/50m/listens.parquet"
ARTISTS = "artist_item_mapping.parquet"
EMBEDDINGS = "embeddings.parquet"
BACKEND = "yambda_audio"

# What counts as a play, above which `played_ratio_pct`. The column is a percentage; the published
# code of arXiv 2604.07090 compares it with 0.2, which keeps nearly every play.
LEAST_PLAYED = {"corrected": 20.0, "published": 0.2}
TEST_PERIOD = timedelta(weeks=4)

RULE: dict[str, Any] = {
    "rule": "catalogue",
    "validation_share": 0.3,
    "seed": 42,
    "min_core": 5,
    "cold_validation_share": 0.3,
}


def reduce_yambda(source: Path, folder: Path, protocol: str = "corrected") -> Path:
    """Write the plays of tracks with an audio vector as a dataset folder; returns it.

    `source` holds `LISTENS`, `ARTISTS` and `EMBEDDINGS` as they are published; the test period is
    the last four weeks of the listens. A track's artist is the first that the mapping names.
    Raises `InputError`.
    """
    if protocol not in LEAST_PLAYED:
        known = ", ".join(LEAST_PLAYED)
        raise InputError(f"protocol {protocol!r} is unknown; known: {known}")
    plays = checks.read_frame(
        source / LISTENS,
        {"uid": "id", "timestamp": "integer", "item_id": "id", "played_ratio_pct": "integer"},
    ).select(
        pl.col("uid").alias("user_id"),
        pl.col("item_id").alias("track_id"),
        pl.from_epoch("timestamp", "s").cast(pl.Datetime("us")),
        "played_ratio_pct",
    )
    if not len(plays):
        raise InputError(f"{source / LISTENS}: has no rows; download it again")
    last = plays["timestamp"].max()
    listens = plays.filter(pl.col("played_ratio_pct") > LEAST_PLAYED[protocol])
    ids, vectors = read_embeddings(source / EMBEDDINGS, listens["track_id"].unique())
    listens = listens.drop("played_ratio_pct").filter(pl.col("track_id").is_in(ids.implode()))
    mapping = checks.read_frame(source / ARTISTS, {"artist_id": "id", "item_id": "id"})
    artists = primary_artists(mapping.select(pl.col("item_id").alias("track_id"), "artist_id"))
    tracks = pl.DataFrame({"track_id": ids}).join(
        artists, on="track_id", how="left", maintain_order="left"
    )
    published = "" if protocol == "corrected" else f"-{protocol}"
    info = {
        "name": f"yambda-50m{published}",
        "title": "Yambda-50m",
        "origin": "real",
        "licence": "Apache-2.0",
        "redistribution": "with the licence",
        "description": (
            f"Listens with played_ratio_pct > {LEAST_PLAYED[protocol]:g} of tracks with a "
            "published audio vector. Times are seconds from an unpublished origin, written as "
            "from 1970."
        ),
        "splits": {"catalogue": RULE | {"test_start": (last - TEST_PERIOD).isoformat()}},  # type: ignore[operator, union-attr]
    }
    card = {"origin": "file", "source": f"{EMBEDDINGS} of yandex/yambda, column embed"}
    return write_folder(folder, tracks, listens.lazy(), info, {BACKEND: (vectors, card)})


def read_embeddings(path: Path, wanted: pl.Series) -> tuple[pl.Series, np.ndarray]:
    """The wanted items that have a vector, ascending, and float32 [items x width].

    Reads the file (item_id, embed: list of float) in parts, so that memory is needed for the wanted
    alone. Raises `InputError` for another file, and for vectors of several widths.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; download it")
    try:
        found = (
            pl.scan_parquet(path)
            .select("item_id", "embed")
            .filter(pl.col("item_id").is_in(wanted.implode()), pl.col("embed").is_not_null())
            .collect(engine="streaming")
            .sort("item_id")
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: no columns item_id and embed ({reason})") from error
    checks.refuse_duplicates(path, found, ["item_id"])
    widths = found["embed"].list.len().unique()
    if len(widths) != 1:
        text = ", ".join(map(str, widths.sort())) or "no vector of a played item"
        raise InputError(f"{path}: vectors of one width are needed, not {text}")
    rows = found["embed"].list.to_array(int(widths[0])).to_numpy()
    return found["item_id"], np.ascontiguousarray(rows, dtype=np.float32)
