"""The numbers of a space against direct computation and closed forms."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from mrs_book.chapters.mir_space import describe, drawn, mean_cosine, nearest, plane


def test_mean_cosine_of_all_pairs() -> None:
    vectors = np.random.default_rng(0).normal(0.5, 1, (20, 4))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [unit[i] @ unit[j] for i in range(20) for j in range(i)]
    assert mean_cosine(vectors) == pytest.approx(np.mean(pairs))
    assert mean_cosine(np.vstack([vectors, np.zeros(4)])) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("shape", [(60, 5), (12, 40), (9, 2)])
def test_plane_is_pca(shape: tuple[int, int]) -> None:
    vectors = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    places, share = plane(vectors)
    pca = PCA(2).fit(vectors)
    np.testing.assert_allclose(np.abs(places), np.abs(pca.transform(vectors)), atol=1e-6)
    np.testing.assert_allclose(share, pca.explained_variance_ratio_, atol=1e-9)
    assert (places[np.abs(places).argmax(axis=0), [0, 1]] > 0).all()


def test_plane_of_little() -> None:
    assert plane(np.ones((4, 3)))[1] == (0.0, 0.0)
    places, share = plane(np.arange(4.0)[:, None])
    assert share == pytest.approx((1.0, 0.0))
    np.testing.assert_allclose(places[:, 1], 0)


def test_nearest_are_the_nearest() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    expected = NearestNeighbors(n_neighbors=11).fit(vectors).kneighbors(vectors)[1][:, 1:]
    np.testing.assert_array_equal(np.sort(nearest(vectors)), np.sort(expected))
    assert nearest(vectors[:4]).shape == (4, 3)


def test_describe() -> None:
    rng = np.random.default_rng(0)
    flat = np.column_stack([rng.normal(size=(200, 2)), np.zeros((200, 6))])
    found = describe(flat)
    assert found.neighbours_kept == 1.0  # two dimensions fit on the map
    assert sum(found.map_variance) == pytest.approx(1)
    assert found.effective_size == pytest.approx(2, abs=0.1)
    assert found.neighbours_by_chance == pytest.approx(10 / 199)
    assert (found.zeros, found.duplicates) == (0, 0)
    moved = describe(flat + 30 * np.eye(8)[2])
    assert moved.mean_cosine > 0.99
    assert moved.mean_cosine_centred == pytest.approx(found.mean_cosine_centred)
    assert moved.offset == pytest.approx(30 / np.sqrt(2), rel=0.1)
    flat[3], flat[7] = 0, flat[9]
    holes = describe(flat)
    assert (holes.zeros, holes.duplicates) == (1, 1)


def test_drawn() -> None:
    assert drawn(5).tolist() == [0, 1, 2, 3, 4]
    assert len(set(drawn(5_000))) == 1_000
