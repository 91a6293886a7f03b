"""What a dataset holds: the tables of its data card, and the verification of its files."""

import numpy as np
import polars as pl

from mrs.data.dataset import Dataset
from mrs.data.splits import Interactions, Split
from mrs.errors import InputError
from mrs.files import Digests


def facts(dataset: Dataset) -> pl.DataFrame:
    """What dataset.json says in words: one row per fact (fact, value)."""
    info = dataset.info
    origin = "generated: no listener and no track is real" if dataset.generated else "real"
    rows = {
        "name": dataset.name,
        "title": info.get("title"),
        "origin": origin if "origin" in info else "not stated",
        "licence": info.get("licence", "not stated"),
        "redistribution": info.get("redistribution", "not stated"),
        "description": info.get("description"),
        "tracks": f"{len(dataset.tracks):,}",
        "columns of tracks": ", ".join(dataset.tracks.columns),
    }
    if "artist_id" in dataset.tracks.columns:
        rows["artists"] = f"{dataset.tracks['artist_id'].n_unique():,}"
    kept = {fact: value for fact, value in rows.items() if value is not None}
    return pl.DataFrame({"fact": list(kept), "value": [str(value) for value in kept.values()]})


def split_table(split: Split) -> pl.DataFrame:
    """One row per part: pairs, users, tracks, median (range) of tracks and plays per user."""
    parts = {
        "train": split.train,
        "validation": split.val,
        "hot test": split.hot_test,
        "cold test": split.cold_test,
    }
    if split.cold_val is not None:
        parts["cold validation"] = split.cold_val
    return pl.DataFrame([_part_row(name, part) for name, part in parts.items()])


def _part_row(name: str, part: Interactions) -> dict[str, str | int]:
    def spread(values: np.ndarray) -> str:
        if not len(values):
            return ""
        return f"{np.median(values):g} ({values.min():g}-{values.max():g})"

    tracks = np.bincount(part.user)
    plays = np.bincount(part.user, weights=part.count)
    present = tracks > 0
    return {
        "part": name,
        "pairs": len(part),
        "users": int(present.sum()),
        "tracks": len(np.unique(part.track)),
        "tracks a user": spread(tracks[present]),
        "plays a user": spread(plays[present]),
    }


def backend_table(dataset: Dataset) -> pl.DataFrame:
    """One row per backend: its label, where the vectors came from, their width."""
    cards = [dataset.card(name) for name in dataset.backends()]
    return pl.DataFrame(
        {
            "backend": [card.backend for card in cards],
            "shown as": [card.label for card in cards],
            "vectors are": [card.origin for card in cards],
            "embedding size": [card.embedding_size for card in cards],
        },
        schema_overrides={"backend": pl.String, "shown as": pl.String, "vectors are": pl.String},
    )


def verify(dataset: Dataset) -> list[str]:
    """Check every file of the dataset; returns one line per check. Raises `InputError`."""
    lines = []
    digests = Digests()
    checksums = dict(dataset.info.get("checksums", {}))
    for name in dataset.backends():
        details = dataset.card(name).details
        if "sha256" in details:  # computed since the dataset was made, in place of another
            checksums.pop(f"embeddings/{name}.json", None)
            checksums[f"embeddings/{name}.npy"] = details["sha256"]
    for name, expected in checksums.items():
        path = dataset.folder / name
        if not path.is_file():
            raise InputError(f"{path}: missing, but listed in dataset.json; restore it")
        if digests.of_file(path) != expected:
            raise InputError(
                f"{path}: content differs from the recorded checksum; restore the file, "
                "or correct the checksum if the change is meant"
            )
        lines.append(f"{name}: checksum right")
    for name in dataset.splits():
        split = dataset.split(name)
        split.refuse_without_test()
        lines.append(
            f"split {name}: {len(split.train):,} train pairs of {len(split.users):,} users"
        )
    for name in dataset.backends():
        card = dataset.card(name)
        dataset.vectors(name, np.empty(0, int))  # checks the file and reads none of it
        size = f"{len(dataset.tracks)} x {card.embedding_size}"
        lines.append(f"embeddings/{name}.npy: {size}, {card.origin}")
    return lines
