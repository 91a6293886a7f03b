"""Generated worlds that differ in how much of the variance belongs to artists.

Three things of the generated world vary between artists and within them: audible traits (artist's
spread and track's), popularity (an artist's fame and a track's own), and what draws listeners (an
inaudible scene, which all tracks of an artist share, and the audible traits). `at_share` gives the
artist's part the same share of each of the three, and leaves their sums as they are by default.

`python -m mrs.study.artist_variance` computes the runs of studies/artist-variance.yaml in these
worlds and packs them beside it.
"""

from pathlib import Path
from typing import Annotated

import typer

from mrs.data.params import Params
from mrs.study.store import Store
from mrs.study.study import Study, load_study
from mrs.study.worlds import compute_and_pack, in_worlds

COMMAND = "python -m mrs.study.artist_variance"
STUDY = "artist-variance"  # the study file's name
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
N_WORLDS = 2  # of each share
PAIRS = (("sd_artist", "sd_track"), ("kappa_fame", "kappa_hit"), ("kappa_scene", "kappa_audible"))


def at_share(dataset: str, share: float) -> str:
    """The generated dataset with a share of the variance at the artists.

    "demo:n_users=300" -> "demo:n_users=300,sd_artist=...", standard deviations to four digits.
    """
    default, words = Params(), []
    for artist, track in PAIRS:
        total = getattr(default, artist) ** 2 + getattr(default, track) ** 2
        for name, part in ((artist, share), (track, 1 - share)):
            words.append(f"{name}={(part * total) ** 0.5:.4g}")
    return f"{dataset}{',' if ':' in dataset else ':'}{','.join(words)}"


def worlds(study: Study, n_worlds: int = N_WORLDS) -> dict[float, list[Study]]:
    """The study in the worlds of each share."""
    return {
        share: in_worlds(
            study.model_copy(update={"dataset": at_share(study.dataset, share)}), n_worlds
        )
        for share in SHARES
    }


def main(
    workers: Annotated[int, typer.Option(help="worker processes")] = 1,
    store: Annotated[Path, typer.Option(help="the run store")] = Path("results"),
    folder: Annotated[Path, typer.Option(help="where the study file lies")] = Path("studies"),
) -> None:
    """Compute what the store lacks and pack the archive."""
    study = load_study(folder / f"{STUDY}.yaml")
    every = [one for of_share in worlds(study).values() for one in of_share]
    compute_and_pack(study, every, Store(store), workers, COMMAND)


if __name__ == "__main__":
    typer.run(main)
