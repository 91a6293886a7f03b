"""Frames that tables and figures show, made of a study's records."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from mrs.evaluation.bootstrap import interval
from mrs.files import values_digest
from mrs.study.results import Cell, Results
from mrs.study.spec import METRICS
from mrs.study.store import Record, stacked
from mrs_book.kit.style import CONTROL, MEAN, SURROGATES, Source

SUMMARY_VERSION = 2  # raised when what `cell_summary` says of the same records changes

# Blocks in which rows are ranked and compared; never across them.
BLOCKS = {
    "none": "No vectors",
    "audio": "Vectors computed from audio",
    "file": "Vectors brought as files",
    "surrogate": "Surrogate vectors (sim:), generated, not the models' output",
}

# Properties of the generator that decide part of what tables of a generated world show.
BUILT_IN = (
    "What the generator builds in. A scene is constant over an artist's tracks, so that the mean "
    "of the artist's tracks is nearly the true model. Tastes are distances between traits, and "
    "surrogates are linear views of the traits: both favour KNN. The order of plays carries "
    "little, which gives sequence models little to learn."
)


def metric_names(ks: Sequence[int]) -> list[str]:
    """All metric names at these list lengths, "hitrate@10" and so on."""
    return [f"{metric}@{k}" for metric in METRICS for k in ks]


def cell_summary(results: Results, cell: Cell) -> pl.DataFrame | None:
    """One row a metric of a cell; None where the store has no record of it.

    Columns: metric, mean, low, high (95 % interval over users and seeds, null where there are too
    few users), chance, and, where the control was run, shuffled (mean over permutations),
    shuffled_low and shuffled_high (the least and the greatest permutation).
    """
    records, control = results.records(cell.runs), results.records(cell.shuffled)
    if not records:
        return None
    names = metric_names(results.study.k)
    keys = [[record.key for record in some] for some in (records, control)]
    return results.store.derived(
        values_digest(["cell_summary", SUMMARY_VERSION, names, *keys]),
        lambda: _cell_summary(records, control, names),
    )


def _cell_summary(
    records: Sequence[Record], control: Sequence[Record], names: list[str]
) -> pl.DataFrame:
    mean, low, high = zip(*interval(stacked(records, names)).rows(), strict=True)
    frame = {
        "metric": names,
        "mean": mean,
        "low": low,
        "high": high,
        "chance": [records[0].chance(name) for name in names],
    }
    columns: dict[str, np.ndarray | list[None]] = dict.fromkeys(
        ("shuffled", "shuffled_low", "shuffled_high"), [None] * len(names)
    )
    if control:
        means = stacked(control, names).mean(axis=1)
        columns = {
            "shuffled": means.mean(axis=0),
            "shuffled_low": means.min(axis=0),
            "shuffled_high": means.max(axis=0),
        }
    schema = dict.fromkeys(("low", "high", *columns), pl.Float64)
    return pl.DataFrame(frame | columns, schema_overrides=schema)


def summary(results: Results, cells: Sequence[Cell] | None = None) -> pl.DataFrame:
    """`cell_summary` of some cells (None: all), with what tells them apart.

    Further columns: recommender, backend (as shown; null without one), block (a key of BLOCKS),
    scenario, slug, n_users, converged.
    """
    frames = []
    for cell in results.cells() if cells is None else cells:
        frame = cell_summary(results, cell)
        if frame is None:
            continue
        records = results.records(cell.runs)
        ends = [record.info["converged"] for record in records]
        frames.append(
            frame.with_columns(
                recommender=pl.lit(cell.recommender.label),
                backend=pl.lit(cell.card.label if cell.card else None, dtype=pl.String),
                block=pl.lit(cell.provenance),
                scenario=pl.lit(cell.scenario),
                slug=pl.lit(cell.slug),
                n_users=pl.lit(records[0].info["n_users"]),
                converged=pl.lit(
                    None if all(end is None for end in ends) else all(ends), dtype=pl.Boolean
                ),
            )
        )
    return pl.concat(frames) if frames else pl.DataFrame()


def forest_rows(frame: pl.DataFrame, row: str) -> pl.DataFrame:
    """Rows of `figures.forest` named by a column: the means, the shuffled controls over them."""
    ends = ("", "_low", "_high")
    control = dict(zip(("value", "low", "high"), (f"shuffled{end}" for end in ends), strict=True))
    return pl.concat(
        rows.select(pl.col(row).alias("row"), group=pl.lit(name), lane=pl.lit(""), **columns)
        for rows, name, columns in (
            (frame, MEAN, {"value": "mean", "low": "low", "high": "high"}),
            (frame.drop_nulls("shuffled"), CONTROL, control),
        )
    )


def leaderboard(frame: pl.DataFrame, block: str, metric: str) -> pl.DataFrame:
    """One row a cell of a block, best first: the metric's mean, low, high, chance, shuffled mean.

    `page` is the address of the cell's page. Columns that would be empty are left out.
    """
    table = (
        frame.filter(pl.col("block") == block, pl.col("metric") == metric)
        .sort("mean", descending=True, maintain_order=True)
        .select(
            "recommender",
            "backend",
            pl.col("mean").alias(metric),
            "low",
            "high",
            "chance",
            "shuffled",
            "converged",
            page=pl.format("runs/{}.html", "slug"),
        )
    )
    empty = [name for name in ("backend", "shuffled", "converged") if table[name].is_null().all()]
    return table.drop(empty)


def source_of(results: Results) -> Source:
    """What the tables and figures of a study rest on."""
    dataset, origins = results.dataset, {cell.provenance for cell in results.cells()}
    plays = "listeners, plays and tracks are generated" if dataset.generated else "real plays"
    parts = [plays if dataset.generated else f"{plays} of {dataset.name}"]
    if dataset.renderer is not None and "audio" in origins:
        parts.append("sound is rendered")
    if "surrogate" in origins:
        parts.append(SURROGATES)
    return Source("generated" if dataset.generated else "real", "; ".join(parts))


def provenance_sentence(results: Results) -> str:
    """What every page says of where its numbers come from."""
    origins = {cell.provenance for cell in results.cells()}
    parts = []
    if results.dataset.generated:
        parts.append("Listeners, tracks and plays are generated: nobody listened to this.")
    else:
        parts.append(f"Plays are real ({results.dataset.name}).")
    if results.dataset.renderer is not None and "audio" in origins:
        heard = sorted(
            {c.card.label for c in results.cells() if c.card and c.provenance == "audio"}
        )
        parts.append(
            f"Vectors of {' and '.join(heard)} were computed from sound that was rendered from the "
            "tracks' generated traits; no track is music that anybody made."
        )
    if "surrogate" in origins:
        parts.append(
            "Rows marked `sim:` rest on surrogate vectors, generated views of the tracks' traits: "
            "they show what a protocol can tell apart and say nothing about the models whose "
            "names they bear."
        )
    if results.dataset.generated:
        parts.append("No conclusion about a published claim is drawn from them.")
    return " ".join(parts)
