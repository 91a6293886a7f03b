"""Differences of cells over the same users: real and shuffled vectors, two variants."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import polars as pl

from mrs.evaluation.bootstrap import difference
from mrs.study.results import Cell, Results
from mrs.study.spec import RunSpec

SCHEMA = {
    "slug": pl.String,
    "recommender": pl.String,
    "backend": pl.String,
    "block": pl.String,
    "scenario": pl.String,
    "metric": pl.String,
    "first": pl.Float64,
    "second": pl.Float64,
    "chance": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
}


def against_shuffled(results: Results, cells: Sequence[Cell]) -> pl.DataFrame:
    """One row per cell that has both: real vectors (first) against shuffled ones (second).

    Columns as in `SCHEMA`: the means of the scenario's primary metric over users and seeds, its
    chance level, and their difference with its 95 % interval over users and seeds, paired
    (null where there are too few users).
    """
    return _differences(results, [(cell, cell.runs, cell.shuffled) for cell in cells])


def against_variant(results: Results, pairs: Sequence[tuple[Cell, Cell]]) -> pl.DataFrame:
    """One row per pair of cells: a variant (first, which names the row) against another."""
    return _differences(results, [(one, one.runs, other.runs) for one, other in pairs])


def _differences(
    results: Results, compared: Sequence[tuple[Cell, Sequence[RunSpec], Sequence[RunSpec]]]
) -> pl.DataFrame:
    # Cells with as many seeds share the draws of the bootstrap, which take most of its time.
    groups: dict[tuple, list[tuple[int, np.ndarray, np.ndarray]]] = defaultdict(list)
    for place, (cell, *both) in enumerate(compared):
        first, second = (results.primary_values(runs) for runs in both)
        if first is not None and second is not None:
            groups[cell.scenario, len(first), len(second)].append((place, first, second))
    rows = {}
    for group in groups.values():
        places, first, second = zip(*group, strict=True)
        bounds = difference(np.stack(first, axis=-1), np.stack(second, axis=-1))
        for place, one, other, (mean, low, high) in zip(
            places, first, second, bounds.rows(), strict=True
        ):
            cell = compared[place][0]
            metric = results.primary(cell.scenario)
            rows[place] = {
                "slug": cell.slug,
                "recommender": cell.recommender.label,
                "backend": cell.card.label if cell.card else None,
                "block": cell.provenance,
                "scenario": cell.scenario,
                "metric": metric,
                "first": float(one.mean()),
                "second": float(other.mean()),
                "chance": results.records(cell.runs[:1])[0].chance(metric),
                "difference": mean,
                "low": low,
                "high": high,
            }
    return pl.DataFrame([rows[place] for place in sorted(rows)], schema=SCHEMA)
