"""Make studies/artist-variance.parquet: worlds that differ in the artists' share of the variance.

Three things of the generated world vary between artists and within them: audible traits (artist's
spread and track's), popularity (an artist's fame and a track's own), and what draws listeners (an
inaudible scene, which all tracks of an artist share, and the audible traits). `at_share` gives the
artist's part the same share of each of the three, and leaves their sums as they are by default.

`python studies/make_artist_variance.py` computes what the store lacks and packs the archive.
"""

from pathlib import Path
from typing import Annotated

import typer
from make_worlds import compute_and_pack, in_worlds

from mrs.study.store import Store
from mrs.study.study import Study, load_study
from mrs.world.params import Params

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
N_WORLDS = 2  # of each share
PAIRS = (("sd_artist", "sd_track"), ("kappa_fame", "kappa_hit"), ("kappa_scene", "kappa_audible"))


def at_share(dataset: str, share: float) -> str:
    """The generated dataset with that share of the variance between artists.

    "demo:n_users=300" -> "demo:n_users=300,sd_artist=...", standard deviations to four digits.
    """
    default, words = Params(), []
    for artist, track in PAIRS:
        total = getattr(default, artist) ** 2 + getattr(default, track) ** 2
        for name, part in ((artist, share), (track, 1 - share)):
            words.append(f"{name}={(part * total) ** 0.5:.4g}")
    return f"{dataset}{',' if ':' in dataset else ':'}{','.join(words)}"


def worlds(study: Study) -> list[Study]:
    """The study in `N_WORLDS` worlds of each share."""
    datasets = [at_share(study.dataset, share) for share in SHARES]
    shares = [study.model_copy(update={"dataset": dataset}) for dataset in datasets]
    return [one for of_share in shares for one in in_worlds(of_share, N_WORLDS)]


def main(
    workers: Annotated[int, typer.Option(help="worker processes")] = 1,
    store: Annotated[Path, typer.Option(help="the run store")] = Path("results"),
    folder: Annotated[Path, typer.Option(help="folder of the study file")] = Path("studies"),
) -> None:
    """Compute what the store lacks and pack the archive."""
    study = load_study(folder / "artist-variance.yaml")
    command = "python studies/make_artist_variance.py"
    compute_and_pack(study, worlds(study), Store(store), workers, command)


if __name__ == "__main__":
    typer.run(main)
