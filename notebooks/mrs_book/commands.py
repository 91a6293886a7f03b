"""Commands of the book: they import what the library does not depend on."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mrs.cli import data
from mrs.cli.options import (
    DatasetOption,
    JsonOption,
    SplitOption,
    StoreOption,
    StudyOption,
    WorkersOption,
)
from mrs.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the book's commands, and the published counts to what is printed of a split."""
    for command in (book, claims, compare):
        app.command()(command)
    data.SPLIT_NOTES.append(print_published_counts)


@contextmanager
def _installed() -> Iterator[None]:
    """Raise `InputError` where a dependency of the book is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"this command needs {error.name}, which the book depends on; "
            "install it with `pip install 'mrs[book]'`"
        ) from error


def book(
    study: StudyOption = Path("studies/demo.yaml"),
    workers: WorkersOption = None,
    store: StoreOption = Path("results"),
    strict: Annotated[bool, typer.Option("--strict", help="treat warnings as errors")] = False,
) -> None:
    """Compute missing runs, execute the notebooks and build the book."""
    with _installed():
        from mrs_book.kit.book import build_book
    from mrs.study.store import Store

    index = build_book(study, Store(store), workers=workers, strict=strict)
    print(f"the book: {index}")


def claims(
    claim: Annotated[str | None, typer.Argument(help="id of one claim (default: all)")] = None,
    store: StoreOption = Path("results"),
    json_: JsonOption = False,
) -> None:
    """Judge the claims of the papers: kind, source, tolerance, finding and verdict of each."""
    with _installed():
        from mrs_book.papers.claims import KINDS, find, load
        from mrs_book.papers.evidence import archives, gather
        from mrs_book.papers.judge import by_kind, judge_all, tally
    from mrs.study.store import Store

    chosen = find(claim) if claim else load()
    judged = judge_all(chosen, gather(Store(store), archives()))
    if json_:
        print(json.dumps([one.as_json() for one in judged], indent=1))
    elif claim:
        print(judged[0].as_text())
    else:
        for kind, mine in by_kind(judged).items():
            print(f"{KINDS[kind].capitalize()} ({len(mine)} claims): {tally(mine)}\n")
            print("\n\n".join(one.as_text() for one in mine), end="\n\n")


def compare(
    vectors: Annotated[Path, typer.Option(help=".npy, one row per track; NAME.json is its card")],
    dataset: DatasetOption = "demo",
    ids: Annotated[
        Path | None, typer.Option(help="CSV with track_id, one per row of the vectors")
    ] = None,
    split: SplitOption = None,
    store: StoreOption = Path("results"),
    page: Annotated[
        Path | None, typer.Option(help="HTML file to write (default: build/compare/NAME.html)")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Compare your vectors with chance, shuffled vectors, MFCC and plain listening."""
    with _installed():
        from mrs_book.chapters.compare import ComparePage, write_page

    asked = {
        "dataset": dataset,
        "vectors": str(vectors),
        "ids": str(ids or ""),
        "split": split or "",
    }
    found = ComparePage(**asked, store=str(store))
    for warning in found.checks.warnings:
        print(f"mrs: {warning}", file=sys.stderr)
    target = page or Path("build/compare") / f"{vectors.stem}.html"
    write_page(target, asked | {"store": str(store)}, f"Do {found.label} vectors help?")
    as_json = json.dumps(found.as_json() | {"page": str(target)}, indent=1)
    print(as_json if json_ else f"{found.as_text()}\n\nthe page: {target}")


def print_published_counts(dataset: str, split: str, table: Any) -> None:
    """Print the counts that a paper's authors publish of a split beside those of `table`."""
    from mrs_book.papers import split_counts

    published = split_counts.beside(dataset, split, table)
    if len(published):
        data.print_table(published, f"split {split}, here and published")
    if note := split_counts.note(dataset, split):
        print(note)
