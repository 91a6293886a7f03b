"""Time and memory of a Bimodal training step on a batch of tracks.

    python benchmarks/bimodal.py [--batch-size 6000] [--losses dcl adcl] [--threads 2]

Inputs are drawn at random: 128 components and 768 collaborative factors a track, 768 wide. The
floor is the time that the step's matrix products alone take at the rate of a large square product
in the same run. Seconds of processor time are printed beside, since other work slows wall time.
"""

import argparse
import resource
import statistics
import time

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

from mrs.recommenders.bimodal import BimodalContent, BimodalModule

COMPONENTS, WIDTH = 128, 768
PUBLISHED_SECONDS, PUBLISHED_SIZE = 4.80, 6_000  # the published script on 2 cores


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
    parser.add_argument("--batch-size", type=int, default=PUBLISHED_SIZE)
    parser.add_argument("--losses", nargs="+", default=["dcl", "adcl"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    rng, n = np.random.default_rng(0), args.batch_size
    inputs, factors = (rng.standard_normal((n, d), dtype=np.float32) for d in (COMPONENTS, WIDTH))
    with threadpool_limits(args.threads):
        rate = gemm_rate(rng)
        print(f"batch of {n:,} tracks, {WIDTH} wide, {args.threads} threads")
        print(f"GEMM {rate / 1e9:.0f} GFLOP/s")
        for loss in args.losses:
            settings = BimodalContent(loss=loss, embedding_size=WIDTH)
            module = BimodalModule(sp.csr_matrix((1, n)), inputs, factors, settings, seed=0)
            optimiser = module.optimiser()
            wall, cpu = [], []
            for _ in range(args.steps):
                begin, used = time.perf_counter(), time.process_time()
                optimiser.zero_grad()
                module.loss(module.batches(0)[0]).backward()
                optimiser.step()
                wall.append(time.perf_counter() - begin)
                cpu.append(time.process_time() - used)
            similarities = 3 if loss.startswith("adcl") else 7
            # The first layers need no gradient of their inputs: two products, the second three.
            layers = 2 * (COMPONENTS + WIDTH) * WIDTH + 3 * 2 * WIDTH**2
            floor = 2 * n * (similarities * n * WIDTH + layers) / rate
            print(
                f"{loss}: step {statistics.median(wall):.2f} s (median of {args.steps}, "
                f"best {min(wall):.2f}), {statistics.median(cpu):.2f} cpu s, floor {floor:.2f} s"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak RSS {peak:.0f} MB")
    if n == PUBLISHED_SIZE:
        print(f"published script, measured on 2 cores: step {PUBLISHED_SECONDS} s")


if __name__ == "__main__":
    main()
