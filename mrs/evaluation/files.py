"""Ranked lists and truth of any origin, read from two parquet files.

Ranked: user_id, track_id or item_id, and rank (1 is the best) or score (higher is better). Truth:
user_id, track_id or item_id, and where known rating. Other columns are ignored.

What is refused, in one line with file and row: a null or NaN, an item twice in a list or in a
user's truth, two ranks alike, a gap in the ranks, scores that rise along the ranks, a negative
rating, ids of another kind in the other file. What a rule settles, `Files.notes` counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse as sp

from mrs.data.checks import read_frame, refuse_duplicates
from mrs.data.tables import read_parquet, scan_parquet
from mrs.errors import InputError
from mrs.evaluation.metrics import Judged, Listed, Means, class_means, left_out
from mrs.evaluation.metrics.base import check_cutoffs

ITEM_COLUMNS = ("track_id", "item_id")
TIE_SEED = 0


@dataclass(frozen=True, eq=False)
class Files:
    """The two files, ready for the metrics.

    Users are those with a relevant item, in the order of their ids; items are numbered in the order
    of theirs. `notes` are the rules that were needed, a line each.
    """

    judged: Judged
    listed: Listed
    users: pl.Series
    items: pl.Series
    notes: list[str]


@dataclass(frozen=True)
class FileMeans:
    """Every class at every cutoff, {k: {metric: {class: value}}}, and what rules were needed."""

    means: Means
    n_users: int
    notes: list[str]

    def as_json(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """The means with cutoffs as strings and null where nothing defines a value."""
        return {
            str(k): {
                metric: {name: None if isnan(x) else x for name, x in classes.items()}
                for metric, classes in metrics.items()
            }
            for k, metrics in self.means.items()
        }

    def as_text(self) -> str:
        """A table with one line per class and one column per cutoff."""
        lines = [f"{'metric':22}{'class':25}" + "".join(f"{f'@{k}':>10}" for k in self.means)]
        for metric, classes in next(iter(self.means.values())).items():
            for name in classes:
                values = (at_k[metric][name] for at_k in self.means.values())
                lines.append(f"{metric:22}{name:25}" + "".join(f"{x:10.6f}" for x in values))
        return "\n".join([*lines, f"{self.n_users} users"])


def file_means(
    ranked: Path,
    truth: Path,
    ks: Sequence[int],
    *,
    n_items: int | None = None,
    users: str = "all",
) -> FileMeans:
    """Every class that the two files allow, at each cutoff; `read_lists` says what they hold.

    users: "all" takes a missing list for an empty one, "with-list" leaves it out.

    Raises InputError as `read_lists`, for another `users`, and for a cutoff below 1 or beyond the
    longest list.
    """
    check_cutoffs(ks)
    files = read_lists(ranked, truth, n_items)
    if max(ks) > files.judged.depth:
        raise InputError(
            f"{ranked}: the cutoff {max(ks)} is beyond the lists, the longest of which holds "
            f"{files.judged.depth} ranks; lower k or rank more"
        )
    means = class_means(files.judged, ks, listed=files.listed, users=users)
    missing = [
        f"{why}: left out {', '.join(names)}"
        for why, names in left_out(files.judged, files.listed).items()
    ]
    n_users = len(files.users) if users == "all" else int((files.judged.n_listed > 0).sum())
    return FileMeans(means, n_users, files.notes + missing)


def read_lists(ranked: Path, truth: Path, n_items: int | None = None) -> Files:
    """Read both files and match the lists with the truth.

    Users of the truth without a list have an empty one; users without a relevant item are left
    out. A rating of 0 means not relevant. Where there is a rank it orders the list; else the score
    does, and items with equal scores are put into a random order that is the same for all users
    and does not depend on the order of rows or ids.

    n_items: how many items could be listed; default: the distinct items of both files.

    Raises InputError as the module says.
    """
    lists, relevant = _read_ranked(ranked), _read_truth(truth)
    _refuse_other_kinds(ranked, lists, truth, relevant)
    items = pl.concat([lists["item"], relevant["item"]]).unique().sort()
    if n_items is not None and n_items < len(items):
        raise InputError(
            f"n-items={n_items}: {ranked} and {truth} hold {len(items)} distinct items; "
            "count all that could be listed"
        )
    notes = []
    graded = "rating" in relevant.columns
    if graded and (zeros := relevant.filter(pl.col("rating") == 0)).height:
        notes.append(f"{zeros.height} rows of {truth} have the rating 0: not relevant")
        relevant = relevant.filter(pl.col("rating") > 0)
    users = relevant["user"].unique().sort()
    if users.is_empty():
        raise InputError(f"{truth}: no row has a rating above 0; nothing is relevant")
    known = lists.filter(pl.col("user").is_in(users.implode()))
    if known.is_empty():
        raise InputError(f"{ranked}: no user has a row in {truth}; are the ids the same?")
    if n_left := lists["user"].n_unique() - known["user"].n_unique():
        notes.append(f"{n_left} users of {ranked} have no relevant item and are left out")
    row, item = _codes(known["user"], users), _codes(known["item"], items)
    order, n_tied = _order(known, row, item, len(items))
    if n_tied:
        notes.append(f"{n_tied} rows of {ranked} share a score within a list: random order")
    n_listed = np.bincount(row, minlength=len(users))
    place = np.arange(len(row)) - np.repeat(np.cumsum(n_listed) - n_listed, n_listed)
    shape = (len(users), int(n_listed.max()))
    ranking = np.full(shape, -1, dtype=np.int32)
    ranking[row[order], place] = item[order]
    scores = None
    if "score" in known.columns:
        scores = np.full(shape, np.nan)
        scores[row[order], place] = known["score"].to_numpy()[order]
    if n_without := int((n_listed == 0).sum()):
        notes.append(f"{n_without} of {len(users)} users with relevant items have no list")
    if n_short := int(((n_listed > 0) & (n_listed < shape[1])).sum()):
        notes.append(f"{n_short} lists are shorter than {shape[1]}: their missing ranks are misses")
    n_all = n_items or len(items)
    cells = (_codes(relevant["user"], users), _codes(relevant["item"], items))
    values = relevant["rating"].to_numpy() if graded else np.ones(len(relevant))
    judged = Judged.from_lists(
        ranking,
        sp.csr_matrix((values, cells), shape=(len(users), len(items))),
        graded=graded,
        n_candidates=np.full(len(users), n_all),
        scores=scores,
    )
    return Files(judged, Listed(ranking, n_all), users, items, notes)


def _read_ranked(path: Path) -> pl.DataFrame:
    """user, item, and rank or score or both, each list checked."""
    frame = _read_pairs(path, integers=["rank"], numbers=["score"])
    if "rank" not in frame.columns:
        if "score" not in frame.columns:
            raise InputError(f"{path}: no column 'rank' or 'score'; add one that orders the lists")
        return frame
    _refuse_row(path, frame, pl.col("rank") < 1, "rank is {rank}; number the ranks 1, 2, 3")
    refuse_duplicates(path, frame, ["user", "rank"])
    length = pl.len().over("user")
    _refuse_row(
        path,
        frame,
        pl.col("rank") > length,
        "user {user} has rank {rank} but fewer rows; number the ranks 1, 2, 3 without a gap",
    )
    if "score" in frame.columns:
        better = pl.col("score").shift(1).over("user", order_by="rank")
        _refuse_row(
            path,
            frame,
            pl.col("score") > better,
            "user {user}: the score at rank {rank} is above the one before; "
            "drop the column that does not hold",
        )
    return frame


def _read_truth(path: Path) -> pl.DataFrame:
    """user, item, and where there is one rating."""
    frame = _read_pairs(path, integers=[], numbers=["rating"])
    if "rating" in frame.columns:
        _refuse_row(
            path, frame, pl.col("rating") < 0, "rating {rating} is negative; ratings are 0 or more"
        )
    return frame


def _read_pairs(path: Path, *, integers: list[str], numbers: list[str]) -> pl.DataFrame:
    """The pairs of a file as user and item, with those of the other columns that it has."""
    read_frame(path, {"user_id": "id"})
    schema = scan_parquet(path).collect_schema()
    named = [name for name in ITEM_COLUMNS if name in schema]
    if len(named) != 1:
        has = "both" if named else "neither"
        raise InputError(f"{path}: has {has} of 'track_id' and 'item_id'; keep or add one")
    wanted = {"user_id": "id", named[0]: "id"} | {n: "integer" for n in integers if n in schema}
    frame = read_frame(path, wanted).rename({"user_id": "user", named[0]: "item"})
    if frame.is_empty():
        raise InputError(f"{path}: has no rows; write the file again")
    for name in numbers:
        if name in schema:
            frame = frame.with_columns(_numbers(path, name))
    frame = frame.with_columns(_plain(path, frame[name]) for name in ("user", "item"))
    refuse_duplicates(path, frame, ["user", "item"])
    return frame


def _numbers(path: Path, name: str) -> pl.Series:
    """A column of finite numbers as Float64."""
    values = read_parquet(path, [name])[name]
    if not values.dtype.is_numeric():
        raise InputError(f"{path}: column {name!r} holds {values.dtype}, not numbers; convert it")
    values = values.cast(pl.Float64)
    wrong = values.is_null() | ~values.is_finite().fill_null(False)
    if wrong.any():
        row = wrong.arg_true()[0]
        raise InputError(
            f"{path}: row {row}: {name} is {values[row]}; remove the row or give it a number"
        )
    return values


def _plain(path: Path, ids: pl.Series) -> pl.Series:
    """Ids as Int64 or String, so that files with integers of different widths meet."""
    if ids.dtype == pl.String:
        return ids
    try:
        return ids.cast(pl.Int64)
    except pl.exceptions.InvalidOperationError as error:
        raise InputError(f"{path}: an id is beyond 64 signed bits; write ids as strings") from error


def _refuse_row(path: Path, frame: pl.DataFrame, wrong: pl.Expr, what: str) -> None:
    """Raise InputError at the first row for which `wrong` holds."""
    rows = frame.select(wrong.fill_null(False)).to_series().arg_true()
    if len(rows):
        row = int(rows[0])
        raise InputError(f"{path}: row {row}: {what.format(**frame.row(row, named=True))}")


def _refuse_other_kinds(
    ranked: Path, lists: pl.DataFrame, truth: Path, relevant: pl.DataFrame
) -> None:
    for name in ("user", "item"):
        kinds = (lists.schema[name], relevant.schema[name])
        if kinds[0] != kinds[1]:
            raise InputError(
                f"{truth}: {name} ids are {kinds[1]} but {kinds[0]} in {ranked}; "
                "write both as integers or both as strings"
            )


def _codes(ids: pl.Series, known: pl.Series) -> np.ndarray:
    """The place of each id among the known ones, which are sorted and distinct."""
    return known.search_sorted(ids).to_numpy().astype(np.int64)


def _order(
    known: pl.DataFrame, row: np.ndarray, item: np.ndarray, n_items: int
) -> tuple[np.ndarray, int]:
    """Rows of the file by user, best first, and how many of them a tie left to the random order."""
    if "rank" in known.columns:
        return np.lexsort((known["rank"].to_numpy(), row)), 0
    score = known["score"].to_numpy()
    shuffled = np.random.default_rng(TIE_SEED).permutation(n_items)[item]
    order = np.lexsort((shuffled, -score, row))
    same = (np.diff(row[order]) == 0) & (np.diff(score[order]) == 0)
    return order, int((np.append(same, False) | np.insert(same, 0, False)).sum())
