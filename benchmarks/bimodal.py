"""Time and memory of a Bimodal training step on a batch of tracks.

    python benchmarks/bimodal.py [--batch-size 6000] [--losses dcl adcl] [--threads 2]

Inputs are drawn at random: 128 components and 768 collaborative factors a track, 768 wide. The
floor is that of the step's matrix products.
"""

import argparse
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from measure import Line, gemm_rate, peak_mb, report, timed, train_step

from mrs.recommenders.bimodal import BimodalContent, BimodalModule

COMPONENTS, WIDTH = 128, 768
PUBLISHED_SECONDS, PUBLISHED_SIZE = 4.80, 6_000  # the published script on 2 cores


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
    rate = gemm_rate()
    for loss in args.losses:
        settings = BimodalContent(loss=loss, embedding_size=WIDTH)
        module = BimodalModule(sp.csr_matrix((1, n)), inputs, factors, settings, seed=0)
        optimiser = module.optimiser()

        def step(module: BimodalModule = module, optimiser: Any = optimiser) -> None:
            train_step(module, optimiser, module.batches(0)[0])

        seconds, cpu = timed(step, args.steps)
        similarities = 3 if loss.startswith("adcl") else 7
        # The first layers need no gradient of their inputs: two products, the second three.
        layers = 2 * (COMPONENTS + WIDTH) * WIDTH + 3 * 2 * WIDTH**2
        report(
            Line(
                stage=f"Bimodal step, {loss.upper()}, {n:,} tracks",
                seconds=seconds,
                cpu_seconds=cpu,
                gflops=rate / 1e9,
                floor=2 * n * (similarities * n * WIDTH + layers) / rate,
                peak_mb=peak_mb(),
                published=PUBLISHED_SECONDS if n == PUBLISHED_SIZE else None,
            )
        )


if __name__ == "__main__":
    main()
