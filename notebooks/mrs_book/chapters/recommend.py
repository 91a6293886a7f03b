"""What the page of one cell shows: `notebooks/recommend.ipynb` calls these."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.figure import Figure

from mrs.backends.hear_world import hear_world
from mrs.data.dataset import open_dataset
from mrs.published.deviations import recommender_of
from mrs.study.grid import missing_fits
from mrs.study.results import Cell, Results
from mrs.study.run import run_fit
from mrs.study.spec import make_spec
from mrs.study.store import Record, Store
from mrs.study.study import Study
from mrs_book.kit import summary
from mrs_book.kit.figures import closed, forest
from mrs_book.kit.parameters import integers, mapping, required, word
from mrs_book.kit.style import BLUE, STYLES, WIDTH, Source


class RunPage:
    """One backend x recommender x scenario with its seeds, shuffled controls and the oracle.

    Records that the store lacks are computed first, so that the notebook runs by itself with any
    parameters. Raises `InputError` as `mrs run` does.
    """

    def __init__(
        self,
        *,
        dataset: str,
        recommender: str,
        scenario: str,
        backend: str | None = None,
        split: str | None = None,
        settings: dict[str, Any] | None = None,
        protocol: str = "corrected",
        seeds: Sequence[int] = (0,),
        shuffled_seeds: Sequence[int] = (),
        k: Sequence[int] = (10, 20, 50),
        threads: int = 1,
        store: str = "results",
    ) -> None:
        dataset, recommender = required("dataset", dataset), required("recommender", recommender)
        scenario, protocol = required("scenario", scenario), required("protocol", protocol)
        store, (threads,) = required("store", store), integers("threads", threads)
        k, seeds = integers("k", k), integers("seeds", seeds)
        shuffled_seeds = integers("shuffled_seeds", shuffled_seeds)
        settings = mapping("settings", settings)
        backend, split = word("backend", backend), word("split", split)
        opened = open_dataset(dataset)
        make_spec(  # refuses what `mrs run` refuses
            opened,
            recommender=recommender_of(recommender, settings or {}, protocol),
            scenario=scenario,
            backend=backend,
            split=split or None,
            k=list(k),
        )
        hear_world(opened, [backend] if backend else [])
        known = opened.truth("oracle") is not None and recommender != "oracle"
        oracle = ["oracle"] if known else []
        study = Study(
            title=recommender,
            dataset=dataset,
            split=split or None,
            backends=(backend,) if backend else (),
            recommenders=[  # type: ignore[arg-type]
                {recommender: (settings or {}) | {"protocol": protocol}},
                *oracle,
            ],
            scenarios=(scenario,),
            seeds=tuple(seeds),
            shuffled_seeds=tuple(shuffled_seeds),
            k=tuple(k),
            threads=threads,
        )
        self.results = Results(study, Store(store), opened)
        for specs in missing_fits(self.results):
            run_fit(specs, self.results.store, opened, threads=threads)
        self.cell: Cell = self.results.cells()[0]
        self.records: list[Record] = self.results.records(self.cell.runs)
        self.info = self.records[0].info
        self.summary = summary.summary(self.results)
        self.primary = self.results.primary(scenario)

    @property
    def title(self) -> str:
        """The page's heading."""
        shown = f"{self.cell.card.label}, " if self.cell.card else ""
        return f"{self.cell.recommender.label}: {shown}{self.cell.scenario}"

    @property
    def source(self) -> Source:
        """What its tables and figures rest on, with the page's heading."""
        source = summary.source_of(self.results)
        return replace(source, text=f"{self.title}. {source.text}")

    def parameters(self) -> pl.DataFrame:
        """What was run: one row a parameter."""
        info, cell = self.info, self.cell
        rows: dict[str, Any] = {
            "dataset": f"{info['dataset']['name']} ({info['provenance']['listens']})",
            "split": info["split"],
            "scenario": cell.scenario,
            "recommender": cell.recommender.label,
        }
        if cell.card:
            rows["vectors"] = f"{cell.card.label}, {cell.card.embedding_size} wide"
            rows["vectors come from"] = summary.BLOCKS[cell.card.origin]
        rows |= {f"  {name}": value for name, value in info["settings"].items()}
        rows |= {
            "seeds": ", ".join(str(spec.seed) for spec in cell.runs),
            "shuffled controls": len(cell.shuffled),
            "test users": f"{info['n_users']:,}",
            "candidates": f"{info['n_candidates']:,} at most",
            "protocol": info["protocol"],
        }
        return pl.DataFrame({"parameter": list(rows), "value": [str(v) for v in rows.values()]})

    def metrics(self) -> pl.DataFrame:
        """One row a metric: mean, interval, chance, shuffled control, oracle."""
        mine = self.summary.filter(pl.col("slug") == self.cell.slug)
        columns = ["metric", "mean", "low", "high", "chance"]
        if self.cell.shuffled:
            columns.append("shuffled")
        table = mine.select(columns)
        oracle = self._oracle()
        if oracle is not None and self.cell.recommender.name != "oracle":
            oracle = oracle.select("metric", pl.col("mean").alias("oracle"))
            table = table.join(oracle, on="metric", maintain_order="left")
        return table

    def _oracle(self) -> pl.DataFrame | None:
        frame = self.summary.filter(pl.col("recommender") == "Oracle")
        return frame if len(frame) else None

    def intervals(self) -> Figure:
        """All metrics at the primary list length, between chance and oracle."""
        at = "@" + self.primary.split("@")[1]
        mine = self.summary.filter(
            pl.col("slug") == self.cell.slug, pl.col("metric").str.ends_with(at)
        )
        chance = dict(mine.select("metric", "chance").iter_rows())
        oracle = self._oracle()
        top = {} if oracle is None else dict(oracle.select("metric", "mean").iter_rows())
        return forest(
            summary.forest_rows(mine, "metric").with_columns(panel="row"),
            references={"chance": chance, "oracle": top} if top else {"chance": chance},
            columns=1,
            zero=True,
            titles=False,
        )

    def distribution(self) -> Figure:
        """The share of users at or above each value of the primary metric, beside chance.

        A user's value is the mean over seeds.
        """
        values = np.mean([record.values(self.primary) for record in self.records], axis=0)
        chance = self.records[0].users[f"chance:{self.primary}"].to_numpy()
        figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
        axis.ecdf(values, complementary=True, color=BLUE, label="users")
        level = STYLES["chance"] | {"label": "each user's chance level"}
        axis.ecdf(chance, complementary=True, **level)
        axis.set_xlabel(self.primary)
        axis.set_ylabel("share of users above")
        axis.legend()
        return closed(figure)

    def examples(self) -> list[tuple[str, pl.DataFrame]]:
        """For each demo listener a caption and a table: what they played most, what is proposed.

        Of real listeners nothing is shown, whatever a record holds.
        """
        tables: list[tuple[str, pl.DataFrame]] = []
        if not self.results.dataset.generated:
            return tables
        for example in self.info["examples"]:
            history = [f"{t['artist']}: {t['title']}" for t in example["history"]]
            top = [f"{t['artist']}: {t['title']}" for t in example["top"]]
            hits = ["played" if t["hit"] else "" for t in example["top"]]
            n = max(len(history), len(top))

            def pad(column: list[str], length: int = n) -> list[str]:
                return column + [""] * (length - len(column))

            table = pl.DataFrame(
                {
                    "rank": range(1, n + 1),
                    "recommended": pad(top),
                    "in the test month": pad(hits),
                    "most played before": pad(history),
                }
            )
            tables.append((f"Listener {example['user_id']} (generated)", table))
        return tables

    def costs(self) -> pl.DataFrame:
        """One row a run: time, memory, convergence, key."""
        specs = (*self.cell.runs, *self.cell.shuffled)
        rows = []
        for spec, record in zip(specs, self.results.records(specs), strict=True):
            info = record.info
            rows.append(
                {
                    "run": "shuffled" if spec.shuffled else "vectors as they are",
                    "seed": spec.seed,
                    "fit, s": info["seconds"]["fit"],
                    "rank, s": info["seconds"]["rank"],
                    "process peak, MB": info["peak_memory_mb"],
                    "converged": {None: "nothing to train", True: "yes", False: "NO"}[
                        info["converged"]
                    ],
                    "key": record.key,
                }
            )
        return pl.DataFrame(rows)
