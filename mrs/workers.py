"""A function over many jobs, in worker processes of a local Dask cluster.

Its ports are open on this machine alone. They are not encrypted: Dask's TLS would need a library
that nothing else here does, and the traffic does not leave the machine.
"""

import ast
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from mrs.errors import InputError, StorageError
from mrs.progress import progress_bar

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LOCAL = "127.0.0.1:0"
POLL_SECONDS = 0.1
PAUSED_SECONDS = 10.0  # so long a worker without a job may wait for memory
CONFIG = {
    "distributed.worker.daemon": False,
    "distributed.scheduler.allowed-failures": 0,  # `_Jobs` tries again itself
}


def run_on_workers(
    function: Callable[..., Any],
    jobs: Sequence[Any],
    *,
    workers: int,
    threads: int,
    title: str,
    named: Callable[[Any], str] = str,
    time_limit: float | None = None,
    **arguments: Any,
) -> Iterator[str]:
    """Call `function(job, **arguments)` for every job; yields a line for each that fails.

    What a call returns is dropped. Each worker is a process that computes on `threads` threads and
    may have processes of its own. Progress goes to stderr. `named` gives a job's name in lines, and
    `time_limit` the seconds after which it is ended and has failed. A job whose worker died is
    tried once more, alone, so that no job is blamed for another's.

    Raises `StorageError` as soon as a job does, `InputError` where the calling script would start
    its work again in every worker, and `RuntimeError` where no worker has memory to begin.
    """
    _check_script()
    import dask
    import distributed  # noqa: F401 - its settings come first: what `set` finds missing it removes

    environment = dict.fromkeys(THREADS, str(threads))
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment} | CONFIG),
        _client(min(workers, len(jobs))) as client,
        progress_bar() as progress,
    ):
        task = progress.add_task(title, total=len(jobs))
        calls = [partial(function, job, **arguments) for job in jobs]
        for place, error in _Jobs(client, calls, time_limit).finish():
            if isinstance(error, StorageError):
                raise error
            if error is not None:
                yield f"{named(jobs[place])}: {_told(error)}"
            progress.advance(task)


def _told(error: BaseException) -> str:
    """The exception's type and the first line of its text; the text alone if that is a sentence."""
    text = str(error).strip().partition("\n")[0]
    if isinstance(error, InputError | _EndedError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def listed(failures: Sequence[str], most: int = 4) -> str:
    """The lines of the first failures, and how many there are more."""
    more = [f"and {len(failures) - most} more"] if len(failures) > most else []
    return "\n".join(f"  {line}" for line in [*failures[:most], *more])


class _EndedError(Exception):
    """A job that did not end by itself."""


@contextmanager
def _client(n_workers: int) -> Iterator[Any]:
    """A client of a new local cluster, whose processes a Ctrl-C at the keyboard does not reach.

    They end with this one.
    """
    from distributed import Client, LocalCluster

    resource_tracker.ensure_running()  # its start would let the signal through again
    keyboard = {signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, keyboard)  # threads and processes inherit it
    try:
        cluster = LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=LOCAL,
            worker_dashboard_address=LOCAL,
            silence_logs="CRITICAL",
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with cluster, Client(cluster) as client:
        yield client


class _Jobs:
    """Calls on the workers of a client, watched until each has ended."""

    def __init__(
        self, client: Any, calls: Sequence[Callable[[], Any]], time_limit: float | None
    ) -> None:
        self.client = client
        self.calls = calls
        self.time_limit = time_limit
        self.running: dict[int, tuple[str, float]] = {}  # place: worker's address, since when
        self.paused_since: float | None = None
        self.restarted = False  # since the last job that ended
        self.topic = f"{client.id}-begun"
        client.subscribe_topic(self.topic, self._begun)

    def finish(self) -> Iterator[tuple[int, BaseException | None]]:
        """The place of every job that has ended, with its exception where it failed."""
        from distributed.scheduler import KilledWorker

        limits = [w["memory_limit"] for w in self.client.scheduler_info()["workers"].values()]
        again = []
        for place, error in self._finish(range(len(self.calls))):
            if isinstance(error, KilledWorker):
                again.append(place)
            else:
                yield place, error
        for one in again:
            for place, error in self._finish([one]):
                if isinstance(error, KilledWorker):
                    error = _EndedError(
                        "its worker process died twice, by a crash or for more than its "
                        f"{min(limits) / 1e9:.1f} GB of memory; each has more with fewer --workers"
                    )
                yield place, error

    def _finish(self, places: Iterable[int]) -> Iterator[tuple[int, BaseException | None]]:
        from distributed import as_completed

        self.running.clear()
        submit = partial(self.client.submit, _call, pure=False, topic=self.topic)
        futures = {submit(self.calls[place], place=place): place for place in places}
        finished = as_completed(futures)
        while futures:
            for future in finished.next_batch(block=False):
                place = futures.pop(future, None)
                if place is not None:
                    self.restarted = False
                    yield place, future.exception() if future.status == "error" else None
            for future, place in list(futures.items()):
                if self._is_late(place):
                    del futures[future]
                    future.cancel()
                    self._restart([self.running[place][0]])
                    yield place, _EndedError(f"did not end within {self.time_limit:g} seconds")
            self._watch_memory({self.running[p][0] for p in futures.values() if p in self.running})
            time.sleep(POLL_SECONDS)

    def _begun(self, event: tuple[float, tuple[int, str]]) -> None:
        place, address = event[1]
        self.running[place] = address, time.monotonic()

    def _is_late(self, place: int) -> bool:
        if self.time_limit is None or place not in self.running:
            return False
        return time.monotonic() - self.running[place][1] > self.time_limit

    def _restart(self, addresses: list[str]) -> None:
        with suppress(KeyError):  # one that has just gone by itself
            self.client.restart_workers(addresses, raise_for_error=False)

    def _watch_memory(self, busy: set[str]) -> None:
        """Start workers again that wait for memory without a job; once is enough, or it is said."""
        info = self.client.scheduler_info()["workers"]
        paused = [a for a, w in info.items() if w["status"] == "paused" and a not in busy]
        if not paused:
            self.paused_since = None
            return
        self.paused_since = self.paused_since or time.monotonic()
        if time.monotonic() - self.paused_since < PAUSED_SECONDS:
            return
        if self.restarted:
            limit = min(info[address]["memory_limit"] for address in paused) / 1e9
            raise RuntimeError(
                f"the {limit:.1f} GB of memory of a worker are too few to begin; "
                "each has more with fewer --workers"
            )
        self._restart(paused)
        self.paused_since, self.restarted = None, True


def _call(call: Callable[[], Any], place: int, topic: str) -> None:
    """Do a job on a worker, and say which worker that is."""
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(topic, (place, worker.address))
    call()


def _check_script() -> None:
    """Refuse a script whose call is not under `if __name__ == "__main__":`.

    Each worker process imports the script, and would come to the same call.
    """
    frame = sys._getframe()
    while frame.f_back is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    script = Path(frame.f_globals.get("__file__") or "")
    if frame.f_globals.get("__name__") != "__main__" or not script.is_file():
        return
    text = script.read_text(encoding="utf-8")
    for statement in ast.parse(text).body:
        here = statement.lineno <= frame.f_lineno <= (statement.end_lineno or 0)
        if here and "__name__" not in (ast.get_source_segment(text, statement) or ""):
            raise InputError(
                f"{script}, line {frame.f_lineno}: worker processes import this script; "
                'put what it does under `if __name__ == "__main__":`'
            )
