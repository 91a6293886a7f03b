"""A function over many jobs, in worker processes of a local Dask cluster."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_on_workers(
    function: Callable[..., Any],
    jobs: Sequence[Any],
    *,
    workers: int,
    threads: int,
    title: str,
    **arguments: Any,
) -> Iterator[str]:
    """Call `function(job, **arguments)` for every job; yields a line for each that fails.

    What a call returns is dropped. Each worker is a process that computes on `threads` threads and
    may have processes of its own. Progress goes to stderr.
    """
    import dask
    from distributed import Client, LocalCluster, as_completed
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn

    environment = dict.fromkeys(THREADS, str(threads))
    columns = (*Progress.get_default_columns()[:3], TimeElapsedColumn(), TimeRemainingColumn())
    with (
        dask.config.set(
            {"distributed.nanny.pre-spawn-environ": environment, "distributed.worker.daemon": False}
        ),
        LocalCluster(
            n_workers=min(workers, len(jobs)),
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs="ERROR",
        ) as cluster,
        Client(cluster) as client,
        Progress(*columns, console=Console(file=sys.stderr)) as progress,
    ):
        task = progress.add_task(title, total=len(jobs))
        for future in as_completed(client.map(function, jobs, pure=False, **arguments)):
            if future.status == "error":
                yield str(future.exception()).splitlines()[0]
            progress.advance(task)
            future.release()
