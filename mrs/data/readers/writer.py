"""Dataset folders of large public datasets: the plays of a window, tracks with their artists."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.errors import InputError
from mrs.files import scratch_folder, write_json


def first_named(mapping: pl.DataFrame) -> pl.DataFrame:
    """One row per track: its first in the mapping, which may name several."""
    return mapping.unique("track_id", keep="first", maintain_order=True)


def refuse_existing(folder: Path) -> None:
    """Raise `InputError` where something is there already, before it has taken time."""
    if folder.exists():
        raise InputError(f"{folder}: is there already; name another folder or move it away")


def write_folder(
    folder: Path,
    tracks: pl.DataFrame,
    listens: pl.LazyFrame,
    info: dict[str, Any],
    vectors: dict[str, tuple[np.ndarray, dict[str, Any]]] | None = None,
) -> Path:
    """Write a dataset folder: tracks, plays, dataset.json, and vectors with their cards by name.

    It is written beside `folder` and renamed, so that `folder` is whole or absent. Plays keep their
    order and pass through in parts. Raises `InputError` where something is there already, for no
    play, and where the disk is full.
    """
    refuse_existing(folder)
    if not len(tracks):
        raise InputError(
            f"{folder}: no play is left; check that the files are those of {info['name']}"
        )
    with scratch_folder(folder) as whole:
        (whole / "embeddings").mkdir()
        tracks.write_parquet(whole / "tracks.parquet")
        listens.sink_parquet(whole / "listens.parquet")
        for name, (rows, card) in (vectors or {}).items():
            np.save(whole / "embeddings" / f"{name}.npy", rows)
            write_json(whole / "embeddings" / f"{name}.json", {"backend": name, **card})
        write_json(whole / "dataset.json", info)
        whole.rename(folder)
    return folder
