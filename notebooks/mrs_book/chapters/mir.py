"""The chapter that compares linear probes of the vectors with recommendation."""

from collections import defaultdict
from functools import cached_property
from itertools import permutations

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from scipy.stats import rankdata

from mrs.backends import BACKENDS
from mrs.evaluation.bootstrap import interval
from mrs.evaluation.correlation import LEAST, rank_correlation
from mrs.evaluation.mir import METRICS, artist_codes, read_labels
from mrs.files import values_digest
from mrs.study.results import Cell
from mrs.study.study import Variant
from mrs_book.chapters.mir_records import ProbeRecord, probe_record
from mrs_book.kit import summary
from mrs_book.kit.figures import heat_map, scatter
from mrs_book.kit.parameters import open_results
from mrs_book.kit.style import is_surrogate
from mrs_book.papers import claims
from mrs_book.papers.judge import judge
from mrs_book.papers.results import BACKEND_LABELS

ALL_TASKS = "all (mean rank)"
KINDS = {False: "models", True: "surrogates"}
TURNS_VERSION = 2  # raised when what `turns` says of the same records changes
PAIR_SCHEMA = {
    "vectors": pl.String,
    "task": pl.String,
    "scenario": pl.String,
    "recommender": pl.String,
    "heard better": pl.String,
    "heard worse": pl.String,
    "probe, better": pl.Float64,
    "probe, worse": pl.Float64,
    "gain": pl.Float64,
    "from": pl.Float64,
    "to": pl.Float64,
    "turned": pl.Boolean,
}


def task_title(task: str) -> str:
    """A task with its metric, "key (accuracy)"."""
    return f"{task} ({METRICS[task]})" if task in METRICS else task


class MirPage:
    """A study's backends: what probes read from them beside how well they recommend.

    The records of probes that the store lacks are computed.
    """

    def __init__(self, study: str, store: str) -> None:
        results = self.results = open_results(study, store)
        dataset, names = results.dataset, results.backends()
        self.records: dict[str, ProbeRecord] = {
            dataset.card(name).label: probe_record(dataset, name, results.store) for name in names
        }
        self.blocks = {dataset.card(name).label: dataset.card(name).origin for name in names}
        known = {score.task for one in self.records.values() for score in one.scores}
        self.tasks = [task for task in METRICS if task in known]
        self.provenance = summary.provenance_sentence(results)

    @cached_property
    def recommended(self) -> pl.DataFrame:
        """The primary metric of every cell that reads vectors, as `summary.summary` gives it."""
        frame = summary.summary(self.results)
        if not len(frame):
            return frame
        metric = [self.results.primary(s) for s in self.results.study.scenarios]
        pairs = pl.DataFrame({"scenario": self.results.study.scenarios, "metric": metric})
        return frame.filter(pl.col("backend").is_not_null()).join(
            pairs, on=["scenario", "metric"], maintain_order="left"
        )

    # What the probes read

    def labels(self) -> str:
        """Which labels the dataset has, and how the probes are split."""
        tracks = self.results.dataset.tracks
        if not self.tasks:
            return (
                "The tracks of this dataset have no labels (genre, tags, key, mode, tempo, "
                "artist): there is nothing to probe."
            )
        artists = artist_codes(tracks)
        counts = [
            f"{label.task} ({int(label.known.sum()):,} tracks"
            + (f", {len(label.names)} values)" if label.names else ")")
            for label in read_labels(tracks)
        ]
        split = (
            "No artist is known, so tracks are split as they are, and a probe may recognise an "
            "artist in place of the label."
            if artists is None
            else f"The tracks of {len(np.unique(artists[artists >= 0])):,} artists are split by "
            "artist: none is in both the training part and the test part."
        )
        missing = [task for task in METRICS if task not in self.tasks]
        lacking = f" Not among the labels: {', '.join(missing)}." if missing else ""
        return f"Labels: {'; '.join(counts)}. {split}{lacking}"

    def probe_grid(self) -> pl.DataFrame:
        """One row per backend in its block, chance first; one column per task."""
        rows: list[dict[str, str | float | None]] = []
        first = next(iter(self.records.values()), None)
        chance = {s.task: s.chance for s in first.scores} if first else {}
        rows.append({"vectors": "Chance", "backend": "chance"} | self._columns(chance))
        for block, title in summary.BLOCKS.items():
            for label, one in self.records.items():
                if self.blocks[label] == block:
                    values = {score.task: score.value for score in one.scores}
                    rows.append({"vectors": title, "backend": label} | self._columns(values))
        schema: dict = {"vectors": pl.String, "backend": pl.String}
        return pl.DataFrame(rows, schema=schema | self._columns(dict.fromkeys(METRICS, pl.Float64)))

    def _columns(self, values: dict) -> dict:
        return {task_title(task): values.get(task) for task in self.tasks}

    @cached_property
    def scores(self) -> pl.DataFrame:
        """All scores with their intervals, one row per backend and task, MFCC's in a column."""
        schema: dict = dict.fromkeys(("task", "backend", "vectors", "metric"), pl.String)
        schema |= dict.fromkeys(("value", "low", "high", "chance", "MFCC"), pl.Float64)
        rows = []
        for label, one in self.records.items():
            mfcc = self.mfcc(label)
            for score in one.scores:
                beside = mfcc.score(score.task) if mfcc else None
                numbers = score.value, score.low, score.high, score.chance
                names = score.task, label, self.blocks[label], score.metric
                known = beside.value if beside else None
                rows.append((*names, *numbers, known, score.n_tracks, score.n_artists))
        schema |= dict.fromkeys(("tracks", "artists"), pl.Int64)
        return pl.DataFrame(rows, schema=schema, orient="row")

    def every_score(self) -> pl.DataFrame:
        return self.scores.sort("task", "vectors", maintain_order=True)

    def mfcc(self, label: str) -> ProbeRecord | None:
        """MFCC of the same kind: the models' beside a model, the surrogate beside a surrogate."""
        name = BACKENDS["mfcc"].label
        return self.records.get(f"sim:{name}" if is_surrogate(label) else name)

    # Against recommendation

    def kinds(self) -> dict[str, list[str]]:
        """Backends that may be ranked among each other: models and surrogates apart."""
        groups: dict[str, list[str]] = defaultdict(list)
        for label in self.records:
            groups[KINDS[is_surrogate(label)]].append(label)
        return dict(groups)

    def mir_values(self, labels: list[str]) -> dict[str, np.ndarray]:
        """The tasks' values [n] that correlations use, and minus the mean rank over all tasks."""
        values = {}
        for task in self.tasks:
            scores = [self.records[label].score(task) for label in labels]
            if all(score is not None for score in scores):
                values[task] = np.array([score.value for score in scores if score])
        if len(values) > 1:
            ranks = [rankdata(-column) for column in values.values()]
            values[ALL_TASKS] = -np.mean(ranks, axis=0)
        return values

    @cached_property
    def correlations(self) -> pl.DataFrame:
        """Spearman's correlation of each task with each recommender and scenario, by kind.

        Columns: vectors, task, scenario, recommender, backends, rho, low, high. Kinds with fewer
        than `LEAST` backends are left out.
        """
        rows = []
        for kind, labels in self.kinds().items():
            for (scenario, recommender), means in self._means(labels).items():
                there = [label for label in labels if label in means]
                for task, values in self.mir_values(there).items():
                    found = rank_correlation(values, np.array([means[label] for label in there]))
                    if found is not None:
                        ends = found.mean, found.low, found.high
                        rows.append((kind, task, scenario, recommender, len(there), *ends))
        names = ["vectors", "task", "scenario", "recommender", "backends", "rho", "low", "high"]
        schema: dict = dict.fromkeys(names[:4], pl.String) | {"backends": pl.Int64}
        schema |= dict.fromkeys(names[5:], pl.Float64)
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _means(self, labels: list[str]) -> dict[tuple[str, str], dict[str, float]]:
        groups: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        if len(self.recommended):
            for row in self.recommended.iter_rows(named=True):
                if row["backend"] in labels:
                    groups[row["scenario"], row["recommender"]][row["backend"]] = row["mean"]
        return groups

    def correlation_text(self) -> str:
        """Which kinds of vectors have enough backends for a correlation, and how to read it."""
        lines = []
        for kind, labels in self.kinds().items():
            enough = len(labels) >= LEAST
            lines.append(
                f"- {len(labels)} {kind}: "
                + (
                    "correlations below."
                    if enough
                    else f"no correlation is drawn from fewer than {LEAST} backends."
                )
            )
        if "surrogates" in self.kinds():
            lines.append(
                "\nSurrogates hold the traits in proportion to one randomly assigned quality, so "
                "their orders agree by construction. They show that the method finds an agreement "
                "where there is one; it does not follow that MIR ranks carry over for models."
            )
        return "\n".join(lines)

    def correlation_figure(self, kind: str) -> Figure:
        """Heat maps of the correlations of one kind of vectors, one panel per scenario."""
        count = f"{len(self.kinds()[kind])} {kind}"
        cells = self.correlations.filter(vectors=kind).select(
            panel=pl.format("{}, {}", "scenario", pl.lit(count)),
            row="task",
            column="recommender",
            value="rho",
        )
        return heat_map(cells, scale="diverging", limits=(-1, 1))

    def scatter_variants(self) -> list[Variant]:
        """The recommenders that scatter figures show: the first and the last that read vectors."""
        reading = [c.recommender for c in self.results.cells() if c.card is not None]
        return list(dict.fromkeys([reading[0], reading[-1]])) if reading else []

    def scatter_figure(self, variant: Variant, scenario: str) -> Figure | None:
        """Probe scores against the primary metric of one recommender, one panel per task.

        Bars are 95 % intervals over artists and over users. None where there is nothing to show.
        """
        if not len(self.recommended):
            return None
        rows = self.recommended.filter(
            pl.col("recommender") == variant.label, pl.col("scenario") == scenario
        )
        labels = [label for label in self.records if label in set(rows["backend"])]
        if not labels or not self.tasks:
            return None
        points = self.scores.filter(pl.col("backend").is_in(labels)).join(rows, on="backend")
        order = pl.col("task").replace_strict(self.tasks, range(len(self.tasks)))
        frame = points.sort(order, maintain_order=True).select(
            panel=pl.col("task").map_elements(task_title, return_dtype=pl.String),
            name="backend",
            x="value",
            x_low="low",
            x_high="high",
            y="mean",
            y_low="low_right",
            y_high="high_right",
            chance="chance",
        )
        return scatter(
            frame,
            "probe score",
            f"{rows['metric'][0]}, {variant.label}, {scenario}",
            references={"chance": rows["chance"][0]},
            x_references={"": dict(frame.select("panel", "chance").iter_rows())},
            columns=2,
            height=2.6,
        )

    # Where the order turns over

    @cached_property
    def turns(self) -> pl.DataFrame:
        """Pairs of one kind that differ clearly in a task and in a recommender's results.

        Clear in a task: the 95 % intervals of their probe scores do not meet. Clear in
        recommendation: the paired 95 % interval of the difference leaves out zero. Columns as in
        `PAIR_SCHEMA`: `gain` (`from`, `to`) is the primary metric of the backend with the higher
        probe score minus that of the other; `turned` where it is negative.
        """
        keys = [self.results.key(spec) for c in self._reading() for spec in c.runs]
        probes = [one.key for one in self.records.values()]
        return self.results.store.derived(
            values_digest(["mir turns", TURNS_VERSION, keys, probes]), self._turns
        )

    def _reading(self) -> list[Cell]:
        return [cell for cell in self.results.cells() if cell.card is not None]

    def _turns(self) -> pl.DataFrame:
        groups: dict[tuple[str, str, str], dict[str, np.ndarray]] = defaultdict(dict)
        for cell in self._reading():
            values = self.results.primary_values(cell.runs)
            if cell.card is not None and values is not None:
                kind = KINDS[is_surrogate(cell.card.label)]
                key = kind, cell.scenario, cell.recommender.label
                groups[key][cell.card.label] = values
        rows: list[tuple] = []
        for key, found in groups.items():
            clear = {
                (better, worse): tasks
                for better, worse in permutations(found, 2)
                if (tasks := [t for t in self.tasks if self._clearly(t, better, worse)])
            }
            if not clear:
                continue
            bounds = interval(np.stack([found[a] - found[b] for a, b in clear], axis=-1))
            for ((better, worse), tasks), ends in zip(clear.items(), bounds.rows(), strict=True):
                _, low, high = ends
                if low is None or high is None or low <= 0 <= high:
                    continue
                for task in tasks:
                    pair = [self.records[label].score(task) for label in (better, worse)]
                    probes = [score.value for score in pair if score]
                    rows.append(
                        (key[0], task, *key[1:], better, worse, *probes, *ends, bool(high < 0))
                    )
        return pl.DataFrame(rows, schema=PAIR_SCHEMA, orient="row")

    def _clearly(self, task: str, better: str, worse: str) -> bool:
        one, other = self.records[better].score(task), self.records[worse].score(task)
        return one is not None and other is not None and one.low > other.high

    def turn_counts(self) -> pl.DataFrame:
        """Of the pairs clear on both sides, how many turn over, by kind, scenario and task."""
        return self.turns.group_by("vectors", "scenario", "task", maintain_order=True).agg(
            pl.len().alias("clear pairs"),
            pl.col("turned").sum().alias("turned over"),
            (100 * pl.col("turned").mean()).alias("turned over, %"),
        )

    def turned(self) -> pl.DataFrame:
        """The pairs that turn over: the one with the higher probe score recommends worse."""
        named = {"heard better": "higher probe score", "heard worse": "lower probe score"}
        return self.turns.filter("turned").drop("turned").rename(named)


# Published scores


def labelled(table: pl.DataFrame) -> pl.DataFrame:
    """A table of `mrs_book.papers.mir` with the backends' labels."""
    return table.with_columns(pl.col("backend").replace_strict(BACKEND_LABELS))


def published_correlations() -> str:
    """How the printed scores go with the published ranks of recommendation."""
    (claim,) = claims.find("p2-mir")
    found = judge(claim, claims.Evidence())
    return (
        "Spearman's ρ of a score and the ranks, with its interval over backends, where at "
        f"least {LEAST} have both: {found.found}. Scores stem from different probes."
    )
