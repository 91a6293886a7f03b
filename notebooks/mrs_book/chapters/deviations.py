"""The chapter of deviations: what published code does otherwise, and what each one does by itself.

Effects come from the runs of `mrs_book.papers.effects` on the generated world. They say what a
deviation does there, not what it did to the published numbers.
"""

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from mrs.recommenders import RECOMMENDERS
from mrs.world.surrogates import HELDOUT_R2
from mrs_book.kit.figures import forest
from mrs_book.kit.parameters import required
from mrs_book.kit.tables import ends_text
from mrs_book.papers import t_intervals
from mrs_book.papers.deviation_table import DeviationRow, deviations
from mrs_book.papers.effects import COMMAND, Measured

SCENARIOS = ("hot", "cold")
NOT_RUN = "not run yet"
NOT_MEASURED = "not measured here"
LABELS = {name: recommender.label for name, recommender in RECOMMENDERS.items()}
RECOMMENDER = pl.col("recommender").replace_strict(LABELS)


def signed(value: float, decimals: int = 4) -> str:
    """A difference as text, with a true minus sign; "+0.0000" has no sign."""
    text = f"{value:+.{decimals}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


class Page:
    """The table's rows beside the effects that an archive of runs has."""

    def __init__(self, measured: Measured) -> None:
        self.measured = measured
        self.rows = deviations()
        self.titles = {row.name: row.title for row in self.rows}
        self.effects = measured.effects()

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
        """One row per deviation and recommender: the effect in both scenarios, as text."""
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
                names = {"deviation": row.title, "recommender": LABELS.get(name, "")}
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
        """One row per effect with both means, for the table in blocks by deviation."""
        return self.effects.select(
            pl.col("deviation").replace_strict(self.titles),
            RECOMMENDER,
            "scenario",
            "chance",
            "corrected",
            pl.col("published").alias("with it"),
            "difference",
            pl.col("low").alias("from"),
            pl.col("high").alias("to"),
            pl.col("seed_sd").alias("sd of seeds"),
        )

    def figure(self) -> Figure | None:
        """The effects with their intervals, a row per deviation, hot and cold."""
        if not len(self.effects):
            return None
        metrics = self.effects.select("scenario", pl.format("{}, difference", "metric"))
        return forest(
            self.effects.select(
                "low",
                "high",
                panel="scenario",
                row=pl.col("deviation").replace_strict(self.titles),
                group=RECOMMENDER,
                value="difference",
            ),
            dict(metrics.iter_rows()),
            references={"": 0},
        )

    # The table

    def table(self) -> pl.DataFrame:
        """The deviations table: a block per deviation, a row per aspect, with addresses."""
        rows = []
        for row in self.rows:
            names = ", ".join(LABELS[name] for name in row.recommenders)
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
            f"{LABELS[one['recommender']]}, {one['scenario']} {one['metric']}: "
            f"{signed(one['difference'])} ({signed_ends(one)})"
            for one in mine.iter_rows(named=True)
        )


def signed_ends(effect: dict) -> str:
    """The ends of an effect's interval with their signs, or that there is none."""
    if effect["low"] is None:
        return ends_text(None, None)
    return f"{signed(effect['low'])} to {signed(effect['high'])}"


def open_page(archive: str) -> Page:
    """The page of an archive of effects; the first time their small world is generated."""
    with redirect_stderr(StringIO()):  # a page is no place for that note
        return Page(Measured(Path(required("archive", archive))))
