"""Labels as they are read, and scores where what is heard is known."""

import numpy as np
import polars as pl
import pytest

from mrs.evaluation.mir import MAX_CLASSES, Labels, Score, artist_codes, probe, read_labels, sample

ARTISTS = np.repeat(np.arange(50), 6)


def by_task(scores: list[Score]) -> dict[str, Score]:
    return {score.task: score for score in scores}


def test_labels_are_read_by_name() -> None:
    tracks = pl.DataFrame(
        {
            "track_id": [1, 2, 3],
            "artist": ["a", None, "b"],
            "genre": ["rock", None, "pop"],
            "tags": [["slow", "sad"], ["sad"], None],
            "trait_key": [0, 11, 0],
            "tempo": [100.0, None, 120.0],
            "trait_tempo": [9.0, 9.0, 9.0],
        }
    )
    found = {label.task: label for label in read_labels(tracks)}
    assert list(found) == ["genre", "tags", "key", "tempo"]
    assert found["genre"].names == ("pop", "rock")
    assert found["genre"].values.tolist() == [1, -1, 0]
    assert found["genre"].known.tolist() == [True, False, True]
    assert found["tags"].names == ("sad", "slow")
    assert found["tags"].values.tolist() == [[True, True], [True, False], [False, False]]
    assert found["tags"].known.tolist() == [True, True, False]
    assert found["key"].names == ("0", "11")
    np.testing.assert_array_equal(found["tempo"].values, [100, np.nan, 120])
    codes = artist_codes(tracks)
    assert codes is not None
    assert codes.tolist() == [0, -1, 1]
    assert artist_codes(tracks.drop("artist")) is None


def test_tags_as_text() -> None:
    (label,) = read_labels(pl.DataFrame({"tags": ["slow, sad", "sad", None]}))
    assert label.names == ("sad", "slow")
    assert label.known.tolist() == [True, True, False]


def test_only_the_most_frequent_classes_are_kept() -> None:
    names = [f"g{place:03}" for place in range(MAX_CLASSES + 5) for _ in range(2)] + ["g000"]
    (label,) = read_labels(pl.DataFrame({"genre": names}))
    assert len(label.names) == MAX_CLASSES
    assert "g000" in label.names
    assert (~label.known).sum() == 10


def test_what_is_there_is_heard_and_what_is_not_is_chance() -> None:
    rng = np.random.default_rng(0)
    genre = rng.integers(0, 4, 50)[ARTISTS]
    key = rng.integers(0, 12, 300)
    tempo = rng.normal(size=300)
    tags = rng.random((300, 3)) < 0.3
    artist = rng.normal(size=(50, 8))[ARTISTS]
    vectors = np.column_stack(
        [3 * np.eye(4)[genre], tempo, tags, artist, rng.normal(size=(300, 5))]
    )
    known = np.ones(300, dtype=bool)
    labels = [
        Labels("genre", genre, known, tuple("abcd")),
        Labels("tags", tags, known, tuple("xyz")),
        Labels("key", key, known),
        Labels("tempo", tempo, known),
    ]
    scores = by_task(probe(vectors, labels, ARTISTS))
    assert scores["genre"].value > 0.95
    assert scores["tempo"].value > 0.95
    assert scores["tags"].value > 0.95
    assert scores["artist"].value > 0.75
    assert scores["key"].low < scores["key"].chance + 0.03
    assert scores["genre"].chance == np.bincount(genre).max() / 300
    assert (scores["tags"].chance, scores["tempo"].chance, scores["artist"].chance) == (0.5, 0, 0.5)
    assert (scores["genre"].n_tracks, scores["genre"].n_artists) == (300, 50)
    assert scores["genre"].n_classes == 4
    for score in scores.values():
        assert score.low <= score.value <= score.high
    again = by_task(probe(vectors, labels, ARTISTS))
    assert again == scores


def test_noise_is_chance() -> None:
    rng = np.random.default_rng(1)
    labels = [
        Labels("mode", rng.integers(0, 2, 300), np.ones(300, dtype=bool)),
        Labels("tempo", rng.normal(size=300), np.ones(300, dtype=bool)),
    ]
    scores = by_task(probe(rng.normal(size=(300, 20)), labels, ARTISTS))
    assert scores["mode"].value == pytest.approx(scores["mode"].chance, abs=0.1)
    assert scores["tempo"].value < 0.05
    assert scores["artist"].value == pytest.approx(0.5, abs=0.05)


def test_an_interval_holds_artists_together() -> None:
    # All tracks of an artist are right or wrong together: 50 observations, not 300.
    genre = np.random.default_rng(0).integers(0, 2, 50)[ARTISTS]
    shown = genre.copy()
    shown[ARTISTS < 12] = 1 - shown[ARTISTS < 12]
    label = Labels("genre", genre, np.ones(300, dtype=bool))
    score = by_task(probe(shown[:, None] * 2.0, [label], ARTISTS))["genre"]
    assert score.value == pytest.approx(1 - 12 / 50)
    width = 2 * 1.96 * np.sqrt(score.value * (1 - score.value) / 50)
    assert score.high - score.low == pytest.approx(width, rel=0.15)


def test_without_artists_there_is_no_score_for_them() -> None:
    rng = np.random.default_rng(0)
    label = Labels("mode", rng.integers(0, 2, 60), np.ones(60, dtype=bool))
    assert [s.task for s in probe(rng.normal(size=(60, 3)), [label], None)] == ["mode"]


def test_too_few_tracks_are_left_out() -> None:
    rng = np.random.default_rng(0)
    known = np.arange(300) < 30
    label = Labels("mode", rng.integers(0, 2, 300), known)
    assert [s.task for s in probe(rng.normal(size=(300, 3)), [label], ARTISTS)] == ["artist"]


def test_a_sample_is_of_whole_artists() -> None:
    chosen = sample(ARTISTS, limit=100)
    assert 90 < len(chosen) <= 100
    assert np.isin(ARTISTS, np.unique(ARTISTS[chosen])).sum() == len(chosen)
    assert sample(ARTISTS, limit=300).tolist() == list(range(300))
    assert len(sample(np.zeros(10, dtype=int), limit=4)) == 4
