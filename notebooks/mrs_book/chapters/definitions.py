"""The chapter of definitions: which one for which question, and how each is stated.

The statements are those of `mrs/evaluation/metrics/formulas.yaml`, whose classes the code computes.
"""

from collections.abc import Mapping
from importlib.metadata import version
from inspect import cleandoc

import polars as pl

from mrs.evaluation import metrics
from mrs.evaluation.metrics import BEYOND, CLASSES, METRICS, describe, label_of
from mrs.evaluation.metrics.base import Accuracy, Beyond, Pooled
from mrs_book.papers.libraries import computed_by, libraries

ALL: Mapping[str, Mapping[str, Accuracy | Beyond]] = {**CLASSES, **BEYOND}
LABELS = {name: label_of(name) for name in ALL}


def title(metric: str, variant: str) -> str:
    return f"{LABELS[metric]} ({variant})"


def statements(*classes: str) -> str:
    """A list in Markdown of what classes state, each named as "hitrate any"."""
    lines = []
    for metric, name in map(str.split, classes):
        lines.append(f"- **{title(metric, name)}**: {describe(metric, name)['Statement']}")
    return "\n".join(lines)


def notation() -> str:
    """The notation and the rules that hold for every class, as the metrics' package states them."""
    text = cleandoc(metrics.__doc__ or "")
    return text[text.index("Notation") :]


def defaults() -> str:
    names = ", ".join(title(name, metric.variant) for name, metric in METRICS.items())
    return f"The tables of this book report {names}."


def library_table() -> pl.DataFrame:
    """One row per function of a library: what it computes, by class."""
    return (
        libraries()
        .filter(pl.col("class") != "")
        .select(
            "library",
            pl.col("version").str.replace(r"^(\d\S*) .*", "${1}"),
            pl.col("library_metric").alias("its name"),
            pl.format("{} ({})", pl.col("metric").replace(LABELS), "class").alias("computes"),
            "function",
            "note",
        )
        .sort("library", "computes", maintain_order=True)
    )


def population(found: Accuracy | Beyond) -> str:
    """Over whom a value of the class is taken, unless its edge cases say otherwise."""
    if isinstance(found, Beyond):
        return "from the lists of the users evaluated, whatever is relevant to them"
    if isinstance(found, Pooled):
        return "one number for all users with at least one relevant item together"
    return (
        "averaged over all users with at least one relevant item, a missing list counting as an "
        "empty one"
    )


def cutoff(found: Accuracy | Beyond) -> str:
    """What k cuts, or that there is none."""
    if "complete" in found.needs:
        return "none: every candidate is ranked"
    return "the first k ranks; state k, and how long the lists were that k was cut from"


def ties(found: Accuracy | Beyond) -> str:
    """What equal scores do."""
    if "complete" in found.needs:
        return "as the formula says; where only ranks are known nothing is equal"
    return "equal scores in a random order that is fixed beforehand and the same for all users"


def sentence(metric: str, variant: str) -> str:
    """One sentence for a paper: what is computed, over whom, what ties do, where it comes from."""
    found = ALL[metric][variant]
    statement = describe(metric, variant)["Statement"].removesuffix(".")
    parts = [statement, population(found)]
    if "complete" not in found.needs:
        parts.append(ties(found))
    return f"{'; '.join(parts)} (mrs {version('mrs')}, {metric} {variant})."


def block(metric: str, variant: str) -> str:
    """A class in Markdown: heading, statement, formula, rules, libraries, the sentence to paste."""
    found, parts = ALL[metric][variant], describe(metric, variant)
    rules = {
        "Formula": f"`{parts['Formula']}`",
        "Users": population(found),
        "Cutoff": cutoff(found),
        "Ties": ties(found),
        "Edge cases": parts["Edge cases"],
        "Source": parts["Source"],
        "Computed by": computed_by(metric, variant),
    }
    lines = "\n".join(f"- **{name}**: {text}" for name, text in rules.items())
    return (
        f"### {title(metric, variant)}\n\n{parts['Statement']}\n\n{lines}\n\n"
        f"To paste:\n\n> {sentence(metric, variant)}"
    )


def blocks() -> list[str]:
    """The blocks of all classes in Markdown, one text per metric."""
    return [
        "\n\n".join([f"## {LABELS[metric]}", *(block(metric, name) for name in known)])
        for metric, known in ALL.items()
    ]
