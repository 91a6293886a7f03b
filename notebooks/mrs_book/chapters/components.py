"""What reading vectors whole changes against reading principal components of them."""

from functools import cached_property

import numpy as np
import polars as pl
from IPython.display import Markdown
from matplotlib.figure import Figure

from mrs.study.results import Cell
from mrs_book.kit.contrasts import against_variant
from mrs_book.kit.figures import scatter
from mrs_book.kit.parameters import open_results
from mrs_book.kit.questions import variant_pairs

SETTING = "n_components"
FAMILY = ("recommender", "scenario")


class Page:
    """The recommenders that a study has with whole vectors and with components."""

    def __init__(self, study: str, store: str) -> None:
        self.results = open_results(study, store)
        self.pairs = variant_pairs(self.results.study, SETTING)

    def _seconds(self, cell: Cell) -> float | None:
        infos = [record.info["seconds"]["fit"] for record in self.results.records(cell.runs)]
        return float(np.median(infos)) if infos else None

    @cached_property
    def differences(self) -> pl.DataFrame:
        """One row per recommender, scenario and backend: whole, components, and their difference.

        The interval is the 95 % one over users and seeds, paired. `slug` is that of the
        cell with whole vectors.
        """
        frames = []
        for pair in self.pairs:
            cells = pair.cells(self.results)
            more = pl.DataFrame(
                {
                    "slug": [cell.slug for cell, _ in cells],
                    "width": [cell.card.embedding_size if cell.card else 0 for cell, _ in cells],
                    "fit whole, s": [self._seconds(cell) for cell, _ in cells],
                    "fit, s": [self._seconds(other) for _, other in cells],
                },
                schema_overrides={"fit whole, s": pl.Float64, "fit, s": pl.Float64},
            )
            frame = against_variant(self.results, cells)
            frame = frame.join(more, on="slug", how="left", maintain_order="left")
            frames.append(frame.with_columns(recommender=pl.lit(pair.other.label)))
        return pl.concat(frames) if frames else pl.DataFrame()

    def opening(self) -> Markdown | None:
        return None if len(self.differences) else Markdown("The store has none of these runs.")

    def counts(self) -> pl.DataFrame:
        """One row per recommender and scenario: backends on which whole vectors are clearly better.

        `fit` is the median ratio of the seconds of a fit, whole to components.
        """
        if not len(self.differences):
            return self.differences
        better, worse = pl.col("low") > 0, pl.col("high") < 0
        return self.differences.group_by(FAMILY, maintain_order=True).agg(
            pl.len().alias("backends"),
            better.sum().alias("better"),
            worse.sum().alias("worse"),
            (pl.len() - better.sum() - worse.sum()).alias("neither"),
            (pl.col("fit whole, s") / pl.col("fit, s")).median().alias("fit, times as long"),
        )

    def tables(self) -> list[tuple[str, pl.DataFrame]]:
        """A caption and a table for each recommender and scenario, the narrowest vectors first."""
        if not len(self.differences):
            return []
        families = self.differences.group_by(FAMILY, maintain_order=True)
        return [
            (
                f"{name}, {scenario}, {rows['metric'][0]}",
                rows.sort("width").select(
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
                ),
            )
            for (name, scenario), rows in families
        ]

    def figure(self) -> Figure | None:
        """The difference by the vectors' width."""
        if not len(self.differences):
            return None
        # Points of different recommenders are moved apart, as several backends have one width.
        place = pl.col("recommender").rank("dense") - pl.col("recommender").n_unique() / 2
        frame = self.differences.select(
            panel="scenario",
            group="recommender",
            x=pl.col("width") * pl.lit(1.03).pow(place),
            y="difference",
            y_low="low",
            y_high="high",
            hollow=pl.col("backend").str.starts_with("sim:"),
        )
        names = self.differences.select("scenario", pl.format("{},\nwhole − components", "metric"))
        return scatter(
            frame,
            "width of the vectors",
            dict(names.iter_rows()),
            references={"": 0.0},
            scales=("log", "linear"),
            height=2.8,
        )
