"""Every metric class on a study's records: the same lists judged by each formula.

A record keeps the ranks of the hits of each list, so that all classes that ask for no more than
hits, |R| and the number of candidates can be computed without ranking again. Classes that read
scores or ratings, or all candidates where a list stops before the last, are left out; `left_out`
names them.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy.stats import t

from mrs.evaluation.bootstrap import LEAST_USERS, Interval, interval
from mrs.evaluation.metrics import CLASSES, Judged, class_means, class_values
from mrs.evaluation.metrics import left_out as classes_left_out
from mrs.evaluation.metrics.base import Metric
from mrs.study.results import Cell, Results
from mrs.study.run import DEPTH
from mrs.study.store import Record

SCHEMA = {
    "cell": pl.String,
    "recommender": pl.String,
    "backend": pl.String,
    "block": pl.String,
    "scenario": pl.String,
    "k": pl.Int64,
    "metric": pl.String,
    "class": pl.String,
    "value": pl.Float64,
}


def judged(record: Record) -> Judged:
    """The lists of a record's users, held against the truth: [U x depth] of its hit ranks."""
    users = record.users
    relevant, candidates = (
        users[name].to_numpy().astype(np.int64) for name in ("n_relevant", "n_candidates")
    )
    depth = max(DEPTH, *record.info["k"])
    return Judged.from_ranks(users["hit_ranks"], relevant, candidates, depth)


def study_classes(results: Results, scenario: str | None = None) -> pl.DataFrame:
    """The value of every class for every cell that has a record, at each k of the study.

    Columns as in `SCHEMA`: cell (its slug), recommender, backend (as shown; null without one),
    block (where the vectors come from), scenario, k, metric, class, value. A value is the mean over
    users, or one number for all where the class is pooled, averaged over seeds.
    """
    frames = []
    for cell in results.cells(scenario):
        runs = [class_means(judged(r), results.study.k) for r in results.records(cell.runs)]
        if not runs:
            continue
        frames.append(
            pl.DataFrame(
                [
                    {
                        "k": k,
                        "metric": metric,
                        "class": name,
                        "value": float(np.mean([run[k][metric][name] for run in runs])),
                    }
                    for k, metrics in runs[0].items()
                    for metric, classes in metrics.items()
                    for name in classes
                ]
            ).with_columns(
                cell=pl.lit(cell.slug),
                recommender=pl.lit(cell.recommender.label),
                backend=pl.lit(cell.card.label if cell.card else None, dtype=pl.String),
                block=pl.lit(cell.provenance),
                scenario=pl.lit(cell.scenario),
            )
        )
    if not frames:
        return pl.DataFrame(schema=SCHEMA)
    return pl.concat(frames).select(list(SCHEMA))


def left_out(results: Results, scenario: str) -> dict[str, list[str]]:
    """Classes that a scenario's records cannot give, by the reason: {reason: ["auc global"]}."""
    for cell in results.cells(scenario):
        for record in results.records(cell.runs):
            return classes_left_out(judged(record))
    return {}


def user_values(
    results: Results, cells: Sequence[Cell], k: int
) -> dict[tuple[str, str], np.ndarray]:
    """Values of each (metric, class) at k for the users of one scenario: [U x cells].

    Means over each cell's seeds. Classes that do not give every user a value are left out.
    """
    lists = [[judged(record) for record in results.records(cell.runs)] for cell in cells]
    found = {}
    for metric, known in CLASSES.items():
        for name, definition in known.items():
            if not isinstance(definition, Metric) or definition.lacks(lists[0][0]):
                continue
            columns = [
                np.mean([definition.per_user(run, [k])[:, 0] for run in runs], axis=0)
                for runs in lists
            ]
            values = np.stack(columns, axis=1)
            if np.isfinite(values).all():
                found[metric, name] = values
    return found


def clear_leads(values: np.ndarray) -> np.ndarray:
    """Which columns of values [U x n] lead which clearly: bool [n x n].

    [i, j]: the 95 % t interval of the mean paired difference of i and j over users lies above
    zero. None is clear with fewer than `LEAST_USERS` users.
    """
    if len(values) < LEAST_USERS:
        return np.zeros((values.shape[1],) * 2, dtype=bool)
    mean, covariance = values.mean(axis=0), np.cov(values.T)
    variance = np.diag(covariance)
    error = np.maximum(variance[:, None] + variance - 2 * covariance, 0) / len(values)
    return mean[:, None] - mean > t.ppf(0.975, len(values) - 1) * np.sqrt(error) + 1e-12


def differences(
    results: Results, pairs: Sequence[tuple[Cell, Cell, str, str]], k: int
) -> list[Interval | None]:
    """The paired bootstrap interval of each difference first minus second under a class at k.

    pairs: (first cell, second cell, metric, class), all of one scenario, whose cells rank for the
    same users. None where a class has no value for every user, as a pooled one. A cell with one run
    stands beside every seed of the other.
    """
    cells = {cell.slug: cell for pair in pairs for cell in pair[:2]}
    lists = {slug: [judged(r) for r in results.records(c.runs)] for slug, c in cells.items()}
    n_seeds = min((len(runs) for runs in lists.values() if len(runs) > 1), default=1)

    def values(cell: Cell, metric: str, name: str) -> np.ndarray:
        runs = [class_values(run, metric, name, [k])[:, 0] for run in lists[cell.slug][:n_seeds]]
        return np.stack(runs)

    columns: dict[int, np.ndarray] = {}
    for place, (first, second, metric, name) in enumerate(pairs):
        if isinstance(CLASSES[metric][name], Metric):
            difference = values(first, metric, name) - values(second, metric, name)
            if np.isfinite(difference).all():
                columns[place] = np.broadcast_to(difference, (n_seeds, difference.shape[1]))
    if not columns:
        return [None] * len(pairs)
    bounds = interval(np.stack(list(columns.values()), axis=-1))
    ends = (np.asarray(part).tolist() for part in (bounds.mean, bounds.low, bounds.high))
    found = {
        place: Interval(*row) for place, row in zip(columns, zip(*ends, strict=True), strict=True)
    }
    return [found.get(place) for place in range(len(pairs))]
