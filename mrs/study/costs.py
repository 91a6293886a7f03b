"""How long fits take and how much memory they need, before anything is run.

Times are those of earlier runs of the same recommender. Where a store has none they are scaled
roughly, in proportion to what an epoch passes through, from measurements on the generated world
(`data/costs.csv`, written by `studies/make_costs.py`). Epochs until a fit is best are the median
over archived runs, to which the patience of the fit is added.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from mrs.data.dataset import Dataset
from mrs.data.splits import Split
from mrs.data.tables import read_csv
from mrs.recommenders.cards import cards
from mrs.study.results import Results
from mrs.study.spec import RunSpec
from mrs.study.store import Record

# Cost of a user's sequence besides the softmax, as a number of tracks in the softmax. Measured by
# benchmarks/bert4rec.py (128 users, full softmax over 55,262 tracks: 3.1 s on two threads) and by
# the demo world's epoch.
ENCODER = 6_600

# Seconds that a batch takes per row of 128 numbers where it moves every row, on one core and with
# the gradient; the generated world has too few rows for this to be measured there.
PER_ROW = 4e-7

LIBRARIES, BLOCK = 0.7e9, 0.25e9  # bytes: a process that has imported all; scores ranked together
PER_PAIR = 60  # bytes of a train pair while the split is made
COPIES = 4  # of each trained number: itself, its gradient, two of the optimiser


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
    """Seconds per fit: the median of those known of its recommender, or else `otherwise(fit)`."""
    return [
        float(np.median(known[spec.recommender.name]))
        if known.get(spec.recommender.name)
        else otherwise(spec)
        for spec in fits
    ]


@dataclass(frozen=True)
class Estimate:
    """The cost of fits on one worker.

    `by_recommender`: seconds by recommender, the longest first; `scaled`: the part of them that is
    scaled from the generated world; `unknown`: number of fits without an estimate; `memory`: bytes.
    """

    by_recommender: dict[str, float]
    scaled: float
    unknown: int
    memory: float

    @property
    def seconds(self) -> float:
        """Total seconds of all fits."""
        return sum(self.by_recommender.values())


def estimate(results: Results, fits: Sequence[Sequence[RunSpec]]) -> Estimate:
    """The cost of a study's fits, from the store's records on its dataset or else scaled."""
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
        """The seconds of a fit; None for a recommender that the file lacks."""
        name = spec.recommender.name
        row = measured().get(name)
        if row is None:
            return None
        settings = spec.settings
        epochs = row["epochs"] + settings.get("patience", 0)
        epochs = min(epochs, settings.get("max_epochs", epochs))
        units = units_of(name, self.split)
        epoch = row["epoch_seconds"] * units / row["units"]
        if cards()[name].batch_moves_all_rows:
            n_rows = len(self.split.users) + len(self.split.warm)
            epoch += units / settings["batch_size"] * n_rows * PER_ROW
        fitted = epoch * epochs
        size = len(self.split.users) * len(self.split.warm)
        return float(fitted + row["rank_seconds"] * size / row["size"])


def memory(specs: Iterable[RunSpec], dataset: Dataset, split: Split) -> float:
    """Bytes that a worker holds at most, roughly: libraries, pairs, vectors, trained numbers."""
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
    return LIBRARIES + BLOCK + PER_PAIR * len(split.train) + most


@cache
def measured() -> dict[str, dict]:
    """The rows of `data/costs.csv` by recommender."""
    source = files("mrs.study") / "data" / "costs.csv"
    rows = read_csv(source).iter_rows(named=True)
    return {row["recommender"]: row for row in rows}


def units_of(recommender: str, split: Split) -> int:
    """The number that an epoch's time is proportional to; see `Card.epoch`."""
    epoch, n_tracks = cards()[recommender].epoch, len(split.warm)
    if epoch == "pairs":
        return len(split.train)
    if epoch == "sequences":
        return len(split.users) * (ENCODER + n_tracks)
    return n_tracks * (1 if epoch == "tracks" else len(split.users))
