"""BERT4Rec's training step at Music4All-Onion's size.

    python benchmarks/bert4rec.py [--threads 2]

Histories and vectors are generated: 55,262 tracks and listeners whose histories all fill the 300
positions, with the papers' encoder (2 layers, 2 heads, feed-forward 256) and an embedding size of
64. The published code's batch of 128 needs about 75 GB. The floor is that of the softmax's
products.
"""

import argparse
import multiprocessing

import numpy as np
import torch
from measure import Line, gemm_rate, peak_mb, report, timed, train_step

from mrs.data.splits import Interactions, Split
from mrs.recommenders.bert4rec import BERT4Rec, ContentItems, SequenceModule

TRACKS, LENGTH, COMPONENTS = 55_262, 300, 128
PUBLISHED_SECONDS, PUBLISHED_MB = 2.82, 11_200
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


def case(softmax: str, batch_size: int, steps: int, threads: int) -> None:
    """Time some steps in a process of their own, whose peak memory is theirs."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    rate = gemm_rate()
    recommender = BERT4Rec(softmax=softmax, batch_size=batch_size, n_components=COMPONENTS)
    vectors = np.random.default_rng(1).standard_normal((TRACKS, COMPONENTS), dtype=np.float32)
    items = ContentItems(vectors / np.float32(COMPONENTS**0.5), recommender, seed=0)
    module = SequenceModule(items, generated_split(batch_size * (steps + 1)), recommender, seed=0)
    module.train()
    optimiser, batches = module.optimiser(), iter(module.batches(0))
    seconds, cpu = timed(lambda: train_step(module, optimiser, next(batches)), steps)
    compared = batch_size == 16
    # The softmax over all tracks: one product forwards, two back.
    hidden = round(recommender.mask_probability * LENGTH) * batch_size
    columns = TRACKS if softmax == "full" else recommender.n_negatives
    report(
        Line(
            stage=f"BERT4Rec step, {softmax} softmax, {batch_size} users of {LENGTH} plays",
            seconds=seconds,
            cpu_seconds=cpu,
            gflops=rate / 1e9,
            floor=3 * 2 * hidden * columns * recommender.embedding_size / rate,
            peak_mb=peak_mb(),
            published=PUBLISHED_SECONDS if compared else None,
            published_mb=PUBLISHED_MB if compared else None,
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for softmax, batch_size, steps in CASES:
        process = context.Process(target=case, args=(softmax, batch_size, steps, args.threads))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{softmax}, {batch_size}: ended with {process.exitcode}")


if __name__ == "__main__":
    main()
