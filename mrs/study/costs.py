"""How long fits take and how much memory they need, before anything is run.

Times are those of earlier runs of the same recommender. Where a store has none they are scaled
from runs on the generated world, `data/costs.csv`, in proportion to what an epoch passes through
and to the most epochs that are allowed: rough, and too much where the archived fits were cut
short. The file is made again from the archives that come with the project by

    python -m mrs.study.costs
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl

from mrs.data.dataset import Dataset, open_dataset
from mrs.data.splits import Split
from mrs.recommenders import RECOMMENDERS
from mrs.study.archive import open_archive
from mrs.study.results import Results
from mrs.study.spec import RunSpec
from mrs.study.store import Record

ARCHIVES = (Path("studies/demo-full.parquet"), Path("studies/coldstart.parquet"))
FILE = Path(__file__).parent / "data" / "costs.csv"

# What an epoch passes through; of the others the cost is the ranking's, listeners x tracks.
PAIRS = ("shallow", "shallow_ids", "als", "bpr", "clcrec", "heater", "gar")
TRACKS = ("bimodal_content", "bimodal_collaborative", "bimodal_average", "deepmusic", "acarec")

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
        float(np.median(known[spec.recommender]))
        if known.get(spec.recommender)
        else otherwise(spec)
        for spec in fits
    ]


@dataclass(frozen=True)
class Estimate:
    """What fits take: one worker's seconds, those of them that are scaled, and a worker's bytes.

    `unknown` counts fits of recommenders that nothing is known of.
    """

    seconds: float
    scaled: float
    unknown: int
    memory: float


def estimate(results: Results, fits: Sequence[Sequence[RunSpec]]) -> Estimate:
    """What a study's fits take: by the store's records on its dataset, or else scaled."""
    if not fits:
        return Estimate(0, 0, 0, 0)
    dataset = results.dataset
    split = dataset.split(results.study.split)
    records = (r for r in results.store.records() if r.info["dataset"]["name"] == dataset.name)
    known, scale = seconds_by_recommender(records), Scaled(split)
    first = [specs[0] for specs in fits]
    costs = seconds_of(first, known, scale)
    scaled = [
        s for s, spec in zip(costs, first, strict=True) if s and spec.recommender not in known
    ]
    return Estimate(
        seconds=sum(cost for cost in costs if cost is not None),
        scaled=sum(scaled),
        unknown=costs.count(None),
        memory=memory(first, dataset, split),
    )


class Scaled:
    """Seconds of fits on a split, scaled from `data/costs.csv`."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __call__(self, spec: RunSpec) -> float | None:
        """See the class; None for a recommender that the file lacks."""
        row = _costs().get(spec.recommender)
        if row is None:
            return None
        most = dict(spec.settings).get("max_epochs")
        epochs = row["epochs"] if most is None else most * row["share"]
        fitted = row["epoch_seconds"] * epochs * _units(spec.recommender, self.split) / row["units"]
        size = len(self.split.users) * len(self.split.warm)
        return float(fitted + row["rank_seconds"] * size / row["size"])


def memory(specs: Iterable[RunSpec], dataset: Dataset, split: Split) -> float:
    """About the bytes that a worker holds at most: libraries, pairs, vectors, trained numbers."""
    n_rows = len(split.users) + len(split.warm)
    most = 0.0
    for spec in specs:
        settings = dict(spec.settings)
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
    rows = pl.read_csv(source.read_bytes()).iter_rows(named=True)
    return {row["recommender"]: row for row in rows}


def _units(recommender: str, split: Split) -> int:
    if recommender in PAIRS:
        return len(split.train)
    return len(split.warm) * (1 if recommender in TRACKS else len(split.users))


def measure(archives: Sequence[Path] = ARCHIVES) -> pl.DataFrame:
    """The medians of archived runs: one row a recommender, as `data/costs.csv` holds them.

    Columns: recommender, epoch_seconds, epochs, share (of the most that were allowed), units (what
    an epoch passed through), rank_seconds, size (listeners x train tracks), runs.
    """
    rows = []
    for path in archives:
        archive = open_archive(path)
        if archive is None:
            continue
        runs = archive.runs.filter(pl.col("recommender").is_in(list(RECOMMENDERS)))
        for (dataset, name), some in runs.group_by("dataset", "split", maintain_order=True):
            split = open_dataset(str(dataset)).split(str(name))
            for place, recommender in some.select("place", "recommender").iter_rows():
                info = archive.record(place).info
                epochs = max(len(info["curve"]), 1)
                rows.append(
                    {
                        "recommender": recommender,
                        "epoch_seconds": info["seconds"]["fit"] / epochs,
                        "epochs": epochs,
                        "share": epochs / info["settings"].get("max_epochs", epochs),
                        "units": _units(recommender, split),
                        "rank_seconds": info["seconds"]["rank"],
                        "size": len(split.users) * len(split.warm),
                    }
                )
    return (
        pl.DataFrame(rows)
        .group_by("recommender")
        .agg(pl.all().median(), pl.len().alias("runs"))
        .with_columns(pl.selectors.float().round_sig_figs(3))
        .sort("recommender")
    )


if __name__ == "__main__":
    measure().write_csv(FILE)
    print(f"{FILE}: {len(_costs())} recommenders")
