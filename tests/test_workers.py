"""Jobs that fail, die, hang or wait: the others are done, and a line says which and why."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask
import pytest

from mrs import workers as module
from mrs.errors import InputError, StorageError
from mrs.workers import listed, run_on_workers


def job(place: int, *, folder: Path, faults: dict[int, str]) -> None:
    """Leave a file named for the job, after the fault that it is given."""
    fault = faults.get(place)
    if fault == "empty":
        raise MemoryError
    if fault == "assert":
        assert not fault, "  \nsecond line"
    if fault == "full":
        raise StorageError("results: cannot be written")
    if fault == "dies" or (fault == "dies once" and not (folder / "died").exists()):
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "hangs":
        time.sleep(600)
    if fault == "stops once" and not (folder / "stopped").exists():
        (folder / "stopped").touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    if fault == "greedy":
        kept = bytearray(3 << 30)
        time.sleep(60)
        del kept
    with (folder / f"{place}").open("a") as file:
        file.write("done\n")


def run(folder: Path, n_jobs: int, faults: dict[int, str], **options: float) -> list[str]:
    folder.mkdir(exist_ok=True)
    lines = run_on_workers(
        job,
        range(n_jobs),
        workers=2,
        threads=1,
        title="a test",
        named=lambda place: f"run {place}",
        folder=folder,
        faults=faults,
        **options,  # type: ignore[arg-type]
    )
    return sorted(lines)


def done(folder: Path) -> list[int]:
    """The jobs that were done."""
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def test_exceptions_without_a_text_leave_the_others(tmp_path: Path) -> None:
    lines = run(tmp_path, 6, {0: "empty", 2: "assert"})
    assert done(tmp_path) == [1, 3, 4, 5]
    assert lines == ["run 0: MemoryError", "run 2: AssertionError: second line"]


@pytest.mark.slow
def test_a_job_that_kills_its_worker_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    lines = run(tmp_path, 6, {1: "dies", 2: "dies once"})
    assert done(tmp_path) == [0, 2, 3, 4, 5]
    assert len(lines) == 1
    assert re.fullmatch(
        r"run 1: its worker process died twice, by a crash or for more than its \d+\.\d GB of "
        r"memory; each has more with fewer --workers",
        lines[0],
    )


@pytest.mark.slow
def test_a_job_that_hangs_is_ended(tmp_path: Path) -> None:
    lines = run(tmp_path, 6, {1: "hangs"}, time_limit=4)
    assert done(tmp_path) == [0, 2, 3, 4, 5]
    assert lines == ["run 1: did not end within 4 seconds"]


@pytest.mark.slow
def test_memory_over_the_limit_names_the_job_and_the_option(tmp_path: Path) -> None:
    with dask.config.set({"distributed.worker.memory.terminate": 0.1}):
        lines = run(tmp_path, 4, {1: "greedy"})
    assert done(tmp_path) == [0, 2, 3]
    assert len(lines) == 1
    assert re.match(r"run 1: .* GB of memory; .* fewer --workers$", lines[0])


@pytest.mark.slow
def test_a_stopped_worker_is_started_again(tmp_path: Path) -> None:
    with dask.config.set({"distributed.scheduler.worker-ttl": "2s"}):
        assert run(tmp_path, 4, {1: "stops once"}) == []
    assert done(tmp_path) == [0, 1, 2, 3]


class PausedClient:
    """A client whose only worker is paused by memory, whatever is done about it."""

    id = "client"

    def __init__(self) -> None:
        self.restarts: list[list[str]] = []

    def subscribe_topic(self, topic: str, handler: object) -> None:
        pass

    def scheduler_info(self) -> dict:
        return {"workers": {"tcp://w": {"status": "paused", "memory_limit": 2e9}}}

    def restart_workers(self, addresses: list[str], raise_for_error: bool) -> None:
        self.restarts.append(addresses)


def test_workers_without_memory_to_begin_end_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    client = PausedClient()
    jobs = module._Jobs(client, [], None)
    jobs._watch_memory({"tcp://w"})  # paused over a job: that may free memory
    for clock[0] in (100.0, 100.0 + module.PAUSED_SECONDS):
        jobs._watch_memory(set())
    assert client.restarts == [["tcp://w"]]
    jobs._watch_memory(set())
    clock[0] += module.PAUSED_SECONDS
    with pytest.raises(RuntimeError, match=r"^the 2.0 GB of memory of a worker .* fewer --workers"):
        jobs._watch_memory(set())


@pytest.mark.slow
def test_a_full_disk_ends_it_at_once(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="^results: cannot be written$"):
        run(tmp_path, 4, {1: "full", 2: "hangs", 3: "hangs"})


@pytest.mark.slow
def test_nothing_listens_but_on_this_machine(tmp_path: Path) -> None:
    found: list[str] = []

    def look() -> None:
        deadline = time.monotonic() + 60
        while not (tmp_path / "0").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        found.extend(listening(os.getpid()))

    thread = threading.Thread(target=look)
    thread.start()
    run(tmp_path, 2, {1: "hangs"}, time_limit=4)
    thread.join()
    assert len(found) >= 4  # the scheduler's, the nannies' and the workers'
    assert set(found) == {"0100007F"}  # 127.0.0.1 as /proc writes it


def listening(process: int) -> list[str]:
    """The addresses at which a process and those below it listen, as /proc/net/tcp writes them."""
    family = {process}
    for _ in range(4):
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) in family:
                family.add(int(path.parent.name))
    sockets = set()
    for one in family:
        for link in Path(f"/proc/{one}/fd").glob("*"):
            try:
                sockets.add(str(link.readlink()))
            except OSError:
                continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    rows += [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    return [r[1].partition(":")[0] for r in rows if r[3] == "0A" and f"socket:[{r[9]}]" in sockets]


SCRIPT = """
import sys
from mrs.workers import run_on_workers

def work():
    return list(run_on_workers(print, [1, 2], workers=2, threads=1, title="a test"))
"""


@pytest.mark.parametrize("call", ["work()", "if len(sys.argv) < 9:\n    lines = work()"])
def test_a_script_without_a_guard_is_told_the_remedy(call: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + call)
    ran = subprocess.run(
        [sys.executable, str(script)], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert ran.returncode == 1
    line = len((SCRIPT + call).splitlines())
    assert ran.stderr.splitlines()[-1] == (
        f"mrs.errors.InputError: {script}, line {line}: worker processes import this script; "
        'put what it does under `if __name__ == "__main__":`'
    )
    assert len(ran.stderr.splitlines()) < 20


def test_a_script_with_a_guard_runs(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "if __name__ == '__main__':\n    print(work())")
    ran = subprocess.run(
        [sys.executable, str(script)], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "[]"), ran.stderr


def test_failures_are_listed() -> None:
    assert listed(["a", "b"]) == "  a\n  b"
    assert listed(list("abcdef")) == "  a\n  b\n  c\n  d\n  and 2 more"


def test_input_errors_are_sentences_already() -> None:
    assert module._told(InputError("x.parquet: no such file")) == "x.parquet: no such file"
    assert module._told(ValueError("no\nmore")) == "ValueError: no"
