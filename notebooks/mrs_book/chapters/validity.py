"""Can the protocol tell better vectors from worse? Several generated worlds, from an archive.

The worlds' surrogates lie on a ladder of held-out R2 (see the chapter `ladder`). Each world is a
replicate: how far a recommender's order of the surrogates is the ladder's, and how many test users
that takes, is averaged over worlds.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import t_interval
from mrs.evaluation.correlation import tau_b
from mrs.evaluation.power import share_above_zero, subsample_means
from mrs.evaluation.significance import POWER, components
from mrs.study.spec import PRIMARY
from mrs_book.chapters.ladder import TAU_LINES
from mrs_book.kit.archived import ArchivePage
from mrs_book.kit.figures import forest, lines
from mrs_book.kit.parameters import required
from mrs_book.kit.questions import DEFAULT

SIZES = (25, 50, 100, 200, 400, 800)  # test users, up to those of the smallest world
NEEDED = f"users for {POWER:.0%}"
FOUND = "halves in the known order"
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
        return float(tau_b(self.rungs, self.values.mean(axis=0)[None])[0])

    @property
    def halves(self) -> np.ndarray:
        """The upper half's mean minus the lower half's, a middle rung left out: [U]."""
        half = self.values.shape[1] // 2
        return self.values[:, -half:].mean(axis=1) - self.values[:, :half].mean(axis=1)


class Page(ArchivePage):
    """The worlds of studies/worlds.yaml, which lies beside the study file."""

    COMMAND = "python studies/make_worlds.py"

    def __init__(self, study: str) -> None:
        super().__init__(Path(required("study", study)).with_name("worlds.yaml"))

    @cached_property
    def _ladders(self) -> list[Ladder]:
        found = []
        by = ["variant", "scenario", "dataset"]
        for (variant, scenario, world), runs in self.runs.group_by(by, maintain_order=True):
            assert self.archive is not None  # it has runs
            rows = runs.sort("rung")
            values = self.archive.values(rows["place"].to_list(), PRIMARY[str(scenario)])
            rungs = rows["rung"].to_numpy()
            found.append(Ladder(str(variant), str(scenario), str(world), rungs, values.T))
        return found

    def groups(self) -> dict[tuple[str, str], list[Ladder]]:
        """The worlds of each recommender and scenario; none if there is only the default one."""
        found: dict[tuple[str, str], list[Ladder]] = {}
        for one in self._ladders:
            worlds = found.setdefault((one.recommender, one.scenario), [])
            if one.world != DEFAULT:
                worlds.append(one)
        return found

    def worlds(self) -> pl.DataFrame:
        """One row per world: its dataset and its test users."""
        rows: dict[str, dict] = {}
        for one in self._ladders:
            row = rows.setdefault(one.world, {"dataset": one.world})
            row[f"test users, {one.scenario}"] = len(one.values)
        return pl.DataFrame(list(rows.values()))

    @cached_property
    def recovery(self) -> pl.DataFrame:
        """One row per recommender and scenario: tau over worlds, and the users that it takes.

        The interval of the mean tau is the 95 % t interval over worlds; `least` and `greatest` are
        those of one world. `NEEDED` is the median over worlds of the users with whom the upper half
        of the ladder differs from the lower one; null where that is infinite. Where only the
        default world has been run, only its tau is known.
        """
        default = {(o.recommender, o.scenario): o.tau for o in self._ladders if o.world == DEFAULT}
        rows = []
        for (recommender, scenario), worlds in self.groups().items():
            row: dict[str, object] = {
                "recommender": recommender,
                "scenario": scenario,
                "worlds": len(worlds),
                "default world": default.get((recommender, scenario)),
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

    @cached_property
    def power(self) -> pl.DataFrame:
        """One row per recommender, scenario and number of test users: means over worlds.

        `tau` as above; `FOUND` is the share of worlds, and of subsamples of each world's test
        users, in which the 95 % interval of the upper half minus the lower one lies above zero.
        """
        rows = []
        for (recommender, scenario), worlds in self.groups().items():
            if not worlds:
                continue
            least = min(len(one.values) for one in worlds)
            sizes = [*(m for m in SIZES if m < least), least]
            taus, found = np.zeros((2, len(sizes)))
            for one in worlds:
                means = subsample_means(one.values, sizes)
                for place in range(len(sizes)):
                    taus[place] += tau_b(one.rungs, means[:, place]).mean() / len(worlds)
                found += share_above_zero(one.halves, sizes) / len(worlds)
            for size, tau, share in zip(sizes, taus.tolist(), found.tolist(), strict=True):
                row = {"recommender": recommender, "scenario": scenario, "test users": size}
                rows.append(row | {"tau": tau, FOUND: share})
        return pl.DataFrame(rows)

    def needed(self) -> pl.DataFrame:
        """`NEEDED` of each recommender and scenario; empty where no number suffices."""
        known = self.recovery.drop_nulls("mean tau")
        return known.select("recommender", "scenario", NEEDED)

    def counts(self) -> pl.DataFrame:
        """One row per scenario: in how many recommenders an order is found, and the default world.

        `above zero` counts intervals of tau; `default within` counts default worlds whose tau is in
        the range of the others, and `default minus mean` is the mean difference.
        """
        inside = pl.col("default world").is_between(pl.col("least"), pl.col("greatest"))
        return self.recovery.group_by("scenario", maintain_order=True).agg(
            pl.len().alias("recommenders"),
            pl.col("mean tau").count().alias("run in other worlds"),
            (pl.col("low") > 0).sum().alias("above zero"),
            inside.sum().alias("default within"),
            (pl.col("default world") - pl.col("mean tau")).mean().alias("default minus mean"),
        )

    def recovery_figure(self) -> Figure | None:
        """Tau of each world (pale), their mean with its interval, and the default world."""
        if not len(self.recovery):
            return None
        ends = {"low": pl.lit(None, pl.Float64), "high": pl.lit(None, pl.Float64)}
        common = {"row": "recommender", "group": "scenario", "lane": "scenario"}
        taus = pl.DataFrame(
            [
                {"recommender": one.recommender, "scenario": one.scenario, "value": one.tau}
                for worlds in self.groups().values()
                for one in worlds
            ],
            schema={"recommender": pl.String, "scenario": pl.String, "value": pl.Float64},
        ).select(**common, value="value", **ends, faint=pl.lit(value=True), hollow=False)
        means = self.recovery.select(
            **common, value="mean tau", low="low", high="high", faint=False, hollow=False
        )
        default = self.recovery.select(
            **common, value="default world", **ends, faint=False, hollow=True
        )
        frame = pl.concat([means, taus, default]).drop_nulls("value")
        return forest(frame, "Kendall's tau of the ladder and the results", references=TAU_LINES)

    def power_figure(self, column: str) -> Figure | None:
        """A column of `power` by the number of test users."""
        if not len(self.power):
            return None
        frame = self.power.select(x="test users", y=column, panel="scenario", group="recommender")
        aim = {f"{POWER:.0%}": POWER} if column == FOUND else {}
        return lines(
            frame, "test users", column, references=aim, scales=("log", "linear"), columns=2
        )


def _users_needed(halves: np.ndarray) -> float:
    """The number of users with whom the mean of differences [U] would be detected."""
    return components(halves).users_needed(float(halves.mean()))
