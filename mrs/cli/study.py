"""Commands on runs, studies, metrics and claims."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mrs.cli.options import DatasetOption, StoreOption, StudyOption, WorkersOption, assignments
from mrs.errors import InputError


def run(
    recommender: Annotated[str, typer.Option(help="knn, popularity ...")],
    scenario: Annotated[str, typer.Option(help="hot, cold, or a slice such as cold/discovery")],
    dataset: DatasetOption = "demo",
    backend: Annotated[str | None, typer.Option(help="whose vectors are read")] = None,
    split: Annotated[str | None, typer.Option(help="a split; default: the first")] = None,
    seed: Annotated[int, typer.Option(help="draws the fit and the shuffling")] = 0,
    shuffled: Annotated[bool, typer.Option("--shuffled", help="permute the vectors")] = False,
    protocol: Annotated[
        str, typer.Option(help="corrected, published or published:NAME")
    ] = "corrected",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="a hyper-parameter, name=value")
    ] = None,
    k: Annotated[str, typer.Option(help="list lengths")] = "10,20,50",
    store: StoreOption = Path("results"),
    json_: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Run one recommender in one scenario and print its metrics beside chance."""
    from mrs.backends.hearing import hear_world
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
    dataset: Annotated[str | None, typer.Option(help="in place of the study's dataset")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="only say what is missing")] = False,
    run_timeout: Annotated[
        float | None, typer.Option(help="seconds after which a fit is ended; default: never")
    ] = None,
) -> None:
    """Compute the runs of a study that the store lacks."""
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
            f"{n}; {cost.memory / 1e9:.1f} GB of memory a worker"
        )
        for name, seconds in cost.by_recommender.items():
            print(f"  {RECOMMENDERS[name].label}: {_duration(seconds)}")
        if cost.scaled:
            print(
                f"of it {_duration(cost.scaled)} scaled from the generated world's fits on one "
                "thread: rough, and less with more threads or a GPU"
            )
        if cost.unknown:
            print(f"and {cost.unknown} fits of recommenders that nothing is known of")
        return
    results = run_grid(loaded, Store(store), workers, run_timeout=run_timeout)
    print(f"{len(results.specs())} runs of {study} are in {store}")


def tune(
    study: StudyOption,
    trials: Annotated[int, typer.Option(help="of every recommender, the present among them")] = 16,
    workers: WorkersOption = None,
    store: StoreOption = Path("results"),
    dataset: Annotated[
        str | None,
        typer.Option(help="to search on; default: the study's, of a generated one another seed"),
    ] = None,
    seed: Annotated[int, typer.Option(help="draws the trials")] = 0,
) -> None:
    """Search hyper-parameters on validation pairs, with as many trials for every recommender."""
    from mrs.study.store import Store
    from mrs.study.study import load_study
    from mrs.study.tune import tune as search
    from mrs.study.tune import tuning_file
    from mrs.study.tuning_record import TuningRecord

    frame = search(study, Store(store), trials=trials, workers=workers, seed=seed, dataset=dataset)
    print(TuningRecord(frame).as_text(load_study(study)))
    print(f"\nall trials: {tuning_file(study)}")


def book(
    study: StudyOption = Path("studies/demo.yaml"),
    workers: WorkersOption = None,
    store: StoreOption = Path("results"),
    strict: Annotated[bool, typer.Option("--strict", help="warnings are errors")] = False,
) -> None:
    """Compute what is missing, execute the notebooks and build the book."""
    from mrs.report.book import build_book
    from mrs.study.store import Store

    index = build_book(study, Store(store), workers=workers, strict=strict)
    print(f"the book: {index}")


def metrics(
    ranked: Annotated[Path, typer.Option(help="parquet: user_id, track_id, rank or score")],
    truth: Annotated[Path, typer.Option(help="parquet: user_id, track_id, and where known rating")],
    k: Annotated[str, typer.Option(help="list lengths")] = "10,20,50",
    n_items: Annotated[
        int | None, typer.Option(help="items that could be listed; default: those of both files")
    ] = None,
    users: Annotated[
        str, typer.Option(help="all: a missing list is an empty one; with-list: left out")
    ] = "all",
    json_: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Every class of every metric for ranked lists and truth of any origin."""
    from mrs.evaluation.files import file_means

    found = file_means(ranked, truth, _integers(k), n_items=n_items, users=users)
    if json_:
        print(json.dumps(found.as_json(), indent=1))
        return
    for note in found.notes:
        print(f"mrs: {note}", file=sys.stderr)
    print(found.as_text())


def claims(
    claim: Annotated[str | None, typer.Argument(help="the id of one; default: all")] = None,
    store: StoreOption = Path("results"),
    json_: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Which claims of the papers hold: kind, source, tolerance, what was found, verdict."""
    from mrs.published.claims import KINDS, find, load
    from mrs.published.judge import by_kind, judge_all, tally
    from mrs.study.evidence import ARCHIVES, gather
    from mrs.study.store import Store

    chosen = find(claim) if claim else load()
    judged = judge_all(chosen, gather(Store(store), ARCHIVES))
    if json_:
        print(json.dumps([one.as_json() for one in judged], indent=1))
    elif claim:
        print(judged[0].as_text())
    else:
        for kind, mine in by_kind(judged).items():
            print(f"{KINDS[kind].capitalize()} ({len(mine)} claims): {tally(mine)}\n")
            print("\n\n".join(one.as_text() for one in mine), end="\n\n")


def compare(
    vectors: Annotated[Path, typer.Option(help=".npy, one row a track; NAME.json is its card")],
    dataset: DatasetOption = "demo",
    ids: Annotated[Path | None, typer.Option(help="CSV with track_id: whose the rows are")] = None,
    split: Annotated[str | None, typer.Option(help="a split; default: the first")] = None,
    store: StoreOption = Path("results"),
    page: Annotated[
        Path | None, typer.Option(help="where the page goes; default: build/compare/NAME.html")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Do these vectors help, beyond chance, shuffled vectors, MFCC and plain listening?"""
    from mrs.report.compare import open_page, write_page

    asked = {
        "dataset": dataset,
        "vectors": str(vectors),
        "ids": str(ids or ""),
        "split": split or "",
    }
    found = open_page(**asked, store=str(store))
    for warning in found.checks.warnings:
        print(f"mrs: {warning}", file=sys.stderr)
    target = page or Path("build/compare") / f"{vectors.stem}.html"
    write_page(target, asked | {"store": str(store)}, f"Do {found.label} vectors help?")
    as_json = json.dumps(found.as_json() | {"page": str(target)}, indent=1)
    print(as_json if json_ else f"{found.as_text()}\n\nthe page: {target}")


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
