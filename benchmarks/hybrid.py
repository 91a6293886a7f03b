"""Time and memory of a Hybrid and an ELSA training step at Music4All-Onion's size.

    python benchmarks/hybrid.py [--batch-size 128] [--threads 2]

Histories and components are drawn at random; users, tracks and pairs are as many as in the split of
arXiv 2604.23077. The floor is that of the MLP over all tracks and of the products of a batch with
its output.
"""

import argparse
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from measure import Line, gemm_rate, peak_mb, report, timed, train_step

from mrs.recommenders.elsa import ELSA, ELSAModule
from mrs.recommenders.hybrid import Hybrid, HybridModule
from mrs.recommenders.training import TrainedModule

USERS, TRACKS, PAIRS = 21_018, 55_262, 5_371_381
COMPONENTS, WIDTH = 128, 768
PUBLISHED = {"Hybrid": (2.86, 3400), "ELSA": (1.32, 3600)}  # seconds and MB, 128 users a batch


def drawn_matrix(rng: np.random.Generator) -> sp.csr_matrix:
    """Distinct random pairs, popular tracks and active users more often."""
    popularity = 1 / np.arange(20, 20 + TRACKS)
    activity = rng.lognormal(0, 1, USERS)
    n_drawn = int(PAIRS * 1.35)
    user = rng.choice(USERS, n_drawn, p=activity / activity.sum())
    track = rng.choice(TRACKS, n_drawn, p=popularity / popularity.sum())
    pairs = rng.permutation(np.unique(user * TRACKS + track))[:PAIRS]
    ones = np.ones(len(pairs), dtype=np.float32)
    return sp.csr_matrix((ones, np.divmod(pairs, TRACKS)), shape=(USERS, TRACKS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    rng, n_batch = np.random.default_rng(0), args.batch_size
    matrix = drawn_matrix(rng)
    inputs = rng.standard_normal((TRACKS, COMPONENTS), dtype=np.float32)
    hybrid = Hybrid(hidden_size=WIDTH, batch_size=n_batch)
    elsa = ELSA(embedding_size=WIDTH, batch_size=n_batch)
    modules: dict[str, TrainedModule] = {
        "ELSA": ELSAModule(matrix, elsa, seed=0),
        "Hybrid": HybridModule(matrix, inputs, hybrid, seed=0),
    }
    # A product forwards takes two back; the first layer's inputs need no gradient. The length of
    # the output costs a product of A with the batch or with itself, whichever is smaller.
    loss = 3 * TRACKS * WIDTH * min(n_batch, WIDTH)
    layers = TRACKS * WIDTH * (2 * COMPONENTS + 3 * WIDTH)
    rate = gemm_rate()
    print(f"{USERS:,} users, {TRACKS:,} tracks, {matrix.nnz:,} pairs, {n_batch} users a batch")
    for name, module in modules.items():
        optimiser, batches = module.optimiser(), iter(module.batches(0))

        def step(module: Any = module, optimiser: Any = optimiser, batches: Any = batches) -> None:
            train_step(module, optimiser, next(batches))

        seconds, cpu = timed(step, args.steps)
        report(
            Line(
                stage=f"{name} step, {n_batch} users, {WIDTH} wide",
                seconds=seconds,
                cpu_seconds=cpu,
                gflops=rate / 1e9,
                floor=2 * (loss + (layers if name == "Hybrid" else 0)) / rate,
                peak_mb=peak_mb(),
                published=PUBLISHED[name][0],
                published_mb=PUBLISHED[name][1],
            )
        )


if __name__ == "__main__":
    main()
