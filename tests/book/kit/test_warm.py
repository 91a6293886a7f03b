"""Warm kernels do what stock ones do."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from mrs_book.kit.warm import PRELOAD, WarmKernelManager

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


def execute(folder: Path, manager: type, *cells: str) -> nbformat.NotebookNode:
    """Execute cells in a new kernel."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    return papermill.execute_notebook(
        notebook,
        None,
        kernel_name="python3",
        progress_bar=False,
        kernel_manager_class=manager,
        config=Config(KernelManager={"transport": "ipc", "ip": str(folder / "s")}),
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )


WORK = (
    "import numpy as np, polars as pl, torch",
    "print(pl.DataFrame({'a': [3, 1, 2]}).sort('a')['a'].to_list())",
    "a = torch.randn(300, 300, generator=torch.Generator().manual_seed(0))",
    "print(float((a @ a).sum()))",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "from mrs_book.kit.style import GENERATED, use_style\nuse_style(GENERATED)",
    "_, axes = plt.subplots(2)\naxes[0].set_xlabel('recall@10')\naxes[1].plot([3, 0.25]);",
)


def test_the_same_output_as_a_stock_kernel(tmp_path: Path) -> None:
    outputs = []
    for name, manager in (("warm", WarmKernelManager), ("stock", AsyncKernelManager)):
        (tmp_path / name).mkdir()
        notebook = execute(tmp_path / name, manager, *WORK)
        outputs.append([output for cell in notebook.cells for output in cell.outputs])
    warm, stock = outputs
    assert [o.text for o in warm[:2]] == [o.text for o in stock[:2]]
    assert warm[0].text == "[1, 2, 3]\n"
    assert [len(warm), len(stock)] == [4, 4]
    for place in (2, 3):
        assert warm[place].data["image/png"] == stock[place].data["image/png"]


def test_kernels_share_nothing_and_are_forked(tmp_path: Path) -> None:
    chapter = "mrs_book.chapters.recommend"
    state = f"import mrs, os, sys; print(hasattr(mrs, 'mark'), '{chapter}' in sys.modules)"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        notebook = execute(tmp_path / name, WarmKernelManager, state, "mrs.mark = 1")
        assert notebook.cells[0].outputs[0].text == "False True\n"


def test_the_program_that_asks_is_not_imported_by_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, mark = tmp_path / "program.py", tmp_path / "was_imported"
    program.write_text(f"open({str(mark)!r}, 'w').close()")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(program), raising=False)
    notebook = execute(tmp_path, WarmKernelManager, "print(6 * 7)")
    assert notebook.cells[0].outputs[0].text == "42\n"
    assert not mark.exists()
    assert sys.modules["__main__"].__file__ == str(program)


def test_errors_arrive(tmp_path: Path) -> None:
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError"):
        execute(tmp_path, WarmKernelManager, "1 / 0")
    (tmp_path / "again").mkdir()
    with pytest.raises(DeadKernelError):
        execute(tmp_path / "again", WarmKernelManager, "import os; os._exit(1)")


def test_preloading_starts_no_thread_but_those_known_to_survive_a_fork() -> None:
    """Polars brings jemalloc, which resets its threads in a fork, and an idle cleaner of files."""
    names = (
        "[open(f'/proc/self/task/{t}/comm').read().strip() for t in os.listdir('/proc/self/task')]"
    )
    code = f"import {', '.join(PRELOAD)}; import os; print(*{names})"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"python", "jemalloc_bg_thd", "polars-ooc-clea"}
