"""Runs that a chapter reads from the archive that a study file names; no store is needed."""

import json
from functools import cached_property
from pathlib import Path

import polars as pl
from IPython.display import Markdown

from mrs.study.archive import IDENTITY, open_archive
from mrs.study.study import load_study
from mrs_book.kit.prose import note


class ArchivePage:
    """The runs of a study file's archive; without the archive it has none.

    `COMMAND` makes the archive.
    """

    COMMAND = ""

    def __init__(self, study: str | Path) -> None:
        self.study = load_study(study)
        self.archive = open_archive(self.study.archive)

    @cached_property
    def runs(self) -> pl.DataFrame:
        """One row per run of the study's variants, in their order; `variant` is their label.

        Other columns as in `mrs.study.archive.Archive.runs`.
        """
        frames = [pl.DataFrame(schema={"place": pl.UInt32, **IDENTITY, "variant": pl.String})]
        if self.archive is not None:
            every = self.archive.runs
            settings = [json.loads(text) for text in every["settings"]]
            for variant in self.study.recommenders:
                full = variant.model.settings()
                same = pl.Series([theirs == full for theirs in settings], dtype=pl.Boolean)
                mine = every.filter((pl.col("recommender") == variant.name) & same)
                frames.append(mine.with_columns(variant=pl.lit(variant.label)))
        return pl.concat(frames, how="diagonal_relaxed")

    def origin(self) -> Markdown:
        """When, where and how the archive was made, and what it lacks."""
        text = note(self.study.note)
        if self.archive is None:
            return Markdown(
                f"**Not computed here.** `{self.COMMAND}` makes `{self.study.archive}`. {text}"
            )
        about, there = self.archive.about, set(self.runs["variant"])
        absent = [v.label for v in self.study.recommenders if v.label not in there]
        lacking = f" It lacks {', '.join(absent)}, which `{self.COMMAND}` runs." if absent else ""
        return Markdown(
            f"{text} {about['n_runs']:,} runs of {about['created']}, made by `{about['command']}` "
            f"in {about['seconds'] / 60:.0f} minutes of fitting and ranking on "
            f"{' and '.join(about['machine'])}.{lacking}"
        )
