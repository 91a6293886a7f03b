"""One value a track, whatever the column held."""

from pathlib import Path

import polars as pl
import pytest

from mrs.data.labels import one_value_each
from mrs.errors import InputError
from mrs.evaluation.mir import artist_codes, read_labels

PATH = Path("tracks.parquet")


def tracks(**columns: pl.Series | list) -> pl.DataFrame:
    return one_value_each(PATH, pl.DataFrame({"track_id": [1, 2, 3], **columns}))


@pytest.mark.parametrize("dtype", [pl.List(pl.String), pl.List(pl.Categorical), None])
def test_of_several_genres_the_first_counts(dtype: pl.DataType | None) -> None:
    if dtype is None:
        genres = pl.Series([["rock", "pop"], ["jazz", "pop"], None], dtype=pl.Array(pl.String, 2))
    else:
        genres = pl.Series([["rock", "pop"], ["jazz"], []], dtype=dtype)
    (label,) = read_labels(tracks(genre=genres))
    assert label.names == ("jazz", "rock")
    assert label.values.tolist() == [1, 0, -1]
    assert label.known.tolist() == [True, True, False]


def test_of_several_artists_the_first_counts() -> None:
    table = tracks(artist_id=[[7, 8], [7], [9]], artist=[["a", "b"], ["a"], ["c"]])
    assert artist_codes(table).tolist() == [0, 0, 1]
    assert table["artist"].to_list() == ["a", "a", "c"]


def test_an_artist_that_is_nan_is_unknown() -> None:
    assert artist_codes(tracks(artist_id=[1.0, float("nan"), float("nan")])).tolist() == [0, -1, -1]


@pytest.mark.parametrize("tags", [[["a", "b"], ["b"], None], ["a, b", "b", None]])
def test_tags_are_several(tags: list) -> None:
    (label,) = read_labels(tracks(tags=tags))
    assert label.names == ("a", "b")
    assert label.values.tolist() == [[True, True], [False, True], [False, False]]


def test_tags_that_are_numbers() -> None:
    (label,) = read_labels(tracks(tags=[[1, 2], [2], []]))
    assert label.names == ("1", "2")
    assert label.values.tolist() == [[True, True], [False, True], [False, False]]


def test_tempo() -> None:
    for tempo in (["90", None, "120.5"], [[90.0], [], [120.5]], [90.0, float("nan"), 120.5]):
        (label,) = read_labels(tracks(tempo=tempo))
        assert label.values[[0, 2]].tolist() == [90.0, 120.5]
        assert label.known.tolist() == [True, False, True]
    with pytest.raises(InputError, match=r"tracks.parquet: row 1: tempo 'fast' is no number"):
        tracks(tempo=["90", "fast", None])


@pytest.mark.parametrize("genre", [[{"a": 1}] * 3, [[["rock"]]] * 3, [[{"a": 1}]] * 3])
def test_a_genre_that_is_no_value(genre: list) -> None:
    with pytest.raises(InputError, match="column 'genre' holds .*; write text, numbers or lists"):
        tracks(genre=genre)
