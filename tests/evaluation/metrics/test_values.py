"""Values of the metrics: by hand, against scikit-learn, and by their properties."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score, precision_score, recall_score

from mrs.errors import InputError
from mrs.evaluation.metrics import METRICS, Judged, evaluate

NAMES = list(METRICS)


def judge(hits, n_relevant, n_listed=None):
    hits = np.atleast_2d(np.array(hits, dtype=bool))
    n_relevant = np.atleast_1d(n_relevant)
    listed = np.full(len(hits), hits.shape[1]) if n_listed is None else np.atleast_1d(n_listed)
    return Judged(hits, n_relevant, listed)


def value(metric, k, *judged):
    return evaluate(judge(*judged), [metric], [k])[f"{metric}@{k}"][0]


# A list of five whose second and fourth rank are relevant; the user has three relevant tracks.
LIST = ([0, 1, 0, 1, 0], 3)


@pytest.mark.parametrize(
    ("metric", "at_1", "at_2", "at_5"),
    [
        ("hitrate", 0, 1, 1),
        ("recall", 0, 1 / 3, 2 / 3),
        ("precision", 0, 1 / 2, 2 / 5),
        ("mrr", 0, 1 / 2, 1 / 2),
        ("map", 0, (1 / 2) / 3, (1 / 2 + 2 / 4) / 3),
        # log2(3) = 1.58496, log2(5) = 2.32193: discounts .63093 and .43068; ideal 1 + .63093 (+ .5)
        ("ndcg", 0, 0.6309298 / 1.6309298, (0.6309298 + 0.4306766) / 2.1309298),
    ],
)
def test_by_hand(metric, at_1, at_2, at_5):
    values = [value(metric, k, *LIST) for k in (1, 2, 5)]
    assert values == pytest.approx([at_1, at_2, at_5], abs=1e-7)


def test_several_users_and_cutoffs_in_the_order_asked_for():
    judged = judge([[1, 0, 0], [0, 0, 1]], [1, 2])
    values = evaluate(judged, ["recall", "hitrate"], [3, 1])
    assert list(values) == ["recall@3", "recall@1", "hitrate@3", "hitrate@1"]
    assert values["recall@3"].tolist() == [1.0, 0.5]
    assert values["recall@1"].tolist() == [1.0, 0.0]
    assert values["hitrate@1"].dtype == np.float64


@pytest.mark.parametrize("metric", NAMES)
def test_the_best_list_has_one_where_there_are_k_relevant(metric):
    assert value(metric, 3, [1, 1, 1], 3) == 1.0


def test_more_relevant_than_k():
    perfect = ([1, 1], 8)
    assert value("ndcg", 2, *perfect) == 1.0
    assert value("precision", 2, *perfect) == 1.0
    assert value("recall", 2, *perfect) == 0.25
    assert value("map", 2, *perfect) == 0.25


@pytest.mark.parametrize("metric", NAMES)
def test_no_list_has_zero(metric):
    assert value(metric, 4, [0, 0, 0, 0], 2, 0) == 0.0


def test_missing_ranks_of_a_short_list_are_misses():
    lists = np.array([[2, -1, -1, -1]])
    judged = Judged.from_lists(lists, sp.csr_matrix(np.array([[0, 1, 1]], dtype=bool)))
    values = evaluate(judged, NAMES, [4])
    assert values["precision@4"][0] == 0.25
    assert values["recall@4"][0] == 0.5
    assert values["map@4"][0] == 0.5
    assert values["mrr@4"][0] == 1.0
    assert values["ndcg@4"][0] == pytest.approx(1 / 1.6309298, abs=1e-7)


def test_against_scikit_learn():
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(60.0), (40, 1)), axis=1)
    relevant = rng.random((40, 60)) < rng.uniform(0.05, 0.6, (40, 1))
    relevant[:, 0] = True
    judged = Judged.from_lists(np.argsort(-scores, axis=1), sp.csr_matrix(relevant))
    ks = [1, 7, 20, 60]
    values = evaluate(judged, NAMES, ks)
    for k in ks:
        listed = scores >= 60 - k
        for user in range(40):
            ndcg = ndcg_score(relevant[user : user + 1], scores[user : user + 1], k=k)
            assert values[f"ndcg@{k}"][user] == pytest.approx(ndcg, abs=1e-12)
            precision = precision_score(relevant[user], listed[user])
            assert values[f"precision@{k}"][user] == pytest.approx(precision, abs=1e-12)
            recall = recall_score(relevant[user], listed[user])
            assert values[f"recall@{k}"][user] == pytest.approx(recall, abs=1e-12)
            # Cut at k, scikit-learn's average precision divides by the hits instead of |R|.
            n_hits = relevant[user, listed[user]].sum()
            by_hits = (
                average_precision_score(relevant[user, listed[user]], scores[user, listed[user]])
                if n_hits
                else 0.0
            )
            expected = by_hits * n_hits / relevant[user].sum()
            assert values[f"map@{k}"][user] == pytest.approx(expected, abs=1e-12)


@st.composite
def judged_lists(draw):
    n_users, depth = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    hits = np.array(
        draw(
            st.lists(
                st.lists(st.booleans(), min_size=depth, max_size=depth),
                min_size=n_users,
                max_size=n_users,
            )
        )
    )
    missed = np.array(draw(st.lists(st.integers(0, 5), min_size=n_users, max_size=n_users)))
    return judge(hits, np.maximum(hits.sum(axis=1) + missed, 1))


@given(judged_lists())
@settings(max_examples=150, deadline=None)
def test_properties(judged):
    ks = list(range(1, judged.depth + 1))
    values = evaluate(judged, NAMES, ks)
    for name in NAMES:
        by_k = np.stack([values[f"{name}@{k}"] for k in ks])
        assert (by_k >= 0).all()
        assert (by_k <= 1 + 1e-12).all()
        if name not in ("precision", "ndcg"):  # their denominators grow with k
            assert (np.diff(by_k, axis=0) >= 0).all()
        assert ((by_k > 0) == (judged.n_hits.T > 0)).all()
    for k in ks:
        np.testing.assert_allclose(
            values[f"precision@{k}"] * k, values[f"recall@{k}"] * judged.n_relevant, atol=1e-12
        )
        assert (values[f"map@{k}"] <= values[f"recall@{k}"] + 1e-12).all()
        assert (values[f"mrr@{k}"] <= values[f"hitrate@{k}"]).all()
    assert (values["hitrate@1"] == values["mrr@1"]).all()
    assert (values["hitrate@1"] == values["ndcg@1"]).all()


@given(judged_lists(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_users_do_not_touch_each_other(judged, random):
    order = list(range(len(judged.hits)))
    random.shuffle(order)
    shuffled = judge(judged.hits[order], judged.n_relevant[order])
    values, other = (evaluate(lists, NAMES, [1, lists.depth]) for lists in (judged, shuffled))
    for key in values:
        np.testing.assert_array_equal(other[key], values[key][order])


@given(judged_lists(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_hit_that_moves_up_never_lowers_a_value(judged, data):
    place = data.draw(st.integers(0, judged.depth - 1))
    better = judged.hits.copy()
    better[:, [0, place]] = np.sort(better[:, [0, place]], axis=1)[:, ::-1]
    ks = list(range(1, judged.depth + 1))
    before, after = (
        evaluate(lists, NAMES, ks) for lists in (judged, judge(better, judged.n_relevant))
    )
    for key in before:
        assert (after[key] >= before[key] - 1e-12).all()


@pytest.mark.parametrize(
    ("metrics", "ks", "message"),
    [
        (["ndgc"], [1], "unknown metric ndgc; known are hitrate"),
        (["ndcg"], [6], "cutoff 6 is beyond the lists, which hold 5"),
        (["ndcg"], [0], "at least 1"),
        (["ndcg"], [], "there must be one"),
    ],
)
def test_mistakes(metrics, ks, message):
    with pytest.raises(InputError, match=message):
        evaluate(judge(*LIST), metrics, ks)


def test_a_user_without_truth_is_refused():
    with pytest.raises(InputError, match="row 1 has no relevant track"):
        judge([[1, 0], [0, 0]], [1, 0])
