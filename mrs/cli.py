"""The command line: `python -m mrs` or `mrs`."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mrs.errors import InputError

app = typer.Typer(
    help="Pretrained audio representations in music recommendation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Fetch datasets, look at dataset folders.", no_args_is_help=True)
app.add_typer(data_app, name="data")

DatasetOption = Annotated[str, typer.Option(help="a folder, `demo`, or `demo:seed=1,n_users=400`")]
StoreOption = Annotated[Path, typer.Option(help="the run store")]
StudyOption = Annotated[Path, typer.Option(help="the study file")]
WeightsOption = Annotated[
    Path | None, typer.Option(help="folder of the model's weights; default: where they are fetched")
]
BackendSettings = Annotated[
    list[str] | None, typer.Option("--set", help="a setting of the backend, name=value")
]
WorkersOption = Annotated[int | None, typer.Option(help="worker processes; default: one a core")]

MOST_SKIPPED = 5  # skipped files that are named one a line


@app.command()
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
    from mrs.study.run import run as run_one
    from mrs.study.spec import check_k, check_names, make_spec
    from mrs.study.store import Store

    check_names(recommender, scenario, protocol)
    lengths = check_k(_integers(k))
    opened = open_dataset(dataset)
    spec = make_spec(
        opened,
        recommender=recommender,
        scenario=scenario,
        backend=backend,
        settings=dict(_assignment(text) for text in set_ or []),
        split=split,
        seed=seed,
        shuffled=shuffled,
        k=lengths,
        protocol=protocol,
    )
    hear_world(opened, [spec.backend] if spec.backend else [])
    summary = _summary(run_one(spec, Store(store), opened))
    print(json.dumps(summary, indent=1) if json_ else _as_text(summary, spec.command()))


@app.command()
def grid(
    study: StudyOption,
    workers: WorkersOption = None,
    store: StoreOption = Path("results"),
    dataset: Annotated[str | None, typer.Option(help="in place of the study's dataset")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="only say what is missing")] = False,
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
                f"of it {_duration(cost.scaled)} scaled from the generated world's runs on a "
                "processor: rough, and less on a GPU"
            )
        if cost.unknown:
            print(f"and {cost.unknown} fits of recommenders that nothing is known of")
        return
    results = run_grid(loaded, Store(store), workers)
    print(f"{len(results.specs())} runs of {study} are in {store}")


@app.command()
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


@app.command()
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


@app.command()
def metrics(
    ranked: Annotated[Path, typer.Option(help="parquet: user_id, track_id, rank or score")],
    truth: Annotated[Path, typer.Option(help="parquet: user_id, track_id, and where known rating")],
    k: Annotated[str, typer.Option(help="list lengths")] = "10,20,50",
    n_items: Annotated[
        int | None, typer.Option(help="items that could be listed; default: those of both files")
    ] = None,
    users: Annotated[
        str, typer.Option(help="all: a user without a list counts 0; with-list: is left out")
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


@app.command()
def claims(
    claim: Annotated[str | None, typer.Argument(help="the id of one; default: all")] = None,
    store: StoreOption = Path("results"),
    json_: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Which claims of the papers hold: source, tolerance, what was found, verdict."""
    from mrs.published.claims import find, load
    from mrs.published.judge import judge_all
    from mrs.study.evidence import ARCHIVES, gather
    from mrs.study.store import Store

    chosen = find(claim) if claim else load()
    judged = judge_all(chosen, gather(Store(store), ARCHIVES))
    if json_:
        print(json.dumps([one.as_json() for one in judged], indent=1, ensure_ascii=False))
    else:
        print("\n\n".join(one.as_text() for one in judged))


@app.command()
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
    as_json = json.dumps(found.as_json() | {"page": str(target)}, indent=1, ensure_ascii=False)
    print(as_json if json_ else f"{found.as_text()}\n\nthe page: {target}")


@app.command()
def embed(
    backend: Annotated[str, typer.Argument(help="mfcc, musicnn ...")],
    files: Annotated[list[Path], typer.Argument(help="audio files")],
    out: Annotated[Path, typer.Option(help="the .npy file to write; its card goes beside it")],
    frames: Annotated[
        bool, typer.Option("--frames", help="all time frames of all files, stacked in order")
    ] = False,
    weights: WeightsOption = None,
    set_: BackendSettings = None,
) -> None:
    """Compute the vectors of audio files: one row a file, in their order."""
    from mrs.backends import make_backend
    from mrs.backends.embed import embed_files

    chosen = make_backend(backend, dict(_assignment(text) for text in set_ or []))
    done = embed_files(chosen, files, out, folder=weights, frames=frames)
    for path, error in list(done.skipped.items())[:MOST_SKIPPED]:
        print(f"mrs: skipped {path}: {error.reason}: {error.detail}", file=sys.stderr)
    if len(done.skipped) > MOST_SKIPPED:
        more = len(done.skipped) - MOST_SKIPPED
        print(f"mrs: skipped {more} more: see {out.with_suffix('.json')}", file=sys.stderr)
    print(f"{out}: {len(done.rows)} x {done.rows.shape[1]} of {len(done.counts)} files")


@app.command()
def encode(
    model: Annotated[Path, typer.Option(help="folder of a saved recommender")],
    vectors: Annotated[Path, typer.Option(help=".npy, one row a new track")],
    out: Annotated[Path, typer.Option(help="the .npy file to write, one row of factors a track")],
    artists: Annotated[
        Path | None, typer.Option(help="CSV with artist_id, one row a track in the same order")
    ] = None,
) -> None:
    """Place new tracks by a saved recommender: their factors, in bounded memory."""
    from mrs.recommenders.encoding import encode_file, load_fitted

    n_tracks, width, n_unknown = encode_file(load_fitted(model), vectors, artists, out)
    unknown = f", {n_unknown} of unknown artists" if n_unknown else ""
    print(f"{out}: {n_tracks} x {width}{unknown}")


@app.command()
def extract(
    dataset: Annotated[
        str, typer.Option(help="a folder or a name; tracks.parquet names the audio")
    ],
    backend: Annotated[str, typer.Option(help="mfcc, musicnn ...")],
    workers: WorkersOption = None,
    weights: WeightsOption = None,
    set_: BackendSettings = None,
) -> None:
    """Compute a dataset's vectors from its audio; what was interrupted continues."""
    from mrs.backends import make_backend
    from mrs.backends.extract import extract as extract_vectors
    from mrs.data.dataset import open_dataset

    chosen = make_backend(backend, dict(_assignment(text) for text in set_ or []))
    done = extract_vectors(open_dataset(dataset), chosen, weights, workers)
    n_skipped = len(done.skipped)
    _warn_of_stand_ins(
        f"skipped {n_skipped} of {done.n_tracks} tracks ({done.reasons()})", n_skipped, done.path
    )
    print(f"{done.path}: {done.n_tracks - n_skipped} of {done.n_tracks} tracks heard")


@app.command()
def weights(
    backend: Annotated[str, typer.Argument(help="mfcc, musicnn ...")],
    folder: Annotated[Path | None, typer.Option("--to", help="where they go")] = None,
) -> None:
    """Fetch a backend's weights; what was interrupted continues."""
    from mrs.backends import BACKENDS, make_backend
    from mrs.backends.weights import fetch

    make_backend(backend)  # refuses unknown names
    print(f"the weights of {backend} are in {fetch(BACKENDS[backend], folder)}")


@data_app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="a public dataset; default: list them")] = None,
    into: Annotated[
        Path | None, typer.Option(help="folder of the files; default: data/downloads/NAME")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="files to fetch instead, such as 'id_mfcc*'; repeat it")
    ] = None,
) -> None:
    """Fetch a public dataset's files; says the licence first, continues what was interrupted."""
    from mrs.data.sources import fetch_dataset, overview

    if name is None:
        print(overview())
        return
    print(f"the files of {name} are in {fetch_dataset(name, into, only or [])}")


@data_app.command()
def reduce(
    layout: Annotated[str, typer.Argument(help="music4all-onion or yambda-50m")],
    source: Annotated[Path, typer.Argument(help="the folder of the published files")],
    folder: Annotated[Path, typer.Argument(help="the dataset folder to write")],
    protocol: Annotated[
        str, typer.Option(help="published: what counts as a play as in arXiv 2604.07090's code")
    ] = "corrected",
    events: Annotated[
        str,
        typer.Option(help="likes: of yambda-50m, what users liked in place of what they played"),
    ] = "listens",
) -> None:
    """Make a dataset folder of a large public dataset: plays in the window, tracks, artists."""
    from mrs.data.dataset import open_dataset
    from mrs.data.music4all import reduce_onion
    from mrs.data.yambda import reduce_yambda

    if layout == "yambda-50m":
        written = reduce_yambda(source, folder, protocol, events)
    elif layout == "music4all-onion" and (protocol, events) == ("corrected", "listens"):
        written = reduce_onion(source, folder)
    else:
        raise InputError(
            f"{layout} with protocol {protocol} and {events}: write music4all-onion without "
            "these, or yambda-50m"
        )
    _print_splits(open_dataset(written))
    print(f"\n{written}: `python -m mrs data describe {written}` shows what it holds")


@data_app.command()
def embeddings(
    dataset: Annotated[str, typer.Argument(help="a folder or a name")],
    files: Annotated[list[Path], typer.Argument(help="feature files, id_NAME.tsv.bz2")],
) -> None:
    """Add Music4All-Onion's public feature files to a dataset, as embeddings/onion_NAME.npy."""
    from mrs.data.dataset import open_dataset
    from mrs.data.onion_features import add_features

    opened = open_dataset(dataset)
    for file in files:
        added = add_features(opened, file)
        n_skipped = len(added.skipped)
        _warn_of_stand_ins(
            f"{n_skipped} of {added.n_tracks} tracks have no row in {file}", n_skipped, added.path
        )
        print(f"{added.path}: {added.n_tracks - n_skipped} of {added.n_tracks} tracks")


@data_app.command()
def verify(dataset: Annotated[str, typer.Argument(help="a folder or a name")]) -> None:
    """Check every file of a dataset."""
    from mrs.data.dataset import open_dataset
    from mrs.data.describe import verify as verify_files

    for line in verify_files(open_dataset(dataset)):
        print(line)


@data_app.command()
def describe(dataset: Annotated[str, typer.Argument(help="a folder or a name")]) -> None:
    """Print a dataset's card: origin, licence, splits beside published counts, backends."""
    from mrs.data import describe as card
    from mrs.data.cards import card_of
    from mrs.data.dataset import open_dataset

    opened = open_dataset(dataset)
    for fact, value in card.facts(opened).iter_rows():
        print(f"{fact}: {value}")
    if known := card_of(opened):
        print("\nwhat should be known of it, and where that is from")
        for about, text, source in known.table().iter_rows():
            print(f"{about}: {text} [{source}]")
    _print_splits(opened)
    _print_table(card.backend_table(opened))


def _warn_of_stand_ins(what: str, n_skipped: int, vectors: Path) -> None:
    """Say on stderr that tracks have another's row, where some do."""
    from mrs.data.stand_ins import report_file

    if n_skipped:
        print(
            f"mrs: {what}, see {report_file(vectors)}; their rows are copies of other tracks'",
            file=sys.stderr,
        )


def _print_splits(opened: Any) -> None:
    """The sizes of a dataset's splits, beside the published ones where there are such."""
    from mrs.data.describe import split_table
    from mrs.published import split_counts

    for name in opened.splits():
        table = split_table(opened.split(name))
        _print_table(table, f"split {name}")
        published = split_counts.beside(opened.name, name, table)
        if len(published):
            _print_table(published, f"split {name}, here and published")
        if note := split_counts.note(opened.name, name):
            print(note)


def _print_table(table: Any, title: str = "") -> None:
    import polars as pl

    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True
    ):
        print(f"\n{title}\n{table}" if title else f"\n{table}")


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


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: write name=value")
    return name.strip(), value.strip()


def _summary(record: Any) -> dict[str, Any]:
    """What `--json` prints of a record."""
    import numpy as np

    from mrs.evaluation.bootstrap import interval

    names = record.metrics
    bounds = interval(np.stack([record.values(name) for name in names], axis=-1)[None])
    means, lows, highs = (np.atleast_1d(part) for part in (bounds.mean, bounds.low, bounds.high))
    return {
        "metrics": {
            name: {"mean": float(means[i]), "low": float(lows[i]), "high": float(highs[i])}
            for i, name in enumerate(names)
        },
        "chance": {name: record.chance(name) for name in names},
        "n_users": record.info["n_users"],
        "seconds": sum(record.info["seconds"].values()),
        "converged": record.info["converged"],
        "key": record.key,
    }


def _as_text(summary: dict[str, Any], command: str) -> str:
    lines = [command, f"{'metric':14}{'mean':>9}{'low':>9}{'high':>9}{'chance':>9}"]
    for name, value in summary["metrics"].items():
        numbers = (value["mean"], value["low"], value["high"], summary["chance"][name])
        lines.append(f"{name:14}" + "".join(f"{number:9.4f}" for number in numbers))
    lines.append(f"{summary['n_users']} users, {summary['seconds']:.1f} s, key {summary['key']}")
    return "\n".join(lines)


def main() -> None:
    """Run the command line; a mistake in the input ends in one line and status 2."""
    try:
        app()
    except InputError as error:
        print(f"mrs: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except RuntimeError as error:
        if os.environ.get("MRS_DEBUG"):
            raise
        print(f"mrs: {error}", file=sys.stderr)
        sys.exit(1)
