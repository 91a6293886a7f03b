"""Music4All-Onion's rule and reader on generated files of its schema."""

import bz2
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from mrs.backends import make_backend
from mrs.backends.extract import extract
from mrs.data.dataset import open_dataset
from mrs.data.readers import music4all
from mrs.errors import InputError
from mrs.evaluation.mir import read_labels

CUT = datetime(2018, 9, 1)

Row = tuple[int, str, datetime]


def generated_rows(seed: int = 0) -> list[Row]:
    """Eight users who play seven old tracks over a year, then new ones: see `ARTISTS`."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, f"Old{track}", datetime(2017, 10, 1) + timedelta(days=float(rng.uniform(0, 200))))
        for user in range(8)
        for track in range(7)
    ]
    rows += [(0, "Rare", datetime(2018, 1, 5)), (1, "Rare", datetime(2018, 10, 5))]
    rows += [(user, "Aug1", datetime(2018, 8, 3 + user)) for user in range(6)]
    rows += [(2, "Aug1", datetime(2018, 9, 20))]
    rows += [(user, "New1", datetime(2018, 11, 3 + user)) for user in range(4)]
    rows += [(user, "NewX", datetime(2018, 9, 3 + user)) for user in range(3)]
    rows += [(9, "New1", datetime(2018, 11, 3))]  # no train user
    rows += [(0, "Dec1", datetime(2018, 12, 1)), (0, "Old0", datetime(2013, 1, 27, 21, 42, 38))]
    return rows


ARTISTS = {"Old0": "One", "Old1": "One", "Old2": "Two", "New1": "One", "Aug1": "Two", "NewX": ""}
GENRES = {"Old0": "rock, indie rock", "Old1": "pop", "Old2": "", "New1": " jazz ,", "Absent": "ska"}
TAGS = {"Old0": "guitar,80s,", "Old1": "female vocalists", "New1": ""}


def write(folder: Path, rows: list[Row], information: bool = True, *, sort: bool = True) -> Path:
    """The published files; the log newest first within a user, or as the rows stand."""
    folder.mkdir(exist_ok=True)
    if sort:
        rows = sorted(rows, key=lambda row: row[2], reverse=True)
        rows = sorted(rows, key=lambda row: row[0])
    text = "user_id\ttrack_id\ttimestamp\n" + "".join(
        f"{user}\t{track}\t{time:%Y-%m-%d %H:%M:%S}\n" for user, track, time in rows
    )
    (folder / music4all.LISTENING).write_bytes(bz2.compress(text.encode()))
    if information:
        lines = ["id\tartist\tsong\talbum_name"]
        lines += [f'{track}\t{name}\t"{track}" song\tAn album' for track, name in ARTISTS.items()]
        (folder / music4all.INFORMATION).write_text("\n".join(lines) + "\n")
        for name, column, labels in (
            (music4all.GENRES, "genres", GENRES),
            (music4all.TAGS, "tags", TAGS),
        ):
            lines = [f"id\t{column}", *(f"{track}\t{text}" for track, text in labels.items())]
            (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def test_the_split_of_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music4all, "BLOCK", 100)  # several blocks, lines cut in two
    folder = music4all.reduce_onion(write(tmp_path / "raw", generated_rows()), tmp_path / "onion")
    dataset = open_dataset(folder)
    assert dataset.splits() == ["temporal", "catalogue", "paper-2024"]
    listens = pl.read_parquet(folder / "listens.parquet")
    assert listens["timestamp"].min() >= datetime(2017, 9, 1)  # type: ignore[operator]
    assert len(listens) == len(generated_rows()) - 1  # all but 2013's
    assert listens.schema["user_id"] == pl.Int64

    split = dataset.split("catalogue")
    assert split.cold_val is not None

    def pairs(part: object) -> list[tuple[int, str]]:
        tracks = split.tracks[part.track]  # type: ignore[attr-defined]
        return list(zip(split.users[part.user].tolist(), tracks.tolist(), strict=True))  # type: ignore[attr-defined]

    assert sorted(split.tracks[split.warm]) == [f"Old{i}" for i in range(7)]
    assert len(split.train) == 56
    assert pairs(split.cold_val) == [(user, "Aug1") for user in range(6)]
    # "Rare" fell to the core, "Dec1" lies after the three months.
    expected = [(0, "NewX"), (0, "New1"), (1, "NewX"), (1, "New1"), (2, "NewX"), (2, "New1")]
    assert pairs(split.cold_test) == [*expected, (3, "New1")]
    known = dict(zip(split.tracks, split.known_artist, strict=True))
    assert (known["New1"], known["NewX"], known["Aug1"]) == (True, False, True)
    artists = dict(dataset.tracks.select("track_id", "artist").iter_rows())
    assert (artists["Old0"], artists["NewX"], artists["Old5"]) == ("One", None, None)
    assert '"New1" song' in set(dataset.titles())


def test_the_order_of_the_log_does_not_matter(tmp_path: Path) -> None:
    rows = generated_rows()
    splits = []
    for name, order in (
        ("newest", range(len(rows))),
        ("any", np.random.default_rng(1).permutation(len(rows))),
    ):
        raw = write(tmp_path / name, [rows[place] for place in order], sort=name == "newest")
        splits.append(open_dataset(music4all.reduce_onion(raw, tmp_path / f"{name}-onion")))
    for rule in ("temporal", "catalogue"):
        one, other = (dataset.split(rule) for dataset in splits)
        for part in ("train", "val", "hot_test", "cold_test"):
            for column in ("user", "track", "timestamp", "count"):
                assert np.array_equal(
                    getattr(getattr(one, part), column), getattr(getattr(other, part), column)
                )


def test_plays_at_the_same_time_all_count(tmp_path: Path) -> None:
    """A play logged twice, and the hour that 28 October 2018 had twice in Central Europe."""
    day = datetime(2018, 10, 28, 2, 30)
    twice = [(0, "A", day), (0, "A", day), (1, "B", day), (1, "C", day)]
    twice += [(1, "B", day + timedelta(minutes=20)), (1, "B", day - timedelta(minutes=20))]
    raw = write(tmp_path / "raw", generated_rows() + twice, sort=False)
    folder = music4all.reduce_onion(raw, tmp_path / "onion")
    kept = pl.read_parquet(folder / "listens.parquet")
    assert len(kept) == len(generated_rows()) - 1 + len(twice)
    assert kept.filter(pl.col("timestamp") == day).height == 4
    split = open_dataset(folder).split("temporal")
    pairs = zip(split.tracks[split.train.track], split.train.count.tolist(), strict=True)
    assert {track: count for track, count in pairs if track in "ABC"} == {"A": 2, "B": 3, "C": 1}


def test_a_user_of_very_many_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """126,907 plays in a year, the most in stats.csv of arXiv 2604.23077's repository."""
    monkeypatch.setattr(music4all, "BLOCK", 1 << 20)
    start, n = datetime(2018, 2, 1), 126_907
    rows = [(7, f"Old{i % 7}", start + timedelta(seconds=240 * i)) for i in range(n)]
    folder = music4all.reduce_onion(write(tmp_path / "raw", rows), tmp_path / "onion")
    split = open_dataset(folder).split("temporal")
    assert split.users.tolist() == [7]
    assert split.train.count.tolist() == [n // 7 + (i < n % 7) for i in range(7)]
    assert split.train.count.sum() == n


def test_genres_and_tags(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    tracks = open_dataset(music4all.reduce_onion(raw, tmp_path / "onion")).tracks
    genres = dict(tracks.select("track_id", "genre").iter_rows())
    assert {track: genre for track, genre in genres.items() if genre is not None} == {
        "Old0": "rock",
        "Old1": "pop",
        "New1": "jazz",
    }
    tags = dict(tracks.select("track_id", "tags").iter_rows())
    assert {track: some for track, some in tags.items() if some is not None} == {
        "Old0": ["guitar", "80s"],
        "Old1": ["female vocalists"],
    }
    labels = {label.task: label for label in read_labels(tracks)}
    assert labels["genre"].names == ("jazz", "pop", "rock")
    assert labels["genre"].known.sum() == 3
    assert labels["tags"].names == ("80s", "female vocalists", "guitar")
    assert labels["tags"].values.sum() == 3
    assert labels["tags"].known.sum() == 2


def test_audio_files_are_named_where_they_lie(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    (tmp_path / "disk").mkdir()
    (raw / "audios").symlink_to(tmp_path / "disk")
    for name in ("Old0.wav", "NewX.mp3", "Absent.mp3", "Old1"):
        (tmp_path / "disk" / name).write_bytes(b"")
    sine = np.sin(np.arange(22_050) / 10).astype(np.float32)
    soundfile.write(tmp_path / "disk" / "Old0.wav", sine, 22_050)
    folder = music4all.reduce_onion(raw, tmp_path / "onion")
    dataset = open_dataset(folder)
    audio = dict(dataset.tracks.select("track_id", "audio").iter_rows())
    assert {track: path for track, path in audio.items() if path} == {
        "Old0": str(tmp_path / "disk" / "Old0.wav"),
        "Old1": str(tmp_path / "disk" / "Old1"),
        "NewX": str(tmp_path / "disk" / "NewX.mp3"),
    }
    heard = extract(dataset, make_backend("mfcc"), workers=1)
    assert set(heard.skipped["track_id"]) == set(audio) - {"Old0"}


def test_genres_alone(tmp_path: Path) -> None:
    """Each file of Music4All counts by itself."""
    raw = write(tmp_path / "raw", generated_rows())
    for name in (music4all.INFORMATION, music4all.TAGS):
        (raw / name).unlink()
    dataset = open_dataset(music4all.reduce_onion(raw, tmp_path / "onion"))
    assert dataset.tracks.columns == ["track_id", "genre"]
    assert not dataset.knows_artists


def test_without_names_there_are_no_artists(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", generated_rows(), information=False)
    dataset = open_dataset(music4all.reduce_onion(raw, tmp_path / "onion"))
    assert not dataset.knows_artists
    assert dataset.split("catalogue").artists is None


def test_user_ids_may_be_text(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    path = raw / music4all.LISTENING
    text = bz2.decompress(path.read_bytes()).replace(b"\n9\t", b"\nuser_9\t")
    path.write_bytes(bz2.compress(text))
    listens = pl.read_parquet(music4all.reduce_onion(raw, tmp_path / "onion") / "listens.parquet")
    assert listens.schema["user_id"] == pl.String
    assert "user_9" in set(listens["user_id"])


def test_a_block_may_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "raw", generated_rows()) / music4all.LISTENING
    start = datetime(2010, 1, 1)
    whole = pl.concat(list(music4all.read_listening(path, start)))
    assert len(whole) == len(generated_rows())
    for size in (1, 37, 64):
        monkeypatch.setattr(music4all, "BLOCK", size)
        assert pl.concat(list(music4all.read_listening(path, start))).equals(whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; download it"),
        (b"user_id\ttrack_id\tcount\n1\ta\t3\n", "begins with 'user_id track_id count'"),
        (b"user_id\ttrack_id\ttimestamp\n1\ta\t2018-09-01 12:00:00\n1\tb\tyesterday\n", "row 1: "),
        (b"user_id\ttrack_id\ttimestamp\n1\ta\n", "row 0: is no user, track and time"),
        (b"user_id\ttrack_id\ttimestamp\n", "has no rows"),
        (b"user_id\ttrack_id\ttimestamp\n1\ta\t2013-01-27 21:42:38\n", "no play is left"),
    ],
)
def test_damaged_logs(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / music4all.LISTENING).write_bytes(bz2.compress(content))
    with pytest.raises(InputError, match=message):
        music4all.reduce_onion(tmp_path, tmp_path / "onion")
    assert not (tmp_path / "onion").exists()


def test_truncated_and_foreign_files(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    path = raw / music4all.LISTENING
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"no bz2 at all"):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a whole bz2 file"):
            music4all.reduce_onion(raw, tmp_path / "onion")
    path.write_bytes(whole)
    (raw / music4all.INFORMATION).write_text("id,artist,song\nOld0,One,A\n")
    with pytest.raises(InputError, match="no column id, artist, song; it has id,artist,song"):
        music4all.reduce_onion(raw, tmp_path / "onion")
    (raw / music4all.INFORMATION).unlink()
    (raw / music4all.GENRES).write_text("id\tgenre\nOld0\trock\n")
    with pytest.raises(InputError, match="id_genres.csv: no column genres; it has id, genre: "):
        music4all.reduce_onion(raw, tmp_path / "onion")
    (raw / music4all.GENRES).unlink()
    (raw / music4all.AUDIO).write_bytes(b"")
    with pytest.raises(InputError, match="audios: is no folder"):
        music4all.reduce_onion(raw, tmp_path / "onion")
    (raw / music4all.AUDIO).unlink()
    music4all.reduce_onion(raw, tmp_path / "onion")
    with pytest.raises(InputError, match="is there already"):
        music4all.reduce_onion(raw, tmp_path / "onion")


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("No space left on device (os error 28)")

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    raw = write(tmp_path / "raw", generated_rows())
    with pytest.raises(InputError, match="onion: cannot be written .No space left"):
        music4all.reduce_onion(raw, tmp_path / "onion")
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]
