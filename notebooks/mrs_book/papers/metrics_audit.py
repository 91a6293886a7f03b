"""Do libraries calculate metrics consistently? The values of arXiv 2206.12858, and those of today.

Tamm, Damdinov and Vasilev (RecSys 2021, late-breaking results) passed one set of recommendations to
libraries of the time and compared what they return. Their predictions are not public, so their
values cannot be computed again; they can be compared by class. Today's values are computed on an
input of this project, whose every number follows from `data/audit_input/`: live ones by `make
audit` (`audit/live.py`), frozen ones of 2026-11-22 from `mrs_book.papers.libraries`.

Which formula a value belongs to is not looked up but computed: it fits a class of
`mrs.evaluation.metrics` if it equals that class's value on the same input within a tolerance.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from mrs.data.tables import read_csv
from mrs.errors import InputError
from mrs.evaluation.metrics import Judged, Listed, class_means
from mrs_book.papers.audit_cases import COLUMNS, LIVE, Case, cases, input_a
from mrs_book.papers.libraries import audit_2021, libraries, library_values

DATA = Path(__file__).parent / "data"

# Values differ by rounding alone: single precision in these, double in the others.
TOLERANCE = 1e-9
TOLERANCES = {"torchmetrics": 1e-6, "neurec": 1e-6, "recsys2019dl": 1e-6}

# What the libraries call it, and the metric here whose classes it is compared with.
METRICS = {
    "HitRate": "hitrate",
    "Precision": "precision",
    "Recall": "recall",
    "MRR": "mrr",
    "ARHR": "mrr",
    "MAP": "map",
    "NDCG": "ndcg",
    "NDCG_graded": "ndcg",
    "AUC": "auc",
    "AUC@k": "auc",
    "RocAuc": "auc",
    "SAUC": "auc",
    "GAUC": "auc",
    "LAUC": "auc",
    "Coverage": "coverage",
    "Popularity": "popularity",
    "Surprisal": "novelty",
}

# Names in the paper's table and here. The paper's MAP of Microsoft's library was `map_at_k`.
TODAY = {
    "DaisyRec": "daisyrec",
    "RecBole": "recbole",
    "Elliot": "elliot",
    "Beta_recsys": "betarec",
    "MS_Recommenders": "recommenders",
    "OpenRec": "openrec",
    "NeuRec": "neurec",
    "RecSys2019_DL_Eval": "recsys2019dl",
    "RS_metrics": "rs_metrics",
    "RePlay": "replay",
}
CALLED = {("MS_Recommenders", "map"): "map_at_k"}

# (metric, a, b): on every input, class a is at least class b. The denominators and terms say why:
# |R| >= min(k, |R|), k >= min(k, |R|), |R| >= hits, and a sum of terms >= 0 is at least its first.
AT_LEAST = (
    ("map", "min", "relevant"),
    ("map", "min", "k"),
    ("map", "hits", "min"),
    ("map", "hits", "relevant"),
    ("map", "hits", "k"),
    ("mrr", "arhr", "first"),
    ("hitrate", "count", "any"),
)

# RecBole's GAUC as printed in RecBole.ipynb, cell 23, beside the one in res_auc.csv.
RECBOLE_GAUC_IN_NOTEBOOK = 0.858072


def live(store: Path) -> pl.DataFrame | None:
    """The rows that `make audit` wrote, or None: columns of `audit_cases.COLUMNS`."""
    path = store / LIVE
    return _read(path) if path.exists() else None


def other_cases(store: Path) -> tuple[pl.DataFrame, str]:
    """Rows of all inputs but A with the columns of `live`, and whether they are "live".

    Those of the last `make audit`, or else of the stored run of 2026-11-22 ("frozen").
    """
    rows, kind = live(store), "live"
    if rows is None:
        rows, kind = _read(DATA / "live_cases.csv"), "frozen"
    return rows.filter(pl.col("input") != "A"), kind


def _read(path: Path) -> pl.DataFrame:
    rows = read_csv(path, infer_schema=False).fill_null("")
    missing = set(COLUMNS) - set(rows.columns)
    if missing:
        raise InputError(f"{path}: no column {sorted(missing)[0]}; run `make audit` again")
    value = pl.col("value")
    return rows.with_columns(pl.when(value != "").then(value).cast(pl.Float64))


def values(store: Path) -> pl.DataFrame:
    """Every library's values on input A, live ones where there are any, else the frozen ones.

    Columns: library, version, metric (as the library has it), function, k, value (null where the
    library gave none), note, measured ("live, 2026-11-22", "frozen, 2026-11-22").
    """
    columns = ["library", "version", "metric", "function", "k", "value", "note", "measured"]
    frozen = (
        library_values()
        .rename({"library_metric": "metric"})
        .with_columns(measured=pl.format("frozen, {}", pl.col("measured").str.head(10)))
    )
    rows = live(store)
    if rows is None:
        return frozen.select(columns)
    fresh = rows.filter(pl.col("input") == "A", pl.col("metric") != "").with_columns(
        measured=pl.format("live, {}", "date")
    )
    fresh = fresh.filter(pl.col("value").is_not_null().any().over("library"))
    older = frozen.join(fresh, on="library", how="anti", maintain_order="left")
    return pl.concat([fresh.select(columns), older.select(columns)])


def not_run(store: Path) -> pl.DataFrame:
    """Libraries that gave `make audit` no value at all: library, note."""
    rows = live(store)
    if rows is None:
        return pl.DataFrame(schema={"library": pl.String, "note": pl.String})
    asked = rows.group_by("library", maintain_order=True).agg(
        pl.col("note").first(), silent=pl.col("value").is_null().all()
    )
    return asked.filter("silent").drop("silent")


def judge(case: Case, lists: Sequence[Sequence[int]]) -> Judged:
    """Lists of a case's users with truth, sorted by user, held against it.

    An item counts as often as it is listed: `Judged.from_lists` refuses an item that stands twice
    in a list, some libraries do not.
    """
    users = sorted(case.truth)
    hits = np.zeros((len(lists), max(*case.ks, *map(len, lists))), dtype=bool)
    for row, (user, items) in enumerate(zip(users, lists, strict=True)):
        hits[row, : len(items)] = np.isin(items, list(case.truth[user]))
    n_listed = np.array([len(items) for items in lists])
    n_relevant = np.array([len(case.truth[user]) for user in users])
    return Judged(hits, n_relevant, n_listed, np.full(len(lists), case.n_items))


def judged_case(case: Case) -> Judged:
    """A case as it stands: every user with truth, an empty list where there is none."""
    return judge(case, [case.lists.get(user, []) for user in sorted(case.truth)])


@cache
def class_values() -> pl.DataFrame:
    """Every class on input A: metric, class, k, value.

    k is "10", "20" and "50" of the lists of 100, "list(100)" for the whole of them, "full" where
    all 500 items are ranked.
    """
    case = input_a()
    full = case.full
    assert full is not None
    users = sorted(case.truth)
    pairs = [(u, i, r) for u in users for i, r in case.truth[u].items()]
    row, item, rating = (np.array(column) for column in zip(*pairs, strict=True))
    truth = sp.csr_matrix((rating.astype(float), (row, item)), shape=full.shape)
    order = np.argsort(-full, axis=1, kind="stable")
    lists = np.array([case.lists[user] for user in users])
    counts = np.bincount(
        [i for items in case.train.values() for i in items], minlength=case.n_items
    )
    n_candidates = np.full(len(users), case.n_items)
    top = Judged.from_lists(lists, truth, graded=True, n_candidates=n_candidates)
    listed = Listed(lists, case.n_items, train_counts=counts, n_train_users=len(case.train))
    whole = Judged.from_lists(
        order,
        truth,
        graded=True,
        n_candidates=n_candidates,
        scores=np.take_along_axis(full, order, axis=1),
    )
    length = lists.shape[1]
    means = class_means(top, [*case.ks, length], listed=listed)
    named = {str(k): means[k] for k in case.ks} | {f"list({length})": means[length]}
    named["full"] = class_means(whole, [case.n_items])[case.n_items]
    return pl.DataFrame(
        [
            {"metric": metric, "class": name, "k": k, "value": value}
            for k, metrics in named.items()
            for metric, classes in metrics.items()
            for name, value in classes.items()
        ]
    )


def fits(rows: pl.DataFrame) -> pl.DataFrame:
    """`values` with what each value fits: class (list, empty if none), difference (to the nearest).

    Both are null where the library gave no value.
    """
    by_key = {
        key: dict(group.select("class", "value").iter_rows())
        for key, group in class_values().partition_by("metric", "k", as_dict=True).items()
    }

    def fit(row: dict[str, Any]) -> tuple[list[str] | None, float | None]:
        if row["value"] is None:
            return None, None
        classes = by_key.get((METRICS[row["metric"]], row["k"]), {})
        tolerance = TOLERANCES.get(row["library"], TOLERANCE)
        far = {name: abs(value - row["value"]) for name, value in classes.items()}
        return [name for name, d in far.items() if d <= tolerance], min(
            far.values(), default=np.inf
        )

    found = [fit(row) for row in rows.iter_rows(named=True)]
    schema: dict[str, Any] = {"class": pl.List(pl.String), "difference": pl.Float64}
    return rows.hstack(pl.DataFrame(found, schema=schema, orient="row"))


TODAY_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("library", "version", "metric", "library_metric", "function"), pl.String),
    **dict.fromkeys(("fitted", "classes"), pl.List(pl.String)),
    "verdict": pl.String,
    "k": pl.String,
    "value": pl.Float64,
    "measured": pl.String,
    "note": pl.String,
}


def today(store: Path) -> pl.DataFrame:
    """One row per function: the class that it fits at every cutoff, and its value at one.

    Columns: library, version, metric (here), library_metric, function, fitted (list of all classes
    that it fits on input A; null: no value), classes (those left after the further rules), verdict,
    k, value, measured, note. Classes coincide where every list fills the cutoff (precision k and
    returned) or ranks everything. Then the input "short list" decides if the library has a value
    there, and after it the class that `mrs_book.papers.libraries` read from the code, if it is one
    of those that fit. k is 20, or what there is.
    """
    rows = fits(values(store))
    short = {
        (row["library"], row["metric"], row["function"]): row["value"]
        for row in other_cases(store)[0].filter(input="short list").iter_rows(named=True)
    }
    case = next(case for case in cases() if case.name == "short list")
    (k,) = case.ks
    expected = defaultdict(dict, class_means(judged_case(case), [k])[k])
    read: dict[tuple[str, str], set[str]] = defaultdict(set)
    for *called, name in libraries().select("library", "library_metric", "class").iter_rows():
        read[tuple(called)].add(name)
    keys = ["library", "version", "metric", "function"]
    result = []
    for (library, version, metric, function), group in rows.partition_by(
        keys, as_dict=True, maintain_order=True
    ).items():
        answered = group.filter(pl.col("value").is_not_null())
        fitted: list[str] | None = None
        classes: list[str] | None = None
        if len(answered):
            common = set.intersection(*map(set, answered["class"]))
            classes = fitted = [name for name in answered["class"][0] if name in common]
            value, means = short.get((library, metric, function)), expected[METRICS[metric]]
            if value is not None:
                same = {name for name, mean in means.items() if abs(mean - value) <= 1e-6}
                classes = _narrowed(classes, same)
            classes = _narrowed(classes, read[library, metric])
        shown = answered if len(answered) else group
        at = shown.filter(pl.col("k") == "20")
        names = (library, version, METRICS[metric], metric, function)
        kept = (at if len(at) else shown).select("k", "value", "measured", "note").row(0)
        result.append((*names, fitted, classes, _verdict(classes), *kept))
    return pl.DataFrame(result, schema=TODAY_SCHEMA, orient="row")


def _narrowed(classes: list[str], among: set[str]) -> list[str]:
    """The classes that are among those, or all if none is."""
    return [name for name in classes if name in among] or classes


def _verdict(classes: list[str] | None) -> str:
    if classes is None:
        return "no value"
    return " or ".join(classes) if classes else "fits none"


def changes(now: pl.DataFrame) -> pl.DataFrame:
    """The paper's table beside today's: one row per value of 2021.

    `now` is `today(...)`. The lists of 2021 filled the cutoff, as far as is known, so that classes
    which differ on shorter ones alone count as one here. Columns: library, version_2021,
    version_today, metric, library_metric, k, value_2021, class_2021, classes_today (list), verdict,
    evidence. Verdicts: "stands" where the class of 2021 is among those that the library's functions
    of this metric fit today (of the function of the same name, where several have it), "changed"
    where it is not, "fits none", "not measured today", "no value in 2021".
    """
    old = audit_2021()
    result = []
    for row in old.iter_rows(named=True):
        library = TODAY.get(row["library"], "")
        every = now.filter(pl.col("library") == library, pl.col("metric") == row["metric"])
        called = CALLED.get((row["library"], row["metric"]))
        mine = every.filter(pl.col("function") == called) if called else every
        measured = mine.filter(pl.col("classes").is_not_null())
        classes = list(dict.fromkeys(name for names in measured["classes"] for name in names))
        fitted = {name for names in measured["fitted"] for name in names}
        if row["value"] is None:
            verdict = "no value in 2021"
        elif not len(measured):
            verdict = "not measured today"
        elif row["class"] in fitted:
            verdict = "stands"
        else:
            verdict = "changed" if classes else "fits none"
        reasons = []
        if verdict == "changed":
            reasons = [impossible(old, row["metric"], row["value"], name) for name in classes]
            same = every.filter(pl.col("fitted").list.contains(row["class"]))
            reasons += [f"Today's {name} is {row['class']}." for name in same["function"]]
        version = measured["version"][0] if len(measured) else ""
        result.append((version, classes, verdict, " ".join(filter(None, reasons))))
    schema: dict[str, Any] = {
        "version_today": pl.String,
        "classes_today": pl.List(pl.String),
        "verdict": pl.String,
        "evidence": pl.String,
    }
    now_and_then = old.rename({n: f"{n}_2021" for n in ("version", "value", "class")}).hstack(
        pl.DataFrame(result, schema=schema, orient="row")
    )
    return now_and_then.select(
        "library", "version_2021", "version_today", "metric", "library_metric", "k",
        "value_2021", "class_2021", "classes_today", "verdict", "evidence",
    )  # fmt: skip


def impossible(old: pl.DataFrame, metric: str, value: float, name: str) -> str:
    """Why a value of 2021 cannot be of a class, by the paper's other values; "" if it could.

    Uses `AT_LEAST`: all values of a metric in the paper's table come from the same lists.
    """
    same = old.filter(
        pl.col("metric") == metric, pl.col("k") == "20", pl.col("value").is_not_null()
    )
    for other, found in same.select("class", "value").iter_rows():
        for above, below, side in ((name, other, "below"), (other, name, "above")):
            gap = found - value if side == "below" else value - found
            if (metric, above, below) in AT_LEAST and gap > 1e-6:
                return (
                    f"Not {name} in 2021: {name} is never {side} {other}, "
                    f"and {value:.5f} is {side} its {found:.5f}."
                )
    return ""


def agreement_2021() -> pl.DataFrame:
    """How many values one name had in the paper's table at k = 20, by the libraries' own names.

    Columns: metric, libraries, values (distinct to 5e-5, the coarsest printing), lowest, highest.
    AUC is not of a cutoff and stands at "full".
    """
    named = pl.col("library_metric") == pl.col("metric").replace(NAMES_2021)
    rows = audit_2021().filter(_at_cutoff(), pl.col("value").is_not_null(), named)
    return _agreement(rows.select("library", "metric", "value"))


# The name of a metric in the libraries of today and in the table of 2021. What a library calls
# otherwise, such as ARHR beside MRR, or GAUC, is not a value of that name.
NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "hitrate": "HitRate",
    "mrr": "MRR",
    "map": "MAP",
    "ndcg": "NDCG",
    "auc": "AUC",
}
NAMES_2021 = NAMES | {"auc": "RocAuc"}
# Functions that `METRICS` files under a name that is not their own.
OTHER_NAMES = (
    "r_precision_at_k", "CalibratedRecallK", "DCGK", "GAUC", "GAUC.metric_info",
)  # fmt: skip
# A setting that is not the default, or an input without what was missed.
OPTION = r"=|\[list only\]"


def agreement_by_default(now: pl.DataFrame) -> pl.DataFrame:
    """The same of today's values at k = 20 on input A, by default and under the metric's own name.

    Options, functions with another name and graded relevance are left out. Columns as in
    `agreement_2021`.
    """
    rows = now.filter(
        _at_cutoff(),
        pl.col("value").is_not_null(),
        pl.col("library_metric") == pl.col("metric").replace(NAMES),
        ~pl.col("function").is_in(OTHER_NAMES),
        ~pl.col("function").str.contains(OPTION),
    )
    return _agreement(rows.select("library", "metric", "value"))


def _at_cutoff() -> pl.Expr:
    auc = pl.col("metric") == "auc"
    return (auc & (pl.col("k") == "full")) | (~auc & (pl.col("k") == "20"))


def _agreement(rows: pl.DataFrame) -> pl.DataFrame:
    value = pl.col("value").sort()
    return (
        rows.group_by("metric")
        .agg(
            libraries=pl.col("library").n_unique().cast(pl.Int64),
            values=1 + (value.diff() > 5e-5).sum().cast(pl.Int64),
            lowest=value.first(),
            highest=value.last(),
        )
        .filter(pl.col("metric").is_in(list(NAMES)))
        .sort(pl.col("metric").cast(pl.Enum(list(NAMES))))
    )


def unexplained(now: pl.DataFrame) -> list[str]:
    """What neither the classes nor the paper's own numbers account for, one sentence each."""
    found = []
    for row in now.filter(pl.col("verdict") == "fits none").iter_rows(named=True):
        name = f"{row['library']} {row['version']}, {row['library_metric']} ({row['function']})"
        found.append(f"{name}: {row['value']:.6f} at k = {row['k']} fits no class.")
    old = audit_2021()
    for row in old.filter(pl.col("value").is_null()).iter_rows(named=True):
        found.append(
            f"{row['library']} {row['version']}, {row['library_metric']} in 2021: {row['note']}."
        )
    gauc = old.filter(pl.col("library") == "RecBole", pl.col("library_metric") == "GAUC")["value"]
    plain = old.filter(pl.col("library") == "OpenRec", pl.col("library_metric") == "RocAuc")
    if len(gauc) and len(plain):
        here = dict(
            class_values().filter(metric="auc", k="full").select("class", "value").iter_rows()
        )
        moved, by_weight = gauc[0] - plain["value"][0], here["weighted"] - here["per_user"]
        if abs(moved) > 5 * abs(by_weight):
            found.append(
                f"RecBole GAUC of 2021, {gauc[0]:.5f}, stands {moved:.3f} above OpenRec's mean "
                f"over users; on input A, weighting by |R| moves the mean by {by_weight:.3f}. The "
                "paper's data may weigh otherwise, which cannot be tested without it."
            )
        if abs(gauc[0] - RECBOLE_GAUC_IN_NOTEBOOK) > 1e-6:
            found.append(
                f"RecBole GAUC of 2021 is printed twice: {gauc[0]:.6f} in res_auc.csv, "
                f"{RECBOLE_GAUC_IN_NOTEBOOK:.6f} in RecBole.ipynb."
            )
    return found
