"""Archives with hits chosen by a test: one relevant track a user, at a rank or not listed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mrs.data.vectors import Card
from mrs.recommenders import make_recommender
from mrs.study.archive import Archive, pack
from mrs.study.spec import RunSpec
from mrs.study.store import Store

CANDIDATES = 100


@dataclass(frozen=True)
class Run:
    """A run and the rank of each user's track, 0 where it is not listed."""

    world: str
    recommender: str
    backend: str
    scenario: str
    ranks: list[int]
    settings: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Generated:
    """As much of a generated dataset as packing asks for; `rungs` of its surrogates."""

    spec: str
    rungs: dict[str, float]
    generated: bool = True

    def card(self, backend: str) -> Card:
        details = {"heldout_r2": self.rungs[backend]}
        return Card(backend, "surrogate", 8, details)


def write_archive(path: Path, runs: Iterable[Run], rungs: dict[str, float]) -> Archive:
    """Pack runs whose one metric value a user follows from the rank: ndcg is 1 / log2(1 + rank)."""
    store = Store(path.parent / "store")
    packed = []
    for place, run in enumerate(runs):
        recommender = make_recommender(run.recommender, dict(run.settings))
        spec = RunSpec(
            dataset=run.world,
            split="temporal",
            recommender=recommender,
            backend=run.backend,
            scenario=run.scenario,
        )
        users = pl.DataFrame(
            {
                "user_id": range(len(run.ranks)),
                "n_relevant": [1] * len(run.ranks),
                "n_candidates": [CANDIDATES] * len(run.ranks),
                "hit_ranks": [[rank] if rank else [] for rank in run.ranks],
            },
            schema_overrides={"hit_ranks": pl.List(pl.UInt32)},
        )
        info = {
            "dataset": {"spec": run.world, "name": "demo"},
            "split": spec.split,
            "recommender": run.recommender,
            "settings": recommender.settings(),
            "backend": run.backend,
            "scenario": run.scenario,
            "shuffled": False,
            "protocol": "corrected",
            "provenance": {"listens": "generated", "vectors": "surrogate"},
            "k": list(spec.k),
            "machine": "a machine",
            "versions": {"mrs": "0"},
            "seconds": {"fit": 60.0, "rank": 0.0},
        }
        record = store.write(f"run{place}", info, users)
        packed.append((spec, record, Generated(run.world, rungs)))
    return pack(packed, path, command="a command")  # type: ignore[arg-type]
