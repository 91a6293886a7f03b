import numpy as np
from recommenders.conformance import checkerboard, colours

from mrs.published.deviations import recommender_of


def test_raw_vectors_are_read_as_they_are() -> None:
    split = checkerboard()
    vectors = 100 * colours(split.warm, split)
    for name in ("shallow", "hybrid", "bimodal_content"):
        components = recommender_of(name, {}, "published:raw_vectors").components(vectors)
        np.testing.assert_array_equal(components(vectors), vectors)


def test_new_tracks_are_encoded_from_raw_vectors_through_the_trained_layer() -> None:
    split = checkerboard()
    vectors = 3 + colours(split.warm, split)
    few = {"max_epochs": 1, "n_negatives": 2}
    fitted = recommender_of("shallow", few, "published:raw_vectors").fit(split, vectors, seed=0)
    output = np.maximum(vectors @ fitted.weight.T + fitted.bias, 0)
    expected = output / np.linalg.norm(output, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.items(), expected, atol=1e-6)
    np.testing.assert_allclose(fitted.encode(vectors), expected, atol=1e-6)
