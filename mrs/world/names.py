"""Invented names for generated genres, artists and tracks: readable, unique, and nobody's."""

import re
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

_WORDS: dict[str, Any] = yaml.safe_load((files("mrs.world") / "names.yaml").read_text("utf-8"))
_WORDS |= {kind: text.split() for kind, text in _WORDS.items() if isinstance(text, str)}

Draw = np.random.Generator


def genre_names(n: int, rng: Draw) -> list[str]:
    """Draw `n` (at most 120) distinct genre names."""
    names = [head + tail for head in _WORDS["genre_head"] for tail in _WORDS["genre_tail"]]
    return [names[i] for i in rng.permutation(len(names))[:n]]


def artist_names(n: int, rng: Draw) -> list[str]:
    """Draw `n` distinct artist names, most of them made of syllables."""
    seen: set[str] = set()
    return [_unseen(lambda: _drawn("artists", rng), seen) for _ in range(n)]


def track_titles(artist: np.ndarray, rng: Draw) -> list[str]:
    """Draw a title for each track; `artist` holds its artist's code [n_tracks].

    No artist has two tracks of one title; two artists may.
    """
    seen: dict[int, set[str]] = {}
    return [
        _unseen(lambda: _drawn("titles", rng), seen.setdefault(int(code), set())) for code in artist
    ]


def _drawn(kind: str, rng: Draw) -> str:
    """A name by one of the patterns of its kind."""

    def pick(kind: str) -> str:
        return _WORDS[kind][int(rng.integers(len(_WORDS[kind])))]

    def word(found: re.Match[str]) -> str:
        if found[1] != "word":
            return pick(found[1])
        syllables = [pick("onset") + pick("vowel") for _ in range(int(rng.integers(2, 4)))]
        return ("".join(syllables) + pick("coda")).capitalize()

    at = rng.random()
    pattern = next(pattern for below, pattern in _WORDS[kind] if at < below)
    return re.sub(r"\{(\w+)\}", word, pattern)


def _unseen(draw: Callable[[], str], seen: set[str]) -> str:
    while (name := draw()) in seen:
        pass
    seen.add(name)
    return name
