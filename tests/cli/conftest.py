"""The command line as a user calls it."""

import sys
from pathlib import Path

import pytest
from commands import Call, Done
from worlds import random_parts, write_own

from mrs.cli import main


@pytest.fixture
def mrs(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command line in this process."""

    def call(*words: str, cwd: Path) -> Done:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["mrs", *words])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return Done(status, out, err)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    return tmp_path
