"""The chapter of definitions: which one for which question, and how each is stated.

The statements are made of the docstrings of the classes, so that what a paper pastes is what the
code computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from inspect import cleandoc

import polars as pl
from IPython.display import Markdown, display

from mrs.evaluation import metrics
from mrs.evaluation.libraries import libraries
from mrs.evaluation.metrics import BEYOND, CLASSES, METRICS, describe
from mrs.evaluation.metrics.base import Accuracy, Beyond, Pooled
from mrs.report.tables import show

ALL: Mapping[str, Mapping[str, Accuracy | Beyond]] = {**CLASSES, **BEYOND}
LABELS = {name: next(iter(known.values())).label for name, known in ALL.items()}


@dataclass(frozen=True)
class Advice:
    """A question that a table is to answer, the classes that answer it, and what to watch for."""

    question: str
    classes: tuple[tuple[str, str], ...]
    why: str


GUIDE = (
    Advice(
        "Did the listener find anything?",
        (("hitrate", "any"), ("mrr", "first")),
        "HitRate asks whether, MRR how soon. Neither sees a second hit, and for listeners with "
        "much that is relevant HitRate nears 1 even where the list is poor.",
    ),
    Advice(
        "How much of what is relevant was found?",
        (("recall", "relevant"), ("recall", "min")),
        "They differ only for listeners with more relevant items than ranks: dividing by all of "
        "them keeps the question but puts 1 out of reach, dividing by what fits makes 1 the best "
        "list and the value a precision for those listeners.",
    ),
    Advice(
        "How much of what was shown is relevant?",
        (("precision", "k"), ("precision", "returned")),
        "They differ only for short lists: missing ranks are misses in the first and leave no "
        "trace in the second, which a system can raise by listing less.",
    ),
    Advice(
        "Does the order within the list matter?",
        (("ndcg", "min"), ("map", "relevant"), ("map", "min")),
        "NDCG discounts slowly with the rank; MAP rewards hits near the top more and depends on "
        "how many hits stand above each. If the list is shown as a set, Recall or Precision says "
        "all there is.",
    ),
    Advice(
        "Few relevant items for each listener, fewer than the cutoff",
        (("ndcg", "min"), ("recall", "relevant"), ("map", "relevant")),
        "The denominators with the number of relevant items and with the smaller of it and the "
        "cutoff agree here. With the cutoff alone below the line no list reaches 1, and the mean "
        "says as much about how few relevant items there are as about the lists.",
    ),
    Advice(
        "Many relevant items, more than the cutoff",
        (("recall", "min"), ("map", "min"), ("ndcg", "min")),
        "An ideal that the list can hold keeps 1 within reach. With all relevant items below the "
        "line, the listeners with the most of them are furthest from 1, however good the list.",
    ),
    Advice(
        "Some items are more relevant than others",
        (("ndcg", "linear"), ("ndcg", "exponential")),
        "Exponential gains let the highest grades decide and need grades of a few units; play "
        "counts are no grades. Say which gain was used: both are called NDCG.",
    ),
    Advice(
        "How well are all candidates ordered, without a cutoff?",
        (("auc", "per_user"), ("auc", "rest_random")),
        "The first needs every candidate ranked; the second takes what follows the list as random. "
        "AUC weighs the bottom of the ranking like its top, which nobody sees.",
    ),
    Advice(
        "What is listed, whether relevant or not?",
        (
            ("coverage", "share"),
            ("novelty", "surprisal"),
            ("popularity", "share"),
            ("exposure_gini", "catalogue"),
            ("intra_list_diversity", "cosine"),
        ),
        "These need no truth. A random list does well in most of them, so that they mean something "
        "only beside accuracy.",
    ),
)

AVOID = (
    Advice(
        "To be read with care",
        (
            ("recall", "listed"),
            ("ndcg", "listed"),
            ("ndcg", "retrieved"),
            ("map", "hits"),
            ("auc", "in_list"),
            ("precision", "r_hit"),
        ),
        "What the list or its hits do not hold does not count against them, so that a worse list "
        "can have a higher value. They are here because libraries compute them.",
    ),
)


def title(metric: str, variant: str) -> str:
    """The name of a class for readers."""
    return f"{LABELS[metric]} ({variant})"


def guide() -> str:
    """The decision guide in Markdown: a question, the classes that answer it, what to watch for."""
    parts = []
    for advice in (*GUIDE, *AVOID):
        lines = [f"### {advice.question}", advice.why]
        lines += [
            f"- **{title(metric, name)}**: {describe(metric, name)['Statement']}"
            for metric, name in advice.classes
        ]
        parts.append("\n\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:]))
    return "\n\n".join(parts)


def notation() -> str:
    """The notation and the rules that hold for every class, as the metrics' package states them."""
    text = cleandoc(metrics.__doc__ or "")
    return text[text.index("Notation") :]


def defaults() -> str:
    """Which classes this book reports, in one sentence."""
    names = ", ".join(title(name, metric.variant) for name, metric in METRICS.items())
    return f"The tables of this book report {names}."


def library_table() -> pl.DataFrame:
    """One row a function of a library: what it computes, by class."""
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
        "Computed by": parts["Libraries"],
    }
    lines = "\n".join(f"- **{name}**: {text}" for name, text in rules.items())
    return (
        f"### {title(metric, variant)}\n\n{parts['Statement']}\n\n{lines}\n\n"
        f"To paste:\n\n> {sentence(metric, variant)}"
    )


def show_blocks() -> None:
    """Display the block of every class, metric by metric."""
    for metric, known in ALL.items():
        blocks = [block(metric, name) for name in known]
        display(Markdown("\n\n".join([f"## {LABELS[metric]}", *blocks])))


def show_libraries() -> None:
    """Display which library computes which class."""
    show(library_table(), "What a library computes, by class", sortable=True)
