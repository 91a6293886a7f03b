"""Commands of other packages, and of parts that are not installed."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from commands import Call
from typer.testing import CliRunner

from mrs import cli


def test_other_packages_add_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    def register(app: typer.Typer) -> None:
        app.command()(run)
        app.command()(hello)

    def run() -> None:
        """Run."""

    def hello() -> None:
        print("hello")

    entry = SimpleNamespace(load=lambda: register)
    monkeypatch.setattr(cli, "entry_points", lambda group: [entry] * (group == "mrs.commands"))
    app = typer.Typer()
    cli.add_commands(app)
    assert CliRunner().invoke(app, ["hello"]).output == "hello\n"


def test_a_missing_dependency_of_the_book_is_one_line(
    mrs: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mrs_book.papers.judge", None)
    done = mrs("claims", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "mrs: this command needs mrs_book.papers.judge, which the book depends on; "
        "install it with `pip install 'mrs[book]'`\n"
    )
