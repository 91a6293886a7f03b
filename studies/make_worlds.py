"""Make studies/worlds.parquet and studies/variations.parquet: studies in several generated worlds.

The worlds differ in their seed alone. `python studies/make_worlds.py` computes what the store lacks
and packs the archives that the book's page on validity reads.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import typer

from mrs.data.dataset import Dataset, open_dataset
from mrs.errors import InputError
from mrs.study.archive import pack
from mrs.study.grid import missing_fits, run_fits
from mrs.study.results import Results
from mrs.study.spec import RunSpec
from mrs.study.store import Record, Store
from mrs.study.study import Study, load_study
from mrs.world.variations import with_variations

STUDIES = {"worlds": 10, "variations": 3}  # study file -> number of worlds, seeds from 1
DEFAULT = "demo"  # the world of the default size, whose runs the default study shares


def world(dataset: str, seed: int) -> str:
    """A generated dataset with another seed: "demo:n_users=300" -> "demo:n_users=300,seed=1"."""
    if dataset.partition(":")[0] != "demo" or "seed=" in dataset:
        raise InputError(f"dataset {dataset}: write a generated world without a seed")
    return f"{dataset}{',' if ':' in dataset else ':'}seed={seed}"


def in_worlds(study: Study, n_worlds: int) -> list[Study]:
    """The study in the worlds 1 to `n_worlds`."""
    seeds = range(1, n_worlds + 1)
    return [study.model_copy(update={"dataset": world(study.dataset, seed)}) for seed in seeds]


@lru_cache(maxsize=2)
def open_world(spec: str) -> Dataset:
    """A world with its surrogates and the variations, generated where it is not there."""
    return with_variations(open_dataset(spec))


def open_results(study: Study, store: Store) -> Results:
    """The study's records. Raises `InputError` where a backend is no surrogate any more."""
    results = Results(study, store, open_world(study.dataset))
    for name in results.backends():
        card = results.dataset.card(name)
        if card.origin != "surrogate":
            raise InputError(
                f"{results.dataset.folder}: {card.label} is no surrogate here, and these worlds "
                "have surrogates alone; move the folder away and it is generated anew"
            )
    return results


def compute_and_pack(
    study: Study, worlds: Sequence[Study], store: Store, workers: int, command: str
) -> None:
    """Compute what the store lacks of a study in several worlds and pack its archive.

    No sound is rendered; progress goes to stderr. `command` makes the archive again. Raises
    `InputError` where the study names no archive, and `RuntimeError` if a run failed; the others
    are kept.
    """
    if study.archive is None:
        raise InputError(f"study {study.title!r}: names no archive; write `archive: NAME.parquet`")
    found = [open_results(one, store) for one in worlds]
    fits = [fit for results in found for fit in missing_fits(results)]
    run_fits(fits, store, workers=workers, threads=study.threads, opened=open_world)
    runs: list[tuple[RunSpec, Record, Dataset]] = []
    for results in found:
        for spec in dict.fromkeys(results.specs()):
            record = results.record(spec)
            assert record is not None  # all have been computed
            runs.append((spec, record, results.dataset))
    about = pack(runs, study.archive, command=command).about
    print(f"{study.archive}: {about['n_runs']} runs, {about['seconds']:.0f} s of fitting")


def main(
    workers: Annotated[int, typer.Option(help="worker processes")] = 1,
    store: Annotated[Path, typer.Option(help="the run store")] = Path("results"),
    folder: Annotated[Path, typer.Option(help="folder of the study files")] = Path("studies"),
    at_most: Annotated[int | None, typer.Option(help="fewer worlds than usual")] = None,
) -> None:
    """Compute what the store lacks of both studies and pack their archives."""
    for name, n_worlds in STUDIES.items():
        study = load_study(folder / f"{name}.yaml")
        worlds = in_worlds(study, min(n_worlds, at_most or n_worlds))
        if name == "worlds":
            worlds.append(study.model_copy(update={"dataset": DEFAULT}))
        compute_and_pack(study, worlds, Store(store), workers, "python studies/make_worlds.py")


if __name__ == "__main__":
    typer.run(main)
