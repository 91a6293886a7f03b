"""Exposure: which share of the list places goes to artists of which popularity.

Beside it stand the share of the candidates that are theirs, which a random ranking gives, and that
of the truth, which a ranking gives that is as popular as what listeners played.
"""

import numpy as np
import polars as pl

GROUPS = 4  # quarters of the candidates whose artist is known
SCHEMA = {
    "group": pl.Int64,
    "least": pl.Float64,
    "most": pl.Float64,
    "n_tracks": pl.Int64,
    "candidates": pl.Float64,
    "truth": pl.Float64,
    "places": pl.Float64,
}


def groups(listeners: np.ndarray, known: np.ndarray, n_groups: int = GROUPS) -> np.ndarray:
    """The group of each candidate by its artist's listeners [C], from 1 (fewest) to n_groups.

    A group holds about 1 / n_groups of the candidates whose artist is `known` [C]; the candidates
    of one artist, and all with equally many listeners, share a group. The others are group 0.
    """
    group = np.zeros(len(listeners), dtype=np.int64)
    mine = listeners[known]
    below = np.searchsorted(np.sort(mine), mine)  # candidates with fewer listeners
    group[known] = 1 + below * n_groups // max(len(mine), 1)
    return group


def exposure(
    lists: np.ndarray, truth: np.ndarray, group: np.ndarray, listeners: np.ndarray
) -> pl.DataFrame:
    """One row per group that has candidates, ascending, with columns as in `SCHEMA`.

    `lists` are candidate columns [U x k] (-1: no entry), `truth` those of the relevant pairs [n],
    `group` and the artist's `listeners` are by candidate [C]. `least` and `most` are the range of
    listeners in a group; `candidates`, `truth` and `places` are shares that sum to 1.
    """
    n_groups = int(group.max(initial=-1)) + 1

    def shares(columns: np.ndarray) -> np.ndarray:
        counts = np.bincount(group[columns], minlength=n_groups)
        return counts / max(counts.sum(), 1)

    places, true, there = shares(lists[lists >= 0]), shares(truth), np.unique(group)
    sizes = np.bincount(group, minlength=n_groups)
    rows = [
        {
            "group": number,
            "least": listeners[group == number].min(),
            "most": listeners[group == number].max(),
            "n_tracks": sizes[number],
            "candidates": sizes[number] / len(group),
            "truth": true[number],
            "places": places[number],
        }
        for number in there.tolist()
    ]
    return pl.DataFrame(rows, schema=SCHEMA)
