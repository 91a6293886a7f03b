"""The public feature files of Music4All-Onion as vectors of a dataset folder.

A file `id_NAME.tsv.bz2` of the record has a track's id and one number per column. Its
vectors go to `embeddings/onion_NAME.npy`, of origin "file". `id_musicnn` holds 50 tag activations
and not MusiCNN's 200 values, so that it is called `onion_musicnn_tags`.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data import filled_rows
from mrs.data.checks import refuse_rows
from mrs.data.dataset import Dataset
from mrs.data.download import require_space
from mrs.data.filled_rows import Filled
from mrs.data.readers.music4all import bz2_lines
from mrs.data.tables import read_csv
from mrs.errors import InputError
from mrs.files import Digests, replacing, write_json

BLOCK = 32 << 20  # bytes of text looked at together: the largest file has about 10 GB
NAMES = {"musicnn": "musicnn_tags"}  # where the file's own name means something else here
ORDER = "trackid_sorted.csv"
SOURCE = "Music4All-Onion, zenodo.org/records/15394646"


def backend_name(path: Path) -> str:
    """What the vectors of a feature file are called. Raises `InputError` for another file."""
    name = path.name.removeprefix("id_").removesuffix(".tsv.bz2")
    if path.name != f"id_{name}.tsv.bz2":
        raise InputError(f"{path}: is no feature file; name one of the record, id_NAME.tsv.bz2")
    return f"onion_{NAMES.get(name, name)}"


def add_features(dataset: Dataset, path: Path) -> Filled:
    """Write a feature file's rows of the dataset's tracks into its folder, with their card.

    Tracks without a row are filled (see `filled_rows`) and listed beside the vectors. The file is
    read in blocks. In the authors' layout, whose tracks are numbers, their `trackid_sorted.csv`
    (idx, trackid) in the folder says which number is which id. Raises `InputError`, and leaves no
    vectors then.
    """
    name = backend_name(path)
    target = dataset.folder / "embeddings" / f"{name}.npy"
    if target.exists():
        raise InputError(f"{target}: is there already; move it away to read it anew")
    ids = _ids(dataset)
    with replacing(target) as temporary:
        width, rows = _write(path, ids, temporary)
        added = Filled(
            target,
            len(ids),
            rows.select(
                "row",
                dataset.tracks["track_id"][rows["row"].to_list()],
                pl.lit("no row in the file").alias("reason"),
                "stand_in",
            ),
        )
        added.write_report()
        card = {
            "backend": name,
            "origin": "file",
            "embedding_size": width,
            "source": f"{path.name} of {SOURCE}",
            "source_sha256": Digests().of_file(path),
            "licence": "CC BY 4.0",
            "skipped": added.on_card(),
            "sha256": Digests().of_file(temporary),
        }
        write_json(target.with_suffix(".json"), card)
    return added


def _ids(dataset: Dataset) -> pl.Series:
    """Music4All's id of each track, null where it is not known."""
    ids = dataset.tracks["track_id"]
    if dataset.info.get("layout") != "authors":
        return ids.cast(pl.String)
    path = dataset.folder / ORDER
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; put the authors' table of idx and trackid there, which says "
            "which number is which track"
        )
    try:
        order = read_csv(path, schema_overrides={"idx": pl.Int64, "trackid": pl.String})
        known = pl.DataFrame({"idx": ids.cast(pl.Int64)}).join(
            order.select("idx", "trackid"), on="idx", how="left", maintain_order="left"
        )
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: no table of idx and trackid ({reason})") from error
    if len(known) != len(ids):
        raise InputError(f"{path}: an idx stands there twice; keep one row")
    return known["trackid"]


def _write(path: Path, ids: pl.Series, target: Path) -> tuple[int, pl.DataFrame]:
    """Write the rows of the ids as .npy; returns their width and the rows that have none."""
    row_of = {name: row for row, name in enumerate(ids.to_list()) if name is not None}
    have = np.zeros(len(ids), dtype=bool)
    with closing(bz2_lines(path, BLOCK)) as lines, target.open("wb+") as file:
        columns = next(lines).decode(errors="replace").rstrip("\r\n").split("\t")
        if columns[0] != "id" or len(columns) < 2:
            raise InputError(f"{path}: begins with {columns[0][:40]!r}, not with id and features")
        width = len(columns) - 1
        require_space(target.parent, 4 * width * len(ids))
        rows = filled_rows.RowFile(file, len(ids), width)
        for start, names, values in _rows(path, lines, width, row_of):
            for i, name in enumerate(names):
                row = row_of[name]
                if have[row]:
                    raise InputError(
                        f"{path}: id {name} stands there twice, again after row {start}; "
                        "download it again"
                    )
                have[row] = True
                rows.write(row, values[i])
        if not have.any():
            raise InputError(
                f"{path}: none of its ids is a track of the dataset, which begin with {ids[0]}"
            )
        skipped = np.flatnonzero(~have).tolist()
        drawn = filled_rows.draw(np.flatnonzero(have).tolist(), skipped)
        rows.fill(drawn)
    listed = {"row": list(drawn), "stand_in": list(drawn.values())}
    return width, pl.DataFrame(listed, schema=dict.fromkeys(listed, pl.Int64))


def _rows(
    path: Path, lines: Iterator[bytes], width: int, wanted: dict[str, int]
) -> Iterator[tuple[int, list[str], np.ndarray]]:
    """The rows of the wanted ids, a block at a time: its first row, ids, float32 [n x width]."""
    features = [f"f{column}" for column in range(width)]
    schema: dict[str, Any] = {"id": pl.String} | dict.fromkeys(features, pl.Float32)
    chosen = pl.Series(list(wanted), dtype=pl.String)
    start = 0
    for text in lines:
        where = f"{path}: after row {start}: not an id and {width} numbers"
        frame = read_csv(
            text, where, separator="\t", has_header=False, schema=schema, quote_char=None
        )
        mine = frame.with_row_index("row", start).filter(pl.col("id").is_in(chosen.implode()))
        values = mine.select(features).to_numpy()
        wrong = pl.Series(~np.isfinite(values).all(axis=1))
        refuse_rows(path, wrong, mine["id"], "a value is missing or not finite", mine["row"])
        yield start, mine["id"].to_list(), np.ascontiguousarray(values)
        start += len(frame)
