"""The chapter of deviations: what published code does otherwise, and what each one does by itself.

Effects come from the runs of `mrs_book.papers.effects` on the generated world. They say what a
deviation does there, not what it did to the published numbers.
"""

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from mrs.recommenders import RECOMMENDERS
from mrs.world.surrogates import HELDOUT_R2
from mrs_book.kit.figures import CHANCE, closed, interval_line
from mrs_book.kit.parameters import required
from mrs_book.kit.style import CLOSED_FORM, FACTS, WIDTH, palette
from mrs_book.kit.tables import ends_text, show
from mrs_book.papers import t_intervals
from mrs_book.papers.deviation_table import DeviationRow, deviations
from mrs_book.papers.effects import COMMAND, Measured

SCENARIOS = ("hot", "cold")
NOT_RUN = "not run yet"
NOT_MEASURED = "not measured here"


def signed(value: float, decimals: int = 4) -> str:
    """A difference as text, with a true minus sign; "+0.0000" has no sign."""
    text = f"{value:+.{decimals}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


class DeviationsPage:
    """The table's rows beside the effects that an archive of runs has."""

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self.rows = deviations()
        self.effects = measured.effects()

    def label(self, recommender: str) -> str:
        """A recommender's name as tables show it."""
        return RECOMMENDERS[recommender].label

    # Words

    def size(self) -> str:
        """How many rows there are and how many have a measured effect."""
        measured = set(self.effects["deviation"])
        kinds = {
            "an effect measured on generated data": len(measured),
            "one in closed form": sum(row.measured == "closed form" for row in self.rows),
            f"none, as they are {NOT_MEASURED}": sum(row.measured == "none" for row in self.rows),
            f"none yet, as they are {NOT_RUN}": sum(
                row.measured in ("runs", "list length") and row.name not in measured
                for row in self.rows
            ),
        }
        parts = ", ".join(f"{count} have {what}" for what, count in kinds.items() if count)
        probable = sum(row.certainty == "PROBABLE" for row in self.rows)
        return (
            f"Of {len(self.rows)} deviations {parts}. What the code does is confirmed by reading "
            f"it for {len(self.rows) - probable} and PROBABLE for {probable}."
        )

    def made(self) -> str:
        """Where the runs come from, and what is missing."""
        missing = self.measured.missing()
        parts = []
        if self.measured.archive is not None:
            about = self.measured.archive.about
            parts.append(
                f"{about['n_runs']} runs, made {about['created']} on {'; '.join(about['machine'])} "
                f"in {about['seconds'] / 3600:.1f} hours of one worker; "
                f"`{COMMAND}` makes them again."
            )
        if missing:
            hours = self.measured.hours(missing)
            cost = "" if hours is None else f", about {hours:.1f} hours on one worker"
            parts.append(f"{len(missing)} runs are missing: `{COMMAND}`{cost}.")
        return " ".join(parts)

    def runs(self) -> str:
        """On what the effects were measured."""
        names = (
            self.effects.explode("backends")["backends"].drop_nulls().unique(maintain_order=True)
        )
        cards = [self.measured.dataset.card(name) for name in names]
        shown = ", ".join(
            f"{card.label} ({card.origin}, rung {card.details[HELDOUT_R2]:.1f})" for card in cards
        )
        seeds = sorted(self.effects["n_seeds"].unique())
        spread = f"{seeds[0]} to {seeds[-1]}" if seeds else "no"
        return (
            f"Dataset: {self.measured.dataset.info['title']}, `{self.measured.dataset.spec}`. "
            f"Vectors: {shown or 'none'}. "
            f"Hyper-parameters: `{self.measured.study_path.as_posix()}`. Seeds: {spread}, one "
            "where nothing is drawn."
        )

    # Effects

    def overview(self) -> pl.DataFrame:
        """A row a deviation and recommender: the effect in both scenarios, as text."""
        found = {
            (row["deviation"], row["recommender"], row["scenario"]): row
            for row in self.effects.iter_rows(named=True)
        }
        rows = []
        for row in self.rows:
            for name in row.recommenders or ("",):
                cells = {
                    scenario: self._cell(row, name, found.get((row.name, name, scenario)), scenario)
                    for scenario in SCENARIOS
                }
                label = self.label(name) if name else ""
                names = {"deviation": row.title, "recommender": label}
                rows.append(names | cells | {"code read": row.certainty})
        return pl.DataFrame(rows)

    def _cell(self, row: DeviationRow, recommender: str, found: dict | None, scenario: str) -> str:
        if found is not None:
            return f"{signed(found['difference'])} ({signed_ends(found)})"
        if row.measured == "none":
            return NOT_MEASURED
        if row.measured == "closed form":
            return "see below"
        answers = scenario in RECOMMENDERS[recommender].scenarios
        asked = answers and (row.measured != "list length" or scenario == "cold")
        return NOT_RUN if asked else ""

    def values(self) -> pl.DataFrame:
        """A row an effect with both means, for the table in blocks by deviation."""
        titles = {row.name: row.title for row in self.rows}
        return self.effects.select(
            pl.col("deviation").replace_strict(titles),
            pl.col("recommender").map_elements(self.label, return_dtype=pl.String),
            "scenario",
            "chance",
            "corrected",
            pl.col("published").alias("with it"),
            "difference",
            pl.col("low").alias("from"),
            pl.col("high").alias("to"),
            pl.col("seed_sd").alias("sd of seeds"),
        )

    def figure(self) -> Figure:
        """The effects with their intervals, a row a deviation, hot and cold."""
        titles = {row.name: row.title for row in self.rows}
        names = self.effects["deviation"].unique(maintain_order=True).to_list()[::-1]
        kinds = self.effects["recommender"].unique(maintain_order=True).to_list()
        colours = palette([self.label(kind) for kind in kinds])
        figure, axes = plt.subplots(
            1, 2, figsize=(WIDTH, 0.42 * len(names) + 1.9), sharey=True, squeeze=False
        )
        handles = {}
        for axis, scenario in zip(axes[0], SCENARIOS, strict=True):
            rows = self.effects.filter(pl.col("scenario") == scenario)
            for name in names:
                mine = rows.filter(pl.col("deviation") == name)
                offsets = np.linspace(0.25, -0.25, len(mine)) * (len(mine) > 1)
                for row, offset in zip(mine.iter_rows(named=True), offsets, strict=True):
                    place = names.index(name) + offset
                    label = self.label(row["recommender"])
                    interval_line(
                        axis, place, row["low"], row["high"], color=colours[label], linewidth=1.8
                    )
                    mark = {"color": colours[label], "markersize": 4, "linestyle": ""}
                    (handles[label],) = axis.plot(row["difference"], place, "o", **mark)
            axis.axvline(0, color=CHANCE, linestyle="--", linewidth=1)
            metric = rows["metric"][0] if len(rows) else ""
            axis.set_title(scenario)
            axis.set_xlabel(f"{metric}, difference")
            axis.locator_params(axis="x", nbins=3)
            axis.tick_params(axis="x", labelsize=9)
        axes[0, 0].set_yticks(range(len(names)), [titles[name] for name in names], fontsize=8.5)
        axes[0, 0].set_ylim(-0.6, len(names) - 0.4)
        shown = [self.label(kind) for kind in kinds]
        figure.legend(
            [handles[label] for label in shown], shown, loc="outside lower center", ncols=3
        )
        return closed(figure)

    # The table

    def table(self) -> pl.DataFrame:
        """The deviations table: a block a deviation, a row an aspect, with addresses."""
        rows = []
        for row in self.rows:
            names = ", ".join(map(self.label, row.recommenders))
            heading = f"{row.title} ({names})" if names else row.title
            aspects: list[tuple[str, str, str | None]] = [
                ("described", row.described, None),
                ("published code", row.published, None),
                ("here", row.here, None),
                ("effect", self._effect(row), None),
                ("certainty", " ".join([f"{row.certainty}.", row.note]).strip(), None),
                ("paper", ", ".join(row.papers), None),
            ]
            aspects += [("evidence", str(place), place.address) for place in row.evidence]
            if row.measured == "runs":
                aspects.append(("alone", f"--protocol {row.protocol}", None))
            rows += [
                {"deviation": heading, "": aspect, "in words": text, "address": address}
                for aspect, text, address in aspects
            ]
        return pl.DataFrame(rows, schema_overrides={"address": pl.String})

    def _effect(self, row: DeviationRow) -> str:
        if row.measured == "none":
            return f"{NOT_MEASURED}: {row.reason}"
        if row.measured == "closed form":
            return t_intervals.sentence()
        mine = self.effects.filter(pl.col("deviation") == row.name)
        if not len(mine):
            return f"{NOT_RUN}: {COMMAND}"
        return "; ".join(
            f"{self.label(one['recommender'])}, {one['scenario']} {one['metric']}: "
            f"{signed(one['difference'])} ({signed_ends(one)})"
            for one in mine.iter_rows(named=True)
        )


def signed_ends(effect: dict) -> str:
    """The ends of an effect's interval with their signs, or that there is none."""
    if effect["low"] is None:
        return ends_text(None, None)
    return f"{signed(effect['low'])} to {signed(effect['high'])}"


def open_page(archive: str) -> DeviationsPage:
    """The page of an archive of effects; the first time their small world is generated."""
    with redirect_stderr(StringIO()):  # a page is no place for that note
        return DeviationsPage(Measured(Path(required("archive", archive))))


def show_words(text: str) -> None:
    """Display a paragraph."""
    display(Markdown(text))


def show_overview(page: DeviationsPage) -> None:
    """Display the effects in short."""
    show(
        page.overview(),
        "Effect of each deviation alone: with it minus without, ndcg@50 hot and ndcg@20 cold, 95 % "
        "interval over users and seeds. Generated listeners and surrogate vectors.",
    )


def show_values(page: DeviationsPage) -> None:
    """Display both means of each effect."""
    show(
        page.values(),
        "Means without and with each deviation; generated listeners, surrogate vectors",
        block="deviation",
    )


def show_intervals() -> None:
    """Display the coverage of intervals with two degrees of freedom."""
    show(
        t_intervals.table(),
        "Intervals with two degrees of freedom, by the number of training runs",
        decimals=3,
        source=CLOSED_FORM,
    )


def show_table(page: DeviationsPage) -> None:
    """Display the deviations table."""
    show(
        page.table(),
        "The deviations",
        links={"in words": "address"},
        block="deviation",
        source=FACTS,
    )
