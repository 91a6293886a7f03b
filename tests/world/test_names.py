import numpy as np

from mrs.world.names import artist_names, genre_names, track_titles


def test_names_are_unique_where_they_identify() -> None:
    rng = np.random.default_rng(0)
    assert len(set(genre_names(120, rng))) == 120
    assert len(set(artist_names(2000, rng))) == 2000


def test_an_artist_has_no_title_twice_and_titles_follow_the_seed() -> None:
    artist = np.arange(6000) % 3  # 2,000 titles an artist, so that plain draws would repeat
    titles = track_titles(artist, np.random.default_rng(0))
    for code in range(3):
        assert len(set(titles[code::3])) == 2000
    assert titles == track_titles(artist, np.random.default_rng(0))
    assert titles != track_titles(artist, np.random.default_rng(1))
