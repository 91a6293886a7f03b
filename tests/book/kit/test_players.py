"""Players: the right tracks, and in each its own clip as a readable sound file."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from worlds import random_parts, write_own

from mrs.data.dataset import Dataset, open_dataset
from mrs_book.kit.players import choose, player_table, players

SPEC = "demo:n_users=30,n_tracks=60,n_artists=12,n_cold=10"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MRS_DATA", str(tmp_path_factory.mktemp("data")))
        return open_dataset(SPEC)


def test_artists_with_most_tracks_each_of_another_genre() -> None:
    tracks = pl.DataFrame(
        {
            "artist_id": [1, 2, 2, 3, 3, 3, 4, 4],
            "genre": ["a", "a", "a", "b", "b", "b", "b", "b"],
        }
    )
    assert choose(tracks, n_artists=2, n_tracks=2) == [3, 4, 1, 2]
    assert choose(tracks, n_artists=5, n_tracks=1) == [3, 1]


def test_each_player_holds_the_clip_of_its_track(world: Dataset) -> None:
    table = player_table(world, [5, 2])
    clips = re.findall(r'src="data:audio/wav;base64,([^"]+)"', table)
    assert len(clips) == 2
    assert world.renderer is not None
    for position, clip in zip([5, 2], clips, strict=True):
        heard, rate = soundfile.read(io.BytesIO(base64.b64decode(clip)))
        assert rate == 16_000
        np.testing.assert_allclose(heard, world.renderer(position), atol=2 / 2**15)
    titles = world.tracks["title"]
    assert table.index(titles[5]) < table.index(titles[2])


def test_the_table_says_key_and_tempo_of_the_traits(world: Dataset) -> None:
    row = world.tracks.row(0, named=True)
    table = player_table(world, [0])
    names = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"]
    assert f"{names[row['trait_key']]} {('minor', 'major')[row['trait_mode']]}" in table
    bpm = int(re.search(r"(\d+) bpm", table)[1])  # type: ignore[index]
    assert (bpm > 60 * 2**0.75) == (row["trait_tempo"] > 0)


def test_nothing_is_shown_of_tracks_that_are_not_rendered(world: Dataset, tmp_path: Path) -> None:
    write_own(tmp_path / "own", random_parts())
    assert players(open_dataset(tmp_path / "own")).data == ""
    assert players(world).data.count("<audio") == 6
