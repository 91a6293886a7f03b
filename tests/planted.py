"""Records with values chosen by a test, for pages that only read them."""

import json
from pathlib import Path

import numpy as np
import polars as pl
from worlds import random_parts, write_own

from mrs.study.results import Results
from mrs.study.spec import RunSpec
from mrs.study.store import Store
from mrs.study.study import load_study
from mrs_book.kit.summary import metric_names

# Hybrid with whole vectors and with components, beside variants that differ in more than that.
COMPONENTS = """
recommenders:
  - hybrid: &short {max_epochs: 3}
  - hybrid: {<<: *short, n_components: none}
  - hybrid: {max_epochs: 4, n_components: none}
  - shallow: {n_components: none}
  - knn
seeds: [0, 1]
scenarios: [hot]
k: [50]
"""


def planted(folder: Path, study: str, rungs: dict[str, float]) -> Results:
    """A study, its text without `dataset`, over a world with a surrogate of each rung; no record.

    `rungs` maps backends to what their cards say of the held-out R2.
    """
    write_own(folder / "own", random_parts())
    vectors = np.load(folder / "own/embeddings/mert.npy")
    for name in ("mert.npy", "mert.json"):
        (folder / "own/embeddings" / name).unlink()
    for name, r2 in rungs.items():
        np.save(folder / f"own/embeddings/{name}.npy", vectors * (1 + r2))
        card = {"backend": name, "origin": "surrogate", "heldout_r2": r2}
        (folder / f"own/embeddings/{name}.json").write_text(json.dumps(card))
    path = folder / "study.yaml"
    path.write_text(f"title: planted\ndataset: {folder / 'own'}\n{study}")
    return Results(load_study(path), Store(folder / "store"))


def plant(results: Results, spec: RunSpec, values: list[float], chance: float = 0.1) -> None:
    """Write a run's record with these values of every metric, one a user."""
    names = metric_names(results.study.k)
    users = pl.DataFrame(
        {"user_id": range(len(values))}
        | dict.fromkeys(names, pl.Series(values))
        | {f"chance:{name}": [chance] * len(values) for name in names}
    )
    info = {
        "n_users": len(values),
        "converged": None,
        "seconds": {"fit": 2.0 if spec.shuffled else 1.0, "rank": 0.5},
        "peak_memory_mb": 100,
        "curve": [],
        "recommender": spec.recommender.name,
    }
    results.store.write(results.key(spec), info, users)
