"""Ranked lists and truth from files: what is read, what is refused, what a rule settles."""

import numpy as np
import polars as pl
import pytest

from mrs.errors import InputError
from mrs.evaluation.files import file_means, read_lists


@pytest.fixture
def write(tmp_path):
    def write(name, **columns):
        path = tmp_path / f"{name}.parquet"
        pl.DataFrame(columns).write_parquet(path)
        return path

    return write


RANKED = {"user_id": [1, 1, 1, 2, 2], "track_id": [7, 8, 9, 9, 7], "rank": [1, 2, 3, 1, 2]}
TRUTH = {"user_id": [1, 1, 2], "track_id": [8, 5, 7]}


def test_by_hand(write):
    found = file_means(write("r", **RANKED), write("t", **TRUTH), [1, 2])
    at_2 = found.means[2]
    assert at_2["hitrate"] == {"any": 1.0, "count": 1.0}
    assert at_2["recall"]["relevant"] == pytest.approx((1 / 2 + 1) / 2)
    assert at_2["mrr"]["first"] == 0.5
    assert at_2["coverage"]["share"] == 3 / 4  # 5, 7, 8, 9
    assert "linear" not in at_2["ndcg"]
    assert found.means[1]["hitrate"]["any"] == 0.0
    assert found.n_users == 2
    assert found.notes[0] == "1 lists are shorter than 3: their missing ranks are misses"


def test_scores_strings_item_id_and_any_order_of_rows(write):
    """The same lists, as strings, shuffled, with scores for ranks."""
    order = [3, 0, 4, 2, 1]
    ranked = {
        "user_id": [f"u{RANKED['user_id'][i]}" for i in order],
        "item_id": [f"t{RANKED['track_id'][i]}" for i in order],
        "score": [-float(RANKED["rank"][i]) for i in order],
    }
    truth = {"user_id": ["u2", "u1", "u1"], "track_id": ["t7", "t5", "t8"]}
    plain = file_means(write("r", **RANKED), write("t", **TRUTH), [2, 3])
    other = file_means(write("r2", **ranked), write("t2", **truth), [2, 3])
    assert other.means == plain.means


def test_integers_of_different_width_meet(write):
    narrow = {
        "user_id": pl.Series([1, 1, 2], dtype=pl.UInt8),
        "track_id": pl.Series([8, 5, 7], dtype=pl.Int16),
    }
    plain = file_means(write("r", **RANKED), write("t", **TRUTH), [2])
    assert file_means(write("r", **RANKED), write("n", **narrow), [2]).means == plain.means


def test_users_of_one_file_only(write):
    """User 3 has no truth and is left out; user 4 has no list and counts 0."""
    ranked = {
        "user_id": [*RANKED["user_id"], 3],
        "track_id": [*RANKED["track_id"], 8],
        "rank": [*RANKED["rank"], 1],
    }
    truth = {"user_id": [*TRUTH["user_id"], 4], "track_id": [*TRUTH["track_id"], 7]}
    paths = write("r", **ranked), write("t", **truth)
    everybody, listed = (file_means(*paths, [2], users=users) for users in ("all", "with-list"))
    assert everybody.means[2]["hitrate"]["any"] == pytest.approx(2 / 3)
    assert listed.means[2]["hitrate"]["any"] == 1.0
    assert (everybody.n_users, listed.n_users) == (3, 2)
    assert any(note.startswith("1 users of") and "left out" in note for note in everybody.notes)
    assert "1 of 3 users with relevant items have no list" in everybody.notes


def test_ratings(write):
    """A rating of 0 is not relevant; a user with no other is left out."""
    truth = {"user_id": [1, 1, 2, 2], "track_id": [8, 5, 7, 9], "rating": [1, 3, 0, 0]}
    found = file_means(write("r", **RANKED), write("t", **truth), [2])
    assert found.n_users == 1
    # Rank 2 has rating 1; the ideal is 3, 1.
    discount = 1 / np.log2(3)
    assert found.means[2]["ndcg"]["linear"] == pytest.approx(discount / (3 + discount))
    assert any("have the rating 0" in note for note in found.notes)


def test_complete_lists_have_every_auc(write):
    ranked = {
        "user_id": [1, 1, 1, 2, 2, 2],
        "track_id": [7, 8, 9, 7, 8, 9],
        "score": [3.0, 2.0, 1.0, 0.1, 0.2, 0.3],
    }
    truth = {"user_id": [1, 2], "track_id": [8, 9]}
    complete = write("r", **ranked), write("t", **truth)
    found = file_means(*complete, [1]).means[1]["auc"]
    assert found["per_user"] == (0.5 + 1) / 2
    # Hits score 2 and 0.3; others 3, 1, 0.1, 0.2: 3 and 2 of 4 won.
    assert found["global"] == 5 / 8
    assert "per_user" not in file_means(*complete, [1], n_items=4).means[1]["auc"]
    assert "per_user" in file_means(*complete, [1], n_items=3).means[1]["auc"]
    ranks = {name: ranked[name] for name in ("user_id", "track_id")} | {"rank": [1, 2, 3, 3, 2, 1]}
    found = file_means(write("k", **ranks), complete[1], [1])
    assert found.means[1]["auc"]["per_user"] == (0.5 + 1) / 2
    assert "global" not in found.means[1]["auc"]
    assert "the lists have no scores: left out auc global" in found.notes


def test_equal_scores_are_settled_at_random_whatever_the_order_of_rows(write):
    n_users, n_items = 40, 30
    users = np.repeat(np.arange(n_users), n_items)
    items = np.tile(np.arange(n_items), n_users)
    order = np.random.default_rng(0).permutation(len(users))
    truth = write("t", user_id=list(range(n_users)), track_id=[0] * n_users)
    paths = [
        write("a", user_id=users, track_id=items, score=np.zeros(len(users))),
        write("b", user_id=users[order], track_id=items[order], score=np.zeros(len(users))),
    ]
    first, second = (read_lists(path, truth) for path in paths)
    np.testing.assert_array_equal(first.listed.lists, second.listed.lists)
    assert (first.listed.lists == first.listed.lists[0]).all()
    assert first.listed.lists[0].tolist() != list(range(n_items))
    assert any("1200 rows" in note and "random order" in note for note in first.notes)


def test_ties_do_not_move_what_is_above_them(write):
    ranked = {"user_id": [1] * 4, "track_id": [1, 2, 3, 4], "score": [0.5, 0.9, 0.5, 0.1]}
    files = read_lists(write("r", **ranked), write("t", user_id=[1], track_id=[2]))
    order = files.items.gather(files.listed.lists[0].tolist()).to_list()
    assert order[0] == 2
    assert set(order[1:3]) == {1, 3}
    assert order[3] == 4
    assert files.judged.scores.tolist() == [[0.9, 0.5, 0.5, 0.1]]


def changed(columns, **other):
    return {name: values for name, values in (columns | other).items() if values is not None}


@pytest.mark.parametrize(
    ("ranked", "truth", "message"),
    [
        ({"track_id": [7, 8, 7, 9, 7]}, {}, r"r.parquet: row 2: user 1, item 7 stands there twice"),
        ({}, {"track_id": [8, 8, 7]}, r"t.parquet: row 1: user 1, item 8 stands there twice"),
        ({"rank": [1, 2, 2, 1, 2]}, {}, "r.parquet: row 2: user 1, rank 2 stands there twice"),
        ({"rank": [1, 2, 4, 1, 2]}, {}, "r.parquet: row 2: user 1 has rank 4 but fewer rows"),
        ({"rank": [0, 1, 2, 0, 1]}, {}, "r.parquet: row 0: rank is 0; number the ranks 1, 2, 3"),
        ({"rank": [1.0, 2, 3, 1, 2]}, {}, "column 'rank' holds Float64, not integers"),
        ({"rank": None}, {}, "no column 'rank' or 'score'"),
        (
            {"rank": None, "score": [1.0, np.nan, 0.5, 1, 0]},
            {},
            "r.parquet: row 1: score is nan; remove the row",
        ),
        ({"rank": None, "score": [1.0, 0.5, None, 1, 0]}, {}, "row 2: score is None"),
        ({"rank": None, "score": [1.0, 0.5, np.inf, 1, 0]}, {}, "row 2: score is inf"),
        ({"score": ["a", "b", "c", "d", "e"]}, {}, "column 'score' holds String, not numbers"),
        (
            {"score": [3.0, 1.0, 2.0, 1.0, 1.0]},
            {},
            "row 2: user 1: the score at rank 3 is above the one before",
        ),
        ({"user_id": [1, 1, 1, None, 2]}, {}, "r.parquet: row 3: column 'user_id' is null"),
        ({"track_id": [7, 8, None, 9, 7]}, {}, "r.parquet: row 2: column 'track_id' is null"),
        ({"track_id": None}, {}, "r.parquet: has neither of 'track_id' and 'item_id'"),
        ({"item_id": [1, 2, 3, 4, 5]}, {}, "r.parquet: has both of 'track_id' and 'item_id'"),
        ({"user_id": None}, {}, "r.parquet: no column 'user_id'"),
        ({}, {"rating": [1.0, -1.0, 2.0]}, "t.parquet: row 1: rating -1.0 is negative"),
        ({}, {"rating": [1.0, 2.0, np.nan]}, "t.parquet: row 2: rating is nan"),
        ({}, {"rating": [0, 0, 0]}, "t.parquet: no row has a rating above 0"),
        (
            {},
            {"user_id": ["1", "1", "2"]},
            "user ids are String but Int64 in .*r.parquet; write both",
        ),
        ({}, {"track_id": ["8", "5", "7"]}, "item ids are String but Int64"),
        ({}, {"user_id": [5, 5, 6]}, "r.parquet: no user has a row in .*t.parquet"),
        ({}, {"user_id": [], "track_id": []}, "t.parquet: "),
    ],
)
def test_mistakes(write, ranked, truth, message):
    paths = write("r", **changed(RANKED, **ranked)), write("t", **changed(TRUTH, **truth))
    with pytest.raises(InputError, match=message) as raised:
        file_means(*paths, [1])
    assert "\n" not in str(raised.value)


def test_empty_files_and_others(write, tmp_path):
    ranked, truth = write("r", **RANKED), write("t", **TRUTH)
    none = write(
        "none", **{name: pl.Series([], dtype=pl.Int64) for name in ("user_id", "track_id", "rank")}
    )
    with pytest.raises(InputError, match="none.parquet: has no rows"):
        file_means(none, truth, [1])
    empty = tmp_path / "empty.parquet"
    empty.touch()
    with pytest.raises(InputError, match="empty.parquet: the file is empty"):
        file_means(ranked, empty, [1])
    text = tmp_path / "ranked.csv"
    text.write_text("user_id,track_id,rank\n1,2,1\n")
    with pytest.raises(InputError, match="not a readable parquet file"):
        file_means(text, truth, [1])
    with pytest.raises(InputError, match="no such file"):
        file_means(tmp_path / "gone.parquet", truth, [1])


def test_arguments(write):
    paths = write("r", **RANKED), write("t", **TRUTH)
    with pytest.raises(
        InputError, match="cutoff 4 is beyond the lists, the longest of which holds 3"
    ):
        file_means(*paths, [1, 4])
    with pytest.raises(InputError, match="each at least 1"):
        file_means(*paths, [0])
    with pytest.raises(InputError, match="n-items=3: .* hold 4 distinct items"):
        file_means(*paths, [1], n_items=3)
    with pytest.raises(InputError, match="choose all or with-list"):
        file_means(*paths, [1], users="some")
