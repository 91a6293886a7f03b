"""Generated files of Yambda's schema."""

from pathlib import Path

import numpy as np
import polars as pl

from mrs.data.readers import yambda

DAY = 86_400
LAST = 26_000_000  # the last play, seconds from the origin
CUT = LAST - 28 * DAY
N_NEW = 10

Row = tuple[int, int, int, int]  # uid, timestamp, item_id, played_ratio_pct


def generated_rows() -> list[Row]:
    """Six users who play items 0 to 5 before the cut and ten new ones, 100 to 109, after it."""
    rows = [(u, DAY * (u + 6 * i), i, 100) for u in range(6) for i in range(6)]
    rows += [(u, CUT + 5 * (u + i), 100 + i, 90) for u in range(4) for i in range(N_NEW)]
    rows += [(u, 500, 50, 5) for u in range(6)]  # skipped after 5 %: no play, unless "published"
    rows += [(u, 505, 51, 20) for u in range(6)]  # 20 % exactly: no play either
    rows += [(u, 510, 60, 100) for u in range(6)]  # no vector
    rows += [(0, 515, 52, 0)]  # 0 %: never a play
    rows += [(5, LAST, 0, 10)]  # the last listen is short, and ends the period all the same
    return rows


def write(folder: Path, rows: list[Row]) -> Path:
    (folder / "flat" / "50m").mkdir(parents=True)
    uid, time, item, ratio = (np.array(column) for column in zip(*sorted(rows), strict=True))
    pl.DataFrame(
        {
            "uid": uid.astype(np.uint32),
            "timestamp": time.astype(np.uint32),
            "item_id": item.astype(np.uint32),
            "is_organic": np.ones(len(rows), dtype=np.uint8),
            "played_ratio_pct": ratio.astype(np.uint16),
            "track_length_seconds": np.full(len(rows), 200, dtype=np.uint32),
        }
    ).write_parquet(folder / yambda.LISTENS)
    write_likes(folder, [(u, 1000 + u, u % 2) for u in range(6)] + [(0, CUT + 5, 100)])
    albums = [(70, 0), (30, 0), (10, 1), (71, 100)]
    pl.DataFrame(
        albums, schema={"album_id": pl.UInt32, "item_id": pl.UInt32}, orient="row"
    ).write_parquet(folder / yambda.ALBUMS)
    # Item 0 has three artists, the first of them 7; 100 is theirs too, 101 another's, 102 no one's.
    mapping = [(7, 0), (3, 0), (1, 1), (9, 0), (7, 100), (8, 101), (4, 77)]
    pl.DataFrame(
        mapping, schema={"artist_id": pl.UInt32, "item_id": pl.UInt32}, orient="row"
    ).write_parquet(folder / yambda.ARTISTS)
    items = [109, 3, 0, 1, 2, 4, 5, 50, 51, 52, 77, *range(100, 109)]
    pl.DataFrame(
        {
            "item_id": np.array(items, dtype=np.uint32),
            "embed": [[float(item), 1.0, 2.0] for item in items],
            "normalized_embed": [[1.0, 0.0, 0.0]] * len(items),
        },
        schema_overrides={"embed": pl.List(pl.Float32), "normalized_embed": pl.List(pl.Float32)},
    ).write_parquet(folder / yambda.EMBEDDINGS)
    return folder


def write_likes(folder: Path, rows: list[tuple[int, int, int]]) -> None:
    """Likes (uid, timestamp, item_id), in any order."""
    schema = dict.fromkeys(("uid", "timestamp", "item_id"), pl.UInt32)
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    frame.with_columns(is_organic=pl.lit(1, pl.UInt8)).write_parquet(folder / yambda.LIKES)
