import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from mrs.errors import InputError
from mrs.evaluation.metrics import Judged, judged


def truth(rows):
    return sp.csr_matrix(np.array(rows, dtype=bool))


def test_hits_relevant_and_listed():
    found = Judged.from_lists(
        np.array([[3, 1, 0], [2, -1, -1], [-1, -1, -1]]),
        truth([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0]]),
    )
    assert found.hits.tolist() == [[True, False, True], [True, False, False], [False] * 3]
    assert found.n_relevant.tolist() == [3, 1, 2]
    assert found.n_listed.tolist() == [3, 1, 0]
    assert found.depth == 3
    assert found.n_hits.tolist() == [[1, 1, 2], [1, 1, 1], [0, 0, 0]]


def test_blocks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(0)
    lists = np.stack([rng.permutation(40)[:15] for _ in range(33)])
    dense = rng.random((33, 40)) < 0.2
    dense[:, 0] = True
    monkeypatch.setattr(judged, "BLOCK_CELLS", 40 * 4)
    found = Judged.from_lists(lists, truth(dense))
    np.testing.assert_array_equal(found.hits, np.take_along_axis(dense, lists, axis=1))


def test_stored_zeros_and_repeated_entries_of_the_truth_do_not_count():
    matrix = sp.csr_matrix(
        (np.array([1, 0, 1, 1]), np.array([0, 1, 2, 2]), np.array([0, 4])), shape=(1, 3)
    )
    found = Judged.from_lists(np.array([[1, 2, 0]]), matrix)
    assert found.hits.tolist() == [[False, True, True]]
    assert found.n_relevant.tolist() == [2]
    assert matrix.nnz == 4


@pytest.mark.parametrize(
    ("lists", "rows", "message"),
    [
        ([[0, 1]], [[0, 0, 0]], "row 0 has no relevant track"),
        ([[0, 3]], [[1, 0, 0]], "outside of -1 to 2"),
        ([[0, -2]], [[1, 0, 0]], "outside of -1 to 2"),
        ([[-1, 0]], [[1, 0, 0]], "goes on after -1"),
        ([[0, 1], [2, 2]], [[1, 0, 0], [1, 0, 0]], "row 1 names column 2 twice"),
    ],
)
def test_mistakes(lists, rows, message):
    with pytest.raises(InputError, match=message):
        Judged.from_lists(np.array(lists), truth(rows))


def test_wrong_number_of_users():
    with pytest.raises(ValueError, match="the truth has 2 users"):
        Judged.from_lists(np.array([[0]]), truth([[1], [1]]))


def test_ranks_of_hits_are_lists():
    ranks = pl.Series([[1, 3], [], [2]], dtype=pl.List(pl.UInt16))
    found = Judged.from_ranks(ranks, np.array([2, 1, 1]), np.array([9, 2, 9]), 3)
    assert found.hits.tolist() == [[True, False, True], [False] * 3, [False, True, False]]
    assert found.n_listed.tolist() == [3, 2, 3]  # the second has two candidates
