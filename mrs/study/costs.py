"""How long fits take and how much memory they need, before anything is run.

Times are those of earlier runs of the same recommender. Where a store has none they are scaled
from the generated world, `data/costs.csv`, in proportion to what an epoch passes through: rough.
After how many epochs a fit is best is what the archives say that come with the project; those of
the fit's own patience come on top. An epoch's seconds are measured anew with the classes' own
settings, as studies of real data have them: archived runs train less and had other work beside
them. On a free machine, in minutes:

    python -m mrs.study.costs
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.splits import Split
from mrs.data.tables import read_csv
from mrs.recommenders import RECOMMENDERS, make_recommender
from mrs.study.archive import open_archive
from mrs.study.results import Results
from mrs.study.run import run
from mrs.study.spec import RunSpec, make_spec
from mrs.study.store import Record, Store

ARCHIVES = (Path("studies/demo-full.parquet"), Path("studies/coldstart.parquet"))
FILE = Path(__file__).parent / "data" / "costs.csv"

# What an epoch passes through; of the others the cost is the ranking's, listeners x tracks.
PAIRS = ("shallow", "shallow_ids", "als", "bpr", "clcrec", "heater", "gar")
SEQUENCES = ("bert4rec", "bert4rec_ids")
TRACKS = ("bimodal_content", "bimodal_collaborative", "bimodal_average", "deepmusic", "acarec")

# What a listener's sequence costs besides the softmax, in tracks of it: by benchmarks/bert4rec.py
# (128 listeners, full softmax over 55,262 tracks: 3.1 s on two threads) and the demo world's epoch.
ENCODER = 6_600
EPOCHS = 3  # of a fit that is timed

# A batch of CLCRec moves all of its rows, which on the generated world are too few to be felt:
# seconds a row of 128 numbers, on one core, its gradient included.
A_ROW = 4e-7

LIBRARIES, BLOCK = 0.7e9, 0.25e9  # bytes: a process that has imported all; scores ranked together
A_PAIR = 60  # bytes of a train pair while the split is made
COPIES = 4  # of trained numbers: themselves, their gradient, the optimiser's two


def seconds_by_recommender(records: Iterable[Record]) -> dict[str, list[float]]:
    """The seconds of each record's fit and ranking, by recommender."""
    known: dict[str, list[float]] = defaultdict(list)
    for record in records:
        known[record.info["recommender"]].append(sum(record.info["seconds"].values()))
    return known


def seconds_of(
    fits: Iterable[RunSpec],
    known: Mapping[str, Sequence[float]],
    otherwise: Callable[[RunSpec], float | None],
) -> list[float | None]:
    """A fit's seconds: the median of known ones of its recommender, or what `otherwise` says."""
    return [
        float(np.median(known[spec.recommender.name]))
        if known.get(spec.recommender.name)
        else otherwise(spec)
        for spec in fits
    ]


@dataclass(frozen=True)
class Estimate:
    """What fits take: one worker's seconds, those of them that are scaled, and a worker's bytes.

    `by_recommender` are the seconds of each, the longest first; `unknown` counts fits of those that
    nothing is known of.
    """

    by_recommender: dict[str, float]
    scaled: float
    unknown: int
    memory: float

    @property
    def seconds(self) -> float:
        """Of all fits."""
        return sum(self.by_recommender.values())


def estimate(results: Results, fits: Sequence[Sequence[RunSpec]]) -> Estimate:
    """What a study's fits take: by the store's records on its dataset, or else scaled."""
    if not fits:
        return Estimate({}, 0, 0, 0)
    dataset = results.dataset
    split = dataset.split(results.study.split)
    records = (r for r in results.store.records() if r.info["dataset"]["name"] == dataset.name)
    known, scale = seconds_by_recommender(records), Scaled(split)
    first = [specs[0] for specs in fits]
    costs = seconds_of(first, known, scale)
    totals: dict[str, float] = defaultdict(float)
    for spec, cost in zip(first, costs, strict=True):
        if cost is not None:
            totals[spec.recommender.name] += cost
    return Estimate(
        by_recommender=dict(sorted(totals.items(), key=lambda item: -item[1])),
        scaled=sum(seconds for name, seconds in totals.items() if name not in known),
        unknown=costs.count(None),
        memory=memory(first, dataset, split),
    )


class Scaled:
    """Seconds of fits on a split, scaled from `data/costs.csv`."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __call__(self, spec: RunSpec) -> float | None:
        """See the class; None for a recommender that the file lacks."""
        row = _costs().get(spec.recommender.name)
        if row is None:
            return None
        settings = spec.settings
        epochs = row["epochs"] + settings.get("patience", 0)
        epochs = min(epochs, settings.get("max_epochs", epochs))
        units = _units(spec.recommender.name, self.split)
        epoch = row["epoch_seconds"] * units / row["units"]
        if spec.recommender.name == "clcrec":
            n_rows = len(self.split.users) + len(self.split.warm)
            epoch += units / settings["batch_size"] * n_rows * A_ROW
        fitted = epoch * epochs
        size = len(self.split.users) * len(self.split.warm)
        return float(fitted + row["rank_seconds"] * size / row["size"])


def memory(specs: Iterable[RunSpec], dataset: Dataset, split: Split) -> float:
    """About the bytes that a worker holds at most: libraries, pairs, vectors, trained numbers."""
    n_rows = len(split.users) + len(split.warm)
    most = 0.0
    for spec in specs:
        settings = spec.settings
        width = dataset.card(spec.backend).embedding_size if spec.backend else 0
        read = settings.get("n_components", width) or width
        trained = max(read, settings.get("embedding_size", 0), settings.get("hidden_size", 0))
        copies = COPIES if settings.get("max_epochs") else 1
        vectors = 2 * len(split.tracks) * width  # as read, and the part that is trained on
        most = max(most, 4.0 * (vectors + copies * n_rows * trained))
    return LIBRARIES + BLOCK + A_PAIR * len(split.train) + most


@cache
def _costs() -> dict[str, dict]:
    source = files("mrs.study") / "data" / "costs.csv"
    rows = read_csv(source).iter_rows(named=True)
    return {row["recommender"]: row for row in rows}


def _units(recommender: str, split: Split) -> int:
    if recommender in PAIRS:
        return len(split.train)
    if recommender in SEQUENCES:
        return len(split.users) * (ENCODER + len(split.warm))
    return len(split.warm) * (1 if recommender in TRACKS else len(split.users))


def measure(archives: Sequence[Path] = ARCHIVES) -> pl.DataFrame:
    """One row a recommender, as `data/costs.csv` holds them.

    Columns: recommender, epochs (to the best one), epoch_seconds (of one thread), units (what an
    epoch passes through), rank_seconds, size (listeners x train tracks), runs. Epochs are the
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
        "units": _units(spec.recommender.name, split),
        "rank_seconds": done["seconds"]["rank"],
        "size": len(split.users) * len(split.warm),
    }


if __name__ == "__main__":
    measure().write_csv(FILE)
    print(f"{FILE}: {len(_costs())} recommenders")
