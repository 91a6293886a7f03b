"""The part on new tracks: what an artist's catalogue adds to content, on a generated world.

The question and its methods are those of arXiv 2604.07090. Runs come from a study on the catalogue
split and from the archive beside it; every number and sentence is computed from them.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import interval
from mrs.recommenders.cards import cards
from mrs.report.figures import CHANCE, ORACLE, closed, interval_line, legend_below
from mrs.report.parameters import open_results
from mrs.report.prose import note
from mrs.report.style import WIDTH, line_mark, palette
from mrs.report.summary import BLOCKS
from mrs.report.tables import ends_text
from mrs.study.costs import seconds_by_recommender, seconds_of
from mrs.study.results import Cell, Results
from mrs.study.spec import PRIMARY, RunSpec
from mrs.study.store import Record, stacked
from mrs.study.study import Variant

TITLE = "What an artist's catalogue says of a new track"
# files beside the default one
STUDIES = ("coldstart", "coldstart-backends", "artist-variance", "coldstart-settings")
MAIN = PRIMARY["cold"]
METRICS = (MAIN, MAIN.replace("ndcg", "recall"))
SLICES = {
    "cold": "all new tracks",
    "cold/discovery": "discovery",
    "cold/exploit": "exploit",
    "cold/unknown_artist": "unknown artist",
}
REFERENCES = ("random", "oracle", "oracle_content")
READS = {"vectors": "content", "backbone": "a backbone's factors", "artists": "artist"}


def method_name(variant: Variant) -> str:
    """A variant's label, "+ artist" where it has the artist's mean beside the content."""
    has_artist = variant.settings.get("use_artist")
    return f"{variant.model.label} + artist" if has_artist else variant.label


def is_ablation(variant: Variant) -> bool:
    """Whether it is one of several of its recommender with something taken away."""
    return bool(variant.distinct) and not variant.settings.get("use_artist")


class ColdStartPage:
    """A study's runs on a catalogue split: the methods by slice, ablations, popularity."""

    def __init__(self, results: Results, study_file: str) -> None:
        self.results = results
        self.study_file = study_file
        self._records: dict[RunSpec, Record | None] = {}

    def _record(self, spec: RunSpec) -> Record | None:
        if spec not in self._records:
            self._records[spec] = self.results.record(spec)
        return self._records[spec]

    def records(self, cell: Cell) -> list[Record]:
        """A cell's records, those that there are."""
        found = (self._record(spec) for spec in cell.runs)
        return [record for record in found if record is not None]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """A row a cell that has runs, in the order of the study file.

        Columns: scenario, place (of the cell), recommender, method, ablation, backend (label),
        block, n_seeds, n_users, converged, and for each of `METRICS` mean, " low", " high" (95 %
        interval over users and seeds) and " chance".
        """
        rows: list[dict] = []
        for scenario in self.results.study.scenarios:
            of_scenario: dict[int, dict] = {}
            by_seeds: dict[int, list[tuple[int, Cell, list[Record]]]] = defaultdict(list)
            for place, cell in enumerate(self.results.cells(scenario)):
                if records := self.records(cell):
                    by_seeds[len(records)].append((place, cell, records))
            for found in by_seeds.values():  # as many seeds: they share the draws
                cube = np.concatenate([stacked(r, METRICS) for _, _, r in found], axis=2)
                bounds = interval(cube)
                ends = bounds.rows()
                for at, (place, cell, records) in enumerate(found):
                    mine = ends[at * len(METRICS) : (at + 1) * len(METRICS)]
                    of_scenario[place] = _row(scenario, place, cell, records, mine)
            rows += [of_scenario[place] for place in sorted(of_scenario)]
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def has_runs(self) -> bool:
        """Whether there is any run to show."""
        return len(self.frame) > 0

    # Where the runs come from

    def origin(self) -> str:
        """Dataset, split, settings and archive, and what is missing with its cost."""
        study, archive = self.results.study, self.results.archive
        parts = [
            f"Dataset `{study.dataset}`, split `{study.split}`: listeners, tracks, artists and "
            f"plays are **generated**. {note(study.note)}"
        ]
        if archive is not None:
            about = archive.about
            parts.append(
                f"{about['n_runs']:,} runs of {about['created']}, packed from `{about['command']}`:"
                f" {about['seconds'] / 60:.1f} minutes of fitting and ranking on "
                f"{' and '.join(about['machine'])}."
            )
        return " ".join([*parts, self.missing()])

    def missing(self) -> str:
        """How many runs there are not, the command that makes them, and about how long it takes."""
        lacking = {
            spec.fit: cell
            for cell in self.results.cells()
            for spec in cell.runs
            if self._record(spec) is None
        }
        if not lacking:
            return ""
        records = (r for cell in self.results.cells("cold") for r in self.records(cell))
        known = seconds_by_recommender(records)
        first = [cell.runs[0] for cell in lacking.values()]
        found = seconds_of(first, known, lambda _: None)
        costs = [seconds for seconds in found if seconds is not None]
        hours = f"about {sum(costs) / 3600:.1f} hours of one worker" if costs else "hours unknown"
        names = dict.fromkeys(method_name(cell.recommender) for cell in lacking.values())
        unknown = len(lacking) - len(costs)
        also = f" and {unknown} fits of unknown length" if costs and unknown else ""
        return (
            f"**{len(lacking)} fits are missing** ({', '.join(names)}): "
            f"`python -m mrs grid --study {self.study_file}`, then `python studies/make_archive.py "
            f"{self.study_file}`; {hours}{also}."
        )

    # Methods

    def methods(self) -> pl.DataFrame:
        """A row a method: what it reads, its source, the settings of the study, a fit's seconds."""
        rows = []
        for variant in self.results.study.recommenders:
            kind, settings = variant.model, variant.settings
            needs = [what for need, what in READS.items() if need in kind.needs]
            if settings.pop("use_artist", False):
                needs.append(READS["artists"])
            rows.append(
                {
                    "method": method_name(variant),
                    "reads": ", ".join(needs),
                    "source": cards()[variant.name].coldstart_source,
                    "settings": ", ".join(f"{name}={value}" for name, value in settings.items()),
                    "seconds of a fit": self._seconds(variant),
                }
            )
        return pl.DataFrame(rows, schema_overrides={"seconds of a fit": pl.Float64})

    def _seconds(self, variant: Variant) -> float | None:
        cells = [c for c in self.results.cells("cold") if c.recommender == variant]
        found = [r.info["seconds"]["fit"] for cell in cells for r in self.records(cell)]
        return float(np.median(found)) if found else None

    # By slice

    def overview(self) -> pl.DataFrame:
        """A row a method and backend: the mean of `MAIN` in each slice."""
        rows: dict[tuple, dict[str, Any]] = {}
        for row in self.frame.filter(~pl.col("ablation")).iter_rows(named=True):
            key = row["method"], row["backend"]
            mine = rows.setdefault(
                key, {"block": BLOCKS[row["block"]], "method": key[0], "backend": key[1]}
            )
            mine[SLICES[row["scenario"]]] = row[MAIN]
        order = list(BLOCKS.values())
        found = sorted(rows.values(), key=lambda row: order.index(row["block"]))
        return pl.DataFrame(found, infer_schema_length=None)

    def by_slice(self, scenario: str) -> pl.DataFrame:
        """A row a method and backend: both metrics with their intervals, best first in a block."""
        order = list(BLOCKS)
        rows = self.frame.filter(pl.col("scenario") == scenario, ~pl.col("ablation"))
        rows = rows.sort(
            pl.col("block").replace_strict(order, range(len(order))),
            MAIN,
            descending=[False, True],
        )
        return rows.select(
            pl.col("block").replace_strict(BLOCKS),
            "method",
            "backend",
            *(pl.col(f"{m}{end}") for m in METRICS for end in ("", " low", " high")),
            pl.col("n_seeds").alias("seeds"),
            "converged",
        )

    def slice_caption(self, scenario: str) -> str:
        """Users and chance of a slice."""
        rows = self.frame.filter(pl.col("scenario") == scenario)
        chance = ", ".join(f"{m} {rows[f'{m} chance'][0]:.4f}" for m in METRICS)
        return (
            f"{SLICES[scenario].capitalize()}: {rows['n_users'][0]:,} users; chance {chance}; "
            "95 % interval over users and seeds. Generated listeners"
        )

    def scenarios(self) -> list[str]:
        """The slices that have a run, in the study's order."""
        return self.frame["scenario"].unique(maintain_order=True).to_list()

    def value(self, scenario: str, recommender: str) -> float | None:
        """The mean of `MAIN` of a recommender without a backend, None where it was not run."""
        rows = self.frame.filter(scenario=scenario, recommender=recommender)
        return rows[MAIN][0] if len(rows) else None

    def slice_text(self) -> str:
        """The first method of each slice and kind of vectors, beside chance and the oracle."""
        rows = self.frame.filter(~pl.col("ablation"), ~pl.col("recommender").is_in(REFERENCES))
        lines = []
        for scenario in self.scenarios():
            mine = rows.filter(pl.col("scenario") == scenario).sort(MAIN, descending=True)
            if not len(mine):
                continue
            oracle = self.value(scenario, "oracle")
            lines.append(
                f"- {SLICES[scenario].capitalize()}: {mine['n_users'][0]:,} users, chance "
                f"{mine[f'{MAIN} chance'][0]:.4f}" + (f", oracle {oracle:.4f}." if oracle else ".")
            )
            for block, title in BLOCKS.items():
                for best in mine.filter(pl.col("block") == block).head(1).iter_rows(named=True):
                    on = f" on {best['backend']}" if best["backend"] else ""
                    lines.append(
                        f"  - {title}: {best['method']}{on} is first with {MAIN} {best[MAIN]:.4f} "
                        f"({ends_text(best[f'{MAIN} low'], best[f'{MAIN} high'])}), "
                        f"{_beside_chance(best)} chance."
                    )
        return "\n".join(lines)

    def slice_figure(self) -> Figure:
        """A panel a slice, a row a method, a colour a backend; chance and oracle as lines."""
        rows = self.frame.filter(~pl.col("ablation"), ~pl.col("recommender").is_in(REFERENCES[1:]))
        names = rows["method"].unique(maintain_order=True).to_list()[::-1]
        labels = [label or "no vectors" for label in rows["backend"].unique(maintain_order=True)]
        colours, scenarios = palette(labels), self.scenarios()
        figure, axes = plt.subplots(
            -(-len(scenarios) // 2),
            2,
            figsize=(WIDTH, 0.23 * len(names) * -(-len(scenarios) // 2) + 2.2),
            sharey=True,
            squeeze=False,
        )
        for axis, scenario in zip(axes.flat, scenarios, strict=False):
            for row in rows.filter(pl.col("scenario") == scenario).iter_rows(named=True):
                label = row["backend"] or "no vectors"
                place = names.index(row["method"]) + 0.2 * (len(labels) / 2 - labels.index(label))
                colour = colours[label]
                ends = row[f"{MAIN} low"], row[f"{MAIN} high"]
                interval_line(axis, place, *ends, color=colour, linewidth=1.5)
                style = line_mark(label) | {"linestyle": "", "color": colour, "markersize": 3.5}
                axis.plot(row[MAIN], place, **style, label=label)
                axis.axvline(row[f"{MAIN} chance"], color=CHANCE, linestyle=":", label="chance")
            oracle = self.value(scenario, "oracle")
            if oracle is not None:
                axis.axvline(oracle, color=ORACLE, linestyle="--", label="oracle")
            axis.set_title(SLICES[scenario], fontsize=10)
            axis.set_xlim(left=0)
            axis.locator_params(axis="x", nbins=4)
            axis.set_yticks(range(len(names)), names, fontsize=8)
        for axis in axes.flat[len(scenarios) :]:
            axis.axis("off")
        for axis in axes[-1]:
            axis.set_xlabel(MAIN)
        legend_below(figure, axes[0, 0], 3)
        return closed(figure)


def _row(
    scenario: str, place: int, cell: Cell, records: list[Record], ends: Sequence[tuple]
) -> dict[str, Any]:
    ended = [record.info["converged"] for record in records]
    row: dict[str, Any] = {
        "scenario": scenario,
        "place": place,
        "recommender": cell.recommender.name,
        "ablation": is_ablation(cell.recommender),
        "n_seeds": len(records),
        "n_users": records[0].info["n_users"],
        "converged": None if None in ended else all(ended),
    } | names_of(cell, cell.provenance)
    for metric, (mean, low, high) in zip(METRICS, ends, strict=True):
        row |= {metric: mean, f"{metric} low": low, f"{metric} high": high}
        row[f"{metric} chance"] = records[0].chance(metric)
    return row


def _beside_chance(row: dict[str, Any]) -> str:
    if row[f"{MAIN} low"] is None:
        return "with too few users to be compared with"
    if row[f"{MAIN} low"] > row[f"{MAIN} chance"]:
        return "above"
    return "below" if row[f"{MAIN} high"] < row[f"{MAIN} chance"] else "not clearly different from"


def names_of(cell: Cell, block: str | None = None) -> dict[str, Any]:
    """What tells a cell apart in a table; `block` in place of the block's title."""
    return {
        "block": block or BLOCKS[cell.provenance],
        "method": method_name(cell.recommender),
        "backend": cell.card.label if cell.card else None,
    }


def open_page(study: str, store: str) -> ColdStartPage:
    """The page of a study file's records in a store or in its archive."""
    return ColdStartPage(open_results(study, store), study)
