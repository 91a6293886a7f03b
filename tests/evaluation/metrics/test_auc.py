"""AUC of complete lists: against scikit-learn, by hand, and with equal scores."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

from mrs.evaluation.metrics import Judged, class_means, class_values


def judge(scores, relevant, with_scores=True):
    """Complete lists from scores [U x n] and relevance."""
    scores = np.array(scores, dtype=float)
    order = np.argsort(-scores, axis=1, kind="stable")
    return Judged.from_lists(
        order,
        sp.csr_matrix(np.array(relevant, dtype=bool)),
        n_candidates=np.full(len(scores), scores.shape[1]),
        scores=np.take_along_axis(scores, order, axis=1) if with_scores else None,
    )


@pytest.mark.parametrize("n_values", [4, 1000])  # many equal scores, or hardly any
def test_against_scikit_learn(n_values):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, n_values, (25, 30)).astype(float)
    relevant = rng.random((25, 30)) < 0.3
    relevant[:, :2] = [True, False]
    judged = judge(scores, relevant)
    expected = [roc_auc_score(relevant[u], scores[u]) for u in range(25)]
    values = class_values(judged, "auc", "per_user", [10, 30])
    np.testing.assert_allclose(values, np.repeat(np.array(expected)[:, None], 2, axis=1))
    found = class_means(judged, [10])[10]["auc"]
    assert found["global"] == pytest.approx(roc_auc_score(relevant.ravel(), scores.ravel()))
    weighted = np.average(expected, weights=relevant.sum(axis=1))
    assert found["weighted"] == pytest.approx(weighted)


def test_without_scores_ranks_decide():
    # The relevant item stands second of three: it beats one of two.
    judged = judge([[3, 2, 1]], [[0, 1, 0]], with_scores=False)
    found = class_means(judged, [1])[1]["auc"]
    assert found["per_user"] == 0.5
    assert "global" not in found
    # One irrelevant item more: (3 - 1) / 3.
    assert found["elliot"] == found["elliot_per_user"] == pytest.approx(2 / 3)


def test_equal_scores_count_half_or_as_won():
    judged = judge([[1, 1, 0], [2, 1, 1]], [[1, 0, 0], [0, 1, 1]])
    assert class_values(judged, "auc", "per_user", [1])[:, 0].tolist() == [(0.5 + 1) / 2, 0.0]
    assert class_values(judged, "auc", "ties_won", [1])[:, 0].tolist() == [1.0, 0.0]
    constant = judge([[3, 3, 3, 3]], [[0, 1, 0, 1]])
    found = class_means(constant, [1])[1]["auc"]
    assert (found["per_user"], found["ties_won"], found["global"]) == (0.5, 1.0, 0.5)
    ranked = judge([[3, 3, 3, 3]], [[0, 1, 0, 1]], with_scores=False)
    found = class_means(ranked, [1])[1]["auc"]
    assert found["per_user"] == found["ties_won"]


def test_users_of_different_catalogues():
    """The second user could be listed two items only; what stands after them is not read."""
    judged = Judged(
        hits=np.array([[0, 1, 0, 1], [1, 0, 0, 0]], dtype=bool),
        n_relevant=np.array([2, 1]),
        n_listed=np.array([4, 2]),
        n_candidates=np.array([4, 2]),
        scores=np.array([[4.0, 3, 2, 1], [9, 8, 99, -5]]),
    )
    assert class_values(judged, "auc", "per_user", [1])[:, 0].tolist() == [0.25, 1.0]
    # In one pool hits 3, 1, 9 and others 4, 2, 8: (1 + 0 + 3) of 9 pairs.
    assert class_means(judged, [1])[1]["auc"]["global"] == pytest.approx(4 / 9)


def test_a_user_whose_candidates_are_all_relevant_has_no_value():
    judged = judge([[2, 1], [2, 1]], [[1, 1], [1, 0]])
    values = class_values(judged, "auc", "per_user", [1])[:, 0]
    assert np.isnan(values[0])
    assert class_means(judged, [1])[1]["auc"]["per_user"] == values[1] == 1.0
    assert class_means(judged, [1])[1]["auc"]["weighted"] == 1.0
    alone = judge([[2, 1]], [[1, 1]])
    found = class_means(alone, [1])[1]["auc"]
    assert all(np.isnan(found[name]) for name in ("per_user", "weighted", "global", "rest_random"))


def test_rest_random_is_the_mean_over_random_ends():
    rng = np.random.default_rng(3)
    n, k = 9, 3
    relevant = np.array([[1, 0, 0, 1, 1, 0, 0, 0, 1]], dtype=bool)
    ends = [np.concatenate([[0, 1, 3], 4 + rng.permutation(5), [2]]) for _ in range(4000)]
    ends = [
        np.concatenate([e[:3], rng.permutation(np.setdiff1d(np.arange(n), e[:3]))]) for e in ends
    ]
    lists = np.stack(ends)
    truth = sp.csr_matrix(np.repeat(relevant, len(lists), axis=0))
    judged = Judged.from_lists(lists, truth, n_candidates=np.full(len(lists), n))
    per_user = class_values(judged, "auc", "per_user", [k])[:, 0]
    expected = class_values(judged, "auc", "rest_random", [k])[0, 0]
    assert abs(per_user.mean() - expected) < 5 * per_user.std() / np.sqrt(len(lists))


def pairs_by_loop(hits, n_relevant, n_candidates, k):
    """in_list, in_list_zero, partial and limited of one list, pair by pair."""
    top = hits[:k]
    n_hits, n_misses = sum(top), len(top) - sum(top)
    won = sum(top[i] and not top[j] for i in range(len(top)) for j in range(i + 1, len(top)))
    zero = won / (n_hits * n_misses) if n_hits and n_misses else 0.0
    misses = [i for i, hit in enumerate(hits) if not hit][:k]
    # A miss that the list does not hold stands below every hit of the list.
    behind = k - len(misses)
    partial = sum(sum(i < j for j in misses) + behind for i, hit in enumerate(hits) if hit)
    n_others = n_candidates - n_relevant + 1
    limited = sum(
        (n_others - sum(not above for above in top[:i])) / n_others
        for i, hit in enumerate(top)
        if hit
    )
    return {
        "in_list": 1.0 if n_hits and not n_misses else zero,
        "in_list_zero": zero,
        "partial": partial / (k * n_relevant),
        "limited": limited / min(k, n_relevant),
    }


def test_list_classes_against_loops_over_short_and_missing_lists():
    rng = np.random.default_rng(5)
    lengths = rng.integers(0, 9, 60)
    hits = (rng.random((60, 8)) < 0.4) & (np.arange(8) < lengths[:, None])
    n_relevant = hits.sum(axis=1) + rng.integers(0, 4, 60)
    n_relevant = np.maximum(n_relevant, 1)
    n_candidates = np.maximum(lengths, n_relevant) + rng.integers(1, 20, 60)
    judged = Judged(hits, n_relevant, lengths, n_candidates)
    assert (lengths == 0).any()
    for k in (1, 3, 8):
        expected = [
            pairs_by_loop(hits[u, : lengths[u]].tolist(), n_relevant[u], n_candidates[u], k)
            for u in range(60)
        ]
        for variant in expected[0]:
            values = class_values(judged, "auc", variant, [k])[:, 0]
            np.testing.assert_allclose(values, [row[variant] for row in expected], atol=1e-12)
