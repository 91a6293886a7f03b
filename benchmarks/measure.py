"""What the benchmarks share: times of steps, the machine's matrix product, and a line a stage.

Every line holds wall and processor seconds, since other work on the machine slows the first alone,
and the floor: the time of the stage's matrix products at the rate of a large square float32 product
in the same run, by the faster of NumPy's and torch's libraries.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

LINES = "MRS_BENCH_LINES"  # the file that `table.py` collects lines in


@dataclass(frozen=True)
class Line:
    """A stage's cost: seconds (medians), 10^9 operations a second, MB (2^20 bytes).

    `published` and `published_mb` were measured with the published scripts on 2 other cores whose
    product ran at 280 to 326 GFLOP/s.
    """

    stage: str
    seconds: float
    cpu_seconds: float
    gflops: float
    floor: float | None = None
    peak_mb: float | None = None
    published: float | None = None
    published_mb: float | None = None


def timed(function: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median wall and processor seconds of a call, after one that is not counted."""
    function()
    wall, cpu = [], []
    for _ in range(repeats):
        begin, used = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - used)
    return statistics.median(wall), statistics.median(cpu)


def gemm_rate() -> float:
    """Operations a second of a square float32 product, by the faster of both libraries."""
    square = np.random.default_rng(0).standard_normal((4000, 4000), dtype=np.float32)
    tensor = torch.from_numpy(square)
    rivals = (lambda: square @ square, lambda: tensor @ tensor)
    return 2 * 4000**3 / min(timed(product, 3)[0] for product in rivals)


def train_step(module: torch.nn.Module, optimiser: torch.optim.Optimizer, batch: object) -> None:
    """One training step of a module with a loss."""
    optimiser.zero_grad()
    module.loss(batch).backward()
    optimiser.step()


def peak_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_command(*words: object) -> tuple[str, Line]:
    """What `python -m mrs` printed, and the cost of it in a process of its own."""
    command = [sys.executable, "-m", "mrs", *map(str, words)]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    cost = Line(
        stage=f"mrs {' '.join(str(word) for word in words[:2])}",
        seconds=time.perf_counter() - begin,
        cpu_seconds=used.ru_utime + used.ru_stime,
        gflops=0,
        peak_mb=used.ru_maxrss / 1024,
    )
    return printed, cost


def report(line: Line) -> None:
    """Print a line, and leave it to `table.py` where that runs."""
    parts = [f"{line.stage}: {line.seconds:.4g} s, {line.cpu_seconds:.4g} cpu s"]
    if line.floor is not None:
        parts.append(f"floor {line.floor:.4g} s ({line.seconds / line.floor:.1f}x)")
    if line.peak_mb is not None:
        parts.append(f"peak {line.peak_mb:.0f} MB")
    if line.published is not None:
        parts.append(f"published {line.published} s ({line.published / line.seconds:.1f}x)")
    print(", ".join(parts), flush=True)
    if LINES in os.environ:
        with Path(os.environ[LINES]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(line)) + "\n")
