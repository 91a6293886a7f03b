"""BERT4Rec's training step at Music4All-Onion's size, and the rate of a matrix product beside it.

    python benchmarks/bert4rec.py [--threads 2]

Histories and vectors are generated: 55,262 tracks and listeners whose histories all fill the 300
positions, with the papers' encoder (2 layers, 2 heads, feed-forward 256) and an embedding size of
64. The published code took 2.82 s a step of 16 listeners and 11.2 GB, measured on 2 cores; its
batch of 128 needs about 75 GB.
"""

import argparse
import multiprocessing
import resource
import statistics
import time

import numpy as np
import torch

from mrs.data.splits import Interactions, Split
from mrs.recommenders.bert4rec import BERT4Rec, ContentItems, SequenceModule

TRACKS, LENGTH, COMPONENTS = 55_262, 300, 128
PUBLISHED_SECONDS = 2.82
CASES = [("full", 16, 12), ("sampled", 16, 12), ("full", 128, 3), ("sampled", 128, 3)]


def generated_split(n_users: int) -> Split:
    """Listeners of `LENGTH` random tracks each; every track is a train track."""
    rng = np.random.default_rng(0)
    n = n_users * LENGTH
    none = Interactions(*(np.empty(0, dtype=np.int64) for _ in range(4)))
    train = Interactions(
        np.repeat(np.arange(n_users), LENGTH),
        rng.integers(0, TRACKS, n),
        np.arange(n),
        np.ones(n, dtype=np.int64),
    )
    warm, cold = np.arange(TRACKS), np.empty(0, dtype=np.int64)
    return Split("generated", np.arange(n_users), warm, train, none, none, none, warm, cold)


def matmul_rate() -> float:
    """10^9 float32 operations a second of a product of 2,048 x 2,048 matrices."""
    a = torch.randn(2048, 2048)
    a @ a
    begin = time.perf_counter()
    for _ in range(5):
        a @ a
    return 5 * 2 * 2048**3 / (time.perf_counter() - begin) / 1e9


def case(softmax: str, batch_size: int, steps: int, threads: int) -> str:
    """Time some steps in a process of their own, whose peak memory is theirs."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    recommender = BERT4Rec(softmax=softmax, batch_size=batch_size, n_components=COMPONENTS)
    vectors = np.random.default_rng(1).standard_normal((TRACKS, COMPONENTS), dtype=np.float32)
    items = ContentItems(vectors / np.float32(COMPONENTS**0.5), recommender, seed=0)
    module = SequenceModule(items, generated_split(batch_size * (steps + 1)), recommender, seed=0)
    module.train()
    optimiser = module.optimiser()["optimizer"]
    seconds = []
    for batch in module.batches(0):
        begin = time.perf_counter()
        loss = module.loss(batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    median = statistics.median(seconds[1:])
    times = f", {PUBLISHED_SECONDS / median:.1f}x the published" if batch_size == 16 else ""
    return (
        f"{softmax:8s} batch {batch_size:3d}: {median:.3f} s a step "
        f"(fastest {min(seconds[1:]):.3f}), peak {peak:.0f} MB{times}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"{TRACKS} tracks, {LENGTH} plays, embedding size 64, {args.threads} threads")
    context = multiprocessing.get_context("spawn")
    for softmax, batch_size, steps in CASES:
        with context.Pool(1) as pool:
            line = pool.apply(case, (softmax, batch_size, steps, args.threads))
        print(f"{line}; matrix product {matmul_rate():.0f} GFLOP/s", flush=True)


if __name__ == "__main__":
    main()
