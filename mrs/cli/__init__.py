"""The command line: `python -m mrs` or `mrs`."""

import io
import os
import signal
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import NoReturn

import typer

from mrs.cli import audio, data, study
from mrs.errors import InputError, storage_error

app = typer.Typer(
    help="Evaluate pretrained audio embeddings in music recommendation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Fetch, reduce, check and describe datasets.", no_args_is_help=True)

COMMANDS: tuple[Callable[..., None], ...] = (
    study.run,
    study.grid,
    study.tune,
    study.metrics,
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


def add_commands(app: typer.Typer) -> None:
    """Add the commands of the book and of other packages.

    Their entry points in the group `mrs.commands` name functions that take the application.
    """
    for entry in entry_points(group="mrs.commands"):
        entry.load()(app)


add_commands(app)


class Stopped(BaseException):
    """Ctrl-C or a request to end; `args` has the signal's number."""


def _stop(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # another one ends at once
    raise Stopped(number)


def main() -> None:
    """Run the command line; a mistake in the input ends in one line and status 2."""
    _suit_terminal()
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        app()
    except InputError as error:
        _end(" ".join(str(error).split()), 2)
    except Stopped as stopped:
        _end(
            "stopped; completed work is kept, and the same command resumes it",
            128 + stopped.args[0],
        )
    except Exception as error:
        said = storage_error(error, getattr(error, "filename", None) or "the disk")
        if said is not None:
            _end(str(said), 2)
        if os.environ.get("MRS_DEBUG") or not isinstance(error, RuntimeError):
            raise
        _end(str(error), 1)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(said: str, status: int) -> NoReturn:
    print(f"mrs: {said}", file=sys.stderr)
    sys.exit(status)


def _suit_terminal() -> None:
    """Print on a terminal of any encoding: escape what it lacks, draw tables in ASCII."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        "│".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        os.environ["POLARS_FMT_TABLE_FORMATTING"] = "ASCII_FULL_CONDENSED"
