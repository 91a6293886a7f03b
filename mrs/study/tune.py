"""The search for hyper-parameters: the same number of trials for every recommender.

A trial is fitted three times and scored on pairs that no test of the study reads. Hot is NDCG@50
of the validation users' held-out pairs, cold NDCG@20 of pseudo-cold tracks, which that very fit
leaves out (`mrs.data.pseudo_cold`); both are ranked and scored as a study's runs are. The three
fits are of three backends, or of three seeds where no vectors are read. Of a generated world it is
another one, drawn with the next seed, and its surrogates on a low, a middle and a high rung; of
other data it is the study's own, without its test pairs.

A trial's score is (mean NDCG - chance) / (trial 0's - chance), averaged over the recommenders that
get the same values and then over the scenarios, which count alike; trial 0 is what the study sets
now. So a recommender that answers hot and cold gets one set of values, and what is chosen is never
below the present by this score. The held-out pairs also stop the training, in every trial alike.

Chance is taken off since lists of 20 among few tracks hold much of it: relative to the present a
cold score would hardly move, and hot would decide. Searches of version 1 were scored so.

Each fit leaves a small file in the store: a search that was killed goes on, and one with more
trials computes only these.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from threadpoolctl import threadpool_limits

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.pseudo_cold import pseudo_cold_split, validation_split
from mrs.data.splits import Split
from mrs.errors import InputError
from mrs.files import replacing, values_digest, write_atomically
from mrs.published.deviations import backbone_of
from mrs.recommenders import RECOMMENDERS, Fitted, Recommender, make_recommender
from mrs.recommenders.base import FixedEpochs
from mrs.study.ranker import Ranker
from mrs.study.run import machine, score
from mrs.study.search import Group, groups
from mrs.study.spec import EVALUATION_VERSION, PRIMARY, make_spec
from mrs.study.store import Store
from mrs.study.study import Study, load_study
from mrs.workers import listed, run_on_workers
from mrs.world.demo import Params
from mrs.world.surrogates import HELDOUT_R2, RUN_ANYWHERE

TRIALS = 16
FITS = 3  # a trial: of so many backends, or seeds
VERSION = 2  # of the criterion, raised when its digits change
SCHEMA = {
    "group": pl.String,
    "trial": pl.Int64,
    "values": pl.String,  # JSON: what was searched
    "settings": pl.String,  # JSON: all hyper-parameters
    "recommender": pl.String,
    "scenario": pl.String,
    "metric": pl.String,
    "score": pl.Float64,  # mean over users; NaN where the fit failed
    "chance": pl.Float64,  # its level by chance; null where it was not kept
    "version": pl.Int64,  # of the criterion that chose
    "n_users": pl.Int64,
    "n_candidates": pl.Int64,
    "backend": pl.String,
    "rung": pl.Float64,
    "seed": pl.Int64,
    "seconds": pl.Float64,  # of the fit, which a group's rows share
    "cpu_seconds": pl.Float64,
    "converged": pl.Boolean,
    "dataset": pl.String,
    "months": pl.Int64,  # of train whose new tracks are pseudo-cold; 0 without cold
    "search_seed": pl.Int64,
    "created": pl.String,
    "machine": pl.String,
    "command": pl.String,
}


@dataclass(frozen=True)
class Job:
    """One fit of a trial: everything that decides its digits but the data."""

    dataset: str
    split: str
    cells: tuple[tuple[str, str], ...]
    cold: bool
    settings: tuple[tuple[str, Any], ...]
    backend: str | None
    seed: int
    threads: int


@dataclass(frozen=True)
class Trial:
    """A trial of a group with its fits."""

    group: Group
    number: int
    values: dict[str, Any]
    jobs: tuple[Job, ...]


def tuning_dataset(study: Study) -> str:
    """The world of the next seed for a generated one; other data itself."""
    name, _, text = study.dataset.partition(":")
    if name != "demo":
        return study.dataset
    kept = [part for part in text.split(",") if part and not part.strip().startswith("seed=")]
    return f"demo:{','.join([*kept, f'seed={Params.parse(text).seed + 1}'])}"


def tuning_backends(study: Study, dataset: Dataset) -> list[str]:
    """Three backends, from the middle of each third of the surrogates in the order of their rungs.

    Surrogates of models that run everywhere do not count: computed vectors replace them. With fewer
    than three surrogates the three are drawn from all backends in their order.
    """
    names = [n for n in dataset.backends() if study.backends is None or n in study.backends]
    details = {name: dataset.card(name).details for name in names if name not in RUN_ANYWHERE}
    rungs = {name: float(of[HELDOUT_R2]) for name, of in details.items() if HELDOUT_R2 in of}
    ladder = sorted(rungs, key=rungs.__getitem__)
    pool = ladder if len(ladder) >= FITS else names
    places = [(2 * third + 1) * len(pool) // (2 * FITS) for third in range(FITS)]
    return list(dict.fromkeys(pool[place] for place in places)) if pool else []


def plan(study: Study, dataset: Dataset, trials: int, seed: int) -> list[Trial]:
    """Every trial of every group, round by round, so that what is done is equal at any time."""
    found = groups(study)
    if not found:
        raise InputError("the study has no recommender with anything to search; add one")
    backends = tuning_backends(study, dataset)
    planned = []
    for number in range(trials):
        for group in found:
            values = group.values(number, seed)
            model = group.variants[0].model
            settings = replace(model, **values).settings()  # type: ignore[type-var]
            reads = "vectors" in model.needs
            if reads and not backends:
                raise InputError(f"{dataset.folder}: has no vectors, which {model.name} reads")
            fits = [(b, 0) for b in backends] if reads else [(None, s) for s in range(FITS)]
            jobs = tuple(
                Job(
                    dataset=dataset.spec,
                    split=dataset.split_name(study.split),
                    cells=tuple(group.cells(study.scenarios)),
                    cold="cold" in study.scenarios,
                    settings=tuple(sorted(settings.items())),
                    backend=backend,
                    seed=fit_seed,
                    threads=study.threads,
                )
                for backend, fit_seed in fits
            )
            planned.append(Trial(group, number, values, jobs))
    return planned


class Outcomes:
    """The outcome of each job, a JSON file named by a hash of all that decides it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def _path(self, job: Job, dataset: Dataset) -> Path:
        digests = self.store.digests
        names = {name for name, _ in job.cells}
        names |= {str(value) for key, value in job.settings if key == "backbone"}
        content = [dataset.split_digest(job.split, digests)]
        if job.backend:
            content.append(dataset.vector_digest(job.backend, digests))
        versions = {name: RECOMMENDERS[name].version for name in names}
        values = asdict(job) | {"dataset": dataset.name}
        key = values_digest([values, content, versions, VERSION, EVALUATION_VERSION])[:20]
        return self.store.folder / ".tuning" / f"{key}.json"

    def read(self, job: Job, dataset: Dataset) -> dict[str, Any] | None:
        """What a job left behind, None where it has not been done."""
        try:
            outcome = json.loads(self._path(job, dataset).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return outcome if isinstance(outcome, dict) and "cells" in outcome else None

    def write(self, job: Job, dataset: Dataset, outcome: dict[str, Any]) -> None:
        """Keep a job's outcome; the file is whole or absent."""
        write_atomically(self._path(job, dataset), json.dumps(outcome, indent=1))


@lru_cache(maxsize=2)
def _data(spec: str, split: str, cold: bool) -> tuple[Dataset, Split, int]:
    dataset = open_dataset(spec)
    whole = dataset.split(split)
    return (dataset, *(pseudo_cold_split(whole) if cold else (validation_split(whole), 0)))


@lru_cache(maxsize=4)
def _backbone(
    spec: str, split: str, cold: bool, model: Recommender | FixedEpochs, seed: int
) -> Fitted:
    return model.fit(_data(spec, split, cold)[1], seed=seed)


def fit_and_score(job: Job) -> dict[str, Any]:
    """Fit once and score every cell that the fit answers.

    A fit whose scores are not finite has the score NaN: a trial with it is never chosen.
    """
    dataset, split, months = _data(job.dataset, job.split, job.cold)
    settings = dict(job.settings)
    recommender = make_recommender(job.cells[0][0], settings)
    backbone = None
    if "backbone" in recommender.needs:
        model = recommender.backbone_trainer(backbone_of(recommender))
        backbone = _backbone(job.dataset, job.split, job.cold, model, job.seed)
    vectors = partial(dataset.vectors, job.backend) if job.backend else None
    read = None if vectors is None else vectors(recommender.tracks_needed(split))
    import lightning  # noqa: F401 - takes seconds, which are not the first fit's

    wall, cpu = time.perf_counter(), time.process_time()
    shared = recommender.fit(split, read, backbone=backbone, seed=job.seed)
    outcome = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "converged": shared.converged,
        "months": months,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
    }
    cells = []
    for name, scenario in job.cells:
        spec = make_spec(
            dataset,
            recommender=make_recommender(name, settings),
            scenario=scenario,
            backend=job.backend,
            split=job.split,
            seed=job.seed,
        )
        fitted = spec.recommender.member_of_family(shared)
        row: dict[str, Any] = {"recommender": name, "scenario": scenario}
        row["metric"] = PRIMARY[scenario]
        if np.isfinite(fitted.users()).all() and np.isfinite(fitted.items()).all():
            users, _ = score(Ranker(dataset, split, fitted, vectors), spec)
            row["score"] = float(users[row["metric"]].mean())
            row["chance"] = float(users[f"chance:{row['metric']}"].to_numpy().mean())
            row["n_users"] = len(users)
            row["n_candidates"] = int(users["n_candidates"].max())  # type: ignore[arg-type]
        else:
            row |= {"score": float("nan"), "chance": None, "n_users": 0, "n_candidates": 0}
        cells.append(row)
    return outcome | {"cells": cells}


def _work(job: Job, store: str) -> None:
    """One fit in a worker process."""
    torch.set_num_threads(job.threads)
    with threadpool_limits(job.threads):
        outcome = fit_and_score(job)
    Outcomes(Store(store)).write(job, _data(job.dataset, job.split, job.cold)[0], outcome)


def _named(job: Job) -> str:
    """A fit by its recommender, what it reads and its values."""
    reads = f"on {job.backend}" if job.backend else f"seed {job.seed}"
    values = " ".join(f"{name}={value}" for name, value in job.settings)
    return f"{job.cells[0][0]} {reads} with {values}"


def tuning_file(study_file: str | Path) -> Path:
    """Where a study's search is kept: `NAME.tuning.parquet` beside `NAME.yaml`."""
    return Path(study_file).with_suffix(".tuning.parquet")


def tune(
    study_file: str | Path,
    store: Store,
    *,
    trials: int = TRIALS,
    workers: int | None = None,
    seed: int = 0,
    dataset: str | None = None,
) -> pl.DataFrame:
    """Search a study's hyper-parameters and write `tuning_file`; returns its frame (`SCHEMA`).

    `dataset` is searched on in place of `tuning_dataset`. Raises `InputError` before anything is
    computed and `RuntimeError` where a fit failed; what was done is kept.
    """
    for name, value in (("trials", trials), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{name} {value}: must be 1 or more")
    if seed < 0:
        raise InputError(f"seed {seed}: must be 0 or more")
    study = load_study(study_file)
    opened = open_dataset(dataset or tuning_dataset(study))
    planned = plan(study, opened, trials, seed)
    _data(opened.spec, opened.split_name(study.split), "cold" in study.scenarios)  # checks it
    outcomes = Outcomes(store)
    jobs = list(dict.fromkeys(job for trial in planned for job in trial.jobs))
    missing = [job for job in jobs if outcomes.read(job, opened) is None]
    if missing:
        failures = list(
            run_on_workers(
                _work,
                missing,
                workers=workers or os.cpu_count() or 1,
                threads=study.threads,
                title=f"{trials} trials",
                named=_named,
                store=str(store.folder.resolve()),
            )
        )
        if failures:
            raise RuntimeError(
                f"{len(failures)} of {len(missing)} fits failed, the others are kept:\n"
                f"{listed(failures)}"
            )
    command = f"python -m mrs tune --study {study_file} --trials {trials}"
    command += f" --seed {seed}" if seed else ""
    command += f" --dataset {dataset}" if dataset else ""
    shared = {"search_seed": seed, "command": command, "version": VERSION}
    rows = list(_rows(planned, opened, outcomes, shared))
    frame = pl.DataFrame(rows, schema=SCHEMA)
    with replacing(tuning_file(study_file)) as temporary:
        frame.write_parquet(temporary)
    return frame


def _rows(
    planned: Sequence[Trial], dataset: Dataset, outcomes: Outcomes, shared: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """One row per trial, fit, recommender and scenario."""
    for trial in planned:
        for job in trial.jobs:
            outcome = outcomes.read(job, dataset)
            if outcome is None:
                raise RuntimeError(f"{outcomes.store.folder}: an outcome was not kept")
            details = dataset.card(job.backend).details if job.backend else {}
            for cell in outcome["cells"]:
                yield {
                    "group": trial.group.name,
                    "trial": trial.number,
                    "values": json.dumps(trial.values),
                    "settings": json.dumps(dict(job.settings)),
                    "backend": job.backend,
                    "rung": details.get(HELDOUT_R2),
                    "seed": job.seed,
                    "dataset": dataset.spec,
                    **{name: value for name, value in outcome.items() if name != "cells"},
                    **cell,
                    **shared,
                }
