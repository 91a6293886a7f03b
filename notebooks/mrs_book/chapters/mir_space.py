"""What the space of a backend's vectors looks like: lengths, anisotropy, and a map of it."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from mrs.data.checks import repeated_rows

SPACE_VERSION = 1  # raised when the same vectors give other numbers

MAX_TRACKS = 1_000  # drawn where there are more: time and memory grow with their square
NEIGHBOURS = 10


@dataclass(frozen=True)
class Space:
    """Numbers about vectors [n x width].

    `norm_median`, `norm_low`, `norm_high`: the vectors' lengths, median and 5th and 95th
    percentile. `offset`: the length of the mean vector over the root mean square distance from it.
    `mean_cosine` is that of two different tracks, 0 in a space without a preferred direction
    (anisotropy: Ethayarajh, EMNLP 2019), and `mean_cosine_centred` after the mean vector was taken
    off. `effective_size` is the participation ratio of the variances of the principal components:
    width where all are alike, 1 where one holds all. `map_variance`: the share of variance that
    the first two components hold each; `neighbours_kept`: the share of a track's ten nearest tracks
    that are among its ten nearest on that map, with what a random map keeps beside it. `zeros` and
    `duplicates` count rows of zeros and rows equal to an earlier one.
    """

    n_tracks: int
    norm_median: float
    norm_low: float
    norm_high: float
    offset: float
    mean_cosine: float
    mean_cosine_centred: float
    effective_size: float
    map_variance: tuple[float, float]
    neighbours_kept: float
    neighbours_by_chance: float
    zeros: int
    duplicates: int


def describe(vectors: np.ndarray, *, seed: int = 0) -> Space:
    """The numbers of `Space`; map, cosines and neighbours of at most `MAX_TRACKS` tracks."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    chosen = drawn(len(vectors), seed)
    part = np.asarray(vectors[chosen], dtype=np.float64)
    with threadpool_limits(1):
        mean = part.mean(axis=0)
        centred = part - mean
        spread = float(np.sqrt(np.square(centred).sum(axis=1).mean()))
        places, share = plane(part)
        full, flat = nearest(part), nearest(places)
    kept = np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(full, flat, strict=True)])
    low, median, high = np.quantile(norms, [0.05, 0.5, 0.95])
    return Space(
        n_tracks=len(vectors),
        norm_median=float(median),
        norm_low=float(low),
        norm_high=float(high),
        offset=float(np.linalg.norm(mean) / spread) if spread else 0.0,
        mean_cosine=mean_cosine(part),
        mean_cosine_centred=mean_cosine(centred),
        effective_size=_participation(centred),
        map_variance=share,
        neighbours_kept=float(kept),
        neighbours_by_chance=full.shape[1] / (len(part) - 1),
        zeros=int((norms == 0).sum()),
        duplicates=len(repeated_rows(vectors)),
    )


def drawn(n: int, seed: int = 0) -> np.ndarray:
    """Positions of all of n tracks, or of `MAX_TRACKS` drawn ones; ascending."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:MAX_TRACKS])


def mean_cosine(vectors: np.ndarray) -> float:
    """The mean cosine over all pairs of two different rows; rows of zeros are left out."""
    length = np.linalg.norm(vectors, axis=1)
    live = length > 1e-12 * max(float(length.max(initial=0.0)), 1e-300)
    n = int(live.sum())
    if n < 2:
        return float("nan")
    total = (vectors[live] / length[live, None]).sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))  # the square of the sum holds every pair


def plane(vectors: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """The first two principal components [n x 2], and the share of variance that each holds.

    The sign of a component is such that its entry of largest magnitude is positive.
    """
    centred = np.asarray(vectors, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    total = float(np.square(centred).sum())
    if total == 0:
        return np.zeros((len(centred), 2)), (0.0, 0.0)
    if centred.shape[1] == 1:
        centred = np.column_stack([centred, np.zeros(len(centred))])
    from scipy.sparse.linalg import eigsh

    narrow = centred.shape[1] <= len(centred)
    gram = centred.T @ centred if narrow else centred @ centred.T
    if len(gram) > 2:
        start = np.random.default_rng(0).standard_normal(len(gram))
        values, directions = eigsh(gram, k=2, v0=start)
    else:
        values, directions = np.linalg.eigh(gram)
    values, directions = np.maximum(values[::-1], 0), directions[:, ::-1]
    places = centred @ directions if narrow else directions * np.sqrt(values)
    signs = np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    shares = float(values[0] / total), float(values[1] / total)
    return places * np.where(signs == 0, 1, signs), shares


def nearest(vectors: np.ndarray, k: int = NEIGHBOURS) -> np.ndarray:
    """The k nearest other rows of each row by Euclidean distance [n x k], in no order."""
    square = np.square(vectors).sum(axis=1)
    distance = square[:, None] + square - 2 * vectors @ vectors.T
    np.fill_diagonal(distance, np.inf)
    k = min(k, len(vectors) - 1)
    return np.argpartition(distance, k - 1, axis=1)[:, :k]


def _participation(centred: np.ndarray) -> float:
    """(sum of the components' variances) squared over the sum of their squares."""
    gram = centred.T @ centred if centred.shape[1] <= len(centred) else centred @ centred.T
    square = float(np.square(gram).sum())
    return float(np.trace(gram) ** 2 / square) if square else 0.0
