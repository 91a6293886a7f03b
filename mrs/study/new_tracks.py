"""Predicted popularity and exposure of new tracks: a few numbers in run.json under `new_tracks`.

Runs of the cold scenario have them on a split with cold validation and artists.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mrs.data.splits import Interactions, Split
from mrs.evaluation import exposure, track_popularity
from mrs.study.ranker import Ranker


def has_new_tracks(split: Split) -> bool:
    """Whether the split has what `describe_new_tracks` needs: cold validation and artists."""
    return split.cold_val is not None and split.artists is not None


def describe_new_tracks(ranker: Ranker, k: Sequence[int], depth: int) -> dict[str, Any]:
    """Predicted popularity and exposure, as JSON takes them; lists are ranked to `depth`.

    `popularity`: `all`, `head` and `tail` (see `track_popularity.Part`), the `bins` of the
    reliability curve and their `calibration_error`; plays are multiples of the mean new track's of
    their period.
    `exposure`: by list length, the rows of `exposure.exposure`.
    """
    split = ranker.split
    assert split.cold_val is not None
    assert split.artists is not None
    _, candidates, truth, _ = ranker.task("cold")
    held = np.unique(split.cold_val.track)
    artist = split.artists[candidates]
    listeners = np.append(split.artist_listeners, 0)[artist]  # code -1, an unknown artist: 0
    group = exposure.groups(listeners, split.known_artist[candidates])
    _, lists = ranker.lists("cold", depth)
    shown = {
        str(length): exposure.exposure(
            lists[:, :length], truth.indices, group, listeners
        ).to_dicts()
        for length in k
    }
    return {"popularity": _popularity(ranker, candidates, held), "exposure": shown}


def _popularity(ranker: Ranker, candidates: np.ndarray, held: np.ndarray) -> dict[str, Any]:
    split = ranker.split
    assert split.cold_val is not None
    everybody = ranker.fitted.users()

    def scores(tracks: np.ndarray) -> np.ndarray:
        return track_popularity.mean_scores(everybody, ranker.new_items(tracks))

    def plays(part: Interactions, tracks: np.ndarray) -> np.ndarray:
        counts = np.bincount(part.track, weights=part.count, minlength=len(split.tracks))
        return track_popularity.relative(counts[tracks])

    predicted, found = scores(candidates), plays(split.cold_test, candidates)
    expected = (
        track_popularity.calibrated(scores(held), plays(split.cold_val, held), predicted)
        if len(held)
        else None
    )
    measured: dict[str, Any] = {
        name: asdict(part)
        for name, part in track_popularity.parts(predicted, expected, found).items()
    }
    if expected is not None:
        curve = track_popularity.bins(expected, found)
        measured |= {
            "bins": curve.tolist(),
            "calibration_error": track_popularity.calibration_error(curve),
        }
    return measured
