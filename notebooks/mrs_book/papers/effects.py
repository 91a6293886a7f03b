"""What each deviation of the published code does by itself, measured on the generated world.

A run with one deviation (protocol "published:<name>") stands beside the same run without it: the
same recommender, hyper-parameters (those of `studies/deviations.yaml`), vectors, listeners and
seed. The runs come with the project in `studies/deviations.parquet`, beside their study file;
`studies/make_effects.py` makes them again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.dataset import Dataset, open_dataset
from mrs.evaluation.bootstrap import difference
from mrs.published.deviations import recommender_of
from mrs.recommenders import RECOMMENDERS
from mrs.recommenders.coldstart.base import ColdStart
from mrs.study.archive import open_archive, pack
from mrs.study.costs import seconds_by_recommender, seconds_of
from mrs.study.grid import by_fit, run_fits
from mrs.study.spec import PRIMARY, RunSpec, make_spec, run_key
from mrs.study.store import Record, Store
from mrs.study.study import Study, load_study
from mrs_book.papers.deviation_table import deviations

COMMAND = "python studies/make_effects.py"

BACKENDS = ("musicfm", "encodecmae")  # surrogates on a low and a high rung
SEEDS = (0, 1, 2)
CATALOGUE = "catalogue"  # the split of the cold-start models; others take the default one
LONGER_LISTS = {"cold": "ndcg@50"}  # what stood under the name of the primary metric

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "deviation": pl.String,
    "recommender": pl.String,
    "scenario": pl.String,
    "metric": pl.String,
    "backends": pl.List(pl.String),
    "n_seeds": pl.Int64,
    "n_users": pl.Int64,
    "chance": pl.Float64,
    "corrected": pl.Float64,
    "published": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "seed_sd": pl.Float64,
}

Reader = Callable[[RunSpec], Record | None]


@dataclass(frozen=True)
class Pair:
    """A run without a deviation and one with it, and the metric that is read of each.

    Where a deviation changes the list length alone both runs are the same.
    """

    deviation: str
    corrected: RunSpec
    published: RunSpec
    metric: str
    published_metric: str

    @property
    def key(self) -> tuple[str, str, str]:
        """The effect that the pair belongs to: deviation, recommender, scenario."""
        return self.deviation, self.corrected.recommender.name, self.corrected.scenario


def pairs(study: Study, dataset: Dataset) -> list[Pair]:
    """What is run for the effects, in the order of the deviations table.

    Hyper-parameters are those of the study's first variant of each recommender.
    """
    settings = {variant.name: variant.settings for variant in reversed(study.recommenders)}
    found = []
    for row in deviations():
        for name in row.recommenders:
            kind = RECOMMENDERS[name]
            split = CATALOGUE if issubclass(kind, ColdStart) else None
            for scenario in kind.scenarios:
                longer = row.measured == "list length"
                if longer and scenario not in LONGER_LISTS:
                    continue
                metric = PRIMARY[scenario]
                for backend in BACKENDS if "vectors" in kind.needs else (None,):
                    for seed in SEEDS if kind.stochastic else (0,):
                        corrected, published = (
                            make_spec(
                                dataset,
                                recommender=recommender_of(
                                    name, settings.get(name, {}) | row.settings, protocol
                                ),
                                scenario=scenario,
                                backend=backend,
                                split=split,
                                seed=seed,
                            )
                            for protocol in ("corrected", "corrected" if longer else row.protocol)
                        )
                        other = LONGER_LISTS[scenario] if longer else metric
                        found.append(Pair(row.name, corrected, published, metric, other))
    return found


def effects(wanted: Sequence[Pair], read: Reader) -> pl.DataFrame:
    """The effect of each deviation by recommender and scenario; columns as in `SCHEMA`.

    `difference` is published minus corrected, averaged over backends, seeds and users, `low` and
    `high` its 95 % interval over users and seeds, paired. `seed_sd` is the standard
    deviation of the seeds' differences (null for one seed). Seeds of which a run is missing are
    left out, and an effect without a whole seed has no row.
    """
    groups: dict[tuple[str, str, str], list[Pair]] = defaultdict(list)
    for pair in wanted:
        groups[pair.key].append(pair)
    rows, alike = [], defaultdict(list)
    for (deviation, recommender, scenario), group in groups.items():
        sides = _sides(group, read)
        if sides is None:
            continue
        corrected, published, chance = sides
        by_seed = (published - corrected).mean(axis=1)
        row: dict[str, Any] = {
            "deviation": deviation,
            "recommender": recommender,
            "scenario": scenario,
            "metric": group[0].metric,
            "backends": [backend for backend in _backends(group) if backend],
            "n_seeds": len(by_seed),
            "n_users": corrected.shape[1],
            "chance": chance,
            "corrected": float(corrected.mean()),
            "published": float(published.mean()),
            "seed_sd": float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        }
        rows.append(row)
        alike[scenario, corrected.shape].append((row, corrected, published))
    # Effects over as many seeds and users share the draws of the bootstrap.
    for found in alike.values():
        mine, corrected, published = zip(*found, strict=True)
        bounds = difference(np.stack(published, axis=-1), np.stack(corrected, axis=-1))
        for row, ends in zip(mine, bounds.rows(), strict=True):
            row |= dict(zip(("difference", "low", "high"), ends, strict=True))
    return pl.DataFrame(rows, schema=SCHEMA)


def missing(wanted: Sequence[Pair], read: Reader) -> list[RunSpec]:
    """The runs that effects need and that are missing, each once."""
    return [spec for spec in _specs(wanted) if read(spec) is None]


def _specs(wanted: Iterable[Pair]) -> list[RunSpec]:
    """All runs, each once; low seeds first, so that an interrupted grid has whole seeds."""
    specs = dict.fromkeys(spec for pair in wanted for spec in (pair.corrected, pair.published))
    return sorted(specs, key=lambda spec: spec.seed)


def _backends(group: Sequence[Pair]) -> list[str | None]:
    return list(dict.fromkeys(pair.corrected.backend for pair in group))


def _sides(group: Sequence[Pair], read: Reader) -> tuple[np.ndarray, np.ndarray, float] | None:
    """An effect's values without and with the deviation [S seeds x U users], and chance.

    They are averaged over backends. None without a whole seed.
    """
    by_seed: dict[int, list[tuple[Record, Record]]] = defaultdict(list)
    for pair in group:
        corrected, published = read(pair.corrected), read(pair.published)
        if corrected is not None and published is not None:
            by_seed[pair.corrected.seed].append((corrected, published))
    n_backends = len(_backends(group))
    whole = [by_seed[seed] for seed in sorted(by_seed) if len(by_seed[seed]) == n_backends]
    if not whole:
        return None
    metrics = group[0].metric, group[0].published_metric
    without, with_it = (
        np.array([np.mean([both[n].values(metric) for both in seed], axis=0) for seed in whole])
        for n, metric in enumerate(metrics)
    )
    return without, with_it, whole[0][0][0].chance(metrics[0])


def study_file(archive: str | Path) -> Path:
    """The study file beside an archive, whose world and hyper-parameters are used."""
    return Path(archive).with_suffix(".yaml")


def make_archive(
    archive: Path,
    store: Store,
    *,
    dataset: str | None = None,
    workers: int | None = None,
    compute: bool = True,
) -> tuple[int, int]:
    """Compute the runs that neither the store nor the archive has and archive all of them.

    `dataset` replaces the study's world; without `compute` what is there is archived. Returns the
    number of runs in the archive and the number of runs that effects need.
    """
    study = load_study(study_file(archive))
    world = open_dataset(dataset or study.dataset)
    needed, before = _specs(pairs(study, world)), open_archive(archive)

    def read(spec: RunSpec) -> Record | None:
        known = store.read(run_key(spec, world, store.digests))
        return known or (before.read(spec, world) if before else None)

    if compute:
        lacking = by_fit(spec for spec in needed if read(spec) is None)
        run_fits(lacking, store, workers=workers, threads=study.threads)
    found = [(spec, record, world) for spec in needed if (record := read(spec)) is not None]
    return pack(found, archive, command=COMMAND).about["n_runs"], len(needed)


class Measured:
    """The effects as an archive has them."""

    def __init__(self, archive: str | Path, dataset: str | None = None) -> None:
        self.study_path = study_file(archive)
        self.study = load_study(self.study_path)
        self.dataset = open_dataset(dataset or self.study.dataset)
        self.archive = open_archive(Path(archive))
        self.pairs = pairs(self.study, self.dataset)

    def read(self, spec: RunSpec) -> Record | None:
        """A run's record, None where it is missing."""
        return self.archive.read(spec, self.dataset) if self.archive else None

    def effects(self) -> pl.DataFrame:
        """The effects by deviation, recommender and scenario; columns `SCHEMA`."""
        return effects(self.pairs, self.read)

    def missing(self) -> list[RunSpec]:
        """The runs that the archive lacks."""
        return missing(self.pairs, self.read)

    def hours(self, specs: Sequence[RunSpec]) -> float | None:
        """About how long missing runs take on one worker, by the archive's runs of the same
        recommenders; None without an archive.
        """
        if self.archive is None or not len(self.archive.runs):
            return None
        places = self.archive.runs["place"]
        known = seconds_by_recommender(self.archive.record(place) for place in places)
        every = float(np.median([value for values in known.values() for value in values]))
        costs = seconds_of([fit[0] for fit in by_fit(specs)], known, lambda _: every)
        return sum(cost for cost in costs if cost is not None) / 3600
