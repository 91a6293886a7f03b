"""What a linear probe hears in vectors: genre, tags, key, mode, tempo, and the artist.

Probes are logistic regressions (genre, key, mode) and ridge regressions (tempo; tags, as 0 and 1)
on standardised vectors. No artist is both learned from and judged: a probe that met the artist
before may recognise the artist and not the label (Flexer, ISMIR 2007, on album and artist filters).
Same artist cannot be split that way; it is judged without training, by the cosine of pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from mrs.evaluation.probes import FOLDS, auc, folds, predict_classes, predict_numbers, standardised

PROBE_VERSION = 1  # raised when the same vectors and labels give other scores

MAX_TRACKS = 4_000  # a larger catalogue is represented by whole artists drawn up to this number
MAX_CLASSES = 50  # the most frequent labels, as tagging benchmarks keep 50 tags
MAX_PAIRS = 20_000  # of one artist, and as many of two
MIN_TRACKS = 40
DRAWS = 500
# A label and the columns of tracks that it is read from, the first that is there.
NUMBERS = {"tempo": ("tempo", "trait_tempo")}
CLASSES = {
    "genre": ("genre",),
    "key": ("key", "trait_key"),
    "mode": ("mode", "trait_mode"),
}
TAGS = {"tags": ("tags",)}
METRICS = {
    "genre": "accuracy",
    "tags": "ROC-AUC",
    "key": "accuracy",
    "mode": "accuracy",
    "tempo": "R2",
    "artist": "ROC-AUC",
}


@dataclass(frozen=True, eq=False)
class Labels:
    """One label of the tracks.

    `values` are class codes (int [n]), numbers (float [n]) or tags (bool [n x tags]); `known` [n]
    says which tracks have it; `names` are those of the classes or tags.
    """

    task: str
    values: np.ndarray
    known: np.ndarray
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """What a probe reached on tracks of artists that it had not met.

    `low` and `high` are the 95 % bootstrap interval over artists. `chance` is the share of the most
    frequent class for accuracy, 0 for R2 and 0.5 for ROC-AUC.
    """

    task: str
    metric: str
    value: float
    low: float
    high: float
    chance: float
    n_tracks: int
    n_artists: int
    n_classes: int


def read_labels(tracks: pl.DataFrame) -> list[Labels]:
    """The labels that a table of tracks holds, in the order of `METRICS`."""
    readers: dict[str, tuple[tuple[str, ...], Callable[[str, pl.Series], Labels]]] = {
        **{task: (columns, _classes) for task, columns in CLASSES.items()},
        **{task: (columns, _tags) for task, columns in TAGS.items()},
        **{task: (columns, _number) for task, columns in NUMBERS.items()},
    }
    found = []
    for task in METRICS:
        columns, reader = readers.get(task, ((), _number))
        column = next((name for name in columns if name in tracks.columns), None)
        if column is not None:
            found.append(reader(task, tracks[column]))
    return found


def artist_codes(tracks: pl.DataFrame) -> np.ndarray | None:
    """A code a track [n], -1 where the artist is unknown; None without a column of artists."""
    for column in ("artist_id", "artist"):
        if column in tracks.columns:
            return tracks[column].rank("dense").cast(pl.Int64).fill_null(0).to_numpy() - 1
    return None


def _classes(task: str, column: pl.Series) -> Labels:
    text = column.cast(pl.String)
    counts = (
        text.drop_nulls()
        .value_counts(sort=True)
        .sort("count", column.name, descending=[True, False])
    )
    names = tuple(counts[column.name].head(MAX_CLASSES).sort().to_list())
    code = {name: place for place, name in enumerate(names)}
    values = np.array([code.get(name, -1) for name in text.to_list()])
    return Labels(task, values, values >= 0, names)


def _tags(task: str, column: pl.Series) -> Labels:
    if column.dtype == pl.String:
        column = column.str.split(",").list.eval(pl.element().str.strip_chars())
    lists = [set(tags) if tags is not None else set() for tags in column.to_list()]
    counts: dict[str, int] = {}
    for tags in lists:
        for tag in tags - {None, ""}:
            counts[tag] = counts.get(tag, 0) + 1
    ranked = sorted(counts, key=lambda tag: (-counts[tag], tag))
    names = tuple(sorted(ranked[:MAX_CLASSES]))
    values = np.array([[name in tags for name in names] for tags in lists], dtype=bool)
    known = column.is_not_null().to_numpy()
    return Labels(task, values.reshape(len(lists), len(names)), known, names)


def _number(task: str, column: pl.Series) -> Labels:
    values = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return Labels(task, values, np.isfinite(values))


def sample(artists: np.ndarray, limit: int = MAX_TRACKS, seed: int = 0) -> np.ndarray:
    """Positions of all tracks, or of whole artists drawn up to `limit` tracks; ascending."""
    if len(artists) <= limit:
        return np.arange(len(artists))
    drawn = np.random.default_rng(seed).permutation(np.unique(artists))
    sizes = np.bincount(np.searchsorted(np.sort(drawn), artists))[
        np.searchsorted(np.sort(drawn), drawn)
    ]
    chosen = drawn[np.cumsum(sizes) <= limit]
    if not len(chosen):
        return np.sort(np.random.default_rng(seed).permutation(len(artists))[:limit])
    return np.flatnonzero(np.isin(artists, chosen))


def probe(
    vectors: np.ndarray, labels: list[Labels], artists: np.ndarray | None, *, seed: int = 0
) -> list[Score]:
    """What linear probes read from vectors [n x width], one score per label and one for artists.

    `artists` [n] are codes, -1 where unknown; None where no artist is known: tracks then stand for
    artists, and there is no score for artists. A label that too few tracks or artists have is left
    out. The digits depend on `seed` alone, which draws the sample of a large catalogue, pairs and
    the bootstrap.
    """
    own = np.arange(len(vectors))
    groups = own if artists is None else np.where(artists < 0, len(own) + own, artists)
    chosen = sample(groups, seed=seed)
    groups = groups[chosen]
    inputs = standardised(vectors[chosen])
    scores = []
    with threadpool_limits(1):
        for label in labels:
            known = label.known[chosen]
            score = _probe_label(inputs[known], _at(label, chosen[known]), groups[known], seed)
            scores += [score] if score else []
        if artists is not None:
            known = artists[chosen] >= 0
            score = _probe_artists(inputs[known], groups[known], seed)
            scores += [score] if score else []
    return scores


def _at(label: Labels, positions: np.ndarray) -> Labels:
    return Labels(label.task, label.values[positions], label.known[positions], label.names)


def _probe_label(inputs: np.ndarray, label: Labels, groups: np.ndarray, seed: int) -> Score | None:
    """The score of one label that all these tracks have."""
    n_groups = len(np.unique(groups))
    if len(groups) < MIN_TRACKS or n_groups < 2 * FOLDS:
        return None
    if label.task in TAGS:
        judged = _judge_tags(inputs, label.values, groups)
    elif label.task in NUMBERS:
        judged = _judge_number(inputs, label.values, groups)
    else:
        judged = _judge_classes(inputs, label.values, groups)
    if judged is None:
        return None
    statistic, chance, n_classes = judged
    low, high = _interval(statistic, groups, seed)
    value = float(statistic(np.ones((1, len(groups))))[0])
    metric = METRICS[label.task]
    return Score(label.task, metric, value, low, high, chance, len(groups), n_groups, n_classes)


Statistic = Callable[[np.ndarray], np.ndarray]  # weights of tracks [draws x n] -> values [draws]


def _judge_classes(
    inputs: np.ndarray, codes: np.ndarray, groups: np.ndarray
) -> tuple[Statistic, float, int] | None:
    counts = np.bincount(codes)
    if (counts > 0).sum() < 2:
        return None
    right = np.zeros(len(codes))
    for train, test in folds(groups):
        if len(np.unique(codes[train])) < 2:
            return None
        right[test] = predict_classes(inputs, codes, groups, train, test) == codes[test]
    chance = float(counts.max() / len(codes))
    return lambda w: w @ right / w.sum(axis=1), chance, int((counts > 0).sum())


def _judge_number(
    inputs: np.ndarray, numbers: np.ndarray, groups: np.ndarray
) -> tuple[Statistic, float, int] | None:
    if np.ptp(numbers) == 0:
        return None
    predicted = predict_numbers(inputs, numbers[:, None], groups)[:, 0]
    error = (numbers - predicted) ** 2

    def statistic(w: np.ndarray) -> np.ndarray:
        mean = w @ numbers / w.sum(axis=1)
        around = w @ numbers**2 - w.sum(axis=1) * mean**2
        return 1 - w @ error / around

    return statistic, 0.0, 0


def _judge_tags(
    inputs: np.ndarray, tags: np.ndarray, groups: np.ndarray
) -> tuple[Statistic, float, int] | None:
    share = tags.mean(axis=0)
    tags = tags[:, (share > 0) & (share < 1)]
    if not tags.shape[1]:
        return None
    predicted = predict_numbers(inputs, tags.astype(float), groups)

    def statistic(w: np.ndarray) -> np.ndarray:
        columns = [auc(predicted[:, j], tags[:, j], w) for j in range(tags.shape[1])]
        # A draw may miss a rare tag: the mean is over the others.
        return np.nanmean(columns, axis=0)

    return statistic, 0.5, tags.shape[1]


def _probe_artists(inputs: np.ndarray, artists: np.ndarray, seed: int) -> Score | None:
    """AUC of the cosine: pairs of tracks of one artist against pairs of two artists.

    The vectors are standardised: an offset that all tracks share would make all cosines alike.
    """
    rng = np.random.default_rng([seed, 1])
    same = _same_pairs(artists, rng)
    if len(artists) < MIN_TRACKS or not len(same):
        return None
    other = rng.integers(0, len(artists), (4 * MAX_PAIRS, 2))
    other = other[artists[other[:, 0]] != artists[other[:, 1]]][:MAX_PAIRS]
    if not len(other):
        return None
    length = np.linalg.norm(inputs, axis=1, keepdims=True)
    unit = np.divide(inputs, length, out=np.zeros_like(inputs), where=length > 0)
    pairs = np.concatenate([same, other])
    cosine = np.concatenate(
        [
            np.einsum("nd,nd->n", unit[part[:, 0]], unit[part[:, 1]])
            for part in np.array_split(pairs, max(1, len(pairs) // 4096))
        ]
    )
    positive = np.arange(len(pairs)) < len(same)
    codes = np.unique(artists, return_inverse=True)[1]
    value = float(auc(cosine, positive, np.ones((1, len(pairs))))[0])
    n_artists = int(codes.max()) + 1
    first, second = codes[pairs].T
    draws = []
    for taken in np.array_split(_resampled(n_artists, seed), 25):
        weights = taken[:, first] * np.where(positive, 1, taken[:, second])
        draws.append(auc(cosine, positive, weights))
    low, high = np.nanquantile(np.concatenate(draws), [0.025, 0.975])
    return Score(
        "artist", METRICS["artist"], value, float(low), float(high), 0.5, len(artists), n_artists, 0
    )


def _same_pairs(artists: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Pairs of tracks of one artist [n x 2], drawn where there are too many."""
    pairs = []
    for artist in np.unique(artists):
        mine = np.flatnonzero(artists == artist)
        first, second = np.triu_indices(len(mine), 1)
        pairs.append(np.column_stack([mine[first], mine[second]]))
    every = np.concatenate(pairs)
    return every if len(every) <= MAX_PAIRS else every[rng.permutation(len(every))[:MAX_PAIRS]]


def _resampled(n_groups: int, seed: int) -> np.ndarray:
    """How often each group was taken in each draw [draws x groups]."""
    taken = np.random.default_rng([seed, 2]).integers(0, n_groups, (DRAWS, n_groups))
    return np.stack([np.bincount(draw, minlength=n_groups) for draw in taken]).astype(float)


def _interval(statistic: Statistic, groups: np.ndarray, seed: int) -> tuple[float, float]:
    """The ends of the 95 % interval over resampled groups, whole artists at a time."""
    codes = np.unique(groups, return_inverse=True)[1]
    weights = _resampled(int(codes.max()) + 1, seed)[:, codes]
    low, high = np.nanquantile(statistic(weights), [0.025, 0.975])
    return float(low), float(high)
