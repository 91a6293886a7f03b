"""Linear probes against scikit-learn on whole inputs, and the weighted AUC against its own."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from mrs.evaluation.probes import auc, folds, predict_classes, predict_numbers, standardised


def test_no_group_is_on_both_sides() -> None:
    groups = np.random.default_rng(0).integers(0, 20, 200)
    judged = []
    for train, test in folds(groups):
        assert not set(groups[train]) & set(groups[test])
        judged += test.tolist()
    assert sorted(judged) == list(range(200))


def test_standardised_narrow() -> None:
    vectors = np.random.default_rng(0).normal(3, [1, 10, 0], (50, 3)).astype(np.float32)
    inputs = standardised(vectors)
    assert inputs.shape == (50, 2)  # the dimension without variance is gone
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(inputs.std(axis=0), np.sqrt(0.5), rtol=1e-5)


def test_rotated_inputs_predict_the_same() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(30, 80)).astype(np.float32)
    target = vectors[:, 0] + rng.normal(size=30)
    whole = (vectors - vectors.mean(0)) / vectors.std(0) / np.sqrt(80)
    rotated = standardised(vectors)
    assert rotated.shape[1] <= 30
    np.testing.assert_allclose(rotated @ rotated.T, whole @ whole.T, atol=1e-5)
    train, test = np.arange(20), np.arange(20, 30)
    a, b = (
        Ridge(alpha=0.1).fit(x[train], target[train]).predict(x[test]) for x in (whole, rotated)
    )
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_constant_vectors_stay_usable() -> None:
    assert standardised(np.ones((5, 3))).tolist() == [[0.0]] * 5


def test_predictions_are_of_held_out_groups() -> None:
    # A group's own label can be learned by heart and by nothing else: held out, it is chance.
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 5)
    vectors = np.eye(40)[groups] + rng.normal(0, 0.01, (200, 40))
    number = rng.normal(size=40)[groups]
    predicted = predict_numbers(standardised(vectors), number[:, None], groups)[:, 0]
    assert 1 - np.square(number - predicted).sum() / np.square(number - number.mean()).sum() < 0.1
    signal = np.column_stack([number, vectors])
    predicted = predict_numbers(standardised(signal), number[:, None], groups)[:, 0]
    assert np.corrcoef(predicted, number)[0, 1] > 0.9


def test_classes_that_are_apart_are_told_apart() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(30), 4)
    codes = rng.integers(0, 3, 30)[groups]
    vectors = 5 * np.eye(3)[codes] + rng.normal(size=(120, 3))
    train, test = folds(groups)[0]
    predicted = predict_classes(standardised(vectors), codes, groups, train, test)
    assert (predicted == codes[test]).mean() > 0.95


@pytest.mark.parametrize("digits", [0, 6])
def test_auc_with_weights_and_ties(digits: int) -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=60).round(digits)  # no digits: many ties
    positive = rng.random(60) < 0.4
    weights = rng.integers(0, 3, (5, 60)).astype(float)
    expected = [roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(auc(scores, positive, weights), expected, atol=1e-12)


def test_auc_without_one_side_is_nan() -> None:
    assert np.isnan(auc(np.arange(3.0), np.ones(3, dtype=bool), np.ones((1, 3)))).all()
