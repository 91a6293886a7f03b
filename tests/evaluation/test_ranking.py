from contextlib import contextmanager

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mrs.errors import InputError
from mrs.evaluation.ranking import factor_scores, top_k


def block(scores):
    return lambda start, stop: scores[start:stop]


def by_full_sort(scores, k, seen=None):
    """The same lists by NumPy's stable sort of every row."""
    scores = np.asarray(scores, dtype=np.float32).copy()
    if seen is not None:
        scores[seen.toarray() != 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(scores, order, axis=1) == -np.inf, -1, order)


def rank(scores, k, **options):
    scores = np.asarray(scores, dtype=np.float32)
    return top_k(block(scores), *scores.shape, k, **options)


def test_best_first():
    lists = rank([[0.1, 0.9, 0.5, 0.7], [4, 3, 2, 1]], 3)
    assert lists.dtype == np.int32
    assert lists.tolist() == [[1, 3, 2], [0, 1, 2]]


def test_seen_is_never_listed_and_short_lists_end_in_minus_one():
    seen = sp.csr_matrix(np.array([[0, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]], dtype=bool))
    lists = rank([[1, 4, 3, 2], [1, 2, 3, 4], [1, 4, 3, 2]], 3, seen=seen)
    assert lists.tolist() == [[0, -1, -1], [-1, -1, -1], [1, 2, 3]]


def test_candidates_that_score_minus_infinity_are_not_listed_and_plus_infinity_is():
    assert rank([[-np.inf, 0.0, np.inf]], 3).tolist() == [[2, 1, -1]]


def test_equal_scores_lower_column_first_inside_and_at_the_cut():
    assert rank([[0, 1, 2, 1, 1, 2]], 3).tolist() == [[2, 5, 1]]
    assert rank([[0, 1, 2, 1, 1, 2]], 4).tolist() == [[2, 5, 1, 3]]
    assert rank(np.zeros((3, 500)), 7).tolist() == [list(range(7))] * 3
    assert rank([[0.0, -0.0, 0.0, -0.0]], 4).tolist() == [[0, 1, 2, 3]]
    assert rank([[0.0, -0.0, 0.0, -0.0]], 3).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("k", [1, 5, 100])
def test_one_user_one_candidate(k):
    assert rank([[3.0]], k).tolist() == [[0]]
    seen = sp.csr_matrix(np.ones((1, 1), dtype=bool))
    assert rank([[3.0]], k, seen=seen).tolist() == [[-1]]


def test_nobody_and_nothing():
    assert rank(np.empty((0, 4)), 3).shape == (0, 3)
    assert rank(np.empty((4, 0)), 3).shape == (4, 0)


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=30),
        elements=st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0]),
    ),
    st.integers(1, 35),
    st.floats(0, 1),
    st.sampled_from([1, 3000, 1 << 28]),
)
@settings(max_examples=200, deadline=None)
def test_equals_a_stable_full_sort_with_many_ties(scores, k, share, block_bytes):
    seen = sp.csr_matrix(np.random.default_rng(0).random(scores.shape) < share)
    expected = by_full_sort(scores, k, seen)
    np.testing.assert_array_equal(rank(scores, k, seen=seen, block_bytes=block_bytes), expected)


@pytest.mark.parametrize(("n", "k"), [(4000, 100), (7001, 100), (9973, 3), (16 * 404, 100)])
@pytest.mark.parametrize("n_values", [2, 300, 10**6])
@pytest.mark.parametrize("share", [0.1, 0.999])
def test_equals_a_stable_full_sort_at_a_larger_size(n, k, n_values, share):
    rng = np.random.default_rng(1)
    scores = rng.integers(0, n_values, (20, n)).astype(np.float32)
    seen = sp.csr_matrix(rng.random(scores.shape) < share)
    np.testing.assert_array_equal(rank(scores, k, seen=seen), by_full_sort(scores, k, seen))


def test_a_permutation_of_the_candidates_decides_ties():
    scores = np.zeros((2, 6), dtype=np.float32)
    order = np.array([4, 2, 0, 5, 1, 3])
    assert order[rank(scores[:, order], 3)].tolist() == [[4, 2, 0]] * 2


def test_factor_scores_are_dot_products():
    rng = np.random.default_rng(2)
    users = rng.standard_normal((40, 8)).astype(np.float32)
    items = rng.standard_normal((90, 8)).astype(np.float32)
    scores = factor_scores(users, items)
    exact = users.astype(np.float64) @ items.T.astype(np.float64)
    np.testing.assert_allclose(scores(3, 17).numpy(), exact[3:17], atol=1e-5)
    np.testing.assert_array_equal(top_k(scores, 40, 90, 10), by_full_sort(exact, 10))


def test_zero_user_vector_lists_the_first_columns():
    users = np.zeros((1, 5), dtype=np.float32)
    items = np.random.default_rng(3).standard_normal((30, 5)).astype(np.float32)
    assert top_k(factor_scores(users, items), 1, 30, 4).tolist() == [[0, 1, 2, 3]]


def test_factors_of_width_one_as_popularity_has_them():
    plays = np.array([[3.0], [9.0], [9.0], [1.0], [3.0]], dtype=np.float32)
    lists = top_k(factor_scores(np.ones((2, 1), dtype=np.float32), plays), 2, 5, 4)
    assert lists.tolist() == [[1, 2, 0, 4]] * 2


@contextmanager
def torch_threads(n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
        assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)


def test_block_size_and_threads_change_nothing():
    rng = np.random.default_rng(4)
    users = rng.standard_normal((300, 64)).astype(np.float32)
    items = rng.standard_normal((2000, 64)).astype(np.float32)
    seen = sp.csr_matrix(rng.random((300, 2000)) < 0.05)
    scores = factor_scores(users, items)
    with torch_threads(1):
        expected = top_k(scores, 300, 2000, 50, seen=seen)
    for n_threads in (1, 2, 5):
        for block_bytes in (1 << 20, 4 << 20, 1 << 28):
            with torch_threads(n_threads):
                lists = top_k(scores, 300, 2000, 50, seen=seen, block_bytes=block_bytes)
            np.testing.assert_array_equal(lists, expected)


@pytest.mark.parametrize("kind", ["array", "read-only array", "tensor"])
def test_the_callers_scores_stay_as_they_are(kind):
    scores = np.random.default_rng(5).random((10, 20)).astype(np.float32)
    before = scores.copy()
    scores.flags.writeable = kind != "read-only array"
    given_scores = torch.from_numpy(scores) if kind == "tensor" else scores
    seen = sp.csr_matrix(np.eye(10, 20, dtype=bool))
    lists = top_k(block(given_scores), 10, 20, 5, seen=seen)
    np.testing.assert_array_equal(lists, by_full_sort(before, 5, seen))
    np.testing.assert_array_equal(scores, before)


def test_working_memory_is_bounded_by_small_blocks():
    asked = []

    def scores(start, stop):
        asked.append(stop - start)
        return np.zeros((stop - start, 100), dtype=np.float32)

    for n_threads in (1, 2, 4):
        with torch_threads(n_threads):
            top_k(scores, 50, 100, 3, block_bytes=13 * 100 * 8)
        assert max(asked) * n_threads == 8
        assert sum(asked) == 50
        asked.clear()


@pytest.mark.parametrize("n", [4, 5000])
def test_nan_names_the_user(n):
    scores = np.zeros((9, n))
    scores[6, 2] = np.nan
    with pytest.raises(InputError, match="row 6 are NaN"):
        rank(scores, 2, block_bytes=13 * 4 * 4)


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one(k):
    with pytest.raises(InputError, match="at least 1"):
        rank(np.zeros((2, 3)), k)


def test_wrong_shapes():
    with pytest.raises(ValueError, match="seen is"):
        rank(np.zeros((2, 3)), 1, seen=sp.csr_matrix((2, 4), dtype=bool))
    with pytest.raises(ValueError, match=r"are \(7, 3\), not"):
        top_k(lambda start, stop: np.zeros((7, 3), dtype=np.float32), 20, 3, 1)
    with pytest.raises(ValueError, match="same width"):
        factor_scores(np.zeros((2, 3), dtype=np.float32), np.zeros((2, 4), dtype=np.float32))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_the_same_lists():
    rng = np.random.default_rng(6)
    scores = rng.integers(-3, 40, (30, 500)).astype(np.float32)
    scores[scores == 0] *= -1
    seen = sp.csr_matrix(rng.random(scores.shape) < 0.1)
    lists = top_k(block(torch.from_numpy(scores).cuda()), 30, 500, 60, seen=seen)
    np.testing.assert_array_equal(lists, by_full_sort(scores, 60, seen))
