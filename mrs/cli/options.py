"""Options that several commands share, and what is said alike."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mrs.errors import InputError

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


def assignments(texts: list[str] | None) -> dict[str, str]:
    """The names and values of texts such as "name=value". Raises `InputError`."""
    values = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: write name=value")
        values[name.strip()] = value.strip()
    return values


def warn_of_stand_ins(what: str, n_skipped: int, vectors: Path) -> None:
    """Say on stderr that tracks have another's row, where some do."""
    from mrs.data.stand_ins import report_file

    if n_skipped:
        print(
            f"mrs: {what}, see {report_file(vectors)}; their rows are copies of other tracks'",
            file=sys.stderr,
        )
