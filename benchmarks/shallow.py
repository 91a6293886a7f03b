"""Time and memory of a Shallow Net training step at Music4All-Onion's size.

    python benchmarks/shallow.py [--embedding-size 200] [--threads 2]

Histories and vectors are drawn at random; users, tracks and pairs are as many as in the split of
arXiv 2604.23077. Tracks are trained and users not, 10,000 pairs with 20 negative users each, as
in the published runs. The floor is the time that the layer's products over the distinct users and
tracks of a step alone take, forwards and backwards, at the rate of a large square product in the
same run. Seconds of processor time are printed beside, since other work slows wall time down.
"""

import argparse
import statistics
import time

import numpy as np
import torch
from measure import Line, gemm_rate, peak_mb, report, timed, train_step

from mrs.data.splits import Interactions, Split
from mrs.recommenders.shallow import Shallow, ShallowModule

USERS, TRACKS, PAIRS = 21_018, 55_262, 5_371_381
PUBLISHED_SECONDS, PUBLISHED_MB, PUBLISHED_SIZE = 4.63, 4500, 200  # items trained


def drawn_split(rng: np.random.Generator) -> Split:
    """Distinct random pairs, popular tracks and active users more often; no track left out."""
    popularity = 1 / np.arange(20, 20 + TRACKS)
    activity = rng.lognormal(0, 1, USERS)
    n_drawn = int(PAIRS * 1.35)
    track = rng.choice(TRACKS, n_drawn, p=popularity / popularity.sum())
    user = rng.choice(USERS, n_drawn, p=activity / activity.sum())
    drawn = np.unique(np.concatenate([user * TRACKS + track, np.arange(TRACKS) * (TRACKS + 1)]))
    drawn = drawn[drawn < USERS * TRACKS]
    kept = np.sort(rng.choice(drawn, PAIRS, replace=False))
    user, track = (part.astype(np.int32) for part in np.divmod(kept, TRACKS))
    ones = np.ones(PAIRS, dtype=np.int32)
    empty = Interactions(*(np.empty(0, dtype=np.int32) for _ in range(4)))
    ids = np.arange(TRACKS, dtype=np.int32)
    return Split(
        name="drawn",
        users=np.arange(USERS),
        tracks=ids,
        train=Interactions(user, track, np.zeros(PAIRS, dtype=np.int64), ones),
        val=empty,
        hot_test=empty,
        cold_test=empty,
        warm=np.unique(track),
        cold=ids[:0],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--embedding-size", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    rng = np.random.default_rng(0)
    split = drawn_split(rng)
    size = args.embedding_size
    settings = Shallow(n_components=None, train_users=False, train_items=True)
    rate = gemm_rate()
    module = ShallowModule(split, settings, seed=0)
    users, items = (
        rng.standard_normal((n, size), dtype=np.float32) * size**-0.5 for n in split.matrix.shape
    )
    module.set_tables(users, items, train_users=False, train_items=True)
    optimiser, batches = module.optimiser(), module.batches(0)
    products, sampling = [], []

    def step() -> None:
        begin = time.perf_counter()
        batch = next(batches)
        sampling.append(time.perf_counter() - begin)
        train_step(module, optimiser, batch)
        n_tracks, n_users = (len(ids.unique()) for ids in batch[:2])
        products.append(2 * size**2 * (3 * n_tracks + 2 * n_users))

    seconds, cpu = timed(step, args.steps)
    published = size == PUBLISHED_SIZE
    print(
        f"{USERS:,} users, {TRACKS:,} tracks, {PAIRS:,} pairs, tracks trained; "
        f"of a step sampling {statistics.median(sampling):.3f} s"
    )
    report(
        Line(
            stage=f"Shallow Net step, {settings.batch_size:,} pairs x {settings.n_negatives}, "
            f"D={size}",
            seconds=seconds,
            cpu_seconds=cpu,
            gflops=rate / 1e9,
            floor=statistics.median(products) / rate,
            peak_mb=peak_mb(),
            published=PUBLISHED_SECONDS if published else None,
            published_mb=PUBLISHED_MB if published else None,
        )
    )


if __name__ == "__main__":
    main()
