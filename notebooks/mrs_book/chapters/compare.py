"""The page "Do these vectors help?" about a user's own vectors: verdict, tables and a figure."""

import html
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

import mrs
from mrs.data.dataset import open_dataset
from mrs.data.own_vectors import check, read_own_vectors
from mrs.errors import InputError
from mrs.evaluation.significance import LEVEL, POWER
from mrs.files import write_atomically
from mrs.study.compare import HYBRID, NO_DIFFERENCE, SEEDS, TOO_FEW, Comparison
from mrs.study.store import Store
from mrs_book.kit import summary
from mrs_book.kit.figures import forest
from mrs_book.kit.parameters import required, word

SCENARIO_TITLES = {"hot": "tracks known from training", "cold": "new tracks"}
QUESTIONS = {
    "chance": "more than chance",
    "shuffled": "more than the same vectors shuffled",
    "mfcc": "more than MFCC",
    "collaborative": "more than plain collaborative filtering",
}
ROOT = Path(mrs.__file__).resolve().parents[1]


class ComparePage:
    """A user's own vectors on a dataset, compared with references.

    Computes the runs that the store lacks. Raises `InputError`.
    """

    def __init__(
        self,
        dataset: str,
        vectors: str,
        ids: str | None = None,
        split: str | None = None,
        store: str = "results",
    ) -> None:
        from mrs.backends.hear_world import hear_world

        opened = open_dataset(required("dataset", dataset))
        ids, split = word("ids", ids), word("split", split)
        path = Path(required("vectors", vectors))
        self.own = read_own_vectors(opened, path, Path(ids) if ids else None)
        hear_world(opened, ["mfcc"])
        store_of_runs = Store(required("store", store))
        self.comparison = Comparison(opened, self.own, store_of_runs, split)
        self.dataset = self.comparison.dataset
        self.checks = check(self.own, self.dataset)
        self.results = self.comparison.results
        self.label = self.dataset.card(self.own.name).label
        self.comparison.compute()
        self.contrasts = self.comparison.contrasts()

    # In words

    def answers(self) -> pl.DataFrame:
        """One row per scenario and question: the answer over the recommenders, and its sensitivity.

        Columns: scenario, question, answer ("yes", "no: worse", "mixed", "not seen", "too few
        users", "not possible"), better, worse and no significant difference (numbers of
        recommenders), detectable from and to (smallest and largest minimum detectable difference),
        why (where there is no answer).
        """
        rows = [self._answer(s, kind) for s in self.comparison.scenarios for kind in QUESTIONS]
        schema = {"detectable from": pl.Float64, "detectable to": pl.Float64, "why": pl.String}
        return pl.DataFrame(rows, schema_overrides=schema)

    def _answer(self, scenario: str, kind: str) -> dict[str, Any]:
        mine = [c for c in self.contrasts if (c.scenario, c.kind) == (scenario, kind)]
        counts = {
            outcome: sum(c.outcome == outcome for c in mine)
            for outcome in ("better", "worse", NO_DIFFERENCE)
        }
        better, worse = counts["better"] > 0, counts["worse"] > 0
        answer = "not possible" if not mine else "not seen"
        if mine and all(c.outcome == TOO_FEW for c in mine):
            answer = TOO_FEW
        if better or worse:
            answer = "mixed" if better and worse else "yes" if better else "no: worse"
        return {
            "scenario": scenario,
            "question": QUESTIONS[kind],
            "answer": answer,
            **counts,
            "detectable from": min((c.detectable for c in mine), default=None),
            "detectable to": max((c.detectable for c in mine), default=None),
            "why": mine[0].why if answer == TOO_FEW else None if mine else self._why_not(kind),
        }

    def _why_not(self, kind: str) -> str:
        if kind == "collaborative":
            return "it has no place for new tracks"
        if "mfcc" not in self.dataset.backends():
            return "the dataset has no MFCC vectors; mrs extract computes them from audio"
        return "one of the two is a surrogate (sim:) and the other is not; such are kept apart"

    def verdict(self) -> str:
        """The answer in a few sentences, as Markdown."""
        lines = []
        for (scenario,), rows in self.answers().group_by(["scenario"], maintain_order=True):
            metric = next(c.metric for c in self.contrasts if c.scenario == scenario)
            parts = [_sentence(row) for row in rows.iter_rows(named=True)]
            title = f"{str(scenario).capitalize()}, {SCENARIO_TITLES[str(scenario)]} ({metric})"
            lines.append(f"**{title}.** Do they help? " + " ".join(parts))
        lines.append(self.caution())
        return "\n\n".join(lines)

    def caution(self) -> str:
        """What the answer does not say."""
        n = len(self.contrasts)
        parts = [
            f"“Yes” and “worse” hold for all {n} comparisons together at {LEVEL:.0%}; “not seen” "
            "is no proof that there is nothing: a difference below the detectable one would be "
            f"missed in more than {1 - POWER:.0%} of such tests."
        ]
        if self.dataset.generated:
            parts.append(
                "The listeners are generated: this says whether the vectors hold what the "
                "generator made them want, and nothing about real listeners."
            )
        if self.label.startswith("sim:"):
            parts.append(
                f"{self.label} are surrogate vectors, generated, not the model's output: nothing "
                "follows for the model."
            )
        ends = [record.info["converged"] for record in self._records()]
        if any(end is False for end in ends):
            parts.append(
                f"{sum(end is False for end in ends)} of {sum(end is not None for end in ends)} "
                "trained runs stopped at their last epoch: the training is short on purpose."
            )
        return " ".join(parts)

    def _records(self) -> list:
        specs = [spec for cell in self.results.cells() for spec in (*cell.runs, *cell.shuffled)]
        return self.results.records(specs)

    # Tables and figures

    def checks_table(self) -> pl.DataFrame:
        """What was found in the vectors."""
        found = self.checks
        rows = {
            "shown as": self.label,
            "vectors are": summary.BLOCKS[self.dataset.card(self.own.name).origin],
            "shape": f"{found.n_rows:,} x {found.width:,}",
            "tracks with a vector": f"{found.n_covered:,} of {found.n_tracks:,}",
            "rows of other tracks": f"{found.n_unknown:,}",
            "NaN or infinite values": "none",
            "rows of zeros": f"{found.zeros:,}",
            "rows that repeat an earlier one": f"{found.duplicates:,}",
            "length of a vector": f"{found.norm_median:.4g} ({found.norm_low:.4g} to "
            f"{found.norm_high:.4g}; median, 5th to 95th percentile)",
        }
        return pl.DataFrame({"check": list(rows), "found": list(rows.values())})

    def answers_table(self, scenario: str) -> pl.DataFrame:
        """The answers of a scenario as a reader needs them."""
        frame = self.answers().filter(pl.col("scenario") == scenario)
        seen = [
            row["why"]
            if row["why"]
            else f"{row['detectable from']:.4f} to {row['detectable to']:.4f}"
            for row in frame.iter_rows(named=True)
        ]
        counts = ["better", "worse", NO_DIFFERENCE]
        return frame.select("question", "answer", *counts).with_columns(
            pl.Series("detectable difference", seen)
        )

    def contrast_table(self, scenario: str) -> pl.DataFrame:
        """Every comparison of a scenario."""
        rows = [
            {
                "recommender": c.recommender,
                "against": c.reference,
                "own": c.own,
                "reference": c.other,
                "difference": c.difference,
                "low": c.low,
                "high": c.high,
                "detectable": c.detectable,
                "outcome": c.outcome,
                "shuffles at or above": (
                    f"{c.exceeded} of {c.shuffles}" if c.shuffles is not None else None
                ),
            }
            for c in self.contrasts
            if c.scenario == scenario
        ]
        return pl.DataFrame(rows, schema_overrides={"shuffles at or above": pl.String})

    @cached_property
    def summary(self) -> pl.DataFrame:
        """All cells' metrics, as `summary.summary` gives them."""
        return summary.summary(self.results)

    def leaderboards(self, scenario: str) -> list[tuple[str, pl.DataFrame]]:
        """One table per block, best first: rows are never ranked across blocks."""
        frame = self.summary.filter(pl.col("scenario") == scenario)
        metric = self.results.primary(scenario)
        return [
            (title, summary.leaderboard(frame, block, metric).drop("page"))
            for block, title in summary.BLOCKS.items()
            if len(frame.filter(pl.col("block") == block))
        ]

    def figure(self, scenario: str) -> Figure:
        """Differences with their intervals, and the band within which they would be missed."""
        mine = [c for c in self.contrasts if c.scenario == scenario]
        rows = [
            (f"{c.recommender} − {c.reference}", c.difference, c.low, c.high, c.detectable)
            for c in mine
        ]
        names = ["row", "value", "low", "high", "band_high"]
        schema = dict.fromkeys(names, pl.Float64) | {"row": pl.String}
        frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
            band_low=-pl.col("band_high"), group=pl.lit("difference and interval")
        )
        label = f"difference in {mine[0].metric}, {scenario}"
        return forest(frame, label, references={"": 0.0}, band="smaller than detectable")

    def runs_text(self) -> str:
        """How much was computed, and how to make one run again."""
        records = self._records()
        seconds = sum(sum(record.info["seconds"].values()) for record in records)
        split = self.results.cells()[0].runs[0].split
        return (
            f"{len(records)} runs on split {split} of {self.dataset.name}, {seconds:.0f} s of "
            f"fitting and ranking in all, kept in {self.results.store.folder}. KNN is the papers' "
            "(unweighted mean of the raw vectors, cosine), with center=true after the train "
            f"tracks' mean was taken off; Hybrid trains for at most {HYBRID['max_epochs']} epochs, "
            f"from {len(SEEDS)} seeds."
        )

    def as_json(self) -> dict[str, Any]:
        """The whole comparison as one JSON object."""
        return {
            "dataset": self.dataset.name,
            "generated_listeners": self.dataset.generated,
            "vectors": str(self.own.file),
            "label": self.label,
            "checks": asdict(self.checks),
            "answers": [_finite(row) for row in self.answers().iter_rows(named=True)],
            "contrasts": [_finite(asdict(c) | {"outcome": c.outcome}) for c in self.contrasts],
            "verdict": self.verdict().replace("**", ""),
        }

    def as_text(self) -> str:
        """The verdict and every comparison for a terminal."""
        lines = [self.verdict().replace("**", ""), ""]
        lines.append(
            f"{'':6}{'recommender':20}{'against':12}{'own':>8}{'ref.':>8}{'diff.':>9}{'low':>9}"
            f"{'high':>9}{'detect.':>9}  outcome"
        )
        for c in self.contrasts:
            ends = "".join(f"{'-':>9}" if e is None else f"{e:9.4f}" for e in (c.low, c.high))
            numbers = f"{c.own:8.4f}{c.other:8.4f}{c.difference:9.4f}{ends}"
            lines.append(
                f"{c.scenario:6}{c.recommender:20}{c.reference:12}{numbers}{c.detectable:9.4f}  "
                f"{c.outcome}"
            )
        return "\n".join(lines)


def _sentence(row: dict[str, Any]) -> str:
    question = f"{row['question'][0].upper()}{row['question'][1:]}:"
    if row["answer"] == TOO_FEW:
        return f"{question} {row['why']}."
    if row["answer"] == "not possible":
        return f"{question} cannot be answered, {row['why']}."
    n = row["better"] + row["worse"] + row[NO_DIFFERENCE]
    counts = {
        "yes": f"**yes**, with {row['better']} of {n} recommenders.",
        "no: worse": f"**no**, worse with {row['worse']} of {n} recommenders.",
        "mixed": f"**mixed**, better with {row['better']} and worse with {row['worse']} of {n}.",
        "not seen": f"**not seen**; up to {row['detectable to']:.4f} could have been missed.",
    }
    return f"{question} {counts[row['answer']]}"


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()}


# The page


def write_page(target: Path, parameters: dict[str, Any], title: str) -> None:
    """Execute notebooks/compare.ipynb and write it to `target` as one HTML file that works offline.

    Raises `InputError` where the file cannot be written.
    """
    import tempfile

    import nbformat
    from rich.console import Console

    from mrs_book.kit.execute import BookError, Task, execute_all

    template = ROOT / "notebooks/compare.ipynb"
    if not template.is_file():
        raise InputError(f"{template}: not found; run mrs from the project's folder, or use --json")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "compare.ipynb"
        task = Task(template, output, title, parameters, "", Path.cwd())
        failures = execute_all({"compare": task}, 1, Console(quiet=True))
        if failures:
            raise BookError(f"the page failed: {failures['compare'].strip().splitlines()[-1]}")
        text = render(nbformat.read(output, as_version=4), title)
    try:
        write_atomically(target, text)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror}); name another") from error


STYLE = """
:root { color-scheme: light dark; --pst-color-text-muted: #48566b; --pst-color-border: #d1d5da;
  --pst-color-text-base: #222832; --pst-color-surface: #f3f4f5; }
@media (prefers-color-scheme: dark) { :root { --pst-color-text-muted: #9ca4af;
  --pst-color-border: #48566b; --pst-color-text-base: #ced6dd; --pst-color-surface: #29313d; } }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 54rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--pst-color-text-base); }
@media (prefers-color-scheme: dark) { body { background: #14181e; } }
h1, h2 { line-height: 1.25; font-weight: 500; }
img { max-width: 100%; height: auto; }
"""


def render(notebook: Any, title: str) -> str:
    """An executed notebook as one HTML text without scripts; code is left out."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # Names and notes of users stand in these; HTML in them is text, as in the book.
            if words := output.get("data", {}).get("text/markdown"):
                output["data"]["text/markdown"] = words.replace("<", "&lt;")
    config = Config({"HTMLExporter": {"exclude_input": True, "exclude_anchor_links": True}})
    body, _ = HTMLExporter(template_name="basic", config=config).from_notebook_node(notebook)
    tables = (ROOT / "book/_static/custom.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{tables}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )
