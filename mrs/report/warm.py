"""Kernels that start warm: forked from a server process that has imported what the pages need.

A kernel of its own for each page is what keeps pages apart; importing the same libraries for each
is what makes them slow. The standard library's fork server imports them once, and each kernel is
a fork of it. Everything else is Jupyter's: the same kernel, the same protocol.
"""

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

PRELOAD = ["mrs.report.preload", __name__]  # what the server imports before it forks


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


@contextmanager
def _main_program_hidden() -> Iterator[None]:
    """Keep multiprocessing from importing the program that asked for a kernel in each kernel."""
    program = vars(sys.modules["__main__"])
    told = {name: value for name, value in program.items() if name in {"__spec__", "__file__"}}
    program |= dict.fromkeys(told)
    try:
        yield
    finally:
        program |= told


class ForkedProcess:
    """A forked process with the part of `subprocess.Popen` that Jupyter's provisioner uses."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: list[str], environment: dict[str, str], folder: str) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self._process = context.Process(
            target=run_kernel, args=(arguments, environment, folder), daemon=False
        )
        with _main_program_hidden():
            self._process.start()
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


class WarmKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels start warm."""

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:
            self.provisioner = WarmProvisioner(parent=self, kernel_spec=self.kernel_spec)
        return await super()._async_pre_start_kernel(**kw)
