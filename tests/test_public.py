"""The public interface: names that come from `mrs` itself."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mrs

ROOT = Path(__file__).parents[1]


def test_every_public_name_is_there_and_documented() -> None:
    page = (ROOT / "book" / "reference.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\.\. auto\w+:: mrs\.(?:[\w.]+\.)?(\w+)$", page, flags=re.M)
    documented = set(entries) - {"settings"}
    names = {name for name in mrs.__all__ if getattr(mrs, name).__class__.__name__ != "module"}
    assert documented == names
    for name in names:
        assert getattr(mrs, name).__doc__


def test_importing_mrs_loads_nothing_heavy() -> None:
    code = "import mrs, sys; print([m for m in ('torch', 'polars', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("given", "found"), [({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0")])
def test_torch_is_asked_for_huge_pages_unless_the_user_decides(given: dict, found: str) -> None:
    code = "import mrs, os; print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    environment = {k: v for k, v in os.environ.items() if k != "THP_MEM_ALLOC_ENABLE"} | given
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == found


def test_the_page_on_the_api_needs_the_public_interface_alone() -> None:
    cells = json.loads((ROOT / "notebooks" / "api.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert not re.findall(r"^\s*(?:from|import) mrs\.\S+", code, flags=re.M)
    assert "from mrs import" in code
