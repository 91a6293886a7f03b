"""New tracks, continued: ceilings, the artist's mean, ablations, popularity, exposure, backends."""

from typing import Any

import numpy as np
import polars as pl
from IPython.display import Markdown

from mrs.evaluation.bootstrap import difference
from mrs.study.results import Cell
from mrs.study.store import Record, stacked
from mrs_book.chapters import coldstart
from mrs_book.chapters.coldstart import MAIN, REFERENCES, SLICES, is_ablation, method_name, names_of
from mrs_book.kit.summary import BLOCKS

SHOWN = MAIN.split("@")[1]  # list length, as `describe_new_tracks` has it
CONTENT_ONLY, WITH_ARTIST = "deepmusic", "acarec"  # compared on every backend
PARTS = ("all", "head", "tail")  # of the new tracks, by plays
NAMES = ("block", "method", "backend")


class Page(coldstart.Page):
    """The page of new tracks: that of `coldstart` and what goes beyond the slices."""

    def content_methods(self) -> pl.DataFrame:
        """The first two of the methods that read content alone over all new tracks, per backend.

        The difference is paired by user, with its 95 % interval over users and seeds.
        """
        by_backend: dict[str, list[tuple[float, str, list[Record]]]] = {}
        for cell in self.results.cells("cold"):
            variant, records = cell.recommender, self.records(cell)
            needs = variant.model.needs
            with_artist = "artists" in needs or variant.settings.get("use_artist")
            if cell.card and records and not with_artist and not is_ablation(variant):
                found = _level(records), method_name(variant), records
                by_backend.setdefault(cell.card.label, []).append(found)
        rows = []
        for backend, methods in by_backend.items():
            if len(methods) > 1:
                first, second = sorted(methods, key=lambda one: -one[0])[:2]
                row = {"backend": backend, "methods": len(methods), "first": first[1]}
                row |= {MAIN: first[0], "second": second[1]}
                rows.append(row | _gap(first[2], second[2]))
        return pl.DataFrame(rows)

    def below_chance(self) -> pl.DataFrame:
        """Rows of tracks with an unknown artist whose interval lies below chance."""
        if not len(self.frame):
            return self.frame
        return self.methods_frame.filter(
            ~pl.col("recommender").is_in(REFERENCES),
            pl.col(f"{MAIN} high") < pl.col(f"{MAIN} chance"),
            scenario="cold/unknown_artist",
        ).select("method", "backend", MAIN, f"{MAIN} low", f"{MAIN} high", f"{MAIN} chance")

    def artist_pairs(self) -> pl.DataFrame:
        """One row per method that has both forms, backend and slice: without, with, ratio."""
        if not len(self.frame):
            return self.frame
        rows = self.methods_frame.select(
            "scenario",
            "backend",
            pl.col("method").str.strip_suffix(" + artist"),
            MAIN,
            with_artist=pl.col("method").str.ends_with(" + artist"),
        )
        return (
            rows.filter("with_artist")
            .join(
                rows.filter(~pl.col("with_artist")),
                on=["scenario", "backend", "method"],
                suffix=" plain",
                maintain_order="left",
            )
            .select(
                pl.col("scenario").replace_strict(SLICES).alias("slice"),
                "method",
                "backend",
                pl.col(f"{MAIN} plain").alias("content only"),
                pl.col(MAIN).alias("with artist"),
                (pl.col(MAIN) / pl.col(f"{MAIN} plain").replace(0.0, None)).alias("ratio"),
            )
        )

    def ratio_ranges(self) -> pl.DataFrame:
        """One row per slice: the least and the greatest ratio of `artist_pairs`."""
        pairs, ratio = self.artist_pairs(), pl.col("ratio")
        if not len(pairs):
            return pairs
        ends = pl.len().alias("pairs"), ratio.min().alias("least"), ratio.max().alias("greatest")
        return pairs.group_by("slice", maintain_order=True).agg(*ends)

    def ablations(self) -> pl.DataFrame:
        """One row per ablation, backend and slice: `MAIN`, and its difference to the whole one."""
        rows = []
        for cell in self.results.cells():
            if not is_ablation(cell.recommender):
                continue
            whole = next(
                other
                for other in self.results.cells(cell.scenario)
                if other.recommender.name == cell.recommender.name
                and not other.recommender.distinct
                and other.backend == cell.backend
            )
            mine, base = self.records(cell), self.records(whole)
            if not mine or len(mine) != len(base):
                continue
            assert cell.card is not None  # these read content
            row = {
                "slice": SLICES[cell.scenario],
                "backend": cell.card.label,
                "variant": cell.recommender.label,
                "whole": _level(base),
                MAIN: _level(mine),
            }
            rows.append(row | _gap(mine, base))
        return pl.DataFrame(rows)

    def ablation_verdict(self) -> Markdown:
        found = self.ablations()
        if not len(found):
            return Markdown("No ablation has been run.")
        clear = found.filter((pl.col("high") < 0) | (pl.col("low") > 0))
        worse = len(clear.filter(pl.col("difference") < 0))
        return Markdown(
            f"{len(clear)} of {len(found)} intervals leave out zero; in {worse} of these the whole "
            "model is better."
        )

    def _new_tracks(self) -> list[tuple[Cell, list[dict]]]:
        """What runs of the whole cold scenario record about new tracks, one dict per seed."""
        found = []
        for cell in self.results.cells("cold"):
            infos = [r.info["new_tracks"] for r in self.records(cell) if "new_tracks" in r.info]
            if infos and not is_ablation(cell.recommender):
                found.append((cell, infos))
        return found

    def popularity(self) -> pl.DataFrame:
        """One row per method and backend: Spearman and calibrated error, means over seeds."""
        rows = []
        for cell, infos in self._new_tracks():
            row: dict[str, Any] = names_of(cell)
            for label, name in (("Spearman", "spearman"), ("MAE", "error")):
                for part in PARTS:
                    row[f"{label}, {part}"] = _mean([i["popularity"][part][name] for i in infos])
            rows.append(row)
        return pl.DataFrame(rows, infer_schema_length=None)

    def best_correlations(self) -> pl.DataFrame:
        """The method with the highest Spearman correlation over all new tracks, per block."""
        found = self.popularity()
        if not len(found):
            return found
        known = found.filter(~pl.col("method").str.starts_with("Oracle"))
        ranked = known.drop_nulls("Spearman, all").sort("Spearman, all", descending=True)
        best = ranked.group_by("block", maintain_order=True).first()
        return best.select(*NAMES, *(f"Spearman, {part}" for part in PARTS))

    def exposure(self) -> pl.DataFrame:
        """One row per method and backend: the share of list places by the artist's popularity.

        The first two rows are the shares of the candidates, and of what users played. `moved` is
        the share of places that would have to change group to reach the latter.
        """
        rows: list[dict[str, Any]] = []
        for cell, infos in self._new_tracks():
            groups = [{g["group"]: g for g in info["exposure"][SHOWN]} for info in infos]
            if not rows:
                for what in ("candidates", "truth"):
                    names = {"block": "Shares of", "method": what, "backend": None}
                    rows.append(names | {_group(g): row[what] for g, row in groups[0].items()})
            shares = {_group(g): _mean([seed[g]["places"] for seed in groups]) for g in groups[0]}
            rows.append(names_of(cell) | shares)
        frame = pl.DataFrame(rows, infer_schema_length=None)
        if not rows:
            return frame
        parts = frame.drop(NAMES).to_numpy()
        return frame.with_columns(moved=pl.Series(np.abs(parts - parts[1]).sum(axis=1) / 2))

    def backends(self) -> pl.DataFrame:
        """One row per backend and slice: DeepMusic and ACARec, and their difference by user."""
        rows = []
        for cell in self.results.cells():
            variant = cell.recommender
            if variant.name != WITH_ARTIST or is_ablation(variant) or cell.card is None:
                continue
            others = [
                other
                for other in self.results.cells(cell.scenario)
                if other.recommender.name == CONTENT_ONLY and other.backend == cell.backend
            ]
            pair = [self.records(one) for one in (cell, *others)]
            if len(pair) < 2 or not all(pair) or len({len(one) for one in pair}) > 1:
                continue
            row: dict[str, Any] = {
                "slice": SLICES[cell.scenario],
                "block": BLOCKS[cell.provenance],
                "backend": cell.card.label,
            }
            for one, records in zip((*others, cell), (*pair[1:], pair[0]), strict=True):
                row[method_name(one.recommender)] = _level(records)
            rows.append(row | _gap(pair[0], pair[1]))
        return pl.DataFrame(rows)

    def backends_by_slice(self) -> list[tuple[str, pl.DataFrame]]:
        """The parts of `backends`, computed and surrogate vectors separate, by slice."""
        table = self.backends()
        if not len(table):
            return []
        parts = table.sort("block", maintain_order=True).group_by("slice", maintain_order=True)
        return [(str(name).capitalize(), part.drop("slice")) for (name,), part in parts]

    def backend_counts(self) -> pl.DataFrame:
        """One row per slice and block: on how many backends ACARec is clearly better and worse."""
        table, gap = self.backends(), pl.col("difference")
        if not len(table):
            return table
        return table.group_by("slice", "block", maintain_order=True).agg(
            pl.len().alias("backends"),
            (pl.col("low") > 0).sum().alias("better"),
            (pl.col("high") < 0).sum().alias("worse"),
            gap.min().alias("least difference"),
            gap.max().alias("greatest difference"),
        )


def _gap(mine: list[Record], base: list[Record]) -> dict[str, float | None]:
    """The paired difference of `MAIN` with its interval."""
    bounds = difference(*(stacked(records, [MAIN]) for records in (mine, base)))
    return dict(zip(("difference", "low", "high"), bounds.rows()[0], strict=True))


def _level(records: list[Record]) -> float:
    return float(np.mean([record.values(MAIN) for record in records]))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _group(number: int) -> str:
    return f"quarter {number}" if number else "unknown artist"
