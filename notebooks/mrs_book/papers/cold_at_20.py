"""Are the published cold numbers @20? Chance computed exactly, against the shuffled controls.

The published control of a cold table assigns the vectors to the tracks at random. Cold tracks are
never positives in training, so before that draw no cold track differs from another, and every
cold ranking is equally likely for every listener, whatever a model has learned. The expected value
of a control is therefore exactly the chance level at the k that was computed. The ranking of one
run is shared in part by all its listeners, so single runs scatter widely around it.

Sources: listeners by number of relevant cold tracks counted from `data/cold_test.pqt` of
`Darel13712/adopting-pretrained-audio` at 2a36454 (4,553 listeners, 23,269 pairs, 589 tracks),
derived from Music4All-Onion (CC BY 4.0); controls from `mrs_book.papers.results`.
"""

from importlib.resources import files

import numpy as np
import polars as pl
from scipy import stats

from mrs.data.tables import read_csv
from mrs.evaluation.metrics import chance
from mrs_book.papers.results import METRIC_LABELS, tables

# Candidates of every cold ranking: the distinct tracks of `data/cold_test.pqt` (see above), none of
# which is in a listener's history, since cold tracks have no play before the test month.
N_COLD_TRACKS = 589
KS = (20, 50)


def truth_sizes() -> pl.DataFrame:
    """Return the number of listeners (n_users) for each number of relevant cold tracks."""
    return read_csv(files("mrs_book.papers") / "data" / "cold_truth_sizes.csv")


def chance_levels() -> pl.DataFrame:
    """Return the exact mean over the listeners of a random ranking's metrics, at 20 and at 50.

    Columns: metric, chance_20, chance_50.
    """
    sizes = truth_sizes()
    n_relevant = sizes["n_relevant"].to_numpy()
    levels = chance(N_COLD_TRACKS, n_relevant, list(METRIC_LABELS), KS)
    mean = {name: np.average(level, weights=sizes["n_users"]) for name, level in levels.items()}
    return pl.DataFrame(
        {"metric": list(METRIC_LABELS)}
        | {f"chance_{k}": [mean[f"{metric}@{k}"] for metric in METRIC_LABELS] for k in KS}
    )


def controls() -> pl.DataFrame:
    """Return the published shuffled cold values: recommender, backend, metric, mean, ci95."""
    return (
        tables()
        .filter(pl.col("scenario") == "cold", pl.col("embeddings") == "shuffled")
        .select("recommender", "backend", "metric", "mean", "ci95")
    )


def distances(
    values: pl.DataFrame | None = None, levels: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Each control's distance to both chance levels.

    Parameters: the columns of `controls` and of `chance_levels`, which are the defaults. Added
    columns, for k = 20 and 50:
    distance_k = (mean - chance_k) / ci95, in units of the cell's own printed half-width (null
    where none is printed); and nearer, the k whose chance level is closer to the mean.
    """
    values = controls() if values is None else values
    levels = chance_levels() if levels is None else levels
    off = {k: pl.col("mean") - pl.col(f"chance_{k}") for k in KS}
    width = pl.when(pl.col("ci95") > 0).then(pl.col("ci95"))
    return values.join(levels, on="metric", how="left", maintain_order="left").with_columns(
        *[(off[k] / width).alias(f"distance_{k}") for k in KS],
        nearer=pl.when(off[20].abs() < off[50].abs()).then(20).otherwise(50),
    )


def summary(distance: pl.DataFrame) -> pl.DataFrame:
    """Return one row a metric: the mean control beside both chance levels.

    Columns: metric, n, mean, low, high (95 % t interval of the mean over the cells), and for k = 20
    and 50: chance_k, covers_k (the interval contains it), cells_covering_k (cells whose own
    interval, mean +- ci95, contains it), nearer_k (cells closer to it than to the other level).
    """
    rows = []
    for metric in METRIC_LABELS:
        cells = distance.filter(pl.col("metric") == metric)
        mean = cells["mean"].to_numpy()
        low, high = stats.t.interval(0.95, len(mean) - 1, loc=mean.mean(), scale=stats.sem(mean))
        row = {"metric": metric, "n": len(mean), "mean": mean.mean(), "low": low, "high": high}
        for k in KS:
            level = cells[f"chance_{k}"][0]
            row |= {
                f"chance_{k}": level,
                f"covers_{k}": bool(low <= level <= high),
                f"cells_covering_{k}": int((cells[f"distance_{k}"].abs() <= 1).sum()),
                f"nearer_{k}": int((cells["nearer"] == k).sum()),
            }
        rows.append(row)
    return pl.DataFrame(rows)


def verdict(distance: pl.DataFrame) -> str:
    """Return one sentence: which k the controls fit.

    A k fits if the interval of the mean control covers its chance level for every metric; the
    verdict names a k only if that one fits and the other is covered for no metric.
    """
    rows = summary(distance)
    for k, other in (KS, KS[::-1]):
        if rows[f"covers_{k}"].all() and not rows[f"covers_{other}"].any():
            return f"The shuffled controls fit k = {k}, not k = {other}."
    return "The shuffled controls do not decide between k = 20 and k = 50."


def evidence(distance: pl.DataFrame) -> str:
    """Return the numbers behind the verdict as sentences."""
    rows = summary(distance)
    n_cells = rows["n"][0]
    means = "; ".join(
        f"{METRIC_LABELS[row['metric']]} {row['mean']:.4f} [{row['low']:.4f}, {row['high']:.4f}] "
        f"against {row['chance_20']:.4f} at 20 and {row['chance_50']:.4f} at 50"
        for row in rows.iter_rows(named=True)
    )
    nearer = {k: rows[f"nearer_{k}"].sum() for k in KS}
    covered = {k: rows[f"cells_covering_{k}"].sum() for k in KS}
    return (
        f"Mean of the {n_cells} cells, with its 95 % interval over the cells, against chance: "
        f"{means}. Of the {len(distance)} values ({n_cells} cells, {len(rows)} metrics), "
        f"{nearer[50]} are nearer to chance at 50 and {nearer[20]} to chance at 20; the interval "
        f"printed with the value covers chance at 50 in {covered[50]} and chance at 20 in "
        f"{covered[20]}."
    )
