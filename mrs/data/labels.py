"""What is known of each track besides its id, in the types that the study works with."""

from pathlib import Path

import polars as pl

from mrs.data.checks import refuse_rows
from mrs.errors import InputError

# One value per track: of a list the first. NUMBERS are numbers, the others are compared alone.
NUMBERS = ("tempo", "trait_tempo")
SINGLE = ("artist_id", "artist", "title", "genre", "key", "mode", "trait_key", "trait_mode")
TAGS = "tags"  # any number of values a track


def one_value_each(path: Path, tracks: pl.DataFrame) -> pl.DataFrame:
    """The table of tracks with one genre, artist, title, key, mode and tempo each.

    Of a column of lists the first entry counts, and an empty list or NaN is null. Tags become a
    list of text, or stay text with commas. Raises `InputError` for a type that holds no such value.
    """
    columns = []
    for name in tracks.columns:
        if name not in (*SINGLE, *NUMBERS, TAGS):
            continue
        column = tracks[name]
        if isinstance(column.dtype, pl.Array):
            column = column.arr.to_list()
        listed = isinstance(column.dtype, pl.List)
        held = column.dtype.inner if listed else column.dtype  # type: ignore[attr-defined]
        if held.is_nested() or held.is_object():
            raise InputError(
                f"{path}: column {name!r} holds {column.dtype}; "
                "write text, numbers or lists of these"
            )
        if name == TAGS:
            column = column.cast(pl.List(pl.String) if listed else pl.String)
        elif listed:
            column = column.list.first()
        if column.dtype.is_float():
            column = column.fill_nan(None)
        columns.append(_numbers(path, column) if name in NUMBERS else column)
    return tracks.with_columns(columns)


def _numbers(path: Path, column: pl.Series) -> pl.Series:
    values = column.cast(pl.Float64, strict=False)
    said = f"{column.name} {{!r}} is no number; write one or null"
    refuse_rows(path, values.is_null() & column.is_not_null(), column, said)
    return values
