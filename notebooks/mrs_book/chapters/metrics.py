"""The chapter of metric classes: how far one name moves, and whether the order of systems does.

The systems of a study are its cells. They are compared within one scenario, one cutoff and one
block of vectors, so that surrogate vectors never stand beside real ones. Two files hold one system,
whose lists every class judges.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from matplotlib.figure import Figure

from mrs.errors import InputError
from mrs.evaluation.files import file_means
from mrs.evaluation.metrics import CLASSES
from mrs_book.chapters import metrics_classes
from mrs_book.chapters.metrics_orders import (
    ACROSS,
    DIGITS,
    LABELS,
    Definition,
    agreement,
    agreement_table,
    boards,
    count_swaps,
    definitions_by_name,
    largest_reversal,
    short_name,
)
from mrs_book.kit import summary
from mrs_book.kit.figures import forest, heat_map
from mrs_book.kit.parameters import integers, open_results, word
from mrs_book.kit.style import Source

FEWEST_SYSTEMS = 3  # fewer have no order to speak of


# Figures


def agreement_figure(board: pd.DataFrame) -> Figure:
    """Heat maps of tau-b, one panel per name, columns numbered as the rows are.

    The lightest is the same order; all panels share the colours.
    """
    rows = []
    for name, definitions in definitions_by_name(board).items():
        tau = agreement(board[definitions]).to_numpy()
        for (i, j), value in np.ndenumerate(tau if len(tau) > 1 else []):
            text = "" if np.isnan(value) else f"{value:.2f}"
            row = f"{short_name(definitions[i], name)}  {i + 1}"
            rows.append((name, row, str(j + 1), float(value), text))
    frame = pl.DataFrame(rows, schema=["panel", "row", "column", "value", "text"], orient="row")
    lowest = min(0.5, *frame["value"].drop_nans())
    return heat_map(frame, scale="low", limits=(lowest, 1.0))


def spread_figure(frame: pl.DataFrame) -> Figure:
    """Every class of every system on a logarithmic scale; values of 0 are not drawn.

    `frame` is of one scenario and cutoff.
    """
    blocks = {block: title.split(",")[0] for block, title in summary.BLOCKS.items()}
    rows = frame.filter(pl.col("value") > 0).select(
        "value",
        row=pl.concat_str(pl.col("metric").replace(LABELS), "class", separator=" "),
        group=pl.col("block").replace(blocks),
        hollow=pl.col("block") == "surrogate",
        lane=pl.lit(""),
    )
    face = {"surrogate": {"markerfacecolor": "none"}}  # marks cover each other: seen through
    seen_through = {name: {"alpha": 0.7} | face.get(key, {}) for key, name in blocks.items()}
    return forest(rows, "value", scale="log", styles=seen_through)


# Pages


def extremes(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """The smallest and the largest class of each name, with the largest over the smallest.

    One row per metric and value of `keys`. Columns: metric, the keys, definitions, lowest,
    lowest class, highest, highest class, ratio (null where the smallest value is 0).
    """
    rounded = pl.col("value").round(DIGITS)
    return (
        frame.group_by("metric", *keys, maintain_order=True)
        .agg(
            pl.len().alias("definitions"),
            pl.col("value").min().alias("lowest"),
            pl.col("class").get(rounded.arg_min()).alias("lowest class"),
            pl.col("value").max().alias("highest"),
            pl.col("class").get(rounded.arg_max()).alias("highest class"),
        )
        .with_columns(
            ratio=pl.when(pl.col("lowest") > 0).then(pl.col("highest") / pl.col("lowest"))
        )
    )


def spread_table(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per name: over the systems, largest value of its classes over the smallest.

    `frame` is of one scenario and cutoff and has the further column system. A system whose smallest
    value is 0 has no ratio. lowest and highest are those of the system with the largest ratio.
    """
    ratios = extremes(frame, "cell", "system").filter(pl.col("ratio").is_not_null())
    most = pl.col("ratio").arg_max()
    return ratios.group_by("metric", maintain_order=True).agg(
        pl.col("definitions").first(),
        pl.col("ratio").min().alias("least ratio"),
        pl.col("ratio").median().alias("median ratio"),
        pl.col("ratio").max().alias("largest ratio"),
        pl.col("system").get(most).alias("of"),
        *(
            pl.col(name).get(most)
            for name in ("lowest", "lowest class", "highest", "highest class")
        ),
    )


def coinciding(frame: pl.DataFrame) -> list[list[str]]:
    """Classes, of any name, with equal values for every system and cutoff: ["map k", ...]."""
    groups: dict[tuple[float, ...], list[str]] = {}
    for (metric, name), rows in frame.group_by(["metric", "class"], maintain_order=True):
        key = tuple(rows["value"].round(DIGITS))
        groups.setdefault(key, []).append(f"{LABELS[str(metric)]} {name}")
    return [names for names in groups.values() if len(names) > 1]


class StudyMetrics:
    """The runs of a study."""

    def __init__(self, study: str, store: str) -> None:
        self.results = open_results(study, store)
        self.source = summary.source_of(self.results)

    @cached_property
    def frame(self) -> pl.DataFrame:
        """`metrics_classes.study_classes` with the name of each system."""
        backend = pl.format(", {}", "backend").fill_null("")
        return metrics_classes.study_classes(self.results).with_columns(
            system=pl.concat_str(pl.col("recommender"), backend)
        )

    @property
    def scenarios(self) -> list[str]:
        return self.frame["scenario"].unique(maintain_order=True).to_list()

    def k(self, scenario: str) -> int:
        """The cutoff of the scenario's primary metric."""
        return int(self.results.primary(scenario).split("@")[1])

    def intro(self) -> str:
        n_systems = self.frame["cell"].n_unique()
        missing = len(self.results.cells()) - n_systems
        return (
            f"Compared are the lists of {n_systems} systems: each is one recommender on one kind "
            f"of vectors in one scenario.\n\n{summary.provenance_sentence(self.results)}"
            + f"\n\n**{missing} systems have no record** and are not shown."
            * (missing > 0)
        )

    def _primary(self, scenario: str) -> pl.DataFrame:
        return self.frame.filter(scenario=scenario, k=self.k(scenario))

    def spread(self, scenario: str) -> pl.DataFrame:
        """How far each name moves at the scenario's primary cutoff."""
        return _labelled(spread_table(self._primary(scenario)))

    def spread_figure(self, scenario: str) -> Figure:
        return spread_figure(self._primary(scenario))

    @cached_property
    def _enough(self) -> dict[tuple[str, str], int]:
        """The number of systems in each scenario and block."""
        return {
            (scenario, block): n
            for scenario in self.scenarios
            for block in summary.BLOCKS
            if (n := self.frame.filter(scenario=scenario, block=block)["cell"].n_unique())
        }

    def orders(self) -> list["Order"]:
        """The scenarios and blocks with enough systems for an order."""
        return [Order(self, *key) for key, n in self._enough.items() if n >= FEWEST_SYSTEMS]

    def too_few(self) -> str:
        few = [
            f"{scenario}, {summary.BLOCKS[block][0].lower()}{summary.BLOCKS[block][1:]}: {n}"
            for (scenario, block), n in self._enough.items()
            if n < FEWEST_SYSTEMS
        ]
        if not few:
            return ""
        return (
            f"Fewer than {FEWEST_SYSTEMS} systems, so that there is no order to compare: "
            f"{'; '.join(few)}."
        )

    def every_class(self) -> dict[str, pl.DataFrame]:
        """One table per name, by its caption."""
        tables = {}
        keys = ["scenario", "cutoff", "system", "vectors"]
        long = self.frame.rename({"block": "vectors", "k": "cutoff"})  # k is a class's name, too
        for (metric,), rows in long.group_by(["metric"], maintain_order=True):
            wide = rows.pivot("class", index=["cell", *keys], values="value")
            names = rows["class"].unique(maintain_order=True)
            caption = f"{LABELS[str(metric)]}: every class"
            tables[caption] = wide.select(*keys[:3], *names, "vectors")
        return tables

    def notes(self) -> str:
        """Which classes cannot be computed, and which coincide."""
        lines = []
        for scenario in self.scenarios:
            left = metrics_classes.left_out(self.results, scenario)
            missing = "; ".join(f"{', '.join(names)} ({why})" for why, names in left.items())
            same = coinciding(self.frame.filter(scenario=scenario))
            text = f"{scenario.capitalize()}: not computed are {missing}."
            if same:
                equal = "; ".join(" = ".join(names) for names in same)
                text += f" Equal for every system and cutoff here: {equal}."
            lines.append(text)
        return "\n\n".join(lines)


class Order:
    """The systems of one scenario and block, ordered by every definition."""

    def __init__(self, page: StudyMetrics, scenario: str, block: str) -> None:
        self.results, self.k = page.results, page.k(scenario)
        rows = page.frame.filter(scenario=scenario, block=block)
        self.title = f"{scenario.capitalize()}: {summary.BLOCKS[block]}"
        self.systems = dict(rows.select("cell", "system").unique().iter_rows())
        self.agreement = agreement_table(rows, self.results.study.k)
        self.board = boards(rows.filter(k=self.k))

    @cached_property
    def clear(self) -> dict[Definition, np.ndarray]:
        """Which system leads which clearly under each definition: bool [n x n]."""
        cells = [self.results.cell(str(slug)) for slug in self.board.index]
        values = metrics_classes.user_values(self.results, cells, self.k)
        return {name: metrics_classes.clear_leads(mine) for name, mine in values.items()}

    def text(self) -> str:
        """How many pairs of definitions order the systems differently, and how clearly."""
        differ, least = f"differ @{self.k}", f"least tau-b @{self.k}"
        within = self.agreement.filter(pl.col("name") != ACROSS)
        across = self.agreement.filter(pl.col("name") == ACROSS)
        groups = definitions_by_name(self.board)
        counts = [count_swaps(self.board, d, self.clear) for n, d in groups.items() if n != ACROSS]
        n_swaps, n_clear = (sum(count) for count in zip(*counts, strict=True))
        text = (
            f"{len(self.board)} systems, k = {self.k}. Of {within['pairs'].sum()} pairs of "
            f"definitions that share a name, {within[differ].sum()} order the systems differently"
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
            n_swaps, n_clear = count_swaps(self.board, groups[ACROSS], self.clear)
            text += (
                f" Of the {across['pairs'][0]} pairs of the study's own metrics, "
                f"{across[differ][0]} order the systems differently"
            )
            text += f", with {n_swaps} swaps, {n_clear} of them clear." if n_swaps else "."
        return text

    def figure(self) -> Figure | None:
        """Heat maps of tau-b; None where no order differs."""
        differs = self.agreement[f"differ @{self.k}"].sum()
        return agreement_figure(self.board) if differs else None

    def reversals(self, *, clear: bool) -> pl.DataFrame:
        """One row per name whose order changes: its largest (clear) reversal, with intervals."""
        limit = self.clear if clear else None
        found = {
            name: largest
            for name, definitions in definitions_by_name(self.board).items()
            if (largest := largest_reversal(self.board, definitions, limit))
        }
        pairs = [
            (self.results.cell(swap.ahead), self.results.cell(swap.behind), *definition)
            for one, other, swap in found.values()
            for definition in (one, other)
        ]
        bounds = metrics_classes.differences(self.results, pairs, self.k)
        rows = []
        for place, (name, (one, other, swap)) in enumerate(found.items()):
            first, second = bounds[2 * place], bounds[2 * place + 1]
            rows.append(
                {
                    "name": name,
                    "A": short_name(one, name),
                    "B": short_name(other, name),
                    "ahead under A": self.systems[swap.ahead],
                    "ahead under B": self.systems[swap.behind],
                    "places under A": swap.places_first,
                    "places under B": swap.places_second,
                    "difference under A": _interval_text(first),
                    "difference under B": _interval_text(second),
                    "clear": bool(first.low > 0 > second.high) if first and second else None,
                }
            )
        return pl.DataFrame(rows, schema_overrides={"clear": pl.Boolean})


class FileMetrics:
    """Ranked lists and truth from two files: one system without a scenario."""

    scenarios = ("",)

    def __init__(self, ranked: Path, truth: Path, ks: Sequence[int]) -> None:
        found = file_means(ranked, truth, ks)
        self.frame = pl.DataFrame(
            [
                {"k": k, "metric": metric, "class": name, "value": value}
                for k, metrics in found.means.items()
                for metric, known in metrics.items()
                for name, value in known.items()
            ]
        )
        self.source = Source("computed", f"the lists of {ranked.name} against {truth.name}")
        self.words = (
            f"The lists of `{ranked}` are held against `{truth}`: {found.n_users} users with "
            "relevant items.\n" + "".join(f"\n- {note}" for note in found.notes)
        )

    def intro(self) -> str:
        return self.words

    def k(self, _: str) -> str:
        return ", ".join(map(str, self.frame["k"].unique(maintain_order=True)))

    def spread(self, _: str) -> pl.DataFrame:
        """How far each name moves at each cutoff."""
        rows = self.frame.filter(pl.col("metric").is_in(list(CLASSES)))
        return _labelled(extremes(rows, "k"))

    def spread_figure(self, _: str) -> None:
        return None

    def orders(self) -> list[Order]:
        return []

    def too_few(self) -> str:
        return "The two files hold one system, so that there is no order to compare."

    def every_class(self) -> dict[str, pl.DataFrame]:
        wide = self.frame.with_columns(k=pl.format("@{}", "k")).pivot(
            "k", index=["metric", "class"], values="value"
        )
        return {"Every class": _labelled(wide)}

    def notes(self) -> str:
        return ""


def metrics_page(
    study: str, store: str, ranked: str = "", truth: str = "", k: Any = ()
) -> StudyMetrics | FileMetrics:
    """The page of a study's records, or where they are given of two files at the cutoffs k.

    `k` may be as papermill gives it: 5, "5,10" or a list. Raises InputError where one of the two
    files is missing.
    """
    files = word("ranked", ranked), word("truth", truth)
    if (files[0] is None) != (files[1] is None):
        raise InputError("ranked and truth come together; give both files or neither")
    if files[0] and files[1]:
        return FileMetrics(Path(files[0]), Path(files[1]), integers("k", k))
    return StudyMetrics(study, store)


def _labelled(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("metric").replace(LABELS))


def _interval_text(bounds: metrics_classes.Interval | None) -> str:
    if bounds is None:
        return "not defined per user"
    if np.isnan(bounds.low):
        return f"{bounds.mean:+.4f} (too few users for an interval)"
    return f"{bounds.mean:+.4f} [{bounds.low:+.4f}, {bounds.high:+.4f}]"
