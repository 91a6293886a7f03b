"""What one papermill run of notebooks/recommend.ipynb costs beside its model's own time.

    python benchmarks/notebook_run.py [--recommender knn] [--backend musicnn] [--scenario cold]

Four cases: a stock kernel, as `papermill` starts it, or a warm one, as `mrs book` does; with the
run's records in the store, or with a new store. Medians over some runs, after one warm run that
starts the server. Processor seconds hold all processes. "model" is the fits and rankings that the
run computed (the run asked for and the oracle beside it), from its records, and "over" the wall
seconds that remain.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import papermill
import psutil

from mrs.study.store import Store
from mrs_book.kit.execute import Task, execute
from mrs_book.kit.warm import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "notebooks/recommend.ipynb"


def processor_seconds() -> float:
    """Of this process, those that it started, and those that these started and saw end."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def run(kernel: str, parameters: dict, folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of one run."""
    begin, used = time.perf_counter(), processor_seconds()
    output = folder / "out.ipynb"
    if kernel == "warm":
        execute(Task(TEMPLATE, output, "", parameters, "", ROOT))
    else:
        papermill.execute_notebook(
            TEMPLATE,
            output,
            parameters=parameters,
            cwd=ROOT,
            progress_bar=False,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    wall = time.perf_counter() - begin
    time.sleep(0.3)  # the server counts a kernel's seconds when it has ended
    return wall, processor_seconds() - used


def case(kernel: str, stored: bool, parameters: dict, repeats: int, folder: Path) -> list[float]:
    """Medians of one case: wall, processor, model and remaining seconds."""
    rows = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(dir=folder) as new:
            store = Store(folder / "stored" if stored else new)
            wall, cpu = run(kernel, parameters | {"store": str(store.folder)}, folder)
            seconds = [sum(record.info["seconds"].values()) for record in store.records()]
        model = 0.0 if stored else sum(seconds)
        rows.append((wall, cpu, model, wall - model))
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="demo")
    parser.add_argument("--recommender", default="knn")
    parser.add_argument("--backend", default="musicnn")
    parser.add_argument("--scenario", default="cold")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    os.chdir(ROOT)
    parameters = {
        "dataset": args.dataset,
        "recommender": args.recommender,
        "backend": args.backend,
        "scenario": args.scenario,
        "shuffled_seeds": [],
    }
    with tempfile.TemporaryDirectory(prefix="mrs-") as name:
        folder = Path(name)
        os.environ |= ENVIRONMENT | {"JUPYTER_RUNTIME_DIR": name}
        run("warm", parameters | {"store": str(folder / "stored")}, folder)
        print(f"{args.recommender}, {args.backend}, {args.scenario}; load {os.getloadavg()[0]:.1f}")
        print(f"{'kernel':8}{'records':10}{'wall s':>8}{'cpu s':>8}{'model s':>9}{'over s':>8}")
        for kernel in ("stock", "warm"):
            for stored in (True, False):
                row = case(kernel, stored, parameters, args.repeats, folder)
                wall, cpu, model, over = row
                state = "stored" if stored else "none"
                print(f"{kernel:8}{state:10}{wall:8.2f}{cpu:8.2f}{model:9.2f}{over:8.2f}")


if __name__ == "__main__":
    main()
