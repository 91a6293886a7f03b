"""What larger batches cost Hybrid: validation NDCG@50 after five epochs, and the time of them.

    python benchmarks/hybrid_batches.py [--dataset demo:n_users=2100,n_tracks=12000,n_artists=900]

A step's time is nearly all that of the MLP over all tracks, whatever the batch, so that fewer steps
an epoch are the only way to a much shorter one. The base is the published schedule, 128 users a
batch; larger batches are trained for as many epochs at several learning rates. The listeners are
generated and the vectors surrogates.
"""

import argparse
import time

import torch
from threadpoolctl import threadpool_limits

from mrs.data.dataset import open_dataset
from mrs.recommenders.hybrid import Hybrid, HybridModule
from mrs.recommenders.pca import Components, unit_components
from mrs.recommenders.training import train

BASE = (128, 0.01)
CASES = [(640, 0.003), (640, 0.01), (640, 0.03), (1280, 0.003), (1280, 0.01)]
SEEDS = (0, 1)
DATASET = "demo:n_users=2100,n_tracks=12000,n_artists=900,n_cold=600"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default=DATASET)
    parser.add_argument("--backend", default="mert")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    dataset = open_dataset(args.dataset)
    split = dataset.split()
    vectors = dataset.vectors(args.backend)[split.warm]
    components: Components = unit_components(vectors, 128)
    print(f"{args.dataset}: {len(split.users):,} users, {len(split.warm):,} tracks, 768 wide")
    base = 0.0
    for batch_size, learning_rate in (BASE, *CASES):
        settings = Hybrid(batch_size=batch_size, learning_rate=learning_rate)
        found, seconds = [], []
        for seed in SEEDS:
            module = HybridModule(split.matrix, components(vectors), settings, seed)
            begin = time.perf_counter()
            with threadpool_limits(args.threads):
                outcome = train(module, split, max_epochs=args.epochs, patience=99, seed=seed)
            seconds.append(time.perf_counter() - begin)
            found.append([row["ndcg@50"] for row in outcome.curve])
        mean = sum(seconds) / len(seconds)
        base = base or mean
        shown = "; ".join(" ".join(f"{value:.4f}" for value in curve) for curve in found)
        print(
            f"{batch_size:5d} users, learning rate {learning_rate}: {mean:6.1f} s "
            f"({mean / base:.2f} of the base), NDCG@50 by epoch: {shown}",
            flush=True,
        )


if __name__ == "__main__":
    main()
