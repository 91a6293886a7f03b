"""What the four papers claim, and whether it holds: a table whose verdicts are computed.

`data/claims.csv` has a row a claim: the claim in this project's words, where it is made, the
tolerance that was set before looking, and the check that decides: a small function of
`mrs.published.claim_checks` or `claim_checks_listening`. Claims about printed numbers, counts and
metric definitions are decided on those. Claims about models need real listening with the models'
own vectors: without records of such the verdict is "not testable here", and what generated data
show stands beside it in a column of its own, without a verdict.
"""

import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mrs.data.tables import read_csv
from mrs.errors import InputError
from mrs.published.results import SCENARIOS

REPRODUCED, PARTLY, CONTRADICTED = "reproduced", "partly", "contradicted"
NOT_TESTABLE = "not testable here"
VERDICTS = (REPRODUCED, PARTLY, CONTRADICTED, NOT_TESTABLE)
PAPERS = {
    "2409.08987": "Tamm & Aljanaki 2024",
    "2604.23077": "Tamm & Aljanaki 2026",
    "2604.07090": "Tamm et al. 2026 (ACARec)",
    "2206.12858": "Tamm et al. 2021 (metrics)",
}
FIRM = ("abs", "nb", "code")  # the paper's abstract, the authors' notebook, their code or data
SECONDARY = "2nd"
MOST = 0.5  # a share above this is most

# The data of the published tables: a dataset's name and a split of it.
OWN_DATA, OWN_SPLIT = "music4all-onion", "temporal"

# A row a recommender, backend and scenario of one dataset: mean over users and runs of a metric.
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

    `source` says where the claim is made and `mark` how firm that is: "abs", "nb", "code", or
    "2nd" for what secondary sources report. `page` is the page with the evidence, `study` the study
    file that would test it (may be empty) and `wanted` what that needs.
    """

    id: str
    paper: str
    claim: str
    source: str
    mark: str
    check: str
    arguments: dict[str, Any]
    tolerance: float
    unit: str
    reason: str
    page: str
    study: str
    wanted: str

    @property
    def command(self) -> str:
        """What shows the verdict."""
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
    """What a check found, in words with its values, and the verdict that follows."""

    found: str
    verdict: str


@dataclass(frozen=True)
class Listening:
    """What was computed on one dataset: its name, its cells (columns `CELLS`), and the share of its
    cold tracks whose artist has a train track (None where artists are not known)."""

    name: str = ""
    cells: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CELLS))
    semi_cold: float | None = None


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
    """The claims of a table such as `data/claims.csv`. Raises `InputError` for an unknown mark."""
    rows = read_csv(source, infer_schema=False).fill_null("")
    claims = []
    for row in rows.iter_rows(named=True):
        if row["mark"] not in (*FIRM, SECONDARY):
            known = ", ".join((*FIRM, SECONDARY))
            raise InputError(f"claim {row['id']}: mark is {row['mark']!r}; choose one of {known}")
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


def of_share(n: int, of: int, claim: Claim, what: str) -> Finding:
    """A claim about a share: reproduced from the tolerance on, partly where it holds for most."""
    share = n / of if of else 0.0
    verdict = REPRODUCED if share >= claim.tolerance else PARTLY if share > MOST else CONTRADICTED
    return Finding(f"{n} of {of} {what} ({share:.0%})", verdict)


def of_size(value: float, claim: Claim, what: str) -> Finding:
    """A claim about a size: reproduced from the tolerance on, partly where it is positive."""
    verdict = REPRODUCED if value >= claim.tolerance else PARTLY if value > 0 else CONTRADICTED
    return Finding(what, verdict)


def missing(what: str) -> Finding:
    """Nothing to judge by."""
    return Finding(what, NOT_TESTABLE)


def lacks(mine: float, best: float, claim: Claim, what: str) -> Finding:
    """A claim to be the best: partly where a value lacks no more than the tolerance of the best."""
    near = mine >= best * (1 - claim.tolerance)
    verdict = REPRODUCED if mine >= best else PARTLY if near else CONTRADICTED
    return Finding(what, verdict)


def differ(rhos: list[float], claim: Claim) -> Finding:
    """A claim that two orders differ: reproduced where the median correlation is low enough, partly
    where some are."""
    median = float(np.median(rhos))
    least = REPRODUCED if median <= claim.tolerance else PARTLY
    verdict = least if min(rhos) <= claim.tolerance else CONTRADICTED
    span = f"{min(rhos):.2f} to {max(rhos):.2f}"
    return Finding(f"median ρ {median:.2f} over {len(rhos)} recommenders ({span})", verdict)


def moves(ranked: pl.DataFrame, claim: Claim) -> Finding:
    """A claim that a mean rank (columns scenario, rank) is better in cold than in hot."""
    hot, cold = (
        float(np.mean(ranked.filter(pl.col("scenario") == scenario)["rank"].to_numpy()))
        for scenario in SCENARIOS
    )
    return of_size(hot - cold, claim, f"mean rank {hot:.1f} in hot, {cold:.1f} in cold")
