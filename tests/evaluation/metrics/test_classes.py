"""The classes beside the study's six: by hand, and by what theory says of them."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from mrs.errors import InputError
from mrs.evaluation.metrics import (
    CLASSES,
    METRICS,
    Judged,
    class_means,
    class_values,
    describe,
    evaluate,
)
from mrs.evaluation.metrics.base import Metric


def judge(hits, n_relevant, n_listed=None, **more):
    hits = np.atleast_2d(np.array(hits, dtype=bool))
    listed = np.full(len(hits), hits.shape[1]) if n_listed is None else np.atleast_1d(n_listed)
    return Judged(hits, np.atleast_1d(n_relevant), listed, **more)


def value(metric, variant, k, judged):
    return class_means(judged, [k])[k][metric][variant]


# Five ranks, hits at 2 and 4, three relevant items: P = 0, 1/2, 1/3, 2/4, 2/5.
LIST = judge([0, 1, 0, 1, 0], 3)
D = 1 / np.log2(np.arange(2, 12))  # discounts of the ranks 1, 2 ...


@pytest.mark.parametrize(
    ("metric", "variant", "at_2", "at_5"),
    [
        ("hitrate", "count", 1, 2),
        ("precision", "returned", 1 / 2, 2 / 5),
        ("precision", "min", 1 / 2, 2 / 3),
        ("precision", "micro", 1 / 2, 2 / 3),
        ("precision", "r", 1 / 3, 1 / 3),
        ("precision", "r_hit", 1 / 3, 1 / 3),
        ("recall", "min", 1 / 2, 2 / 3),
        ("recall", "listed", 1 / 2, 1),
        ("mrr", "arhr", 1 / 2, 1 / 2 + 1 / 4),
        ("map", "min", (1 / 2) / 2, 1 / 3),
        ("map", "hits", 1 / 2, 1 / 2),
        ("map", "k", (1 / 2) / 2, 1 / 5),
        ("map", "mean_precision", (0 + 1 / 2) / 2, (0 + 1 / 2 + 1 / 3 + 1 / 2 + 2 / 5) / 5),
        ("map", "neurec", (1 / 2) / (1 + 2), 1 / (1 + 2 + 3 + 3 + 3)),
        ("ndcg", "k_ideal", D[1] / (1 + D[1]), (D[1] + D[3]) / D[:5].sum()),
        ("ndcg", "untruncated", D[1] / D[:3].sum(), (D[1] + D[3]) / D[:3].sum()),
        ("ndcg", "retrieved", D[1], (D[1] + D[3]) / D[:2].sum()),
        ("ndcg", "listed", D[1] / D[:2].sum(), (D[1] + D[3]) / D[:2].sum()),
        ("ndcg", "none", D[1], D[1] + D[3]),
        # log2(max(i, 2)): 1, 1, log2(3), 2
        ("ndcg", "max_i_2", 1 / 2, (1 + 1 / 2) / (1 + 1 + 1 / np.log2(3))),
        # Pairs inside: rank 2 above 1 miss of 3, rank 4 above 1 of 3, hence 1 + 2 of 6 with both.
        ("auc", "in_list", 0, (2 + 1) / 6),
        ("auc", "in_list_zero", 0, (2 + 1) / 6),
        # First two misses are ranks 1 and 3: rank 2 beats one of them. Of five, three are listed:
        # rank 2 has one above it, rank 4 two.
        ("auc", "partial", 1 / (2 * 3), (4 + 3) / (5 * 3)),
    ],
)
def test_by_hand(metric, variant, at_2, at_5):
    assert value(metric, variant, 2, LIST) == pytest.approx(at_2, abs=1e-12)
    assert value(metric, variant, 5, LIST) == pytest.approx(at_5, abs=1e-12)


def test_every_class_is_tested_by_hand_or_elsewhere():
    """A class that is added needs a case: this list is what the other tests of this folder hold."""
    graded = {"linear", "exponential", "exponential_untruncated"}
    cases = {(case[0], case[1]) for case in test_by_hand.pytestmark[0].args[1]}
    defaults = {(m.name, m.variant) for m in METRICS.values()}
    known = {(m, v) for m, classes in CLASSES.items() for v in classes}
    complete = {"global", "per_user", "ties_won", "weighted", "elliot", "elliot_per_user"}
    others = {("ndcg", v) for v in graded} | {("auc", v) for v in complete}
    others |= {("auc", "limited"), ("auc", "rest_random")}
    assert cases | defaults | others == known


def test_short_lists():
    """Two listed of five ranks, the first a hit; four relevant."""
    short = judge([1, 0, 0, 0, 0], 4, 2, n_candidates=np.array([10]))
    for metric, variant, expected in [
        ("precision", "k", 1 / 5),
        ("precision", "returned", 1 / 2),
        ("precision", "min", 1 / 4),
        ("recall", "relevant", 1 / 4),
        ("map", "relevant", 1 / 4),
        ("map", "mean_precision", (1 + 1 / 2 + 1 / 3 + 1 / 4 + 1 / 5) / 5),
        ("ndcg", "min", 1 / D[:4].sum()),
        ("auc", "in_list", 1.0),  # one hit above one miss; the missing ranks are no misses here
        ("auc", "partial", 5 / (5 * 4)),
        # Won: 1 in the list; (1 + 4) / 2 for each of the 6 - 1 candidates that are not listed.
        ("auc", "rest_random", (1 + 2.5 * 5) / (4 * 6)),
        ("auc", "limited", 1 / 4),
    ]:
        assert value(metric, variant, 5, short) == pytest.approx(expected, abs=1e-12), variant
    only_hits = judge([1, 1, 0], 2, 2)
    assert value("auc", "in_list", 3, only_hits) == 1.0
    assert value("auc", "in_list_zero", 3, only_hits) == 0.0
    assert value("precision", "returned", 3, only_hits) == 1.0


# What the formula of each class gives for an empty list, 3 of 6 candidates relevant. All sums over
# hits are 0; where what is not listed is in random order, half of the pairs are won.
EMPTY_LIST = {
    "hitrate": {"any": 0, "count": 0},
    "precision": {"k": 0, "returned": 0, "min": 0, "r": 0},
    "recall": {"relevant": 0, "min": 0, "listed": 0},
    "mrr": {"first": 0, "arhr": 0},
    "map": {"relevant": 0, "min": 0, "hits": 0, "k": 0, "mean_precision": 0, "neurec": 0},
    "ndcg": {
        "min": 0, "k_ideal": 0, "untruncated": 0, "retrieved": 0, "listed": 0, "none": 0,
        "max_i_2": 0, "linear": 0, "exponential": 0, "exponential_untruncated": 0,
    },
    "auc": {
        "per_user": 0, "ties_won": 0, "elliot_per_user": 0, "limited": 0, "in_list": 0,
        "in_list_zero": 0, "rest_random": 0.5, "partial": 0,
    },
}  # fmt: skip


def test_an_empty_list_has_what_the_formula_gives():
    judged = judge(
        [[1, 0, 0, 1, 1, 0], [0] * 6],
        [3, 3],
        [6, 0],
        n_candidates=np.array([6, 6]),
        scores=np.tile(np.arange(6.0, 0, -1), (2, 1)),
        ratings=np.array([[3.0, 0, 0, 2, 1, 0], [0] * 6]),
        best_ratings=np.array([[3.0, 2, 1], [3, 2, 1]]),
    )
    of_each_user = {
        metric: {name: one for name, one in known.items() if isinstance(one, Metric)}
        for metric, known in CLASSES.items()
    }
    assert {m: list(known) for m, known in of_each_user.items()} == {
        m: list(known) for m, known in EMPTY_LIST.items()
    }
    for metric, known in of_each_user.items():
        for variant, definition in known.items():
            assert definition.lacks(judged) is None, (metric, variant)
            found = definition.per_user(judged, [1, 3])[1]
            assert found.tolist() == [EMPTY_LIST[metric][variant]] * 2, (metric, variant)


def test_users_without_a_list_are_empty_lists_or_left_out():
    judged = judge(
        [[1, 0], [0, 0]], [1, 3], [2, 0], n_candidates=np.array([2, 5]), scores=np.zeros((2, 2))
    )
    everybody = class_means(judged, [2])[2]
    with_list = class_means(judged, [2], users="with-list")[2]
    assert everybody.keys() == with_list.keys()
    for metric, classes in with_list.items():
        for variant, mean in classes.items():
            if isinstance(CLASSES[metric][variant], Metric):
                expected = (mean + EMPTY_LIST[metric][variant]) / 2
                assert everybody[metric][variant] == pytest.approx(expected), (metric, variant)
    # Numbers over all users together: 1 hit of 1 + 2 that two ranks could hold.
    assert everybody["precision"]["micro"] == pytest.approx(1 / 3)
    assert with_list["precision"]["micro"] == 1.0
    assert everybody["auc"]["weighted"] == pytest.approx((1 * 0.5 + 3 * 0) / 4)  # equal scores
    assert everybody["auc"]["global"] == with_list["auc"]["global"] == 0.5
    with pytest.raises(InputError, match="choose all or with-list"):
        class_means(judged, [2], users="some")
    with pytest.raises(InputError, match="no user with relevant items has a list"):
        class_means(judge([[0, 0]], 1, 0), [1])


def graded(ratings, lists):
    ratings = np.atleast_2d(np.array(ratings, dtype=float))
    return Judged.from_lists(np.atleast_2d(lists), sp.csr_matrix(ratings), graded=True)


def test_graded_by_hand():
    # Items 0 to 3 rated 3, 1, -, 2; listed 1, 2, 0: gains 1, 0, 3 of the best 3, 2, 1.
    judged = graded([3, 1, 0, 2], [1, 2, 0])
    assert judged.ratings.tolist() == [[1, 0, 3]]
    assert judged.best_ratings.tolist() == [[3, 2, 1]]
    found = class_means(judged, [2, 3])
    ideal = 3 + 2 * D[1]
    assert found[2]["ndcg"]["linear"] == pytest.approx(1 / ideal)
    assert found[3]["ndcg"]["linear"] == pytest.approx((1 + 3 * D[2]) / (ideal + D[2]))
    ideal = 7 + 3 * D[1]
    assert found[2]["ndcg"]["exponential"] == pytest.approx(1 / ideal)
    assert found[2]["ndcg"]["exponential_untruncated"] == pytest.approx(1 / (ideal + D[2]))
    assert found[3]["ndcg"]["exponential"] == pytest.approx((1 + 7 * D[2]) / (ideal + D[2]))


def test_graded_against_scikit_learn():
    rng = np.random.default_rng(1)
    ratings = rng.integers(0, 6, (30, 40)) * (rng.random((30, 40)) < 0.3)
    ratings[:, 0] = 1
    scores = rng.permuted(np.tile(np.arange(40.0), (30, 1)), axis=1)
    judged = graded(ratings, np.argsort(-scores, axis=1))
    for k in (1, 5, 40):
        values = class_values(judged, "ndcg", "linear", [k])[:, 0]
        for user in range(30):
            expected = ndcg_score(ratings[user : user + 1], scores[user : user + 1], k=k)
            assert values[user] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_ratings_that_cannot_be(wrong):
    with pytest.raises(InputError, match="negative or not finite"):
        graded([1, wrong], [0, 1])


def test_exponential_gains_of_play_counts_are_left_out():
    judged = graded([1, 501], [0, 1])
    assert "linear" in class_means(judged, [1])[1]["ndcg"]
    assert "exponential" not in class_means(judged, [1])[1]["ndcg"]
    with pytest.raises(InputError, match="above 500"):
        class_values(judged, "ndcg", "exponential", [1])


def test_mistakes():
    with pytest.raises(InputError, match="unknown class max of map; known are relevant, min"):
        describe("map", "max")
    with pytest.raises(InputError, match="unknown metric f1"):
        class_values(LIST, "f1", "any", [1])
    with pytest.raises(InputError, match="take class_means"):
        class_values(LIST, "precision", "micro", [1])
    with pytest.raises(InputError, match="the truth has no ratings"):
        class_values(LIST, "ndcg", "linear", [1])
    with pytest.raises(InputError, match="do not rank every candidate|candidates is not known"):
        class_values(LIST, "auc", "per_user", [1])
    with pytest.raises(InputError, match="beyond the lists"):
        class_means(LIST, [6])
    with pytest.raises(InputError, match="4 candidates but 5"):
        judge([0, 1, 0, 1, 0], 3, n_candidates=np.array([4]))


# Those that may exceed 1, and those that may fall as the list grows.
UNBOUNDED = {("hitrate", "count"), ("mrr", "arhr"), ("ndcg", "none")}
GROWING = [
    ("hitrate", "any"),
    ("hitrate", "count"),
    ("recall", "relevant"),
    ("recall", "listed"),
    ("precision", "r"),
    ("mrr", "first"),
    ("mrr", "arhr"),
    ("map", "relevant"),
    ("ndcg", "none"),
    ("ndcg", "untruncated"),
    ("ndcg", "exponential_untruncated"),
]


@st.composite
def rated_lists(draw, grades=(0, 0, 1, 2, 5)):
    """Complete rankings of up to ten items, rated, with scores that may be equal."""
    n_users, n_items = draw(st.integers(1, 5)), draw(st.integers(2, 10))
    row = st.lists(st.sampled_from(grades), min_size=n_items, max_size=n_items)
    ratings = np.array(draw(st.lists(row, min_size=n_users, max_size=n_users)), dtype=float)
    assume((ratings > 0).any(axis=1).all())
    seed = draw(st.integers(0, 2**16))
    lists = np.random.default_rng(seed).permuted(np.tile(np.arange(n_items), (n_users, 1)), axis=1)
    score = st.lists(st.integers(0, 3), min_size=n_items, max_size=n_items)
    scores = np.array(draw(st.lists(score, min_size=n_users, max_size=n_users)), dtype=float)
    return Judged.from_lists(
        lists,
        sp.csr_matrix(ratings),
        graded=True,
        n_candidates=np.full(n_users, n_items),
        scores=-np.sort(-scores, axis=1),
    )


def all_values(judged, ks):
    return {
        (metric, variant): class_values(judged, metric, variant, ks)
        for metric, classes in CLASSES.items()
        for variant, found in classes.items()
        if isinstance(found, Metric)
    }


@given(rated_lists())
@settings(max_examples=120, deadline=None)
def test_bounds_growth_and_order_between_classes(judged):
    ks = list(range(1, judged.depth + 1))
    values = all_values(judged, ks)
    for key, found in values.items():
        assert np.nanmin(found, initial=0.0) >= 0, key
        if key not in UNBOUNDED:
            assert np.nanmax(found, initial=0.0) <= 1 + 1e-12, key
    for key in GROWING:
        assert (np.diff(values[key], axis=1) >= -1e-12).all(), key
    for lower, upper in [
        (("map", "relevant"), ("map", "min")),
        (("map", "min"), ("map", "hits")),
        (("map", "k"), ("map", "min")),
        (("recall", "relevant"), ("recall", "min")),
        (("precision", "k"), ("precision", "min")),
        (("mrr", "first"), ("mrr", "arhr")),
        (("hitrate", "any"), ("hitrate", "count")),
        (("ndcg", "k_ideal"), ("ndcg", "min")),
        (("ndcg", "untruncated"), ("ndcg", "min")),
        (("ndcg", "min"), ("ndcg", "listed")),
        (("ndcg", "exponential_untruncated"), ("ndcg", "exponential")),
        (("auc", "in_list_zero"), ("auc", "in_list")),
    ]:
        assert (values[lower] <= values[upper] + 1e-12).all(), (lower, upper)


@given(rated_lists())
@settings(max_examples=120, deadline=None)
def test_agreement_of_classes(judged):
    ks = list(range(1, judged.depth + 1))
    values = all_values(judged, ks)
    enough = np.array(ks) >= judged.n_relevant[:, None]  # k >= |R|

    def same(a, b, where=None):
        where = np.ones_like(enough) if where is None else where
        np.testing.assert_allclose(values[a][where], values[b][where], atol=1e-12)

    for metric in ("map", "recall"):
        same((metric, "relevant"), (metric, "min"), enough)
    same(("ndcg", "min"), ("ndcg", "untruncated"), enough)
    same(("ndcg", "min"), ("ndcg", "k_ideal"), np.array(ks) <= judged.n_relevant[:, None])
    same(("ndcg", "exponential"), ("ndcg", "exponential_untruncated"), enough)
    same(("precision", "min"), ("recall", "min"))
    same(("precision", "k"), ("precision", "returned"))
    same(("mrr", "first"), ("mrr", "arhr"), np.tile(judged.n_relevant[:, None] == 1, len(ks)))
    # What is hidden behind rank k is at random: with all ranks known nothing is.
    ranked = Judged(judged.hits, judged.n_relevant, judged.n_listed, judged.n_candidates)
    last = class_values(ranked, "auc", "rest_random", [judged.depth])
    per_user = class_values(ranked, "auc", "per_user", [judged.depth])
    np.testing.assert_allclose(last, per_user, atol=1e-12)
    np.testing.assert_allclose(
        class_values(ranked, "auc", "limited", [judged.depth]),
        class_values(ranked, "auc", "elliot_per_user", [judged.depth]),
        atol=1e-12,
    )
    for name, metric in METRICS.items():
        by_name = evaluate(judged, [name], ks)
        for column, k in enumerate(ks):
            np.testing.assert_array_equal(
                by_name[f"{name}@{k}"], values[name, metric.variant][:, column]
            )


@given(rated_lists(grades=(0, 0, 1)))
@settings(max_examples=60, deadline=None)
def test_graded_equals_binary_for_ratings_of_0_and_1(judged):
    ks = list(range(1, judged.depth + 1))
    values = all_values(judged, ks)
    for variant in ("linear", "exponential"):
        np.testing.assert_allclose(values["ndcg", variant], values["ndcg", "min"], atol=1e-12)
    np.testing.assert_allclose(
        values["ndcg", "exponential_untruncated"], values["ndcg", "untruncated"], atol=1e-12
    )


@given(rated_lists(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_users_does_not_matter(judged, random):
    order = list(range(len(judged.hits)))
    random.shuffle(order)
    ks = [1, judged.depth]
    here, there = (class_means(lists, ks) for lists in (judged, judged.of(np.array(order))))
    for k in ks:
        for metric, classes in here[k].items():
            assert there[k][metric] == pytest.approx(classes, abs=1e-12, nan_ok=True)
