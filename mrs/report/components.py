"""What reading vectors whole changes against reading principal components of them."""

from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.report.contrasts import against_variant
from mrs.report.figures import CHANCE, closed, legend_below
from mrs.report.parameters import open_results
from mrs.report.style import WIDTH, line_mark, palette
from mrs.study.results import Cell, Results
from mrs.study.study import Study, Variant

SETTING = "n_components"


@dataclass(frozen=True)
class Pair:
    """A recommender that a study has twice, alike but for one setting: `one` has a given value."""

    one: Variant
    other: Variant

    def cells(self, results: Results) -> list[tuple[Cell, Cell]]:
        """The cells of both by backend and scenario, in the order of the study."""
        cells = results.cells()
        other = {(c.backend, c.scenario): c for c in cells if c.recommender == self.other}
        mine = [c for c in cells if c.recommender == self.one]
        return [(cell, other[cell.backend, cell.scenario]) for cell in mine]


def pairs(study: Study, setting: str = SETTING, value: Any = None) -> list[Pair]:
    """The pairs of variants that differ in a setting alone, one of them with that value."""
    found = []
    for one in study.recommenders:
        settings = one.model.settings()
        if setting not in settings or settings[setting] != value:
            continue
        for other in study.recommenders:
            theirs = other.model.settings()
            rest = settings | {setting: theirs.get(setting)}
            alike = (other.name, other.protocol) == (one.name, one.protocol)
            if alike and other != one and theirs == rest:
                found.append(Pair(one, other))
    return found


class ComponentsPage:
    """The pairs of a study with their differences, backend by backend."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.pairs = pairs(results.study)

    def _seconds(self, cell: Cell) -> float | None:
        infos = [record.info["seconds"]["fit"] for record in self.results.records(cell.runs)]
        return float(np.median(infos)) if infos else None

    def differences(self) -> pl.DataFrame:
        """A row per recommender, scenario and backend: whole, components, and their difference.

        The interval is the 95 % one over users and seeds, paired. `slug` is that of the
        cell with whole vectors.
        """
        frames = []
        for pair in self.pairs:
            cells = pair.cells(self.results)
            frame = against_variant(self.results, cells)
            more = pl.DataFrame(
                {
                    "slug": [cell.slug for cell, _ in cells],
                    "width": [cell.card.embedding_size if cell.card else 0 for cell, _ in cells],
                    "fit whole, s": [self._seconds(cell) for cell, _ in cells],
                    "fit, s": [self._seconds(other) for _, other in cells],
                },
                schema_overrides={
                    "fit whole, s": pl.Float64,
                    "fit, s": pl.Float64,
                },
            )
            frame = frame.join(more, on="slug", how="left", maintain_order="left")
            frames.append(frame.with_columns(recommender=pl.lit(pair.other.label)))
        return pl.concat(frames) if frames else pl.DataFrame()

    def tables(self, frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
        """A caption and a table for each recommender and scenario, the narrowest vectors first."""
        tables = []
        for (name, scenario), rows in frame.group_by(
            "recommender", "scenario", maintain_order=True
        ):
            table = rows.sort("width").select(
                "backend",
                "width",
                pl.col("second").alias("components"),
                pl.col("first").alias("whole"),
                pl.col("difference"),
                pl.col("low").alias("from"),
                pl.col("high").alias("to"),
                "fit, s",
                "fit whole, s",
                page=pl.format("runs/{}.html", "slug"),
            )
            tables.append((f"{name}, {scenario}, {rows['metric'][0]}", table))
        return tables

    def summary(self, frame: pl.DataFrame) -> str:
        """In how many cells whole vectors are clearly better or worse, a line a recommender."""
        lines = []
        for (name, scenario), rows in frame.group_by(
            "recommender", "scenario", maintain_order=True
        ):
            better = rows.filter(pl.col("low") > 0).height
            worse = rows.filter(pl.col("high") < 0).height
            ratio = float(np.median(rows["fit whole, s"] / rows["fit, s"]))
            lines.append(
                f"- {name}, {scenario}: whole vectors better on {better}, worse on {worse}, "
                f"neither on {len(rows) - better - worse} of {len(rows)} backends by the intervals;"
                f" a fit takes {ratio:.1f} times as long (median)."
            )
        return "\n".join(lines)

    def figure(self, frame: pl.DataFrame) -> Figure:
        """The difference against the vectors' width, a panel a scenario, a colour a recommender."""
        scenarios = frame["scenario"].unique(maintain_order=True).to_list()
        names = frame["recommender"].unique(maintain_order=True).to_list()
        colours = palette(names)
        figure, axes = plt.subplots(
            len(scenarios), 1, figsize=(WIDTH, 2.8 * len(scenarios) + 0.6), squeeze=False
        )
        for axis, scenario in zip(axes[:, 0], scenarios, strict=True):
            here = frame.filter(pl.col("scenario") == scenario)
            for place, name in enumerate(names):
                rows = here.filter(pl.col("recommender") == name)
                # Beside each other rather than on top: several backends have the same width.
                x = rows["width"].to_numpy() * 1.03 ** (place - (len(names) - 1) / 2)
                axis.vlines(x, rows["low"], rows["high"], color=colours[name], linewidth=1.2)
                mark = line_mark(rows["backend"][0]) | {"linestyle": "", "markersize": 4}
                axis.plot(x, rows["difference"], **mark, color=colours[name], label=name)
            axis.axhline(0, color=CHANCE, linestyle=":")
            axis.set_xscale("log")
            axis.set_ylabel(f"{here['metric'][0]}, {scenario},\nwhole − components")
        axes[-1, 0].set_xlabel("width of the vectors")
        legend_below(figure, axes[0, 0])
        return closed(figure)


def open_page(study: str, store: str) -> ComponentsPage:
    """The page of a study file's records in a store."""
    return ComponentsPage(open_results(study, store))
