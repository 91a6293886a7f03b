"""One run: fit, rank, score each test user, write the record."""

import importlib.metadata
import platform
import resource
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

import numpy as np
import polars as pl
import torch
from threadpoolctl import threadpool_limits

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.splits import Split
from mrs.data.tables import read_parquet
from mrs.evaluation.metrics import Judged, chance, evaluate
from mrs.published.deviations import backbone_of
from mrs.recommenders import Fitted, Recommender
from mrs.recommenders.base import FixedEpochs
from mrs.study.new_tracks import describe_new_tracks, has_new_tracks
from mrs.study.ranker import Ranker, ReadVectors
from mrs.study.spec import METRICS, RunSpec, run_key, whole
from mrs.study.store import Record, Store

EXAMPLE_LISTENERS = 3
EXAMPLE_TRACKS = 10
DEPTH = 100  # ranks of hits are kept to this depth, or to the largest k


@lru_cache(maxsize=2)
def _cached_split(dataset: Dataset, name: str) -> Split:
    return dataset.split(name)


@lru_cache(maxsize=4)
def _backbone(dataset: Dataset, split: str, model: Recommender | FixedEpochs, seed: int) -> Fitted:
    """The collaborative model that others build on."""
    return model.fit(_cached_split(dataset, split), seed=seed)


def run(spec: RunSpec, store: Store, dataset: Dataset | None = None, *, threads: int = 1) -> Record:
    """The record of one run, from the store or computed now; parameters and errors as `run_fit`."""
    return run_fit([spec], store, dataset, threads=threads)[0]


def run_fit(
    specs: Sequence[RunSpec], store: Store, dataset: Dataset | None = None, *, threads: int = 1
) -> list[Record]:
    """The records of runs that share one fit, in the order of `specs`.

    Computes those that the store does not hold. `threads` is fixed by the study, since the
    number of threads may change last digits. Raises `InputError`.
    """
    if len({spec.fit for spec in specs}) != 1:
        raise ValueError("the runs do not share one fit")
    dataset = dataset or open_dataset(specs[0].dataset)
    keys = [run_key(spec, dataset, store.digests) for spec in specs]
    missing = [(spec, key) for spec, key in zip(specs, keys, strict=True) if not store.has(key)]
    if missing:
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            _compute(missing, store, dataset)
    return [Record(key, store.folder / key) for key in keys]


def _compute(missing: list[tuple[RunSpec, str]], store: Store, dataset: Dataset) -> None:
    spec = missing[0][0]
    split = _cached_split(dataset, spec.split)
    vectors = _vectors(spec, dataset, split)
    recommender = spec.recommender
    backbone = None
    if "backbone" in recommender.needs:
        model = recommender.backbone_trainer(backbone_of(recommender))
        backbone = _backbone(dataset, spec.split, model, spec.seed)
    read = None if vectors is None else vectors(recommender.tracks_needed(split))
    started = time.perf_counter()
    shared = recommender.fit(split, read, backbone=backbone, seed=spec.seed)
    fit_seconds = time.perf_counter() - started
    rankers: dict[Recommender, Ranker] = {}
    for one, key in missing:
        if one.recommender not in rankers:
            fitted = one.recommender.member_of_family(shared)
            tie_seed = one.seed if one.recommender.ties else None
            rankers[one.recommender] = Ranker(dataset, split, fitted, vectors, tie_seed)
        ranker = rankers[one.recommender]
        started = time.perf_counter()
        users, examples = score(ranker, one)
        info = _describe(one, dataset, ranker.fitted, users) | {
            "seconds": {"fit": fit_seconds, "rank": time.perf_counter() - started},
            "examples": examples,
        }
        if one.scenario == "cold" and has_new_tracks(split):
            info["new_tracks"] = describe_new_tracks(ranker, one.k, max(DEPTH, *one.k))
        store.write(key, info, users)


def _vectors(spec: RunSpec, dataset: Dataset, split: Split) -> ReadVectors | None:
    """What reads the recommender's vectors of tracks; None where it reads none.

    A shuffled run permutes rows among the train tracks and, separately, among the cold tracks and
    those of cold validation, so that each group keeps its own set of vectors.
    """
    if "truth" in spec.recommender.needs:
        return _truth(spec, dataset, split).__getitem__
    if spec.backend is None:
        return None
    source = np.arange(len(split.tracks))  # the track whose vector each one has
    if spec.shuffled:
        held = np.array([], int) if split.cold_val is None else np.unique(split.cold_val.track)
        for part, positions in enumerate((split.warm, split.cold, held)):
            generator = np.random.default_rng([spec.seed, part])
            source[positions] = generator.permutation(positions)
    read = partial(dataset.vectors, spec.backend)
    return lambda tracks: read(source[tracks])


def _truth(spec: RunSpec, dataset: Dataset, split: Split) -> np.ndarray:
    """The known play probabilities, one row per track and one column per train user."""
    truth = dataset.truth(spec.recommender.name)
    assert truth is not None
    everyone = np.unique(read_parquet(dataset.folder / "listens.parquet", ["user_id"])["user_id"])
    return np.ascontiguousarray(truth[np.searchsorted(everyone, split.users)].T)


def score(ranker: Ranker, spec: RunSpec) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Rank the candidates for every test user and score the lists.

    Returns the frame of a record's users.parquet and, for generated worlds, the top lists of a few
    users. Real users have no such lists; they are identified by their row in the split, never by
    the id in their data.
    """
    dataset, split = ranker.dataset, ranker.split
    users, candidates, truth, seen = ranker.task(spec.scenario)
    ranked, lists = ranker.lists(whole(spec.scenario), max(DEPTH, *spec.k))
    lists = lists[np.searchsorted(ranked, users)]
    judged = Judged.from_lists(lists, truth)
    n_seen = np.zeros(len(users), int) if seen is None else np.diff(seen.indptr)
    n_candidates, n_relevant = len(candidates) - n_seen, np.diff(truth.indptr)
    by_chance = chance(n_candidates, n_relevant, METRICS, spec.k)
    row, rank = np.nonzero(judged.hits)
    ranks = np.split((rank + 1).astype(np.uint32), np.searchsorted(row, np.arange(1, len(users))))
    frame = pl.DataFrame(
        {
            "user_id": split.users[users] if dataset.generated else users,
            "n_relevant": n_relevant.astype(np.int32),
            "n_candidates": n_candidates.astype(np.int32),
            "hit_ranks": pl.Series([r.tolist() for r in ranks], dtype=pl.List(pl.UInt32)),
        }
        | evaluate(judged, METRICS, spec.k)
        | {f"chance:{name}": values for name, values in by_chance.items()}
    )
    if not dataset.generated:
        return frame, []
    return frame, _examples(dataset, split, users, candidates, lists, judged.hits)


def _examples(
    dataset: Dataset,
    split: Split,
    users: np.ndarray,
    candidates: np.ndarray,
    lists: np.ndarray,
    hits: np.ndarray,
) -> list[dict[str, Any]]:
    """The top lists of the first users tested in both scenarios, with their most played tracks."""
    both = np.intersect1d(split.hot_test.user, split.cold_test.user)
    chosen = [user for user in both if user in users][:EXAMPLE_LISTENERS]
    artists, titles = dataset.artist_names(), dataset.titles()

    def name(position: int) -> dict[str, str]:
        return {"artist": artists[position], "title": titles[position]}

    examples = []
    for user in chosen:
        row = int(np.searchsorted(users, user))
        mine = split.train.user == user
        most = split.train.track[mine][np.argsort(-split.train.count[mine], kind="stable")]
        top = [column for column in lists[row, :EXAMPLE_TRACKS] if column >= 0]
        examples.append(
            {
                "user_id": str(split.users[user]),
                "history": [name(position) for position in most[:EXAMPLE_TRACKS]],
                "top": [
                    name(candidates[column]) | {"hit": bool(hits[row, place])}
                    for place, column in enumerate(top)
                ],
            }
        )
    return examples


def _describe(
    spec: RunSpec, dataset: Dataset, fitted: Fitted, users: pl.DataFrame
) -> dict[str, Any]:
    """The content of a record's run.json except times and examples."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there, KiB here
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return {
        **spec.identity(),
        "dataset": {"spec": spec.dataset, "name": dataset.name},
        "settings": spec.settings,
        "command": spec.command(),
        "n_users": len(users),
        "n_candidates": int(users["n_candidates"].max()),  # type: ignore[arg-type]
        "converged": fitted.converged,
        "curve": fitted.curve,
        "peak_memory_mb": round(peak),
        "provenance": {
            "listens": "generated" if dataset.generated else "real",
            "vectors": dataset.card(spec.backend).origin if spec.backend else None,
        },
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": {
            name: importlib.metadata.version(name) for name in ("mrs", "torch", "numpy", "polars")
        }
        | {"python": platform.python_version()},
    }


def machine() -> str:
    """The operating system and the name of the processor, where known."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
            name = next(line.split(":")[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        name = platform.processor() or "unknown processor"
    return f"{platform.system()} {platform.machine()}, {name}"
