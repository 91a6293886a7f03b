"""Metrics of what is listed: by hand, and against plain loops."""

from itertools import combinations

import numpy as np
import pytest

from mrs.errors import InputError
from mrs.evaluation.metrics import BEYOND, Judged, Listed, beyond, class_means, left_out

# Five items; the third user has no list, the second a short one.
LISTS = np.array([[0, 1, 2], [0, 3, -1], [-1, -1, -1]])
COUNTS = np.array([8, 4, 0, 1, 2])  # of 8 train users
VECTORS = np.array([[1.0, 0], [0, 2], [3, 0], [-1, 0], [0, 0]])
LISTED = Listed(LISTS, 5, COUNTS, 8, VECTORS)


def value(metric, variant, ks, listed=LISTED):
    return BEYOND[metric][variant].value(listed, ks).tolist()


def test_by_hand():
    assert value("coverage", "share", [1, 2, 3]) == [1 / 5, 3 / 5, 4 / 5]
    # Bits: 0, 1, 3 (as if one user), 3, 2. Means of the lists: (0, 1/2, 4/3) and (0, 3/2, 3/2).
    assert value("novelty", "surprisal", [1, 2, 3]) == pytest.approx([0, 1, (4 / 3 + 3 / 2) / 2])
    assert value("novelty", "surprisal_share", [2]) == pytest.approx([1 / 3])
    assert value("popularity", "count", [1, 3]) == pytest.approx([8, (12 / 3 + 9 / 2) / 2])
    assert value("popularity", "share", [1, 3]) == pytest.approx([1, (12 / 3 + 9 / 2) / 16])
    # Counts at 2: 2, 1, 0, 1, 0. Sorted 0 0 1 1 2 by weights -4 -2 0 2 4: 10 of 5 x 4.
    assert value("exposure_gini", "catalogue", [1, 2]) == pytest.approx([4 / 5, 10 / 20])
    # Those listed: 1 1 2 by weights -2 0 2: 2 of 3 x 4.
    assert value("exposure_gini", "listed", [1, 2]) == pytest.approx([0, 2 / 12])
    # Cosines of the first list: 0, then 0 1 0; of the second: -1.
    assert value("intra_list_diversity", "cosine", [2, 3]) == pytest.approx(
        [(1 + 2) / 2, (2 / 3 + 2) / 2]
    )
    assert np.isnan(value("intra_list_diversity", "cosine", [1]))[0]


def test_an_item_without_direction_differs_from_all():
    listed = Listed(np.array([[0, 4, 2]]), 5, vectors=VECTORS)
    assert value("intra_list_diversity", "cosine", [2, 3], listed) == pytest.approx([1, 2 / 3])


def test_diversity_against_loops_and_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 6)).astype(np.float32)
    lists = np.stack([rng.permutation(50)[:8] for _ in range(20)])
    lists[3, 5:] = -1
    monkeypatch.setattr(beyond, "BLOCK_CELLS", 8 * 6 * 3)
    found = BEYOND["intra_list_diversity"]["cosine"].of(Listed(lists, 50, vectors=vectors), [8])
    for user, row in enumerate(lists):
        pairs = combinations(vectors[row[row >= 0]].astype(float), 2)
        distances = [1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]
        assert found[user, 0] == pytest.approx(np.mean(distances), abs=1e-12)


def test_gini_is_the_mean_difference_of_pairs():
    rng = np.random.default_rng(1)
    lists = np.stack([rng.permutation(12)[:4] for _ in range(9)])
    counts = np.bincount(lists.ravel(), minlength=12)
    pairs = np.abs(counts[:, None] - counts[None, :]).sum()
    expected = pairs / (2 * 12 * counts.sum())
    assert value("exposure_gini", "catalogue", [4], Listed(lists, 12)) == pytest.approx([expected])


def test_only_what_is_known_is_computed():
    judged = Judged(np.array([[True, False]]), np.array([1]), np.array([2]))
    listed = Listed(np.array([[0, 1]]), 3)
    assert {"coverage", "exposure_gini"} == BEYOND.keys() & class_means(judged, [1], listed=listed)[
        1
    ].keys()
    reasons = left_out(judged, listed)
    assert reasons["the training plays are not given"] == [
        "novelty surprisal",
        "novelty surprisal_share",
        "popularity share",
        "popularity count",
    ]
    assert reasons["the truth has no ratings"] == [
        "ndcg linear",
        "ndcg exponential",
        "ndcg exponential_untruncated",
    ]
    assert reasons["the number of candidates is not known"] == [
        "auc global",
        "auc per_user",
        "auc ties_won",
        "auc weighted",
        "auc elliot",
        "auc elliot_per_user",
        "auc limited",
        "auc rest_random",
    ]


def test_mistakes():
    with pytest.raises(InputError, match="outside of -1 to 4"):
        Listed(np.array([[5]]), 5)
    with pytest.raises(InputError, match="outside of 0 to the 3 users"):
        Listed(LISTS, 5, COUNTS, 3)
    with pytest.raises(ValueError, match="5 rows for 6 items"):
        Listed(LISTS, 6, COUNTS, 8)
    with pytest.raises(ValueError, match="come together"):
        Listed(LISTS, 5, COUNTS)
