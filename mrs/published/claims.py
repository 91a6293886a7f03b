"""What the four papers claim, and whether it holds: a table whose verdicts are computed.

`data/claims.csv` has one row per claim: the claim in this project's words, whose sentence it is
(`KINDS`), the tolerance that was set before looking, what it is held against (`HELD_AGAINST`) and
the rule that decides: a function of `mrs.published.claim_checks` or `claim_checks_listening`.
Claims about models need real listening with the models' own vectors: without records of such the
verdict is "not testable here". What generated data show is kept apart and decides nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.tables import read_csv
from mrs.errors import InputError
from mrs.evaluation.bootstrap import Interval, t_interval

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
LEVEL = 0.95
MOST = 0.5  # from this share of what is claimed on, a claim holds partly

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
    """A row of the table. `tolerance` is a number of `unit`s, set beforehand for `reason`.

    `source` says where the claim is made, `kind` (a key of `KINDS`) whose sentence it is, and
    `held_against` (a key of `HELD_AGAINST`) what decides. `check` names the rule and `arguments`
    are the rule's. `page` is the page with the evidence, `study` the study file that would test it
    (may be empty) and `wanted` what that needs.
    """

    id: str
    paper: str
    claim: str
    kind: str
    source: str
    held_against: str
    check: str
    arguments: dict[str, Any]
    tolerance: float
    unit: str
    reason: str
    page: str
    study: str
    wanted: str

    @property
    def secondary(self) -> bool:
        """Whether the claim is known from secondary sources alone."""
        return self.source == SECONDARY

    @property
    def query(self) -> str:
        """The query that finds the cases, as the rule has it; empty where the rule needs none."""
        return self.arguments.get("query", "")

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


@dataclass(frozen=True)
class Finding:
    """What a check found, in words with its values, and what follows from it.

    `verdict` is `HOLDS`, `PARTLY`, `CONTRADICTED`, `OPEN` or `NOT_TESTABLE`.
    """

    found: str
    verdict: str


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


def read(source: bytes | Path) -> list[Claim]:
    """The claims of a table such as `data/claims.csv`.

    Raises `InputError` for an unknown kind, or for something unknown to be held against.
    """
    rows = read_csv(source, infer_schema=False).fill_null("")
    claims = []
    for row in rows.iter_rows(named=True):
        for column, known in (("kind", KINDS), ("held_against", HELD_AGAINST)):
            if row[column] not in known:
                raise InputError(
                    f"claim {row['id']}: {column} is {row[column]!r}; "
                    f"choose one of {', '.join(known)}"
                )
        values = row | {
            "arguments": json.loads(row["arguments"]),
            "tolerance": float(row["tolerance"]),
        }
        claims.append(Claim(**values))
    return claims


def load() -> list[Claim]:
    """The project's own claims."""
    return read((files("mrs.published") / "data" / "claims.csv").read_bytes())


def find(name: str) -> list[Claim]:
    """The claim of that id. Raises `InputError` where there is none."""
    claims = load()
    found = [claim for claim in claims if claim.id == name]
    if not found:
        known = ", ".join(claim.id for claim in claims)
        raise InputError(f"claim {name!r} is unknown; known: {known}")
    return found


# How tolerances decide


def missing(what: str) -> Finding:
    """A finding that lacks what it would be judged by."""
    return Finding(what, NOT_TESTABLE)


def of_share(n: int, of: int, claim: Claim, what: str) -> Finding:
    """A claim about a share holds from the tolerance on, and partly where it is true of most."""
    share = n / of if of else 0.0
    verdict = HOLDS if share >= claim.tolerance else PARTLY if share > MOST else CONTRADICTED
    return Finding(f"{n} of {of} {what} ({share:.0%})", verdict)


def of_size(
    value: float, claim: Claim, what: str, ends: tuple[float, float] | None = None
) -> Finding:
    """A claim about a size holds from the tolerance on, and partly from `MOST` of it on.

    `ends` are those of the value's interval where it has one. An interval that includes zero
    supports nothing, and one that includes `MOST` of the tolerance contradicts nothing.
    """
    part = value / claim.tolerance
    low, high = ends or (value, value)
    if low > 0 and part >= MOST:
        verdict = HOLDS if part >= 1 else PARTLY
    else:
        verdict = CONTRADICTED if high < MOST * claim.tolerance else OPEN
    return Finding(f"{what} ({part:.0%} of what is claimed)", verdict)


def of_sign(found: Interval, what: str) -> Finding:
    """A claim that a difference is positive: its interval decides, or leaves it open."""
    low, high = float(found.low), float(found.high)
    verdict = HOLDS if low > 0 else CONTRADICTED if high < 0 else OPEN
    return Finding(f"{what} {float(found.mean):.2f} [{low:.2f}, {high:.2f}]", verdict)


def lacks(mine: float, best: float, claim: Claim, what: str) -> Finding:
    """A claim to be the best holds partly where the value lacks at most the tolerance."""
    near = mine >= best * (1 - claim.tolerance)
    verdict = HOLDS if mine >= best else PARTLY if near else CONTRADICTED
    return Finding(f"{what} ({mine / best:.0%} of the best)", verdict)


def moves(places: np.ndarray, claim: Claim) -> Finding:
    """A claim that a rank is better in cold than in hot, by places [n recommenders that have both].

    Their t interval decides with the tolerance.
    """
    n, found = len(places), t_interval(places, LEVEL)
    if np.isnan(found.low):
        return missing(f"too few recommenders have ranks in both scenarios for an interval: {n}")
    mean, low, high = (float(part) for part in (found.mean, found.low, found.high))
    what = f"{mean:+.2f} places [{low:.2f}, {high:.2f}] over {n} recommenders"
    return of_size(mean, claim, what, (low, high))
