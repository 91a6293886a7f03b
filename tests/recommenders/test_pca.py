import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from mrs.recommenders.pca import fit_components


@pytest.fixture(params=[(60, 20), (20, 60)], ids=["tall", "wide"])
def vectors(request: pytest.FixtureRequest) -> np.ndarray:
    rng = np.random.default_rng(0)
    n, width = request.param
    mixed = rng.normal(0, 1, (n, width)) @ rng.normal(0, 1, (width, width)) + 5
    return mixed.astype(np.float32)


def test_equals_scikit_learn_but_for_sign_and_scale(vectors: np.ndarray) -> None:
    expected = PCA(7).fit_transform(StandardScaler().fit_transform(vectors.astype(np.float64)))
    found = fit_components(vectors, 7)(vectors)
    factor = np.sqrt((expected**2).sum(axis=1).mean())
    assert found.shape == expected.shape
    assert np.allclose(np.abs(found), np.abs(expected) / factor, atol=1e-4)


@pytest.mark.parametrize("n_components", [5, None])
def test_mean_row_length_is_one(vectors: np.ndarray, n_components: int | None) -> None:
    found = fit_components(vectors, n_components)(vectors)
    assert (found**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-4)
    assert found.dtype == np.float32


def test_none_reads_the_dimensions_as_they_are(vectors: np.ndarray) -> None:
    found = fit_components(vectors, None)(vectors)
    expected = StandardScaler().fit_transform(vectors.astype(np.float64))
    assert np.allclose(found, expected / np.sqrt(vectors.shape[1]), atol=1e-5)


def test_dimensions_without_variance_are_dropped(vectors: np.ndarray) -> None:
    dead = vectors.copy()
    dead[:, 3] = 7
    components = fit_components(dead, 100)
    assert components.rotation.shape[1] <= min(dead.shape[1] - 1, len(dead) - 1)
    moved = dead.copy()
    moved[:, 3] = 1000
    assert np.array_equal(components(dead), components(moved))


def test_width_alone_changes_nothing(vectors: np.ndarray) -> None:
    twice = np.hstack([vectors, vectors])
    one, other = (np.abs(fit_components(v, 6)(v)) for v in (vectors, twice))
    assert np.allclose(one, other, atol=1e-4)


def test_all_alike() -> None:
    same = np.ones((5, 3), dtype=np.float32)
    assert (fit_components(same, 2)(same) == 0).all()
