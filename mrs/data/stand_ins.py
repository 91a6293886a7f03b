"""Rows of tracks without a vector.

A dataset's vectors have one row a track, also for a track that has none of its own. Its row is a
copy of another track's, drawn by a fixed seed, as in the study's shuffled controls: it tells
nothing about the track, and norms and cosines stay those of the model. A row of zeros would stand
outside of the cloud of the vectors; their mean would be nearest to every listener's profile, so
that a few such tracks would head everyone's list. The card counts and lists these rows, and a
table beside the vectors names each one's stand-in.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

SEED = 0
RULE = (
    "the row of a skipped track is a copy of another track's, drawn with seed "
    f"{SEED} among those that have a vector"
)


def draw(known: Sequence[int], skipped: Sequence[int]) -> dict[int, int]:
    """The row that stands in for each skipped one, drawn among the known."""
    drawn = np.random.default_rng(SEED).choice(known, len(skipped))
    return dict(zip(skipped, drawn.tolist(), strict=True))


def fill(file: BinaryIO, begin: int, width: int, stand_ins: dict[int, int]) -> None:
    """Copy float32 rows of `width` numbers, the first at byte `begin`, to those they stand for."""
    size = 4 * width
    for row, stand_in in stand_ins.items():
        file.seek(begin + stand_in * size)
        content = file.read(size)
        file.seek(begin + row * size)
        file.write(content)


def report_file(vectors: Path) -> Path:
    """The table of skipped tracks beside a file of vectors."""
    return vectors.with_suffix(".skipped.csv")


def on_card(vectors: Path, skipped: pl.DataFrame) -> dict[str, Any]:
    """What a card says of the skipped tracks; `skipped` has a column `row`."""
    return {
        "count": len(skipped),
        "rule": RULE,
        "report": report_file(vectors).name,
        "rows": skipped["row"].to_list(),
    }
