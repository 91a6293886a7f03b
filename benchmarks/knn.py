"""KNN end to end at Music4All-Onion's size: read files, profiles, ranking hot and cold, metrics.

    python benchmarks/knn.py [--embedding-size 200] [--threads 2]

The plays and vectors are generated; the numbers of users, tracks and pairs are those of the split
of arXiv 2604.23077. They are written in its authors' layout and read as a user's would be. The
published script took 37.6 s and 1.7 GB at 200 dimensions, measured on 2 cores on files of this
size (its best: one thread).
"""

import argparse
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from measure import Line, gemm_rate, peak_mb, report

from mrs.data.dataset import open_dataset
from mrs.recommenders.knn import KNN
from mrs.study.run import run_fit
from mrs.study.spec import make_spec
from mrs.study.store import Store

USERS, WARM, COLD = 21_018, 55_262, 589
ROWS = {"train": 5_371_381, "val": 48_787, "hot_test": 280_745, "cold_test": 23_269}
TEST_USERS = {"val": 2_459, "hot_test": 10_238, "cold_test": 4_553}
HOT_AND_COLD = TEST_USERS["hot_test"] * WARM + TEST_USERS["cold_test"] * COLD  # scores
PUBLISHED, PUBLISHED_MB, PUBLISHED_SIZE = 37.6, 1700, 200


def draw_pairs(
    rng: np.random.Generator, n: int, users: np.ndarray, tracks: np.ndarray
) -> pl.Series:
    """n distinct pairs as user * 2**20 + track, popular tracks more often; no id left out."""
    weights = 1 / np.arange(20, 20 + len(tracks))
    chosen = rng.choice(tracks, int(n * 1.35), p=weights / weights.sum())
    activity = rng.lognormal(0, 1, len(users))
    who = rng.choice(users, len(chosen), p=activity / activity.sum())
    must = max(len(users), len(tracks))
    first = np.resize(users, must) * 2**20 + np.resize(tracks, must)
    rest = np.setdiff1d(who * 2**20 + chosen, first)
    return pl.Series(np.concatenate([np.unique(first), rng.permutation(rest)[: n - must]]))


def write(folder: Path, embedding_size: int) -> None:
    rng = np.random.default_rng(0)
    ids = rng.permutation(WARM + COLD)
    warm, cold = ids[:WARM], ids[WARM:]
    everyone = rng.permutation(USERS)
    start, cut = datetime(2018, 2, 1), datetime(2019, 2, 1)
    for name, n in ROWS.items():
        users = everyone if name == "train" else rng.choice(everyone, TEST_USERS[name], False)
        pairs = draw_pairs(rng, n, users, cold if name == "cold_test" else warm)
        day = cut if name != "train" else start
        frame = pl.DataFrame({"user_id": pairs // 2**20, "track_id": pairs % 2**20})
        frame.with_columns(
            timestamp=pl.lit(day) + pl.duration(seconds=pl.int_range(pl.len()) % (28 * 86400)),
            count=pl.lit(1),
        ).write_parquet(folder / f"{name}.pqt")
    (folder / "embeddings").mkdir()
    vectors = rng.standard_normal((WARM + COLD, embedding_size), dtype=np.float32)
    np.save(folder / "embeddings" / "generated.npy", vectors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--embedding-size", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, args.embedding_size)
        begin, used = time.perf_counter(), time.process_time()
        dataset = open_dataset(folder)
        specs = [
            make_spec(dataset, recommender=KNN(), backend="generated", scenario=scenario)
            for scenario in ("hot", "cold")
        ]
        records = run_fit(specs, Store(folder / "store"), dataset, threads=args.threads)
        seconds, cpu = time.perf_counter() - begin, time.process_time() - used
        inside = [sum(record.info["seconds"].values()) for record in records]
    peak, rate = peak_mb(), gemm_rate()
    published = args.embedding_size == PUBLISHED_SIZE
    print(f"of it profiles, ranking and scores: hot {inside[0]:.2f} s, cold {inside[1]:.2f} s")
    report(
        Line(
            stage=f"KNN, hot and cold, files to records, D={args.embedding_size}",
            seconds=seconds,
            cpu_seconds=cpu,
            gflops=rate / 1e9,
            floor=2 * HOT_AND_COLD * args.embedding_size / rate,
            peak_mb=peak,
            published=PUBLISHED if published else None,
            published_mb=PUBLISHED_MB if published else None,
        )
    )


if __name__ == "__main__":
    main()
