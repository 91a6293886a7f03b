"""The command line: `python -m mrs` or `mrs`."""

import io
import os
import sys
from collections.abc import Callable

import typer

from mrs.cli import audio, data, study
from mrs.errors import InputError

app = typer.Typer(
    help="Pretrained audio representations in music recommendation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Fetch datasets, look at dataset folders.", no_args_is_help=True)

COMMANDS: tuple[Callable[..., None], ...] = (
    study.run,
    study.grid,
    study.tune,
    study.book,
    study.metrics,
    study.claims,
    study.compare,
    audio.embed,
    audio.encode,
    audio.extract,
    audio.weights,
)
DATA_COMMANDS: tuple[Callable[..., None], ...] = (
    data.fetch,
    data.reduce,
    data.embeddings,
    data.verify,
    data.describe,
)
for command in COMMANDS:
    app.command()(command)
for command in DATA_COMMANDS:
    data_app.command()(command)
app.add_typer(data_app, name="data")


def main() -> None:
    """Run the command line; a mistake in the input ends in one line and status 2."""
    _suit_terminal()
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


def _suit_terminal() -> None:
    """Print on a terminal of any encoding: what it lacks is escaped, tables are drawn in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        "│".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        os.environ["POLARS_FMT_TABLE_FORMATTING"] = "ASCII_FULL_CONDENSED"
