"""Measure what fits cost and write `mrs/study/data/costs.csv`, on a free machine, in minutes:

    python studies/make_costs.py

Epochs are those of archived runs. The seconds of an epoch are measured with the classes' own
settings, as studies of real data have them: archived runs train less and shared their machine.
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.dataset import open_dataset
from mrs.recommenders import RECOMMENDERS, make_recommender
from mrs.study.archive import open_archive
from mrs.study.costs import units_of
from mrs.study.run import run
from mrs.study.spec import make_spec
from mrs.study.store import Store

STUDIES = Path(__file__).parent
ARCHIVES = (STUDIES / "demo-full.parquet", STUDIES / "coldstart.parquet")
FILE = STUDIES.parent / "mrs" / "study" / "data" / "costs.csv"
EPOCHS = 3  # of a fit that is timed


def measure(archives: Sequence[Path]) -> pl.DataFrame:
    """One row per recommender, as `data/costs.csv` holds them.

    Columns: recommender, epochs (to the best one), epoch_seconds (of one thread), units (what an
    epoch passes through), rank_seconds, size (users x train tracks), runs. Epochs are the
    median over `runs` archived ones, of which those cut short were best at the end. The seconds are
    those of a fit of a few epochs with the class's own settings, on the vectors of the run whose
    epoch took the median time.
    """
    infos: dict[str, list[dict]] = defaultdict(list)
    for archive in filter(None, map(open_archive, archives)):
        runs = archive.runs.filter(pl.col("recommender").is_in(list(RECOMMENDERS)))
        for recommender, place in runs.select("recommender", "place").iter_rows():
            infos[recommender].append(archive.record(place).info)
    rows = []
    for recommender, mine in sorted(infos.items()):
        print(recommender, file=sys.stderr)
        mine.sort(key=_epoch_seconds)
        best = [
            _n_epochs(info) - (info["settings"].get("patience", 0) if info["converged"] else 0)
            for info in mine
        ]
        rows.append(
            {"recommender": recommender, "epochs": float(np.median(best))}
            | _timed(mine[len(mine) // 2])
            | {"runs": len(mine)}
        )
    return pl.DataFrame(rows).with_columns(pl.selectors.float().round_sig_figs(3))


def _n_epochs(info: Mapping[str, Any]) -> int:
    return max(len(info["curve"]), 1)


def _epoch_seconds(info: Mapping[str, Any]) -> float:
    return info["seconds"]["fit"] / _n_epochs(info)


def _timed(info: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of an epoch and a ranking like an archived run's, and what an epoch covers."""
    import lightning  # noqa: F401 - takes seconds, which are not the first fit's

    dataset = open_dataset(info["dataset"]["spec"])
    split = dataset.split(info["split"])
    settings = {"max_epochs": EPOCHS} if "max_epochs" in info["settings"] else {}
    spec = make_spec(
        dataset,
        recommender=make_recommender(info["recommender"], settings),
        scenario=info["scenario"],
        backend=info["backend"],
        split=info["split"],
    )
    with tempfile.TemporaryDirectory() as name:
        done = run(spec, Store(name), dataset).info
    return {
        "epoch_seconds": _epoch_seconds(done),
        "units": units_of(spec.recommender.name, split),
        "rank_seconds": done["seconds"]["rank"],
        "size": len(split.users) * len(split.warm),
    }


if __name__ == "__main__":
    found = measure(ARCHIVES)
    found.write_csv(FILE)
    print(f"{FILE}: {len(found)} recommenders")
