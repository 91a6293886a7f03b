"""Runs of the user's own vectors, compared with chance, shuffled ones, MFCC and plain histories.

Three recommenders read the vectors: KNN and centred KNN, which train nothing, and Hybrid with a
short training. Their primary metric is compared, user by user, with four references. All
comparisons of a page are one family: each interval is as wide as it must be for all of them to hold
together (Bonferroni).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mrs.data.dataset import Dataset
from mrs.data.own_vectors import OwnVectors
from mrs.errors import InputError
from mrs.evaluation.bootstrap import difference, too_few
from mrs.evaluation.significance import detectable, first_step
from mrs.progress import tracked
from mrs.study.grid import missing_fits
from mrs.study.results import Cell, Results
from mrs.study.run import run_fit
from mrs.study.spec import SCENARIOS, RunSpec
from mrs.study.store import Store
from mrs.study.study import Study

SEEDS = (0, 1, 2)
KNN_SHUFFLES = (0, 1, 2, 3, 4)  # nearly free, and a single permutation is not chance
HYBRID = {"hidden_size": 128, "batch_size": 256, "max_epochs": 40, "patience": 5}
COLLABORATIVE = "elsa"
MFCC = "mfcc"
TOO_FEW = "too few users"
NO_DIFFERENCE = "no significant difference"


@dataclass(frozen=True)
class Contrast:
    """A recommender on the user's own vectors against one reference, over the same users.

    `low` and `high` bound `difference` (own minus reference) at `level`; they are None, and `why`
    says so, where there are too few users for an interval. `detectable` is the
    smallest true difference that this test would have seen in `POWER` of all cases, from the
    standard deviation of the per-user differences; `exceeded` of `shuffles` permutations reach the
    own mean (None for other references).
    """

    scenario: str
    metric: str
    recommender: str
    reference: str
    kind: str
    own: float
    other: float
    difference: float
    low: float | None
    high: float | None
    level: float
    detectable: float
    n_users: int
    shuffles: int | None = None
    exceeded: int | None = None
    why: str = ""

    @property
    def outcome(self) -> str:
        """The verdict: "better", "worse", "no significant difference", or "too few users"."""
        if self.low is None or self.high is None:
            return TOO_FEW
        if self.low > 0:
            return "better"
        return "worse" if self.high < 0 else NO_DIFFERENCE


class Comparison:
    """The user's own vectors on a dataset: runs and comparisons.

    `scenarios` are those that the split has test rows of. Raises `InputError` as runs do.
    """

    def __init__(
        self, dataset: Dataset, own: OwnVectors, store: Store, split: str | None = None
    ) -> None:
        self.own, self.dataset = own, dataset.with_vectors(own, own.covered)
        whole = self.dataset.split(split)
        rows = {"hot": whole.hot_test, "cold": whole.cold_test}
        self.scenarios = tuple(name for name in SCENARIOS if len(rows[name]))
        if not self.scenarios:
            raise InputError(
                f"{own.file}: split {whole.name} has no test row of a track with a vector; "
                "add vectors of its test tracks"
            )
        self.results = Results(self._study(whole.name), store, self.dataset)

    def _study(self, split: str) -> Study:
        others = [MFCC] if self.comparable_mfcc else []
        return Study(
            title=f"Do {self.own.name} vectors help?",
            dataset=self.dataset.spec,
            split=split,
            backends=(self.own.name, *others),
            recommenders=[  # type: ignore[arg-type]
                "knn",
                {"knn": {"center": True}},
                {"hybrid": HYBRID},
                COLLABORATIVE,
                "popularity",
            ],
            scenarios=self.scenarios,
            seeds=SEEDS,
            shuffled_seeds=SEEDS,
            shuffled_seeds_of={"knn": KNN_SHUFFLES},
        )

    @property
    def comparable_mfcc(self) -> bool:
        """Whether the dataset has MFCC of the same kind: models and surrogates are not compared."""
        if MFCC not in self.dataset.backends():
            return False
        surrogate = {self.dataset.card(name).origin == "surrogate" for name in self.both}
        return len(surrogate) == 1

    @property
    def both(self) -> tuple[str, str]:
        """The backends compared: the user's own vectors and MFCC."""
        return self.own.name, MFCC

    def compute(self) -> None:
        """Compute the runs that the store lacks; MFCC's own control is not among them.

        Progress goes to stderr.
        """
        fits = [
            wanted
            for fit in missing_fits(self.results)
            if (wanted := [s for s in fit if not (s.shuffled and s.backend == MFCC)])
        ]
        store, threads = self.results.store, self.results.study.threads
        for specs in tracked(fits, "Fits"):
            run_fit(specs, store, self.dataset, threads=threads)

    def own_cells(self, scenario: str) -> list[Cell]:
        """The cells that read the user's own vectors."""
        return [c for c in self.results.cells(scenario) if c.backend == self.own.name]

    def contrasts(self) -> list[Contrast]:
        """Every comparison, the family that shares one level."""
        pairs = [item for scenario in self.scenarios for item in self._pairs(scenario)]
        level = first_step(len(pairs))
        return [self._contrast(*item, level=level) for item in pairs]

    def _pairs(self, scenario: str) -> Iterator[tuple[Cell, str, str, np.ndarray, np.ndarray]]:
        """Cell, reference, its kind, own [S x U] and reference [T x U] values of the metric."""
        metric = self.results.primary(scenario)
        cells = {(c.recommender.slug, c.backend): c for c in self.results.cells(scenario)}
        for cell in self.own_cells(scenario):
            own = self._values(cell.runs)
            record = self.results.records(cell.runs[:1])[0]
            chance = record.users[f"chance:{metric}"].to_numpy()[None]
            yield cell, "chance", "chance", own, chance
            yield cell, "shuffled", "shuffled", own, self._values(cell.shuffled)
            mfcc = cells.get((cell.recommender.slug, MFCC))
            if mfcc is not None and mfcc.card is not None:
                yield cell, mfcc.card.label, "mfcc", own, self._values(mfcc.runs)
            plain = cells.get((COLLABORATIVE, None))
            if plain is not None:
                label = plain.recommender.label
                yield cell, label, "collaborative", own, self._values(plain.runs)

    def _values(self, specs: Sequence[RunSpec]) -> np.ndarray:
        values = self.results.primary_values(specs)
        assert values is not None  # `compute` has made every record
        return values

    def _contrast(
        self,
        cell: Cell,
        reference: str,
        kind: str,
        own: np.ndarray,
        other: np.ndarray,
        *,
        level: float,
    ) -> Contrast:
        bounds = difference(own[:, :, None], other[:, :, None], level=level)
        ((mean, low, high),) = bounds.rows()
        per_user = own.mean(axis=0) - other.mean(axis=0)
        is_control = kind == "shuffled"
        return Contrast(
            scenario=cell.scenario,
            metric=self.results.primary(cell.scenario),
            recommender=cell.recommender.label,
            reference=reference,
            kind=kind,
            own=float(own.mean()),
            other=float(other.mean()),
            difference=mean,
            low=low,
            high=high,
            level=level,
            detectable=detectable(own - other if len(own) == len(other) else per_user, level=level),
            n_users=own.shape[1],
            shuffles=len(other) if is_control else None,
            why=too_few(per_user),
            exceeded=int((other.mean(axis=1) >= own.mean()).sum()) if is_control else None,
        )
