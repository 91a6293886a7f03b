"""What the four papers claim, and what it is held against.

`data/claims.yaml` has one entry per claim: the claim in this project's words, whose sentence it is
(`KINDS`), a tolerance that was set before looking, what it is held against (`HELD_AGAINST`), a
query in polars' SQL over named frames (`claim_frames.py`), and the rule that decides on its answer
(`RULES` of `judge.py`). A new claim needs no code. Claims about models need real
listening and the models' own vectors: without records of such the verdict is "not testable here".
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
import yaml
from pydantic import TypeAdapter, ValidationError

from mrs.errors import InputError

# Whose sentence a claim is. Counts of different kinds are never added up.
KINDS = {
    "abstract": "of an abstract",
    "code": "of code or counts",
    "tables": "read off the printed tables",
    "reading": "this project's reading",
}
# The verdict on a claim that holds, by what it was held against.
HELD_AGAINST = {
    "tables": "agrees with the printed tables",
    "counts": "recomputed exactly",
    "listening": "re-run on real data",
}
HOLDS = "holds"  # what a rule says; `judge` says how it was established
PARTLY, CONTRADICTED, OPEN = "partly", "contradicted", "open"
NOT_TESTABLE = "not testable here"
VERDICTS = (*HELD_AGAINST.values(), PARTLY, CONTRADICTED, OPEN, NOT_TESTABLE)
PAPERS = {
    "2409.08987": "Tamm & Aljanaki 2024",
    "2604.23077": "Tamm & Aljanaki 2026",
    "2604.07090": "Tamm et al. 2026 (ACARec)",
    "2206.12858": "Tamm et al. 2021 (metrics)",
}
SECONDARY = "reported by secondary sources"  # a source: not the papers' own words

# The data of the published tables: a dataset's name and a split of it.
OWN_DATA, OWN_SPLIT = "music4all-onion", "temporal"

# One row per recommender, backend and scenario of one dataset: a metric's mean over users and runs.
# `label` is the backend's, "sim:" before it where the vectors are surrogates. `variant` is "" with
# the settings that count for the recommender, else what differs from these, as JSON.
CELLS = {
    "recommender": pl.String,
    "variant": pl.String,
    "backend": pl.String,
    "label": pl.String,
    "scenario": pl.String,
    "shuffled": pl.Boolean,
    "metric": pl.String,
    "mean": pl.Float64,
    "runs": pl.Int64,
}
OWN_CELLS = {"protocol": pl.String} | CELLS


@dataclass(frozen=True)
class Claim:
    """An entry of the table. `tolerance` is a number of `unit`s, set beforehand for `reason`.

    `source` says where the claim is made, `kind` (a key of `KINDS`) whose sentence it is, and
    `held_against` (a key of `HELD_AGAINST`) what decides. `rule` decides on the answer of `query`,
    in which {tolerance} stands for the tolerance; `found` says in words what the rule counts, or is
    a template for each row of the answer; `arguments` are the rule's. `page` is the page with the
    evidence, `study` the study file that would test the claim and `wanted` what that needs.
    """

    id: str
    paper: str
    claim: str
    kind: Literal["abstract", "code", "tables", "reading"]
    source: str
    held_against: Literal["tables", "counts", "listening"]
    rule: str
    tolerance: float
    unit: str
    reason: str
    page: str
    query: str = ""
    found: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    study: str = ""
    wanted: str = ""

    @property
    def secondary(self) -> bool:
        """Whether the claim is known from secondary sources alone."""
        return self.source == SECONDARY

    @property
    def sql(self) -> str:
        """The query with the tolerance in place."""
        return self.query.replace("{tolerance}", f"{self.tolerance:.12g}").strip()

    @property
    def command(self) -> str:
        """The command that prints the verdict."""
        return f"python -m mrs claims {self.id}"

    @property
    def run(self) -> str:
        """The command that would test it, given what is wanted; empty where there is none."""
        return f"python -m mrs grid --study {self.study}" if self.study else ""

    @property
    def test(self) -> str:
        """What would make it testable; empty where nothing is known."""
        return ", then ".join(part for part in (self.wanted, self.run) if part)


def _no_scores(*_: str) -> np.ndarray:
    return np.empty((0, 0))


@dataclass(frozen=True)
class Listening:
    """What was computed on one dataset.

    `name` is the dataset's, `cells` has the columns `CELLS`, and `semi_cold` is the share of its
    cold tracks whose artist has a train track (None where artists are not known). `scores` takes
    recommender, variant, backend, scenario and metric of a cell and returns its values
    [runs x users], runs ordered by seed; [runs x 1] of a metric that is not per user.
    """

    name: str = ""
    cells: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CELLS))
    semi_cold: float | None = None
    scores: Callable[[str, str, str, str, str], np.ndarray] = _no_scores


@dataclass(frozen=True)
class Evidence:
    """What claims are held against, besides the printed numbers.

    `store` is the run store's folder, `data` the folder of datasets; `real` holds real listens and
    vectors from audio or files alone, `generated` the generated world's. `own` are the cells of
    `OWN_DATA` and `OWN_SPLIT` by protocol, columns `OWN_CELLS`.
    """

    store: Path = Path("results")
    data: Path = Path("data")
    real: Listening = Listening()
    generated: Listening = Listening()
    own: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OWN_CELLS))


def read(text: str | bytes) -> list[Claim]:
    """The claims of a table such as `data/claims.yaml`.

    Raises `InputError`, which names the claim, for a missing, unknown or invalid value.
    """
    claims = []
    for number, entry in enumerate(yaml.safe_load(text), 1):
        try:
            claims.append(TypeAdapter(Claim).validate_python(entry))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InputError(
                f"claims.yaml: claim {entry.get('id', number)}: {where} is {first['input']!r}: "
                f"{first['msg']}"
            ) from error
    return claims


def load() -> list[Claim]:
    """The project's own claims."""
    return read((files("mrs_book.papers") / "data" / "claims.yaml").read_bytes())


def find(name: str) -> list[Claim]:
    """The claim of that id. Raises `InputError` where there is none."""
    claims = load()
    found = [claim for claim in claims if claim.id == name]
    if not found:
        known = ", ".join(claim.id for claim in claims)
        raise InputError(f"claim {name!r} is unknown; known: {known}")
    return found
