"""Time and memory of ranking: matrix product, mask of seen tracks and top k, at full size.

    python benchmarks/ranking.py [--embedding-sizes 200 768] [--threads 2]

Factors and histories are drawn at random; the sizes are those of Music4All-Onion. The floor is
the time that the matrix product alone takes at the rate of a large square product, measured in
the same run.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

from mrs.evaluation.ranking import factor_scores, top_k

# Seconds of the published script at these sizes, measured on 2 cores.
PUBLISHED = {200: 26.2, 768: 148.0}


def median_seconds(function: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


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
    square = rng.standard_normal((4000, 4000), dtype=np.float32)
    print(
        f"{args.users:,} users x {args.candidates:,} candidates, {len(pairs):,} seen pairs, "
        f"k = {args.k}, {args.threads} threads, median of {args.repeats}"
    )
    print("    D  GEMM GFLOP/s  floor s  ranking s  ranking/floor  peak RSS MB  published s *")
    with threadpool_limits(args.threads):
        for size in args.embedding_sizes:
            users = rng.standard_normal((args.users, size), dtype=np.float32)
            items = rng.standard_normal((args.candidates, size), dtype=np.float32)
            scores = factor_scores(users, items)

            def rank(scores: Callable[[int, int], torch.Tensor] = scores) -> np.ndarray:
                return top_k(scores, args.users, args.candidates, args.k, seen=seen)

            rate = 2 * 4000**3 / median_seconds(lambda: square @ square, args.repeats)
            seconds = median_seconds(rank, args.repeats)
            floor = 2 * args.users * args.candidates * size / rate
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            published = PUBLISHED.get(size, float("nan"))
            print(
                f"{size:5d} {rate / 1e9:13.0f} {floor:8.2f} {seconds:10.2f} "
                f"{seconds / floor:14.2f} {peak:12.0f} {published:14.1f}"
            )
    print("* published script, measured on 2 cores, at the default sizes (nan: not measured)")


if __name__ == "__main__":
    main()
