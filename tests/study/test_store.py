import json
from pathlib import Path

import polars as pl
import pytest

from mrs.errors import InputError
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


def test_the_first_record_of_a_key_stays(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("k1", {"a": 1}, USERS)
    store.write("k1", {"a": 2}, USERS)
    assert json.loads((tmp_path / "k1" / "run.json").read_text()) == {"a": 1}
    assert not list(tmp_path.glob(".new-*"))


def test_half_a_record_is_none_and_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "k1").mkdir()
    (tmp_path / "k1" / "run.json").write_text("{}")
    store = Store(tmp_path)
    assert store.read("k1") is None
    store.write("k1", {"a": 1}, USERS)
    assert store.has("k1")


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
    path.write_text("half a file")
    assert store.derived("a", lambda: USERS).equals(USERS)
    assert pl.read_parquet(path).equals(USERS)
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
    left = tmp_path / ".new-abc"
    left.mkdir()
    USERS.write_parquet(left / "users.parquet")
    (left / "run.json").write_text("{}")
    assert [record.key for record in store.records()] == ["k1"]
    store.derived("a", lambda: USERS)
    (tmp_path / ".derived" / ".new-abc").write_text("half a file")
    store.sweep()
    assert not left.exists()
    assert [path.stem for path in (tmp_path / ".derived").iterdir()] == ["a"]
    assert store.has("k1")


def test_a_file_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        Store(tmp_path / "file")
    with pytest.raises(InputError, match="cannot be written"):
        Store(tmp_path / "file" / "below").write("k", {}, USERS)
