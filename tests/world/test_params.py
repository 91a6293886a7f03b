import pytest

from mrs.errors import InputError
from mrs.world.params import Params


def test_parse_reads_whole_numbers_shares_and_spaces() -> None:
    params = Params.parse(" seed=3, n_users=400 ,explore=.2,")
    assert params == Params(seed=3, n_users=400, explore=0.2)
    assert Params.parse("") == Params()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("n_user=400", "n_users"),
        ("n_users", "n_users"),
        ("n_users=40.5", "valid integer"),
        ("explore=much", "a number"),
        ("seed=1,seed=2", "twice"),
        ("n_users=0", "greater than or equal to 1"),
        ("seed=-1", "greater than or equal to 0"),
        ("explore=1.5", "less than or equal to 1"),
        ("sd_genre=nan", "finite"),
        ("plays_median=inf", "finite"),
        ("n_genres=1", "greater than or equal to 2"),
        ("same_artist=.8", "same_genre"),
        ("n_tracks=400", "each of the 160 artists"),
        ("n_artists=10", "debut artists"),
        ("n_cold=1990", "at most 1940"),
        ("n_cold=20", "unheard"),
        ("session_mean=.5", "greater than or equal to 1"),
    ],
)
def test_mistakes_are_one_line_that_names_the_parameter(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        Params.parse(text)
    assert "\n" not in str(caught.value)
    assert text.partition("=")[0] in str(caught.value)


def test_folder_names_tell_worlds_apart() -> None:
    assert Params().folder_name() == "demo"
    assert Params(seed=1, n_users=400).folder_name() == "demo-seed=1-n_users=400"
    long = [
        Params(
            n_users=i,
            plays_median=1 / 3,
            drift=1 / 7,
            debut=1 / 7,
            late=2 / 3,
            repeat=1 / 3,
            explore=1 / 3,
            sd_track=2 / 7,
        ).folder_name()
        for i in (10, 11)
    ]
    assert len(set(long)) == 2
    assert max(map(len, long)) < 100
