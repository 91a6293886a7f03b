"""How definitions of metrics order systems: agreement of orders, and systems that change places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
from scipy.stats import rankdata

from mrs.evaluation.metrics import BEYOND, CLASSES, METRICS, label_of

DIGITS = 12  # values that differ beyond are equal but for rounding
LABELS = {name: label_of(name) for name in (*CLASSES, *BEYOND)}
ACROSS = "Across names"

Definition = tuple[str, str]  # metric and class, ("map", "min")
Leads = Mapping[Definition, np.ndarray]  # bool [n x n] of `metrics_classes.clear_leads`

# One definition per name: those that the study reports.
DEFAULTS: list[Definition] = [(name, metric.variant) for name, metric in METRICS.items()]


@dataclass(frozen=True)
class Reversal:
    """Two systems that change places between two definitions.

    `ahead` stands `places_first` places above `behind` under the first definition and
    `places_second` places below it under the second.
    """

    ahead: str
    behind: str
    places_first: int
    places_second: int


def boards(frame: pl.DataFrame) -> pd.DataFrame:
    """One row per system, one column per (metric, class), of one scenario, block and cutoff.

    `frame` has the columns of `metrics_classes.SCHEMA`; rows and columns keep its order. Classes
    that have no value for some system are left out, and values that differ by rounding alone are
    made equal.
    """
    long = pd.DataFrame(frame.select("cell", "metric", "class", "value").to_dict(as_series=False))
    wide = long.pivot(index="cell", columns=["metric", "class"], values="value")
    columns = list(dict.fromkeys(zip(long["metric"], long["class"], strict=True)))
    ordered = wide.loc[list(dict.fromkeys(long["cell"])), columns]
    return ordered.dropna(axis="columns").round(DIGITS)


def agreement(board: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau-b between the orders of the systems under each pair of definitions.

    NaN where a definition holds all systems equal.
    """
    return board.corr(method="kendall")


def leads(values: pd.Series) -> np.ndarray:
    """[i, j]: how many places system i stands above system j; equal values share the best place."""
    places = rankdata(-values.to_numpy(), method="min").astype(int)
    return places[None, :] - places[:, None]


def swaps(first: pd.Series, second: pd.Series) -> np.ndarray:
    """bool [i, j]: system i stands above j under the first definition and below under the other."""
    return (leads(first) > 0) & (leads(second) < 0)


def reversal(
    first: pd.Series, second: pd.Series, among: np.ndarray | None = None
) -> Reversal | None:
    """The largest reversal of two systems between two definitions, None where no pair changes.

    Largest: by the smaller of the two numbers of places, then by their sum, then the first.
    `among` limits the pairs of systems to those where it is True, bool [n x n].
    """
    lead_first, lead_second = leads(first), leads(second)
    size = np.minimum(lead_first, -lead_second)
    size = size if among is None else np.where(among, size, 0)
    if size.max() < 1:
        return None
    total = np.where(size == size.max(), lead_first - lead_second, -1)
    i, j = np.unravel_index(total.argmax(), total.shape)
    return Reversal(
        ahead=str(first.index[i]),
        behind=str(first.index[j]),
        places_first=int(lead_first[i, j]),
        places_second=int(-lead_second[i, j]),
    )


def largest_reversal(
    board: pd.DataFrame, definitions: Sequence[Definition], clear: Leads | None = None
) -> tuple[Definition, Definition, Reversal] | None:
    """The largest reversal over all pairs of these definitions, None where no order changes.

    With `clear`, only reversals whose lead is clear under both definitions.
    """
    best: tuple[Definition, Definition, Reversal] | None = None
    for one, other in combinations(definitions, 2):
        among = None if clear is None else _clear_swaps(clear, one, other, len(board))
        found = reversal(board[one], board[other], among)
        if found and (best is None or _size(found) > _size(best[2])):
            best = one, other, found
    return best


def count_swaps(
    board: pd.DataFrame, definitions: Sequence[Definition], clear: Leads
) -> tuple[int, int]:
    """Pairs of systems that swap, over all pairs of these definitions, and how many are clear."""
    every = clearly = 0
    for one, other in combinations(definitions, 2):
        every += int(swaps(board[one], board[other]).sum())
        clearly += int(_clear_swaps(clear, one, other, len(board)).sum())
    return every, clearly


def _clear_swaps(clear: Leads, one: Definition, other: Definition, n: int) -> np.ndarray:
    if one not in clear or other not in clear:
        return np.zeros((n, n), dtype=bool)
    return clear[one] & clear[other].T


def _size(found: Reversal) -> tuple[int, int]:
    places = found.places_first, found.places_second
    return min(places), sum(places)


def definitions_by_name(board: pd.DataFrame) -> dict[str, list[Definition]]:
    """The definitions compared with each other: by name, and one of each name across names."""
    groups: dict[str, list[Definition]] = {}
    for metric, name in board.columns:
        groups.setdefault(LABELS[metric], []).append((metric, name))
    across = [definition for definition in DEFAULTS if definition in board.columns]
    return groups | {ACROSS: across}


def agreement_table(frame: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """One row per name: its definitions, their pairs, and at each cutoff those whose orders differ.

    `frame` is of one scenario and block. Columns: name, definitions, pairs, and "differ @k" (pairs
    with tau-b below 1) and "least tau-b @k" for each k.
    """
    rows: dict[str, dict[str, object]] = {}
    for k in ks:
        board = boards(frame.filter(k=k))
        for name, definitions in definitions_by_name(board).items():
            tau = agreement(board[definitions]).to_numpy()
            pairs = tau[np.triu_indices(len(definitions), 1)]
            if not len(pairs):
                continue
            row = rows.setdefault(
                name, {"name": name, "definitions": len(definitions), "pairs": len(pairs)}
            )
            row[f"differ @{k}"] = int((pairs < 1 - 1e-9).sum())
            row[f"least tau-b @{k}"] = None if np.isnan(pairs).all() else float(np.nanmin(pairs))
    return pl.DataFrame(list(rows.values()))


def short_name(definition: Definition, group: str) -> str:
    """A definition within its group: the class alone under its own name."""
    metric, name = definition
    return name if LABELS[metric] == group else f"{LABELS[metric]} {name}"
