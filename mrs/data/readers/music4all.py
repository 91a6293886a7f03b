"""Music4All-Onion: its listening logs, with Music4All's artists and genres where they are at hand.

The logs are record 15394646 of Zenodo (version 2, CC BY 4.0); Music4All itself, which names
artists, titles, genres and tags, is sent by its authors on request.
"""

import bz2
from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import polars as pl

from mrs.data.cards import load
from mrs.data.checks import refuse_rows
from mrs.data.readers.writer import first_named, refuse_existing, write_folder
from mrs.data.tables import read_csv, scan_parts
from mrs.errors import InputError
from mrs.files import scratch_folder, visible
from mrs.progress import progress_bar

LISTENING = "userid_trackid_timestamp.tsv.bz2"
INFORMATION = "id_information.csv"
GENRES = "id_genres.csv"
TAGS = "id_tags.csv"
AUDIO = "audios"  # folder with one file per track, named by its id
COLUMNS = ["user_id", "track_id", "timestamp"]
TIME = "%Y-%m-%d %H:%M:%S"
BLOCK = 64 << 20  # bytes of text looked at together: the whole is 9 GB


def reduce_onion(source: Path, folder: Path) -> Path:
    """Write the plays that the three splits need as a dataset folder; returns it.

    `source` holds `LISTENING` as it is published and, of Music4All, what is known of `INFORMATION`,
    `GENRES`, `TAGS` and `AUDIO`: without them the tracks have no artists, genres, tags or audio
    files. The log is read a block at a time and the plays in the window are kept in files, in the
    log's order, so that memory does not grow with it. Most of the time goes into decompression;
    progress goes to stderr. Raises `InputError`.
    """
    refuse_existing(folder)
    info = load()["music4all-onion"].dataset
    start = min(datetime.fromisoformat(r["train_start"]) for r in info["splits"].values())
    info = info | {"description": info["description"].format(start=start)}
    readers = {
        INFORMATION: read_information,
        GENRES: read_genres,
        TAGS: read_tags,
        AUDIO: read_audio,
    }
    known = [read(source / name) for name, read in readers.items() if (source / name).exists()]
    with (
        scratch_folder(folder) as parts,
        closing(read_listening(source / LISTENING, start)) as blocks,
    ):
        named, numbered = [], True
        for part, plays in enumerate(blocks):
            plays.write_parquet(parts / f"{part:06}.parquet")
            named.append(plays["track_id"].unique())
            numbered &= not plays["user_id"].cast(pl.Int64, strict=False).has_nulls()
        listens = scan_parts(visible(parts))
        if numbered:
            listens = listens.with_columns(pl.col("user_id").cast(pl.Int64))
        tracks = pl.concat(named).unique().sort().to_frame()
        for columns in known:
            tracks = tracks.join(columns, on="track_id", how="left", maintain_order="left")
        return write_folder(folder, tracks, listens, info)


def read_listening(path: Path, start: datetime) -> Generator[pl.DataFrame]:
    """The plays from `start` on of a tab separated, bz2 compressed log, one frame per block.

    Columns user_id and track_id (text), timestamp (microseconds). Raises `InputError` for a missing
    or truncated file, other columns, or a row that is no play.
    """
    n_rows = 0
    with closing(bz2_lines(path, BLOCK)) as blocks:
        header = next(blocks).decode(errors="replace").split()
        if header != COLUMNS:
            raise InputError(
                f"{path}: begins with {' '.join(header)[:60]!r}, not {' '.join(COLUMNS)!r}; "
                "put the listening log of Music4All-Onion there"
            )
        for text in blocks:
            frame = read_csv(
                text,
                f"{path}: after row {n_rows}",
                separator="\t",
                has_header=False,
                schema=dict.fromkeys(COLUMNS, pl.String),
                quote_char=None,
                missing_columns="insert",
            )
            time = pl.col("timestamp").str.to_datetime(TIME, time_unit="us", strict=False)
            frame = frame.with_columns(time)
            wrong = frame.select(pl.any_horizontal(pl.all().is_null())).to_series()
            said = "is no user, track and time such as 2018-09-01 12:00:00; download it again"
            rows = pl.int_range(n_rows, n_rows + len(frame), eager=True)
            refuse_rows(path, wrong, rows, said, rows)
            n_rows += len(frame)
            yield frame.filter(pl.col("timestamp") >= start)
    if not n_rows:
        raise InputError(f"{path}: has no rows; download it again")


def read_information(path: Path) -> pl.DataFrame:
    """Music4All's names (track_id, artist_id, artist, title); an artist is known by its name.

    A track with no artist has null. Raises `InputError`.
    """
    artist = pl.col("artist").str.strip_chars().replace("", None)
    return first_named(
        _read_table(path, "artist", "song").select(
            "track_id",
            artist.rank("dense").cast(pl.Int64).alias("artist_id"),
            artist,
            pl.col("song").alias("title"),
        )
    )


def read_genres(path: Path) -> pl.DataFrame:
    """Music4All's genres (track_id, genre): of a track with several, the one named first.

    Raises `InputError`.
    """
    genre = _labels("genres").list.first().alias("genre")
    return first_named(_read_table(path, "genres").select("track_id", genre))


def read_tags(path: Path) -> pl.DataFrame:
    """Music4All's tags (track_id, tags: a list of text). Raises `InputError`."""
    return first_named(_read_table(path, "tags").select("track_id", _labels("tags")))


def read_audio(folder: Path) -> pl.DataFrame:
    """Where Music4All's audio lies (track_id, audio: an absolute path). Raises `InputError`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; put Music4All's audio files into one")
    paths = sorted(path for path in visible(folder.resolve()) if path.is_file())
    columns = {"track_id": [path.stem for path in paths], "audio": [str(path) for path in paths]}
    return first_named(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))


def _labels(column: str) -> pl.Expr:
    """The labels of a comma separated list; null where it is empty."""
    labels = pl.col(column).str.split(",").list.eval(pl.element().str.strip_chars())
    labels = labels.list.filter(pl.element() != "")
    return pl.when(labels.list.len() > 0).then(labels)


def _read_table(path: Path, *columns: str) -> pl.DataFrame:
    """Columns of a tab separated file of Music4All as text, and its `id` as track_id."""
    frame = read_csv(path, separator="\t", quote_char=None, infer_schema=False)
    missing = [name for name in ("id", *columns) if name not in frame.columns]
    if missing:
        raise InputError(
            f"{path}: no column {', '.join(missing)}; it has {', '.join(frame.columns)}: "
            "put Music4All's tab separated file there"
        )
    return frame.select(pl.col("id").alias("track_id"), *columns)


def bz2_lines(path: Path, size: int) -> Generator[bytes]:
    """A large compressed table: its first line, then blocks of whole lines, of about `size` bytes.

    How much has been read goes to stderr, with the time that is left, until it is closed. Raises
    `InputError` for a missing, truncated or foreign file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; download it from Zenodo record 15394646")
    try:
        with (
            progress_bar(in_bytes=True) as progress,
            progress.open(path, "rb", description=path.name) as compressed,
            bz2.open(compressed) as file,
        ):
            yield file.readline()
            rest = b""
            while block := file.read(size):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if whole:
                    yield whole + newline
            if rest:
                yield rest
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: not a whole bz2 file ({error}); download it again") from error
