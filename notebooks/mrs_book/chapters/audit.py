"""The chapter "Do we calculate metrics consistently?": what libraries compute under one name.

Every verdict is computed when the page is built, from `mrs_book.papers.metrics_audit` and
`metric_population`.
"""

from pathlib import Path

import polars as pl

from mrs.evaluation.metrics import CLASSES, label_of
from mrs_book.kit.parameters import required
from mrs_book.papers import metric_population, metrics_audit
from mrs_book.papers.libraries import audit_2021
from mrs_book.papers.metrics_audit import TODAY

LABELS = {metric: label_of(metric) for metric in CLASSES}
LABELS |= {"coverage": "Coverage", "popularity": "Popularity", "novelty": "Novelty"}

# Rules that no class follows as it is defined.
OWN_RULES = (
    "fits none",
    metric_population.FILLED,
    metric_population.CUT,
    metric_population.TWICE_IN_TRUTH,
)


class AuditPage:
    """Values of today and the rules that they follow, from the store where `make audit` ran."""

    def __init__(self, store: str) -> None:
        self.store = Path(required("store", store))
        self.now = metrics_audit.today(self.store)
        self.values = metrics_audit.fits(metrics_audit.values(self.store))
        self.effects = metric_population.effects(self.store, self.now)

    def overview(self) -> str:
        """The chapter's verdict with its counts."""
        answered = self.values.filter(pl.col("value").is_not_null())
        none = answered.filter(pl.col("class").list.len() == 0)
        changed = metrics_audit.changes(self.now).filter(verdict="changed")
        names = changed.select(pl.format("{} {}", "library", "library_metric")).to_series()
        old = metrics_audit.agreement_2021()
        alike = [LABELS[m] for m in old.filter(values=1)["metric"]]
        inside = self.disagreements()["library"].unique(maintain_order=True)
        have = "has" if len(alike) < 2 else "have"
        return (
            f"**In the paper's table of 2021, {_listed(alike) or 'no metric'} {have} one value in "
            f"all libraries.** Today {len(answered)} values of {answered['library'].n_unique()} "
            "implementations on one input were compared with "
            f"{sum(map(len, CLASSES.values()))} formulas: {len(answered) - len(none)} fit one, "
            f"{len(none)} fit none. {len(changed)} of the paper's classes changed since"
            f"{_after_colon(names)}. For unusual users and lists, the metrics of one library "
            f"follow different rules in {len(inside)} libraries{_after_colon(inside)}. "
            f"{len(self.own_rules())} functions give there a value that fits no formula as it is "
            "defined."
        )

    def origin(self) -> str:
        """Which values are live and which are frozen."""
        measured = self.values.filter(pl.col("value").is_not_null()).group_by(
            "measured", maintain_order=True
        )
        parts = [f"{_listed(sorted(set(rows['library'])))} ({name})" for (name,), rows in measured]
        text = f"Values: {'; '.join(parts)}."
        if metrics_audit.live(self.store) is None:
            text += " `make audit` computes those of eleven libraries anew."
        for row in metrics_audit.not_run(self.store).iter_rows(named=True):
            text += f" {row['library']} gave nothing in the last `make audit`: {row['note']}."
        return text

    def agreement_2021(self) -> pl.DataFrame:
        return _agreement(metrics_audit.agreement_2021())

    def agreement_today(self) -> pl.DataFrame:
        return _agreement(metrics_audit.agreement_by_default(self.now))

    def classes(self) -> pl.DataFrame:
        """One row per function of a library: the class that it fits today."""
        return self.now.select(
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

    def changes(self) -> pl.DataFrame:
        """The paper's table beside today's: one row per value of 2021."""
        return metrics_audit.changes(self.now).select(
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

    def changed(self) -> pl.DataFrame:
        """What changed since 2021, with its evidence."""
        columns = ["library", "metric", "class then", "classes now", "evidence"]
        return self.changes().filter(verdict="changed").select(columns)

    def change_counts(self) -> str:
        """How many values have which verdict, and which libraries have no value today."""
        table = self.changes()
        counts = table.group_by("verdict").len().sort("len", "verdict", descending=[True, False])
        said = "; ".join(f"{row['verdict']}: {row['len']}" for row in counts.iter_rows(named=True))
        copied = pl.col("version now").str.contains("copy|formula")
        n_copied = len(table.filter(copied, verdict="stands"))
        old = audit_2021()["library"].unique(maintain_order=True)
        today = set(self.now.filter(pl.col("value").is_not_null())["library"])
        missing = [name for name in old if TODAY.get(name) not in today]
        text = (
            f"{said}. {n_copied} of those that stand are code copied into the paper's notebooks or "
            "a formula restated from them, which cannot have changed."
        )
        if missing:
            text += f" Of the paper's libraries, not measured today: {_listed(missing)}."
        return text

    def unexplained(self) -> str:
        """What the classes and the paper's numbers leave open, as a list."""
        found = metrics_audit.unexplained(self.now)
        for row in self.own_rules().iter_rows(named=True):
            reached = "" if row["rule"] == "fits none" else f"; it is reached by: {row['rule']}"
            found.append(
                f"{row['library']} {row['version']}, {row['function']}, input "
                f"{_listed(row['inputs'])}: fits no class as it is defined{reached}."
            )
        return "\n".join(f"- {line}" for line in found) or "Nothing is left open."

    def own_rules(self) -> pl.DataFrame:
        """Functions whose value in some case fits no class as it is defined.

        Columns: library, version, function, rule, inputs (list).
        """
        return (
            self.effects.filter(pl.col("rule").is_in(OWN_RULES))
            .group_by("library", "version", "function", "rule", maintain_order=True)
            .agg(pl.col("input").unique(maintain_order=True).alias("inputs"))
        )

    def population(self) -> pl.DataFrame:
        """One row per question and library: the rule."""
        called = pl.when(pl.col("called") == "").then("library")
        questions = metric_population.QUESTIONS
        return (
            metric_population.summary(self.effects)
            .with_columns(library=called.otherwise(pl.format("{} ({})", "library", "called")))
            .unpivot(list(questions), index=["library", "version"], value_name="rule")
            .select(
                pl.col("variable").replace_strict(questions).alias("question"),
                "library",
                "version",
                "rule",
            )
        )

    def measured(self) -> str:
        """When the rules were measured."""
        return f"Measured: {_listed(sorted(set(self.effects['measured'])))}."

    def disagreements(self) -> pl.DataFrame:
        return metric_population.disagreements(self.effects)

    def quoted(self) -> pl.DataFrame:
        return metric_population.quoted()


def _agreement(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        pl.col("metric").replace_strict(LABELS),
        "libraries",
        pl.col("values").alias("distinct values"),
        "lowest",
        "highest",
    )


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _after_colon(names: pl.Series) -> str:
    return f": {_listed(names.to_list())}" if len(names) else ""
