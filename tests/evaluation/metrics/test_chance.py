"""Chance levels against full enumeration, simulation and SciPy's hypergeometric distribution."""

from itertools import combinations

import numpy as np
import pytest
import scipy.stats

from mrs.errors import InputError
from mrs.evaluation.metrics import METRICS, Judged, chance, evaluate

NAMES = list(METRICS)


def every_order(n_candidates, n_relevant, depth):
    """Judged lists of all placements of the relevant tracks, each as likely as the others."""
    places = np.array(list(combinations(range(n_candidates), n_relevant)))
    hits = np.zeros((len(places), max(n_candidates, depth)), dtype=bool)
    np.put_along_axis(hits, places, True, axis=1)
    one = np.ones(len(places), dtype=int)
    return Judged(hits[:, :depth], n_relevant * one, min(n_candidates, depth) * one)


@pytest.mark.parametrize("n_candidates", [1, 2, 5, 9])
def test_equals_the_mean_over_every_order(n_candidates):
    ks = [1, 2, 3, 8, 9, 12]
    for n_relevant in range(1, n_candidates + 1):
        exact = evaluate(every_order(n_candidates, n_relevant, 12), NAMES, ks)
        level = chance(n_candidates, n_relevant, NAMES, ks)
        assert list(level) == list(exact)
        for key in exact:
            assert level[key][0] == pytest.approx(exact[key].mean(), abs=1e-13), key


def test_agrees_with_simulation():
    rng = np.random.default_rng(0)
    n_candidates, n_relevant, n = 300, 12, 20_000
    places = rng.random((n, n_candidates), dtype=np.float32).argpartition(n_relevant, axis=1)
    hits = np.zeros((n, n_candidates), dtype=bool)
    np.put_along_axis(hits, places[:, :n_relevant], True, axis=1)
    one = np.ones(n, dtype=int)
    judged = Judged(hits[:, :50], n_relevant * one, 50 * one)
    level = chance(n_candidates, n_relevant, NAMES, [10, 50])
    for key, values in evaluate(judged, NAMES, [10, 50]).items():
        assert abs(values.mean() - level[key][0]) < 5 * values.std() / np.sqrt(n), key


def test_large_catalogues_keep_their_digits():
    n_candidates = np.array([55_262, 55_000, 55_262, 54_000])
    n_relevant = np.array([1, 27, 400, 50_000])
    level = chance(n_candidates, n_relevant, NAMES, [10, 50, 100])
    for k in (10, 50, 100):
        exact = scipy.stats.hypergeom.sf(0, n_candidates, n_relevant, k)
        np.testing.assert_allclose(level[f"hitrate@{k}"], exact, rtol=1e-9)
        np.testing.assert_allclose(level[f"recall@{k}"], k / n_candidates, rtol=1e-14)
    # With one relevant track every rank is as likely: the mean of 1 / rank over N ranks.
    harmonic = (1 / np.arange(1, 51)).sum() / 55_262
    assert level["mrr@50"][0] == pytest.approx(harmonic, rel=1e-9)
    assert level["map@50"][0] == pytest.approx(harmonic, rel=1e-12)
    assert level["ndcg@50"][0] == pytest.approx(
        (1 / np.log2(np.arange(2, 52))).sum() / 55_262, rel=1e-12
    )


def test_everything_relevant():
    level = chance(20, 20, NAMES, [5, 20])
    for name in ("hitrate", "ndcg", "precision", "mrr"):
        assert level[f"{name}@5"][0] == pytest.approx(1.0, abs=1e-13)
    assert level["recall@5"][0] == 0.25
    assert level["map@20"][0] == pytest.approx(1.0, abs=1e-13)


def test_users_with_the_same_numbers_have_the_same_level():
    level = chance(np.array([50, 40, 50]), np.array([3, 3, 3]), NAMES, [5])
    for values in level.values():
        assert values.shape == (3,)
        assert values[0] == values[2]
    assert level["recall@5"].tolist() == [0.1, 0.125, 0.1]


@pytest.mark.parametrize(("n_candidates", "n_relevant"), [(5, 6), (5, 0), (0, 0)])
def test_impossible_numbers(n_candidates, n_relevant):
    with pytest.raises(InputError, match="row 0 has"):
        chance(n_candidates, n_relevant, NAMES, [1])
    with pytest.raises(InputError, match="at least 1"):
        chance(5, 1, NAMES, [0])
