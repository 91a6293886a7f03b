"""What an artist's catalogue adds to content for a new track, on a generated world.

The question and its methods are those of arXiv 2604.07090. Runs come from a study on the catalogue
split and from the archive beside it.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from IPython.display import Markdown
from matplotlib.figure import Figure

from mrs.evaluation.bootstrap import interval
from mrs.recommenders.cards import cards
from mrs.study.costs import seconds_by_recommender, seconds_of
from mrs.study.results import Cell
from mrs.study.spec import PRIMARY, RunSpec
from mrs.study.store import Record, stacked
from mrs.study.study import Variant
from mrs_book.kit.figures import forest
from mrs_book.kit.parameters import open_results
from mrs_book.kit.prose import note
from mrs_book.kit.summary import BLOCKS

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
CHANCE_VERDICT = (
    pl.when(pl.col(f"{MAIN} low") > pl.col(f"{MAIN} chance")).then(pl.lit("above"))
    .when(pl.col(f"{MAIN} high") < pl.col(f"{MAIN} chance")).then(pl.lit("below"))
    .when(pl.col(f"{MAIN} low").is_null()).then(pl.lit("too few users"))
    .otherwise(pl.lit("not clearly different")).alias("against chance")
)  # fmt: skip


def method_name(variant: Variant) -> str:
    """A variant's label, "+ artist" where it has the artist's mean beside the content."""
    has_artist = variant.settings.get("use_artist")
    return f"{variant.model.label} + artist" if has_artist else variant.label


def is_ablation(variant: Variant) -> bool:
    """Whether it is one of several of its recommender with something taken away."""
    return bool(variant.distinct) and not variant.settings.get("use_artist")


class Page:
    """A study's runs on a catalogue split: where they come from, and the methods by slice."""

    def __init__(self, study: str, store: str) -> None:
        self.study_file = study
        self.results = open_results(study, store)
        self._records: dict[RunSpec, Record | None] = {}

    def _record(self, spec: RunSpec) -> Record | None:
        if spec not in self._records:
            self._records[spec] = self.results.record(spec)
        return self._records[spec]

    def records(self, cell: Cell) -> list[Record]:
        """Those of a cell's records that exist."""
        found = (self._record(spec) for spec in cell.runs)
        return [record for record in found if record is not None]

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row per cell that has runs, in the order of the study file.

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
                ends = interval(
                    np.concatenate([stacked(records, METRICS) for *_, records in found], axis=2)
                ).rows()
                for at, (place, cell, records) in enumerate(found):
                    mine = ends[at * len(METRICS) : (at + 1) * len(METRICS)]
                    of_scenario[place] = _row(scenario, place, cell, records, mine)
            rows += [of_scenario[place] for place in sorted(of_scenario)]
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def methods_frame(self) -> pl.DataFrame:
        """`frame` without ablations; empty without runs."""
        return self.frame.filter(~pl.col("ablation")) if len(self.frame) else self.frame

    # Where the runs come from

    def origin(self) -> Markdown:
        """Dataset, split, settings and archive, and what is missing with its cost."""
        study, archive = self.results.study, self.results.archive
        parts = [
            f"Dataset `{study.dataset}`, split `{study.split}`: users, tracks, artists and "
            f"plays are **generated**. {note(study.note)}"
        ]
        if archive is not None:
            about = archive.about
            parts.append(
                f"{about['n_runs']:,} runs of {about['created']}, archived by "
                f"`{about['command']}`: {about['seconds'] / 60:.1f} minutes of fitting and ranking "
                f"on {' and '.join(about['machine'])}."
            )
        return Markdown(" ".join([*parts, self.missing()]))

    def missing(self) -> str:
        """How many runs are missing, the command that makes them, and about how long it takes."""
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
        """One row per method: what it reads, its source, the study's settings, a fit's seconds."""
        rows = []
        for variant in self.results.study.recommenders:
            kind, settings = variant.model, variant.settings
            needs = [what for need, what in READS.items() if need in kind.needs]
            if settings.pop("use_artist", False):
                needs.append(READS["artists"])
            cells = [c for c in self.results.cells("cold") if c.recommender == variant]
            seconds = [r.info["seconds"]["fit"] for cell in cells for r in self.records(cell)]
            rows.append(
                {
                    "method": method_name(variant),
                    "reads": ", ".join(needs),
                    "source": cards()[variant.name].coldstart_source,
                    "settings": ", ".join(f"{name}={value}" for name, value in settings.items()),
                    "seconds of a fit": float(np.median(seconds)) if seconds else None,
                }
            )
        return pl.DataFrame(rows, schema_overrides={"seconds of a fit": pl.Float64})

    # By slice

    def overview(self) -> pl.DataFrame:
        """One row per method and backend: the mean of `MAIN` in each slice."""
        rows: dict[tuple, dict[str, Any]] = {}
        for row in self.methods_frame.iter_rows(named=True):
            key = row["method"], row["backend"]
            mine = rows.setdefault(
                key, {"block": BLOCKS[row["block"]], "method": key[0], "backend": key[1]}
            )
            mine[SLICES[row["scenario"]]] = row[MAIN]
        order = list(BLOCKS.values())
        found = sorted(rows.values(), key=lambda row: order.index(row["block"]))
        return pl.DataFrame(found, infer_schema_length=None)

    def by_slice(self, scenario: str) -> pl.DataFrame:
        """One row per method and backend: both metrics with intervals, best first in a block."""
        order = list(BLOCKS)
        rows = self.methods_frame.filter(scenario=scenario).sort(
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
        rows = self.frame.filter(scenario=scenario)
        chance = ", ".join(f"{m} {rows[f'{m} chance'][0]:.4f}" for m in METRICS)
        return (
            f"{SLICES[scenario].capitalize()}: {rows['n_users'][0]:,} users; chance {chance}; "
            "95 % interval over users and seeds. Generated users"
        )

    def scenarios(self) -> list[str]:
        """The slices that have a run, in the study's order."""
        return (
            self.frame["scenario"].unique(maintain_order=True).to_list() if len(self.frame) else []
        )

    def value(self, scenario: str, recommender: str) -> float | None:
        """The mean of `MAIN` of a recommender without a backend, None where it was not run."""
        rows = self.frame.filter(scenario=scenario, recommender=recommender)
        return rows[MAIN][0] if len(rows) else None

    def firsts(self) -> pl.DataFrame:
        """The first method of each slice and kind of vectors, with chance and the oracle."""
        if not len(self.frame):
            return self.frame
        rows = self.methods_frame.filter(~pl.col("recommender").is_in(REFERENCES))
        best = rows.sort(MAIN, descending=True).group_by("scenario", "block").first()
        slices, blocks = list(SLICES), list(BLOCKS)
        oracle = {name: self.value(name, "oracle") for name in slices}
        return best.sort(
            pl.col("scenario").replace_strict(slices, range(len(slices))),
            pl.col("block").replace_strict(blocks, range(len(blocks))),
        ).select(
            pl.col("scenario").replace_strict(SLICES).alias("slice"),
            pl.col("block").replace_strict(BLOCKS).alias("vectors"),
            "method",
            "backend",
            *(f"{MAIN}{end}" for end in ("", " low", " high")),
            pl.col(f"{MAIN} chance").alias("chance"),
            pl.col("scenario").replace_strict(oracle, return_dtype=pl.Float64).alias("oracle"),
            CHANCE_VERDICT,
        )

    def slice_figure(self) -> Figure | None:
        """The methods by slice, a colour per backend, with chance and the oracle."""
        if not len(self.frame):
            return None
        rows = self.methods_frame.filter(~pl.col("recommender").is_in(REFERENCES[1:]))
        frame = rows.select(
            panel=pl.col("scenario").replace_strict(SLICES),
            row="method",
            group=pl.col("backend").fill_null("no vectors"),
            value=MAIN,
            low=f"{MAIN} low",
            high=f"{MAIN} high",
        )
        chance = rows.select(pl.col("scenario").replace_strict(SLICES), f"{MAIN} chance")
        oracle = {SLICES[name]: self.value(name, "oracle") for name in self.scenarios()}
        known = {name: value for name, value in oracle.items() if value is not None}
        references = {"chance": dict(chance.iter_rows()), "oracle": known}
        return forest(frame, MAIN, references=references, columns=2, zero=True)


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


def names_of(cell: Cell, block: str | None = None) -> dict[str, Any]:
    """The columns that identify a cell in a table; `block` in place of the block's title."""
    return {
        "block": block or BLOCKS[cell.provenance],
        "method": method_name(cell.recommender),
        "backend": cell.card.label if cell.card else None,
    }
