"""Rows of tracks without a vector.

A dataset's vectors have one row per track, also for a track that has none of its own. Its row is a
copy of another track's, drawn by a fixed seed, as in the study's shuffled controls: it says
nothing about the track, and norms and cosines stay those of the model. A row of zeros would stand
outside of the cloud of the vectors; their mean would be nearest to every listener's profile, so
that a few such tracks would head everyone's list. The card counts and lists these rows, and a
table beside the vectors names the row that each was copied from (`stand_in`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from mrs.files import write_atomically

SEED = 0
RULE = (
    "the row of a skipped track is a copy of another track's, drawn with seed "
    f"{SEED} among those that have a vector"
)


@dataclass(frozen=True)
class Filled:
    """Vectors that were written: the file, of how many tracks, and the tracks without one.

    `skipped` has one row per such track: row, track_id, reason and stand_in (a row), and for
    computed vectors audio and detail.
    """

    path: Path
    n_tracks: int
    skipped: pl.DataFrame

    def reasons(self) -> str:
        """The reasons of the skipped tracks with their numbers, the most frequent first."""
        counts = Counter(self.skipped["reason"].to_list())
        return ", ".join(f"{reason} {n}" for reason, n in counts.most_common())

    def on_card(self) -> dict[str, Any]:
        """What the card beside the vectors says of the skipped tracks."""
        return {
            "count": len(self.skipped),
            "rule": RULE,
            "report": report_file(self.path).name,
            "rows": self.skipped["row"].to_list(),
        }

    def write_report(self) -> None:
        """Write the table of skipped tracks beside the vectors."""
        write_atomically(report_file(self.path), self.skipped.write_csv())


def draw(known: Sequence[int], skipped: Sequence[int]) -> dict[int, int]:
    """The known row that is copied to each skipped one."""
    drawn = np.random.default_rng(SEED).choice(known, len(skipped))
    return dict(zip(skipped, drawn.tolist(), strict=True))


class RowFile:
    """Float32 rows written into a .npy file by position: [n x width], of which few are held.

    `file` is open for reading and writing. Rows that are not written are zero.
    """

    def __init__(self, file: BinaryIO, n: int, width: int) -> None:
        self.file, self.size = file, 4 * width
        header = {"descr": "<f4", "fortran_order": False, "shape": (n, width)}
        np.lib.format.write_array_header_1_0(file, header)
        self.begin = file.tell()
        file.truncate(self.begin + self.size * n)

    def write(self, row: int, values: np.ndarray) -> None:
        """Write one row or more from position `row` on."""
        self.file.seek(self.begin + self.size * row)
        self.file.write(values.astype("<f4", copy=False).tobytes())

    def fill(self, copied: dict[int, int]) -> None:
        """Fill rows with copies of others: from each row without a vector to the row copied."""
        for row, source in copied.items():
            self.file.seek(self.begin + self.size * source)
            content = self.file.read(self.size)
            self.file.seek(self.begin + self.size * row)
            self.file.write(content)


def report_file(vectors: Path) -> Path:
    """The table of skipped tracks beside a file of vectors."""
    return vectors.with_suffix(".skipped.csv")
