"""What BERT4Rec gains from whole histories, read from the study at length."""

from pathlib import Path

import polars as pl

from mrs.study.results import Results
from mrs_book.kit.contrasts import against_variant
from mrs_book.kit.parameters import open_results, required
from mrs_book.kit.questions import companion_files, variant_pairs

FULL = "demo-full"  # the study at length, beside the default one
SETTING, SHORT = "max_length", 50  # places of a history, the mask's own included


def files(study: str | Path) -> list[Path]:
    """The study at length beside the default one, and its archive; empty for other studies."""
    return companion_files(study, [FULL])


def differences(results: Results) -> pl.DataFrame:
    """A row per recommender, scenario and backend: whole histories, the `SHORT` - 1 newest tracks.

    The interval of their difference is that of `mrs_book.kit.contrasts.against_variant`. `page`
    is that of the cell with whole histories.
    """
    cells = [
        (whole, short)
        for pair in variant_pairs(results.study, SETTING, SHORT)
        for short, whole in pair.cells(results)
    ]
    return against_variant(results, cells).select(
        "recommender",
        "scenario",
        "backend",
        "metric",
        pl.col("second").alias(f"{SHORT - 1} tracks"),
        pl.col("first").alias("whole histories"),
        "difference",
        pl.col("low").alias("from"),
        pl.col("high").alias("to"),
        page=pl.format("runs/{}.html", "slug"),
    )


def open_differences(study: str, store: str) -> pl.DataFrame:
    """See `differences`; empty where the study at length is not beside the study file."""
    found = files(required("study", study))
    return differences(open_results(found[0].as_posix(), store)) if found else pl.DataFrame()


def text(frame: pl.DataFrame) -> str:
    """What the table says, a sentence a scenario."""
    lines = [
        f"The hyper-parameters of BERT4Rec were searched where it read {SHORT - 1} tracks of each "
        "history. The study reads histories of the published length with the same values. What "
        "that changes, everything else being equal:"
    ]
    for (scenario,), rows in frame.group_by("scenario", maintain_order=True):
        better = rows.filter(pl.col("from") > 0).height
        worse = rows.filter(pl.col("to") < 0).height
        lines.append(
            f"- {scenario}: whole histories are better on {better} and worse on {worse} of "
            f"{len(rows)} backends by the intervals; the mean difference of {rows['metric'][0]} is "
            f"{rows['difference'].to_numpy().mean():+.4f}."
        )
    return "\n".join(lines)
