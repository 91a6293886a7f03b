"""What the width of vectors, and an offset that all of them share, do alone; from an archive.

The vectors are variations of one view of a generated world's traits: see `mrs.world.variations`.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import interval
from mrs.study.spec import PRIMARY
from mrs.world.variations import VARIATIONS, WIDTH, expected_cosine
from mrs_book.kit.archived import ArchivePage
from mrs_book.kit.figures import lines
from mrs_book.kit.parameters import required

LABELS = {
    "width": "width of the vectors",
    "offset": f"offset in spreads (mean cosine), {WIDTH} dimensions",
}


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


class Page(ArchivePage):
    """Runs on vectors that differ in "width" or "offset" alone, a kind each.

    They are those of studies/variations.yaml, which lies beside the study file.
    """

    COMMAND = "python studies/make_worlds.py"

    def __init__(self, study: str) -> None:
        super().__init__(Path(required("study", study)).with_name("variations.yaml"))

    @cached_property
    def _series(self) -> dict[str, list[Series]]:
        found: dict[str, list[Series]] = {"width": [], "offset": []}
        runs = self.runs.filter(pl.col("backend").is_in(list(VARIATIONS)))
        varied = [VARIATIONS[name] for name in runs["backend"]]
        runs = runs.with_columns(
            kind=pl.col("backend").str.split("-").list.first(),
            width=pl.Series([float(one.width) for one in varied], dtype=pl.Float64),
            offset=pl.Series([one.offset for one in varied], dtype=pl.Float64),
        )
        by = ["kind", "variant", "scenario"]
        for (kind, variant, scenario), mine in runs.group_by(by, maintain_order=True):
            assert self.archive is not None  # it has runs
            name, metric = str(kind), PRIMARY[str(scenario)]
            places = [
                world.sort(name)["place"].to_list()
                for _, world in mine.group_by("dataset", maintain_order=True)
            ]
            levels = [self.archive.record(some[0]).users[f"chance:{metric}"] for some in places]
            found[name].append(
                Series(
                    recommender=str(variant),
                    scenario=str(scenario),
                    settings=tuple(sorted(set(mine[name]))),
                    values=tuple(self.archive.values(some, metric).T for some in places),
                    chance=float(np.concatenate([level.to_numpy() for level in levels]).mean()),
                )
            )
        return found

    def changes(self, kind: str) -> pl.DataFrame:
        """One row per recommender and scenario: the first setting, the last, and their difference.

        Their columns are named by the settings. The interval is the 95 % one over the users of all
        worlds, paired.
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
                    f"{kind} {one.settings[0]:g}": first,
                    f"{kind} {one.settings[-1]:g}": last,
                    "change": change,
                    "low": low,
                    "high": high,
                    "chance": one.chance,
                    "worlds": len(one.values),
                }
            )
        frame = pl.DataFrame(rows)
        return frame.sort(pl.col("scenario") != "hot", maintain_order=True) if rows else frame

    def figure(self, kind: str) -> Figure | None:
        """The primary metric over widths or offsets."""
        series = self._series[kind]
        if not series:
            return None
        frames = [
            pl.DataFrame({"x": one.settings, "y": one.users.mean(axis=0)}).with_columns(
                panel=pl.lit(one.scenario), group=pl.lit(one.recommender)
            )
            for one in series
        ]
        figure = lines(
            pl.concat(frames),
            LABELS[kind],
            {one.scenario: PRIMARY[one.scenario] for one in series},
            references={"chance": {one.scenario: one.chance for one in series}},
            scales=("log" if kind == "width" else "linear", "linear"),
            zero=True,
        )
        if kind == "offset":
            ticks = series[0].settings
            names = [f"{offset:g}\n({expected_cosine(offset):.2f})" for offset in ticks]
            for axis in figure.axes:
                axis.set_xticks(ticks, names)
        return figure
