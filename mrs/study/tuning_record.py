"""A finished search for hyper-parameters: what each trial scored, and what that chooses."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from mrs.data.tables import read_parquet
from mrs.errors import InputError
from mrs.study.search import Group, groups
from mrs.study.study import Study
from mrs.study.tune import SCHEMA, tuning_file

# A study sets what it may cost, so a trial is chosen only if its fits took at most so many times
# the processor time of trial 0's.
DEAREST = 1.5


class TuningRecord:
    """The frame that `mrs.study.tune` writes, one row per trial, fit, recommender and scenario."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    @classmethod
    def of(cls, study_file: str | Path) -> "TuningRecord | None":
        """The search of a study file, None where there is none. Raises `InputError`."""
        path = tuning_file(study_file)
        if not path.is_file():
            return None
        frame = read_parquet(path)
        if "version" not in frame.columns:  # a search before chance was kept
            place = frame.columns.index("score") + 1 if "score" in frame.columns else 0
            frame.insert_column(place, pl.lit(None, pl.Float64).alias("chance"))
            frame.insert_column(place + 1, pl.lit(1, pl.Int64).alias("version"))
        if frame.schema != pl.Schema(SCHEMA):
            raise InputError(f"{path}: has other columns than a search writes; search again")
        return cls(frame)

    @cached_property
    def cells(self) -> pl.DataFrame:
        """One row per group, recommender, scenario and trial.

        `score` is the mean over the fits, `relative` the score above chance as a multiple of trial
        0's (null where that is not above chance). Version 1 did not subtract chance.
        """
        cell = ["group", "recommender", "scenario"]
        means = self.frame.group_by(*cell, "metric", "trial", maintain_order=True).agg(
            pl.col("score", "chance").mean()
        )
        first = means.filter(pl.col("trial") == 0)
        floor = pl.lit(0.0) if self.version == 1 else pl.col("chance")
        present = first.select(*cell, present="score", floor=floor)
        above = pl.col("present") - pl.col("floor")
        return (
            means.join(present, on=cell, how="left", maintain_order="left")
            .with_columns(
                relative=pl.when(above > 0).then((pl.col("score") - pl.col("floor")) / above)
            )
            .drop("floor")
            .sort(pl.col("group").cast(pl.Enum(self.groups)), "trial", maintain_order=True)
        )

    @cached_property
    def trials(self) -> pl.DataFrame:
        """One row per group and trial.

        `criterion` is the mean of `relative` over its cells, `best` the best criterion so far;
        `values`, `seconds` and `cpu_seconds` are those of its fits.

        The mean is over the scenarios' means, so that they count alike; in a search of version 1 it
        is over all cells.
        The criterion of a trial with a score that is not a number is 0.
        """
        key = ["group", "trial"]
        cells = self.cells
        if self.version > 1:
            cells = cells.group_by(*key, "scenario", maintain_order=True).agg(
                pl.col("relative").mean()
            )
        scored = cells.group_by(key, maintain_order=True).agg(
            criterion=pl.col("relative").mean().fill_nan(0).fill_null(1)
        )
        fits = self.frame.unique([*key, "backend", "seed"], maintain_order=True)
        costs = fits.group_by(key, maintain_order=True).agg(
            pl.col("values").first(), pl.col("seconds", "cpu_seconds").sum(), fits=pl.len()
        )
        joined = scored.join(costs, on=key, maintain_order="left")
        return joined.with_columns(best=pl.col("criterion").cum_max().over("group"))

    @property
    def version(self) -> int:
        """Of the criterion that chose."""
        return int(self.frame["version"][0])

    def by(self, version: int) -> "TuningRecord | None":
        """The same trials by a criterion of another version; None without the chance it asks for.

        What was ranked for stays what it was: the pairs, the tracks, and what stopped each fit.
        """
        scored = self.frame.filter(pl.col("score").is_finite())
        if version > 1 and scored["chance"].null_count():
            return None
        return TuningRecord(self.frame.with_columns(version=pl.lit(version, pl.Int64)))

    @property
    def groups(self) -> list[str]:
        """The groups that were searched, in the study's order."""
        return self.frame["group"].unique(maintain_order=True).to_list()

    def n_trials(self, group: str) -> int:
        """How many trials a group had, the present among them."""
        return self.frame.filter(pl.col("group") == group)["trial"].n_unique()

    def chosen(self, group: str) -> int:
        """The trial of the best criterion among those within `DEAREST`, the earliest of equals."""
        mine = self.trials.filter(pl.col("group") == group)
        affordable = mine.filter(pl.col("cpu_seconds") <= DEAREST * pl.col("cpu_seconds").first())
        return int(affordable["trial"][int(np.argmax(affordable["criterion"].to_numpy()))])

    def values(self, group: str, trial: int) -> dict[str, Any]:
        """What a trial set of the searched hyper-parameters."""
        mine = self.trials.filter((pl.col("group") == group) & (pl.col("trial") == trial))
        return json.loads(mine["values"][0])

    def changes(self) -> pl.DataFrame:
        """What the search changed: one row per group, recommender and scenario.

        `present` and `chosen` are mean scores of trial 0 and of the trial that was chosen.
        """
        chosen = pl.DataFrame(
            {"group": self.groups, "trial": [self.chosen(group) for group in self.groups]}
        )
        return self.cells.join(chosen, on=["group", "trial"], maintain_order="left").select(
            "group",
            "recommender",
            "scenario",
            "metric",
            "trial",
            "present",
            chosen="score",
            gain=pl.col("relative") - 1,
        )

    def snippet(self, study: Study) -> str:
        """The lines to put under `recommenders:` of the study file, one per variant searched."""
        lines = []
        for group in groups(study):
            if group.name not in self.groups:
                continue
            best = self.values(group.name, self.chosen(group.name))
            for variant in group.variants:
                settings = variant.settings | _set(group, best)
                text = yaml.safe_dump(settings, default_flow_style=True, sort_keys=True, width=999)
                lines.append(f"  - {variant.name}: {text.strip()}")
        return "\n".join(lines)

    def as_text(self, study: Study) -> str:
        """The table of changes, the cost and the snippet, for the command line."""
        lines = [
            f"{'recommender':24}{'scenario':10}{'metric':9}{'present':>9}{'chosen':>9}{'trial':>7}"
        ]
        for row in self.changes().iter_rows(named=True):
            lines.append(
                f"{row['recommender']:24}{row['scenario']:10}{row['metric']:9}"
                f"{row['present']:9.4f}{row['chosen']:9.4f}{row['trial']:7d}"
            )
        for group in self.groups:
            mine = self.trials.filter(pl.col("group") == group)
            lines.append(
                f"{group}: {self.n_trials(group)} trials of {mine['fits'][0]} fits, "
                f"{mine['cpu_seconds'].sum():.0f} s of processor time; "
                f"chosen {mine['criterion'][self.chosen(group)]:.3f} times the present, "
                f"at any cost {max(mine['criterion']):.3f}"
            )
        return "\n".join([*lines, "", "recommenders:", self.snippet(study)])


def _set(group: Group, best: dict[str, Any]) -> dict[str, Any]:
    """The values to write down: those that the study does not have anyway."""
    return {name: value for name, value in best.items() if value != group.settings[name]}
