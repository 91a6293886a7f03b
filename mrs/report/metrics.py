"""The chapter of metric classes: how far one name moves, and whether the order of systems does.

For a study the systems are its cells. They are compared within one scenario, one cutoff and one
block of vectors, so that surrogate vectors never stand beside real ones. For two files there is one
system, whose lists are judged by every class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
from IPython.display import Markdown, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrs.errors import InputError
from mrs.evaluation.files import FileMeans, file_means
from mrs.evaluation.metrics import CLASSES
from mrs.report import summary
from mrs.report.orders import (
    ACROSS,
    DIGITS,
    LABELS,
    Definition,
    Leads,
    agreement,
    boards,
    count_swaps,
    definitions_by_name,
    largest_reversal,
)
from mrs.report.parameters import integers
from mrs.report.style import WIDTH, Source
from mrs.report.tables import show
from mrs.study import classes
from mrs.study.results import Results, open_results

FEWEST_SYSTEMS = 3  # fewer have no order to speak of
NONE, REAL, SURROGATE = "#555555", "#0072b2", "#d55e00"  # Okabe and Ito's blue and vermilion
COLOURS = {"none": NONE, "audio": REAL, "file": REAL, "surrogate": SURROGATE}


@dataclass(frozen=True)
class Section:
    """A part of the page: heading and text in Markdown, tables with captions, figures."""

    text: str
    tables: list[tuple[str, pl.DataFrame]] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    sortable: bool = False

    def show(self) -> None:
        """Display everything in the notebook."""
        display(Markdown(self.text))
        for figure in self.figures:
            display(figure)
        for caption, table in self.tables:
            show(table, caption, sortable=self.sortable)


class MetricsPage(Protocol):
    """What the notebook shows, of a study or of two files."""

    source: Source

    def intro(self) -> str:
        """What is compared, in Markdown."""

    def every_class(self) -> list[Section]:
        """All classes side by side."""

    def spread(self) -> list[Section]:
        """How far one name can move."""

    def order(self) -> list[Section]:
        """Whether the order of the systems changes with the class."""


# Orders


def agreement_table(frame: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """One row a name: its definitions, their pairs, and at each cutoff those whose orders differ.

    `frame` is of one scenario and block. Columns: name, definitions, pairs, and "differ @k" (pairs
    with tau-b below 1) and "least tau-b @k" for each k.
    """
    rows: dict[str, dict[str, object]] = {}
    for k in ks:
        board = boards(frame.filter(pl.col("k") == k))
        for name, definitions in definitions_by_name(board).items():
            tau = agreement(board[definitions]).to_numpy()
            pairs = tau[np.triu_indices(len(definitions), 1)]
            if not len(pairs):
                continue
            row = rows.setdefault(
                name, {"name": name, "definitions": len(definitions), "pairs": len(pairs)}
            )
            row[f"differ @{k}"] = int((pairs < 1 - 1e-9).sum())
            row[f"least tau-b @{k}"] = None if np.isnan(pairs).all() else float(np.nanmin(pairs))
    return pl.DataFrame(list(rows.values()))


def _short(definition: Definition, group: str) -> str:
    """A definition within its group: the class alone under its own name."""
    metric, name = definition
    return name if LABELS[metric] == group else f"{LABELS[metric]} {name}"


def agreement_figure(board: pd.DataFrame) -> Figure:
    """Heat maps of tau-b, one panel a name, columns numbered as the rows are.

    The lightest is the same order; all panels share the colours.
    """
    panels = {n: d for n, d in definitions_by_name(board).items() if len(d) > 1}
    taus = {name: agreement(board[definitions]).to_numpy() for name, definitions in panels.items()}
    lowest = np.nanmin(np.concatenate([[0.5], *(tau.ravel() for tau in taus.values())]))
    heights = [len(definitions) + 1.9 for definitions in panels.values()]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(WIDTH, 0.3 * sum(heights)), height_ratios=heights, squeeze=False
    )
    for axis, (name, definitions) in zip(axes[:, 0], panels.items(), strict=True):
        _heat(axis, taus[name], name, definitions, lowest)
    return figure


def _heat(
    axis: Axes, tau: np.ndarray, name: str, definitions: list[Definition], lowest: float
) -> None:
    """One heat map, darker for orders further apart, light enough throughout for dark text."""
    axis.imshow(tau, cmap="Blues_r", vmin=1 - 1.7 * (1 - lowest), vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(tau):
        text = "" if np.isnan(value) else f"{value:.2f}"
        axis.text(column, row, text, ha="center", va="center", fontsize=9)
    numbers = [str(i + 1) for i in range(len(definitions))]
    names = [_short(definition, name) for definition in definitions]
    axis.set_xticks(range(len(numbers)), numbers)
    axis.set_yticks(range(len(numbers)), [f"{n}  {i}" for n, i in zip(names, numbers, strict=True)])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    axis.set_title(name)


# Spread


def spread_table(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a name: over the systems, largest value of its classes over the smallest.

    `frame` is of one scenario and cutoff and has the further column system. A system whose smallest
    value is 0 has no ratio. lowest and highest are those of the system with the largest ratio.
    """
    lists = frame.group_by("metric", "cell", "system", maintain_order=True).agg(
        definitions=pl.len(),
        lowest=pl.col("value").min(),
        lowest_class=pl.col("class").get(pl.col("value").round(DIGITS).arg_min()),
        highest=pl.col("value").max(),
        highest_class=pl.col("class").get(pl.col("value").round(DIGITS).arg_max()),
    )
    ratios = lists.filter(pl.col("lowest") > 0).with_columns(
        ratio=pl.col("highest") / pl.col("lowest")
    )
    most = pl.col("ratio").arg_max()
    return ratios.group_by("metric", maintain_order=True).agg(
        pl.col("definitions").first(),
        pl.col("ratio").min().alias("least ratio"),
        pl.col("ratio").median().alias("median ratio"),
        pl.col("ratio").max().alias("largest ratio"),
        pl.col("system").get(most).alias("of"),
        *(pl.col(name).get(most) for name in ("lowest", "lowest_class", "highest")),
        pl.col("highest_class").get(most),
    )


def _named(table: pl.DataFrame) -> pl.DataFrame:
    """Metrics by their label, columns without underscores."""
    return table.with_columns(pl.col("metric").replace(LABELS)).rename(
        lambda column: column.replace("_", " ")
    )


def spread_figure(frame: pl.DataFrame) -> Figure:
    """Every class of every system on a logarithmic scale, the classes of a name together.

    `frame` is of one scenario and cutoff. Values of 0 are not drawn.
    """
    names = frame.select("metric", "class").unique(maintain_order=True).rows()
    metrics = list(dict.fromkeys(metric for metric, _ in names))
    place = {pair: i + 0.8 * metrics.index(pair[0]) for i, pair in enumerate(names)}
    figure, axis = plt.subplots(figsize=(WIDTH, 0.24 * max(place.values()) + 1.4))
    for block in frame["block"].unique(maintain_order=True):
        rows = frame.filter(pl.col("block") == block, pl.col("value") > 0)
        heights = [place[pair] for pair in rows.select("metric", "class").iter_rows()]
        axis.scatter(
            rows["value"],
            heights,
            s=22,
            edgecolors=COLOURS[block],
            facecolors="none" if block == "surrogate" else COLOURS[block],
            alpha=0.7,
            label=summary.BLOCKS[block].split(",")[0],
        )
    axis.set_xscale("log")
    axis.set_yticks(list(place.values()), [f"{LABELS[m]} {name}" for m, name in names])
    axis.set_ylim(max(place.values()) + 0.7, -0.7)
    axis.set_xlabel("value")
    figure.legend(loc="outside lower center", ncols=1)
    return figure


# Pages


class StudyMetrics:
    """The runs of a study."""

    def __init__(self, results: Results) -> None:
        self.results, self.source = results, summary.source_of(results)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """`classes.study_classes` with the name of each system."""
        backend = (
            pl.when(pl.col("backend").is_null())
            .then(pl.lit(""))
            .otherwise(", " + pl.col("backend"))
        )
        return classes.study_classes(self.results).with_columns(
            system=pl.concat_str(pl.col("recommender"), backend)
        )

    def intro(self) -> str:
        """What is compared."""
        n_systems = self.frame["cell"].n_unique()
        text = (
            f"A ranked list and the truth do not decide a metric's value: several formulas go by "
            f"each name. Here the lists of {n_systems} systems (one recommender on one kind of "
            "vectors in one scenario) are judged by every formula, called a class. The lists are "
            "the same throughout; only the formula changes. What each class computes stands under "
            "[definitions](definitions.ipynb).\n\n"
            f"{summary.provenance_sentence(self.results)}"
        )
        missing = len(self.results.cells()) - n_systems
        if missing:
            text += f"\n\n**{missing} systems have no record** and are not shown."
        return text

    def _scenarios(self) -> list[str]:
        return self.frame["scenario"].unique(maintain_order=True).to_list()

    def _k(self, scenario: str) -> int:
        return int(self.results.primary(scenario).split("@")[1])

    def every_class(self) -> list[Section]:
        """A table a name, then what cannot be computed and what coincides."""
        tables = []
        keys = ["scenario", "cutoff", "system", "vectors"]
        long = self.frame.rename({"block": "vectors", "k": "cutoff"})  # k is a class's name, too
        for (metric,), rows in long.group_by(["metric"], maintain_order=True):
            wide = rows.pivot("class", index=["cell", *keys], values="value")
            names = rows["class"].unique(maintain_order=True)
            wide = wide.select(*keys[:3], *names, "vectors")
            tables.append((f"{LABELS[str(metric)]}: every class", wide))
        notes = [self._note(scenario) for scenario in self._scenarios()]
        return [Section("\n\n".join(notes), tables, sortable=True)]

    def _note(self, scenario: str) -> str:
        left = classes.left_out(self.results, scenario)
        missing = "; ".join(f"{', '.join(names)} ({why})" for why, names in left.items())
        same = coinciding(self.frame.filter(pl.col("scenario") == scenario))
        text = f"{scenario.capitalize()}: not computed are {missing}."
        if same:
            text += (
                " Equal for every system and cutoff here: "
                + "; ".join(" = ".join(names) for names in same)
                + "."
            )
        return text

    def spread(self) -> list[Section]:
        """A table and a figure a scenario, at its primary cutoff."""
        sections = []
        for scenario in self._scenarios():
            k = self._k(scenario)
            rows = self.frame.filter(pl.col("scenario") == scenario, pl.col("k") == k)
            figure = spread_figure(rows)
            plt.close(figure)
            sections.append(
                Section(
                    f"### {scenario.capitalize()}, k = {k}\n\nEach mark is a system. Ratio: the "
                    "largest value that a name gives to a system's lists over the smallest.",
                    [(f"How far a name moves, {scenario}", _named(spread_table(rows)))],
                    [figure],
                )
            )
        return sections

    def order(self) -> list[Section]:
        """A section a scenario and block with enough systems, and what had too few."""
        sections, few = [], []
        for scenario in self._scenarios():
            for block, title in summary.BLOCKS.items():
                rows = self.frame.filter(pl.col("scenario") == scenario, pl.col("block") == block)
                n_systems = rows["cell"].n_unique()
                if n_systems >= FEWEST_SYSTEMS:
                    heading = f"### {scenario.capitalize()}: {title}"
                    sections.append(self._order(heading, scenario, rows))
                elif n_systems:
                    few.append(f"{scenario}, {title[0].lower()}{title[1:]}: {n_systems}")
        if few:
            sections.append(
                Section(
                    f"Fewer than {FEWEST_SYSTEMS} systems, so that there is no order to compare: "
                    f"{'; '.join(few)}."
                )
            )
        return sections

    def _order(self, heading: str, scenario: str, rows: pl.DataFrame) -> Section:
        k = self._k(scenario)
        board = boards(rows.filter(pl.col("k") == k))
        cells = [self.results.cell(str(slug)) for slug in board.index]
        values = classes.user_values(self.results, cells, k)
        clear = {name: classes.clear_leads(per_user) for name, per_user in values.items()}
        agreements = agreement_table(rows, self.results.study.k)
        tables = [("Do the orders differ?", agreements)]
        for caption, limit in (("The largest reversal", None), ("The largest clear one", clear)):
            table = self._reversals(board, k, limit)
            if len(table):
                tables.append((f"{caption} of each name, k = {k}", table))
        figures = []
        if agreements[f"differ @{k}"].sum():
            figures.append(agreement_figure(board))
            plt.close(figures[0])
        text = f"{heading}\n\n{self._sentences(board, agreements, clear, k)}"
        return Section(text, tables, figures)

    def _sentences(
        self, board: pd.DataFrame, agreements: pl.DataFrame, clear: Leads, k: int
    ) -> str:
        differ, least = f"differ @{k}", f"least tau-b @{k}"
        within = agreements.filter(pl.col("name") != ACROSS)
        across = agreements.filter(pl.col("name") == ACROSS)
        groups = definitions_by_name(board)
        counts = [count_swaps(board, d, clear) for name, d in groups.items() if name != ACROSS]
        n_swaps, n_clear = (sum(count) for count in zip(*counts, strict=True))
        text = (
            f"{len(board)} systems, k = {k}. Of {within['pairs'].sum()} pairs of definitions that "
            f"share a name, {within[differ].sum()} order the systems differently"
        )
        if within[differ].sum():
            worst = within.sort(least, nulls_last=True).row(0, named=True)
            text += f"; the lowest tau-b is {worst[least]:.2f}, for {worst['name']}"
        text += "."
        if n_swaps:
            text += (
                f" Two systems swap places in {n_swaps} cases (a pair of systems under such a pair "
                f"of definitions), and in {n_clear} of them the lead is clear under both."
            )
        if len(across):
            n_swaps, n_clear = count_swaps(board, groups[ACROSS], clear)
            text += (
                f" Of the {across['pairs'][0]} pairs of the study's own metrics, "
                f"{across[differ][0]} order the systems differently"
            )
            text += f", with {n_swaps} swaps, {n_clear} of them clear." if n_swaps else "."
        return text

    def _reversals(self, board: pd.DataFrame, k: int, clear: Leads | None) -> pl.DataFrame:
        """One row a name whose order changes: the pair that changes most, with its intervals."""
        found = {
            name: largest
            for name, definitions in definitions_by_name(board).items()
            if (largest := largest_reversal(board, definitions, clear))
        }
        pairs = [
            (self.results.cell(swap.ahead), self.results.cell(swap.behind), *definition)
            for one, other, swap in found.values()
            for definition in (one, other)
        ]
        bounds = classes.differences(self.results, pairs, k)
        systems = dict(self.frame.select("cell", "system").unique().iter_rows())
        rows = []
        for place, (name, (one, other, swap)) in enumerate(found.items()):
            first, second = bounds[2 * place], bounds[2 * place + 1]
            rows.append(
                {
                    "name": name,
                    "A": _short(one, name),
                    "B": _short(other, name),
                    "ahead under A": systems[swap.ahead],
                    "ahead under B": systems[swap.behind],
                    "places under A": swap.places_first,
                    "places under B": swap.places_second,
                    "difference under A": _interval_text(first),
                    "difference under B": _interval_text(second),
                    "clear": bool(first.low > 0 > second.high) if first and second else None,
                }
            )
        return pl.DataFrame(rows, schema_overrides={"clear": pl.Boolean})


def _interval_text(bounds: classes.Interval | None) -> str:
    if bounds is None:
        return "no value a user"
    if np.isnan(bounds.low):
        return f"{bounds.mean:+.4f} (too few users for an interval)"
    return f"{bounds.mean:+.4f} [{bounds.low:+.4f}, {bounds.high:+.4f}]"


def coinciding(frame: pl.DataFrame) -> list[list[str]]:
    """Classes, of any name, with equal values for every system and cutoff: ["map k", ...]."""
    groups: dict[tuple[float, ...], list[str]] = {}
    for (metric, name), rows in frame.group_by(["metric", "class"], maintain_order=True):
        key = tuple(rows["value"].round(DIGITS))
        groups.setdefault(key, []).append(f"{LABELS[str(metric)]} {name}")
    return [names for names in groups.values() if len(names) > 1]


class FileMetrics:
    """Ranked lists and truth from two files."""

    def __init__(self, ranked: Path, truth: Path, ks: Sequence[int]) -> None:
        self.ranked, self.truth = ranked, truth
        self.found: FileMeans = file_means(ranked, truth, ks)
        self.source = Source("computed", f"the lists of {ranked.name} against {truth.name}")

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row a cutoff and class: k, metric, class, value."""
        return pl.DataFrame(
            [
                {"k": k, "metric": metric, "class": name, "value": value}
                for k, metrics in self.found.means.items()
                for metric, known in metrics.items()
                for name, value in known.items()
            ]
        )

    def intro(self) -> str:
        """Which files, how many users, which rules were needed."""
        notes = "".join(f"\n- {note}" for note in self.found.notes)
        return (
            f"The lists of `{self.ranked}` held against `{self.truth}`: {self.found.n_users} users "
            "with relevant items. The lists are the same throughout; only the formula changes. "
            f"What each class computes stands under [definitions](definitions.ipynb).\n{notes}"
        )

    def every_class(self) -> list[Section]:
        """One table of all classes."""
        wide = self.frame.with_columns(k=pl.format("@{}", "k")).pivot(
            "k", index=["metric", "class"], values="value"
        )
        return [Section("", [("Every class", _named(wide))], sortable=True)]

    def spread(self) -> list[Section]:
        """A table of the range of each name."""
        least, most = (
            pl.col("value").round(DIGITS).arg_min(),
            pl.col("value").round(DIGITS).arg_max(),
        )
        table = (
            self.frame.filter(pl.col("metric").is_in(list(CLASSES)))
            .group_by("metric", "k", maintain_order=True)
            .agg(
                definitions=pl.len(),
                lowest=pl.col("value").min(),
                lowest_class=pl.col("class").get(least),
                highest=pl.col("value").max(),
                highest_class=pl.col("class").get(most),
            )
            .with_columns(
                ratio=pl.when(pl.col("lowest") > 0).then(pl.col("highest") / pl.col("lowest"))
            )
        )
        return [Section("", [("How far a name moves on these lists", _named(table))])]

    def order(self) -> list[Section]:
        """One system has no order."""
        return [Section("The two files hold one system, so that there is no order to compare.")]


def open_page(
    study: str, store: str, ranked: str = "", truth: str = "", k: Any = ()
) -> MetricsPage:
    """The page of a study's records, or where they are given of two files at the cutoffs k.

    `k` may be as papermill gives it: 5, "5,10" or a list. Raises InputError where one of the two
    files is missing.
    """
    if bool(ranked) != bool(truth):
        raise InputError("ranked and truth come together; give both files or neither")
    if ranked:
        return FileMetrics(Path(ranked), Path(truth), integers("k", k))
    return StudyMetrics(open_results(study, store))
