"""Time and memory of a Hybrid and an ELSA training step at Music4All-Onion's size.

    python benchmarks/hybrid.py [--batch-size 128] [--threads 2]

Histories and components are drawn at random; users, tracks and pairs are as many as in the split of
arXiv 2604.23077. The floor is the time that the step's matrix products alone take at the rate of a
large square product in the same run: the MLP over all tracks and the products of a batch with its
output. Seconds of processor time are printed beside, since other work slows wall time down.
"""

import argparse
import resource
import statistics
import time

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

from mrs.recommenders.elsa import ELSA, _Module
from mrs.recommenders.hybrid import Hybrid, HybridModule
from mrs.recommenders.training import TrainedModule

USERS, TRACKS, PAIRS = 21_018, 55_262, 5_371_381
COMPONENTS, WIDTH = 128, 768
PUBLISHED = {"hybrid": 2.86, "elsa": 1.32}  # seconds of the published scripts on 2 cores


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


def gemm_rate(rng: np.random.Generator) -> float:
    """Multiplications and additions a second in a square product by torch."""
    square = torch.from_numpy(rng.standard_normal((4000, 4000), dtype=np.float32))
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        square @ square
        seconds.append(time.perf_counter() - begin)
    return 2 * 4000**3 / statistics.median(seconds)


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
        "elsa": _Module(matrix, elsa, seed=0),
        "hybrid": HybridModule(matrix, inputs, hybrid, seed=0),
    }
    # A product forwards takes two back; the first layer's inputs need no gradient. The length of
    # the output costs a product of A with the batch or with itself, whichever is smaller.
    loss = 3 * TRACKS * WIDTH * min(n_batch, WIDTH)
    layers = TRACKS * WIDTH * (2 * COMPONENTS + 3 * WIDTH)
    with threadpool_limits(args.threads):
        rate = gemm_rate(rng)
        print(
            f"{USERS:,} users, {TRACKS:,} tracks, {matrix.nnz:,} pairs, {n_batch} users a batch, "
            f"{WIDTH} wide, {args.threads} threads"
        )
        print(f"GEMM {rate / 1e9:.0f} GFLOP/s")
        for name, module in modules.items():
            optimiser, batches = module.optimiser(), iter(module.batches(0))
            wall, cpu = [], []
            for _ in range(args.steps):
                begin, used = time.perf_counter(), time.process_time()
                optimiser.zero_grad()
                module.loss(next(batches)).backward()
                optimiser.step()
                wall.append(time.perf_counter() - begin)
                cpu.append(time.process_time() - used)
            step = statistics.median(wall)
            floor = 2 * (loss + (layers if name == "hybrid" else 0)) / rate
            print(
                f"{name}: step {step:.2f} s (median of {args.steps}, best {min(wall):.2f}), "
                f"{statistics.median(cpu):.2f} cpu s, floor {floor:.2f} s, "
                f"epoch {step * -(-USERS // n_batch):.0f} s; published script, measured on "
                f"2 cores: {PUBLISHED[name]} s"
            )
    print(f"peak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
