"""What the width of vectors and an offset that all of them share do alone, read from an archive.

The vectors are variations of one view of a generated world's traits: see `mrs.data.variations`.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.data.variations import VARIATIONS, WIDTH, expected_cosine
from mrs.evaluation.bootstrap import interval
from mrs.report.figures import CHANCE, closed, legend_below
from mrs.report.style import WIDTH as INCHES
from mrs.report.style import palette
from mrs.report.tables import ends_text
from mrs.report.validity import labelled
from mrs.study.archive import Archive
from mrs.study.spec import PRIMARY


@dataclass(frozen=True)
class Series:
    """One recommender's results over the widths or offsets, in one scenario.

    `settings` [n] ascending; `values` [worlds][U x n] of the primary metric, `chance` its mean over
    users of all worlds.
    """

    recommender: str
    scenario: str
    settings: tuple[float, ...]
    values: tuple[np.ndarray, ...]
    chance: float

    @property
    def users(self) -> np.ndarray:
        """The users of all worlds [U x n]."""
        return np.concatenate(self.values)


class VariationsPage:
    """An archive's runs on vectors that differ in one thing alone, "width" or "offset"."""

    def __init__(self, study: str | Path, archive: Archive) -> None:
        self.archive = archive
        runs = labelled(study, archive).filter(pl.col("backend").is_in(list(VARIATIONS)))
        asked = [VARIATIONS[name] for name in runs["backend"]]
        self.runs = runs.with_columns(
            kind=pl.col("backend").str.split("-").list.first(),
            width=pl.Series([float(one.width) for one in asked]),
            offset=pl.Series([one.offset for one in asked]),
        )

    @cached_property
    def _series(self) -> dict[str, list[Series]]:
        found: dict[str, list[Series]] = {"width": [], "offset": []}
        by = ["kind", "variant", "scenario"]
        for (kind, variant, scenario), runs in self.runs.group_by(by, maintain_order=True):
            name, metric = str(kind), PRIMARY[str(scenario)]
            settings = tuple(sorted(set(runs[name])))
            places = [
                world.sort(name)["place"].to_list()
                for _, world in runs.group_by("dataset", maintain_order=True)
            ]
            levels = [self.archive.record(mine[0]).users[f"chance:{metric}"] for mine in places]
            found[name].append(
                Series(
                    recommender=str(variant),
                    scenario=str(scenario),
                    settings=settings,
                    values=tuple(self.archive.values(mine, metric).T for mine in places),
                    chance=float(np.concatenate([level.to_numpy() for level in levels]).mean()),
                )
            )
        return found

    def changes(self, kind: str) -> pl.DataFrame:
        """A row a recommender and scenario: the first setting, the last, and their difference.

        The interval is the 95 % one over the users of all worlds, paired.
        """
        rows = []
        for one in self._series[kind]:
            change = (one.users[:, -1] - one.users[:, 0])[None, :, None]
            ((change, low, high),) = interval(change).rows()
            first, last = one.users[:, [0, -1]].mean(axis=0).tolist()
            rows.append(
                {
                    "recommender": one.recommender,
                    "scenario": one.scenario,
                    "settings": list(one.settings),
                    "first": first,
                    "last": last,
                    "change": change,
                    "low": low,
                    "high": high,
                    "chance": one.chance,
                    "worlds": len(one.values),
                }
            )
        return pl.DataFrame(rows).sort(pl.col("scenario") != "hot", maintain_order=True)

    def table(self, kind: str) -> pl.DataFrame:
        """`changes` as the page shows it: columns named by the settings."""
        frame = self.changes(kind)
        settings = frame["settings"][0]
        return frame.drop("settings", "worlds").rename(
            {"first": f"{kind} {settings[0]:g}", "last": f"{kind} {settings[-1]:g}"}
        )

    def width_text(self) -> str:
        """What the width alone changes, in words."""
        frame = self.changes("width")
        settings = frame["settings"][0]
        n_clear = len(frame.filter((pl.col("low") > 0) | (pl.col("high") < 0)))
        row = frame.sort(pl.col("change").abs()).row(-1, named=True)
        raw = frame.filter(pl.col("recommender").str.starts_with("KNN"))
        text = (
            f"From {settings[0]:,.0f} to {settings[-1]:,.0f} dimensions and the same dot products, "
            f"over {row['worlds']} world(s), the change is clear (its interval leaves out zero) in "
            f"{n_clear} of {len(frame)} pairs of recommender and scenario; the largest is "
            f"{row['change']:+.4f}, of {row['recommender']} in {row['scenario']}."
        )
        if len(raw):
            most = float(raw["change"].abs().max())  # type: ignore[arg-type]
            text += f" With KNN, which reads dot products alone, it is at most {most:.4f}."
        return text

    def offset_text(self) -> str:
        """What an offset alone changes, in words."""
        frame = self.changes("offset")
        largest = frame["settings"][0][-1]
        sentences = [
            f"An offset of {largest:g} times the spread makes the mean cosine of two tracks about "
            f"{expected_cosine(largest):.2f}."
        ]
        for row in frame.filter(pl.col("recommender").str.starts_with("KNN")).iter_rows(named=True):
            sentences.append(
                f"{row['recommender']} in {row['scenario']} goes from {row['first']:.3f} to "
                f"{row['last']:.3f}, where chance is {row['chance']:.3f}."
            )
        trained = frame.filter(~pl.col("recommender").str.starts_with("KNN"))
        if len(trained):
            row = trained.sort(pl.col("change").abs()).row(-1, named=True)
            sentences.append(
                f"The largest change of a trained recommender is {row['change']:+.4f} "
                f"({ends_text(row['low'], row['high'], '+.4f')}), of {row['recommender']} in "
                f"{row['scenario']}."
            )
        return " ".join(sentences)

    def figure(self, kind: str) -> Figure:
        """The primary metric over widths or offsets, a panel a scenario, a line a recommender."""
        series = self._series[kind]
        scenarios = list(dict.fromkeys(one.scenario for one in series))
        colours = palette([one.recommender for one in series])
        figure, axes = plt.subplots(
            len(scenarios), 1, figsize=(INCHES, 2.6 * len(scenarios) + 1.2), squeeze=False
        )
        for axis, scenario in zip(axes[:, 0], scenarios, strict=True):
            mine = [one for one in series if one.scenario == scenario]
            for one in mine:
                style = {"color": colours[one.recommender], "marker": "o", "markersize": 4}
                axis.plot(one.settings, one.users.mean(axis=0), **style, label=one.recommender)
            axis.axhline(mine[0].chance, color=CHANCE, linestyle=":", label="chance")
            axis.set_ylim(bottom=0)
            axis.set_ylabel(f"{PRIMARY[scenario]}, {scenario}")
            settings = mine[0].settings
            if kind == "width":
                axis.set_xscale("log")
                axis.set_xticks(settings, [f"{width:g}" for width in settings])
                axis.minorticks_off()
            else:
                labels = [f"{offset:g}\n({expected_cosine(offset):.2f})" for offset in settings]
                axis.set_xticks(settings, labels)
        axes[-1, 0].set_xlabel(
            "width of the vectors"
            if kind == "width"
            else f"offset in spreads (mean cosine), {WIDTH} dimensions"
        )
        legend_below(figure, axes[0, 0])
        return closed(figure)
