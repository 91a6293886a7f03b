"""Time and memory of ranking: matrix product, mask of seen tracks and top k, at full size.

    python benchmarks/ranking.py [--embedding-sizes 200 768] [--threads 2]

Factors and histories are drawn at random; the sizes are those of Music4All-Onion. The floor is
that of the users x candidates x D product.
"""

import argparse

import numpy as np
import scipy.sparse as sp
import torch
from measure import Line, gemm_rate, peak_mb, report, timed

from mrs.evaluation.ranking import FactorScores, factor_scores, top_k

# Seconds of the published script at these sizes, measured on 2 cores.
PUBLISHED = {200: 26.2, 768: 148.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=10_291)
    parser.add_argument("--candidates", type=int, default=55_262)
    parser.add_argument("--seen", type=int, default=5_400_000, help="pairs in the histories")
    parser.add_argument("--embedding-sizes", type=int, nargs="+", default=[200, 768])
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(0, args.users * args.candidates, args.seen))
    seen = sp.csr_matrix(
        (np.ones(len(pairs), dtype=bool), np.divmod(pairs, args.candidates)),
        shape=(args.users, args.candidates),
    )
    print(
        f"{args.users:,} users x {args.candidates:,} candidates, {len(pairs):,} seen pairs, "
        f"k = {args.k}, {args.threads} threads, median of {args.repeats}"
    )
    rate = gemm_rate()
    for size in args.embedding_sizes:
        users = rng.standard_normal((args.users, size), dtype=np.float32)
        items = rng.standard_normal((args.candidates, size), dtype=np.float32)
        scores = factor_scores(users, items)

        def rank(scores: FactorScores = scores) -> np.ndarray:
            return top_k(scores, args.users, args.candidates, args.k, seen=seen)

        seconds, cpu = timed(rank, args.repeats)
        report(
            Line(
                stage=f"ranking, D={size}",
                seconds=seconds,
                cpu_seconds=cpu,
                gflops=rate / 1e9,
                floor=2 * args.users * args.candidates * size / rate,
                peak_mb=peak_mb(),
                published=PUBLISHED.get(size),
            )
        )


if __name__ == "__main__":
    main()
