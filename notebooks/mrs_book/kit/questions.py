"""Which chapters a study can answer, from its files and cells alone.

The list of a book's pages reads this module, and so it loads no chapter and no figures.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from mrs.study.results import Cell, Results
from mrs.study.study import Study, Variant, load_study
from mrs.world.surrogates import HELDOUT_R2

DEFAULT = "demo"  # the dataset of the default study, which alone has companions
WORLDS = ("worlds", "variations")
COLDSTART = ("coldstart", "coldstart-backends", "artist-variance", "coldstart-settings")
LEAST_RUNGS = 3  # surrogates that make an order


def companion_files(study: str | Path, names: Iterable[str]) -> list[Path]:
    """The study files of these names that lie in the default study's folder, and their archives.

    Empty for a study of another dataset, and where one of the files is missing.
    """
    files = [Path(study).with_name(f"{name}.yaml") for name in names]
    if not all(path.is_file() for path in (Path(study), *files)):
        return []
    if load_study(study).dataset != DEFAULT:
        return []
    archives = [load_study(path).archive for path in files]
    return [*files, *(path for path in archives if path is not None and path.is_file())]


def comparable(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """The pairs of cells whose vectors have the same provenance."""
    return [(a, b) for a, b in combinations(cells, 2) if a.provenance == b.provenance]


def has_pairs(results: Results) -> bool:
    """Whether a study compares backends at all, whatever its store holds."""
    groups: dict[tuple, list[Cell]] = defaultdict(list)
    for cell in results.cells():
        if cell.card:
            groups[cell.recommender, cell.scenario].append(cell)
    return any(comparable(cells) for cells in groups.values())


def rung(cell: Cell) -> float | None:
    """The held-out R2 of a cell's surrogate; None for other vectors."""
    if cell.card is None or cell.card.origin != "surrogate":
        return None
    return cell.card.details.get(HELDOUT_R2)


def has_ladder(results: Results) -> bool:
    """Whether a study has enough surrogates on different rungs to speak of an order."""
    return len({rung(cell) for cell in results.cells()} - {None}) >= LEAST_RUNGS


@dataclass(frozen=True)
class VariantPair:
    """Two variants that differ in one setting alone: `one` has a given value of it."""

    one: Variant
    other: Variant

    def cells(self, results: Results) -> list[tuple[Cell, Cell]]:
        """The cells of both by backend and scenario, in the order of the study."""
        cells = results.cells()
        other = {(c.backend, c.scenario): c for c in cells if c.recommender == self.other}
        mine = [c for c in cells if c.recommender == self.one]
        return [(cell, other[cell.backend, cell.scenario]) for cell in mine]


def variant_pairs(study: Study, setting: str, value: Any = None) -> list[VariantPair]:
    """The pairs of a study's variants that differ in a setting alone, one with that value."""
    found = []
    for one in study.recommenders:
        settings = one.model.settings()
        if setting not in settings or settings[setting] != value:
            continue
        for other in study.recommenders:
            theirs = other.model.settings()
            rest = settings | {setting: theirs.get(setting)}
            alike = (other.name, other.protocol) == (one.name, one.protocol)
            if alike and other != one and theirs == rest:
                found.append(VariantPair(one, other))
    return found
