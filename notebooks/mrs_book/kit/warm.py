"""Kernels that start warm: forked from a server process that has imported what the pages need.

A kernel of its own for each page is what keeps pages apart; importing the same libraries for each
is what makes them slow. The standard library's fork server imports them once, and each kernel is
a fork of it. Everything else is Jupyter's: the same kernel, the same protocol.
"""

import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Type

from mrs.errors import InputError
from mrs.workers import THREADS

PRELOAD = ["mrs_book.kit.preload", __name__]  # what the server imports before it forks
# Read when those are imported: no threads, which a fork would lose, and figures for notebooks.
ENVIRONMENT = dict.fromkeys(THREADS, "1") | {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # a note by the debugger on every start
}
# Bytes of a path that sockets lie below: their own names take 32, and systems allow 103 or 107.
LONGEST = 70
POLL_SECONDS = 0.01  # how often to look whether a kernel has ended

_starting = threading.Lock()


@contextmanager
def changed(mapping: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Give a mapping other values for a while."""
    before = {name: mapping[name] for name in values if name in mapping}
    mapping.update(values)
    try:
        yield
    finally:
        for name in values.keys() - before.keys():
            del mapping[name]
        mapping.update(before)


def socket_home() -> Path:
    """A folder for sockets: that of temporary files, or another one where its path is too long.

    Raises `InputError` where no such folder can be written.
    """
    folders = [tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), "/tmp", "/var/tmp"]
    for folder in folders:
        if folder and len(os.fsencode(folder)) <= LONGEST and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder)
    raise InputError(
        f"{folders[0]}: its path is too long for sockets; set TMPDIR to a folder of at most "
        f"{LONGEST} letters"
    )


def run_kernel(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Be a kernel, in a process that was just forked."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=arguments)


def _end_with_parent() -> None:
    """End this process when the one that asked for it is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class ForkedProcess:
    """A forked process with the part of `subprocess.Popen` that Jupyter's provisioner uses."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self._process = context.Process(
            target=run_kernel, args=(arguments, environment, folder), daemon=False
        )
        # The program that asks for a kernel would otherwise be imported in each of them.
        program = vars(sys.modules["__main__"])
        nameless = {"__spec__": None, "__file__": None}
        place = {"tempdir": str(socket_home())}  # the server listens on a socket there
        with (
            _starting,
            changed(os.environ, ENVIRONMENT),
            changed(program, nameless),
            changed(vars(tempfile), place),
        ):
            self._process.start()  # the first one starts the server
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Wait for the end and return the exit status."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, signum: int) -> None:
        """Send a signal to a process that still runs."""
        if self.pid is not None and self._process.is_alive():
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        """Ask the process to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process."""
        self._process.kill()


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel as a fork instead of a new program."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel with the arguments that the new program would get."""
        arguments = cmd[cmd.index("-f") :]
        environment = dict(kwargs.get("env") or os.environ)
        folder = str(kwargs.get("cwd") or os.getcwd())  # noqa: PTH109 - a string for os.chdir
        process = ForkedProcess(arguments, environment, folder)
        self.process = process  # type: ignore[assignment]
        self.pid, self.pgid = process.pid, None
        return self.connection_info


class WarmKernelClient(AsyncKernelClient):
    """A client of a kernel that was started for it."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Return once the kernel answers on both channels; raises `RuntimeError` if it never does.

        Jupyter's own then waits 0.2 s for answers to others.
        """
        end = time.monotonic() + (timeout or float("inf"))
        while time.monotonic() < end:
            self.kernel_info()
            try:
                await self.get_shell_msg(timeout=1)
                await self.get_iopub_msg(timeout=0.2)
            except Empty:
                if not await self.is_alive():
                    raise RuntimeError("Kernel died before replying to kernel_info") from None
            else:
                return
        raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")


class WarmKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels start warm."""

    client_factory = Type(WarmKernelClient)

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:
            self.provisioner = WarmProvisioner(parent=self, kernel_spec=self.kernel_spec)
        return await super()._async_pre_start_kernel(**kw)

    async def _async_wait(self, pollinterval: float = POLL_SECONDS) -> None:
        """Wait for a kernel that was asked to end."""
        await super()._async_wait(min(pollinterval, POLL_SECONDS))
