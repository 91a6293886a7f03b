"""Commands on runs, studies and metrics."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mrs.cli.options import (
    DatasetOption,
    JsonOption,
    LengthsOption,
    SplitOption,
    StoreOption,
    StudyOption,
    WorkersOption,
    assignments,
)
from mrs.errors import InputError


def run(
    recommender: Annotated[str, typer.Option(help="name, such as knn or popularity")],
    scenario: Annotated[str, typer.Option(help="hot, cold or a slice such as cold/discovery")],
    dataset: DatasetOption = "demo",
    backend: Annotated[str | None, typer.Option(help="embedding backend, such as musicnn")] = None,
    split: SplitOption = None,
    seed: Annotated[int, typer.Option(help="random seed for fitting and for shuffling")] = 0,
    shuffled: Annotated[
        bool, typer.Option("--shuffled", help="permute the vectors among tracks")
    ] = False,
    protocol: Annotated[
        str, typer.Option(help="corrected, published or published:NAME")
    ] = "corrected",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="hyper-parameter as name=value; repeatable")
    ] = None,
    k: LengthsOption = "10,20,50",
    store: StoreOption = Path("results"),
    json_: JsonOption = False,
) -> None:
    """Run one recommender in one scenario and print its metrics beside chance."""
    from mrs.backends.hear_world import hear_world
    from mrs.data.dataset import open_dataset
    from mrs.published.deviations import recommender_of
    from mrs.study.run import run as run_one
    from mrs.study.spec import check_k, check_scenario, make_spec
    from mrs.study.store import Store

    chosen = recommender_of(recommender, assignments(set_), protocol)
    check_scenario(chosen, scenario)
    lengths = check_k(_integers(k))
    opened = open_dataset(dataset)
    spec = make_spec(
        opened,
        recommender=chosen,
        scenario=scenario,
        backend=backend,
        split=split,
        seed=seed,
        shuffled=shuffled,
        k=lengths,
    )
    hear_world(opened, [spec.backend] if spec.backend else [])
    record = run_one(spec, Store(store), opened)
    summary = _summary(record)
    print(json.dumps(summary, indent=1) if json_ else _as_text(summary, record, spec.command()))


def grid(
    study: StudyOption,
    workers: WorkersOption = None,
    store: StoreOption = Path("results"),
    dataset: Annotated[str | None, typer.Option(help="dataset instead of the study's")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="only print what is missing and its cost")
    ] = False,
    run_timeout: Annotated[
        float | None, typer.Option(help="seconds after which a fit is stopped (default: none)")
    ] = None,
) -> None:
    """Compute the runs of a study that are missing from the store."""
    from mrs.recommenders import RECOMMENDERS
    from mrs.study.costs import estimate as estimate_of
    from mrs.study.grid import make_plan, run_grid
    from mrs.study.results import Results
    from mrs.study.store import Store
    from mrs.study.study import load_study

    loaded = load_study(study, dataset)
    if estimate:
        results = Results(loaded, Store(store))
        plan = make_plan(results)
        cost = estimate_of(results, plan.fits)
        n = workers or os.cpu_count() or 1
        print(f"{plan.n_missing} of {plan.n_runs} runs missing, in {len(plan.fits)} fits")
        print(
            f"about {_duration(cost.seconds)} of one worker, {_duration(cost.seconds / n)} with "
            f"{n}; {cost.memory / 1e9:.1f} GB of memory per worker"
        )
        for name, seconds in cost.by_recommender.items():
            print(f"  {RECOMMENDERS[name].label}: {_duration(seconds)}")
        if cost.scaled:
            print(
                f"of these, {_duration(cost.scaled)} are scaled from fits of the generated world "
                "on one thread: a rough figure, lower with more threads or a GPU"
            )
        if cost.unknown:
            print(f"and {cost.unknown} fits of recommenders whose cost is unknown")
        return
    results = run_grid(loaded, Store(store), workers, run_timeout=run_timeout)
    print(f"{len(results.specs())} runs of {study} are in {store}")


def tune(
    study: StudyOption,
    trials: Annotated[
        int, typer.Option(help="trials per recommender, including the current settings")
    ] = 16,
    workers: WorkersOption = None,
    store: StoreOption = Path("results"),
    dataset: Annotated[
        str | None,
        typer.Option(
            help="dataset to search on (default: the study's; for a generated world, the one with "
            "the next seed)"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="random seed of the trials")] = 0,
) -> None:
    """Search hyper-parameters on validation pairs, with equally many trials per recommender."""
    from mrs.study.store import Store
    from mrs.study.study import load_study
    from mrs.study.tune import tune as search
    from mrs.study.tune import tuning_file
    from mrs.study.tuning_record import TuningRecord

    frame = search(study, Store(store), trials=trials, workers=workers, seed=seed, dataset=dataset)
    print(TuningRecord(frame).as_text(load_study(study)))
    print(f"\nall trials: {tuning_file(study)}")


def metrics(
    ranked: Annotated[Path, typer.Option(help="parquet file: user_id, track_id, rank or score")],
    truth: Annotated[
        Path, typer.Option(help="parquet file: user_id, track_id and optionally rating")
    ],
    k: LengthsOption = "10,20,50",
    n_items: Annotated[
        int | None, typer.Option(help="number of rankable items (default: the items of both files)")
    ] = None,
    users: Annotated[
        str, typer.Option(help="all: users without a list score 0; with-list: they are left out")
    ] = "all",
    json_: JsonOption = False,
) -> None:
    """Compute every metric in every definition, from ranked lists and their truth."""
    from mrs.evaluation.files import file_means

    found = file_means(ranked, truth, _integers(k), n_items=n_items, users=users)
    if json_:
        print(json.dumps(found.as_json(), indent=1))
        return
    for note in found.notes:
        print(f"mrs: {note}", file=sys.stderr)
    print(found.as_text())


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= size:
            n = seconds / size
            return f"{n:.0f} {unit}" if n >= 10 else f"{n:.2g} {unit}"
    return f"{seconds:.0f} seconds" if seconds >= 1 else "less than a second"


def _integers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise InputError(f"k={text}: write list lengths as 10,20,50") from error


def _summary(record: Any) -> dict[str, Any]:
    """What `--json` prints of a record."""
    import numpy as np

    from mrs.evaluation.bootstrap import interval

    names = record.metrics
    rows = interval(np.stack([record.values(name) for name in names], axis=-1)[None]).rows()
    return {
        "metrics": {
            name: dict(zip(("mean", "low", "high"), row, strict=True))
            for name, row in zip(names, rows, strict=True)
        },
        "chance": {name: record.chance(name) for name in names},
        "n_users": record.info["n_users"],
        "seconds": sum(record.info["seconds"].values()),
        "converged": record.info["converged"],
        "key": record.key,
    }


def _as_text(summary: dict[str, Any], record: Any, command: str) -> str:
    from mrs.evaluation.bootstrap import too_few

    lines = [command, f"{'metric':14}{'mean':>9}{'low':>9}{'high':>9}{'chance':>9}"]
    for name, value in summary["metrics"].items():
        numbers = (value["mean"], value["low"], value["high"], summary["chance"][name])
        cells = (f"{'-':>9}" if number is None else f"{number:9.4f}" for number in numbers)
        lines.append(f"{name:14}" + "".join(cells))
    reasons: dict[str, list[str]] = {}
    for name in record.metrics:
        if why := too_few(record.values(name)):
            reasons.setdefault(why, []).append(name)
    lines += [f"{', '.join(names)}: {why}" for why, names in reasons.items()]
    lines.append(f"{summary['n_users']} users, {summary['seconds']:.1f} s, key {summary['key']}")
    return "\n".join(lines)
