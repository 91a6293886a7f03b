"""The layout in which the authors of arXiv 2604.23077 publish their split and vectors."""

from pathlib import Path

import numpy as np
import polars as pl

from mrs.data import checks
from mrs.data.splits import KNOWN_RULES
from mrs.errors import InputError


def read_layout(folder: Path) -> tuple[pl.DataFrame, dict[str, dict[str, Path]], pl.Series | None]:
    """The tracks of four .pqt files in one folder, the files by split, and the cold candidates.

    The tracks are all rows of the vectors up to the last that a file names: the published KNN reads
    rows of tracks that nobody played. The cold candidates are exactly the tracks of cold_test, as
    in the authors' evaluation (589 of them there); None where a file is missing. Raises
    `InputError`.
    """
    names = [f"{part}.pqt" for part in checks.PARTS]
    present = [name for name in names if (folder / name).exists()]
    complete = len(present) == len(names)
    files = {"temporal": checks.split_files(folder, ".pqt")}
    if "train.pqt" not in present:  # a part by itself, which a known rule cuts
        files = {}
        present = [r.source for r in KNOWN_RULES.values() if (folder / r.source).exists()]
        if not present:
            raise InputError(f"{folder}: no train.pqt; put the authors' four .pqt files there")
    frames = {name: checks.read_frame(folder / name, {"track_id": "id"}) for name in present}
    named = pl.concat(list(frames.values()))["track_id"]
    if not named.dtype.is_integer() or (named < 0).any():
        raise InputError(
            f"{folder / present[0]}: track_id must be the row of the vectors, 0 or more"
        )
    n_rows = named.to_numpy().max(initial=-1) + 1
    tracks = pl.DataFrame({"track_id": pl.Series(np.arange(n_rows), dtype=named.dtype)})
    return tracks, files, frames["cold_test.pqt"]["track_id"].unique() if complete else None
