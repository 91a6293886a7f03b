import errno
import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mrs.errors import InputError, StorageError, writing
from mrs.files import unfinished_prefix
from mrs.study import store as module
from mrs.study.store import Record, Store, stacked

USERS = pl.DataFrame(
    {
        "user_id": [1, 2],
        "recall@5": [0.5, 1.0],
        "chance:recall@5": [0.25, 0.05],
        "hit_ranks": [[1], [2]],
    }
)


def test_write_and_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "store")
    assert store.read("k1") is None
    store.write("k1", {"a": 1}, USERS)
    record = store.read("k1")
    assert record is not None
    assert record.info == {"a": 1}
    assert record.users.equals(USERS)
    assert record.metrics == ["recall@5"]
    assert record.values("recall@5").tolist() == [0.5, 1.0]
    assert record.chance("recall@5") == pytest.approx(0.15)
    assert sorted(p.name for p in (tmp_path / "new" / "store").iterdir()) == ["k1"]


def test_other_folders_are_no_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path)
    store.write("k1", {"a": 1}, USERS)
    (tmp_path / "mir").mkdir()
    (tmp_path / "mir" / "probe.json").write_text("{}", encoding="utf-8")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "users.parquet").touch()
    assert [record.key for record in store.records()] == ["k1"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "damaged" in line


def test_the_first_record_of_a_key_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("k1", {"a": 1}, USERS)
    store.write("k1", {"a": 2}, USERS)
    assert Record("k1", tmp_path / "k1").info == {"a": 1}
    assert not list(tmp_path.glob(".new-*"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no run.json": (lambda f: (f / "k1/run.json").unlink(), "run.json is missing"),
    "no users": (lambda f: (f / "k1/users.parquet").unlink(), "users.parquet is missing"),
    "empty folder": (
        lambda f: [path.unlink() for path in (f / "k1").iterdir()],
        "run.json is missing",
    ),
    "run.json empty": (lambda f: (f / "k1/run.json").write_text(""), "no JSON object"),
    "run.json garbage": (lambda f: (f / "k1/run.json").write_bytes(b"\xff\0"), "no JSON object"),
    "run.json a list": (lambda f: (f / "k1/run.json").write_text("[]"), "no JSON object"),
    "run.json cut": (lambda f: _cut(f / "k1/run.json"), "no JSON object"),
    "run.json edited": (
        lambda f: (f / "k1/run.json").write_text(
            (f / "k1/run.json").read_text().replace('"a": 1', '"a": 2')
        ),
        "run.json does not match its checksum",
    ),
    "users empty": (lambda f: (f / "k1/users.parquet").write_bytes(b""), "users.parquet does not"),
    "users cut": (lambda f: _cut(f / "k1/users.parquet"), "users.parquet does not match"),
    "a bit of users": (lambda f: _flip(f / "k1/users.parquet", 30), "users.parquet does not match"),
    "users of another run": (
        lambda f: shutil.copy(f / "other/users.parquet", f / "k1/users.parquet"),
        "users.parquet does not match its checksum",
    ),
    "folder of another run": (
        lambda f: (shutil.rmtree(f / "k1"), shutil.copytree(f / "other", f / "k1")),
        "it is the record other under another name",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_record_is_named_missing_and_replaced(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage, said = DAMAGES[name]
    store = Store(tmp_path)
    store.write("k1", {"a": 1}, USERS)
    store.write("other", {"a": 1}, USERS.with_columns(pl.lit(0.75).alias("recall@5")))
    assert store.has("k1")
    damage(tmp_path)
    for reader in (store, Store(tmp_path)):  # also where it was found whole before
        assert reader.read("k1") is None
        assert not reader.has("k1")
        assert [record.key for record in reader.records()] == ["other"]
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"mrs: {tmp_path / 'k1'}: ")
        assert said in lines[0]
    store.write("k1", {"a": 1}, USERS)
    again = Store(tmp_path).read("k1")
    assert again is not None
    assert again.info == {"a": 1}
    assert again.values("recall@5").tolist() == [0.5, 1.0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k1", "other"]


def test_records_of_before_have_no_checksum_and_count_as_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("k1", "k2", "k3"):
        (tmp_path / key).mkdir()
        (tmp_path / key / "run.json").write_text('{"a": 1}')
        USERS.write_parquet(tmp_path / key / "users.parquet")
    assert Store(tmp_path).records() == []
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "without a checksum" in lines[0]


def test_checksums_are_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.write("k1", {"a": 1}, USERS)
    calls = []
    monkeypatch.setattr(module, "damage", lambda folder: calls.append(folder))
    assert all(store.has("k1") for _ in range(5))
    assert len(calls) == 1


def test_numbers_that_json_lacks_keep_their_record_whole(tmp_path: Path) -> None:
    info = {"nan": float("nan"), "third": 1 / 3, "pair": (1, 2), "ä": {"2": None}}
    Store(tmp_path).write("k1", info, USERS)
    record = Store(tmp_path).read("k1")
    assert record is not None
    assert record.info["third"] == 1 / 3
    assert np.isnan(record.info["nan"])


def test_a_derived_frame_is_computed_once(tmp_path: Path) -> None:
    store, frame = Store(tmp_path), USERS.with_columns(mean=pl.lit(1 / 3), empty=pl.lit(None))
    store.write("k1", {}, USERS)
    asked = []

    def compute() -> pl.DataFrame:
        asked.append(1)
        return frame

    assert store.derived("a", compute).equals(frame)
    again = Store(tmp_path).derived("a", compute)
    assert again.equals(frame)
    assert again.schema == frame.schema
    assert len(asked) == 1
    assert store.derived("b", compute).equals(frame)
    assert len(asked) == 2
    assert [record.key for record in store.records()] == ["k1"]


def test_a_derived_frame_that_cannot_be_read_or_kept_is_computed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.derived("a", lambda: USERS)
    path = next(tmp_path.glob(".derived/a*"))
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 4
    unsealed = io.BytesIO()
    USERS.head(1).write_parquet(unsealed)  # whoever wrote that
    for content in (b"", b"half a file", whole[:-9], bytes(flipped), unsealed.getvalue()):
        path.write_bytes(content)
        assert store.derived("a", lambda: USERS).equals(USERS)
        assert path.read_bytes() == whole
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".derived").write_text("a file where the folder would be")
    assert Store(tmp_path / "other").derived("a", lambda: USERS).equals(USERS)


def test_stacked() -> None:
    """Records x users x metrics, in the order asked for."""
    records = [Record(key, Path(key)) for key in "ab"]
    for factor, record in enumerate(records, 1):
        vars(record)["users"] = pl.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]}) * factor
    assert stacked(records, ["y", "x"]).tolist() == [
        [[3.0, 1.0], [4.0, 2.0]],
        [[6.0, 2.0], [8.0, 4.0]],
    ]


def test_leftovers_of_a_kill_are_no_records_and_swept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("k1", {}, USERS)
    gone = subprocess.run(  # a process that is killed while it writes
        [sys.executable, "-c", KILLED, str(tmp_path)], check=False, capture_output=True
    )
    assert gone.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".new-*"))) == 2
    assert len(list(tmp_path.glob(".derived/.new-*"))) == 1
    mine = tmp_path / f"{unfinished_prefix()}abc"  # another writer's, which runs
    mine.mkdir()
    (mine / "run.json").write_text("{}")
    assert [record.key for record in store.records()] == ["k1"]
    with store.alone():
        assert [path.name for path in tmp_path.rglob(".new-*")] == [mine.name]
    assert store.has("k1")


KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from mrs.files import replacing, unfinished_prefix
folder = Path(sys.argv[1])
tempfile.mkdtemp(prefix=unfinished_prefix(), dir=folder)
with replacing(folder / "digests.json"), replacing(folder / ".derived" / "a.parquet"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_two_grids_on_one_store(tmp_path: Path) -> None:
    with Store(tmp_path).alone():
        said = f"another grid .*process {os.getpid()} on .*; wait"
        with pytest.raises(InputError, match=said), Store(tmp_path).alone():
            pass
        with Store(tmp_path / "other").alone():
            pass
    with Store(tmp_path).alone():  # free again
        pass


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """The limit on a file's size is the fullness that a test can have."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    record, derived, text = done.stdout.splitlines()
    for line in (record, text):
        assert re.fullmatch(r".*: cannot be written \(File too large\); free space there .*", line)
    assert derived == "20000"
    assert [record.key for record in Store(tmp_path).records()] == ["k1"]
    assert [path.name for path in tmp_path.rglob(".new-*")] == []


FULL = """
import resource, signal, sys
import polars as pl
from pathlib import Path
from mrs.files import write_atomically
from mrs.errors import StorageError
from mrs.study.store import Store
folder = Path(sys.argv[1])
store, big = Store(folder), pl.DataFrame({"user_id": range(20000)})
store.write("k1", {"a": 1}, pl.DataFrame({"user_id": [1]}))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
try:
    store.write("k2", {"a": 1}, big)
except StorageError as error:
    print(error)
print(len(store.derived("d", lambda: big)))
try:
    write_atomically(folder / "text", "a" * 5000)
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free space"),
        (errno.EDQUOT, "free space"),
        (errno.EROFS, "choose another folder"),
        (errno.EACCES, "choose another folder"),
    ],
)
def test_what_the_system_says_of_a_disk_is_one_line(number: int, remedy: str) -> None:
    system = OSError(number, os.strerror(number))
    polars = pl.exceptions.ComputeError(f"parquet: IO error: no (os error {number})")
    for error in (system, polars):
        said = f"^results: cannot be written .*; {remedy}"
        with pytest.raises(StorageError, match=said), writing("results"):
            raise error
    with pytest.raises(FileNotFoundError), writing("results"):
        raise FileNotFoundError(errno.ENOENT, "no such file")


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        Store(tmp_path / "file")
    with pytest.raises(InputError, match="cannot be written"):
        Store(tmp_path / "file" / "below").write("k", {}, USERS)
