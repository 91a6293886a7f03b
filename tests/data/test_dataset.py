"""The dataset folder in both layouts, and its checks at the door."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from worlds import random_parts, write_authors, write_own

from mrs.data import describe
from mrs.data.dataset import open_dataset
from mrs.errors import InputError
from mrs.files import Digests
from mrs.world import demo


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write_own(tmp_path / "own", random_parts())
    return tmp_path / "own"


@pytest.fixture
def authors(tmp_path: Path) -> Path:
    write_authors(tmp_path / "m4a", random_parts())
    return tmp_path / "m4a"


def test_own_layout(own: Path) -> None:
    dataset = open_dataset(own)
    assert (dataset.name, dataset.generated, dataset.splits()) == ("own", False, ["mine"])
    assert dataset.backends() == ["mert"]
    card = dataset.card("mert")
    assert (card.label, card.origin, card.embedding_size) == ("MERT", "file", 7)
    split = dataset.split()
    parts = random_parts()
    assert len(split.train) == len(parts["train"])
    # raw ids come back, whatever the positions
    raw = set(zip(split.users[split.train.user], split.tracks[split.train.track], strict=True))
    assert raw == set(parts["train"].select("user_id", "track_id").iter_rows())
    assert set(split.tracks[split.cold]) == set(dataset.tracks["track_id"]) - set(
        parts["train"]["track_id"]
    )


def test_vectors_follow_the_order_of_tracks(own: Path) -> None:
    stored = np.load(own / "embeddings" / "mert.npy")
    dataset = open_dataset(own)
    assert np.array_equal(dataset.vectors("mert"), stored)
    assert np.array_equal(dataset.vectors("mert", np.array([4, 1])), stored[[4, 1]])


def test_authors_layout_reads_rows_by_raw_track_id(authors: Path) -> None:
    stored = np.load(authors / "embeddings" / "mert.npy")
    dataset = open_dataset(authors)
    assert dataset.splits() == ["temporal"]
    raw = dataset.tracks["track_id"].to_numpy()
    assert np.array_equal(dataset.vectors("mert"), stored[raw])
    split = dataset.split()
    parts = random_parts()
    assert set(split.tracks[split.cold]) == set(parts["cold_test"]["track_id"])
    assert set(split.tracks[split.warm]) == set(parts["train"]["track_id"])


def test_authors_vectors_with_too_few_rows(authors: Path) -> None:
    path = authors / "embeddings" / "mert.npy"
    np.save(path, np.load(path)[:30])
    with pytest.raises(InputError, match="30 rows, none for track 30"):
        open_dataset(authors).vectors("mert")


def test_surrogates_are_marked(own: Path) -> None:
    card = own / "embeddings" / "mert.json"
    card.write_text(json.dumps({"origin": "surrogate", "rung": 3}))
    read = open_dataset(own).card("mert")
    assert read.label == "sim:MERT"
    assert read.details == {"rung": 3}


def test_ties_are_broken_by_a_fixed_permutation(own: Path, authors: Path) -> None:
    order = open_dataset(own).tie_order
    assert sorted(order) == list(range(len(order)))
    assert np.array_equal(order, open_dataset(own).tie_order)
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.5
    assert not np.array_equal(order, open_dataset(authors).tie_order)


Change = Callable[[Path], None]


def edit(part: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    def apply(folder: Path) -> None:
        path = folder / "splits" / "mine" / f"{part}.parquet"
        change(pl.read_parquet(path)).write_parquet(path)

    return apply


def copy_cold_into_train(folder: Path) -> None:
    splits = folder / "splits" / "mine"
    train, cold = (pl.read_parquet(splits / f"{p}.parquet") for p in ("train", "cold_test"))
    row = train.head(1).with_columns(track_id=cold["track_id"][3:4])
    pl.concat([train, row]).write_parquet(splits / "train.parquet")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit("train", lambda f: f.drop("timestamp")), ["train.parquet", "'timestamp'"]),
        (edit("val", lambda f: f.drop("count")), ["val.parquet", "'count'"]),
        (edit("train", lambda f: f.clear()), ["train.parquet", "no rows"]),
        (edit("train", lambda f: pl.concat([f, f[7:8]])), ["train.parquet", "twice"]),
        (
            edit("hot_test", lambda f: f.with_columns(track_id=pl.col("track_id") + 1)),
            ["hot_test.parquet", "row 0", "not among the tracks"],
        ),
        (
            edit("hot_test", lambda f: f.with_columns(user_id=pl.col("user_id") + 1)),
            ["hot_test.parquet", "row 0", "not among the train users"],
        ),
        (
            edit("hot_test", lambda f: f.with_columns(pl.col("timestamp") - pl.duration(days=40))),
            ["hot_test.parquet", "row", "before the last train play"],
        ),
        (
            edit("train", lambda f: f.with_columns(pl.col("track_id").cast(pl.String))),
            ["train.parquet", "same kind of id"],
        ),
        (copy_cold_into_train, ["cold_test.parquet", "row", "is played in train"]),
        (lambda f: (f / "splits/mine/val.parquet").unlink(), ["val.parquet", "no such file"]),
    ],
)
def test_wrong_splits(own: Path, change: Change, words: list[str]) -> None:
    change(own)
    with pytest.raises(InputError) as caught:
        open_dataset(own).split()
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_hot_pair_of_a_cold_track(own: Path) -> None:
    splits = own / "splits" / "mine"
    cold = pl.read_parquet(splits / "cold_test.parquet")
    hot = pl.read_parquet(splits / "hot_test.parquet")
    pl.concat([hot, cold[:1]]).write_parquet(splits / "hot_test.parquet")
    with pytest.raises(InputError, match=f"row {len(hot)}: track .* is not played in train"):
        open_dataset(own).split()


def test_unknown_names(own: Path, tmp_path: Path) -> None:
    dataset = open_dataset(own)
    with pytest.raises(InputError, match="no backend 'mert2' .*mert"):
        dataset.vectors("mert2")
    with pytest.raises(InputError, match="no split 'yours'; known: mine"):
        dataset.split("yours")
    with pytest.raises(InputError, match="no such dataset"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match=r"neither tracks.parquet nor train.pqt"):
        open_dataset(tmp_path / "bare")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not readable JSON"),
        ('{"origin": "heard"}', "should be 'audio', 'file' or 'surrogate'"),
    ],
)
def test_wrong_card(own: Path, text: str, message: str) -> None:
    (own / "embeddings" / "mert.json").write_text(text)
    with pytest.raises(InputError, match=message):
        open_dataset(own).card("mert")


def test_a_rule_in_dataset_json(own: Path) -> None:
    parts = random_parts()
    plays = pl.concat([f.select("user_id", "track_id", "timestamp") for f in parts.values()])
    plays.write_parquet(own / "listens.parquet")
    rule = {"rule": "temporal", "test_start": "2019-02-01", "validation_share": 0}
    info = {"name": "own", "splits": {"cut": rule}}
    (own / "dataset.json").write_text(json.dumps(info))
    split = open_dataset(own).split("cut")
    assert len(split.train) == len(parts["train"])
    assert len(split.hot_test) == len(parts["hot_test"]) + len(parts["val"])
    assert len(split.cold_test) == len(parts["cold_test"])


def test_digests_follow_content(own: Path, tmp_path: Path) -> None:
    digests = Digests(tmp_path / "cache.json")
    dataset = open_dataset(own)
    split, vectors = dataset.split_digest("mine", digests), dataset.vector_digest("mert", digests)
    again = Digests(tmp_path / "cache.json")
    assert dataset.split_digest("mine", again) == split
    path = own / "embeddings" / "mert.npy"
    np.save(path, np.load(path) + 1)
    assert dataset.vector_digest("mert", again) != vectors
    assert dataset.split_digest("mine", again) == split
    edit("val", lambda f: f[1:])(own)
    assert dataset.split_digest("mine", again) != split


def test_digest_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Digests().of_file(path) == known


HEARD = {"origin": "audio", "inputs": {"backend": "mfcc", "renderer": 1}}


def rewrite(folder: Path, card: dict, scale: float = 1.0) -> str:
    """Put other vectors with their card in place; returns the digest that keys take."""
    path = folder / "embeddings" / "mfcc.npy"
    np.save(path, np.load(path) * np.float32(scale))
    known = {"sha256": Digests().of_file(path)} | card
    path.with_suffix(".json").write_text(json.dumps(known))
    return open_dataset(folder).vector_digest("mfcc", Digests())


def test_vectors_heard_from_generated_sound_are_known_by_their_inputs(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo.build(folder, demo.Params(n_users=30, n_tracks=60, n_artists=12, n_cold=10))
    drawn = open_dataset(folder).vector_digest("mfcc", Digests())
    first = rewrite(folder, HEARD)
    assert first != drawn
    assert rewrite(folder, HEARD, scale=1 + 1e-6) == first  # another machine's last digits
    assert describe.verify(open_dataset(folder))
    other = rewrite(folder, HEARD | {"inputs": {"backend": "mfcc", "renderer": 2}})
    assert other != first
    # Vectors that are not those of the card count by their content, and fail the verification.
    changed = rewrite(folder, HEARD | {"sha256": "0" * 64})
    assert changed not in (drawn, first, other)
    with pytest.raises(InputError, match=r"mfcc\.npy: content differs"):
        describe.verify(open_dataset(folder))


def test_real_vectors_are_known_by_their_content_alone(own: Path) -> None:
    vectors = np.load(own / "embeddings" / "mert.npy")
    np.save(own / "embeddings" / "mfcc.npy", vectors)
    assert rewrite(own, HEARD) != rewrite(own, HEARD, scale=2.0)
    assert open_dataset(own).renderer is None


def with_cold_validation(folder: Path) -> None:
    """Rows of one cold track become validation, and lie before the cut."""
    splits = folder / "splits" / "mine"
    cold = pl.read_parquet(splits / "cold_test.parquet")
    of_one = pl.col("track_id") == cold["track_id"][0]
    early = pl.col("timestamp") - pl.duration(days=40)
    cold.filter(of_one).with_columns(early).write_parquet(splits / "cold_val.parquet")
    cold.filter(~of_one).write_parquet(splits / "cold_test.parquet")


def test_cold_validation_may_lie_before_the_cut_and_is_no_candidate(own: Path) -> None:
    before = open_dataset(own).split()
    with_cold_validation(own)
    split = open_dataset(own).split()
    assert split.cold_val is not None
    held = np.unique(split.cold_val.track)
    assert len(held) == 1
    assert split.cold.tolist() == np.setdiff1d(before.cold, held).tolist()


def test_a_track_is_for_cold_validation_or_for_the_cold_test(own: Path) -> None:
    with_cold_validation(own)
    splits = own / "splits" / "mine"
    held, cold = (pl.read_parquet(splits / f"{p}.parquet") for p in ("cold_val", "cold_test"))
    row = cold[:1].with_columns(track_id=held["track_id"][:1])
    pl.concat([cold, row]).write_parquet(splits / "cold_test.parquet")
    with pytest.raises(InputError, match=f"row {len(cold)}: track .* is in cold_val too"):
        open_dataset(own).split()


def test_what_other_programs_leave_stops_nothing(own: Path) -> None:
    before = open_dataset(own)
    for place in (own, own / "embeddings", own / "splits"):
        for name in ("._mert.npy", ".DS_Store", "Thumbs.db", "~lock.npy", ".~lock.mert.npy#"):
            (place / name).write_bytes(b"\x00\x05\x16\x07")
        for name in (".ipynb_checkpoints", "__MACOSX", ".Trash-0"):
            (place / name).mkdir()
            (place / name / "mert.npy").touch()
    dataset = open_dataset(own)
    assert (dataset.splits(), dataset.backends()) == (["mine"], ["mert"])
    assert dataset.split_name() == "mine"
    assert describe.verify(dataset) == describe.verify(before)
    assert describe.backend_table(dataset)["backend"].to_list() == ["mert"]


@pytest.mark.parametrize("name", ["set[1]", "set*", "what?"])
def test_a_dataset_is_not_taken_for_its_neighbour(tmp_path: Path, name: str) -> None:
    """`set[1]` beside `set1`: as patterns the names stand for their neighbours."""
    for folder, seed in ((name, 0), ("set1", 1), ("whats", 2)):
        write_own(tmp_path / folder, random_parts(seed=seed), seed=seed)
    split = open_dataset(tmp_path / name).split()
    parts = random_parts(seed=0)
    raw = set(zip(split.users[split.train.user], split.tracks[split.train.track], strict=True))
    assert raw == set(parts["train"].select("user_id", "track_id").iter_rows())
    assert len(describe.verify(open_dataset(tmp_path / name))) == 2


def write_plays(folder: Path, rule: dict, zone: str | None = None) -> Path:
    """Plays of two users around the cut; the last one before it is at 23:30 UTC."""
    folder.mkdir()
    plays = pl.DataFrame(
        {
            "user_id": [1, 2, 1, 2],
            "track_id": [10, 10, 11, 12],
            "timestamp": [
                datetime(2019, 1, 5),
                datetime(2019, 1, 31, 23, 30),
                datetime(2019, 1, 31, 22, 30),
                datetime(2019, 2, 1, 0, 30),
            ],
        }
    )
    if zone:
        time = pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        plays = plays.with_columns(time)
    plays.write_parquet(folder / "listens.parquet")
    pl.DataFrame({"track_id": [10, 11, 12]}).write_parquet(folder / "tracks.parquet")
    (folder / "dataset.json").write_text(json.dumps({"splits": {"t": rule}}))
    return folder


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize(
    "start", ["2019-02-01", "2019-02-01T00:00:00Z", "2019-02-01 01:00+01:00", "2019-01-31T19-05:00"]
)
def test_time_zones_of_plays_and_of_the_cut_are_converted(
    tmp_path: Path, zone: str | None, start: str
) -> None:
    folder = write_plays(tmp_path / "x", {"test_start": start, "validation_share": 0}, zone)
    split = open_dataset(folder).split()
    assert [len(part) for part in (split.train, split.hot_test, split.cold_test)] == [3, 0, 1]
    assert split.cold_test.timestamp.tolist() == [1548981000 * 10**6]


def test_a_split_without_test_rows_is_refused(tmp_path: Path, own: Path) -> None:
    folder = write_plays(tmp_path / "x", {"test_start": "2020-02-01"})
    with pytest.raises(
        InputError, match=r"split t: has no test row, hot or cold; .* 2019-02-01: check"
    ):
        describe.verify(open_dataset(folder))
    for part in ("hot_test", "cold_test"):
        path = own / "splits" / "mine" / f"{part}.parquet"
        pl.read_parquet(path).clear().write_parquet(path)
    with pytest.raises(InputError, match="split mine: has no test row, hot or cold"):
        describe.verify(open_dataset(own))


def test_a_table_given_as_a_folder_of_parts_is_named_so(own: Path) -> None:
    path = own / "tracks.parquet"
    table = pl.read_parquet(path)
    path.unlink()
    path.mkdir()
    table.write_parquet(path / "part-0.parquet")
    with pytest.raises(InputError, match="is a folder, not one file; write its parts into one"):
        open_dataset(own)
