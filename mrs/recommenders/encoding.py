"""Factors of many new tracks by a saved recommender, file to file in bounded memory."""

import json
from pathlib import Path

import numpy as np

from mrs.data.tables import read_csv
from mrs.errors import InputError
from mrs.files import replacing
from mrs.recommenders import Fitted  # the registry imports every kind

ROWS_AT_ONCE = 8192


def load_fitted(folder: str | Path) -> Fitted:
    """A saved recommender of any kind. Raises `InputError` where the folder holds none."""
    path = Path(folder) / "fitted.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["class"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: no saved recommender ({error}); save it again") from error
    kinds: dict[str, type[Fitted]] = {}
    below = Fitted.__subclasses__()
    while below:
        kind = below.pop()
        kinds[kind.__name__] = kind
        below += kind.__subclasses__()
    if name not in kinds:
        raise InputError(f"{path}: holds a {name}, which is unknown; save it again")
    return kinds[name].load(folder)


def encode_file(
    model: Fitted, vectors: Path, artists: Path | None, out: Path
) -> tuple[int, int, int]:
    """Write the factors of new tracks [M x d] to `out`, a .npy file with the rows of `vectors`.

    `artists` is a CSV with a column artist_id, one row per track in the same order; an id without a
    train track, or none, is an unknown artist. Vectors are read and factors written a block of
    rows at a time, tracks of an artist together. Nothing is left behind where this fails. Returns
    the numbers of tracks, of factors each, and of tracks of unknown artists (0 without artists).
    Raises `InputError`.
    """
    if out.suffix != ".npy" or not out.parent.is_dir():
        raise InputError(f"{out}: name a file that ends in .npy in a folder that exists")
    read = _open(vectors)
    codes = None if artists is None else _codes(model, artists, len(read))
    order = np.arange(len(read)) if codes is None else np.argsort(codes, kind="stable")
    with replacing(out) as half:
        written, width = None, 0
        for start in range(0, len(read), ROWS_AT_ONCE):
            rows = order[start : start + ROWS_AT_ONCE]
            block = np.asarray(read[rows], dtype=np.float32)
            if not np.isfinite(block).all():
                row = int(rows[~np.isfinite(block).all(axis=1)].min())
                raise InputError(f"{vectors}: row {row}: holds NaN or infinity; mend the vectors")
            try:
                factors = model.encode(block, None if codes is None else codes[rows])
            except ValueError as error:  # another width than the model was fitted to
                raise InputError(f"{vectors}: {error}; give the vectors that it read") from error
            if written is None:
                width = factors.shape[1]
                shape = (len(read), width)
                written = np.lib.format.open_memmap(half, "w+", dtype=np.float32, shape=shape)
            written[rows] = factors
        assert written is not None
        written.flush()
    return len(read), width, 0 if codes is None else int((codes < 0).sum())


def _open(vectors: Path) -> np.ndarray:
    try:
        read = np.load(vectors, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{vectors}: no .npy file ({error}); write one with numpy.save") from error
    if read.ndim != 2 or not len(read) or read.dtype.kind != "f":
        raise InputError(
            f"{vectors}: {read.dtype} {read.shape}; give a float matrix, one row per track"
        )
    return read


def _codes(model: Fitted, artists: Path, n_tracks: int) -> np.ndarray:
    """Codes of the artists in a CSV [n_tracks], -1 for those that the model does not know."""
    known = getattr(model, "artist_ids", None)
    if known is None:
        raise InputError(f"{artists}: {type(model).__name__} reads no artists; leave it out")
    frame = read_csv(artists, infer_schema=False)
    if "artist_id" not in frame.columns or len(frame) != n_tracks:
        raise InputError(
            f"{artists}: {len(frame)} rows, columns {', '.join(frame.columns)}; give a column "
            f"artist_id and one row for each of the {n_tracks} vectors"
        )
    codes = {str(name): code for code, name in enumerate(known.tolist())}
    return np.array([codes.get(name, -1) for name in frame["artist_id"].to_list()])
