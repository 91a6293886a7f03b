"""Which pages the book of a study has."""

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from mrs.files import values_digest
from mrs.study.results import Cell, Results
from mrs.study.spec import file_name
from mrs.study.study import Variant
from mrs.study.tune import tuning_file
from mrs_book.chapters import histories
from mrs_book.chapters.mir_records import probe_key
from mrs_book.chapters.recommender import alternatives_file
from mrs_book.kit.questions import (
    COLDSTART,
    WORLDS,
    companion_files,
    has_ladder,
    has_pairs,
    variant_pairs,
)
from mrs_book.papers.audit_cases import LIVE
from mrs_book.papers.effects import study_file
from mrs_book.papers.evidence import archives


@dataclass(frozen=True)
class Page:
    """A page of the book: a notebook template with parameters, or a hand-written text.

    `path` is its place below book/ without a suffix and `title` its name in the side bar.
    `template` names a notebook of notebooks/ (None: book/<path>.md is written by hand), `heading`
    replaces the template's own where it is set, and `inputs` is whatever else decides what the
    page shows, such as the keys of the records that it reads: if it changes, the page is executed
    again.
    """

    path: str
    title: str
    template: str | None = None
    heading: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    children: tuple["Page", ...] = ()


@dataclass(frozen=True)
class Part:
    """Pages under a common heading of the side bar."""

    caption: str
    pages: tuple[Page, ...]


COLDSTART_TITLE = "What an artist's catalogue says of a new track"
SMALL_WORLD = "demo:n_users=300,n_tracks=400,n_artists=50,n_cold=60"
SCENARIO_TITLES = {
    "hot": "Results: tracks known from training",
    "cold": "Results: new tracks",
    "cold/discovery": "Results: new tracks by artists new to the listener",
    "cold/exploit": "Results: new tracks by artists whom the listener plays",
    "cold/unknown_artist": "Results: new tracks by artists without a catalogue",
}


def pages(study_file: str, results: Results) -> list[Part]:
    """The parts of a study's book; the first page of the first part is the book's first.

    `study_file` is the path that the notebooks open, from the project's folder.
    """
    book = _Book(study_file, results)
    parts = [
        Part("The study", (book.data(), Page("reading", "How to read the numbers"))),
        Part("Results", (*map(book.scenario, results.study.scenarios), *book.questions())),
        *book.new_tracks(),
        Part("Recommenders", book.recommenders()),
        Part("What a model hears", tuple(book.hearing())),
        Part(
            "Published results",
            (
                book.published(),
                Page("cold_at_20", "Are the published cold numbers @20?", "cold_at_20"),
                Page("forensics", "What the printed numbers say", "forensics"),
                book.deviations(),
                book.claims(),
            ),
        ),
        Part(
            "Do we calculate metrics consistently?",
            (
                book.audit(),
                book.whole("metrics", "Every metric class on the same lists", "metrics"),
                Page("definitions", "Which definition, and how to state it", "definitions"),
            ),
        ),
        Part("Appendix", (book.api(), Page("reference", "API reference"), book.appendix())),
    ]
    first = book.whole("index", "Overview", "overview")
    listed = values_digest(contents(parts).rows())
    return [Part("", (replace(first, inputs=(*first.inputs, listed)),)), *parts]


# What the chapters that the overview lists hold, by their paths.
ABOUT = {
    "data": "data card, split, vectors",
    "reading": "metrics, chance, intervals",
    "results-hot": "all recommenders and backends side by side",
    "results-cold": "all recommenders and backends side by side",
    "significance": "every pair of backends; seeds, listeners, power",
    "ladder": "whether a known order comes out",
    "validity": "other worlds, numbers of users, width, offset",
    "components": "what n_components changes",
    "coldstart": "methods by slice, ablations, popularity, every backend",
    "hyperparameters": "every value's source, every trial",
    "mir": "probes against recommendation, a page a backend",
    "published": "every number of the paper's tables",
    "cold_at_20": "an exact check",
    "forensics": "chance, controls, degrees of freedom, rounding",
    "deviations": "paper, code, here; what each difference does by itself",
    "claims": "tolerance, what was found, verdict",
    "audit": "libraries, then and now",
    "metrics": "every class on these runs",
    "definitions": "and how to state it",
    "api": "every step called from Python",
    "reference": "classes and functions, from their docstrings",
}


def contents(parts: Sequence[Part]) -> pl.DataFrame:
    """The chapters of a book in its order: part (the title), what it holds, page (the address)."""
    rows = [
        (page.title, ABOUT[page.path], f"{page.path}.html")
        for part in parts
        for page in part.pages
        if page.path in ABOUT
    ]
    return pl.DataFrame(rows, schema=["part", "what it holds", "page"], orient="row")


def run_page(cell: Cell) -> str:
    """The path of a cell's page below book/."""
    return f"runs/{cell.slug}"


def recommender_page(variant: Variant) -> str:
    """The path of a recommender's page below book/."""
    return f"recommender-{variant.slug}"


def backend_page(backend: str) -> str:
    """The path of a backend's page below book/."""
    return f"backend-{backend}"


class _Book:
    """The pages of one study; holds what several of them need."""

    def __init__(self, study_file: str, results: Results) -> None:
        self.results = results
        self.study = results.study
        self.cells = results.cells()
        self.common = {"study": study_file, "store": results.store.folder.as_posix()}
        self.keys = {spec: results.key(spec) for spec in results.specs()}
        self.worlds = companion_files(study_file, WORLDS)

    def inputs(self, cells: list[Cell]) -> tuple[str, ...]:
        """What decides a page about these cells: the study and what decides their runs' pages."""
        return (values_digest(self.study.model_dump()), *self.run_inputs(cells))

    def run_inputs(self, cells: list[Cell]) -> tuple[str, ...]:
        """The dataset's card, the vectors' cards and the records' keys."""
        cards = [asdict(cell.card) for cell in cells if cell.card]
        keys = [self.keys[spec] for cell in cells for spec in (*cell.runs, *cell.shuffled)]
        return (values_digest([self.results.dataset.info, cards]), *keys)

    def whole(self, path: str, title: str, template: str) -> Page:
        """A page about the whole study."""
        inputs = self.inputs(self.cells)
        return Page(path, title, template, title, parameters=self.common, inputs=inputs)

    def data(self) -> Page:
        """The dataset's card."""
        dataset, digests = self.results.dataset, self.results.store.digests
        split = dataset.split_digest(dataset.split_name(self.study.split), digests)
        cards = [values_digest(asdict(dataset.card(name))) for name in dataset.backends()]
        inputs = (*self.inputs([]), split, *cards)
        return Page("data", "Data", "data", "Data", parameters=self.common, inputs=inputs)

    def scenario(self, scenario: str) -> Page:
        """The tables and figures of one scenario."""
        title = SCENARIO_TITLES[scenario]
        return Page(
            path=f"results-{file_name(scenario)}",
            title=title,
            template="results",
            heading=title,
            parameters=self.common | {"scenario": scenario},
            inputs=self.inputs([cell for cell in self.cells if cell.scenario == scenario]),
        )

    def recommenders(self) -> tuple[Page, ...]:
        """A page a recommender, then where their hyper-parameters come from."""
        path = tuning_file(self.common["study"])
        record = self.digests([path, *histories.files(self.common["study"])])
        title = "Hyper-parameters and their search"
        search = Page(
            path="hyperparameters",
            title=title,
            template="hyperparameters",
            heading=title,
            parameters=self.common,
            inputs=(*self.inputs([]), *record),
        )
        return (*map(self.recommender, self.study.recommenders), search)

    def recommender(self, variant: Variant) -> Page:
        """A recommender's page with the pages of its runs below."""
        mine = [cell for cell in self.cells if cell.recommender == variant]
        return Page(
            path=recommender_page(variant),
            title=variant.label,
            template="recommender",
            heading=variant.label,
            parameters=self.common | {"recommender": variant.slug},
            inputs=(
                *self.inputs([*mine, *self.references()]),
                *self.digests(alternatives_file(self.common["study"], variant.name)),
            ),
            children=tuple(self.run(cell) for cell in mine),
        )

    def questions(self) -> list[Page]:
        """Pages about the whole study that not every study can answer."""
        found = []
        if has_pairs(self.results):
            title = "Which differences are more than chance?"
            found.append(self.whole("significance", title, "significance"))
        if has_ladder(self.results):
            found.append(self.whole("ladder", "Does the protocol recover a known order?", "ladder"))
            if self.worlds:
                found.append(self.validity())
        if variant_pairs(self.study, "n_components"):
            title = "Whole vectors or principal components?"
            found.append(self.whole("components", title, "components"))
        return found

    def validity(self) -> Page:
        """Other generated worlds, read from the archives beside the study file."""
        inputs = self.digests(self.worlds)
        title = "Can this protocol tell better vectors from worse?"
        parameters = {"study": self.common["study"]}
        return Page("validity", title, "validity", title, parameters, inputs)

    def new_tracks(self) -> list[Part]:
        """New tracks from their artist's catalogue, from the studies beside the default one."""
        files = companion_files(self.common["study"], COLDSTART)
        if not files:
            return []
        parameters = {
            name: path.as_posix()
            for name, path in zip(("study", "backends", "worlds", "settings"), files, strict=False)
        }
        page = Page(
            "coldstart",
            COLDSTART_TITLE,
            "coldstart",
            COLDSTART_TITLE,
            parameters | {"store": self.common["store"]},
            self.digests(files),
        )
        return [Part("New tracks from their artist's catalogue", (page,))]

    def hearing(self) -> list[Page]:
        """What is in the vectors: all backends against recommendation, then each by itself."""
        dataset, store = self.results.dataset, self.results.store
        names = self.results.backends()
        keys = tuple(probe_key(dataset, name, store) for name in names)
        inputs = (*self.inputs(self.cells), *keys)
        title = "What a model hears and what listeners want"
        found = [Page("mir", title, "mir", title, parameters=self.common, inputs=inputs)]
        for name in names:
            label = dataset.card(name).label
            parameters = self.common | {"backend": name}
            found.append(Page(backend_page(name), label, "backend", label, parameters, inputs))
        return found if names else []

    def api(self) -> Page:
        """The Python API, run on the study's own world where it is generated."""
        dataset = self.results.dataset
        own = dataset.generated and dataset.backends()
        parameters = {"dataset": self.study.dataset if own else SMALL_WORLD}
        title = "The Python API"
        return Page("api", title, "api", title, parameters=parameters)

    def references(self, scenario: str | None = None) -> list[Cell]:
        """The cells without a backend: floors and ceilings that run pages show beside theirs."""
        return [c for c in self.cells if c.backend is None and scenario in (None, c.scenario)]

    def run(self, cell: Cell) -> Page:
        """The page of a cell: everything that `notebooks/recommend.ipynb` asks for, spelled out."""
        heading = cell.recommender.label + (f" on {cell.card.label}" if cell.card else "")
        parameters = {
            "dataset": self.study.dataset,
            "split": self.study.split,
            "backend": cell.backend,
            "recommender": cell.recommender.name,
            "settings": cell.recommender.settings,
            "protocol": cell.recommender.protocol,
            "scenario": cell.scenario,
            "seeds": list(self.study.fits(cell.recommender)),
            "shuffled_seeds": [spec.seed for spec in cell.shuffled],
            "k": list(self.study.k),
            "threads": self.study.threads,
            "store": self.common["store"],
        }
        return Page(
            path=run_page(cell),
            title=cell.title if cell.card else f"{cell.recommender.label}, {cell.scenario}",
            template="recommend",
            heading=f"{heading}, {cell.scenario}",
            parameters=parameters,
            inputs=self.run_inputs([cell, *self.references(cell.scenario)]),
        )

    def deviations(self) -> Page:
        """What the published code does otherwise; its runs come with the project."""
        archive = Path("studies/deviations.parquet")
        inputs = self.digests([study_file(archive), archive])
        title = "Deviations and their effects"
        return Page("deviations", title, "deviations", inputs=inputs)

    def live(self) -> tuple[str, ...]:
        """The values of today that `make audit` leaves in the store."""
        return self.digests([self.results.store.folder / LIVE])

    def digests(self, files: Iterable[Path]) -> tuple[str, ...]:
        """What those of the files hold that are there."""
        of_file = self.results.store.digests.of_file
        return tuple(of_file(path) for path in files if path.is_file())

    def published(self) -> Page:
        """The published tables, beside what the store holds of the same data."""
        title, parameters = "Published results", {"store": self.common["store"]}
        inputs = (self.everything(),)
        return Page("published", title, "published", parameters=parameters, inputs=inputs)

    def claims(self) -> Page:
        """The papers' claims against all that the store holds, of this study or another."""
        title, parameters = "Which claims hold?", {"store": self.common["store"]}
        inputs = (self.everything(), *self.live(), *self.digests(archives()))
        return Page("claims", title, "claims", parameters=parameters, inputs=inputs)

    def everything(self) -> str:
        """A digest of the keys of all records of the store."""
        runs = self.results.store.folder.glob("[!.]*/run.json")
        return values_digest(sorted(path.parent.name for path in runs))

    def audit(self) -> Page:
        """Other libraries' metrics; `make audit` leaves their values of today in the store."""
        inputs = self.live()
        parameters = {"store": self.common["store"]}
        title = "What libraries compute"
        return Page("audit", title, "audit", parameters=parameters, inputs=inputs)

    def appendix(self) -> Page:
        """Environment, provenance of the records, licence, references."""
        versions = sorted(f"{d.name} {d.version}" for d in importlib.metadata.distributions())
        inputs = (*self.inputs(self.cells), platform.platform(), values_digest(versions))
        return Page("appendix", "Appendix", "appendix", parameters=self.common, inputs=inputs)
