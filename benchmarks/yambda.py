"""Yambda-50m at its full size: load, filter, split, with the commands that a user gives.

    python benchmarks/yambda.py [--plays 46467212] [--width 64] [--folder DIR]

The files are generated with the published schemas and counts: 46,467,212 listens of 9,238 users,
877,168 items with a long tail, 9,271,906 rows of artists, and vectors in row groups of 8,192. Sizes
of the split's parts are held against those counted with NumPy from the drawn plays. With `--folder`
the files are kept there for the next call.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import sizes
from measure import Line, report, run_command

from mrs.data.cards import load
from mrs.data.dataset import open_dataset
from mrs.data.readers.yambda import (
    ARTISTS,
    BACKEND,
    EMBEDDINGS,
    LEAST_PLAYED,
    LISTENS,
    TEST_PERIOD,
)

PLAYS, USERS, ITEMS = 46_467_212, 9_238, 877_168
MAPPING_ROWS, MAPPED_ITEMS, N_ARTISTS = 9_271_906, 7_720_000, 1_290_000
RULE = load()["yambda-50m"].dataset["splits"]["catalogue"]
LAST = 26_000_000  # the last listen, in seconds from the origin
CUT = LAST - int(TEST_PERIOD.total_seconds())
NEW, WITHOUT_VECTOR, UNHEARD = 0.05, 0.05, 0.2  # shares of the items
ROW_GROUP = 8_192
BLOCK = 256  # users drawn together


def draw_plays(n_plays: int) -> pl.DataFrame:
    """The rows of `LISTENS`, sorted by user and time as published."""
    rng = np.random.default_rng(0)
    n_items = max(ITEMS * n_plays // PLAYS, 100)
    activity = rng.lognormal(0, 1, USERS)
    n_of = np.maximum((activity / activity.sum() * n_plays).astype(int), 1)
    n_of[np.argmax(n_of)] += n_plays - n_of.sum()
    popular = 1 / np.arange(20, 20 + n_items)
    edges = np.cumsum(rng.permutation(popular / popular.sum()))
    n_new = int(NEW * n_items)
    released = np.zeros(n_items, dtype=np.int64)
    released[:n_new] = rng.integers(LAST // 2, LAST, n_new)
    length = rng.integers(60, 420, n_items).astype(np.uint32)
    frames = []
    for start in range(0, USERS, BLOCK):
        uid = np.repeat(np.arange(USERS)[start : start + BLOCK], n_of[start : start + BLOCK])
        moment = rng.integers(0, LAST // 5 + 1, len(uid)) * 5
        moment = np.sort(uid.astype(np.int64) << 32 | moment) & (2**32 - 1)
        item = np.minimum(np.searchsorted(edges, rng.random(len(uid))), n_items - 1)
        early = moment < released[item]
        item[early] = n_items - 1 - item[early]
        ratio = np.where(rng.random(len(uid)) < 0.6, 100, rng.integers(0, 160, len(uid)))
        frames.append(
            pl.DataFrame(
                {
                    "uid": uid.astype(np.uint32),
                    "timestamp": moment.astype(np.uint32),
                    "item_id": (item * 11).astype(np.uint32),
                    "is_organic": (rng.random(len(uid)) < 0.5).astype(np.uint8),
                    "played_ratio_pct": ratio.astype(np.uint16),
                    "track_length_seconds": length[item],
                }
            )
        )
    frame = pl.concat(frames)
    last = pl.Series([LAST], dtype=pl.UInt32)
    return pl.concat([frame[:-1], frame[-1:].with_columns(last.alias("timestamp"))])


def write_files(folder: Path, n_plays: int, width: int) -> np.ndarray:
    """The published files; returns what counts as a play [3 x plays]: user, item / 11, time."""
    for name in (LISTENS, ARTISTS, EMBEDDINGS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    plays = draw_plays(n_plays)
    plays.write_parquet(folder / LISTENS)
    heard = plays["item_id"].unique().to_numpy()
    unheard = np.arange(int(UNHEARD * len(heard)), dtype=np.uint32) * 11 + 5
    items = np.concatenate([heard[rng.random(len(heard)) >= WITHOUT_VECTOR], unheard])
    rows = rng.standard_normal((len(items), width), dtype=np.float32)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    pl.DataFrame(
        {"item_id": items, "embed": rows, "normalized_embed": rows / length},
    ).cast({"embed": pl.List(pl.Float32), "normalized_embed": pl.List(pl.Float32)}).write_parquet(
        folder / EMBEDDINGS, row_group_size=ROW_GROUP
    )
    n_rows = MAPPING_ROWS * n_plays // PLAYS
    pl.DataFrame(
        {
            "artist_id": rng.zipf(1.3, n_rows).clip(0, N_ARTISTS).astype(np.uint32),
            "item_id": rng.integers(0, MAPPED_ITEMS * n_plays // PLAYS * 2, n_rows, np.uint32),
        }
    ).write_parquet(folder / ARTISTS)
    is_play = (plays["played_ratio_pct"] > LEAST_PLAYED["corrected"]).to_numpy()
    is_play &= np.isin(plays["item_id"].to_numpy(), items)
    kept = plays.filter(is_play)
    columns = (kept["uid"], kept["item_id"] // 11, kept["timestamp"])
    return np.stack([column.to_numpy().astype(np.int32) for column in columns])


def split_cost(folder: Path) -> tuple[dict[str, dict[str, int]], Line]:
    """The split's sizes, and what opening it cost in this process."""
    begin, used = time.perf_counter(), time.process_time()
    dataset = open_dataset(folder)
    split = dataset.split()
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    plays = pl.scan_parquet(folder / "listens.parquet").select(pl.len()).collect().item()
    found = {"plays": {"plays": plays, "tracks": len(dataset.tracks)}}
    share = RULE["cold_validation_share"]
    return found | {"split": sizes.counted(split, share=share)}, Line("split", wall, cpu, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plays", type=int, default=PLAYS)
    parser.add_argument("--width", type=int, default=64, help="of the vectors")
    parser.add_argument("--folder", type=Path, help="where the files are kept")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        kept = (args.folder or Path(name)) / f"yambda-{args.plays}-{args.width}"
        counts = kept / "expected.json"
        if not counts.is_file():
            print(f"writing the files in {kept}", file=sys.stderr)
            plays = write_files(kept, args.plays, args.width)
            wanted = {
                "plays": {"plays": plays.shape[1], "tracks": len(np.unique(plays[1]))},
                "split": sizes.expected(plays, CUT, least=5, share=RULE["cold_validation_share"]),
            }
            counts.write_text(json.dumps(wanted), encoding="utf-8")
            del plays
        wanted = json.loads(counts.read_text(encoding="utf-8"))
        embeddings = (kept / EMBEDDINGS).stat().st_size
        print(f"{args.plays:,} listens; vectors of width {args.width} in {embeddings:,} bytes")
        folder = Path(name) / "yambda"
        report(run_command("data", "reduce", "yambda-50m", kept, folder)[1])
        vectors = (folder / "embeddings" / f"{BACKEND}.npy").stat().st_size
        print(f"vectors of the tracks that are played: {vectors:,} bytes")
        report(run_command("data", "describe", folder)[1])
        found, cost = split_cost(folder)
        report(cost)
    return bool(sizes.differences(wanted, found))


if __name__ == "__main__":
    sys.exit(main())
