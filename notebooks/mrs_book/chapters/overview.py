"""What the pages about a whole study show: overview, data, results."""

from collections.abc import Iterable
from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.data.splits import Split
from mrs.study.grid import make_plan
from mrs.study.results import Results
from mrs_book.kit import summary
from mrs_book.kit.figures import closed, forest
from mrs_book.kit.parameters import open_results
from mrs_book.kit.prose import note
from mrs_book.kit.style import BLUE, STYLES, WIDTH

SCENARIO_SENTENCES = {
    "hot": "Candidates are the train tracks without those that the user played in train; what "
    "counts is whether the user plays them for the first time in the test period.",
    "cold": "Candidates are the tracks that nobody played in train: only what is known of the "
    "track itself can place them.",
    "cold/discovery": "Candidates are all new tracks; what counts is those whose artist has tracks "
    "in train, none of which the user played there.",
    "cold/exploit": "Candidates are all new tracks; what counts is those whose artist the user "
    "played in train.",
    "cold/unknown_artist": "Candidates are all new tracks; what counts is those whose artist has "
    "no track in train, or is not known.",
}


def _range(counts: Iterable[int]) -> str:
    """The counts' one value, or the smallest and the largest: "3 to 5"; "0" for none."""
    found = set(counts) or {0}
    return str(min(found)) if len(found) == 1 else f"{min(found)} to {max(found)}"


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

    def whole_grid(self, scenario: str) -> tuple[pl.DataFrame, dict[str, str]]:
        """The primary metric of every backend (rows) with every recommender (columns).

        Cells that do not exist are empty. The second is the links of `show`: a column's name to
        that of its addresses; `vectors` is the block of a row.
        """
        frame = self._of(scenario).filter(pl.col("metric") == self.results.primary(scenario))
        found = {(row["backend"], row["recommender"]): row for row in frame.iter_rows(named=True)}
        cells = [(cell.recommender.label, cell.card) for cell in self.results.cells() if cell.card]
        labels = list(dict.fromkeys(label for label, _ in cells))
        rows = []
        for block, title in summary.BLOCKS.items():
            for backend in dict.fromkeys(card.label for _, card in cells if card.origin == block):
                row: dict = {"vectors": title, "backend": backend}
                for label in labels:
                    cell = found.get((backend, label), {})
                    row[label] = cell.get("mean")
                    row[f"{label}: page"] = f"runs/{cell['slug']}.html" if cell else None
                rows.append(row)
        schema: dict = {"vectors": pl.String, "backend": pl.String}
        for label in labels:
            schema |= {label: pl.Float64, f"{label}: page": pl.String}
        return pl.DataFrame(rows, schema=schema), {label: f"{label}: page" for label in labels}

    def _of(self, scenario: str) -> pl.DataFrame:
        return self.summary.filter(pl.col("scenario") == scenario)

    def grid_caption(self, scenario: str) -> str:
        """What the table of `whole_grid` shows."""
        metric = self.results.primary(scenario)
        chance = self._of(scenario).filter(pl.col("metric") == metric)["chance"]
        level = f"; chance {chance[0]:.3f}" if len(chance) else ""
        return (
            f"{scenario.capitalize()}, {metric}, mean over users and seeds{level}. Empty: the "
            "recommender has no place for new tracks, or the run is missing"
        )

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
        text = (
            f"The study has {plan.n_runs} runs: {self._seeds()} seed(s) of every "
            f"recommender that draws at random, and {self._controls()} shuffled control(s) of each "
            "that reads vectors."
        )
        if plan.n_missing:
            text += f" **{plan.n_missing} of them are missing** from the store."
        return text

    def _controls(self) -> str:
        """How many controls a cell has, or from how many to how many."""
        return _range(len(cell.shuffled) for cell in self.results.cells() if cell.backend)

    def _seeds(self) -> str:
        """How many seeds a recommender that draws at random has, or from how many to how many."""
        study = self.results.study
        return _range(len(study.fits(variant)) for variant in study.recommenders)

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

    def contents(self, study: str) -> pl.DataFrame:
        """What the chapters of a study file's book hold; see `mrs_book.kit.pages.contents`."""
        from mrs_book.kit.pages import (  # which other pages of this class do not need
            contents,
            pages,
        )

        return contents(pages(study, self.results))

    def results_intro(self, scenario: str) -> str:
        """What a results page says before its tables."""
        seeds = self._seeds()
        draws = (
            "One seed was run: rows that differ by less than their intervals are not ranked by it."
            if seeds == "1"
            else f"Trained and random rows are means over {seeds} seeds."
        )
        built_in = f" {summary.BUILT_IN}" if self.results.dataset.generated else ""
        return (
            f"{SCENARIO_SENTENCES[scenario]}\n\n{self.provenance}{built_in}\n\n"
            f"Low and high are the 95 % interval over users and seeds; `shuffled` is the "
            f"mean over {self._controls()} runs whose vectors were permuted "
            f"among the tracks, and only the difference to it speaks of content. {draws}"
        )

    def _board(self, scenario: str, block: str) -> pl.DataFrame | None:
        frame = self._of(scenario)
        if not len(frame.filter(pl.col("block") == block)):
            return None
        return summary.leaderboard(frame, block, self.results.primary(scenario))

    def leaderboards(self, scenario: str) -> list[tuple[str, pl.DataFrame]]:
        """A table a block: rows are never ranked across blocks."""
        boards = ((title, self._board(scenario, block)) for block, title in summary.BLOCKS.items())
        return [(title, board) for title, board in boards if board is not None]

    def interval_figures(self, scenario: str) -> list[tuple[str, Figure]]:
        """One figure per recommender that reads vectors: best backend on top, surrogates last."""
        metric = self.results.primary(scenario)
        frame = self._of(scenario).filter(pl.col("metric") == metric)
        oracle = frame.filter(recommender="Oracle")["mean"]
        references = {"oracle": oracle[0]} if len(oracle) else {}
        figures = []
        for mine in frame.drop_nulls("backend").partition_by("recommender", maintain_order=True):
            last = pl.col("block") == "surrogate"
            rows = summary.forest_rows(mine.sort(last, -pl.col("mean")), "backend")
            lines = {"chance": mine["chance"][0]} | references
            figure = forest(rows, metric, references=lines, zero=True)
            figures.append((str(mine["recommender"][0]), figure))
        return figures

    def every_metric(self, scenario: str) -> pl.DataFrame:
        """All metrics of all cells in long form."""
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

    def surrogate_note(self) -> str:
        """What stands behind surrogate vectors, from their cards; empty without any."""
        dataset = self.results.dataset
        cards = [dataset.card(name) for name in dataset.backends()]
        sentences = {
            note(str(card.details["note"]))
            for card in cards
            if card.origin == "surrogate" and "note" in card.details
        }
        return "\n\n".join(sorted(sentences))


def open_page(study: str, store: str) -> StudyPage:
    """The pages of a study file's records in a store."""
    return StudyPage(open_results(study, store))


def activity_figure(split: Split) -> Figure:
    """How plays spread: tracks per user, and the share of pairs of the most played tracks."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(WIDTH, 5.6))
    per_user = np.bincount(split.train.user)
    bins = np.geomspace(max(per_user.min(), 1), per_user.max() + 1, 30)
    upper.hist(per_user, bins=bins, color=BLUE)
    upper.set_xscale("log")
    upper.set_xlabel("train tracks per user")
    upper.set_ylabel("users")
    per_track = np.sort(np.bincount(split.train.track))[::-1]
    per_track = per_track[per_track > 0]
    share = np.cumsum(per_track) / per_track.sum()
    lower.plot(np.arange(1, len(share) + 1) / len(share), share, color=BLUE)
    lower.plot([0, 1], [0, 1], **STYLES["chance"], label="all tracks alike")
    lower.set_xlabel("share of train tracks, most played first")
    lower.set_ylabel("share of pairs")
    lower.legend()
    return closed(figure)
