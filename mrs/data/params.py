"""Parameters of the generated world, and how a user writes them: `seed=1,n_users=400`."""

import hashlib
import math
from dataclasses import dataclass, fields
from typing import Any

from mrs.errors import InputError

DEBUT_TRACKS = 3  # tracks of a debut artist, all of them cold; also the smallest catalogue

_SHARES = (
    "debut",
    "unheard",
    "scene_genre",
    "explore",
    "same_artist",
    "same_genre",
    "repeat",
    "late",
)
_POSITIVE = ("n_scenes", "n_users", "new_boost", "plays_median", "session_mean")
_NOT_NEGATIVE = (
    "seed",
    "n_cold",
    "sd_genre",
    "sd_artist",
    "sd_track",
    "kappa_audible",
    "kappa_scene",
    "kappa_fame",
    "kappa_hit",
    "taste_jitter",
    "plays_sigma",
    "drift",
)


@dataclass(frozen=True)
class Params:
    """Parameters of the generated world; the kappas are logit standard deviations.

    Raises `InputError` for values that contradict each other or lie outside their range.
    """

    seed: int = 0  # every random draw derives from it
    n_users: int = 2000  # listeners
    n_tracks: int = 2000  # tracks in the catalogue
    n_artists: int = 160  # artists, debut artists included
    n_genres: int = 16  # genres
    n_cold: int = 200  # tracks without a play before the test month
    debut: float = 0.15  # share of the cold tracks whose artist has no other track
    unheard: float = 0.02  # share of the catalogue that nobody ever plays, counted among the cold
    n_scenes: int = 4  # dimensions of the inaudible scene space
    sd_genre: float = 0.72  # spread of an audible trait between genres
    sd_artist: float = 0.52  # ... between the artists of a genre
    sd_track: float = 0.46  # ... between the tracks of an artist
    scene_genre: float = 0.25  # share of the scene's variance that follows the genre
    kappa_audible: float = 0.95  # weight of the audible fit in a listener's choice
    kappa_scene: float = 1.65  # weight of the inaudible scene's fit
    kappa_fame: float = 0.45  # weight of the artist's fame
    kappa_hit: float = 0.5  # weight of the track's own popularity
    taste_jitter: float = 0.5  # distance of a taste from the artist it starts from
    explore: float = 0.12  # share of plays drawn from popularity alone
    new_boost: float = 2.0  # factor on a track's play probability in its first month
    plays_median: float = 380.0  # median of a listener's plays a year
    plays_sigma: float = 0.95  # standard deviation of its logarithm
    session_mean: float = 7.0  # mean number of plays in a session
    same_artist: float = 0.40  # share of plays that stay with the artist of the session
    same_genre: float = 0.30  # share of plays that stay with its genre
    repeat: float = 0.36  # share of plays that replay an earlier one
    late: float = 0.3  # share of listeners who never touch a track in its first month
    drift: float = 0.8  # change of the weights of tastes over the year (sd of the logarithm)

    def __post_init__(self) -> None:
        for f in fields(self):
            self._require(math.isfinite(getattr(self, f.name)), f.name, "a finite number")
        for name in _SHARES:
            self._require(0 <= getattr(self, name) <= 1, name, "a share from 0 to 1")
        for name in _POSITIVE:
            self._require(getattr(self, name) > 0, name, "a number above 0")
        for name in _NOT_NEGATIVE:
            self._require(getattr(self, name) >= 0, name, "0 or more")
        self._require(2 <= self.n_genres <= 120, "n_genres", "2 to 120")
        self._require(self.session_mean >= 1, "session_mean", "1 or more")
        self._require(
            self.same_artist + self.same_genre <= 1,
            "same_artist",
            f"at most 1 - same_genre = {1 - self.same_genre:g}",
        )
        self._require(
            self.n_artists > self.n_debut_artists,
            "n_artists",
            f"more than the {self.n_debut_artists} debut artists that n_cold and debut ask for",
        )
        self._require(
            self.n_tracks >= DEBUT_TRACKS * self.n_artists,
            "n_tracks",
            f"at least {DEBUT_TRACKS} for each of the {self.n_artists} artists",
        )
        # Every artist but the debut ones keeps a track that is not cold.
        largest = self.n_tracks - (self.n_artists - self.n_debut_artists)
        self._require(
            max(DEBUT_TRACKS * self.n_debut_artists, self.n_unheard) <= self.n_cold <= largest,
            "n_cold",
            f"at least the {self.n_unheard} tracks that `unheard` asks for and the "
            f"{DEBUT_TRACKS * self.n_debut_artists} of debut artists, at most {largest}",
        )

    def _require(self, holds: bool, name: str, wanted: str) -> None:
        if not holds:
            raise InputError(f"demo: {name}={getattr(self, name)} must be {wanted}")

    @property
    def n_debut_artists(self) -> int:
        """Artists all of whose tracks are cold."""
        return round(self.debut * self.n_cold / DEBUT_TRACKS)

    @property
    def n_unheard(self) -> int:
        """Tracks that nobody ever plays."""
        return round(self.unheard * self.n_tracks)

    @classmethod
    def parse(cls, text: str) -> "Params":
        """Read `name=value,...`, what follows `demo:`; the rest has its defaults.

        Raises `InputError` for a name that is unknown or given twice and for a value that is no
        number.
        """
        kinds: dict[str, type] = {f.name: type(f.default) for f in fields(cls)}
        values: dict[str, Any] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name not in kinds or not equals:
                known = ", ".join(kinds)
                raise InputError(f"demo: {part!r} is not name=value with a name of these: {known}")
            if name in values:
                raise InputError(f"demo: {name} is given twice; keep one")
            try:
                values[name] = kinds[name](value)
            except ValueError as error:
                kind = "a whole number" if kinds[name] is int else "a number"
                raise InputError(f"demo: {name}={value} must be {kind}") from error
        return cls(**values)

    def folder_name(self) -> str:
        """A name for the folder of this world, of what differs from the defaults."""
        changed = [
            f"{f.name}={value}"
            for f in fields(self)
            if (value := getattr(self, f.name)) != f.default
        ]
        name = "-".join(["demo", *changed])
        if len(name) > 100:  # file systems allow 255 bytes
            return f"demo-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        return name
