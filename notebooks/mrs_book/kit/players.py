"""Players of a few clips of a generated world, held by the page itself."""

import base64
import html
import io
import wave

import numpy as np
import polars as pl
from IPython.display import HTML

from mrs.data.dataset import Dataset
from mrs.world.render import SAMPLE_RATE, SECONDS, Renderer

_KEYS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_HEADS = ("artist", "title", "genre", "tempo", "key", "clip")


def players(dataset: Dataset, n_artists: int = 3, n_tracks: int = 2) -> HTML:
    """Players of tracks of some artists, each artist of another genre.

    Empty where the dataset's tracks are not rendered.
    """
    if dataset.renderer is None:
        return HTML("")
    return HTML(player_table(dataset, choose(dataset.tracks, n_artists, n_tracks)))


def choose(tracks: pl.DataFrame, n_artists: int, n_tracks: int) -> list[int]:
    """Positions of the first tracks of the artists with most tracks, no two of one genre."""
    artists = (
        tracks.with_row_index("position")
        .group_by("genre", "artist_id")
        .agg(pl.col("position").sort(), n=pl.len())
        .sort("n", "artist_id", descending=[True, False])
        .unique("genre", keep="first", maintain_order=True)
        .head(n_artists)
    )
    return [position for positions in artists["position"] for position in positions[:n_tracks]]


def player_table(dataset: Dataset, positions: list[int]) -> str:
    """A table with one row and one player per track, as HTML that holds the clips as 16-bit WAV."""
    renderer = dataset.renderer
    assert isinstance(renderer, Renderer)
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = []
    for position in positions:
        track, sound = dataset.tracks.row(position, named=True), renderer.sound(position)
        key = f"{_KEYS[sound.key]} {'major' if sound.major else 'minor'}"
        texts = (track["artist"], track["title"], track["genre"], f"{sound.bpm:.0f} bpm", key)
        cells = "".join(f"<td>{html.escape(text)}</td>" for text in texts)
        clip = base64.b64encode(wav(renderer(position))).decode()
        label = html.escape(f"{track['title']} by {track['artist']}")
        player = f'<audio controls aria-label="{label}" src="data:audio/wav;base64,{clip}"></audio>'
        rows.append(f"<tr>{cells}<td>{player}</td></tr>")
    return (
        '<div class="table-box"><table class="data">'
        f"<caption>Clips of {SECONDS} s, rendered from the tracks' traits</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def wav(waveform: np.ndarray) -> bytes:
    """A mono waveform within -1 to 1 as a 16-bit WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.round(waveform * 32767).astype("<i2").tobytes())
    return buffer.getvalue()
