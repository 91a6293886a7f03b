"""Execute notebook templates with parameters, several at a time, each in a kernel of its own."""

import hashlib
import json
import os
import re
import sys
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellControlSignal, DeadKernelError
from papermill.exceptions import PapermillException
from rich.console import Console
from traitlets.config import Config

from mrs.progress import progress_bar
from mrs_book.kit.prose import literal
from mrs_book.kit.warm import ENVIRONMENT, WarmKernelManager, changed, socket_home

FORKS = sys.platform == "linux"  # elsewhere a fork after imports is not safe: a new program then


class BookError(RuntimeError):
    """A page failed to execute or the HTML failed to build; the message says which and where."""


@dataclass(frozen=True)
class Task:
    """One notebook to execute: where from, where to, with what."""

    template: Path
    output: Path
    heading: str
    parameters: Mapping[str, Any]
    stamp: str
    folder: Path


def digest(files: Iterable[Path]) -> str:
    """The sha256 of the names and contents of files, whatever their order."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(
            f"{path.parent.name}/{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return total.hexdigest()


def read_stamp(notebook: Path) -> str | None:
    """The stamp of an executed notebook; None where there is none or it cannot be read."""
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
        return content["metadata"]["mrs"]["stamp"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def execute_all(tasks: Mapping[str, Task], workers: int, console: Console) -> dict[str, str]:
    """Execute `workers` at a time with a progress bar; returns what failed, page -> why."""
    failures = {}
    with (
        tempfile.TemporaryDirectory(prefix="mrs-", dir=socket_home()) as sockets,
        changed(os.environ, ENVIRONMENT | {"JUPYTER_RUNTIME_DIR": sockets}),  # kernels inherit it
        progress_bar(console) as progress,
    ):
        # Threads: the work is done by the kernels, processes that end with this one.
        pool = ThreadPoolExecutor(workers)
        bar = progress.add_task("Executing pages", total=len(tasks))
        try:
            futures: dict[Future[None], str] = {
                pool.submit(execute, task): path for path, task in tasks.items()
            }
            for future in as_completed(futures):
                error = future.exception()
                if error is not None:
                    failures[futures[future]] = str(error) or type(error).__name__
                progress.advance(bar)
        finally:
            pool.shutdown(cancel_futures=True)
    return failures


def execute(task: Task) -> None:
    """Execute a template with its parameters and put the result in its place.

    The notebook is renamed into place only when every cell ran: after its kernel died papermill's
    own output looks complete. Raises `BookError`.
    """
    notebook = nbformat.read(task.template, as_version=4)
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        raise BookError(
            f"{task.template.name}: the first cell must be Markdown and begin with '# '"
        )
    if task.heading:
        first.source = re.sub(r"\A# .*", lambda _: f"# {literal(task.heading)}", first.source)
    socket = str(Path(os.environ["JUPYTER_RUNTIME_DIR"]) / uuid.uuid4().hex[:12])
    try:
        notebook = papermill.execute_notebook(
            notebook,
            None,
            parameters=dict(task.parameters),
            kernel_name="python3",
            progress_bar=False,
            kernel_manager_class=WarmKernelManager if FORKS else AsyncKernelManager,
            # Sockets in files: two kernels that start at once may be given the same free port.
            config=Config(KernelManager={"transport": "ipc", "ip": socket}),
            resources={"metadata": {"path": str(task.folder)}},  # the kernel's working directory
            # Passed on to the kernel, which otherwise notes its every start and stop on stderr.
            extra_arguments=["--IPKernelApp.log_level=CRITICAL", "--HistoryManager.enabled=False"],
        )
    except (PapermillException, DeadKernelError, CellControlSignal, RuntimeError) as error:
        raise BookError(str(error)) from None
    _clean(notebook)
    notebook.metadata["mrs"] = {"stamp": task.stamp}
    task.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = task.output.with_name(f".{task.output.name}.new")
    nbformat.write(notebook, temporary)
    temporary.replace(task.output)


def _clean(notebook: nbformat.NotebookNode) -> None:
    """Drop times and paths, so that equal inputs give equal notebooks; hide default parameters."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        tags = list(cell.metadata.get("tags", []))
        if "parameters" in tags:
            tags.append("remove-cell")
        elif "injected-parameters" in tags:
            tags.append("hide-input")
        cell["metadata"] = {"tags": tags}
