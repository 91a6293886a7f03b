"""Does the protocol recover a known order? Surrogates lie on a ladder of what they hear.

Each surrogate is calibrated so that the audible traits of held-out artists can be predicted from it
with the R2 of its rung. A recommender that reads more from better vectors ranks the surrogates by
their rungs; how far it does is Kendall's rank correlation of R2 and the mean of the primary metric.
"""

from collections import defaultdict
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrs.data.surrogates import HELDOUT_R2
from mrs.evaluation.bootstrap import LEAST_USERS, difference, resampled_means
from mrs.report.figures import CHANCE, PLAIN, SHUFFLED, closed, interval_line, legend_below
from mrs.report.parameters import open_results
from mrs.report.style import WIDTH, palette
from mrs.study.results import Cell, Results
from mrs.study.spec import SCENARIOS

LEAST = 3  # surrogates that make an order
TOP = 3  # surrogates on the highest rungs, "the good vectors"
SCENARIO_MARKS = {"hot": ("o", PLAIN), "cold": ("s", SHUFFLED)}


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


def concordance(rungs: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of rungs [n] with each row of means [draws x n]; 0 where all are equal."""
    first, second = np.triu_indices(len(rungs), 1)
    a = np.sign(rungs[second] - rungs[first])
    b = np.sign(means[:, second] - means[:, first])
    pairs = np.sqrt((a != 0).sum() * (b != 0).sum(axis=1))
    return np.divide(b @ a, pairs, out=np.zeros(len(means)), where=pairs > 0)


def rung(cell: Cell) -> float | None:
    """The held-out R2 of a cell's surrogate; None for other vectors."""
    if cell.card is None or cell.card.origin != "surrogate":
        return None
    return cell.card.details.get(HELDOUT_R2)


def has_ladder(results: Results) -> bool:
    """Whether a study has enough surrogates on different rungs to speak of an order."""
    return len({value for cell in results.cells() if (value := rung(cell)) is not None}) >= LEAST


class LadderPage:
    """A study's surrogates, each recommender's order of them, and the good ones' controls."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.climbs = self._climbs()

    def _climbs(self) -> list[Climb]:
        groups: dict[tuple[str, str], list[Cell]] = defaultdict(list)
        for cell in self.results.cells():
            if rung(cell) is not None and cell.scenario in SCENARIOS:
                groups[cell.recommender.label, cell.scenario].append(cell)
        climbs = []
        for (label, scenario), cells in groups.items():
            cells = sorted(cells, key=lambda cell: rung(cell) or 0.0)
            real = [self.results.primary_values(cell.runs) for cell in cells]
            known = [(c, r) for c, r in zip(cells, real, strict=True) if r is not None]
            if len(known) < LEAST:
                continue
            control = [self.results.primary_values(cell.shuffled) for cell, _ in known]
            complete = [values for values in control if values is not None]
            metric = self.results.primary(scenario)
            record = self.results.records(known[0][0].runs[:1])[0]
            climbs.append(
                Climb(
                    recommender=label,
                    scenario=scenario,
                    metric=metric,
                    backends=[cell.card.label for cell, _ in known if cell.card],
                    rungs=np.array([rung(cell) for cell, _ in known]),
                    real=np.stack([values for _, values in known], axis=-1),
                    shuffled=(np.stack(complete, axis=-1) if len(complete) == len(known) else None),
                    chance=record.chance(metric),
                )
            )
        return climbs

    def rungs(self) -> pl.DataFrame:
        """The ladder: each surrogate, its R2, its width, from the lowest."""
        cards = {
            cell.card.label: cell.card
            for cell in self.results.cells()
            if cell.card and rung(cell) is not None
        }
        rows = [
            {
                "backend": label,
                "held-out R² of the traits": card.details[HELDOUT_R2],
                "width": card.embedding_size,
            }
            for label, card in cards.items()
        ]
        return pl.DataFrame(rows).sort("held-out R² of the traits")

    def recovery(self) -> pl.DataFrame:
        """A row a recommender and scenario: tau, its interval, the tau of shuffled vectors.

        The interval is the 95 % bootstrap one over users and seeds, drawn alike for all surrogates
        (null with fewer than `LEAST_USERS` users); `whole order` is the share of draws that
        recover every pair.
        """
        rows = []
        for climb in self.climbs:
            taus = concordance(climb.rungs, resampled_means(climb.real))
            low, high = np.quantile(taus, [0.025, 0.975]).tolist()
            if climb.real.shape[1] < LEAST_USERS:
                low = high = None
            shuffled = None
            if climb.shuffled is not None:
                means = climb.shuffled.mean(axis=(0, 1))[None]
                shuffled = float(concordance(climb.rungs, means)[0])
            mean = climb.real.mean(axis=(0, 1))[None]
            rows.append(
                {
                    "recommender": climb.recommender,
                    "scenario": climb.scenario,
                    "tau": float(concordance(climb.rungs, mean)[0]),
                    "low": low,
                    "high": high,
                    "whole order": float((taus > 1 - 1e-9).mean()),
                    "tau, shuffled": shuffled,
                }
            )
        return pl.DataFrame(
            rows, schema_overrides=dict.fromkeys(("low", "high", "tau, shuffled"), pl.Float64)
        )

    def recovery_figure(self, recovery: pl.DataFrame) -> Figure:
        """Tau with its interval, a row a recommender, hot and cold."""
        names = recovery["recommender"].unique(maintain_order=True).to_list()[::-1]
        figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(names) + 1.2))
        for row in recovery.iter_rows(named=True):
            mark, colour = SCENARIO_MARKS[row["scenario"]]
            place = names.index(row["recommender"]) + (0.15 if row["scenario"] == "hot" else -0.15)
            interval_line(axis, place, row["low"], row["high"], color=colour, linewidth=2)
            axis.plot(row["tau"], place, mark, color=colour, label=row["scenario"])
        axis.axvline(0, color=CHANCE, linestyle=":", label="no order")
        axis.axvline(1, color=CHANCE, linestyle="--", label="the known order")
        axis.set_yticks(range(len(names)), names)
        axis.set_xlabel("Kendall's tau of the ladder and the results")
        legend_below(figure, axis, 4)
        return closed(figure)

    def ladder_figure(self) -> Figure:
        """The primary metric against R2, a line a recommender, a panel a scenario."""
        scenarios = list(dict.fromkeys(climb.scenario for climb in self.climbs))
        colours = palette([climb.recommender for climb in self.climbs])
        figure, axes = plt.subplots(
            len(scenarios), 1, figsize=(WIDTH, 3.2 * len(scenarios) + 0.8), squeeze=False
        )
        for axis, scenario in zip(axes[:, 0], scenarios, strict=True):
            mine = [climb for climb in self.climbs if climb.scenario == scenario]
            for climb in mine:
                means = climb.real.mean(axis=(0, 1))
                style = {"color": colours[climb.recommender], "marker": "o", "markersize": 4}
                axis.plot(climb.rungs, means, **style, label=climb.recommender)
            axis.axhline(mine[0].chance, color=CHANCE, linestyle=":", label="chance")
            axis.set_ylabel(f"{mine[0].metric}, {scenario}")
            axis.set_ylim(bottom=0)
        axes[-1, 0].set_xlabel("held-out R² of the audible traits")
        legend_below(figure, axes[0, 0])
        return closed(figure)

    def good(self) -> pl.DataFrame:
        """Surrogates of the highest rungs in order, shuffled, and chance.

        A row a recommender and scenario that has controls; means over the `TOP` surrogates, the
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
                {
                    "recommender": climb.recommender,
                    "scenario": climb.scenario,
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

    def good_backends(self) -> str:
        """The names of the surrogates on the highest rungs."""
        return ", ".join(self.climbs[0].backends[-TOP:][::-1])

    def good_figure(self, good: pl.DataFrame) -> Figure:
        """Surrogates in order and shuffled, a row per recommender, a panel per scenario."""
        names = good["recommender"].unique(maintain_order=True).to_list()[::-1]
        scenarios = good["scenario"].unique(maintain_order=True).to_list()
        figure, axes = plt.subplots(
            1, len(scenarios), figsize=(WIDTH, 0.3 * len(names) + 1.6), sharey=True, squeeze=False
        )
        for axis, scenario in zip(axes[0], scenarios, strict=True):
            rows = good.filter(pl.col("scenario") == scenario)
            for row in rows.iter_rows(named=True):
                _gap(axis, names.index(row["recommender"]), row)
            axis.axvline(rows["chance"][0], color=CHANCE, linestyle=":", label="chance")
            axis.set_title(scenario)
            axis.set_xlabel(self.results.primary(scenario))
            axis.set_xlim(left=0)
        axes[0, 0].set_yticks(range(len(names)), names)
        legend_below(figure, axes[0, 0], 3)
        return closed(figure)


def _gap(axis: Axes, place: int, row: dict) -> None:
    axis.hlines(place, row["shuffled"], row["in order"], color="#bbbbbb", linewidth=1.5)
    axis.plot(
        row["in order"],
        place,
        "o",
        color=PLAIN,
        markerfacecolor="white",
        label="surrogates in order",
    )
    axis.plot(row["shuffled"], place, "x", color=SHUFFLED, label="surrogates shuffled")


def open_page(study: str, store: str) -> LadderPage:
    """The page of a study file's records in a store."""
    return LadderPage(open_results(study, store))
