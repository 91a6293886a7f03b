"""Commands on datasets."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mrs.cli.options import warn_of_stand_ins
from mrs.errors import InputError


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
        warn_of_stand_ins(
            f"{n_skipped} of {added.n_tracks} tracks have no row in {file}", n_skipped, added.path
        )
        print(f"{added.path}: {added.n_tracks - n_skipped} of {added.n_tracks} tracks")


def verify(dataset: Annotated[str, typer.Argument(help="a folder or a name")]) -> None:
    """Check every file of a dataset."""
    from mrs.data.dataset import open_dataset
    from mrs.data.describe import verify as verify_files

    for line in verify_files(open_dataset(dataset)):
        print(line)


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
