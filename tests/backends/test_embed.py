from pathlib import Path

import numpy as np
import pytest
from sounds import Counting, Stub, card_of, tone, write_tone

from mrs.backends.audio import decode
from mrs.backends.embed import embed_files
from mrs.errors import InputError


def test_one_row_a_file_in_their_order(tmp_path: Path) -> None:
    files = [
        write_tone(tmp_path / "b ø.flac", 1.0, 300, rate=44_100),
        write_tone(tmp_path / "a.wav", 0.5),
    ]
    out = tmp_path / "new" / "x.npy"
    done = embed_files(Stub(), files, out)
    rows = np.load(out)
    assert rows.dtype == np.float32
    expected = [Counting().embed(decode(path, 8_000)) for path in files]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(done.rows, rows)
    card = card_of(out)
    assert card["files"] == [{"file": str(path), "rows": 1} for path in files]
    assert (card["origin"], card["embedding_size"], card["skipped"]) == ("audio", 3, [])
    assert sorted(path.name for path in out.parent.iterdir()) == ["x.json", "x.npy"]


def test_frames_are_stacked(tmp_path: Path) -> None:
    files = [write_tone(tmp_path / f"{i}.wav", seconds) for i, seconds in enumerate((1.0, 0.5))]
    embed_files(Stub(), files, tmp_path / "x.npy", frames=True)
    parts = [Counting().frames(decode(path, 8_000)) for path in files]
    assert [len(part) for part in parts] == [80, 40]
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.concatenate(parts))
    assert [entry["rows"] for entry in card_of(tmp_path / "x.npy")["files"]] == [80, 40]


def test_files_that_cannot_be_heard_have_no_row(tmp_path: Path) -> None:
    good = write_tone(tmp_path / "good.wav", 1.0)
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    done = embed_files(
        Stub(), [tmp_path, tmp_path / "bad.wav", good, tmp_path / "none.wav"], tmp_path / "x.npy"
    )
    assert len(np.load(tmp_path / "x.npy")) == 1
    assert [error.reason for error in done.skipped.values()] == ["directory", "corrupt", "missing"]
    skipped = card_of(tmp_path / "x.npy")["skipped"]
    assert [entry["file"] for entry in skipped] == [str(path) for path in done.skipped]
    assert skipped[0]["reason"] == "directory"


def test_nothing_is_written_where_nothing_is_heard(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.wav: missing: no such file; none of the files"):
        embed_files(Stub(), [tmp_path / "a.wav"], tmp_path / "x.npy")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["x.txt", "folder.npy", "file/x.npy"])
def test_places_that_cannot_be_written(tmp_path: Path, out: str) -> None:
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "file").write_text("")

    class Untouched(Stub):
        def load(self, folder: Path | None) -> Counting:
            raise AssertionError("computed before the output was looked at")

    path = write_tone(tmp_path / "a.wav", 1.0)
    with pytest.raises(InputError, match=r"name a file that ends in \.npy|cannot be written"):
        embed_files(Untouched(), [path], tmp_path / out)


def test_a_tone_of_half_a_second(tmp_path: Path) -> None:
    assert len(tone(0.5)) == 8_000
    path = write_tone(tmp_path / "a.wav", 0.5)
    embed_files(Stub(), [path], tmp_path / "x.npy")
    assert np.isfinite(np.load(tmp_path / "x.npy")).all()
