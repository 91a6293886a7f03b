"""Invented names for generated genres, artists and tracks: readable, unique, and nobody's."""

from collections.abc import Callable

import numpy as np


def _words(text: str) -> list[str]:
    return text.split()


_GENRE_HEADS = _words("Amber Copper Ember Fern Glass Harbour Lantern Moth Pollen Salt Thistle Tide")
_GENRE_TAILS = _words("wave step folk gaze beat swing drone core stomp drift")

_ONSETS = _words("b br d dr f kr l m n r s st t tr v w y")
_VOWELS = _words("a a e e i o o u ai ea ia")
_CODAS = ["", "", "", "", "l", "m", "nd", "r", "s", "th"]

_ADJECTIVES = _words("""
    Amber Borrowed Broken Cold Distant Empty Faded First Gentle Golden Hidden Hollow Last Late
    Little Lost Low Midnight Northern Open Orange Painted Pale Paper Patient Quiet Restless Second
    Secret Silver Sleeping Slow Small Southern Still Strange Sunday Tall Thin Unsent Velvet Warm
    Wide Wild Winter Wooden Yellow Young
""")
_NOUNS = _words("""
    Anchor Avenue Bicycle Bridge Candle Carousel Ceiling City Clock Coast Compass Corner Dance
    Daylight Distance Echo Engine Evening Ferry Field Fire Garden Ghost Glass Harbour Heart Hour
    House Island Kitchen Ladder Lantern Letter Lighthouse Map Mirror Moon Morning Mountain Ocean
    Orchard Parade Photograph Piano Platform Rain Rhythm River Road Room Satellite Sea Shadow
    Shoreline Signal Silence Sky Snow Song Staircase Station Stone Storm Street Summer Sun Telephone
    Thread Tide Tower Train Valley Wall Water Weather Window Winter Wire
""")
_VERBS = _words("""
    Burning Calling Carrying Chasing Counting Crossing Drawing Finding Following Holding Keeping
    Leaving Losing Missing Naming Painting Reading Remembering Saving Selling Waking Watching
""")

_BANDS = _words("""
    Acrobats Beacons Comets Drifters Engines Ferries Gliders Islands Lanterns Magnets Neighbours
    Orchards Pilots Rivers Signals Tailors Wanderers
""")

Draw = np.random.Generator


def genre_names(n: int, rng: Draw) -> list[str]:
    """Draw `n` (at most 120) distinct genre names."""
    names = [head + tail for head in _GENRE_HEADS for tail in _GENRE_TAILS]
    return [names[i] for i in rng.permutation(len(names))[:n]]


def artist_names(n: int, rng: Draw) -> list[str]:
    """Draw `n` distinct artist names made of syllables."""

    def word() -> str:
        syllables = [
            _pick(_ONSETS, rng) + _pick(_VOWELS, rng) for _ in range(int(rng.integers(2, 4)))
        ]
        return ("".join(syllables) + _pick(_CODAS, rng)).capitalize()

    def name() -> str:
        pattern = rng.random()
        if pattern < 0.35:
            return word()
        if pattern < 0.75:
            return f"{word()} {word()}"
        if pattern < 0.9:
            return f"The {_pick(_ADJECTIVES, rng)} {_pick(_NOUNS, rng)}"
        return f"{word()} & the {_pick(_BANDS, rng)}"

    seen: set[str] = set()
    return [_unseen(name, seen) for _ in range(n)]


def track_titles(artist: np.ndarray, rng: Draw) -> list[str]:
    """Draw a title for each track; `artist` holds its artist's code [n_tracks].

    No artist has two tracks of one title; two artists may.
    """

    def title() -> str:
        pattern = rng.random()
        if pattern < 0.4:
            return f"{_pick(_ADJECTIVES, rng)} {_pick(_NOUNS, rng)}"
        if pattern < 0.55:
            return f"{_pick(_VERBS, rng)} the {_pick(_NOUNS, rng)}"
        if pattern < 0.7:
            return f"The {_pick(_NOUNS, rng)} and the {_pick(_NOUNS, rng)}"
        if pattern < 0.85:
            return f"{_pick(_NOUNS, rng)} of the {_pick(_NOUNS, rng)}"
        return _pick(_NOUNS, rng)

    seen: dict[int, set[str]] = {}
    return [_unseen(title, seen.setdefault(int(code), set())) for code in artist]


def _pick(words: list[str], rng: Draw) -> str:
    return words[int(rng.integers(len(words)))]


def _unseen(draw: Callable[[], str], seen: set[str]) -> str:
    while (name := draw()) in seen:
        pass
    seen.add(name)
    return name
