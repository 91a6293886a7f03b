import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
from sounds import Counting, Slow, Stub, card_of, tone, write_sounding, write_tone

from mrs.backends import extract as module
from mrs.backends.audio import decode
from mrs.backends.base import Model
from mrs.backends.extract import extract
from mrs.backends.sources import Files
from mrs.data import filled_rows
from mrs.data.checks import open_vectors
from mrs.data.dataset import open_dataset
from mrs.errors import InputError
from mrs.files import Digests

N = 52  # tracks of `write_sounding`
TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> list[module.Shard]:
    """Shards are computed in this process; returns those that were."""
    done: list[module.Shard] = []

    def run(
        function: Callable, jobs: list, *, workers: int, threads: int, title: str, **rest: Any
    ) -> Iterator[str]:
        module._source.cache_clear()
        module._model.cache_clear()
        for job in jobs:
            function(job, **rest)
            done.append(job)
        yield from ()

    monkeypatch.setattr(module, "run_on_workers", run)
    monkeypatch.setattr(module, "shard_size", lambda n: 8)
    return done


def expected(folder: Path, row: int) -> np.ndarray:
    name = pl.read_parquet(folder / "tracks.parquet")["audio"][row]
    return Counting().embed(decode(folder / name, 8_000))


def test_one_row_a_track(tmp_path: Path, inline: list) -> None:
    write_sounding(tmp_path)
    dataset = open_dataset(tmp_path)
    done = extract(dataset, Stub())
    assert len(inline) == 7
    assert done.path == tmp_path / "embeddings" / "mule.npy"
    assert len(done.skipped) == 0
    vectors = open_vectors(done.path, N)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [expected(tmp_path, row) for row in range(N)], atol=1e-6)
    assert not list(done.path.parent.glob(".*"))
    card = dataset.card("mule")
    assert (card.origin, card.embedding_size) == ("audio", 3)
    details = card.details
    assert details["sample_rate"] == 8_000
    assert (details["layer"], details["pooling"], details["revision"]) == ("last", "mean", "1")
    assert details["skipped"]["count"] == 0
    assert details["sha256"] == Digests().of_file(done.path)


def test_shards_are_small_in_small_datasets() -> None:
    assert [module.shard_size(n) for n in (1, 41, 640, 2_000, 109_269)] == [1, 1, 10, 31, 32]


BAD = {3: "missing", 11: "corrupt", 12: "silent", 51: "empty"}


def test_tracks_that_cannot_be_heard(tmp_path: Path, inline: list) -> None:
    names = write_sounding(tmp_path, BAD)
    done = extract(open_dataset(tmp_path), Stub())
    report = pl.read_csv(tmp_path / "embeddings" / "mule.skipped.csv")
    assert report["row"].to_list() == list(BAD)
    assert report["reason"].to_list() == list(BAD.values())
    assert report["audio"].to_list() == [names[row] for row in BAD]
    tracks = open_dataset(tmp_path).tracks["track_id"]
    assert report["track_id"].to_list() == [tracks[row] for row in BAD]
    assert done.reasons() == "missing 1, corrupt 1, silent 1, empty 1"
    vectors = open_vectors(done.path, N)
    for row, stand_in in report.select("row", "stand_in").iter_rows():
        assert stand_in not in BAD
        np.testing.assert_allclose(vectors[row], expected(tmp_path, stand_in), atol=1e-6)
    for row in set(range(N)) - set(BAD):
        np.testing.assert_allclose(vectors[row], expected(tmp_path, row), atol=1e-6)
    skipped = card_of(done.path)["skipped"]
    assert skipped == {
        "count": 4,
        "rule": filled_rows.RULE,
        "report": "mule.skipped.csv",
        "rows": list(BAD),
    }


def test_a_rerun_computes_what_changed(tmp_path: Path, inline: list) -> None:
    names = write_sounding(tmp_path, BAD)
    first = extract(open_dataset(tmp_path), Stub())
    written = first.path.stat().st_mtime_ns
    inline.clear()
    again = extract(open_dataset(tmp_path), Stub())
    assert not inline
    assert again.path.stat().st_mtime_ns == written
    assert len(again.skipped) == 4
    soundfile.write(tmp_path / names[3], tone(1.0, 999.0), 16_000)
    mended = extract(open_dataset(tmp_path), Stub())
    assert len(inline) == 7  # the shards of a finished extraction are gone
    assert len(mended.skipped) == 3
    inline.clear()
    extract(open_dataset(tmp_path), Stub(clip_seconds=0.5))
    assert len(inline) == 7
    assert card_of(first.path)["settings"]["clip_seconds"] == 0.5


def test_shards_that_are_there_are_kept(
    tmp_path: Path, inline: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = write_sounding(tmp_path)
    whole = module.compute_shard

    def until_the_fifth(shard: module.Shard, **rest: Any) -> None:
        if shard.start == 32:
            raise KeyboardInterrupt
        whole(shard, **rest)

    monkeypatch.setattr(module, "compute_shard", until_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        extract(open_dataset(tmp_path), Stub())
    assert not (tmp_path / "embeddings" / "mule.npy").exists()
    monkeypatch.setattr(module, "compute_shard", whole)
    inline.clear()
    soundfile.write(tmp_path / names[9], tone(1.0, 999.0), 16_000)  # of the second shard
    done = extract(open_dataset(tmp_path), Stub())
    assert [shard.start for shard in inline] == [8, 32, 40, 48]
    np.testing.assert_allclose(np.load(done.path)[9], expected(tmp_path, 9), atol=1e-6)


class Moody(Counting):
    """Fails at large batches; gives nothing for one track, NaN for another."""

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        hz = int(np.abs(np.fft.rfft(waveform)).argmax())
        return np.full(2, {220: 0.0, 240: np.nan}.get(hz, hz), np.float32)

    def embed_batch(self, waveforms: list[np.ndarray]) -> np.ndarray:
        if len(waveforms) > 4:
            raise MemoryError
        return np.stack([self.embed(waveform) for waveform in waveforms])


@dataclass(frozen=True)
class MoodyStub(Stub):
    def load(self, folder: Path | None) -> Model:
        return Moody()


def test_vectors_of_no_use_and_batches_that_are_too_large(tmp_path: Path, inline: list) -> None:
    write_sounding(tmp_path)
    done = extract(open_dataset(tmp_path), MoodyStub())
    assert done.skipped["row"].to_list() == [1, 2]
    assert set(done.skipped["reason"]) == {"no vector"}
    vectors = np.load(done.path)
    assert vectors[3:].tolist() == [[200.0 + 20 * row] * 2 for row in range(3, N)]
    assert card_of(done.path)["embedding_size"] == 2


FAILURES = [
    TypeError("too low"),
    MemoryError(),
    ModuleNotFoundError("No module named 'x'"),
    PermissionError(errno.EACCES, "Permission denied", "/cache"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cannot cache function: no locator available"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize("where", ["embed", "load", "read"])
def test_a_failure_that_is_not_of_the_sound_is_kept_of_no_track(
    tmp_path: Path,
    inline: list,
    failure: Exception,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_sounding(tmp_path, {3: "corrupt"})
    dataset = open_dataset(tmp_path)

    def fail(*_: object) -> None:
        raise failure

    with monkeypatch.context() as broken:
        owner = {"embed": Counting, "load": Stub, "read": Files}[where]
        broken.setattr(owner, where, fail)
        with pytest.raises(InputError, match=type(failure).__name__) as caught:
            extract(dataset, Stub())
    assert "\n" not in str(caught.value)
    assert "run the command again" in str(caught.value)
    assert not (tmp_path / "embeddings" / "mule.npy").exists()
    done = extract(dataset, Stub())  # repaired
    assert len(inline) == 7
    assert done.skipped["row"].to_list() == [3]
    np.testing.assert_allclose(np.load(done.path)[0], expected(tmp_path, 0), atol=1e-6)


def test_a_file_that_may_not_be_read_stops(
    tmp_path: Path, inline: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = write_sounding(tmp_path)
    whole = Path.open

    def refuse(self: Path, *rest: Any, **more: Any) -> Any:
        if self.name == Path(names[9]).name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return whole(self, *rest, **more)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", refuse)
        with pytest.raises(InputError, match=r"9\.wav: cannot be read \(Permission denied\)"):
            extract(open_dataset(tmp_path), Stub())
    assert [shard.start for shard in inline] == [0]
    inline.clear()
    assert len(extract(open_dataset(tmp_path), Stub()).skipped) == 0
    assert [shard.start for shard in inline] == [8, 16, 24, 32, 40, 48]


def test_a_skip_is_tried_again_when_the_file_has_changed(tmp_path: Path, inline: list) -> None:
    names = write_sounding(tmp_path, {3: "corrupt"})
    extract(open_dataset(tmp_path), Stub())
    path = tmp_path / names[3]
    before = path.stat()
    mended = write_tone(tmp_path / "mended.wav", 1.0, 260.0).read_bytes()[: before.st_size]
    path.write_bytes(b"RIFF" + mended[4:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    inline.clear()
    extract(open_dataset(tmp_path), Stub())
    assert inline


def test_workers_that_fail_end_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sounding(tmp_path)

    def fail(*_: Any, **__: Any) -> Iterator[str]:
        yield "a.wav: the model failed (MemoryError)"

    monkeypatch.setattr(module, "run_on_workers", fail)
    with pytest.raises(InputError, match=r"^a\.wav: the model failed .* \(1 of 52 shards failed"):
        extract(open_dataset(tmp_path), Stub())


def test_two_commands_at_once(tmp_path: Path, inline: list) -> None:
    write_sounding(tmp_path)
    parts = tmp_path / "embeddings" / ".mule.parts"
    with module._alone(parts):
        with pytest.raises(InputError, match=r"\.mule\.parts: another command is computing these"):
            extract(open_dataset(tmp_path), Stub())
        assert not inline
    assert len(extract(open_dataset(tmp_path), Stub()).skipped) == 0
    assert not parts.exists()


def test_the_other_command_has_just_finished(
    tmp_path: Path, inline: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sounding(tmp_path)
    alone = module._alone

    def late(parts: Path) -> Any:
        monkeypatch.setattr(module, "_alone", alone)
        extract(open_dataset(tmp_path), Stub())  # the other
        return alone(parts)

    monkeypatch.setattr(module, "_alone", late)
    done = extract(open_dataset(tmp_path), Stub())
    assert len(inline) == 7  # once
    assert len(done.skipped) == 0
    assert not list(done.path.parent.glob(".*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("when", ["shard", "vectors", "card"])
def test_a_disk_that_cannot_be_written(
    tmp_path: Path, inline: list, number: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sounding(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        if when == "shard":
            broken.setattr(np, "savez", refuse)
        elif when == "vectors":
            broken.setattr(filled_rows.RowFile, "write", refuse)
        else:
            broken.setattr(module, "write_json", refuse)
        with pytest.raises(InputError, match=f"cannot be written .{os.strerror(number)}"):
            extract(open_dataset(tmp_path), Stub())
    kept = list((tmp_path / "embeddings" / ".mule.parts").iterdir())
    assert len(kept) == (0 if when == "shard" else 7)  # and nothing half written
    assert not list((tmp_path / "embeddings").glob(".new-*"))
    inline.clear()
    extract(open_dataset(tmp_path), Stub())
    assert len(inline) == 7 - len(kept)


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_damaged_part_is_computed_again(tmp_path: Path, inline: list, keep: int) -> None:
    write_sounding(tmp_path)
    dataset = open_dataset(tmp_path)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(module, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            extract(dataset, Stub())
    first = min((tmp_path / "embeddings" / ".mule.parts").iterdir())
    content = bytearray(first.read_bytes())
    if keep >= 0:
        first.write_bytes(content[:keep])
    else:
        content[200] ^= 1  # of the vectors
        first.write_bytes(content)
        with pytest.raises(InputError, match=r"was damaged .* is removed; run the command again"):
            extract(dataset, Stub())
    inline.clear()
    done = extract(dataset, Stub())
    assert [shard.start for shard in inline] == [0]
    np.testing.assert_allclose(np.load(done.path)[0], expected(tmp_path, 0), atol=1e-6)


def test_no_track_at_all(tmp_path: Path, inline: list) -> None:
    write_sounding(tmp_path, dict.fromkeys(range(N), "silent"))
    with pytest.raises(InputError, match=r"none of the 52 tracks .* is silent"):
        extract(open_dataset(tmp_path), Stub())
    assert not (tmp_path / "embeddings" / "mule.npy").exists()


def test_mistakes(tmp_path: Path, inline: list) -> None:
    write_sounding(tmp_path)
    dataset = open_dataset(tmp_path)
    with pytest.raises(InputError, match="workers 0"):
        extract(dataset, Stub(), workers=0)
    np.save(tmp_path / "embeddings" / "mule.npy", np.ones((N, 2), np.float32))
    with pytest.raises(InputError, match="is not computed"):
        extract(dataset, Stub())
    tracks = dataset.tracks.drop("audio")
    tracks.write_parquet(tmp_path / "tracks.parquet")
    with pytest.raises(InputError, match="no column 'audio'"):
        extract(open_dataset(tmp_path), Stub())
    tracks.with_columns(audio=1).write_parquet(tmp_path / "tracks.parquet")
    with pytest.raises(InputError, match="not paths"):
        extract(open_dataset(tmp_path), Stub())
    assert not inline


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/below: cannot be written \(Not a directory\)"):
        module.refuse_unwritable(tmp_path / "file" / "below")


SCRIPT = """
import sys
from pathlib import Path
from mrs.backends import extract as module
from mrs.data.dataset import open_dataset
from sounds import Slow

module.shard_size = lambda n: 2
if __name__ == "__main__":
    module.extract(open_dataset(sys.argv[1]), Slow(), workers=2)
"""


@pytest.mark.slow
def test_killed_and_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, log = tmp_path / "own", tmp_path / "log"
    write_sounding(folder)
    (tmp_path / "run.py").write_text(SCRIPT)
    monkeypatch.setenv("MRS_TEST_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    running = subprocess.Popen(
        [sys.executable, "run.py", str(folder)], cwd=tmp_path, start_new_session=True
    )
    parts = folder / "embeddings" / ".mule.parts"
    deadline = time.monotonic() + 200
    while len(list(parts.glob("*.npz"))) < 4:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (folder / "embeddings" / "mule.npy").exists()
    kept, before = len(list(parts.glob("*.npz"))), log.read_text().splitlines()
    assert kept < N // 2
    monkeypatch.setattr(module, "shard_size", lambda n: 2)
    done = extract(open_dataset(folder), Slow(), workers=2)
    after = log.read_text().splitlines()
    assert len(after) - len(before) == N - 2 * kept
    assert len(set(after) - set(before)) == 2  # workers
    loads = Path(f"{log}.loads").read_text().splitlines()
    assert len(loads) == len(set(loads)) == 4  # one load a worker
    vectors = open_vectors(done.path, N)
    np.testing.assert_allclose(vectors, [expected(folder, row) for row in range(N)], atol=1e-6)
    assert not parts.exists()
