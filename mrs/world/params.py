"""Parameters of the generated world, and how a user writes them: `seed=1,n_users=400`."""

import hashlib
from dataclasses import dataclass, fields
from typing import Annotated, Self

from pydantic import Field
from typing_extensions import override

from mrs.errors import InputError
from mrs.settings import Count, NotNegative, Positive, Seed, Settings, Share

DEBUT_TRACKS = 3  # tracks of a debut artist, all of them cold; also the smallest catalogue


@dataclass(frozen=True)
class Params(Settings):
    """Parameters of the generated world; the kappas are logit standard deviations.

    Raises `InputError` for values that contradict each other or lie outside their range.
    """

    seed: Seed = 0  # every random draw derives from it
    n_users: Count = 2000  # listeners
    n_tracks: Count = 2000  # tracks in the catalogue
    n_artists: Count = 160  # artists, debut artists included
    n_genres: Annotated[int, Field(ge=2, le=120)] = 16  # genres
    n_cold: Annotated[int, Field(ge=0)] = 200  # tracks without a play before the test month
    debut: Share = 0.15  # share of the cold tracks whose artist has no other track
    unheard: Share = 0.02  # share of the catalogue that nobody ever plays, counted among the cold
    n_scenes: Count = 4  # dimensions of the inaudible scene space
    sd_genre: NotNegative = 0.72  # spread of an audible trait between genres
    sd_artist: NotNegative = 0.52  # ... between the artists of a genre
    sd_track: NotNegative = 0.46  # ... between the tracks of an artist
    scene_genre: Share = 0.25  # share of the scene's variance that follows the genre
    kappa_audible: NotNegative = 0.95  # weight of the audible fit in a listener's choice
    kappa_scene: NotNegative = 1.65  # weight of the inaudible scene's fit
    kappa_fame: NotNegative = 0.45  # weight of the artist's fame
    kappa_hit: NotNegative = 0.5  # weight of the track's own popularity
    taste_jitter: NotNegative = 0.5  # distance of a taste from the artist it starts from
    explore: Share = 0.12  # share of plays drawn from popularity alone
    new_boost: Positive = 2.0  # factor on a track's play probability in its first month
    plays_median: Positive = 380.0  # median number of plays per listener and year
    plays_sigma: NotNegative = 0.95  # standard deviation of its logarithm
    session_mean: Annotated[float, Field(ge=1)] = 7.0  # mean number of plays in a session
    same_artist: Share = 0.40  # share of plays that stay with the artist of the session
    same_genre: Share = 0.30  # share of plays that stay with its genre
    repeat: Share = 0.36  # share of plays that replay an earlier one
    late: Share = 0.3  # share of listeners who never touch a track in its first month
    drift: NotNegative = 0.8  # change of the weights of tastes over the year (sd of the logarithm)

    @classmethod
    @override
    def title(cls) -> str:
        return "demo"

    @override
    def contradiction(self) -> str:
        if self.same_artist + self.same_genre > 1:
            most = f"{1 - self.same_genre:g}"
            return f"same_artist={self.same_artist} must be at most 1 - same_genre = {most}"
        if self.n_artists <= self.n_debut_artists:
            return (
                f"n_artists={self.n_artists} must be more than the {self.n_debut_artists} debut "
                "artists that n_cold and debut ask for"
            )
        if self.n_tracks < DEBUT_TRACKS * self.n_artists:
            return (
                f"n_tracks={self.n_tracks} must be at least {DEBUT_TRACKS} for each of the "
                f"{self.n_artists} artists"
            )
        of_debut = DEBUT_TRACKS * self.n_debut_artists
        largest = self.n_tracks - (self.n_artists - self.n_debut_artists)
        if not max(of_debut, self.n_unheard) <= self.n_cold <= largest:
            return (
                f"n_cold={self.n_cold} must be at least the {self.n_unheard} tracks that "
                f"`unheard` asks for and the {of_debut} of debut artists, at most {largest}"
            )
        return ""

    @property
    def n_debut_artists(self) -> int:
        """Artists all of whose tracks are cold."""
        return round(self.debut * self.n_cold / DEBUT_TRACKS)

    @property
    def n_unheard(self) -> int:
        """Tracks that nobody ever plays."""
        return round(self.unheard * self.n_tracks)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name=value,...`, what follows `demo:`; the rest has its defaults.

        Raises `InputError` for a name that is unknown or given twice and for a value that is no
        number.
        """
        values: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals:
                known = ", ".join(entry.name for entry in fields(cls))
                raise InputError(f"demo: {part!r} is not name=value with a name of these: {known}")
            if name in values:
                raise InputError(f"demo: {name} is given twice; keep one")
            values[name] = value
        return cls.of(values, "parameter")

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
