"""Commands that compute vectors of audio and factors of new tracks."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mrs.cli.options import (
    BackendArgument,
    BackendSettings,
    WeightsOption,
    WorkersOption,
    assignments,
    warn_of_filled_rows,
)

MOST_SKIPPED = 5  # skipped files that are named, one per line


def embed(
    backend: BackendArgument,
    files: Annotated[list[Path], typer.Argument(help="audio files")],
    out: Annotated[Path, typer.Option(help=".npy file to write, with its card beside it")],
    frames: Annotated[
        bool, typer.Option("--frames", help="write all time frames, stacked in the order of files")
    ] = False,
    weights: WeightsOption = None,
    set_: BackendSettings = None,
) -> None:
    """Compute the vectors of audio files: one row per file, in their order."""
    from mrs.backends import make_backend
    from mrs.backends.embed import embed_files

    chosen = make_backend(backend, assignments(set_))
    done = embed_files(chosen, files, out, folder=weights, frames=frames)
    for path, error in list(done.skipped.items())[:MOST_SKIPPED]:
        print(f"mrs: skipped {path}: {error.reason}: {error.detail}", file=sys.stderr)
    if len(done.skipped) > MOST_SKIPPED:
        more = len(done.skipped) - MOST_SKIPPED
        print(f"mrs: skipped {more} more: see {out.with_suffix('.json')}", file=sys.stderr)
    print(f"{out}: {len(done.rows)} x {done.rows.shape[1]} of {len(done.counts)} files")


def encode(
    model: Annotated[Path, typer.Option(help="folder of a saved recommender")],
    vectors: Annotated[Path, typer.Option(help=".npy, one row per new track")],
    out: Annotated[Path, typer.Option(help=".npy file to write, one row of factors per track")],
    artists: Annotated[
        Path | None, typer.Option(help="CSV with artist_id, one row per track in the same order")
    ] = None,
) -> None:
    """Compute the factors of new tracks with a saved recommender, in bounded memory."""
    from mrs.recommenders.encoding import encode_file, load_fitted

    n_tracks, width, n_unknown = encode_file(load_fitted(model), vectors, artists, out)
    unknown = f", {n_unknown} of unknown artists" if n_unknown else ""
    print(f"{out}: {n_tracks} x {width}{unknown}")


def extract(
    dataset: Annotated[
        str, typer.Option(help="folder or name; its tracks.parquet names the audio files")
    ],
    backend: Annotated[str, typer.Option(help="name, such as mfcc or musicnn")],
    workers: WorkersOption = None,
    weights: WeightsOption = None,
    set_: BackendSettings = None,
) -> None:
    """Compute a dataset's vectors from its audio; resumes an interrupted extraction."""
    from mrs.backends import make_backend
    from mrs.backends.extract import extract as extract_vectors
    from mrs.data.dataset import open_dataset

    chosen = make_backend(backend, assignments(set_))
    done = extract_vectors(open_dataset(dataset), chosen, weights, workers)
    n_skipped = len(done.skipped)
    warn_of_filled_rows(
        f"skipped {n_skipped} of {done.n_tracks} tracks ({done.reasons()})", n_skipped, done.path
    )
    print(f"{done.path}: {done.n_tracks - n_skipped} of {done.n_tracks} tracks computed")


def weights(
    backend: BackendArgument,
    folder: Annotated[Path | None, typer.Option("--to", help="folder to write")] = None,
) -> None:
    """Fetch a backend's weights; resumes an interrupted download."""
    from mrs.backends import BACKENDS, make_backend
    from mrs.backends.weights import fetch

    make_backend(backend)  # refuses unknown names
    print(f"the weights of {backend} are in {fetch(BACKENDS[backend], folder)}")
