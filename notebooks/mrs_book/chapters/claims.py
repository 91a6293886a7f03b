"""The chapter "Which claims hold?": the verdicts of `mrs_book.papers.judge`, as figure and tables.

Claims of different kinds are never counted together.
"""

from dataclasses import dataclass

import polars as pl
from matplotlib.figure import Figure

from mrs.study.store import Store
from mrs_book.kit.figures import stacked
from mrs_book.kit.parameters import required
from mrs_book.kit.style import BLUE, GREEN, ORANGE, PALE
from mrs_book.papers.claims import (
    HELD_AGAINST,
    KINDS,
    NOT_TESTABLE,
    VERDICTS,
    Claim,
    Evidence,
    load,
)
from mrs_book.papers.evidence import archives, gather
from mrs_book.papers.judge import Judgement, by_kind, judge_all, tally

# What holds has one colour and a hatch by what it was held against.
HELD = dict(zip(HELD_AGAINST.values(), ("", "//", ".."), strict=True))
OTHERS = dict(zip(VERDICTS[len(HELD) :], (BLUE, ORANGE, "#888888", PALE), strict=True))
STYLES = {name: {"color": GREEN, "hatch": hatch} for name, hatch in HELD.items()}
STYLES |= {name: {"color": colour} for name, colour in OTHERS.items()}


@dataclass(frozen=True)
class Page:
    """All claims with their verdicts, and what they were held against."""

    judged: list[Judgement]
    evidence: Evidence

    def summary(self) -> str:
        """What became of the claims of each kind, and of what they were held against."""
        lines = [
            f"- **{KINDS[kind].capitalize()}** ({len(mine)} claims): {tally(mine)}."
            for kind, mine in by_kind(self.judged).items()
        ]
        real = self.evidence.real.name
        listening = (
            f"Claims about models are held against {real}, real listening with the models' own "
            "vectors."
            if real
            else "There is no real listening with the models' own vectors in the store, so that no "
            "claim about models is decided."
        )
        second = sum(one.claim.secondary for one in self.judged)
        return (
            "\n".join(lines) + f"\n\n{listening} {second} of this project's readings are of "
            "secondary sources and marked so: they are not the papers' own words."
        )

    def figure(self) -> Figure:
        """Number of verdicts per kind of claim."""
        counts = [
            {"row": KINDS[kind], "part": part, "value": sum(one.verdict == part for one in mine)}
            for kind, mine in by_kind(self.judged).items()
            for part in VERDICTS
        ]
        return stacked(pl.DataFrame(counts), "claims", counts=True, styles=STYLES)

    def tables(self) -> dict[str, pl.DataFrame]:
        """The claims of each kind by its title."""
        return {KINDS[kind]: self.table(kind) for kind in by_kind(self.judged)}

    def table(self, kind: str) -> pl.DataFrame:
        """One row per claim of a kind: what was found, the verdict, the page of the evidence."""
        return pl.DataFrame(
            [
                {
                    "claim": _worded(one.claim),
                    "arXiv": one.claim.paper,
                    "verdict": one.verdict,
                    "found": one.found,
                    "id": one.claim.id,
                    "page": f"{one.claim.page}.html",
                }
                for one in by_kind(self.judged)[kind]
            ]
        )

    def generated(self) -> pl.DataFrame:
        """What generated data show, one row per claim that they say something about."""
        world = self.evidence.generated.name
        rows = [
            {"id": one.claim.id, "data": f"generated ({world})", "generated data show": shown}
            for one in self.judged
            if (shown := one.generated)
        ]
        schema = dict.fromkeys(("id", "data", "generated data show"), pl.String)
        return pl.DataFrame(rows, schema=schema)

    def rules(self) -> pl.DataFrame:
        """One row per claim: source, tolerance and its reason, rule, query and command."""
        return pl.DataFrame(
            [
                {
                    "id": one.claim.id,
                    "source": one.claim.source,
                    "tolerance": f"{one.claim.tolerance:g} {one.claim.unit}",
                    "reason": one.claim.reason,
                    "rule": one.claim.rule,
                    "query": one.claim.sql,
                    "command": one.claim.command,
                }
                for one in self.judged
            ]
        )

    def untested(self) -> pl.DataFrame:
        """What the claims need that are not testable here, and which claims each need serves."""
        needs: dict[str, list[str]] = {}
        for one in self.judged:
            if one.verdict == NOT_TESTABLE:
                needs.setdefault(one.claim.test, []).append(one.claim.id)
        rows = [{"needed": need, "claims": ", ".join(ids)} for need, ids in needs.items()]
        return pl.DataFrame(rows, schema={"needed": pl.String, "claims": pl.String})


def _worded(claim: Claim) -> str:
    """The claim, marked where only secondary sources report it."""
    return f"{claim.claim} ({claim.source})" if claim.secondary else claim.claim


def open_page(store: str) -> Page:
    """The claims held against the records of a store."""
    evidence = gather(Store(required("store", store)), archives())
    return Page(judge_all(load(), evidence), evidence)
