"""Make the archive of what each deviation of the published code does by itself.

    python studies/make_effects.py

computes what neither the store nor studies/deviations.parquet has, on the world of
studies/deviations.yaml, and writes the archive anew.
"""

from pathlib import Path
from typing import Annotated

import typer

from mrs.study.store import Store
from mrs_book.papers.effects import make_archive

ARCHIVE = Path(__file__).with_name("deviations.parquet")


def main(
    workers: Annotated[int | None, typer.Option(help="fits side by side")] = None,
    store: Annotated[Path, typer.Option(help="the run store")] = Path("results"),
    archive: Annotated[Path, typer.Option(help="its study file lies beside it")] = ARCHIVE,
    dataset: Annotated[str | None, typer.Option(help="another generated world")] = None,
    compute: Annotated[bool, typer.Option(help="or archive what the store has")] = True,
) -> None:
    """Compute the runs that are missing and archive all of them."""
    n_runs, n_needed = make_archive(
        archive, Store(store), dataset=dataset, workers=workers, compute=compute
    )
    typer.echo(f"{n_runs} of {n_needed} runs are in {archive}")


if __name__ == "__main__":
    typer.run(main)
