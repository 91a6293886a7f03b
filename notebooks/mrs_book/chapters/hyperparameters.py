"""Where every hyper-parameter comes from, and the search's record: the page `hyperparameters`."""

import json
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from mrs.data.vectors import label_of
from mrs.recommenders import RECOMMENDERS
from mrs.recommenders.cards import Range, Source, cards, plain
from mrs.study.search import groups
from mrs.study.study import Study, Variant, load_study
from mrs.study.tune import VERSION
from mrs.study.tuning_record import DEAREST, TuningRecord
from mrs_book.kit.figures import lines, scatter
from mrs_book.kit.parameters import required
from mrs_book.kit.style import BLUE, GREY, ORANGE

NEVER = "never tuned"
COLUMNS = 2  # panels beside each other
MARKS = {
    "a trial": {"color": BLUE, "markersize": 4},
    "the first, before": {"color": GREY, "marker": "D", "markersize": 6},
    "chosen": {"color": ORANGE, "marker": "*", "markersize": 11},
}


class TuningPage:
    """A study's hyper-parameters and the record of their search, which may be None."""

    def __init__(self, study_file: str, study: Study, record: TuningRecord | None) -> None:
        self.study_file, self.study, self.record = study_file, study, record
        self.found = {group.name: group for group in groups(study)}

    @property
    def searched(self) -> list[str]:
        """The groups that the record holds, in its order."""
        return self.record.groups if self.record else []

    def command(self) -> str:
        """The command that makes the search (again)."""
        if self.record:
            return str(self.record.frame["command"][0])
        return f"python -m mrs tune --study {self.study_file}"

    def intro(self) -> str:
        """What was searched on what, when and at what cost; or that nothing was."""
        if self.record is None:
            return (
                "**Nothing was searched for this study**: every value below is published or ours. "
                f"`{self.command()}` searches, and this page then shows the record."
            )
        frame = self.record.frame
        trials = [self.record.n_trials(group) for group in self.searched]
        equal = f"{trials[0]}" if len(set(trials)) == 1 else f"{min(trials)} to {max(trials)}"
        cost = self.record.trials.select("seconds", "cpu_seconds").sum()
        days = sorted({text[:10] for text in frame["created"]})
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        world = str(frame["dataset"][0])
        kind = "the generated world" if world.partition(":")[0] == "demo" else "the data"
        return (
            f"Each of {len(self.searched)} recommenders or families had {equal} trials, the "
            f"first with the values before the search, on {kind} `{world}`: {self._fits()}. "
            f"{self._cold()}All fits together took {_time(cost['seconds'][0])}, "
            f"{_time(cost['cpu_seconds'][0])} of processor time, on {when}; "
            f"{', '.join(frame['machine'].unique(maintain_order=True))}. "
            f"`{self.command()}` makes the search again."
        )

    def _fits(self) -> str:
        assert self.record is not None
        backends = self.record.frame.drop_nulls("backend").unique("backend", maintain_order=True)
        seeds = self.record.frame.filter(pl.col("backend").is_null())["seed"].n_unique()
        parts = []
        if len(backends):
            names = ", ".join(_backend(row) for row in backends.iter_rows(named=True))
            parts.append(f"a trial is fitted once on each of {names}")
        if seeds:
            parts.append(f"with {seeds} seeds where no vectors are read")
        return ", ".join(parts)

    def _cold(self) -> str:
        assert self.record is not None
        cold = self.record.frame.filter(pl.col("scenario") == "cold")
        if not len(cold):
            return ""
        months, tracks = cold["months"][0], max(cold["n_candidates"])
        period = "month" if months == 1 else f"{months} months"
        return f"Pseudo-cold are the {tracks} tracks first played in the last {period} of train. "

    @cached_property
    def _group_of(self) -> dict[str, str]:
        """The searched group of each variant's slug."""
        return {
            variant.slug: name
            for name, group in self.found.items()
            if name in self.searched
            for variant in group.variants
        }

    def table(self) -> pl.DataFrame:
        """A row a hyper-parameter of every recommender: value, source, published, budget.

        Recommenders that the study lacks stand at the end with their classes' values.
        """
        rows = [row for variant in self.study.recommenders for row in self._rows(variant)]
        there = {variant.name for variant in self.study.recommenders}
        for name, kind in RECOMMENDERS.items():
            if name not in there:
                rows += self._rows(Variant(kind()), " (not in this study)")
        return pl.DataFrame(rows)

    def _rows(self, variant: Variant, note: str = "") -> list[dict[str, Any]]:
        sources = cards()[variant.name].hyperparameters
        rows = []
        for name, value in variant.model.settings().items():
            source = sources.get(name, Source())
            status, budget = self._status(variant, name, value)
            rows.append(
                {
                    "recommender": variant.label + note,
                    "hyper-parameter": name,
                    "value": plain(value),
                    "source": status or source.of(value),
                    "published": source.published or None,
                    "where": source.where or None,
                    "budget": budget,
                }
            )
        return rows

    def _status(self, variant: Variant, name: str, value: Any) -> tuple[str, str]:
        """How the search bears on a value ("" where it does not), and its budget."""
        group = self._group_of.get(variant.slug)
        if group is None or self.record is None:
            return "", NEVER
        chosen = self.record.chosen(group)
        first, best = self.record.values(group, 0), self.record.values(group, chosen)
        if name not in best:
            return "", NEVER
        budget = f"{self.record.n_trials(group)} trials"
        if value == best[name]:
            return ("tuned" if value != first[name] else "searched and kept"), budget
        if value == first[name]:
            return f"searched, not taken over: {plain(best[name])}", budget
        return "ours, set after the search", budget

    def never_tuned(self) -> str:
        """What has never been searched, from the table and the ranges."""
        table = self.table()
        never = table.filter(pl.col("budget") == NEVER)
        untouched = [
            name
            for (name,), rows in table.group_by(["recommender"], maintain_order=True)
            if (rows["budget"] == NEVER).all() and not str(name).endswith("(not in this study)")
        ]
        text = f"{len(never)} of the {len(table)} values were never tuned. "
        if untouched:
            text += f"None was of: {', '.join(map(str, untouched))}."
        return text

    def ranges(self) -> pl.DataFrame:
        """A row a searched hyper-parameter: its range, the value before, the chosen trial's."""
        assert self.record is not None
        rows = []
        for name in self.searched:
            first = self.record.values(name, 0)
            best = self.record.values(name, self.record.chosen(name))
            space = self.found[name].space if name in self.found else {}
            for key, value in first.items():
                rows.append(
                    {
                        "searched": name,
                        "hyper-parameter": key,
                        "range": str(space.get(key, "")),
                        "before": plain(value),
                        "chosen": plain(best[key]),
                    }
                )
        return pl.DataFrame(rows)

    def changes(self) -> pl.DataFrame:
        """What the chosen trial changes on the criterion; scores are means over its fits."""
        assert self.record is not None
        return self.record.changes().select(
            pl.col("recommender").replace_strict({n: k.label for n, k in RECOMMENDERS.items()}),
            "scenario",
            "metric",
            pl.col("present").alias("before"),
            "chosen",
            (100 * pl.col("gain")).alias("change, %"),
            (pl.col("trial") + 1).alias("its number"),
        )

    def costs(self) -> pl.DataFrame:
        """The budget of each group: trials, fits, seconds; what is chosen, and what costs more."""
        assert self.record is not None
        rows = []
        for name in self.searched:
            mine = self.record.trials.filter(pl.col("group") == name)
            cpu, scores = mine["cpu_seconds"], mine["criterion"]
            chosen, best = self.record.chosen(name), int(np.argmax(scores.to_numpy()))
            rows.append(
                {
                    "searched": name,
                    "trials": len(mine),
                    "fits": int(mine["fits"].sum()),
                    "wall s": float(mine["seconds"].sum()),
                    "processor s": float(cpu.sum()),
                    "chosen: score / first": scores[chosen],
                    "chosen: cost / first": cpu[chosen] / cpu[0],
                    "best: score / first": scores[best],
                    "best: cost / first": cpu[best] / cpu[0],
                }
            )
        return pl.DataFrame(rows)

    def trials(self) -> pl.DataFrame:
        """Every trial: its values, its score and the best so far."""
        assert self.record is not None
        texts = [_text(json.loads(text)) for text in self.record.trials["values"]]
        return self.record.trials.select(
            pl.col("group").alias("searched"),
            pl.col("trial") + 1,
            pl.col("criterion").alias("score / first"),
            pl.col("best").alias("best so far"),
            pl.col("cpu_seconds").alias("processor s"),
            pl.Series("values", texts),
        )

    def other_choices(self) -> pl.DataFrame:
        """A row a group of which today's criterion would choose another trial than the record did.

        Columns: searched, values chosen and values by today's criterion, and today's score of both.
        Empty where the record was chosen by it, or has no level of chance.
        """
        other = self.record.by(VERSION) if self.record else None
        if self.record is None or other is None or self.record.version == VERSION:
            return pl.DataFrame()
        rows = []
        for name in self.searched:
            mine = other.trials.filter(pl.col("group") == name)["criterion"]
            chosen, today = self.record.chosen(name), other.chosen(name)
            if chosen != today:
                rows.append(
                    {
                        "searched": name,
                        "chosen": _text(self.record.values(name, chosen)),
                        "by today's criterion": _text(self.record.values(name, today)),
                        "chosen: score / first": mine[chosen],
                        "today's: score / first": mine[today],
                    }
                )
        return pl.DataFrame(rows)

    def former_text(self) -> str:
        """With which criterion the record was chosen, where it is not today's, and what follows."""
        if self.record is None or self.record.version == VERSION:
            return ""
        text = (
            "**These values were chosen with a former criterion**: multiples of the first trial's "
            "NDCG itself, averaged over recommenders and scenarios, with fewer pseudo-cold tracks. "
            "Much of a cold score was chance then, so that a trial moved cold less than hot."
        )
        other = self.record.by(VERSION)
        if other is None:
            return f"{text} The record holds no level of chance to score it otherwise."
        cold = self.record.frame.filter(pl.col("scenario") == "cold")["chance"].to_numpy()
        level = f" ({cold.mean():.3f} among its pseudo-cold tracks)" if len(cold) else ""
        n_others, n_searched = len(self.other_choices()), len(self.searched)
        return (
            f"{text} Scored above chance{level} and with equal weight for hot and cold, another "
            f"trial of the same record would be chosen for {n_others} of {n_searched}. The fits "
            "and their pseudo-cold tracks stay those of the record."
        )

    def rule(self) -> str:
        """How a trial is chosen."""
        return (
            "Chosen is the trial of the best score among those whose fits took at most "
            f"{DEAREST:g} times the first trial's processor time: what a study may cost is set by "
            "the study, and a better trial that costs more stands in the table as such."
        )

    def best_figure(self) -> Figure:
        """The best score so far against the number of trials, one line per group."""
        assert self.record is not None
        trials = self.record.trials.filter(pl.col("group").is_in(self.searched))
        steps = {"drawstyle": "steps-post", "markersize": 3}
        figure = lines(
            trials.select("group", x=pl.col("trial") + 1, y="best"),
            "trials",
            "best so far, times the first trial",
            references={"the study's values before": 1},
            styles=dict.fromkeys(self.searched, steps),
        )
        figure.axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        return figure

    def value_figures(self) -> list[tuple[str, Figure]]:
        """A figure a group: the score of each trial against each hyper-parameter's value."""
        return [(name, self._value_figure(name)) for name in self.searched]

    def _value_figure(self, name: str) -> Figure:
        assert self.record is not None
        mine = self.record.trials.filter(pl.col("group") == name)
        trials = [json.loads(text) for text in mine["values"]]
        columns = {key: [trial[key] for trial in trials] for key in trials[0]}
        chosen = self.record.chosen(name)
        marks = {"a trial": range(len(trials)), "the first, before": [0], "chosen": [chosen]}
        rows = [
            {"panel": key, "group": mark, "x": x, "y": mine["criterion"][trial]}
            for key, column in columns.items()
            for mark, places in marks.items()
            for trial, x in enumerate(_numbers(column))
            if trial in places
        ]
        figure = scatter(
            pl.DataFrame(rows),
            {key: key for key in columns},
            "times the first",
            columns=COLUMNS,
            height=2.3,
            titles=False,
            styles=MARKS,
        )
        group = self.found.get(name)
        for axis, (key, column) in zip(figure.axes, columns.items(), strict=True):
            _place_values(axis, column, group.space.get(key) if group else None)
        return figure


def _text(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {plain(value)}" for key, value in values.items())


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _place_values(axis: Axes, values: list[Any], where: Range | None) -> None:
    """The axis of a hyper-parameter: the range of a rate, or the values that there are."""
    if where is not None and where.log_uniform:
        low, high = where.log_uniform
        axis.set_xscale("log")
        ticks = [low, float(f"{(low * high) ** 0.5:.1g}"), high]
        axis.set_xticks(ticks, [plain(tick) for tick in ticks])
        axis.set_xlim(min(low, *values) / 1.3, max(high, *values) * 1.3)
        axis.xaxis.set_minor_locator(NullLocator())
    elif not isinstance(values[0], float):
        ticks = sorted(set(values))
        axis.set_xticks(*((range(len(ticks)), ticks) if isinstance(values[0], str) else (ticks,)))
        axis.margins(x=0.3)


def _numbers(values: list[Any]) -> list[float]:
    """Values as places on an axis, names in their alphabetical order."""
    names = sorted(set(values)) if isinstance(values[0], str) else None
    return [float(names.index(value) if names else value) for value in values]


def _backend(row: dict[str, Any]) -> str:
    """A backend's name with its rung."""
    if row["rung"] is None:
        return label_of(row["backend"], "file")
    return f"{label_of(row['backend'], 'surrogate')} (rung {row['rung']:.2f})"


def open_page(study: str) -> TuningPage:
    """The page of a study file, with the record beside it where there is one."""
    study = required("study", study)
    return TuningPage(study, load_study(study), TuningRecord.of(study))
