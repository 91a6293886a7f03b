"""What a run store holds that claims of the papers can be held against."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.dataset import data_home, open_dataset
from mrs.data.vectors import label_of
from mrs.errors import InputError
from mrs.files import values_digest
from mrs.recommenders import RECOMMENDERS, make_recommender
from mrs.study.archive import Archive
from mrs.study.store import Record, Store
from mrs_book.papers.claims import CELLS, OWN_CELLS, OWN_DATA, OWN_SPLIT, Evidence, Listening

METRICS = ("hitrate@50", "recall@50", "ndcg@50", "recall@20", "ndcg@20")
POPULARITY = "popularity"  # a run's rank correlation of new tracks' mean scores and plays
OWN = ("audio", "file")  # vectors that a model computed
RUN = ("dataset", "split", "generated", "recommender", "settings", "backend", "label", "scenario")
WHOSE = ("name", "protocol")  # by which, and the split, runs on the tables' own data are known
RECORD = ("archive", "record")  # an archive's path, "" for the store, and the record's key or place
PROTOCOLS = ("corrected", "published")


def archives(folder: str | Path = "studies") -> list[Path]:
    """The archives of runs that come with the project, in its folder of studies."""
    return [Path(folder) / "coldstart.parquet"]


def gather(store: Store, paths: Sequence[Path] = ()) -> Evidence:
    """The evidence of a store: of generated and of real listening the dataset with most records.

    Archives at `paths` that are there add to it, unless the store has other generated listening.
    Only corrected runs count; those on the published tables' own data stand beside the tables with
    either protocol. Real listening counts with vectors from audio or files alone. Of a
    recommender that was run on several splits the one with most runs counts, and of several
    settings likewise, of equals the ones nearest to the defaults; other settings are variants.
    """
    rows = _runs(store)
    is_corrected = pl.col("protocol") == "corrected"
    real, generated = (
        rows.filter(is_corrected, pl.col("generated") == is_made) for is_made in (False, True)
    )
    archived = [_archived(store, path).filter(is_corrected) for path in paths if path.is_file()]
    if name := _most(generated):
        archived = [more.filter(pl.col("dataset") == name) for more in archived]
    record = _records(store)
    made = _listening(pl.concat([generated, *archived]), record)
    return Evidence(store.folder, data_home(), _listening(real, record), made, _own_data(rows))


def _records(store: Store) -> Callable[[str, str], Record]:
    """Finds the record of a row by its two columns `RECORD`."""
    opened = cache(Archive)

    @cache
    def record(archive: str, name: str) -> Record:
        if archive:
            return opened(archive).record(int(name))
        return Record(name, store.folder / name)

    return record


def own_data(store: Store) -> pl.DataFrame:
    """The cells of `OWN_DATA` and `OWN_SPLIT` that a store has, columns `OWN_CELLS`."""
    return _own_data(_runs(store))


def _own_data(rows: pl.DataFrame) -> pl.DataFrame:
    mine = rows.filter(
        ~pl.col("generated"), pl.col("name") == OWN_DATA, pl.col("split") == OWN_SPLIT
    )
    frames = [pl.DataFrame(schema=OWN_CELLS)]
    for protocol in PROTOCOLS:
        chosen = _with_variants(mine.filter(pl.col("protocol") == protocol))
        cells = _cells(chosen).filter(pl.col("variant") == "")
        frames.append(cells.select(pl.lit(protocol).alias("protocol"), *CELLS))
    return pl.concat(frames)


def _runs(store: Store) -> pl.DataFrame:
    """One row per run and metric: `RUN`, `WHOSE`, `RECORD`, shuffled, seed, metric, mean."""
    records = [record for record in store.records() if _counts(record.info)]
    if not records:
        return _read([])
    key = values_digest(["evidence", METRICS, WHOSE, RECORD, [record.key for record in records]])
    return store.derived(key, lambda: _read([("", record.key, record) for record in records]))


def _archived(store: Store, path: Path) -> pl.DataFrame:
    """The rows of an archive, as `_runs` has a store's."""
    archive = Archive(path)
    content = store.digests.of_file(path)
    key = values_digest(["evidence", METRICS, WHOSE, RECORD, str(path), content])
    places = archive.runs["place"]
    records = ((str(path), str(place), archive.record(place)) for place in places)
    return store.derived(key, lambda: _read([one for one in records if _counts(one[2].info)]))


def _most(rows: pl.DataFrame) -> str | None:
    """The dataset with most rows, None of none."""
    if not len(rows):
        return None
    return rows.group_by("dataset").len().sort("len", "dataset", descending=True)["dataset"][0]


def _counts(info: dict[str, Any]) -> bool:
    origin = info["provenance"]
    known = info["recommender"] in RECOMMENDERS and info["protocol"] in PROTOCOLS
    return known and (origin["listens"] == "generated" or origin["vectors"] in (None, *OWN))


def _read(records: Sequence[tuple[str, str, Record]]) -> pl.DataFrame:
    rows = []
    for archive, key, record in records:
        info = record.info
        names = [f"{m}@{k}" for m in ("hitrate", "recall", "ndcg") for k in info["k"]]
        kept = [name for name in names if name in METRICS]
        means = record.means(kept)
        if (value := _popularity(info)) is not None:
            kept, means = [*kept, POPULARITY], [*means, value]
        run = {
            "dataset": info["dataset"]["spec"],
            "split": info["split"],
            "generated": info["provenance"]["listens"] == "generated",
            "recommender": info["recommender"],
            "settings": json.dumps(info["settings"], sort_keys=True),
            "backend": info["backend"] or "",
            "label": _label(info),
            "scenario": info["scenario"],
            "name": info["dataset"]["name"],
            "protocol": info["protocol"],
            "archive": archive,
            "record": key,
            "shuffled": info["shuffled"],
            "seed": info.get("seed", 0),
        }
        rows += [run | {"metric": m, "mean": v} for m, v in zip(kept, means, strict=True)]
    schema = dict.fromkeys((*RUN, *WHOSE, *RECORD), pl.String) | {
        "generated": pl.Boolean,
        "shuffled": pl.Boolean,
        "seed": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema | {"metric": pl.String, "mean": pl.Float64})


def _popularity(info: dict[str, Any]) -> float | None:
    found = info.get("new_tracks") or {}
    return found["popularity"]["all"]["spearman"] if found and info["scenario"] == "cold" else None


def _label(info: dict[str, Any]) -> str:
    return label_of(info["backend"], info["provenance"]["vectors"]) if info["backend"] else ""


def _listening(rows: pl.DataFrame, record: Callable[[str, str], Record]) -> Listening:
    name = _most(rows)
    if name is None:
        return Listening()
    mine = rows.filter(pl.col("dataset") == name)
    surrogate = pl.col("label").str.starts_with("sim:")
    real = mine.filter(~surrogate)["backend"].unique()  # a surrogate gives way to the model itself
    mine = mine.filter(~(surrogate & pl.col("backend").is_in(real.implode())))
    splits = _foremost(mine.group_by("recommender", "split").len(), "split")
    mine = mine.join(splits, on=["recommender", "split"], how="semi")
    mine = _with_variants(mine)
    return Listening(name, _cells(mine), _semi_cold(name), _scores(mine, record))


def _scores(
    rows: pl.DataFrame, record: Callable[[str, str], Record]
) -> Callable[[str, str, str, str, str], np.ndarray]:
    """The values behind a cell, as `Listening` has them."""
    cell = ("recommender", "variant", "backend", "scenario", "metric")

    def scores(*of: str) -> np.ndarray:
        runs = rows.filter(
            ~pl.col("shuffled"), *[pl.col(n) == value for n, value in zip(cell, of, strict=True)]
        ).sort("seed", *RECORD)
        if of[-1] == POPULARITY:
            return runs["mean"].to_numpy()[:, None]
        return np.stack([record(*one).values(of[-1]) for one in runs.select(RECORD).rows()])

    return scores


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    """The cells of runs with their variant, columns `CELLS`."""
    key = [*RUN, "variant", "shuffled", "metric"]
    cells = rows.group_by(key).agg(pl.col("mean").mean(), runs=pl.len())
    order = ["recommender", "variant", "scenario", "backend", "shuffled", "metric"]
    return cells.select(*CELLS).cast(CELLS).sort(order)  # type: ignore[arg-type]


def _with_variants(rows: pl.DataFrame) -> pl.DataFrame:
    """Runs with their variant: what differs from the settings that count, as JSON."""
    both = rows.join(_settings(rows), on="recommender", maintain_order="left")
    pairs = both.select("settings", "chosen").unique()
    variants = [_variant(*pair) for pair in pairs.rows()]
    pairs = pairs.with_columns(variant=pl.Series(variants, dtype=pl.String))
    return both.join(pairs, on=["settings", "chosen"], maintain_order="left").drop("chosen")


def _foremost(rows: pl.DataFrame, *sort: str) -> pl.DataFrame:
    """The first row of each recommender: of the highest `len`, then by the columns `sort`."""
    order = rows.sort("len", *sort, descending=[True, *[False] * len(sort)])
    return order.unique("recommender", keep="first", maintain_order=True)


def _variant(settings: str, chosen: str) -> str:
    base = json.loads(chosen)
    mine = {name: v for name, v in json.loads(settings).items() if v != base.get(name)}
    return json.dumps(mine, sort_keys=True) if mine else ""


def _settings(rows: pl.DataFrame) -> pl.DataFrame:
    """The settings of each recommender that count: recommender, chosen."""
    pairs = rows.group_by("recommender", "settings").len()
    off = [_changes(name, text) for name, text in pairs.select("recommender", "settings").rows()]
    chosen = _foremost(pairs.with_columns(off=pl.Series(off, dtype=pl.Int64)), "off", "settings")
    return chosen.select("recommender", chosen="settings")


def _changes(recommender: str, settings: str) -> int:
    """How many settings are not the default."""
    defaults = make_recommender(recommender, {}).settings()
    return sum(value != defaults.get(name) for name, value in json.loads(settings).items())


def _semi_cold(spec: str) -> float | None:
    """The share of a dataset's cold tracks whose artist has a train track, where that is known."""
    if not any((base / spec).is_dir() for base in (Path(), data_home())):
        return None
    try:
        split = open_dataset(spec).split()
    except InputError:
        return None
    if split.artists is None or not len(split.cold):
        return None
    known = split.artists[split.cold] >= 0
    return float((known & np.isin(split.artists[split.cold], split.artists[split.warm])).mean())
