"""The generated catalogue: genres, artists and tracks with audible and inaudible traits.

Audible traits nest: a genre's mean, an artist's around it, a track's around that. An artist also
has a place in an inaudible scene and fame, a track its own popularity. Tracks and artists are drawn
in random order, so that a row number says nothing about genre, artist, release or popularity.
"""

from dataclasses import dataclass

import numpy as np

from mrs.world.params import DEBUT_TRACKS, Params

# The thirteen continuous traits; mode and key come beside them.
CONTINUOUS = (
    "tempo",
    "brightness",
    "hollow",
    "attack",
    "drum_density",
    "drum_level",
    "register",
    "roughness",
    "bass",
    "arp_rate",
    "vibrato",
    "bell",
    "space",
)
TRAIT_NAMES = (*CONTINUOUS, "mode", "key")

# Days count from the start of the window: a year of training and the test month, as in the paper
# whose split the world follows (arXiv 2604.23077; 2018-02-01 to 2019-02-28).
TRAIN_DAYS, TEST_DAYS = 365, 28
DAYS = TRAIN_DAYS + TEST_DAYS

_RELEASED_IN_YEAR = 0.15  # share of the warm tracks that come out inside the training year
_BACK_CATALOGUE_DAYS = 1200.0  # mean age of the others at the start of the window
_CATALOGUE_SIGMA = 0.7  # sd of the logarithm of an artist's number of tracks
_CATALOGUE_DAMPING = 0.35  # a large catalogue divides an artist's listeners among its tracks
_MINOR_SPREAD = 0.2  # sd between a genre's share of minor keys and its artists'
_KEY_SPREAD = 1.6  # sd of a track's key around its artist's home, in fifths


@dataclass(frozen=True)
class Catalogue:
    """Tracks [T], artists [A] and genres [G]; `artist[t]` and `artist_genre[a]` are codes."""

    artist: np.ndarray  # int [T]
    continuous: np.ndarray  # float [T, 13], about N(0, 1)
    mode: np.ndarray  # int [T], 1 major, 0 minor
    key: np.ndarray  # int [T], semitones above C
    release: np.ndarray  # int [T], day from the start of the window, negative before it
    new: np.ndarray  # bool [T], released in the test month
    unheard: np.ndarray  # bool [T], nobody ever plays it
    popularity: np.ndarray  # float [T], the logit part all listeners share: fame, own popularity
    artist_genre: np.ndarray  # int [A]
    artist_mean: np.ndarray  # float [A, 13], the centre of its tracks' continuous traits
    artist_minor: np.ndarray  # float [A], its share of minor keys
    artist_home: np.ndarray  # int [A], its home key
    artist_scene: np.ndarray  # float [A, n_scenes]
    artist_fame: np.ndarray  # float [A], about N(0, 1)
    debut: np.ndarray  # bool [A], no track before the test month

    @property
    def cold(self) -> np.ndarray:
        """Tracks without a play before the test month; bool [T]."""
        return self.new | self.unheard

    @property
    def genre(self) -> np.ndarray:
        """Genre codes of the tracks; int [T]."""
        return self.artist_genre[self.artist]

    def traits(self) -> np.ndarray:
        """Audible traits as one standardised matrix; float [T, 16]."""
        return trait_matrix(self.continuous, self.mode, self.key)


def trait_matrix(continuous: np.ndarray, mode: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Standardised: the continuous traits, mode, the key on the circle of fifths; float [T, 16]."""
    angle = fifths(key)
    columns = np.column_stack([continuous, mode, np.cos(angle), np.sin(angle)])
    return (columns - columns.mean(0)) / np.maximum(columns.std(0), 1e-9)


def fifths(key: np.ndarray) -> np.ndarray:
    """Angle of a key on the circle of fifths, in radians."""
    return 2 * np.pi * (key * 7 % 12) / 12


def draw_catalogue(params: Params, rng: np.random.Generator) -> Catalogue:
    """Draw a catalogue from `params`."""
    n_tracks, n_artists, n_genres = params.n_tracks, params.n_artists, params.n_genres
    debut = np.zeros(n_artists, bool)
    debut[rng.choice(n_artists, params.n_debut_artists, replace=False)] = True
    artist = rng.permutation(np.repeat(np.arange(n_artists), _sizes(params, debut, rng)))

    # Audible.
    artist_genre = rng.choice(n_genres, n_artists, p=rng.dirichlet(np.full(n_genres, 6.0)))
    genre_mean = rng.normal(0, 1, (n_genres, len(CONTINUOUS)))
    genre_mean = (genre_mean - genre_mean.mean(0)) / genre_mean.std(0) * params.sd_genre
    artist_mean = genre_mean[artist_genre] + rng.normal(
        0, params.sd_artist, (n_artists, len(CONTINUOUS))
    )
    continuous = artist_mean[artist] + rng.normal(0, params.sd_track, (n_tracks, len(CONTINUOUS)))
    genre_minor = rng.beta(0.8, 0.8, n_genres)
    artist_minor = np.clip(
        genre_minor[artist_genre] + rng.normal(0, _MINOR_SPREAD, n_artists), 0.03, 0.97
    )
    mode = (rng.random(n_tracks) > artist_minor[artist]).astype(np.int64)
    artist_home = rng.integers(0, 12, n_artists)
    steps = np.rint(rng.normal(0, _KEY_SPREAD, n_tracks)).astype(np.int64)
    key = (artist_home[artist] + 7 * steps) % 12

    # Inaudible.
    genre_scene = rng.normal(0, 1, (n_genres, params.n_scenes))
    own_scene = rng.normal(0, 1, (n_artists, params.n_scenes))
    scene = (
        params.scene_genre**0.5 * genre_scene[artist_genre]
        + (1 - params.scene_genre) ** 0.5 * own_scene
    )
    fame = rng.normal(0, 1, n_artists)
    hit = rng.gumbel(0, 1, n_tracks)
    hit = (hit - hit.mean()) / hit.std()
    popularity = (
        params.kappa_fame * fame[artist]
        + params.kappa_hit * hit
        - _CATALOGUE_DAMPING * np.log(np.bincount(artist, minlength=n_artists))[artist]
    )
    new, unheard = _cold(params, artist, debut, rng)
    return Catalogue(
        artist=artist,
        continuous=continuous,
        mode=mode,
        key=key,
        release=_release(n_tracks, new, rng),
        new=new,
        unheard=unheard,
        popularity=popularity,
        artist_genre=artist_genre,
        artist_mean=artist_mean,
        artist_minor=artist_minor,
        artist_home=artist_home,
        artist_scene=scene,
        artist_fame=fame,
        debut=debut,
    )


def _sizes(params: Params, debut: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Tracks of each artist: log-normal, at least `DEBUT_TRACKS`, which is all a debut has."""
    size = np.full(len(debut), DEBUT_TRACKS)
    total = params.n_tracks - int(size[debut].sum())
    weight = np.exp(rng.normal(0, _CATALOGUE_SIGMA, int((~debut).sum())))
    drawn = np.maximum(DEBUT_TRACKS, rng.multinomial(total, weight / weight.sum()))
    for _ in range(int(drawn.sum()) - total):  # what the floor added goes off the largest
        drawn[drawn.argmax()] -= 1
    size[~debut] = drawn
    return size


def _cold(
    params: Params, artist: np.ndarray, debut: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the tracks of the test month and those that nobody plays: `n_cold` in all."""
    cold = debut[artist]
    # One track of every other artist stays out of the draw: its artist is not a debut artist.
    _, kept = np.unique(artist, return_index=True)
    free = np.setdiff1d(np.flatnonzero(~cold), kept)
    cold[rng.choice(free, params.n_cold - int(cold.sum()), replace=False)] = True
    unheard = np.zeros(len(artist), bool)
    unheard[rng.choice(np.flatnonzero(cold), params.n_unheard, replace=False)] = True
    return cold & ~unheard, unheard


def _release(n_tracks: int, new: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    in_year = rng.random(n_tracks) < _RELEASED_IN_YEAR
    release = np.where(
        in_year,
        rng.uniform(0, TRAIN_DAYS - 20, n_tracks),
        -rng.exponential(_BACK_CATALOGUE_DAYS, n_tracks),
    )
    release[new] = rng.uniform(TRAIN_DAYS, TRAIN_DAYS + 0.7 * TEST_DAYS, int(new.sum()))
    return np.floor(release).astype(np.int64)
