import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from projects import write_template
from rich.console import Console

from mrs.errors import InputError
from mrs_book.kit.execute import FORKS, Task, digest, execute_all, read_stamp
from mrs_book.kit.warm import socket_home

PRINT = "print(backend, 6 * 7)"


def task(root: Path, template: Path, name: str, **changes: object) -> Task:
    values = {"heading": "", "parameters": {"backend": "mert"}, "stamp": f"stamp of {name}"}
    return Task(template, root / "book" / f"{name}.ipynb", folder=root, **(values | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project after one round of execution, and what failed."""
    root = tmp_path_factory.mktemp("executed")
    good = write_template(root, "good", PRINT, "from pathlib import Path; print(Path().resolve())")
    parent = write_template(root, "parent", "import os; print(os.getppid())")
    tasks = {
        "parent": task(root, parent, "parent"),
        "runs/parent": task(root, parent, "runs/parent"),
        "good": task(root, good, "good", heading=r"<b>KNN</b> on *sim:MERT* \1"),
        "runs/again": task(root, good, "runs/again", heading=r"<b>KNN</b> on *sim:MERT* \1"),
        "raises": task(root, write_template(root, "raises", "1 / 0", PRINT), "raises"),
        "dies": task(root, write_template(root, "dies", "import os; os._exit(0)", PRINT), "dies"),
        "untitled": task(root, write_template(root, "untitled", PRINT, heading="text"), "untitled"),
    }
    (root / "book").mkdir()
    (root / "book/dies.ipynb").write_text("the last good one")
    failures = execute_all(tasks, 2, Console(quiet=True))
    return root, failures


def test_a_page_holds_its_heading_parameters_outputs_and_stamp(
    executed: tuple[Path, dict[str, str]],
) -> None:
    root, _ = executed
    notebook = nbformat.read(root / "book/good.ipynb", as_version=4)
    title, defaults, injected, printed, folder = notebook.cells
    assert title.source == r"# \<b\>KNN\</b\> on \*sim:MERT\* \\1"  # Markdown shows it as it is
    assert defaults.metadata.tags == ["parameters", "remove-cell"]
    assert 'backend = "mert"' in injected.source
    assert injected.metadata.tags == ["injected-parameters", "hide-input"]
    assert printed.outputs[0].text == "mert 42\n"
    assert folder.outputs[0].text.strip() == str(root.resolve())
    assert read_stamp(root / "book/good.ipynb") == "stamp of good"


def test_equal_inputs_give_equal_pages(executed: tuple[Path, dict[str, str]]) -> None:
    root, _ = executed
    paths = (root / f"book/{name}.ipynb" for name in ("good", "runs/again"))
    one, other = (json.loads(path.read_text()) for path in paths)
    del one["metadata"]["mrs"], other["metadata"]["mrs"]
    assert one == other


@pytest.mark.skipif(not FORKS, reason="kernels are forked on Linux only")
def test_one_server_forks_all_kernels(executed: tuple[Path, dict[str, str]]) -> None:
    root, _ = executed
    pages = (
        nbformat.read(root / f"book/{name}.ipynb", as_version=4)
        for name in ("parent", "runs/parent")
    )
    one, other = (int(page.cells[-1].outputs[0].text) for page in pages)
    assert one == other != os.getpid()


def test_failures_are_told_and_leave_no_page(executed: tuple[Path, dict[str, str]]) -> None:
    root, failures = executed
    assert set(failures) == {"raises", "dies", "untitled"}
    assert "ZeroDivisionError: division by zero" in failures["raises"]
    assert "Kernel died" in failures["dies"]
    assert "must be Markdown and begin with '# '" in failures["untitled"]
    made = {path.relative_to(root / "book").as_posix() for path in (root / "book").rglob("*.*")}
    assert made == {
        "good.ipynb",
        "runs/again.ipynb",
        "parent.ipynb",
        "runs/parent.ipynb",
        "dies.ipynb",
    }
    assert (root / "book/dies.ipynb").read_text() == "the last good one"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metadata": {"mrs": 1}}'])
def test_no_stamp_in_what_is_no_executed_page(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.ipynb").write_text(text)
    assert read_stamp(tmp_path / "x.ipynb") is None
    assert read_stamp(tmp_path / "missing.ipynb") is None


def test_digest_tells_names_and_contents(tmp_path: Path) -> None:
    one, other = tmp_path / "a.py", tmp_path / "b.py"
    one.write_text("1")
    other.write_text("2")
    before = digest([one, other])
    assert digest([other, one]) == before
    one.write_text("2")
    other.write_text("1")
    assert digest([one, other]) != before


DRIVER = """
import sys
from pathlib import Path
from rich.console import Console
from mrs.errors import InputError
from mrs_book.kit.execute import FORKS, Task, execute_all

if __name__ == "__main__":
    root = Path(sys.argv[1])
    task = Task(root / "notebooks/waits.ipynb", root / "x.ipynb", "", {}, "stamp", root)
    execute_all({"x": task}, 1, Console(quiet=True))
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().split()[2] == "Z")  # dead, not yet reaped


def test_nothing_outlives_a_killed_driver(tmp_path: Path) -> None:
    wait = "import os, time; open('pids', 'w').write(f'{os.getpid()} {os.getppid()}')"
    write_template(tmp_path, "waits", f"{wait}; time.sleep(100)")
    (tmp_path / "driver.py").write_text(DRIVER)
    driver = subprocess.Popen([sys.executable, tmp_path / "driver.py", tmp_path])
    deadline = time.monotonic() + 180
    while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
        assert driver.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(alive, pids))
    driver.kill()
    driver.wait()
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, "the worker or its kernel is still there"
        time.sleep(0.1)
    assert not (tmp_path / "x.ipynb").exists()


def test_a_long_folder_of_temporary_files_takes_no_sockets(tmp_path: Path) -> None:
    """In a program of its own, so that no server of kernels listens yet."""
    long = tmp_path / ("long" * 30)
    long.mkdir()
    template = write_template(tmp_path, "good", PRINT)
    (tmp_path / "book").mkdir()
    program = f"""
from pathlib import Path
from rich.console import Console
from mrs_book.kit.execute import Task, execute_all
root = Path({str(tmp_path)!r})
page = Task(Path({str(template)!r}), root / "book/good.ipynb", "", {{"backend": "mert"}}, "s", root)
if __name__ == "__main__":
    for _ in range(2):
        print(execute_all({{"good": page}}, 1, Console(quiet=True)))
"""
    script = tmp_path / "program.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | {"TMPDIR": str(long)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "{}\n{}\n"
    assert "mert 42" in (tmp_path / "book/good.ipynb").read_text()


def test_no_folder_for_sockets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 30)))
    assert socket_home() == Path("/tmp")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="too long for sockets; set TMPDIR to a folder of at most"):
        socket_home()
