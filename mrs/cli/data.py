"""Commands on datasets."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mrs.cli.options import DatasetArgument, warn_of_filled_rows
from mrs.errors import InputError

# What other packages print of a split, from the dataset's name, the split's and its `split_table`.
SPLIT_NOTES: list[Callable[[str, str, Any], None]] = []


def fetch(
    name: Annotated[str | None, typer.Argument(help="public dataset (default: list them)")] = None,
    into: Annotated[
        Path | None, typer.Option(help="folder to write (default: data/downloads/NAME)")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="only these files, such as 'id_mfcc*'; repeatable")
    ] = None,
) -> None:
    """Fetch a public dataset: print its licence, then download, resuming where interrupted."""
    from mrs.data.readers.sources import fetch_dataset, overview

    if name is None:
        print(overview())
        return
    print(f"the files of {name} are in {fetch_dataset(name, into, only or [])}")


def reduce(
    layout: Annotated[str, typer.Argument(help="music4all-onion or yambda-50m")],
    source: Annotated[Path, typer.Argument(help="folder of the published files")],
    folder: Annotated[Path, typer.Argument(help="dataset folder to write")],
    protocol: Annotated[
        str, typer.Option(help="published: count plays as the code of arXiv 2604.07090 does")
    ] = "corrected",
    events: Annotated[
        str,
        typer.Option(help="likes: use the likes of yambda-50m instead of its plays"),
    ] = "listens",
) -> None:
    """Reduce a large public dataset to a dataset folder of plays, tracks and artists."""
    from mrs.data.dataset import open_dataset
    from mrs.data.readers.music4all import reduce_onion
    from mrs.data.readers.yambda import reduce_yambda

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
    dataset: DatasetArgument,
    files: Annotated[list[Path], typer.Argument(help="feature files named id_NAME.tsv.bz2")],
) -> None:
    """Add feature files of Music4All-Onion to a dataset as embeddings/onion_NAME.npy."""
    from mrs.data.dataset import open_dataset
    from mrs.data.readers.onion_features import add_features

    opened = open_dataset(dataset)
    for file in files:
        added = add_features(opened, file)
        n_skipped = len(added.skipped)
        warn_of_filled_rows(
            f"{n_skipped} of {added.n_tracks} tracks have no row in {file}", n_skipped, added.path
        )
        print(f"{added.path}: {added.n_tracks - n_skipped} of {added.n_tracks} tracks")


def verify(dataset: DatasetArgument) -> None:
    """Check every file of a dataset against its checksums and schema."""
    from mrs.data.dataset import open_dataset
    from mrs.data.describe import verify as verify_files

    for line in verify_files(open_dataset(dataset)):
        print(line)


def describe(dataset: DatasetArgument) -> None:
    """Print a dataset's card: origin, licence, split sizes and backends."""
    from mrs.data import describe as card
    from mrs.data.cards import card_of
    from mrs.data.dataset import open_dataset

    opened = open_dataset(dataset)
    for fact, value in card.facts(opened).iter_rows():
        print(f"{fact}: {value}")
    if known := card_of(opened):
        print("\nknown limitations, with sources")
        for about, text, source in known.table().iter_rows():
            print(f"{about}: {text} [{source}]")
    _print_splits(opened)
    print_table(card.backend_table(opened))


def _print_splits(opened: Any) -> None:
    """Print the sizes of a dataset's splits."""
    from mrs.data.describe import split_table

    for name in opened.splits():
        table = split_table(opened.split(name))
        print_table(table, f"split {name}")
        for note in SPLIT_NOTES:
            note(opened.name, name, table)


def print_table(table: Any, title: str = "") -> None:
    """Print a whole frame under its title."""
    import polars as pl

    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True
    ):
        print(f"\n{title}\n{table}" if title else f"\n{table}")
