"""Who is in the mean, and what counts as the list: effects that change a value under one formula.

Each case of `mrs_book.papers.audit_cases` but A is read in several ways, such as "a user without a
list counts 0" and "a user without a list is left out". The class of a function is known from input
A; the reading whose value of that class equals the library's is the library's rule.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.tables import read_csv
from mrs.evaluation.metrics import Judged, class_means
from mrs_book.papers.audit_cases import Case, cases
from mrs_book.papers.metrics_audit import (
    DATA,
    METRICS,
    TOLERANCE,
    TOLERANCES,
    judge,
    judged_case,
    other_cases,
)

QUESTIONS = {
    "no hit": "A user whose list holds nothing relevant",
    "no list": "A user with truth and no list",
    "empty list": "A user with truth and a list of length 0",
    "no truth": "A user with a list and no truth",
    "B": "5 of 300 users without a list, 10 with five items",
    "duplicates": "An item twice in a list",
    "ties": "Three items of one score",
    "scores <= 0": "Listed items with scores of 0 and below",
}

OR = " or "
Outcome = tuple[str, float, bool]  # name of the reading, its value, whether it is special
_RANKED = ("HitRate", "Precision", "Recall", "MRR", "MAP", "NDCG")

# Readings that no class has as it is defined.
FILLED = "missed items fill the list"
CUT = "left out, |R| cut to the list"
TWICE_IN_TRUTH = "counts twice, in |R| too"


@dataclass(frozen=True)
class Reading:
    """One way to read a case: a user's lists, several where they are averaged, and a factor.

    A special one is a rule of one library: it counts only where no other one fits.
    """

    name: str
    judged: tuple[Judged, ...]
    factor: float = 1.0
    special: bool = False

    def value(self, metric: str, variant: str, k: int) -> float:
        """The mean of a class; NaN where it has none."""
        found = []
        for judged in self.judged:
            means = class_means(judged, [k])[k]
            found.append(means.get(metric, {}).get(variant, np.nan))
        return self.factor * float(np.mean(found))


def readings(case: Case, function: str = "") -> list[Reading]:
    """The ways to read a case. Those of a function that is given the missed items have one more."""
    whole = judged_case(case)
    users = sorted(case.truth)

    def read(change: Callable[[list[int]], list[int]]) -> Judged:
        return judge(case, [change(case.lists[user]) for user in users])

    if case.name == "no hit":
        return [
            Reading("counts 0", (whole,)),
            Reading("left out", (whole.of(np.flatnonzero(whole.hits.any(axis=1))),)),
        ]
    if case.name in ("no list", "empty list", "B"):
        found = [
            Reading("counts 0", (whole,)),
            Reading("left out", (whole.of(whole.n_listed > 0),)),
        ]
        if "missed" in function:
            filled = [list(dict.fromkeys([*case.lists.get(u, []), *case.truth[u]])) for u in users]
            found.append(Reading(FILLED, (judge(case, filled),), special=True))
        if case.name == "B":
            there = whole.of(np.flatnonzero(whole.n_listed))
            n_relevant = np.minimum(there.n_relevant, there.n_listed)
            cut = replace(there, n_relevant=n_relevant)
            found.append(Reading(CUT, (cut,), special=True))
        return found
    if case.name == "no truth":
        share = len(users) / len({*case.lists, *users})
        return [Reading("left out", (whole,)), Reading("counts 0", (whole,), share)]
    if case.name == "duplicates":
        n_more = np.array([len(case.lists[u]) - len(set(case.lists[u])) for u in users])
        larger = replace(whole, n_relevant=whole.n_relevant + n_more)
        return [
            Reading("counts twice", (whole,)),
            Reading(TWICE_IN_TRUTH, (larger,), special=True),
            Reading("counts once", (read(lambda items: list(dict.fromkeys(items))),)),
        ]
    if case.name == "ties":
        orders = [judge(case, [order]) for order in permutations(case.lists[0])]
        return [
            Reading("as listed", (whole,)),
            Reading("lower id first", (read(sorted),)),
            Reading("higher id first", (read(lambda items: sorted(items, reverse=True)),)),
            Reading("mean of all orders", tuple(orders)),
        ]
    if case.name == "scores <= 0":
        positive = sum(score > 0 for score in case.scores[0])
        return [
            Reading("kept", (whole,)),
            Reading("dropped", (read(lambda items: items[:positive]),)),
        ]
    raise ValueError(f"no readings of {case.name}")


def effects(store: Path, now: pl.DataFrame) -> pl.DataFrame:
    """Each library's rule in each case: one row per function and cutoff.

    `now` is `metrics_audit.today(...)`. Live rows where `make audit` left some, else those stored
    on 2026-11-22. Columns: library, version, metric, function, k, input, value, rule, measured.
    The rule is the reading, "cannot tell" where all readings give the same value, "NaN", "fits
    none", or why there is no value.
    """
    rows, kind = other_cases(store)
    classes: dict[tuple[str, ...], list[str]] = {}
    for row in now.filter(pl.col("classes").is_not_null()).iter_rows(named=True):
        library, metric = row["library"], row["library_metric"]
        classes[library, metric, row["function"]] = row["classes"]
        # Frozen values name a function of several metrics otherwise.
        classes.setdefault((library, metric), row["classes"])
    by_name = {case.name: case for case in cases() if case.name in QUESTIONS}

    @cache
    def outcomes(name: str, metric: str, variant: str, k: int, missed: str) -> list[Outcome]:
        read = readings(by_name[name], missed)
        return [(one.name, one.value(metric, variant, k), one.special) for one in read]

    def rule_of(row: dict[str, Any]) -> str | None:
        if row["value"] is None:
            return row["note"]
        if np.isnan(row["value"]):
            return "NaN"
        key = (row["library"], row["metric"], row["function"])
        variants = classes.get(key) or classes.get(key[:2])
        if not variants:
            return None
        k, missed = _cutoff(row["k"]), "missed" if "missed" in row["function"] else ""
        metric = METRICS[row["metric"]]
        found = [one for v in variants for one in outcomes(row["input"], metric, v, k, missed)]
        return rule(row["value"], found, TOLERANCES.get(row["library"], TOLERANCE))

    asked = rows.filter(
        pl.col("input").is_in(list(QUESTIONS)), pl.col("metric").is_in(["", *_RANKED])
    )
    rules = pl.Series([rule_of(row) for row in asked.iter_rows(named=True)], dtype=pl.String)
    return (
        asked.with_columns(rule=rules, measured=pl.format(f"{kind}, {{}}", "date"))
        .filter(pl.col("rule").is_not_null())
        .select(
            "library", "version", "metric", "function", "k", "input", "value", "rule", "measured"
        )
    )


def rule(value: float, outcomes: list[Outcome], tolerance: float) -> str:
    """The name of the outcome that a value equals; see `effects`."""
    plain = [outcome for _, outcome, special in outcomes if not special]
    for wanted in (False, True):
        matching = dict.fromkeys(
            name
            for name, outcome, special in outcomes
            if special == wanted and abs(outcome - value) <= tolerance
        )
        if matching and not wanted and max(plain) - min(plain) <= tolerance:
            return "cannot tell"
        if matching:
            return OR.join(matching)
    return "fits none"


def summary(found: pl.DataFrame) -> pl.DataFrame:
    """One row per library, one column per question: the rule, or which metrics follow which.

    `found` is `effects(...)`. A library that is called in two ways has two rows. Columns: library,
    version, called, then the inputs of `QUESTIONS`.
    """
    result = []
    for (library, version, called), rows in _by_way(found).items():
        cells = {name: _rules(rows.filter(pl.col("input") == name)) for name in QUESTIONS}
        result.append({"library": library, "version": version, "called": called} | cells)
    return pl.DataFrame(result)


def disagreements(found: pl.DataFrame) -> pl.DataFrame:
    """Libraries of which two metrics follow different rules.

    `found` is `effects(...)`. Questions that a library answers in the same words share a row.
    Columns: library, version, called, inputs (list), rules.
    """
    columns = ("library", "version", "called")
    schema = dict.fromkeys([*columns, "inputs", "rules"], pl.String)
    rows = [
        (*key, name, _rules(mine))
        for key, group in _by_way(found).items()
        for name in QUESTIONS
        if len(_by_rule(mine := group.filter(input=name))) > 1
    ]
    return (
        pl.DataFrame(rows, schema=schema, orient="row")
        .group_by(*columns, "rules", maintain_order=True)
        .agg("inputs")
        .select(*schema)
    )


def quoted() -> pl.DataFrame:
    """Rules of libraries that `make audit` does not run, measured on 2026-11-22.

    Columns: library, version, metrics, input, rule, measured. Measured with the users of another
    draw of input B.
    """
    return read_csv(DATA / "population_quoted.csv")


def _by_way(found: pl.DataFrame) -> dict[tuple[str, ...], pl.DataFrame]:
    """The rows of each library and each way to call it, which its functions name in brackets."""
    way = pl.col("function").str.extract(r"\[(.*)\]$").fill_null("")
    return found.with_columns(called=way).partition_by(
        "library", "version", "called", as_dict=True, maintain_order=True
    )


def _by_rule(rows: pl.DataFrame) -> dict[str, list[str]]:
    """Metrics by the rule that they follow, without rows that every reading explains.

    A row that leaves two rules open is dropped where other rows decide for one of them. A metric of
    several functions goes by their names.
    """
    functions: dict[str, set[str]] = {}
    for row in rows.iter_rows(named=True):
        functions.setdefault(row["metric"], set()).add(row["function"])
    rules: dict[str, list[str]] = {}
    for row in rows.iter_rows(named=True):
        if row["rule"] == "cannot tell":
            continue
        name = row["metric"] if len(functions[row["metric"]]) == 1 else row["function"]
        names = rules.setdefault(row["rule"], [])
        if name and name not in names:
            names.append(name)
    plain = [rule for rule in rules if OR not in rule]
    return {
        rule: names
        for rule, names in rules.items()
        if rule in plain or not set(rule.split(OR)) & set(plain)
    }


def _rules(rows: pl.DataFrame) -> str:
    rules = _by_rule(rows)
    if not rules:
        return "cannot tell" if len(rows) else "not measured"
    if len(rules) == 1:
        return next(iter(rules))
    return "; ".join(f"{', '.join(names)}: {name}" for name, names in rules.items())


def _cutoff(k: str) -> int:
    return int(k.removeprefix("list(").removesuffix(")"))
