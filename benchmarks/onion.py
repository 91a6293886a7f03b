"""Music4All-Onion from its listening log to KNN, with the commands that a user gives.

    python benchmarks/onion.py [--lines 50000000] [--share 0.25] [--folder DIR] [--workers 2]

The log is generated with the published schema, newest play first within a user, 2012 to March 2020.
A year of the real one has about 27 million of its 253 million plays, by its five plays a pair and
the 5.4 million train pairs of arXiv 2604.23077; the two and a half years that the papers' three
splits need have some 65 million, a quarter. So `--lines 65000000 --share 1` fills memory as the
real log does. Sizes of all parts are held against those counted with NumPy from the drawn plays.
With `--folder` the log is kept there for the next call.
"""

import argparse
import bz2
import io
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import sizes
from measure import Line, report, run_command

from mrs.data.dataset import open_dataset
from mrs.data.readers.music4all import COLUMNS, LISTENING, TIME

N_TRACKS = 56_512
PLAYS_A_USER, PLAYS_A_PAIR, MOST_PLAYS = 2_123, 5, 126_907
NEW = 0.1  # of the tracks come out within the years of the log
BLOCK = 1_000_000  # lines
WIDTH = 200


def seconds(year: int, month: int, day: int = 1) -> int:
    return int(np.datetime64(date(year, month, day), "s").astype(np.int64))


FIRST, END = seconds(2012, 1), seconds(2020, 3, 20)
START = seconds(2017, 9)  # of what the splits need, to the log's end


def released() -> np.ndarray:
    """When each track comes out; the first `NEW` of them within the years of the log."""
    rng = np.random.default_rng(1)
    times = np.full(N_TRACKS, FIRST)
    times[: int(NEW * N_TRACKS)] = rng.integers(FIRST, END, int(NEW * N_TRACKS))
    return times


def names() -> pl.Series:
    """Ids of 16 letters, in no order."""
    letters = np.random.default_rng(2).integers(ord("A"), ord("Z") + 1, (N_TRACKS, 16), np.uint8)
    return pl.Series([row.tobytes().decode() for row in letters])


def draw_block(block: int, n: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n plays of users of their own: user, track (positions), time (seconds), newest first."""
    rng = np.random.default_rng([0, block])
    n_users = max(n // PLAYS_A_USER, 2)
    activity = rng.lognormal(0, 1, n_users)
    user = np.sort(rng.choice(n_users, n, p=activity / activity.sum()))
    if block == 0 and n > 2 * MOST_PLAYS:
        user[:MOST_PLAYS] = 0
        user[MOST_PLAYS:] = np.maximum(user[MOST_PLAYS:], 1)
    size = np.maximum(np.bincount(user, minlength=n_users) // PLAYS_A_PAIR, 1)
    weight = 1 / np.arange(20, 20 + N_TRACKS)
    popular = np.random.default_rng(3).permutation(weight / weight.sum())
    known = rng.choice(N_TRACKS, size.sum(), p=popular)  # what each user comes back to
    track = known[(np.cumsum(size) - size)[user] + (rng.random(n) * size[user]).astype(int)]
    in_window = rng.random(n) < share
    moment = np.where(in_window, rng.integers(START, END, n), rng.integers(FIRST, START, n))
    early = moment < released()[track]
    track[early] = N_TRACKS - 1 - track[early]  # an old one in its place
    order = np.lexsort((-moment, user))
    return user[order] + block * n_users, track[order], moment[order]


def write_block(job: tuple[int, int, float]) -> tuple[bytes, np.ndarray]:
    """A block of the log, compressed, and what of it lies in the window [3 x plays]."""
    user, track, moment = draw_block(*job)
    text = io.BytesIO()
    frame = pl.DataFrame({"user_id": user + 1, "track_id": names()[track], "timestamp": moment})
    frame.with_columns(pl.from_epoch("timestamp", "s")).write_csv(
        text, separator="\t", datetime_format=TIME, include_header=False
    )
    return bz2.compress(text.getvalue()), np.stack([user, track, moment])[:, moment >= START]


def write_log(path: Path, lines: int, share: float, workers: int) -> np.ndarray:
    """Write the log; returns the plays in the window [3 x plays]: user, track, time."""
    lengths = [min(BLOCK, lines - start) for start in range(0, lines, BLOCK)]
    jobs = [(block, n, share) for block, n in enumerate(lengths)]
    parts, begin = [], time.perf_counter()
    with multiprocessing.Pool(workers) as pool, path.open("wb") as file:
        file.write(bz2.compress(("\t".join(COLUMNS) + "\n").encode()))
        for done, (packed, inside) in enumerate(pool.imap(write_block, jobs), 1):
            file.write(packed)
            parts.append(inside)
            left = (time.perf_counter() - begin) / done * (len(jobs) - done)
            print(f"\rlog: {done}/{len(jobs)} blocks, {left:.0f} s left ", end="", file=sys.stderr)
    print(file=sys.stderr)
    return np.concatenate(parts, axis=1)


def expected(plays: np.ndarray) -> dict[str, dict[str, int]]:
    """Sizes of the three splits, counted from the plays in the window."""

    def between(start: int, end: int) -> np.ndarray:
        return plays[:, (plays[2] >= start) & (plays[2] < end)]

    year = between(seconds(2018, 2), seconds(2019, 3))
    months = between(START, seconds(2018, 12))
    last, cut = between(seconds(2019, 2, 20), END), seconds(2020, 2, 20)
    known = np.isin(last[1], last[1, last[2] < cut])
    return {
        "window": {"plays": plays.shape[1], "tracks": len(np.unique(plays[1]))},
        "temporal": sizes.expected(year, seconds(2019, 2)),
        "catalogue": sizes.expected(months, seconds(2018, 9), least=5, late=seconds(2018, 8)),
        "paper-2024": sizes.expected(last[:, known], cut, validation_share=0.5),
    }


def counted(folder: Path) -> dict[str, dict[str, int]]:
    """The same sizes as the package has them."""
    dataset = open_dataset(folder)
    plays = pl.scan_parquet(folder / "listens.parquet").select(pl.len()).collect().item()
    window = {"window": {"plays": plays, "tracks": len(dataset.tracks)}}
    return window | {name: sizes.counted(dataset.split(name)) for name in dataset.splits()}


def decompression(path: Path, most: int = 200 << 20) -> Line:
    """Reading the log without a look at it, `most` bytes of text: the floor of the reduction."""
    begin, used, done = time.perf_counter(), time.process_time(), 0
    with bz2.open(path) as file:
        while done < most and (text := file.read(1 << 24)):
            done += len(text)
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    return Line(f"decompression alone, {done / 1e6:.0f} MB of text", wall, cpu, 0)


def stages(log: Path, folder: Path) -> Iterator[Line]:
    """The commands' costs."""
    yield run_command("data", "reduce", "music4all-onion", log.parent, folder)[1]
    yield run_command("data", "describe", folder)[1]
    n_tracks = len(pl.read_parquet(folder / "tracks.parquet"))
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((n_tracks, WIDTH), dtype=np.float32)
    np.save(folder / "embeddings" / "generated.npy", vectors)
    for scenario in ("hot", "cold"):
        words = ["run", "--dataset", folder, "--recommender", "knn", "--backend", "generated"]
        words += ["--scenario", scenario, "--store", folder.parent / "store", "--json"]
        printed, cost = run_command(*words)
        users = json.loads(printed)["n_users"]
        yield replace(cost, stage=f"mrs run: KNN, {scenario}, {users:,} users")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=50_000_000)
    parser.add_argument("--share", type=float, default=0.25, help="of the plays in the window")
    parser.add_argument("--folder", type=Path, help="where the log is kept")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="to write the log")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        kept = (args.folder or Path(name)) / f"onion-{args.lines}-{args.share:g}"
        log, counts = kept / LISTENING, kept / "expected.json"
        if not counts.is_file():
            kept.mkdir(parents=True, exist_ok=True)
            plays = write_log(log, args.lines, args.share, args.workers)
            counts.write_text(json.dumps(expected(plays)), encoding="utf-8")
            del plays
        wanted = json.loads(counts.read_text(encoding="utf-8"))
        size = log.stat().st_size
        print(f"{args.lines:,} lines, {wanted['window']['plays']:,} in the window, {size:,} bytes")
        folder = Path(name) / "onion"
        for line in (decompression(log), *stages(log, folder)):
            report(line)
        found = counted(folder)
    return bool(sizes.differences(wanted, found))


if __name__ == "__main__":
    sys.exit(main())
