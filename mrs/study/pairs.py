"""Pairs of backends under one recommender: each difference with everything that judges it.

A family is a recommender in a scenario, on the scenario's primary metric. Backends are compared
within one block of provenance only: vectors computed from audio, brought as files, and surrogates
stand apart.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from mrs.data.digests import of_values
from mrs.evaluation.bootstrap import resampled_means
from mrs.evaluation.significance import (
    LEVEL,
    components,
    effect_size,
    first_step,
    holm,
    p_values,
    quasi_f,
)
from mrs.recommenders import RECOMMENDERS
from mrs.study.results import Cell, Results

PAIRS_VERSION = 1  # raised when what `pairs` says of the same records changes
SCHEMA: dict[str, Any] = {
    "scenario": pl.String,
    "metric": pl.String,
    "recommender": pl.String,
    "block": pl.String,
    "first": pl.String,
    "second": pl.String,
    "n_users": pl.Int64,
    "n_seeds": pl.Int64,
    "ranked": pl.Boolean,
    "first_mean": pl.Float64,
    "second_mean": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
    "quasi_f_holm": pl.Float64,
    "d_z": pl.Float64,
    "d_z_half": pl.Float64,
    "users": pl.Float64,
    "seeds": pl.Float64,
    "interaction": pl.Float64,
    "detectable": pl.Float64,
    "apart": pl.Boolean,
}


@dataclass(frozen=True)
class _Row:
    """A pair before it is judged beside its family; the first has the higher mean."""

    first: Cell
    second: Cell
    means: tuple[float, float]
    values: np.ndarray  # differences [S x U]
    bounds: tuple[float, float]
    p: float


def families(results: Results, scenario: str) -> list[list[Cell]]:
    """The scenario's cells that have records for all seeds, a list a recommender.

    Only recommenders with a pair of backends in one block.
    """
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in results.cells(scenario):
        if cell.card and len(results.records(cell.runs)) == len(cell.runs):
            groups[cell.recommender.slug].append(cell)
    return [cells for cells in groups.values() if _within(cells)]


def has_pairs(results: Results) -> bool:
    """Whether a study compares backends at all, whatever its store holds."""
    groups: dict[tuple, list[Cell]] = defaultdict(list)
    for cell in results.cells():
        if cell.card:
            groups[cell.recommender, cell.scenario].append(cell)
    return any(_within(cells) for cells in groups.values())


def _within(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    return [(a, b) for a, b in combinations(cells, 2) if a.provenance == b.provenance]


def pairs(results: Results, scenario: str) -> pl.DataFrame:
    """All pairs of a scenario, a row each; `first` is the backend with the higher mean.

    Columns as in `SCHEMA`. `low` and `high` are the 95 % bootstrap interval of `difference` over
    users and seeds, for this pair alone; `p_holm` is its p value adjusted over the family, and
    `quasi_f_holm` that of Clark's quasi F, which takes few seeds for what they are. `d_z` -+
    `d_z_half` is the effect size. `users`, `seeds`, `interaction` are variance components, see
    `mrs.evaluation.significance.Components`. `detectable` is the minimum detectable difference at
    the level of Holm's first step. `ranked` is False where the recommender draws at random and ran
    from one seed: that speaks of users only, and `apart` is null; otherwise `apart` says whether
    `p_holm` is below 5 %.
    """
    found = families(results, scenario)
    cells = [cell for family in found for cell in family]
    labels = [(c.recommender.label, c.card.label if c.card else "", c.provenance) for c in cells]
    keys = [[record.key for record in results.records(cell.runs)] for cell in cells]
    key = of_values(["pairs", PAIRS_VERSION, scenario, results.primary(scenario), labels, keys])
    return results.store.derived(key, lambda: _pairs(results, found))


def _pairs(results: Results, found: list[list[Cell]]) -> pl.DataFrame:
    values = {
        cell.slug: known
        for cells in found
        for cell in cells
        if (known := results.primary_values(cell.runs)) is not None
    }
    means = _resampled(values)
    judged = [row for cells in found for row in _family(results, cells, values, means)]
    return pl.DataFrame(judged, schema=SCHEMA)


def _resampled(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each cell's resampled means [draws]; all over as many users and seeds share the draws."""
    groups: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for slug, known in values.items():
        groups[known.shape].append(slug)
    means: dict[str, np.ndarray] = {}
    for slugs in groups.values():
        drawn = resampled_means(np.stack([values[slug] for slug in slugs], axis=-1))
        means |= dict(zip(slugs, drawn.T, strict=True))
    return means


def _family(
    results: Results,
    cells: Sequence[Cell],
    values: dict[str, np.ndarray],
    means: dict[str, np.ndarray],
) -> list[dict[str, Any]]:
    rows = []
    for pair in _within(cells):
        first, second = sorted(pair, key=lambda cell: -values[cell.slug].mean())
        drawn = means[first.slug] - means[second.slug]
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        one, other = values[first.slug], values[second.slug]
        rows.append(
            _Row(
                first=first,
                second=second,
                means=(float(one.mean()), float(other.mean())),
                values=one - other,
                bounds=(float(low), float(high)),
                p=float(p_values(drawn[:, None])[0]),
            )
        )
    adjusted = holm(np.array([row.p for row in rows]))
    quasi = holm(np.array([quasi_f(row.values) for row in rows]))
    level = first_step(len(rows))
    metric = results.primary(cells[0].scenario)
    judged = zip(rows, adjusted.tolist(), quasi.tolist(), strict=True)
    return [_judged(row, p, q, level) | {"metric": metric} for row, p, q in judged]


def _judged(row: _Row, p: float, quasi: float, level: float) -> dict[str, Any]:
    n_seeds, n_users = row.values.shape
    recommender = row.first.recommender
    ranked = n_seeds > 1 or not RECOMMENDERS[recommender.name].stochastic
    found = components(row.values)
    size = effect_size(row.values.mean(axis=0))
    return {
        "scenario": row.first.scenario,
        "recommender": recommender.label,
        "block": row.first.provenance,
        "first": row.first.card.label if row.first.card else None,
        "second": row.second.card.label if row.second.card else None,
        "n_users": n_users,
        "n_seeds": n_seeds,
        "ranked": ranked,
        "first_mean": row.means[0],
        "second_mean": row.means[1],
        "difference": row.means[0] - row.means[1],
        "low": row.bounds[0],
        "high": row.bounds[1],
        "p": row.p,
        "p_holm": p,
        "quasi_f_holm": quasi,
        "d_z": size.mean,
        "d_z_half": size.high - size.mean,
        "users": found.users,
        "seeds": found.seeds,
        "interaction": found.interaction,
        "detectable": found.detectable(level=level),
        "apart": p < 1 - LEVEL if ranked else None,
    }
