"""A study's cells and their records, which tables and figures read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mrs.data.dataset import Card, Dataset, open_dataset
from mrs.study.archive import open_archive
from mrs.study.spec import PRIMARY, RunSpec, file_name, make_spec, run_key, whole
from mrs.study.store import Record, Store, stacked
from mrs.study.study import Study, Variant, load_study


@dataclass(frozen=True)
class Cell:
    """One backend x recommender x scenario: its runs over seeds and its shuffled controls.

    `backend` and `card` are None for a recommender that reads no vectors.
    """

    recommender: Variant
    backend: str | None
    card: Card | None
    scenario: str
    runs: tuple[RunSpec, ...]
    shuffled: tuple[RunSpec, ...]

    @property
    def slug(self) -> str:
        """The name of the cell's page."""
        parts = [self.recommender.slug, self.backend or "", file_name(self.scenario)]
        return "-".join(part for part in parts if part)

    @property
    def title(self) -> str:
        """What distinguishes the cell among its recommender's."""
        return f"{self.card.label}, {self.scenario}" if self.card else self.scenario

    @property
    def provenance(self) -> str:
        """Where the vectors came from: "audio", "file", "surrogate", or "none"."""
        return self.card.origin if self.card else "none"


class Results:
    """A study's records in a store."""

    def __init__(self, study: Study, store: Store, dataset: Dataset | None = None) -> None:
        self.study = study
        self.store = store
        self.dataset = dataset or open_dataset(study.dataset)
        self.archive = open_archive(study.archive)
        self._cells = self._lay_out()
        self._keys: dict[RunSpec, str] = {}

    def _lay_out(self) -> list[Cell]:
        study = self.study
        backends = study.backends if study.backends is not None else self.dataset.backends()
        cells = []
        for variant in study.recommenders:
            reads = "vectors" in variant.model.needs
            for backend in backends if reads else [None]:
                for scenario in study.scenarios:
                    if whole(scenario) in variant.model.scenarios:
                        cells.append(self._cell(variant, backend, scenario))
        return cells

    def _cell(self, variant: Variant, backend: str | None, scenario: str) -> Cell:
        seeds = self.study.fits(variant) if variant.model.stochastic else (0,)
        first = make_spec(
            self.dataset,
            recommender=variant.model,
            scenario=scenario,
            backend=backend,
            split=self.study.split,
            k=self.study.k,
        )
        return Cell(
            recommender=variant,
            backend=backend,
            card=self.dataset.card(backend) if backend else None,
            scenario=scenario,
            runs=tuple(replace(first, seed=seed) for seed in seeds),
            shuffled=tuple(
                replace(first, seed=seed, shuffled=True)
                for seed in (self.study.controls(variant) if backend else ())
            ),
        )

    def cells(self, scenario: str | None = None) -> list[Cell]:
        """The study's cells in the order of the study file, optionally of one scenario."""
        return [cell for cell in self._cells if scenario in (None, cell.scenario)]

    def cell(self, slug: str) -> Cell:
        """The cell of that slug."""
        return next(cell for cell in self._cells if cell.slug == slug)

    def backends(self) -> list[str]:
        """The backends whose vectors some cell reads, in the order of the cells."""
        return list(dict.fromkeys(cell.backend for cell in self._cells if cell.backend))

    def specs(self) -> list[RunSpec]:
        """All runs of the study."""
        return [spec for cell in self._cells for spec in (*cell.runs, *cell.shuffled)]

    def key(self, spec: RunSpec) -> str:
        """The key of a run, computed once."""
        if spec not in self._keys:
            self._keys[spec] = run_key(spec, self.dataset, self.store.digests)
        return self._keys[spec]

    def has(self, spec: RunSpec) -> bool:
        """Whether a run has been computed, here or in the study's archive."""
        return self.store.has(self.key(spec)) or self._archived(spec) is not None

    def record(self, spec: RunSpec) -> Record | None:
        """The record of a run, None where it has not been computed."""
        return self.store.read(self.key(spec)) or self._archived(spec)

    def _archived(self, spec: RunSpec) -> Record | None:
        return self.archive.read(spec, self.dataset) if self.archive else None

    def primary(self, scenario: str) -> str:
        """The scenario's primary metric, at the nearest list length that the study has."""
        metric, k = PRIMARY[whole(scenario)].split("@")
        return f"{metric}@{min(self.study.k, key=lambda length: abs(length - int(k)))}"

    def primary_values(self, specs: Sequence[RunSpec]) -> np.ndarray | None:
        """The primary metric of runs of one scenario [runs x U]; None where one has no record."""
        records = self.records(specs)
        if not specs or len(records) < len(specs):
            return None
        return stacked(records, [self.primary(specs[0].scenario)])[:, :, 0]

    def records(self, specs: Sequence[RunSpec]) -> list[Record]:
        """The records of those runs that have one."""
        found = (self.record(spec) for spec in specs)
        return [record for record in found if record is not None]


def open_results(study: str, store: str) -> Results:
    """The records of a study file in a store, as notebooks name them."""
    return Results(load_study(study), Store(store))
