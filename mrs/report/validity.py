"""Can the protocol tell better vectors from worse? Several generated worlds, read from an archive.

The worlds' surrogates lie on a ladder of what they hear (see `mrs.report.ladder`). Each world is a
replicate: how far a recommender's order of the surrogates is the ladder's, and how many test users
that takes, is averaged over worlds.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import t_interval
from mrs.evaluation.power import share_above_zero, subsample_means
from mrs.evaluation.significance import POWER, components
from mrs.report.figures import CHANCE, closed, interval_line, legend_below
from mrs.report.ladder import SCENARIO_MARKS, concordance
from mrs.report.prose import note
from mrs.report.style import WIDTH, palette
from mrs.study.archive import Archive, open_archive
from mrs.study.spec import PRIMARY
from mrs.study.study import load_study
from mrs.study.worlds import COMMAND, DEFAULT

SIZES = (25, 50, 100, 200, 400, 800)  # test users, up to those of the smallest world
NEEDED = f"users for {POWER:.0%}"
TOLD = "halves told apart"
RECOVERY = {
    "recommender": pl.String,
    "scenario": pl.String,
    "worlds": pl.Int64,
    "mean tau": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "least": pl.Float64,
    "greatest": pl.Float64,
    "default world": pl.Float64,
    NEEDED: pl.Int64,
}


@dataclass(frozen=True)
class Ladder:
    """One recommender's surrogates in one scenario of one world, by rising rung.

    `rungs` [S] and per-user values of the primary metric [U x S].
    """

    recommender: str
    scenario: str
    world: str
    rungs: np.ndarray
    values: np.ndarray

    @property
    def tau(self) -> float:
        """Kendall's rank correlation of the rungs and the means over users."""
        return float(concordance(self.rungs, self.values.mean(axis=0)[None])[0])

    @property
    def halves(self) -> np.ndarray:
        """The upper half's mean minus the lower half's, a middle rung left out: [U]."""
        half = self.values.shape[1] // 2
        return self.values[:, -half:].mean(axis=1) - self.values[:, :half].mean(axis=1)


def find_archive(study: str | Path) -> Archive | None:
    """The archive that a study file names, None where it is not there."""
    return open_archive(load_study(study).archive)


def missing_text(study: str | Path) -> str:
    """What stands in place of an archive's tables and figures."""
    loaded = load_study(study)
    return (
        f"**Not computed here.** `{COMMAND}` makes `{loaded.archive}`, which is not there. "
        f"{note(loaded.note)}"
    )


def origin_text(study: str | Path, archive: Archive) -> str:
    """When, where and how an archive was made, and which of the study's recommenders it lacks."""
    about = archive.about
    there = set(labelled(study, archive)["variant"])
    absent = [v.label for v in load_study(study).recommenders if v.label not in there]
    lacking = f" Not in it: {', '.join(absent)}; `{COMMAND}` runs what is missing."
    return (
        f"{about['n_runs']:,} runs of {about['created']}, made by `{about['command']}` in "
        f"{about['seconds'] / 60:.0f} minutes of fitting and ranking on "
        f"{' and '.join(about['machine'])}.{lacking if absent else ''}"
    )


def labelled(study: str | Path, archive: Archive) -> pl.DataFrame:
    """The archive's runs of the study's variants, in their order, with labels in `variant`."""
    settings = [json.loads(text) for text in archive.runs["settings"]]
    frames = []
    for variant in load_study(study).recommenders:
        full = variant.model.settings()
        same = pl.Series([theirs == full for theirs in settings], dtype=pl.Boolean)
        mine = archive.runs.filter((pl.col("recommender") == variant.name) & same)
        frames.append(mine.with_columns(variant=pl.lit(variant.label)))
    return pl.concat(frames)


class ValidityPage:
    """An archive's worlds: each recommender's orders of the surrogates, and what they take."""

    def __init__(self, study: str | Path, archive: Archive) -> None:
        self.archive = archive
        self.runs = labelled(study, archive)

    @cached_property
    def _ladders(self) -> list[Ladder]:
        found = []
        by = ["variant", "scenario", "dataset"]
        for (variant, scenario, world), runs in self.runs.group_by(by, maintain_order=True):
            rows = runs.sort("rung")
            values = self.archive.values(rows["place"].to_list(), PRIMARY[str(scenario)])
            rungs = rows["rung"].to_numpy()
            found.append(Ladder(str(variant), str(scenario), str(world), rungs, values.T))
        return found

    def groups(self) -> dict[tuple[str, str], list[Ladder]]:
        """The worlds of each recommender and scenario; none where the default one is all."""
        found: dict[tuple[str, str], list[Ladder]] = {}
        for one in self._ladders:
            worlds = found.setdefault((one.recommender, one.scenario), [])
            if one.world != DEFAULT:
                worlds.append(one)
        return found

    def _default(self, recommender: str, scenario: str) -> Ladder | None:
        wanted = recommender, scenario, DEFAULT
        same = (o for o in self._ladders if (o.recommender, o.scenario, o.world) == wanted)
        return next(same, None)

    def worlds(self) -> pl.DataFrame:
        """A row a world: its dataset and its test users."""
        rows: dict[str, dict] = {}
        for one in self._ladders:
            row = rows.setdefault(one.world, {"dataset": one.world})
            row[f"test users, {one.scenario}"] = len(one.values)
        return pl.DataFrame(list(rows.values()))

    def recovery(self) -> pl.DataFrame:
        """A row a recommender and scenario: tau over worlds, and the halves told apart.

        The interval of the mean tau is the 95 % t interval over worlds. `users for 80 %` is the
        median over worlds of the users needed to tell the upper half of the ladder from the lower
        one; null where that is infinite. Where only the default world has been run, its tau alone
        is there.
        """
        rows = []
        for (recommender, scenario), worlds in self.groups().items():
            default = self._default(recommender, scenario)
            row: dict[str, object] = dict.fromkeys(RECOVERY) | {
                "recommender": recommender,
                "scenario": scenario,
                "worlds": len(worlds),
                "default world": default.tau if default else None,
            }
            if worlds:
                taus = np.array([one.tau for one in worlds])
                ((mean, *ends),) = t_interval(taus).rows()
                low, high = (None if end is None else float(np.clip(end, -1, 1)) for end in ends)
                needed = float(np.median([_users_needed(one.halves) for one in worlds]))
                row |= {
                    "mean tau": mean,
                    "low": low,
                    "high": high,
                    "least": taus.min(),
                    "greatest": taus.max(),
                    NEEDED: int(np.ceil(needed)) if np.isfinite(needed) else None,
                }
            rows.append(row)
        frame = pl.DataFrame(rows, schema=RECOVERY)
        return frame.sort(pl.col("scenario") != "hot", maintain_order=True)

    def taus(self) -> pl.DataFrame:
        """A row a recommender, scenario and world: tau."""
        return pl.DataFrame(
            [
                {"recommender": r, "scenario": s, "world": one.world, "tau": one.tau}
                for (r, s), worlds in self.groups().items()
                for one in worlds
            ]
        )

    def power(self) -> pl.DataFrame:
        """A row a recommender, scenario and number of test users, mean over worlds.

        `tau` as above; `halves told apart` is the share of worlds, and of subsamples of each
        world's test users, in which the 95 % interval of the upper half minus the lower one lies
        above zero.
        """
        rows = []
        for (recommender, scenario), worlds in self.groups().items():
            if not worlds:
                continue
            least = min(len(one.values) for one in worlds)
            sizes = [*(m for m in SIZES if m < least), least]
            taus = np.zeros(len(sizes))
            told = np.zeros(len(sizes))
            for one in worlds:
                means = subsample_means(one.values, sizes)
                for place in range(len(sizes)):
                    taus[place] += concordance(one.rungs, means[:, place]).mean() / len(worlds)
                told += share_above_zero(one.halves, sizes) / len(worlds)
            for row in zip(sizes, taus.tolist(), told.tolist(), strict=True):
                rows.append(
                    {"recommender": recommender, "scenario": scenario}
                    | dict(zip(("test users", "tau", TOLD), row, strict=True))
                )
        return pl.DataFrame(rows)

    def recovery_text(self, recovery: pl.DataFrame) -> str:
        """What the table of the orders comes to, in words."""
        known = recovery.drop_nulls("mean tau").sort("mean tau")
        lines = []
        if len(known):
            worst, best = known.row(0, named=True), known.row(-1, named=True)
            lines.append(
                f"Of {len(known)} pairs of recommender and scenario, {_named(best)} recovers the "
                f"order best: tau is {_with_interval(best)} over {best['worlds']} world(s). "
                f"{_named(worst)} recovers it least: {_with_interval(worst)} over "
                f"{worst['worlds']}."
            )
            n_clear = len(known.filter(pl.col("low") > 0))
            lines.append(
                f"In {n_clear} of the {len(known)} pairs the interval lies above zero, where "
                "vectors that tell nothing lie on average."
            )
        n_missing = len(recovery) - len(known)
        if n_missing:
            lines.append(
                f"{n_missing} of {len(recovery)} pairs have been run in the default world alone; "
                f"`{COMMAND}` runs the others."
            )
        compared = known.drop_nulls("default world")
        if len(compared):
            inside = compared.filter(
                pl.col("default world").is_between(pl.col("least"), pl.col("greatest"))
            )
            gap = float((compared["default world"] - compared["mean tau"]).mean())  # type: ignore[arg-type]
            lines.append(
                f"In one world of the default size tau lies within the range of the smaller ones "
                f"in {len(inside)} of {len(compared)} pairs, and differs from their mean by "
                f"{gap:+.2f} on average."
            )
        return " ".join(lines)

    def power_text(self, recovery: pl.DataFrame) -> str:
        """How many users it takes, in words."""
        known = recovery.drop_nulls(NEEDED).sort(NEEDED)
        if not len(known):
            return "No recommender ranks the upper half of the ladder above the lower one."
        first, last = known.row(0, named=True), known.row(-1, named=True)
        text = (
            f"By the closed form, {_named(first)} tells the halves apart in {POWER:.0%} of studies "
            f"with {first[NEEDED]:,} test users (the median world), {_named(last)} with "
            f"{last[NEEDED]:,}."
        )
        never = recovery.filter(pl.col(NEEDED).is_null() & pl.col("mean tau").is_not_null())
        if len(never):
            names = ", ".join(_named(row) for row in never.iter_rows(named=True))
            text += f" With {names} no number does it: the upper half is not ahead."
        return text

    def recovery_figure(self, recovery: pl.DataFrame) -> Figure:
        """Tau of each world, their mean with its interval, a row a recommender, hot and cold."""
        taus = self.taus()
        names = recovery["recommender"].unique(maintain_order=True).to_list()[::-1]
        figure, axis = plt.subplots(figsize=(WIDTH, 0.55 * len(names) + 1.4))
        for row in recovery.iter_rows(named=True):
            scenario = row["scenario"]
            mark, colour = SCENARIO_MARKS[scenario]
            place = names.index(row["recommender"]) + (0.17 if scenario == "hot" else -0.17)
            mine = taus.filter(recommender=row["recommender"], scenario=scenario)["tau"]
            style: dict[str, Any] = {
                "color": colour,
                "alpha": 0.35,
                "markersize": 4,
                "markeredgewidth": 0,
            }
            axis.plot(mine, [place] * len(mine), mark, **style, label=f"a world, {scenario}")
            if row["worlds"]:
                interval_line(axis, place, row["low"], row["high"], color=colour, linewidth=2)
                axis.plot(row["mean tau"], place, mark, color=colour, label=f"mean, {scenario}")
            if row["default world"] is not None:
                style = {"color": colour, "markerfacecolor": "white"}
                axis.plot(row["default world"], place, "D", **style, label=f"default, {scenario}")
        axis.axvline(0, color=CHANCE, linestyle=":")
        axis.axvline(1, color=CHANCE, linestyle="--")
        axis.set_yticks(range(len(names)), names)
        axis.set_xlabel("Kendall's tau of the ladder and the results")
        legend_below(figure, axis, 3)
        return closed(figure)

    def power_figure(self, power: pl.DataFrame, column: str) -> Figure:
        """A column of `power` against the number of test users, a panel a scenario."""
        scenarios = power["scenario"].unique(maintain_order=True).to_list()
        colours = palette(power["recommender"].to_list())
        figure, axes = plt.subplots(
            1, len(scenarios), figsize=(WIDTH, 3.8), sharey=True, squeeze=False
        )
        for axis, scenario in zip(axes[0], scenarios, strict=True):
            rows = power.filter(scenario=scenario)
            for (name,), mine in rows.group_by("recommender", maintain_order=True):
                style = {"color": colours[str(name)], "marker": "o", "markersize": 3}
                axis.plot(mine["test users"], mine[column], **style, label=name)
            if column == TOLD:
                axis.axhline(POWER, color=CHANCE, linestyle=":")
            axis.set_xscale("log")
            axis.set_xticks([25, 100, 400], ["25", "100", "400"])
            axis.minorticks_off()
            axis.set_title(scenario)
            axis.set_xlabel("test users")
        axes[0, 0].set_ylabel(column)
        axes[0, 0].set_ylim(0, 1.03)
        legend_below(figure, axes[0, 0])
        return closed(figure)


def _named(row: dict) -> str:
    return f"{row['recommender']} in {row['scenario']}"


def _with_interval(row: dict) -> str:
    if row["low"] is None:
        return f"{row['mean tau']:.2f}"
    return f"{row['mean tau']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def _users_needed(halves: np.ndarray) -> float:
    """The users with whom the mean of differences [U] would be detected."""
    return components(halves).users_needed(float(halves.mean()))
