"""Pack a study's runs into the archive that its study file names.

    python -m mrs grid --study studies/coldstart.yaml
    python studies/make_archive.py studies/coldstart.yaml

The first command computes the runs, which can take hours; the second packs those that the store or
an older archive has.
"""

from pathlib import Path
from typing import Annotated

import typer

from mrs.errors import InputError
from mrs.study.archive import pack
from mrs.study.results import open_results


def main(
    study: Annotated[Path, typer.Argument(help="Study file that names its archive.")],
    store: Annotated[Path, typer.Option(help="Run store.")] = Path("results"),
) -> None:
    """Pack the runs that a study's grid has in the store into the study's archive."""
    results = open_results(str(study), str(store))
    if results.study.archive is None:
        raise InputError(f"{study}: names no archive; write `archive: {study.stem}.parquet`")
    runs = [
        (spec, record, results.dataset)
        for spec in dict.fromkeys(results.specs())
        if (record := results.record(spec)) is not None
    ]
    command = f"python -m mrs grid --study {study.as_posix()}"
    print(pack(runs, results.study.archive, command=command).about)


if __name__ == "__main__":
    typer.run(main)
