"""Comparisons of a study's cells: each difference with everything that judges it.

Pairs of backends under one recommender: a family is a recommender in a scenario, on the scenario's
primary metric. Backends are compared within one block of provenance only: vectors computed from
audio, the user's own files, and surrogates are separate. Recommenders that read vectors are
compared with references that read none: a family is a reference in a scenario and a block.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from mrs.evaluation.bootstrap import spread
from mrs.evaluation.significance import LEVEL, components, effect_size, first_step, holm
from mrs.files import values_digest
from mrs.study.results import Cell, Results
from mrs.study.spec import whole
from mrs_book.kit.questions import comparable

Family = list[tuple[Cell, Cell, str]]  # compared cells, and the name of the second

PAIRS_VERSION = 2  # raised when the same records give another table
SCHEMA: dict[str, Any] = (
    dict.fromkeys(("scenario", "metric", "recommender", "block", "first", "second"), pl.String)
    | dict.fromkeys(("n_users", "n_seeds"), pl.Int64)
    | {"ranked": pl.Boolean}
    | dict.fromkeys(
        ("first_mean", "second_mean", "difference", "low", "high", "p", "p_holm"), pl.Float64
    )
    | dict.fromkeys(("d_z", "d_z_half", "users", "seeds", "interaction"), pl.Float64)
    | {"detectable": pl.Float64, "apart": pl.Boolean}
)
# Baselines without vectors that answer the same users: recommenders with vectors must beat them.
REFERENCES = {
    "hot": ("elsa", "popularity"),
    "cold": ("random", "artist_popularity", "artist_mean"),
}
TWINS = {"bert4rec": "bert4rec_ids", "shallow": "shallow_ids"}  # the same from a random start
RANDOM_START = "random start"


def families(results: Results, scenario: str) -> list[list[Cell]]:
    """The cells of each recommender that have records for all seeds, if two are comparable."""
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in results.cells(scenario):
        if cell.card and len(results.records(cell.runs)) == len(cell.runs):
            groups[cell.recommender.slug].append(cell)
    return [cells for cells in groups.values() if comparable(cells)]


def pairs(results: Results, scenario: str) -> pl.DataFrame:
    """One row per pair of backends in a scenario; `first` is the one with the higher mean.

    Columns as in `SCHEMA`. `low` and `high` are the 95 % interval of `difference` over users and
    seeds, for this pair alone, and `p_holm` is the p value of the same interval, adjusted over the
    family; they are null where there are too few users. `d_z` -+ `d_z_half` is the effect size.
    `users`, `seeds`, `interaction` are variance components, see
    `mrs.evaluation.significance.Components`. `detectable` is the minimum detectable difference at
    the level of Holm's first step. `ranked` is False where the recommender draws at random and ran
    from one seed, which says nothing of other seeds. `apart` says whether `p_holm` is below 5 %;
    null where a pair is not ranked or has no p value.
    """
    compared = [
        [(a, b, b.card.label if b.card else "") for a, b in comparable(cells)]
        for cells in families(results, scenario)
    ]
    return _table("pairs", results, scenario, compared, by_mean=True)


def references(results: Results, scenario: str) -> list[tuple[str, list[Cell], list[Cell]]]:
    """The references of a scenario's trained recommenders that read vectors.

    The label of each reference, the cells with records that it is compared with, and for each of
    them the cell of the reference.
    """
    cells = [c for c in results.cells(scenario) if len(results.records(c.runs)) == len(c.runs)]
    trained = [c for c in cells if c.card and c.recommender.model.stochastic]
    baselines = {c.recommender.name: c for c in reversed(cells) if not c.card}
    found = []
    for name in REFERENCES[whole(scenario)]:
        if name in baselines and trained:
            other = baselines[name]
            found.append((other.recommender.label, trained, [other] * len(trained)))
    twins = [c for c in trained if TWINS.get(c.recommender.name) in baselines]
    if twins:
        others = [baselines[TWINS[c.recommender.name]] for c in twins]
        found.append((RANDOM_START, twins, others))
    return found


def against_references(results: Results, scenario: str) -> pl.DataFrame:
    """One row per trained recommender that reads vectors and reference that reads none.

    Columns as in `SCHEMA`: `first` is the backend, `second` the reference, and `difference` the
    first minus the second. The rows of one reference and block are a family.
    """
    found: dict[tuple[str, str], Family] = defaultdict(list)
    for label, cells, others in references(results, scenario):
        for cell, other in zip(cells, others, strict=True):
            found[label, cell.provenance].append((cell, other, label))
    return _table("references", results, scenario, list(found.values()), by_mean=False)


def _table(
    what: str, results: Results, scenario: str, compared: Sequence[Family], *, by_mean: bool
) -> pl.DataFrame:
    """The comparisons' table from the store, or made now."""
    names = [
        [(one.slug, one.provenance, one.card and one.card.label, name) for one, _, name in family]
        for family in compared
    ]
    keys = [
        [[[r.key for r in results.records(cell.runs)] for cell in pair[:2]] for pair in family]
        for family in compared
    ]
    key = values_digest([what, PAIRS_VERSION, scenario, results.primary(scenario), names, keys])
    return results.store.derived(key, lambda: _compared(results, compared, by_mean=by_mean))


def _compared(results: Results, compared: Sequence[Family], *, by_mean: bool) -> pl.DataFrame:
    """One row per comparison; with `by_mean` the cell with the higher mean comes first."""
    cells = {cell.slug: cell for family in compared for pair in family for cell in pair[:2]}
    values = {slug: results.primary_values(cell.runs) for slug, cell in cells.items()}
    rows: list[list[dict[str, Any]]] = [[] for _ in compared]
    differences: list[np.ndarray] = []
    for mine, family in zip(rows, compared, strict=True):
        for first, second, name in family:
            one, other = _of_shared_seeds(first, second, values)
            if by_mean and one.mean() < other.mean():
                first, second, name = second, first, first.card.label if first.card else name
                one, other = other, one
            differences.append(one - other)
            mine.append(_described(results, first, second, name, one, other))
    every = [row for mine in rows for row in mine]
    for row, bound in zip(every, _bounds(differences), strict=True):
        row.update(zip(("low", "high", "p"), bound, strict=True))
    for mine in rows:
        level = first_step(len(mine))
        for row, p in zip(mine, holm(np.array([row["p"] for row in mine])).tolist(), strict=True):
            tested = not np.isnan(p)
            row["p_holm"] = p if tested else None
            row["p"] = row["p"] if tested else None
            row["detectable"] = row.pop("components").detectable(level=level)
            row["apart"] = p < 1 - LEVEL if tested and row["ranked"] else None
    return pl.DataFrame(every, schema=SCHEMA)


def _of_shared_seeds(
    first: Cell, second: Cell, values: dict[str, np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Both cells' values [S x U] of the seeds that both ran from, as a study may give some fewer.

    The run of a recommender that draws nothing stands beside every seed.
    """
    one, other = values[first.slug], values[second.slug]
    assert one is not None
    assert other is not None
    if all(cell.recommender.model.stochastic for cell in (first, second)):
        seeds = [[spec.seed for spec in cell.runs] for cell in (first, second)]
        shared = [seed for seed in seeds[0] if seed in seeds[1]]
        one = one[[seeds[0].index(seed) for seed in shared]]
        other = other[[seeds[1].index(seed) for seed in shared]]
    return one, other


def _bounds(differences: Sequence[np.ndarray]) -> list[tuple[float | None, float | None, float]]:
    """Low, high and p value of each difference [S x U]; those of one shape share the draws."""
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, values in enumerate(differences):
        groups[values.shape].append(place)
    found: dict[int, tuple[float | None, float | None, float]] = {}
    for places in groups.values():
        drawn = spread([np.stack([differences[place] for place in places], axis=-1)])
        for place, (_, low, high), p in zip(
            places, drawn.interval().rows(), drawn.p_values().tolist(), strict=True
        ):
            found[place] = low, high, p
    return [found[place] for place in range(len(differences))]


def _described(
    results: Results, first: Cell, second: Cell, name: str, one: np.ndarray, other: np.ndarray
) -> dict[str, Any]:
    """A row without what needs the other rows of its family."""
    difference = one - other
    n_seeds, n_users = difference.shape
    found, size = components(difference), effect_size(difference.mean(axis=0))
    drawn = any(cell.recommender.model.stochastic for cell in (first, second))
    return {
        "scenario": first.scenario,
        "metric": results.primary(first.scenario),
        "recommender": first.recommender.label,
        "block": first.provenance,
        "first": first.card.label if first.card else None,
        "second": name,
        "n_users": n_users,
        "n_seeds": n_seeds,
        "ranked": n_seeds > 1 or not drawn,
        "first_mean": float(one.mean()),
        "second_mean": float(other.mean()),
        "difference": float(one.mean() - other.mean()),
        "d_z": size.mean,
        "d_z_half": None if np.isnan(size.high) else size.high - size.mean,
        "users": found.users,
        "seeds": found.seeds,
        "interaction": found.interaction,
        "components": found,
    }
