"""Options and messages that several commands share."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mrs.errors import InputError

DatasetOption = Annotated[str, typer.Option(help="folder, `demo` or `demo:seed=1,n_users=400`")]
StoreOption = Annotated[Path, typer.Option(help="folder of the run store")]
SplitOption = Annotated[str | None, typer.Option(help="name of a split (default: the first)")]
LengthsOption = Annotated[str, typer.Option(help="list lengths")]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON object")]
DatasetArgument = Annotated[str, typer.Argument(help="folder or name of a dataset")]
BackendArgument = Annotated[str, typer.Argument(help="name, such as mfcc or musicnn")]
StudyOption = Annotated[Path, typer.Option(help="study file")]
WeightsOption = Annotated[
    Path | None, typer.Option(help="folder of the weights (default: where they are fetched to)")
]
BackendSettings = Annotated[
    list[str] | None, typer.Option("--set", help="backend setting as name=value; repeatable")
]
WorkersOption = Annotated[int | None, typer.Option(help="worker processes (default: one per core)")]


def assignments(texts: list[str] | None) -> dict[str, str]:
    """The names and values of texts such as "name=value". Raises `InputError`."""
    values = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: write name=value")
        values[name.strip()] = value.strip()
    return values


def warn_of_filled_rows(what: str, n_skipped: int, vectors: Path) -> None:
    """Warn on stderr where tracks have a copy of another track's row."""
    from mrs.data.filled_rows import report_file

    if n_skipped:
        print(
            f"mrs: {what}, see {report_file(vectors)}; their rows are copies of other tracks'",
            file=sys.stderr,
        )
