"""The page of one recommender, `notebooks/recommender.ipynb`."""

import inspect
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.recommenders import RECOMMENDERS
from mrs.recommenders.cards import Source, cards
from mrs.study.results import Results
from mrs_book.chapters.alternatives import kept_first_epoch
from mrs_book.kit import summary
from mrs_book.kit.contrasts import against_shuffled
from mrs_book.kit.figures import closed, forest, lines
from mrs_book.kit.flow import idea_figure
from mrs_book.kit.parameters import open_results, required
from mrs_book.kit.prose import note
from mrs_book.kit.questions import companion_files

KEEPS = 1.5  # times chance from which shuffled vectors leave something to speak of


class RecommenderPage:
    """One recommender of a study: its idea, its settings, and what its records say."""

    def __init__(self, results: Results, slug: str) -> None:
        self.results = results
        self.variant = next(v for v in results.study.recommenders if v.slug == slug)
        self.kind = RECOMMENDERS[self.variant.name]
        self.cells = [cell for cell in results.cells() if cell.recommender == self.variant]
        self.card = cards()[self.variant.name]

    @cached_property
    def summary(self) -> pl.DataFrame:
        """The metrics of this recommender's cells, as `summary.summary` gives them."""
        return summary.summary(self.results, self.cells)

    @cached_property
    def contrasts(self) -> pl.DataFrame:
        """Real against shuffled vectors, as `against_shuffled` gives them."""
        return against_shuffled(self.results, self.cells)

    @property
    def reads_vectors(self) -> bool:
        """Whether there is anything to shuffle."""
        return "vectors" in self.kind.needs

    def intro(self) -> str:
        """The idea in a few lines, and what the recommender reads and answers."""
        reads = ", ".join(sorted(self.kind.needs)) or "plays alone"
        answers = ", ".join(self.kind.scenarios)
        return f"{self.card.idea}\n\nIt reads {reads} and answers: {answers}."

    def figure(self) -> Figure:
        return closed(idea_figure(self.card))

    def formulas(self) -> str:
        """The formulas of the idea, each displayed, and what their letters mean."""
        displayed = "\n\n".join(f"$$\n{formula}\n$$" for formula in self.card.formulas)
        letters = (
            "$u$ is a user, $t$ a track, $s$ the score; $H_u$ are the tracks that $u$ played "
            "in train, $x_u$ is the same as a row of zeros and ones, $v_t$ a track's vector and "
            "$c_t$ its principal components; norm scales a vector to length one."
        )
        return f"{displayed}\n\n{letters}"

    def code(self) -> str:
        """What the class says of itself, departures from the papers among it, folded away."""
        text = inspect.getdoc(self.kind) or ""
        base = inspect.getdoc(self.kind.__mro__[1]) if self.kind.family else ""
        whole = "\n\n".join(part for part in (text, base) if part)
        title = f"The class {self.kind.__name__} in its own words"
        return f"::::{{dropdown}} {title}\n```text\n{whole}\n```\n::::"

    def hyperparameters(self) -> pl.DataFrame:
        """One row per hyper-parameter: its value here, its default, what was published, and why."""
        used, defaults = self.variant.model.settings(), self.kind().settings()
        rows = []
        for name, value in used.items():
            source = self.card.hyperparameters.get(name, Source())
            rows.append(
                {
                    "hyper-parameter": name,
                    "here": str(value).lower(),
                    "default": str(defaults[name]).lower(),
                    "published": source.published or None,
                    "source, and reason for ours": source.text(),
                }
            )
        return pl.DataFrame(rows)

    def hyperparameters_text(self) -> str:
        """What the columns of the table mean."""
        said = note(self.results.study.note)
        return (
            "*here* is this study's value, *default* that of the class. P1: arXiv 2409.08987 and "
            "its code; P2: arXiv 2604.23077 and its code; P3: the code of arXiv 2604.07090."
            + (f" {said}" if said else "")
        )

    def tables(self) -> list[tuple[str, pl.DataFrame]]:
        """A caption and a table for each scenario and block: results, best first.

        Each row has the address of its page; gain is vectors in order minus shuffled ones, from and
        to its interval.
        """
        tables = []
        for scenario in self.results.study.scenarios:
            mine = self.summary.filter(pl.col("scenario") == scenario)
            metric = self.results.primary(scenario)
            for block, title in summary.BLOCKS.items():
                if not len(mine.filter(pl.col("block") == block)):
                    continue
                board = summary.leaderboard(mine, block, metric)
                if "backend" not in board.columns:
                    board = board.with_columns(backend=pl.lit("none"))
                order = ["backend", *board.drop("backend", "recommender").columns]
                board = self._with_differences(board.select(order))
                level = f"{scenario.capitalize()}, chance {board['chance'][0]:.4f}"
                tables.append((f"{level}: {title}", board.drop("chance")))
        return tables

    def _with_differences(self, board: pl.DataFrame) -> pl.DataFrame:
        if not len(self.contrasts):
            return board
        gain = self.contrasts.select(
            pl.col("difference").alias("gain"),
            pl.col("low").alias("from"),
            pl.col("high").alias("to"),
            page=pl.format("runs/{}.html", "slug"),
        )
        board = board.join(gain, on="page", how="left", maintain_order="left")
        last = [name for name in ("converged", "page") if name in board.columns]
        return board.select(pl.exclude(last), *last)

    def shuffled_text(self) -> str:
        """What the control says and what it does not, with its level in each scenario."""
        columns = "first", "second", "chance"
        means = self.contrasts.group_by("scenario", "metric", "block", maintain_order=True).agg(
            pl.len(), *(pl.col(name).mean() for name in columns)
        )
        levels = [
            f"{row['scenario'].capitalize()}, {row['metric']}. {summary.BLOCKS[row['block']]}; "
            f"mean over {row['len']}: in order {row['first']:.4f}, shuffled {row['second']:.4f}, "
            f"chance {row['chance']:.4f}."
            for row in means.iter_rows(named=True)
        ]
        why = ""
        hot = self.contrasts.filter(pl.col("scenario") == "hot")
        for row in hot.select(pl.col(columns).mean()).drop_nulls().iter_rows(named=True):
            times = row["second"] / row["chance"]
            why = f" In hot it reaches {times:.1f} times chance: " + (
                "what the plays alone tell stays, since a vector still names its track. Being "
                "above chance says nothing of content there; only the difference does."
                if times > KEEPS
                else "without the right vectors nothing is left of what it finds."
            )
        return (
            "The control gives each track the vector of another one. The figure shows vectors in "
            "order minus shuffled ones, with the 95 % interval of the difference over users and "
            f"seeds.{why}\n\n" + "\n".join(f"- {level}" for level in levels)
        )

    def shuffled_figure(self) -> Figure | None:
        """Real minus shuffled, one panel per scenario; None without controls.

        The best backend on top, surrogates below.
        """
        if not len(self.contrasts):
            return None
        mean = pl.col("difference").mean().over("backend", "block")
        frame = self.contrasts.sort(
            pl.col("block") == "surrogate", mean, descending=[False, True], maintain_order=True
        )
        scenarios = self.contrasts["scenario"].unique(maintain_order=True)
        frame = frame.sort(pl.col("scenario").cast(pl.Enum(scenarios)), maintain_order=True)
        metrics = self.contrasts.select("scenario", "metric").unique().iter_rows()
        return forest(
            frame.select("low", "high", row="backend", value="difference", panel="scenario"),
            {scenario: f"{metric}, difference" for scenario, metric in metrics},
            references={"": 0},
        )

    def curves(self) -> Figure | None:
        """Training curves of the first seed, one line per backend."""
        first = {
            cell.card.label if cell.card else cell.recommender.label: cell.runs[0]
            for cell in self.cells
        }
        records = {label: self.results.record(spec) for label, spec in first.items()}
        return curve_figure({label: r.info["curve"] for label, r in records.items() if r})

    def costs(self) -> pl.DataFrame:
        """Time and memory: one row per scenario and kind of run."""
        rows = []
        for scenario in self.results.study.scenarios:
            cells = [cell for cell in self.cells if cell.scenario == scenario]
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
                        "first epoch kept": sum(map(kept_first_epoch, infos)),
                    }
                )
        return pl.DataFrame(rows)


def curve_figure(curves: dict[str, list[dict[str, float]]]) -> Figure | None:
    """Training curves, label -> one mapping per epoch; None where nothing was trained.

    Shows the validation metric where there is one and the loss otherwise.
    """
    curves = {label: curve for label, curve in curves.items() if curve}
    if not curves:
        return None
    names = [name for name in next(iter(curves.values()))[0] if name != "epoch"]
    shown = next((name for name in names if "@" in name), "loss")
    frame = pl.DataFrame(
        [
            {"group": label, "x": row["epoch"] + 1, "y": row[shown]}
            for label, curve in curves.items()
            for row in curve
        ]
    )
    name = "training loss" if shown == "loss" else f"validation {shown}"
    return lines(frame, "epoch", name, styles={label: {"marker": ""} for label in curves})


def open_page(study: str, store: str, slug: str) -> RecommenderPage:
    """The page of a study file's recommender."""
    return RecommenderPage(open_results(study, store), required("recommender", slug))


def alternatives_file(study: str | Path, recommender: str) -> list[Path]:
    """The study beside the default one that varies this recommender, and its archive.

    Empty where there is none.
    """
    name = cards()[recommender].alternatives
    return companion_files(study, [name]) if name else []


def open_alternatives(study: str, store: str, recommender: str) -> Results | None:
    """The records of that study, None where there is none."""
    files = alternatives_file(study, recommender)
    return open_results(files[0].as_posix(), store) if files else None
