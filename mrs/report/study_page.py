"""What the pages about a whole study show: overview, data, results, one a recommender."""

import inspect
from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.recommenders import RECOMMENDERS, make_recommender
from mrs.report import summary
from mrs.report.figures import curve_figure, interval_figure
from mrs.study.grid import make_plan
from mrs.study.results import Results
from mrs.study.store import Store
from mrs.study.study import Variant, load_study

SCENARIO_SENTENCES = {
    "hot": "Candidates are the train tracks without those that the user played in train; what "
    "counts is whether the user plays them for the first time in the test period.",
    "cold": "Candidates are the tracks that nobody played in train: only what is known of the "
    "track itself can place them.",
}


class StudyPage:
    """A study's records with the tables, figures and sentences that its pages show."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.scenarios = results.study.scenarios
        self.provenance = summary.provenance_sentence(results)

    @cached_property
    def summary(self) -> pl.DataFrame:
        """All cells' metrics, as `summary.summary` gives them."""
        return summary.summary(self.results)

    def _of(self, scenario: str) -> pl.DataFrame:
        return self.summary.filter(pl.col("scenario") == scenario)

    def overview(self) -> str:
        """The first page's opening."""
        return (
            "Do pretrained audio representations help music recommendation, for tracks that "
            "people know and for new ones, and by more than chance? This book runs that question "
            "again from data to tables: each number in it comes from a stored run or from a "
            "published table with its source, beside its chance level and an interval.\n\n"
            f"{self.provenance}"
        )

    def grid_state(self) -> str:
        """How much of the study is in the store."""
        plan = make_plan(self.results)
        seeds, controls = len(self.results.study.seeds), len(self.results.study.shuffled_seeds)
        text = (
            f"The study has {plan.n_runs} runs: {seeds} seed(s) of every recommender that draws "
            f"at random, and {controls} shuffled control(s) of every one that reads vectors."
        )
        if plan.n_missing:
            text += f" **{plan.n_missing} of them are missing** from the store."
        return text

    def best(self, scenario: str) -> list[tuple[str, pl.DataFrame]]:
        """The best row of each recommender by block, for the first page."""
        tables = []
        for block, title in summary.BLOCKS.items():
            board = self._board(scenario, block)
            if board is None:
                continue
            board = board.unique("recommender", keep="first", maintain_order=True)
            what = "" if block == "none" else ", the best backend of each recommender"
            tables.append((f"{scenario.capitalize()}: {title}{what}", board))
        return tables

    def contents(self) -> pl.DataFrame:
        """The parts of the book (part, what it holds, page)."""
        rows = [("The data", "data card, split, vectors", "data.html")]
        rows.append(("How to read the numbers", "metrics, chance, intervals", "reading.html"))
        for scenario in self.scenarios:
            what = "all recommenders and backends side by side"
            rows.append((f"Results, {scenario}", what, f"results-{scenario}.html"))
        rows += [
            ("Do we calculate metrics consistently?", "libraries, then and now", "audit.html"),
            (
                "Does the order of systems depend on it?",
                "every class on these runs",
                "metrics.html",
            ),
            ("Which definition for which question", "and how to state it", "definitions.html"),
        ]
        rows.append(("Published results", "every number of the paper's tables", "published.html"))
        rows.append(
            ("Are the published cold numbers @20?", "an exact check", "cold_at_20.html"),
        )
        return pl.DataFrame(rows, schema=["part", "what it holds", "page"], orient="row")

    def results_intro(self, scenario: str) -> str:
        """What a results page says before its tables."""
        seeds = len(self.results.study.seeds)
        draws = (
            "One seed was run: rows that differ by less than their intervals are not ranked by it."
            if seeds == 1
            else f"Trained and random rows are means over {seeds} seeds."
        )
        return (
            f"{SCENARIO_SENTENCES[scenario]}\n\n{self.provenance}\n\n"
            f"Low and high are the 95 % bootstrap interval over users and seeds; `shuffled` is the "
            f"mean over {len(self.results.study.shuffled_seeds)} runs whose vectors were permuted "
            f"among the tracks, and only the difference to it speaks of content. {draws}"
        )

    def _board(self, scenario: str, block: str) -> pl.DataFrame | None:
        frame = self._of(scenario)
        if not len(frame.filter(pl.col("block") == block)):
            return None
        return summary.leaderboard(frame, block, summary.primary(self.results, scenario))

    def leaderboards(self, scenario: str) -> list[tuple[str, pl.DataFrame]]:
        """A table a block: rows are never ranked across blocks."""
        boards = ((title, self._board(scenario, block)) for block, title in summary.BLOCKS.items())
        return [(title, board) for title, board in boards if board is not None]

    def interval_figures(self, scenario: str) -> list[tuple[str, Figure]]:
        """A figure a recommender that reads vectors."""
        metric = summary.primary(self.results, scenario)
        frame = self._of(scenario).filter(pl.col("metric") == metric)
        oracle = frame.filter(pl.col("recommender") == "Oracle")["mean"]
        ceiling = oracle[0] if len(oracle) else None
        frame = frame.filter(pl.col("backend").is_not_null())
        figures = []
        for (name,), rows in frame.group_by(["recommender"], maintain_order=True):
            figure = interval_figure(rows, metric, ceiling)
            plt.close(figure)  # shown below its heading, not once more at the end of the cell
            figures.append((str(name), figure))
        return figures

    def every_metric(self, scenario: str) -> pl.DataFrame:
        """All metrics of all cells in long form, the block and convergence beside them."""
        metric = pl.col("metric").str.split("@").list
        return self._of(scenario).select(
            "recommender",
            "backend",
            pl.col("block").alias("vectors"),
            metric.first(),
            metric.last().cast(pl.Int32).alias("k"),
            "mean",
            "low",
            "high",
            "chance",
            "shuffled",
        )

    def recommender_intro(self, slug: str) -> str:
        """A recommender's heading and the description that its class carries."""
        variant = self._variant(slug)
        kind = RECOMMENDERS[variant.name]
        reads = ", ".join(sorted(kind.needs)) or "plays alone"
        return (
            f"{inspect.getdoc(kind)}\n\nIt reads {reads} and answers: {', '.join(kind.scenarios)}."
        )

    def _variant(self, slug: str) -> Variant:
        return next(v for v in self.results.study.recommenders if v.slug == slug)

    def hyperparameters(self, slug: str) -> pl.DataFrame:
        """One row a hyper-parameter: its value here and its default."""
        variant = self._variant(slug)
        used = make_recommender(variant.name, dict(variant.settings)).settings()
        defaults = make_recommender(variant.name, {}).settings()
        return pl.DataFrame(
            {
                "hyper-parameter": list(used),
                "value": [str(value) for value in used.values()],
                "default": [str(defaults[name]) for name in used],
            },
            schema={"hyper-parameter": pl.String, "value": pl.String, "default": pl.String},
        )

    def recommender_tables(self, slug: str) -> list[tuple[str, pl.DataFrame]]:
        """A table a scenario and block: each backend's result, linked to its page."""
        variant = self._variant(slug)
        tables = []
        for scenario in self.scenarios:
            mine = self._of(scenario).filter(pl.col("recommender") == variant.label)
            metric = summary.primary(self.results, scenario)
            for block, title in summary.BLOCKS.items():
                if not len(mine.filter(pl.col("block") == block)):
                    continue
                board = summary.leaderboard(mine, block, metric)
                if "backend" not in board.columns:
                    board = board.with_columns(backend=pl.lit("none"))
                order = ["backend", *board.drop("backend", "recommender").columns]
                tables.append((f"{scenario.capitalize()}: {title}", board.select(order)))
        return tables

    def curves(self, slug: str) -> Figure | None:
        """Training curves of a recommender's first seed, a line a backend."""
        runs = {
            cell.card.label if cell.card else cell.recommender.label: cell.runs[0]
            for cell in self.results.cells()
            if cell.recommender.slug == slug
        }
        records = {label: self.results.record(spec) for label, spec in runs.items()}
        return curve_figure({label: r.info["curve"] for label, r in records.items() if r})

    def costs(self, slug: str) -> pl.DataFrame:
        """What a recommender's runs took, a row a scenario and kind of run."""
        rows = []
        for scenario in self.scenarios:
            cells = [c for c in self.results.cells(scenario) if c.recommender.slug == slug]
            for kind, chosen in (("vectors as they are", "runs"), ("shuffled", "shuffled")):
                specs = [spec for cell in cells for spec in getattr(cell, chosen)]
                infos = [record.info for record in self.results.records(specs)]
                if not infos:
                    continue
                ends = [info["converged"] for info in infos if info["converged"] is not None]
                rows.append(
                    {
                        "scenario": scenario,
                        "runs": f"{len(infos)}, {kind}",
                        "fit, median s": float(np.median([i["seconds"]["fit"] for i in infos])),
                        "rank, median s": float(np.median([i["seconds"]["rank"] for i in infos])),
                        "process peak, MB": max(info["peak_memory_mb"] for info in infos),
                        "converged": f"{sum(ends)} of {len(ends)}" if ends else "nothing to train",
                    }
                )
        return pl.DataFrame(rows)

    def surrogate_note(self) -> str:
        """What stands behind surrogate vectors, from their cards; empty without any."""
        dataset = self.results.dataset
        cards = [dataset.card(name) for name in dataset.backends()]
        sentences = {
            str(card.details["note"])
            for card in cards
            if card.origin == "surrogate" and "note" in card.details
        }
        return "\n\n".join(sorted(sentences))


def open_page(study: str, store: str) -> StudyPage:
    """The pages of a study file's records in a store."""
    return StudyPage(Results(load_study(study), Store(store)))
