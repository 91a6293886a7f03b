"""How popular a new track becomes, as a recommender predicts it.

The prediction is the mean of the track's scores over all users; what came true is its plays in the
test period. A score has a scale of its own, so that its order is judged by rank correlation, and
its level after an isotonic fit on other new tracks, those of cold validation.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

HEAD = 0.2  # share of the tracks that counts as the head
BINS = 10


@dataclass(frozen=True)
class Part:
    """Agreement over some tracks: Spearman's correlation, and mean plays expected and found.

    `error` is the mean absolute difference of expected and found. `spearman` is None for fewer than
    two tracks and where either side is constant, `expected` and `error` without a calibration.
    """

    n_tracks: int
    spearman: float | None
    expected: float | None
    found: float
    error: float | None


def mean_scores(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The mean over users [U x d] of each track's score, from its factors [M x d]; [M]."""
    return items.astype(np.float64) @ users.mean(axis=0, dtype=np.float64)


def relative(plays: np.ndarray) -> np.ndarray:
    """Plays [M] as multiples of the mean track's, comparable between periods; zeros stay zeros."""
    mean = plays.mean() if len(plays) else 0.0
    return plays / mean if mean > 0 else np.zeros(len(plays))


def spearman(one: np.ndarray, other: np.ndarray) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where it is not defined."""
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    ranks = [pl.Series(values).rank("average").to_numpy() for values in (one, other)]
    return float(np.corrcoef(ranks)[0, 1])


def head(plays: np.ndarray, share: float = HEAD) -> np.ndarray:
    """Which tracks are the most played `share` of all [M]; ties at the cut are all in the head."""
    if not len(plays):
        return np.zeros(0, dtype=bool)
    n_head = max(1, round(share * len(plays)))
    return plays >= np.sort(plays)[-n_head]


def calibrated(
    held_scores: np.ndarray, held_plays: np.ndarray, scores: np.ndarray
) -> np.ndarray | None:
    """The plays to expect of scores [M], from the monotone fit to held-out tracks [H].

    Isotonic regression by least squares; a score outside of those fitted gets the nearest one's
    value. None with no held-out track.
    """
    if not len(held_scores):
        return None
    from sklearn.isotonic import IsotonicRegression  # takes over a second to import

    fit = IsotonicRegression(increasing=True, out_of_bounds="clip")
    return fit.fit(held_scores, held_plays).predict(scores)


def bins(expected: np.ndarray, found: np.ndarray, n_bins: int = BINS) -> np.ndarray:
    """A reliability curve: rows of number of tracks, mean expected, mean found, ascending.

    Tracks are taken in the order of `expected`; those of one expected value, of which an isotonic
    fit leaves few, go together into the 1 / n_bins in which they begin. [at most n_bins x 3]
    """
    levels, level = np.unique(expected, return_inverse=True)
    size = np.bincount(level, minlength=len(levels))
    before = np.cumsum(size) - size
    place = np.minimum((before * n_bins) // max(len(expected), 1), n_bins - 1)
    _, which = np.unique(place, return_inverse=True)
    which = which[level]
    counts = np.bincount(which)
    sums = [np.bincount(which, weights=values) for values in (expected, found)]
    return np.column_stack([counts, *(total / counts for total in sums)])


def calibration_error(curve: np.ndarray) -> float:
    """Mean distance of expected and found over the bins of `bins`, weighted by their tracks.

    It says whether the level can be believed, not whether it tells tracks apart: expecting the mean
    of every track has none.
    """
    return float(np.average(np.abs(curve[:, 1] - curve[:, 2]), weights=curve[:, 0]))


def parts(scores: np.ndarray, expected: np.ndarray | None, found: np.ndarray) -> dict[str, Part]:
    """Agreement over all tracks, the head of the most played ones, and the tail of the others."""

    def part(rows: np.ndarray) -> Part:
        true = found[rows]
        known = expected[rows] if expected is not None and len(true) else None
        return Part(
            n_tracks=len(true),
            spearman=spearman(scores[rows], true),
            expected=None if known is None else float(known.mean()),
            found=float(true.mean()) if len(true) else 0.0,
            error=None if known is None else float(np.abs(known - true).mean()),
        )

    in_head = head(found)
    everything = np.ones(len(found), dtype=bool)
    return {"all": part(everything), "head": part(in_head), "tail": part(~in_head)}
