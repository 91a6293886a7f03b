"""Large public datasets reduced to a dataset folder: the plays of a window, tracks with artists."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.errors import InputError


def first_named(mapping: pl.DataFrame) -> pl.DataFrame:
    """One row a track: its first in the mapping, which may name several."""
    return mapping.unique("track_id", keep="first", maintain_order=True)


def refuse_existing(folder: Path) -> None:
    """Raise `InputError` where something is there already, before it has taken time."""
    if folder.exists():
        raise InputError(f"{folder}: is there already; name another folder or move it away")


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` for what is written on the way to it; removed at the end.

    Raises `InputError` where the disk does not take what is written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as name:
            yield Path(name)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{folder}: cannot be written ({reason}); make room or name another folder"
        ) from error


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
    with scratch(folder) as temporary:
        whole = temporary / folder.name
        (whole / "embeddings").mkdir(parents=True)
        tracks.write_parquet(whole / "tracks.parquet")
        listens.sink_parquet(whole / "listens.parquet")
        for name, (rows, card) in (vectors or {}).items():
            np.save(whole / "embeddings" / f"{name}.npy", rows)
            _write_json(whole / "embeddings" / f"{name}.json", {"backend": name, **card})
        _write_json(whole / "dataset.json", info)
        whole.rename(folder)
    return folder


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
