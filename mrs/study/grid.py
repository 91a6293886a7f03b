"""The grid: every run that the store lacks, on a local Dask cluster."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mrs.backends.hear_world import hear_world
from mrs.data.dataset import Dataset, open_dataset
from mrs.errors import InputError
from mrs.study.results import Results
from mrs.study.run import run_fit
from mrs.study.spec import RunSpec
from mrs.study.store import Store
from mrs.study.study import Study
from mrs.workers import listed, run_on_workers


@dataclass(frozen=True)
class Plan:
    """The work of a grid: its missing runs by fit, and the numbers of all and of missing runs."""

    fits: list[list[RunSpec]]
    n_runs: int
    n_missing: int


def missing_fits(results: Results) -> list[list[RunSpec]]:
    """The runs that the store lacks, grouped by the fit that they share."""
    return by_fit(spec for spec in results.specs() if not results.has(spec))


def by_fit(specs: Iterable[RunSpec]) -> list[list[RunSpec]]:
    """Runs, each once, grouped by the fit that they share."""
    groups: dict[tuple, list[RunSpec]] = defaultdict(list)
    for spec in dict.fromkeys(specs):
        groups[spec.fit].append(spec)
    return list(groups.values())


def make_plan(results: Results) -> Plan:
    """What the store lacks."""
    fits = missing_fits(results)
    return Plan(fits, len(set(results.specs())), sum(map(len, fits)))


@lru_cache(maxsize=2)
def _opened(spec: str) -> Dataset:
    return open_dataset(spec)


def _work(
    specs: Sequence[RunSpec], store: str, threads_per_fit: int, opened: Callable[[str], Dataset]
) -> None:
    """One fit in a worker process."""
    run_fit(specs, Store(store), opened(specs[0].dataset), threads=threads_per_fit)


def _with_audio(study: Study, workers: int | None) -> Dataset:
    """The study's dataset; available models are first run on a generated world's audio."""
    dataset = open_dataset(study.dataset)
    if any("vectors" in variant.model.needs for variant in study.recommenders):
        names = study.backends if study.backends is not None else dataset.backends()
        hear_world(dataset, names, workers)
    return dataset


def run_grid(
    study: Study, store: Store, workers: int | None = None, *, run_timeout: float | None = None
) -> Results:
    """Compute the runs of a study that the store lacks; progress goes to stderr.

    `workers` processes (default: one per core) fit in parallel; in a script, put the call under
    `if __name__ == "__main__":`, since they import it. A fit that takes longer than `run_timeout`
    seconds is stopped and counts as failed. Raises `InputError` before anything is computed, and
    `RuntimeError` at the end if a run failed; the others are kept.
    """
    if run_timeout is not None and not run_timeout > 0:
        raise InputError(f"run-timeout {run_timeout:g}: must be more than 0 seconds")
    if workers is not None and workers < 1:
        raise InputError(f"workers {workers}: must be 1 or more")
    results = Results(study, store, _with_audio(study, workers))
    fits = make_plan(results).fits
    run_fits(fits, store, workers=workers, threads=study.threads, time_limit=run_timeout)
    return results


def run_fits(
    fits: Sequence[Sequence[RunSpec]],
    store: Store,
    *,
    workers: int | None,
    threads: int,
    opened: Callable[[str], Dataset] = _opened,
    time_limit: float | None = None,
) -> None:
    """Compute runs grouped by fit on a local cluster, and write their records to the store.

    `opened`, a function of a module, gives a worker the dataset of a name. Raises `InputError` for
    a store that another grid computes into or that cannot be written, and `RuntimeError` at the end
    if a fit failed; the others are kept.
    """
    if not fits:
        return
    with store.alone():
        failures = list(
            run_on_workers(
                _work,
                fits,
                workers=workers or os.cpu_count() or 1,
                threads=threads,
                title=f"{sum(map(len, fits))} runs",
                named=_named,
                time_limit=time_limit,
                store=str(store.folder.resolve()),
                threads_per_fit=threads,
                opened=opened,
            )
        )
    if failures:
        raise RuntimeError(
            f"{len(failures)} of {len(fits)} fits failed, the others are stored:\n"
            f"{listed(failures)}"
        )


def _named(specs: Sequence[RunSpec]) -> str:
    """A fit by the command of its first run."""
    more = f" (and {len(specs) - 1} more of this fit)" if len(specs) > 1 else ""
    return f"{specs[0].command()}{more}"
