"""Penalised linear probes, trained on some groups of tracks and judged on others.

The penalty is chosen on groups held out from the train ones.
"""

import numpy as np

FOLDS = 4
# Inputs have rows of mean square length one, so that one grid serves all widths.
INVERSE_PENALTIES = (0.1, 1.0, 10.0)
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)


def folds(groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Train and test positions; no group is in both."""
    from sklearn.model_selection import GroupKFold

    return list(GroupKFold(FOLDS).split(groups, groups=groups))


def standardised(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n x width] as probes read them, float32 [n x d] with d at most n.

    Each dimension has mean zero and the same variance over all these tracks (no label takes part in
    that), and rows have a mean square length of one. Vectors wider than n are rotated onto the
    space that they span, in which a penalised linear probe predicts the same; directions with less
    than a thousandth of the largest's standard deviation are dropped there.
    """
    mean, scale = vectors.mean(axis=0, dtype=np.float64), vectors.std(axis=0, dtype=np.float64)
    live = scale > 1e-9 * max(float(scale.max()), 1e-300)
    if not live.any():
        return np.zeros((len(vectors), 1), dtype=np.float32)
    inputs = ((vectors[:, live] - mean[live]) / scale[live] / np.sqrt(live.sum())).astype("float32")
    if inputs.shape[1] <= len(inputs):
        return inputs
    values, directions = np.linalg.eigh(inputs @ inputs.T)
    kept = values > 1e-6 * values[-1]
    return directions[:, kept] * np.sqrt(values[kept])


def predict_classes(
    inputs: np.ndarray, codes: np.ndarray, groups: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Classes of the test tracks, by the penalty that did best on held-out train artists."""
    from sklearn.linear_model import LogisticRegression

    def fit(rows: np.ndarray, strength: float) -> LogisticRegression:
        model = LogisticRegression(C=strength, max_iter=500, tol=1e-3)
        return model.fit(inputs[rows], codes[rows])

    inner, held = (train[part] for part in folds(groups[train])[0])
    strength = INVERSE_PENALTIES[1]
    if len(np.unique(codes[inner])) > 1:
        scores = [fit(inner, c).score(inputs[held], codes[held]) for c in INVERSE_PENALTIES]
        strength = INVERSE_PENALTIES[int(np.argmax(scores))]
    return fit(train, strength).predict(inputs[test])


def predict_numbers(inputs: np.ndarray, numbers: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Held-out predictions of numbers [n x m], by the penalty best on held-out train artists."""
    from sklearn.linear_model import Ridge

    predicted = np.empty_like(numbers)
    for train, test in folds(groups):
        inner, held = (train[part] for part in folds(groups[train])[0])
        errors = [
            np.square(
                Ridge(alpha=alpha)
                .fit(inputs[inner], numbers[inner])
                .predict(inputs[held])
                .reshape(len(held), -1)
                - numbers[held]
            ).sum()
            for alpha in PENALTIES
        ]
        best = Ridge(alpha=PENALTIES[int(np.argmin(errors))]).fit(inputs[train], numbers[train])
        predicted[test] = best.predict(inputs[test]).reshape(len(test), -1)
    return predicted


def auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted area under the ROC curve, ties counting a half: weights [draws x n] -> [draws].

    The share of pairs of a positive and another in which the positive has the higher score (Mann
    and Whitney, 1947). NaN for a draw without one or the other.
    """
    order = np.argsort(scores, kind="stable")
    ordered, flags = scores[order], positive[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    sorted_weights = weights[:, order]
    ups = np.add.reduceat(sorted_weights * flags, starts, axis=1)
    downs = np.add.reduceat(sorted_weights * ~flags, starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs / 2
    total = ups.sum(axis=1) * downs.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (ups * below).sum(axis=1) / total, np.nan)
