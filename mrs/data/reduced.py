"""Large public datasets reduced to a dataset folder: the plays of a window, tracks with artists."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.errors import InputError


def primary_artists(mapping: pl.DataFrame) -> pl.DataFrame:
    """One row a track (track_id, artist_id): its first in the mapping, which may name several."""
    return mapping.unique("track_id", keep="first", maintain_order=True)


def write_folder(
    folder: Path,
    tracks: pl.DataFrame,
    listens: pl.DataFrame,
    info: dict[str, Any],
    vectors: dict[str, tuple[np.ndarray, dict[str, Any]]] | None = None,
) -> Path:
    """Write a dataset folder: tracks, plays, dataset.json, and vectors with their cards by name.

    It is written beside `folder` and renamed, so that `folder` is whole or absent. Raises
    `InputError` where something is there already, and for no play.
    """
    if folder.exists():
        raise InputError(f"{folder}: is there already; name another folder or move it away")
    if not len(listens):
        raise InputError(
            f"{folder}: no play is left; check that the files are those of {info['name']}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        tracks.write_parquet(temporary / "tracks.parquet")
        listens.sort("user_id", "timestamp").write_parquet(temporary / "listens.parquet")
        (temporary / "embeddings").mkdir()
        for name, (rows, card) in (vectors or {}).items():
            np.save(temporary / "embeddings" / f"{name}.npy", rows)
            _write_json(temporary / "embeddings" / f"{name}.json", {"backend": name, **card})
        _write_json(temporary / "dataset.json", info)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
