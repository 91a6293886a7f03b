"""Does the protocol recover a known order? Surrogates lie on a ladder of held-out R2.

Each surrogate is calibrated so that the audible traits of held-out artists can be predicted from it
with the R2 of its rung. A recommender that makes use of better vectors ranks the surrogates by
their rungs; how far it does is Kendall's rank correlation of R2 and the mean of the primary metric.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from IPython.display import Markdown
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import LEAST_USERS, difference, resampled_means
from mrs.evaluation.correlation import tau_b
from mrs.study.results import Cell
from mrs.study.spec import SCENARIOS
from mrs.world.surrogates import HELDOUT_R2
from mrs_book.kit.figures import forest, lines
from mrs_book.kit.parameters import open_results
from mrs_book.kit.questions import LEAST_RUNGS, WORLDS, companion_files, rung

TOP = 3  # surrogates on the highest rungs, "the good vectors"
TAU_LINES = {"no order": 0.0, "the known order": 1.0}
OTHER_WORLDS = (
    "This is one world. Whether other worlds agree, and with how many test users: "
    "[Can this protocol tell better vectors from worse?](validity.ipynb)"
)


@dataclass(frozen=True)
class Climb:
    """One recommender's surrogate cells in one scenario, by rising rung.

    `real` [S x U x n] and `shuffled` [T x U x n] (None without controls) are the primary metric.
    """

    recommender: str
    scenario: str
    metric: str
    backends: list[str]
    rungs: np.ndarray
    real: np.ndarray
    shuffled: np.ndarray | None
    chance: float

    @property
    def names(self) -> dict[str, str]:
        """The columns that identify the climb in a table."""
        return {"recommender": self.recommender, "scenario": self.scenario}


class Page:
    """A study's surrogates, each recommender's order of them, and the good ones' controls."""

    def __init__(self, study: str, store: str) -> None:
        self.study = study
        self.results = open_results(study, store)

    @cached_property
    def climbs(self) -> list[Climb]:
        groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
        for cell in self.results.cells():
            if rung(cell) is not None and cell.scenario in SCENARIOS:
                groups[cell.recommender.label, cell.scenario].append(cell)
        climbs = []
        for (label, scenario), cells in groups.items():
            cells = sorted(cells, key=lambda cell: rung(cell) or 0.0)
            real = [self.results.primary_values(cell.runs) for cell in cells]
            known = [(c, r) for c, r in zip(cells, real, strict=True) if r is not None]
            if len(known) < LEAST_RUNGS:
                continue
            control = [self.results.primary_values(cell.shuffled) for cell, _ in known]
            complete = [values for values in control if values is not None]
            metric = self.results.primary(scenario)
            climbs.append(
                Climb(
                    recommender=label,
                    scenario=scenario,
                    metric=metric,
                    backends=[cell.card.label for cell, _ in known if cell.card],
                    rungs=np.array([rung(cell) for cell, _ in known]),
                    real=np.stack([values for _, values in known], axis=-1),
                    shuffled=np.stack(complete, axis=-1) if len(complete) == len(known) else None,
                    chance=self.results.records(known[0][0].runs[:1])[0].chance(metric),
                )
            )
        return climbs

    def rungs(self) -> pl.DataFrame:
        """One row per surrogate, the lowest rung first: R2 and width."""
        cards = [c.card for c in self.results.cells() if c.card and rung(c) is not None]
        rows = [
            {
                "backend": card.label,
                "held-out R² of the traits": card.details[HELDOUT_R2],
                "width": card.embedding_size,
            }
            for card in {card.label: card for card in cards}.values()
        ]
        return pl.DataFrame(rows).sort("held-out R² of the traits")

    def other_worlds(self) -> Markdown | None:
        """Where other worlds are compared, for the study that has them."""
        return Markdown(OTHER_WORLDS) if companion_files(self.study, WORLDS) else None

    @cached_property
    def recovery(self) -> pl.DataFrame:
        """One row per recommender and scenario: tau, its interval, the tau of shuffled vectors.

        The interval is the 95 % bootstrap one over users and seeds, drawn alike for all surrogates
        (null with fewer than `LEAST_USERS` users); `whole order` is the share of draws that
        recover every pair.
        """
        rows = []
        for climb in self.climbs:
            taus = tau_b(climb.rungs, resampled_means(climb.real))
            low, high = np.quantile(taus, [0.025, 0.975]).tolist()
            if climb.real.shape[1] < LEAST_USERS:
                low = high = None
            means = [x for x in (climb.real, climb.shuffled) if x is not None]
            tau, *control = (
                float(tau_b(climb.rungs, values.mean(axis=(0, 1))[None])[0]) for values in means
            )
            rows.append(
                climb.names
                | {
                    "tau": tau,
                    "low": low,
                    "high": high,
                    "whole order": float((taus > 1 - 1e-9).mean()),
                    "tau, shuffled": control[0] if control else None,
                }
            )
        return pl.DataFrame(
            rows, schema_overrides=dict.fromkeys(("low", "high", "tau, shuffled"), pl.Float64)
        )

    def recovery_figure(self) -> Figure | None:
        if not len(self.recovery):
            return None
        frame = self.recovery.select(
            "low", "high", row="recommender", group="scenario", lane="scenario", value="tau"
        )
        return forest(frame, "Kendall's tau of the ladder and the results", references=TAU_LINES)

    def ladder_figure(self) -> Figure | None:
        """The primary metric against R2."""
        if not self.climbs:
            return None
        frames = [
            pl.DataFrame({"x": climb.rungs, "y": climb.real.mean(axis=(0, 1))}).with_columns(
                panel=pl.lit(climb.scenario),
                group=pl.lit(climb.recommender),
                hollow=pl.lit(value=False),
            )
            for climb in self.climbs
        ]
        return lines(
            pl.concat(frames),
            "held-out R² of the audible traits",
            {climb.scenario: climb.metric for climb in self.climbs},
            references={"chance": {climb.scenario: climb.chance for climb in self.climbs}},
            zero=True,
        )

    @cached_property
    def good(self) -> pl.DataFrame:
        """Surrogates of the highest rungs: in order, shuffled, and chance.

        One row per recommender and scenario that has controls; means over the `TOP` surrogates, the
        difference with its 95 % interval over users and seeds, paired.
        """
        rows = []
        for climb in self.climbs:
            if climb.shuffled is None:
                continue
            sides = [
                values[:, :, -TOP:].mean(axis=2, keepdims=True)
                for values in (climb.real, climb.shuffled)
            ]
            ((gain, low, high),) = difference(*sides).rows()
            rows.append(
                climb.names
                | {
                    "in order": float(sides[0].mean()),
                    "shuffled": float(sides[1].mean()),
                    "chance": climb.chance,
                    "gain": gain,
                    "from": low,
                    "to": high,
                }
            )
        return pl.DataFrame(rows)

    def metrics(self) -> str:
        """Which metric the tables show."""
        shown = {climb.scenario: climb.metric for climb in self.climbs}
        return ", ".join(f"{metric} {scenario}" for scenario, metric in shown.items())

    def good_caption(self) -> str:
        names = ", ".join(self.climbs[0].backends[-TOP:][::-1]) if self.climbs else ""
        return f"On {names}: {self.metrics()}; 95 % interval over users and seeds"

    def good_figure(self) -> Figure | None:
        """Surrogates in order and shuffled, with chance."""
        if not len(self.good):
            return None
        sides = [
            self.good.select(
                panel="scenario",
                row="recommender",
                lane=pl.lit(""),
                group=pl.lit(group),
                value=column,
                hollow=pl.lit(value=column == "in order"),
            )
            for column, group in (("in order", "real"), ("shuffled", "shuffled"))
        ]
        chance = self.good.group_by("scenario").agg(pl.col("chance").first())
        return forest(
            pl.concat(sides),
            {scenario: self.results.primary(scenario) for scenario in chance["scenario"]},
            references={"chance": dict(chance.iter_rows())},
            joined=True,
            zero=True,
        )
