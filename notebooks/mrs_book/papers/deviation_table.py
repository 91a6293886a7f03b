"""Where published code departs from what is described: the rows of the deviations table.

`data/deviations.yaml` holds one row per deviation, in the project's own words. Effects are not
among them: they are computed from runs (`effects.py`). The bodies of the papers were not
at hand: `described` follows abstracts, the repositories' documentation, option texts and names.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from mrs.errors import InputError
from mrs.recommenders import RECOMMENDERS, make_recommender

CERTAINTIES = ("confirmed", "PROBABLE")
MEASURES = ("runs", "list length", "closed form", "none")
PLACE = re.compile(r"(?P<repository>\S+) (?P<path>\S+)(?: (?P<where>\d+(?:-\d+)?|cells? .+))?")


@dataclass(frozen=True)
class Evidence:
    """A place in public code: repository ("owner/name"), commit, path, and lines "22-26" or
    "cell 2" of a notebook ("" for the whole file).
    """

    repository: str
    commit: str
    path: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.repository}@{self.commit}: {self.path}"
        if not self.where:
            return place
        if self.where.startswith("cell"):
            return f"{place}, {self.where}"
        return f"{place}, line{'s' if '-' in self.where else ''} {self.where}"

    @property
    def address(self) -> str:
        """Where a browser shows it."""
        page = f"https://github.com/{self.repository}/blob/{self.commit}/{self.path}"
        if not self.where or self.where.startswith("cell"):
            return page
        return page + "#" + "-".join(f"L{line}" for line in self.where.split("-"))


@dataclass(frozen=True)
class DeviationRow:
    """A row: what is described, what the published code does, what is done here, each a sentence
    or two.

    `name` is also that of the protocol "published:<name>" where it can be run, and `recommenders`
    are those that it applies to. `measured` says how its effect is found: "runs" (a fit with it
    against one without), "list length" (of the same lists), "closed form", or "none" for a
    `reason`. `settings` are set on both sides of the comparison. `certainty` is that of what the
    code does.
    """

    name: str
    title: str
    recommenders: tuple[str, ...]
    papers: tuple[str, ...]
    described: str
    published: str
    here: str
    evidence: tuple[Evidence, ...]
    certainty: str
    measured: str
    note: str = ""
    reason: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """The protocol of a run with this deviation alone."""
        return f"published:{self.name}"


@cache
def deviations() -> tuple[DeviationRow, ...]:
    """All rows, in the order of the table."""
    source = files("mrs_book.papers") / "data" / "deviations.yaml"
    return read(source.read_text(encoding="utf-8"))


def deviation(name: str) -> DeviationRow:
    """The row of a name. Raises `KeyError`."""
    return {row.name: row for row in deviations()}[name]


def read(text: str) -> tuple[DeviationRow, ...]:
    """The rows of a deviations.yaml, checked. Raises `InputError` that names the row."""
    values = yaml.safe_load(text)
    rows: list[DeviationRow] = []
    for number, entry in enumerate(values["deviations"], 1):
        try:
            rows.append(_row(entry, values["repositories"], values["papers"]))
        except (KeyError, TypeError, ValueError) as error:
            name = entry.get("name", "without a name")
            raise InputError(f"deviations.yaml: row {number} ({name}): {error}") from error
        if rows[-1].name in {row.name for row in rows[:-1]}:
            raise InputError(f"deviations.yaml: row {number}: {rows[-1].name} stands there twice")
    return tuple(rows)


def _row(
    entry: dict[str, Any], repositories: dict[str, str], papers: dict[str, str]
) -> DeviationRow:
    row = DeviationRow(
        **entry
        | {
            "recommenders": tuple(entry["recommenders"]),
            "papers": tuple(papers[paper] for paper in entry["papers"]),
            "evidence": tuple(_evidence(place, repositories) for place in entry["evidence"]),
        }
    )
    for name in ("title", "described", "published", "here"):
        if not getattr(row, name).strip():
            raise ValueError(f"{name} is empty")
    if not row.papers or not row.evidence:
        raise ValueError("names no paper or no evidence")
    if row.certainty not in CERTAINTIES:
        raise ValueError(f"certainty is {row.certainty!r}, none of {', '.join(CERTAINTIES)}")
    if row.measured not in MEASURES:
        raise ValueError(f"measured is {row.measured!r}, none of {', '.join(MEASURES)}")
    if (row.measured == "none") != bool(row.reason):
        raise ValueError("a reason belongs to a row that is not measured, and to no other")
    if (row.measured in ("runs", "list length")) != bool(row.recommenders):
        raise ValueError("recommenders belong to a row that is measured by runs, and to no other")
    for name in row.recommenders:
        make_recommender(name, {})
        if row.measured == "list length" and "cold" not in RECOMMENDERS[name].scenarios:
            raise ValueError(f"{name} does not answer the cold scenario")
    return row


def _evidence(place: str, repositories: dict[str, str]) -> Evidence:
    found = PLACE.fullmatch(place)
    if found is None:
        raise ValueError(f"evidence {place!r} is not a repository, a path and lines")
    repository, commit = repositories[found["repository"]].split("@")
    return Evidence(repository, commit, found["path"], found["where"] or "")
