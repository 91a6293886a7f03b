"""The chapter "Do we calculate metrics consistently?": what libraries compute under one name.

Each `show_*` displays one table or paragraph of `mrs.published.metrics_audit` or
`metric_population`; every verdict in them is computed when the page is built.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from IPython.display import Markdown, display

from mrs.data.tables import read_csv
from mrs.evaluation.libraries import audit_2021
from mrs.evaluation.metrics import CLASSES
from mrs.published import claims, metric_population, metrics_audit
from mrs.published.metrics_audit import TODAY
from mrs.report.published import show_table
from mrs.report.tables import show

SOURCE = "arXiv 2206.12858"
MICROSOFT = ("MS_Recommenders", "map")
LABELS = {metric: next(iter(classes.values())).label for metric, classes in CLASSES.items()}
LABELS |= {"coverage": "Coverage", "popularity": "Popularity", "novelty": "Novelty"}


@dataclass(frozen=True)
class Audit:
    """What the page's tables are made from."""

    store: Path
    now: pl.DataFrame
    values: pl.DataFrame
    effects: pl.DataFrame


def open_audit(store: str) -> Audit:
    """Values of today and the rules that they follow, from the store where `make audit` ran."""
    folder = Path(store)
    now = metrics_audit.today(folder)
    effects = metric_population.effects(folder, now)
    return Audit(folder, now, metrics_audit.fits(metrics_audit.values(folder)), effects)


def overview(audit: Audit) -> str:
    """The chapter's verdict with its counts, as Markdown."""
    answered = audit.values.filter(pl.col("value").is_not_null())
    none = answered.filter(pl.col("class").list.len() == 0)
    changed = metrics_audit.changes(audit.now).filter(pl.col("verdict") == "changed")
    names = [f"{row['library']} {row['library_metric']}" for row in changed.iter_rows(named=True)]
    old = metrics_audit.agreement_2021()
    alike = [LABELS[m] for m in old.filter(pl.col("values") == 1)["metric"]]
    inside = metric_population.disagreements(audit.effects)["library"].unique(maintain_order=True)
    alone = f"{_listed(alike)} {_has(alike, 'has', 'have')}" if alike else "no metric has"
    return (
        f"**In the paper's table of 2021, {alone} one value in all libraries.** "
        f"Today {len(answered)} values of {answered['library'].n_unique()} implementations on one "
        f"input were held against {sum(map(len, CLASSES.values()))} formulas: "
        f"{len(answered) - len(none)} fit one, {len(none)} fit none. "
        f"{len(changed)} of the paper's classes changed since"
        f"{': ' + _listed(names) if names else ''}. On users and lists that are out of the "
        f"ordinary, metrics of one library follow different rules in "
        f"{len(inside)} libraries{': ' + _listed(list(inside)) if len(inside) else ''}. "
        f"{len(own_rules(audit))} functions give there a value that fits no formula as it is "
        "defined."
    )


def show_overview(audit: Audit) -> None:
    """Display the verdict, and where today's values come from."""
    display(Markdown(overview(audit)))
    display(Markdown(origin(audit)))


def origin(audit: Audit) -> str:
    """Which values are live and which are frozen, as Markdown."""
    measured = audit.values.filter(pl.col("value").is_not_null()).group_by(
        "measured", maintain_order=True
    )
    parts = [f"{_listed(sorted(set(rows['library'])))} ({name})" for (name,), rows in measured]
    text = f"Values: {'; '.join(parts)}."
    if metrics_audit.live(audit.store) is None:
        text += " `make audit` computes those of eleven libraries anew."
    failed = metrics_audit.not_run(audit.store)
    for row in failed.iter_rows(named=True):
        text += f" {row['library']} gave nothing in the last `make audit`: {row['note']}."
    return text


def show_agreement(audit: Audit) -> None:
    """Display how many values one name has, in 2021 and today."""
    show_table(
        _agreement(metrics_audit.agreement_2021()),
        f"How many values one name had in 2021 at k = 20, AUC without a cutoff ({SOURCE}, "
        "MovieLens-20m, one set of recommendations).",
    )
    show_table(
        _agreement(metrics_audit.agreement_by_default(audit.now)),
        "The same today, on this project's input A (generated: 300 users, 500 items, lists of "
        "100), by each library's defaults and under its own name: options, graded relevance and "
        "names such as ARHR, R-precision or GAUC are in the next table alone.",
    )


def classes_table(audit: Audit) -> pl.DataFrame:
    """One row a library's function: what it fits today, as shown."""
    return audit.now.select(
        "library",
        "version",
        pl.col("metric").replace_strict(LABELS),
        pl.col("function").alias("called"),
        pl.col("verdict").alias("class"),
        "k",
        "value",
        "measured",
        "note",
    )


def show_classes(audit: Audit) -> None:
    """Display the class of every library's metric."""
    show_table(
        classes_table(audit),
        "What each library computes today on input A, and the class whose value it equals at every "
        f"cutoff, to {metrics_audit.TOLERANCE:g} "
        f"({max(metrics_audit.TOLERANCES.values()):g} for {_listed(list(metrics_audit.TOLERANCES))}"
        ", which round). Classes that coincide on this input are told apart by a short list, and "
        "where the library gives none there, by its code. The value is that at k.",
        decimals=6,
    )


def changes_table(audit: Audit) -> pl.DataFrame:
    """The paper's table beside today's, as shown."""
    return metrics_audit.changes(audit.now).select(
        "library",
        pl.col("library_metric").alias("metric"),
        "verdict",
        pl.col("class_2021").alias("class then"),
        pl.col("classes_today").list.join(", ").alias("classes now"),
        "k",
        pl.col("value_2021").alias("value then"),
        pl.col("version_2021").alias("version then"),
        pl.col("version_today").alias("version now"),
        "evidence",
    )


def show_changes(audit: Audit) -> None:
    """Display the paper's table beside today's, and what changed."""
    table = changes_table(audit)
    counts = table.group_by("verdict").len().sort("len", descending=True)
    said = "; ".join(f"{row['verdict']}: {row['len']}" for row in counts.iter_rows(named=True))
    copied = pl.col("version now").str.contains("copy|formula") & (pl.col("verdict") == "stands")
    show_table(
        table.drop("evidence"),
        f"Values and classes of 2021 ({SOURCE}) beside today's classes ({said}). Values then and "
        "now are of different data and not comparable; classes are. A library with several "
        "functions of one name stands where one of them has the class of 2021; Microsoft's MAP is "
        f"compared by the function that the paper called, `{metrics_audit.CALLED[MICROSOFT]}`. "
        f"{len(table.filter(copied))} of those that stand are code copied into the paper's "
        "notebooks or a formula restated from them, which cannot have changed.",
        decimals=5,
    )
    changed = table.filter(pl.col("verdict") == "changed")
    if len(changed):
        show(
            changed.select("library", "metric", "class then", "classes now", "evidence"),
            "What changed since 2021.",
        )


def show_unexplained(audit: Audit) -> None:
    """Display what the classes and the paper's numbers leave open."""
    found = metrics_audit.unexplained(audit.now)
    for row in own_rules(audit).iter_rows(named=True):
        reached = "" if row["rule"] == "fits none" else f"; it is reached by: {row['rule']}"
        found.append(
            f"{row['library']} {row['version']}, {row['function']}, input "
            f"{_listed(row['inputs'])}: fits no class as it is defined{reached}."
        )
    display(Markdown("\n".join(f"- {line}" for line in found) or "Nothing is left open."))


OWN_RULES = (
    "fits none",
    metric_population.FILLED,
    metric_population.CUT,
    metric_population.TWICE_IN_TRUTH,
)


def own_rules(audit: Audit) -> pl.DataFrame:
    """Functions whose value in some case fits no class as it is defined.

    Columns: library, version, function, rule, inputs (list).
    """
    return (
        audit.effects.filter(pl.col("rule").is_in(OWN_RULES))
        .group_by("library", "version", "function", "rule", maintain_order=True)
        .agg(pl.col("input").unique(maintain_order=True).alias("inputs"))
    )


def population_table(audit: Audit) -> pl.DataFrame:
    """One row a question and library: the rule, as shown."""
    wide = metric_population.summary(audit.effects)
    rows = [
        {
            "question": question,
            "library": row["library"] + (f" ({row['asked']})" if row["asked"] else ""),
            "version": row["version"],
            "rule": row[name],
        }
        for name, question in metric_population.QUESTIONS.items()
        for row in wide.iter_rows(named=True)
    ]
    return pl.DataFrame(rows)


def show_population(audit: Audit) -> None:
    """Display who is in the mean, and which libraries disagree within themselves."""
    measured = _listed(sorted(set(audit.effects["measured"])))
    show_table(
        population_table(audit),
        f"Who is in the mean, and what counts as the list ({measured}). Each rule is the reading "
        "of a small case under which the class of the library's metric gives the library's value. "
        "“Cannot tell”: every reading gives the same. For torchmetrics, which takes pairs of score "
        "and target, the list alone is passed, or the missed relevant items too, at score 0.",
    )
    show(
        metric_population.disagreements(audit.effects),
        "Libraries of which two metrics follow different rules in one case.",
    )
    show(
        metric_population.quoted(),
        "Users without a list in libraries that `make audit` does not run, as measured on "
        "2026-11-22 with other users drawn; B as above.",
    )


def show_survey() -> None:
    """Display why the survey's share is not tested, and the columns of its sheet."""
    (claim,) = claims.find("p4-definitions")
    display(Markdown(f"**{claims.NOT_TESTABLE.capitalize()}: {claim.arguments['why']}.**"))
    show(
        read_csv(metrics_audit.DATA / "definitions_survey_columns.csv"),
        "Columns of mrs/published/data/definitions_survey.csv, one row per paper and metric.",
    )


def show_not_covered(audit: Audit) -> None:
    """Display which of the paper's libraries have no value today."""
    old = audit_2021()["library"].unique(maintain_order=True)
    today = set(audit.now.filter(pl.col("value").is_not_null())["library"])
    missing = [name for name in old if TODAY.get(name) not in today]
    if missing:
        display(Markdown(f"Of the paper's libraries, not measured today: {_listed(missing)}."))


def _agreement(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        pl.col("metric").replace_strict(LABELS),
        "libraries",
        pl.col("values").alias("distinct values"),
        "lowest",
        "highest",
    )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1] if names else ""


def _has(names: list[str], one: str, more: str) -> str:
    return one if len(names) == 1 else more
