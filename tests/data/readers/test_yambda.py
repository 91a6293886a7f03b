"""Yambda's rule and reader on generated files of its schema."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from yambda_files import CUT, DAY, N_NEW, generated_rows, write, write_likes

from mrs.data.dataset import open_dataset
from mrs.data.readers import yambda
from mrs.errors import InputError


def test_the_split_of_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yambda, "PART", 4)  # vectors in several parts
    raw = write(tmp_path / "raw", generated_rows())
    dataset = open_dataset(yambda.reduce_yambda(raw, tmp_path / "yambda"))
    assert dataset.splits() == ["catalogue"]
    split = dataset.split()
    assert split.tracks.tolist() == [0, 1, 2, 3, 4, 5, *range(100, 110)]
    assert split.tracks[split.warm].tolist() == [0, 1, 2, 3, 4, 5]
    assert split.cold_val is not None
    held = set(split.tracks[np.unique(split.cold_val.track)].tolist())
    assert len(held) == 0.3 * N_NEW
    assert set(split.tracks[split.cold].tolist()) == set(range(100, 110)) - held
    assert len(split.cold_val) == 4 * 3
    assert len(split.cold_test) == 4 * 7
    cut = np.datetime64(datetime(1970, 1, 1) + timedelta(seconds=CUT), "us").astype(np.int64)
    assert split.train.timestamp.max() < cut
    assert min(split.cold_val.timestamp.min(), split.cold_test.timestamp.min()) == cut

    assert dataset.vectors(yambda.BACKEND)[:, 0].tolist() == split.tracks.tolist()
    assert dataset.card(yambda.BACKEND).origin == "file"
    artist = dict(dataset.tracks.select("track_id", "artist_id").iter_rows())
    assert (artist[0], artist[1], artist[100], artist[101], artist[102]) == (7, 1, 7, 8, None)
    known = dict(zip(split.tracks.tolist(), split.known_artist.tolist(), strict=True))
    assert (known[100], known[101], known[102]) == (True, False, False)


def test_what_counts_as_a_play(tmp_path: Path) -> None:
    """The ratio is a percentage; as published it was compared with 0.2."""
    raw = write(tmp_path / "raw", generated_rows())
    found = {}
    for protocol in ("corrected", "published"):
        dataset = open_dataset(yambda.reduce_yambda(raw, tmp_path / protocol, protocol))
        listens = pl.read_parquet(dataset.folder / "listens.parquet")
        found[protocol] = set(listens["track_id"]) & {50, 51, 52, 60}
        n_plays = {"corrected": 36 + 40, "published": 36 + 40 + 6 + 6 + 1}[protocol]
        assert len(listens) == n_plays
    assert found == {"corrected": set(), "published": {50, 51}}
    assert dataset.name == "yambda-50m-published"
    assert dataset.info["splits"]["catalogue"]["test_start"] == "1970-09-30T22:13:20"
    with pytest.raises(InputError, match="protocol 'printed' is unknown"):
        yambda.reduce_yambda(raw, tmp_path / "other", "printed")


def test_likes_in_place_of_plays(tmp_path: Path) -> None:
    """The test period ends with the last like, after 56 days, and has four weeks."""
    raw = write(tmp_path / "raw", generated_rows())
    likes = [(u, 28 * DAY - 1 + u, u) for u in range(6)] + [(0, 56 * DAY, 100), (1, 9, 60)]
    write_likes(raw, likes)
    dataset = open_dataset(yambda.reduce_yambda(raw, tmp_path / "likes", events="likes"))
    assert dataset.name == "yambda-50m-likes"
    listens = pl.read_parquet(dataset.folder / "listens.parquet")
    kept = sorted((user, item) for user, _, item in likes if item != 60)  # 60 has no vector
    assert sorted(listens.select("user_id", "track_id").iter_rows()) == kept
    assert dataset.info["splits"]["catalogue"]["test_start"] == "1970-01-29T00:00:00"
    assert dataset.vectors(yambda.BACKEND)[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 100]
    with pytest.raises(InputError, match="leave it out for likes"):
        yambda.reduce_yambda(raw, tmp_path / "x", "published", "likes")
    with pytest.raises(InputError, match="events 'dislikes' is unknown; known: listens, likes"):
        yambda.reduce_yambda(raw, tmp_path / "x", events="dislikes")


def test_albums_where_their_file_is_there(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    tracks = open_dataset(yambda.reduce_yambda(raw, tmp_path / "with")).tracks
    album = dict(tracks.select("track_id", "album_id").iter_rows())
    assert {item: name for item, name in album.items() if name} == {0: 70, 1: 10, 100: 71}
    (raw / yambda.ALBUMS).unlink()
    assert "album_id" not in open_dataset(yambda.reduce_yambda(raw, tmp_path / "no")).tracks.columns


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (yambda.LISTENS, lambda f: f.drop("played_ratio_pct"), "no column 'played_ratio_pct'"),
        (yambda.LISTENS, lambda f: f.clear(), "has no rows"),
        (yambda.LISTENS, lambda f: f.with_columns(played_ratio_pct=0), "no vector of a played"),
        (yambda.ARTISTS, lambda f: f.drop("artist_id"), "no column 'artist_id'"),
        (yambda.EMBEDDINGS, lambda f: f.drop("embed"), "no column .embed."),
        (yambda.EMBEDDINGS, lambda f: pl.concat([f, f[2:3]]), "item_id 0 stands there twice"),
        (
            yambda.EMBEDDINGS,
            lambda f: pl.concat([f[1:], f[:1].with_columns(embed=pl.lit([1.0], f["embed"].dtype))]),
            "vectors of one width are needed, not 1, 3",
        ),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, damage: object, message: str) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    damage(pl.read_parquet(raw / name)).write_parquet(raw / name)  # type: ignore[operator]
    with pytest.raises(InputError, match=message):
        yambda.reduce_yambda(raw, tmp_path / "yambda")
    assert not (tmp_path / "yambda").exists()


@pytest.mark.parametrize("name", [yambda.LISTENS, yambda.ARTISTS, yambda.EMBEDDINGS])
def test_missing_files(tmp_path: Path, name: str) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    (raw / name).unlink()
    with pytest.raises(InputError, match="no such file"):
        yambda.reduce_yambda(raw, tmp_path / "yambda")


def test_an_item_with_an_empty_vector_or_none_has_no_vector(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", generated_rows())
    frame = pl.read_parquet(raw / yambda.EMBEDDINGS)
    embed = (
        pl.when(pl.col("item_id") == 2)
        .then(pl.lit([], frame["embed"].dtype))
        .when(pl.col("item_id") == 3)
        .then(None)
        .otherwise("embed")
    )
    frame.with_columns(embed=embed).write_parquet(raw / yambda.EMBEDDINGS)
    dataset = open_dataset(yambda.reduce_yambda(raw, tmp_path / "yambda"))
    assert dataset.tracks["track_id"].to_list() == [0, 1, 4, 5, *range(100, 110)]
    listens = pl.read_parquet(dataset.folder / "listens.parquet")
    assert not listens["track_id"].is_in([2, 3]).any()
