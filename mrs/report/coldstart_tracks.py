"""The part on new tracks, further: ceilings, pairs, ablations, popularity, exposure, backends."""

from typing import Any

import numpy as np
import polars as pl

from mrs.evaluation.bootstrap import difference
from mrs.report.coldstart import (
    MAIN,
    REFERENCES,
    SLICES,
    ColdStartPage,
    is_ablation,
    method_name,
    names_of,
)
from mrs.report.deviations import signed, signed_ends
from mrs.report.summary import BLOCKS
from mrs.study.results import Cell
from mrs.study.store import Record, stacked

SHOWN = MAIN.split("@")[1]  # list length, as `describe_new_tracks` has it
CONTENT_ONLY, WITH_ARTIST = "deepmusic", "acarec"  # compared on every backend


def _gap(mine: list[Record], base: list[Record]) -> dict[str, float | None]:
    """The paired difference of `MAIN` with its interval."""
    bounds = difference(*(stacked(records, [MAIN]) for records in (mine, base)))
    return dict(zip(("difference", "low", "high"), bounds.rows()[0], strict=True))


def _level(records: list[Record]) -> float:
    return float(np.mean([record.values(MAIN) for record in records]))


def content_text(page: ColdStartPage) -> str:
    """The first two of the methods that read content alone over all new tracks, per backend."""
    by_backend: dict[str, list[tuple[float, str, list[Record]]]] = {}
    for cell in page.results.cells("cold"):
        variant, records = cell.recommender, page.records(cell)
        needs = variant.model.needs
        with_artist = "artists" in needs or variant.settings.get("use_artist")
        if cell.card and records and not with_artist and not is_ablation(variant):
            found = _level(records), method_name(variant), records
            by_backend.setdefault(cell.card.label, []).append(found)
    lines = []
    for backend, methods in by_backend.items():
        if len(methods) < 2:
            continue
        first, second = sorted(methods, key=lambda one: -one[0])[:2]
        gap = _gap(first[2], second[2])
        low = gap["low"]
        clear = "" if low is None or low > 0 else ", which does not leave out zero"
        lines.append(
            f"- Of {len(methods)} methods that read content alone, {first[1]} is first on "
            f"{backend} with {first[0]:.4f} over all new tracks. It lies "
            f"{signed(first[0] - second[0])} above {second[1]} "
            f"({signed_ends(gap)}{clear})."
        )
    return "\n".join(lines)


def fallback_text(page: ColdStartPage) -> str:
    """What becomes of tracks whose artist has no catalogue."""
    rows = page.frame.filter(
        pl.col("scenario") == "cold/unknown_artist",
        ~pl.col("ablation"),
        ~pl.col("recommender").is_in(REFERENCES),
    )
    below = rows.filter(pl.col(f"{MAIN} high") < pl.col(f"{MAIN} chance"))
    if not len(below):
        return ""
    names = ", ".join(dict.fromkeys(below["method"]))
    return (
        f"With an unknown artist, {len(below)} of {len(rows)} rows lie below chance ({names}): "
        "these tracks stand in one list with those that have an artist's mean, and a method "
        "that leans on it puts them last."
    )


def ceiling_text(page: ColdStartPage) -> str:
    """Why the oracle is low in discovery."""
    low, high = (page.value(f"cold/{name}", "oracle") for name in ("discovery", "exploit"))
    if low is None or high is None:
        return ""
    order = "below" if low < high else "not below"
    text = (
        f"The oracle reaches {low:.4f} in discovery, {order} its {high:.4f} in exploit. Both "
        "rank the same candidates, all new tracks."
    )
    if low < high:
        text += (
            " Those of artists whom the listener already plays are the likelier ones and rank "
            "first, and in discovery none of them counts: this ceiling belongs to the task, "
            "and values of two slices do not compare."
        )
    return text


def artist_pairs(page: ColdStartPage) -> pl.DataFrame:
    """A row a method that has both forms, backend and slice: without, with, ratio."""
    rows = []
    for row in page.frame.filter(~pl.col("ablation")).iter_rows(named=True):
        plain = row["method"].removesuffix(" + artist")
        if plain == row["method"]:
            continue
        other = page.frame.filter(
            pl.col("scenario") == row["scenario"],
            pl.col("method") == plain,
            pl.col("backend") == row["backend"],
        )
        if len(other):
            content = other[MAIN][0]
            rows.append(
                {
                    "slice": SLICES[row["scenario"]],
                    "method": plain,
                    "backend": row["backend"],
                    "content only": content,
                    "with artist": row[MAIN],
                    "ratio": row[MAIN] / content if content else None,
                }
            )
    return pl.DataFrame(rows)


def pairs_text(page: ColdStartPage) -> str:
    """How much the artist's mean changes each slice, in words."""
    pairs = artist_pairs(page)
    lines = []
    for (name,), mine in pairs.group_by("slice", maintain_order=True) if len(pairs) else ():
        ratios = mine["ratio"].drop_nulls().sort()
        if len(ratios):
            ends = dict.fromkeys(f"{ratios[place]:.2f}" for place in (0, -1))
            lines.append(
                f"- {str(name).capitalize()}: with the artist's mean beside the content, {MAIN} is "
                f"{' to '.join(ends)} times that of content alone, over {len(ratios)} pair(s)."
            )
    if lines:
        lines.append(
            "\nThe world's artists share part of their tracks' traits by construction. How "
            "large these ratios are is hence a property of the generator, and no finding."
        )
    return "\n".join(lines)


def ablations(page: ColdStartPage) -> pl.DataFrame:
    """A row an ablation, backend and slice: `MAIN`, and its difference to the whole model."""
    rows = []
    for cell in page.results.cells():
        if not is_ablation(cell.recommender):
            continue
        whole = next(
            other
            for other in page.results.cells(cell.scenario)
            if other.recommender.name == cell.recommender.name
            and not other.recommender.distinct
            and other.backend == cell.backend
        )
        mine, base = page.records(cell), page.records(whole)
        if not mine or len(mine) != len(base):
            continue
        assert cell.card is not None  # these read content
        rows.append(
            {
                "slice": SLICES[cell.scenario],
                "backend": cell.card.label,
                "variant": cell.recommender.label,
                "whole": _level(base),
                MAIN: _level(mine),
            }
            | _gap(mine, base)
        )
    return pl.DataFrame(rows)


def ablation_text(page: ColdStartPage) -> str:
    """Which ablations change anything, in words."""
    found = ablations(page)
    if not len(found):
        return "No ablation has been run."
    clear = found.filter((pl.col("high") < 0) | (pl.col("low") > 0))
    text = (
        f"In {len(clear)} of {len(found)} comparisons (ablation, slice, backend) the 95 % "
        "interval of the difference, paired by user, leaves out zero"
    )
    if not len(clear):
        return text + "."
    most = clear.sort(pl.col("difference").abs(), descending=True).row(0, named=True)
    worse = len(clear.filter(pl.col("difference") < 0))
    return (
        f"{text}; in {worse} of them the whole model is better. The largest is "
        f"{most['variant']} on {most['backend']}, {most['slice']}: "
        f"{signed(most['difference'])} ({signed(most['low'])} to {signed(most['high'])})."
    )


def _told(page: ColdStartPage) -> list[tuple[Cell, list[dict]]]:
    """What runs of the whole cold scenario say of the tracks, a list over seeds each."""
    found = []
    for cell in page.results.cells("cold"):
        told = [r.info["new_tracks"] for r in page.records(cell) if "new_tracks" in r.info]
        if told and not is_ablation(cell.recommender):
            found.append((cell, told))
    return found


def popularity(page: ColdStartPage) -> pl.DataFrame:
    """A row a method and backend: Spearman, calibrated error and expected plays, over seeds."""
    rows = []
    for cell, told in _told(page):
        row: dict[str, Any] = names_of(cell)
        for part in ("all", "head", "tail"):
            row[f"Spearman, {part}"] = _mean([t["popularity"][part]["spearman"] for t in told])
        for part in ("all", "head", "tail"):
            row[f"MAE, {part}"] = _mean([t["popularity"][part]["error"] for t in told])
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def popularity_text(page: ColdStartPage) -> str:
    """Who tells popular new tracks from others, in words."""
    found = popularity(page)
    if not len(found):
        return "No run tells of the new tracks' popularity."
    column = "Spearman, all"
    known = found.filter(~pl.col("method").str.starts_with("Oracle")).drop_nulls(column)
    if not len(known):
        return "No method's prediction varies between tracks."
    lines = [
        "The highest rank correlation with the plays of the test period, by kind of vectors:\n"
    ]
    for _, mine in known.group_by("block", maintain_order=True):
        best = mine.sort(column, descending=True).row(0, named=True)
        on = f" on {best['backend']}" if best["backend"] else ""
        tail, head = best["Spearman, tail"], best["Spearman, head"]
        within = (
            f"; {head:.2f} within the head, {tail:.2f} within the tail"
            if tail is not None and head is not None
            else ""
        )
        lines.append(f"- {best['block']}: {best['method']}{on}, {best[column]:.2f}{within}.")
    return "\n".join(lines)


def exposure(page: ColdStartPage) -> pl.DataFrame:
    """A row a method and backend: the share of list places by the artist's popularity.

    The first two rows are the shares of the candidates, and of what listeners played.
    """
    rows: list[dict[str, Any]] = []
    for cell, told in _told(page):
        groups = [{g["group"]: g for g in t["exposure"][SHOWN]} for t in told]
        if not rows:
            for what in ("candidates", "truth"):
                names = {"block": "Shares of", "method": what, "backend": None}
                rows.append(names | {_group(g): row[what] for g, row in groups[0].items()})
        shares = {_group(g): _mean([seed[g]["places"] for seed in groups]) for g in groups[0]}
        rows.append(names_of(cell) | shares)
    return pl.DataFrame(rows, infer_schema_length=None)


def exposure_text(page: ColdStartPage) -> str:
    """Which method shows artists most unlike what was played, in words."""
    frame = exposure(page)
    if not len(frame):
        return "No run tells whose tracks are shown."
    methods = frame[2:].filter(~pl.col("method").str.starts_with("Oracle"))
    if not len(methods):
        return "No method tells whose tracks are shown."
    columns = [name for name in frame.columns if name not in ("block", "method", "backend")]
    true, shares = frame[1].select(columns).to_numpy(), methods.select(columns).to_numpy()
    away = np.abs(shares - true).sum(axis=1) / 2
    methods = methods.with_columns(away=pl.Series(away))
    lines = [
        "The share of places that would have to change group to reach the shares of what listeners "
        "played, by kind of vectors:\n"
    ]
    for (block,), mine in methods.group_by("block", maintain_order=True):
        ranked = mine.sort("away", maintain_order=True).rows(named=True)
        least, most = (
            f"{' on '.join(filter(None, (row['method'], row['backend'])))}, {row['away']:.0%}"
            for row in (ranked[0], ranked[-1])
        )
        lines.append(f"- {block}: least {least}; most {most}.")
    return "\n".join(lines)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _group(number: int) -> str:
    return f"quarter {number}" if number else "unknown artist"


def backends(page: ColdStartPage) -> pl.DataFrame:
    """A row a backend and slice: DeepMusic and ACARec, and their difference by user."""
    rows = []
    results = page.results
    for cell in results.cells():
        variant = cell.recommender
        if variant.name != WITH_ARTIST or is_ablation(variant) or cell.card is None:
            continue
        others = [
            other
            for other in results.cells(cell.scenario)
            if other.recommender.name == CONTENT_ONLY and other.backend == cell.backend
        ]
        pair = [page.records(one) for one in (cell, *others)]
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


def backends_by_slice(page: ColdStartPage) -> list[tuple[str, pl.DataFrame]]:
    """The parts of `backends`, heard and surrogate vectors apart, each with its slice's name."""
    table = backends(page)
    if not len(table):
        return []
    parts = table.sort("block", maintain_order=True).group_by("slice", maintain_order=True)
    return [(str(name).capitalize(), part.drop("slice")) for (name,), part in parts]


def backends_text(page: ColdStartPage) -> str:
    """To how many backends the catalogue adds, by slice."""
    table = backends(page)
    lines = []
    groups = table.group_by("slice", "block", maintain_order=True) if len(table) else ()
    for (name, block), mine in groups:
        more = len(mine.filter(pl.col("low") > 0))
        less = len(mine.filter(pl.col("high") < 0))
        gaps = mine["difference"].sort()
        ends = dict.fromkeys(signed(gaps[place]) for place in (0, -1))
        lines.append(
            f"- {str(name).capitalize()}. {block}: ACARec lies above content alone on {more} of "
            f"{len(mine)} backend(s) and below on {less}, intervals paired by user; it adds "
            f"{' to '.join(ends)}."
        )
    return "\n".join(lines) or "No pair of runs is there."
