import numpy as np
import pytest
from recommenders.conformance import Conformance, checkerboard

from mrs.recommenders.factors import mean_of_history
from mrs.recommenders.knn import KNN


class TestKNN(Conformance):
    recommender = KNN()


class TestCentredKNN(Conformance):
    recommender = KNN(center=True)


def test_profile_is_the_unweighted_mean_of_the_raw_vectors() -> None:
    split = checkerboard()
    vectors = np.random.default_rng(0).normal(3, 2, (16, 300)).astype(np.float32)
    fitted = KNN().fit(split, vectors)
    for user in range(12):
        mine = vectors[split.matrix[user].indices].astype(np.float64)
        expected = mine.mean(axis=0) / np.linalg.norm(mine.mean(axis=0))
        assert np.allclose(fitted.users()[user], expected, atol=1e-7)
        assert np.allclose(mean_of_history(split.matrix, vectors)[user], mine.mean(axis=0))


def test_scores_are_cosines() -> None:
    split = checkerboard()
    vectors = np.random.default_rng(1).normal(3, 2, (16, 4)).astype(np.float32)
    fitted = KNN().fit(split, vectors)
    mean = vectors[split.matrix[0].indices].mean(axis=0)
    cosine = vectors @ mean / np.linalg.norm(vectors, axis=1) / np.linalg.norm(mean)
    assert np.allclose(fitted.users()[0] @ fitted.items().T, cosine, atol=1e-6)


def test_center_removes_an_offset_that_all_tracks_share() -> None:
    split = checkerboard()
    vectors = np.random.default_rng(2).normal(0, 1, (16, 4)).astype(np.float32)
    offset = np.array([50, -20, 10, 30], dtype=np.float32)
    plain, moved = (KNN(center=True).fit(split, vectors + o) for o in (0, offset))
    assert np.allclose(plain.items(), moved.items(), atol=1e-4)
    assert np.allclose(
        plain.encode(np.eye(4, dtype=np.float32)),
        moved.encode(np.eye(4, dtype=np.float32) + offset),
        atol=1e-4,
    )
    raw = KNN().fit(split, vectors + offset)
    assert (raw.users() @ raw.items().T).min() > 0.99  # all that can be told apart is gone


def test_a_vector_of_zeros_scores_zero() -> None:
    split = checkerboard()
    vectors = np.ones((16, 4), dtype=np.float32)
    vectors[5] = 0
    fitted = KNN().fit(split, vectors)
    assert (fitted.items()[5] == 0).all()
    assert fitted.users() @ fitted.items()[5] == pytest.approx(0)
