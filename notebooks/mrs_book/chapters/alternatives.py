"""Other settings of recommenders: a study's variants beside the first of the same recommender.

Such a study lists a recommender as it is run elsewhere and then with something set otherwise.
"""

from typing import Any

import polars as pl

from mrs.evaluation.bootstrap import difference, interval
from mrs.recommenders.cards import plain
from mrs.study.results import Cell, Results
from mrs.study.study import Variant
from mrs_book.chapters.deviations import signed
from mrs_book.kit.summary import BLOCKS


def alternatives(results: Results, scenario: str) -> pl.DataFrame:
    """One row per variant and backend that has runs, a recommender's first variant above the rest.

    Columns: block, recommender, backend, set (what differs from the first), seeds, the primary
    metric with low and high, converged, how many fits kept their first epoch, and for the others
    difference, from, to: minus the first, paired by user. Intervals are 95 % ones over users and
    seeds, null where there are too few users.
    """
    metric, cells = results.primary(scenario), results.cells(scenario)
    rows = []
    for cell in cells:
        values = results.primary_values(cell.runs)
        if values is None:
            continue
        first = next(other for other in cells if _beside(other, cell))
        infos = [record.info for record in results.records(cell.runs)]
        ended = [info["converged"] for info in infos]
        ((mean, low, high),) = interval(values[:, :, None]).rows()
        row: dict[str, Any] = {
            "block": BLOCKS[cell.provenance],
            "recommender": cell.recommender.model.label,
            "backend": cell.card.label if cell.card else None,
            "set": changed(cell.recommender, first.recommender),
            "seeds": len(values),
            metric: mean,
            "low": low,
            "high": high,
            "converged": None if None in ended else all(ended),
            "first epoch kept": sum(map(kept_first_epoch, infos)),
        }
        base = results.primary_values(first.runs)
        if first is not cell and base is not None:
            (ends,) = difference(values[:, :, None], base[:, :, None]).rows()
            row |= dict(zip(("difference", "from", "to"), ends, strict=True))
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def kept_first_epoch(info: dict[str, Any]) -> bool:
    """Whether a fit stopped by itself and no epoch was better than the first."""
    return bool(info["converged"]) and len(info["curve"]) == info["settings"]["patience"] + 1


def _beside(other: Cell, cell: Cell) -> bool:
    return (other.recommender.name, other.backend) == (cell.recommender.name, cell.backend)


def changed(variant: Variant, first: Variant) -> str:
    """What a variant sets otherwise than `first`; for the same, "as elsewhere"."""
    mine, other = variant.model.settings(), first.model.settings()
    found = [f"{name} {plain(value)}" for name, value in mine.items() if value != other[name]]
    if variant.protocol != first.protocol:
        found.append(f"protocol {variant.protocol}")
    return ", ".join(found) or "as elsewhere"


def clear_text(table: pl.DataFrame) -> str:
    """How many of a table's differences are clear, and the largest, in words."""
    others = table.drop_nulls("difference") if "difference" in table.columns else table.clear()
    if not len(others):
        return "No alternative has been run."
    clear = others.filter((pl.col("from") > 0) | (pl.col("to") < 0))
    text = (
        f"In {len(clear)} of {len(others)} comparisons the 95 % interval of the difference to the "
        "first row, paired by user, leaves out zero"
    )
    if not len(clear):
        return text + "."
    better = len(clear.filter(pl.col("difference") > 0))
    most = clear.sort(pl.col("difference").abs(), descending=True).row(0, named=True)
    on = f" on {most['backend']}" if most["backend"] else ""
    return (
        f"{text}; in {better} of them the alternative is better. The largest is "
        f"{most['recommender']}{on}, {most['set']}: {signed(most['difference'])} "
        f"({signed(most['from'])} to {signed(most['to'])})."
    )
