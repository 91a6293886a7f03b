"""The page of one backend: card, map, lengths and angles, probes, its results."""

from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.backends import BACKENDS
from mrs.data.vectors import Card
from mrs.evaluation.mir import read_labels
from mrs.models import Facts
from mrs_book.chapters.mir import MirPage, task_title
from mrs_book.chapters.mir_space import drawn, plane
from mrs_book.kit import summary
from mrs_book.kit.figures import closed
from mrs_book.kit.parameters import required
from mrs_book.kit.style import BLUE, COLOURS, WIDTH, is_surrogate

OTHER = "others"
MARKS = ("o", "^", "s")  # one colour cycle each


class BackendPage:
    """One backend of a study: where its vectors come from, what is in them, what they reach."""

    def __init__(self, study: str, store: str, backend: str) -> None:
        self.mir, self.backend = MirPage(study, store), required("backend", backend)
        self.results = self.mir.results
        self.card: Card = self.results.dataset.card(self.backend)
        self.space = self.mir.records[self.card.label].space

    def intro(self) -> str:
        """What stands behind the vectors, in words."""
        block = summary.BLOCKS[self.card.origin]
        text = f"{block}, {self.card.embedding_size:,} wide."
        if is_surrogate(self.card.label):
            known = BACKENDS.get(self.backend)
            name = known.label if known else self.backend
            text += (
                f" They stand where the vectors of {name} would and were **not computed by it**: "
                f"nothing on this page is a finding about {name}."
            )
        return f"{text}\n\n{self.mir.provenance}"

    def vector_card(self) -> pl.DataFrame:
        """The card beside the vectors: one row per entry."""
        rows: dict[str, Any] = {
            "shown as": self.card.label,
            "vectors are": self.card.origin,
            "embedding size": self.card.embedding_size,
        }
        rows |= {name.replace("_", " "): value for name, value in self.card.details.items()}
        return _facts(rows)

    def model_card(self) -> pl.DataFrame | None:
        """What is known of the model; None for vectors of no known model."""
        kind = BACKENDS.get(self.backend)
        facts = getattr(kind, "card", None)
        if kind is None or not isinstance(facts, Facts):
            return None
        settings = kind().settings()
        parameters = f"{facts.n_parameters:,}" if facts.n_parameters else "none"
        return _facts(
            {
                "model": kind.label,
                "pretraining corpus": facts.corpus,
                "pretraining objective": facts.objective,
                "parameters": parameters,
                "embedding size": f"{kind.embedding_size:,}",
                "sample rate": f"{kind.sample_rate:,} Hz",
                "clip": _clip(settings.pop("clip_seconds")),
                **{name.replace("_", " "): value for name, value in settings.items()},
                "weights": facts.source,
                "revision": facts.revision,
                "licence of the code": facts.code_licence,
                "licence of the weights": facts.weights_licence,
                "citation": facts.citation,
            }
        )

    # The space

    def map_text(self) -> str:
        """How much of the space the map shows."""
        space = self.space
        first, second = space.map_variance
        shown = min(space.n_tracks, len(drawn(space.n_tracks)))
        what = "All" if shown == space.n_tracks else f"{shown:,} drawn"
        return (
            f"{what} tracks on the first two principal components of the vectors, which hold "
            f"{first:.1%} and {second:.1%} of their variance. Of a track's ten nearest tracks in "
            f"the whole space {space.neighbours_kept:.1%} are among its ten nearest on the map; a "
            f"random map would keep {space.neighbours_by_chance:.1%}. What lies together on the "
            "map need not be near, and the other way round, as far as that share is below 100 %."
        )

    def map_figure(self) -> Figure:
        """The vectors on their first two principal components, coloured by genre where known."""
        dataset = self.results.dataset
        chosen = drawn(len(dataset.tracks))
        places, share = plane(dataset.vectors(self.backend, chosen))
        figure, axis = plt.subplots(figsize=(WIDTH, 5.2))
        for label, colour, mark, mine in _groups(dataset.tracks, chosen):
            x, y = places[mine].T
            axis.scatter(x, y, s=9, color=colour, marker=mark, linewidths=0, label=label)
        axis.set_xlabel(f"first component, {share[0]:.1%} of the variance")
        axis.set_ylabel(f"second component, {share[1]:.1%}")
        if axis.get_legend_handles_labels()[1]:
            figure.legend(loc="outside lower center", ncols=3, markerscale=2, fontsize=9)
        return closed(figure)

    def space_table(self) -> pl.DataFrame:
        """Lengths and angles: one row per number, and what it means."""
        space = self.space
        rows = [
            (
                "length of a vector",
                f"{space.norm_median:.4g} ({space.norm_low:.4g} to {space.norm_high:.4g})",
                "median, 5th to 95th percentile",
            ),
            (
                "length of the mean vector",
                f"{space.offset:.3f}",
                "in units of the root mean square distance from it; above 1 the offset that all "
                "tracks share outweighs what distinguishes them",
            ),
            (
                "mean cosine of two tracks",
                f"{space.mean_cosine:.3f}",
                "anisotropy: near 1 all vectors point the same way, and raw cosines say little",
            ),
            (
                "the same, centred",
                f"{space.mean_cosine_centred:.3f}",
                "after the mean vector was taken off",
            ),
            (
                "effective size",
                f"{space.effective_size:.1f} of {self.card.embedding_size:,}",
                "participation ratio of the principal components' variances",
            ),
            ("rows of zeros", str(space.zeros), "tracks without content"),
            ("repeated rows", str(space.duplicates), "equal to an earlier track's"),
        ]
        return pl.DataFrame(rows, schema=["what", "value", "how to read it"], orient="row")

    def norm_figure(self) -> Figure:
        """How the lengths of the vectors spread."""
        norms = np.linalg.norm(self.results.dataset.vectors(self.backend), axis=1)
        figure, axis = plt.subplots(figsize=(WIDTH, 2.6))
        axis.hist(norms, bins=40, color=BLUE)
        axis.set_xlabel("length of a track's vector")
        axis.set_ylabel("tracks")
        return closed(figure)

    # What is in it, and what it reaches

    def probes(self) -> pl.DataFrame:
        """One row per task: score, interval, chance, and MFCC of the same kind."""
        table = self.mir.scores.filter(backend=self.card.label).select(
            pl.col("task").map_elements(task_title, return_dtype=pl.String).alias("probe"),
            *("value", "low", "high", "chance", "MFCC", "tracks", "artists"),
        )
        if self.mir.mfcc(self.card.label) is None:
            return table.drop("MFCC")
        return table.rename({"MFCC": "sim:MFCC"} if is_surrogate(self.card.label) else {})

    def results_tables(self) -> list[tuple[str, pl.DataFrame]]:
        """Its row of every recommender's table, one table per scenario.

        `place` is among the backends of the same block.
        """
        tables = []
        frame = self.mir.recommended
        for scenario in self.results.study.scenarios:
            if not len(frame):
                continue
            block = frame.filter(
                pl.col("scenario") == scenario, pl.col("block") == self.card.origin
            ).with_columns(
                pl.col("mean").rank("min", descending=True).over("recommender").alias("rank"),
                pl.len().over("recommender").alias("of"),
            )
            mine = block.filter(pl.col("backend") == self.card.label)
            if not len(mine):
                continue
            table = mine.select(
                "recommender",
                pl.col("mean").alias(mine["metric"][0]),
                "low",
                "high",
                "chance",
                "shuffled",
                pl.format("{} of {}", "rank", "of").alias("place"),
                page=pl.format("runs/{}.html", "slug"),
            )
            if table["shuffled"].is_null().all():
                table = table.drop("shuffled")
            title = f"{scenario.capitalize()}; places among: {summary.BLOCKS[self.card.origin]}"
            tables.append((title, table))
        return tables


def _facts(rows: dict[str, Any]) -> pl.DataFrame:
    def text(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {text(inner)}" for name, inner in value.items())
        return str(value)

    return pl.DataFrame({"entry": list(rows), "value": [text(value) for value in rows.values()]})


def _clip(seconds: float) -> str:
    return f"the first {seconds:g} s" if seconds else "all of a file"


def _groups(tracks: pl.DataFrame, chosen: np.ndarray) -> list[tuple[str, Any, str, np.ndarray]]:
    """Label, colour, mark and rows [of chosen] of each genre, the rarest together as others."""
    genre = next((label for label in read_labels(tracks) if label.task == "genre"), None)
    if genre is None:
        return [("", BLUE, MARKS[0], np.ones(len(chosen), dtype=bool))]
    colours = mpl.color_sequences[COLOURS]
    codes = genre.values[chosen]
    counts = np.bincount(codes[codes >= 0], minlength=len(genre.names))
    frequent = np.argsort(-counts, kind="stable")[: 2 * len(colours)]
    groups = [
        (
            genre.names[code],
            colours[place % len(colours)],
            MARKS[place // len(colours)],
            codes == code,
        )
        for place, code in enumerate(frequent)
        if counts[code]
    ]
    rest = ~np.isin(codes, frequent)
    return groups + ([(OTHER, "#999999", MARKS[2], rest)] if rest.any() else [])
