"""What the printed numbers of arXiv 2604.23077 say by themselves: no model and no listener needed.

Every function reads the tables of `results.py` and returns a frame; formulas are closed
forms. A printed mean carries four decimals; the half-width beside it was made with Student's t of
two degrees of freedom whatever the number of runs (`Metrics.ipynb`, cell 2, of
`Darel13712/adopting-pretrained-audio` at 2a36454). That cell lists the names of the runs behind
each cell of the tables: `data/training_runs.csv` counts them where they are not three. The lists
are those of the stored notebook; that they are the ones of its printed tables is an assumption.
`data/widths.csv` has the widths of the vectors from cell 1 (`size_map`).
"""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import polars as pl
from scipy import stats

from mrs.data.tables import read_csv
from mrs.evaluation.correlation import rank_correlation, tau_b
from mrs.evaluation.significance import holm
from mrs_book.papers import cold_at_20, results
from mrs_book.papers.results import METRIC_LABELS, N_TRAIN_TRACKS, TABLE, VALUE

LEVEL = 0.95
ROUNDING = 0.5e-4  # a printed mean or half-width differs from the exact one by at most this
PRINTED_DF = 2
USUAL_RUNS = 3
K = 50  # at which everything was computed
HISTORIES = (1, 142, 4427)  # fewest, median, most train tracks of a listener: stats.csv, as above
HOT_LISTENERS = 10_238  # of the hot test: stats.csv
DRAWS = 2000


def _data(name: str) -> pl.DataFrame:
    return read_csv(files("mrs_book.papers") / "data" / name)


# Recall of a random ranking


def hot_chance() -> tuple[float, float, float]:
    """A listener's expected Recall @50 in a random hot ranking, exactly: k / candidates.

    Candidates are the train tracks without the listener's own: for the shortest, the median and
    the longest history.
    """
    low, typical, high = (K / (N_TRAIN_TRACKS - history) for history in HISTORIES)
    return low, typical, high


def hot_recall_error() -> float:
    """The largest standard error that mean hot Recall @50 can have in independent random rankings.

    Recall lies in [0, 1], so its variance is at most its mean, however many tracks are relevant.
    """
    return float(np.sqrt(hot_chance()[1] / HOT_LISTENERS))


def cold_recall_error() -> float:
    """Standard error of the mean cold Recall @50 if every listener's ranking were random.

    Hits of a listener with R relevant of N tracks are hypergeometric; listeners are independent.
    """
    sizes = cold_at_20.truth_sizes()
    n_relevant, weight = sizes["n_relevant"].to_numpy(), sizes["n_users"].to_numpy()
    variance = stats.hypergeom(cold_at_20.N_COLD_TRACKS, n_relevant, K).var() / n_relevant**2
    return float(np.sqrt((weight * variance).sum()) / weight.sum())


def control_run_spread() -> float:
    """Standard deviation of a single shuffled cold run's Recall about its cell's mean, pooled.

    Recovered from the printed half-widths and the numbers of runs.
    """
    rows = improvements().filter(pl.col("scenario") == "cold", pl.col("metric") == "recall")
    n = rows["n_shuffled"].to_numpy()
    variance = rows["se_shuffled"].to_numpy() ** 2 * n
    return float(np.sqrt(((n - 1) * variance).sum() / (n - 1).sum()))


def knn(scenario: str) -> pl.DataFrame:
    """The printed KNN Recall of each backend with real vectors: backend, mean; highest first."""
    chosen = (pl.col("recommender") == "knn") & (pl.col("scenario") == scenario)
    return results.ranks("recall").filter(chosen).select("backend", "mean").sort("mean", "backend")


def cold_chance() -> float:
    """The expected Recall @50 of a random cold ranking, whatever is relevant."""
    return K / cold_at_20.N_COLD_TRACKS


def cold_knn_by_runs(mean: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How unusual cold Recalls are as the highest, or the lowest, of n runs at chance.

    Returns the standard deviations of a single shuffled run above chance, and the probabilities
    that the highest of n independent normal runs is at least as high, and the lowest as low.
    """
    z = (mean - cold_chance()) / control_run_spread()
    above, below = (-np.expm1(n * stats.norm.logcdf(value)) for value in (z, -z))
    return z, above, below


def knn_and_chance() -> pl.DataFrame:
    """The printed KNN Recall of each backend against chance, hot and cold.

    Columns: scenario, backend, mean, chance, beyond (hot: whether it is further from chance than
    the largest sampling error can explain; it is proof, and within the error nothing is), and z,
    above, below (cold: see `cold_knn_by_runs`, as the best or worst of all backends). Runs are the
    unit in cold, since the listeners of a run share much of their lists.
    """
    hot, cold = knn("hot"), knn("cold")
    bound = stats.norm.ppf((1 + LEVEL) / 2) * hot_recall_error()
    off = pl.col("mean") - hot_chance()[1]
    by_runs = cold_knn_by_runs(cold["mean"].to_numpy(), len(cold))
    hot = hot.with_columns(chance=hot_chance()[1], beyond=off.abs() > bound)
    cold = cold.with_columns(
        chance=cold_chance(),
        **{name: pl.Series(v) for name, v in zip(("z", "above", "below"), by_runs, strict=True)},
    )
    both = [rows.with_columns(scenario=pl.lit(s)) for s, rows in (("hot", hot), ("cold", cold))]
    return pl.concat(both, how="diagonal")


# Real against shuffled, with the degrees of freedom of the runs


def training_runs() -> pl.DataFrame:
    """Runs of the cells that do not have `USUAL_RUNS`: recommender, backend, embeddings, runs."""
    return _data("training_runs.csv")


def _with_runs(rows: pl.DataFrame, side: str) -> pl.DataFrame:
    """Rows with the number of runs behind their real or shuffled mean, n_real or n_shuffled."""
    counts = training_runs().filter(pl.col("embeddings") == side)
    return rows.join(
        counts.select("recommender", "backend", pl.col("runs").alias(f"n_{side}")),
        on=["recommender", "backend"],
        how="left",
        maintain_order="left",
    ).with_columns(pl.col(f"n_{side}").fill_null(USUAL_RUNS))


def standard_error(half_width: np.ndarray) -> np.ndarray:
    """The standard error behind a printed half-width."""
    return half_width / stats.t.ppf((1 + LEVEL) / 2, PRINTED_DF)


def welch(
    difference: np.ndarray, errors: Sequence[np.ndarray], runs: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Half-width of a difference of two means and its two-sided p (Welch 1947).

    difference [n]; errors and runs: one array [n] a side, standard errors of means and numbers of
    runs. Degrees of freedom after Satterthwaite, with runs - 1 on each side.
    """
    variances = [np.square(error) for error in errors]
    total = sum(variances)
    parts = sum(v**2 / (n - 1) for v, n in zip(variances, runs, strict=True))
    df = total**2 / parts
    half = stats.t.ppf((1 + LEVEL) / 2, df) * np.sqrt(total)
    return half, 2 * stats.t.sf(np.abs(difference) / np.sqrt(total), df)


def improvements() -> pl.DataFrame:
    """Real minus shuffled of every cell that has both, with the interval that its runs allow.

    Columns: those of the key, real, shuffled, difference, half, p, p_holm (family: the backends of
    a table and metric), n_real, n_shuffled, se_real, se_shuffled, rounded (how far rounding could
    move an end of the interval), verdict: "above", "below" (the interval excludes zero), "open",
    and firm: whether no rounding could change the verdict.
    """
    rows = results.real_and_shuffled().filter(pl.col("shuffled").is_not_null())
    for side in ("real", "shuffled"):
        rows = _with_runs(rows, side)
    # A half-width that is printed as zero is taken as large as it can have been.
    printed = [
        np.maximum(rows[f"{side}_ci95"].to_numpy(), ROUNDING) for side in ("real", "shuffled")
    ]
    runs = [rows[f"n_{side}"].to_numpy() for side in ("real", "shuffled")]
    difference = (rows["real"] - rows["shuffled"]).to_numpy()
    errors = [standard_error(width) for width in printed]
    half, p = welch(difference, errors, runs)
    wider, _ = welch(difference, [standard_error(width + ROUNDING) for width in printed], runs)
    narrower, _ = welch(
        difference, [standard_error(np.maximum(width - ROUNDING, 1e-9)) for width in printed], runs
    )
    open_ = np.abs(difference) <= half
    firm = np.where(
        open_,
        np.abs(difference) + 2 * ROUNDING <= narrower,
        np.abs(difference) - 2 * ROUNDING > wider,
    )
    verdict = np.where(open_, "open", np.where(difference > 0, "above", "below"))
    found = rows.select(*VALUE, "real", "shuffled", "n_real", "n_shuffled").with_columns(
        difference=difference,
        half=half,
        p=p,
        se_real=errors[0],
        se_shuffled=errors[1],
        verdict=pl.Series(verdict),
        firm=pl.Series(firm),
    )
    adjusted = np.empty(len(p))
    for family in found.with_row_index().partition_by(*TABLE, "metric"):
        mine = family["index"].to_numpy()
        adjusted[mine] = holm(p[mine])
    return found.with_columns(p_holm=adjusted)


def best_backends() -> pl.DataFrame:
    """Whether Welch's interval sets the best backend of each trained table above the second.

    One row per table and metric. Columns: those of the table, metric, best, second (backends),
    difference, half (of the interval), apart.
    """
    chosen = pl.col("real_ci95").is_not_null()
    rows = _with_runs(results.real_and_shuffled().filter(chosen), "real")
    found = []
    for table in rows.partition_by([*TABLE, "metric"], maintain_order=True):
        top = table.sort("real", descending=True, maintain_order=True).head(2)
        mean, n_runs = top["real"].to_numpy(), top["n_real"].to_numpy()
        errors = standard_error(np.maximum(top["real_ci95"].to_numpy(), ROUNDING))
        half, _ = welch(mean[:1] - mean[1:], np.split(errors, 2), np.split(n_runs, 2))
        key = top.select(*TABLE, "metric").row(0, named=True)
        best, second = top["backend"]
        apart = bool(mean[0] - mean[1] > half[0])
        found.append(
            key
            | {"best": best, "second": second, "difference": mean[0] - mean[1]}
            | {"half": half[0], "apart": apart}
        )
    return pl.DataFrame(found)


def hundred_against_chance() -> pl.DataFrame:
    """Cold gains of the "100" tables as printed and against exact chance, per cent.

    A shuffled cold control has chance as its expected value, whatever was trained
    (`mrs_book.papers.cold_at_20`). Columns: backend, metric, printed, against_chance.
    """
    rows = results.real_and_shuffled().filter(
        pl.col("scenario") == "cold", pl.col("variant") == "100"
    )
    return rows.join(cold_at_20.chance_levels(), on="metric", maintain_order="left").select(
        "backend",
        "metric",
        printed="improvement_over_shuffle_pct",
        against_chance=100 * (pl.col("real") / pl.col("chance_50") - 1),
    )


# Orders of the backends


def widths() -> pl.DataFrame:
    """The width of each backend's vectors as published: backend, width, source."""
    return _data("widths.csv")


def width_correlations(metric: str = "recall") -> pl.DataFrame:
    """Spearman's correlation of a table's means with the width of the vectors.

    Columns: scenario, recommender, variant, rho, low, high.
    """
    joined = results.ranks(metric).join(widths(), on="backend", how="left", maintain_order="left")
    rows = []
    for key, table in joined.partition_by(TABLE, as_dict=True, maintain_order=True).items():
        found = rank_correlation(table["width"].to_numpy(), table["mean"].to_numpy())
        if found is not None:
            values = {"rho": found.mean, "low": found.low, "high": found.high}
            rows.append(dict(zip(TABLE, key, strict=True)) | values)
    return pl.DataFrame(rows, infer_schema_length=None)


def elsa_and_best() -> pl.DataFrame:
    """ELSA's hot value of each metric beside the best of the rows that read audio.

    Columns: metric, elsa, best, recommender, variant, backend (of the best), n, n_above.
    """
    hot = results.real_and_shuffled().filter(pl.col("scenario") == "hot")
    rows = []
    for metric in METRIC_LABELS:
        mine = hot.filter(pl.col("metric") == metric)
        elsa = mine.filter(pl.col("recommender") == "elsa")["real"][0]
        audio = mine.filter(pl.col("recommender") != "elsa").sort("real", descending=True)
        best = audio.row(0, named=True)
        rows.append(
            {"metric": metric, "elsa": elsa, "best": best["real"]}
            | {name: best[name] for name in ("recommender", "variant", "backend")}
            | {"n": len(audio), "n_above": int((audio["real"] > elsa).sum())}
        )
    return pl.DataFrame(rows)


def mean_tau(first: np.ndarray, second: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean Kendall's tau-b of each row of `first` with each of `second`, one value per draw.

    first [m x n], second [l x n]: values of n backends; chosen int [draws x n]: which backends a
    draw takes. A row is not paired with itself where both are the same array.
    """
    one, other = (values[:, chosen].swapaxes(0, 1) for values in (first, second))
    taus = tau_b(one[:, :, None], other[:, None])  # [draws x m x l]
    if first is second:
        i, j = np.triu_indices(len(first), 1)
        return taus[:, i, j].mean(axis=1)
    return taus.mean(axis=(1, 2))


def table_values(
    metric: str = "recall", *, without: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """The base tables' values by backend, hot and cold: two arrays [tables x backends].

    `without` leaves recommenders out.
    """
    ranked = results.ranks(metric).filter(
        pl.col("variant") == "base", ~pl.col("recommender").is_in(list(without))
    )
    names = sorted(set(ranked["backend"]))
    hot, cold = (
        ranked.filter(pl.col("scenario") == scenario)
        .pivot(on="backend", index="recommender", values="mean")
        .select(names)
        .to_numpy()
        for scenario in results.SCENARIOS
    )
    return hot, cold


def _resampled(n: int) -> np.ndarray:
    """Which of n backends each draw of the bootstrap takes, int [DRAWS x n]."""
    return np.random.default_rng(0).integers(0, n, size=(DRAWS, n))


def _ends(values: np.ndarray) -> np.ndarray:
    """The ends of the percentile interval of values [draws]."""
    return np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])


ORDER_GAP = dict.fromkeys(("within", "between", "mean", "low", "high"), pl.Float64)


def order_gap(hot: np.ndarray, cold: np.ndarray) -> dict[str, float]:
    """How much more tables agree on the backends within a scenario than between the two.

    hot [m x n], cold [l x n]: values of n backends, at least two tables each. Returns the mean
    Kendall's tau within (the mean of both scenarios'), between, and the difference (mean) with its
    bootstrap interval over backends (low, high). Above zero, hot and cold order the backends
    differently beyond what tables of one scenario do.
    """
    n = hot.shape[1]

    def taus(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        within = (mean_tau(hot, hot, chosen) + mean_tau(cold, cold, chosen)) / 2
        return within, mean_tau(hot, cold, chosen)

    (within,), (between,) = taus(np.arange(n)[None])
    drawn_within, drawn_between = taus(_resampled(n))
    ends = _ends(drawn_within - drawn_between)
    values = (within, between, within - between, *ends)
    return dict(zip(ORDER_GAP, map(float, values), strict=True))


def order_gaps(metric: str = "recall") -> pl.DataFrame:
    """`order_gap` of the base tables, of all and without KNN: without ("" or "knn"), ORDER_GAP."""
    return pl.DataFrame(
        [
            {"without": name} | order_gap(*table_values(metric, without=[name]))
            for name in ("", "knn")
        ]
    )


def agreement(metric: str = "recall", *, without: Sequence[str] = ()) -> pl.DataFrame:
    """How far the base tables order the backends alike: within hot, within cold, between them.

    Columns: pair ("hot", "cold", "hot and cold"), n (pairs of tables), tau (mean Kendall's tau-b),
    low, high (bootstrap over the backends). `without` leaves recommenders out.
    """
    hot, cold = table_values(metric, without=without)
    n = hot.shape[1]
    draws = _resampled(n)
    rows = []
    for pair, one, other in (("hot", hot, hot), ("cold", cold, cold), ("hot and cold", hot, cold)):
        tau = mean_tau(one, other, np.arange(n)[None])[0]
        ends = _ends(mean_tau(one, other, draws))
        m = len(one)
        n_pairs = m * (m - 1) // 2 if one is other else m * len(other)
        rows.append({"pair": pair, "n": n_pairs, "tau": tau, "low": ends[0], "high": ends[1]})
    return pl.DataFrame(rows)


def replaced_run() -> pl.DataFrame:
    """The two printings of the cell that differs, and the run that must have been exchanged.

    Assumes three runs of which one was exchanged. Sums give old and new run from the mean m of the
    two that stayed, and the difference of the two sums of squares gives m:
    SS_a - SS_b = 6 (M_b - M_a)(2 m - M_a - M_b) for printed means M_a, M_b. Columns: recommender,
    scenario, backend, metric, first, first_ci95, later, later_ci95, stayed (m), left, came.
    """
    rows = results.repeats().filter(~pl.col("agrees"))
    n = USUAL_RUNS
    a, b = rows["mean"].to_numpy(), rows["mean_complete"].to_numpy()
    squares = [
        n * (n - 1) * standard_error(rows[name].to_numpy()) ** 2
        for name in ("ci95", "ci95_complete")
    ]
    stayed = ((squares[0] - squares[1]) / (6 * (b - a)) + a + b) / 2
    return rows.select(
        "recommender",
        "scenario",
        "backend",
        "metric",
        first="mean",
        first_ci95="ci95",
        later="mean_complete",
        later_ci95="ci95_complete",
    ).with_columns(stayed=stayed, left=n * a - (n - 1) * stayed, came=n * b - (n - 1) * stayed)


def percentage_ranges() -> pl.DataFrame:
    """Between which ends each printed improvement may lie, given four decimals of both means.

    Columns: those of `results.improvements_from_base`, low, high (per cent; high is infinite where
    the shuffled mean may be zero), width.
    """
    real, shuffled = pl.col("real"), pl.col("shuffled")
    least = pl.when(shuffled > ROUNDING).then(shuffled - ROUNDING).otherwise(0.0)
    return (
        results.improvements_from_base()
        .drop("recomputed")
        .with_columns(
            low=100 * ((real - ROUNDING) / (shuffled + ROUNDING) - 1),
            high=100 * ((real + ROUNDING) / least - 1),
        )
        .with_columns(width=pl.col("high") - pl.col("low"))
    )
