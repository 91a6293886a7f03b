"""Time of the metrics: lists and truth to per-user values, and their bootstrap intervals.

    python benchmarks/metrics.py

Lists and truth are drawn at random: 10,000 users x 100 ranks, 27 relevant tracks a user, about a
tenth of them in the list. The published scripts compute HitRate, Recall and NDCG with rs_metrics.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import scipy.sparse as sp
from measure import Line, gemm_rate, report, timed

from mrs.evaluation.bootstrap import interval
from mrs.evaluation.files import file_means
from mrs.evaluation.metrics import METRICS, Judged, Listed, chance, class_means, evaluate

KS = (10, 20, 50)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--candidates", type=int, default=55_262)
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--relevant", type=int, default=27)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    lists = np.stack(
        [rng.choice(args.candidates, args.depth, replace=False) for _ in range(args.users)]
    ).astype(np.int32)
    truth = sp.lil_matrix((args.users, args.candidates), dtype=bool)
    for row, listed in zip(truth.rows, lists, strict=True):
        n_hits = min(rng.binomial(args.relevant, 0.1), args.depth)
        others = np.setdiff1d(rng.choice(args.candidates, 2 * args.relevant), listed)
        row.extend(sorted([*listed[:n_hits], *others[: args.relevant - n_hits]]))
    truth.data[:] = [[True] * len(row) for row in truth.rows]
    relevant = truth.tocsr()
    n_relevant = np.diff(relevant.indptr)
    n_candidates = args.candidates - rng.integers(5, 3000, args.users)
    values = rng.random((1, args.users, len(METRICS) * len(KS)))

    rate = gemm_rate()

    def stage(name: str, function: Callable[[], object], published: float | None = None) -> None:
        seconds, cpu = timed(function, args.repeats)
        report(Line(name, seconds, cpu, rate / 1e9, published=published))

    print(f"{args.users:,} users x {args.depth} ranks x {args.relevant} relevant, ks {KS}")
    stage(
        "HitRate, Recall, NDCG from lists and truth",
        lambda: evaluate(Judged.from_lists(lists, relevant), ["hitrate", "recall", "ndcg"], KS),
        published=3.7,
    )
    stage(
        "the six metrics of the study from lists and truth",
        lambda: evaluate(Judged.from_lists(lists, relevant), list(METRICS), KS),
    )
    stage(
        "every class from lists and truth",
        lambda: class_means(
            Judged.from_lists(lists, relevant, n_candidates=n_candidates),
            KS,
            listed=Listed(lists, args.candidates),
        ),
    )
    with TemporaryDirectory() as folder:
        ranked, truth_file = Path(folder, "ranked.parquet"), Path(folder, "truth.parquet")
        users = np.arange(args.users)
        pl.DataFrame(
            {
                "user_id": np.repeat(users, args.depth),
                "track_id": lists.ravel(),
                "rank": np.tile(np.arange(1, args.depth + 1), args.users),
            }
        ).write_parquet(ranked)
        pl.DataFrame(
            {"user_id": np.repeat(users, n_relevant), "track_id": relevant.indices}
        ).write_parquet(truth_file)
        stage(
            "every class from two parquet files",
            lambda: file_means(ranked, truth_file, KS),
        )
    stage(
        "chance level of all metrics",
        lambda: chance(n_candidates, n_relevant, list(METRICS), KS),
    )
    stage(
        f"bootstrap, 10,000 draws, {values.shape[2]} columns, 1,200 users",
        lambda: interval(values[:, :1200]),
    )
    stage(
        f"bootstrap, 10,000 draws, {values.shape[2]} columns, {args.users:,} users",
        lambda: interval(values),
    )


if __name__ == "__main__":
    main()
