"""The chapter "Which claims hold?": the verdicts of `mrs_book.papers.judge`, as figure and tables.

Claims of different kinds are never counted together.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from mrs.study.store import Store
from mrs_book.kit.figures import CHANCE, ORACLE, PLAIN, SHUFFLED, closed, legend_below
from mrs_book.kit.parameters import required
from mrs_book.kit.style import GENERATED, WIDTH
from mrs_book.kit.tables import show
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
HATCHES = dict(zip(HELD_AGAINST.values(), ("", "//", ".."), strict=True))
OTHERS = (PLAIN, SHUFFLED, "#888888", "#dddddd")
COLOURS = dict.fromkeys(HATCHES, ORACLE) | dict(zip(VERDICTS[len(HATCHES) :], OTHERS, strict=True))


@dataclass(frozen=True)
class ClaimsPage:
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
        """Number of verdicts per kind of claim, as stacked bars."""
        kinds = by_kind(self.judged)
        figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(kinds) + 1.8))
        start = np.zeros(len(kinds))
        for verdict in VERDICTS:
            counts = np.array(
                [sum(one.verdict == verdict for one in mine) for mine in kinds.values()]
            )
            axis.barh(
                range(len(kinds)),
                counts,
                left=start,
                color=COLOURS[verdict],
                hatch=HATCHES.get(verdict, ""),
                edgecolor="white",
                label=verdict,
            )
            for place in np.flatnonzero(counts):
                middle = start[place] + counts[place] / 2
                text = axis.text(middle, float(place), str(counts[place]), ha="center", va="center")
                text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
            start += counts
        axis.set_yticks(range(len(kinds)), [KINDS[kind] for kind in kinds])
        axis.invert_yaxis()
        axis.set_xlabel("claims")
        axis.grid(visible=False)
        axis.spines["left"].set_color(CHANCE)
        legend_below(figure, axis, 3)
        return closed(figure)

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


def open_page(store: str) -> ClaimsPage:
    """The claims held against the records of a store."""
    evidence = gather(Store(required("store", store)), archives())
    return ClaimsPage(judge_all(load(), evidence), evidence)


def show_summary(page: ClaimsPage) -> None:
    """Display what became of the claims."""
    display(Markdown(page.summary()))
    display(page.figure())


def show_claims(page: ClaimsPage) -> None:
    """Display the claims of each kind; an id leads to the page of the evidence."""
    for kind in by_kind(page.judged):
        title = KINDS[kind].capitalize()
        display(Markdown(f"### {title}"))
        show(page.table(kind), f"Claims: {KINDS[kind]}", sortable=True, links={"id": "page"})


def show_generated(page: ClaimsPage) -> None:
    """Display what generated data show, apart from the claims' verdicts."""
    table = page.generated()
    if len(table):
        show(
            table,
            "Generated listeners and, where a name begins with sim:, surrogate vectors. Nothing "
            "follows from this table about a claim.",
            source=GENERATED,
        )
    else:
        display(Markdown("There are no runs on generated data that these claims could be about."))


def show_rules(page: ClaimsPage) -> None:
    """Display how each verdict came about."""
    show(page.rules(), sortable=True)


def show_untested(page: ClaimsPage) -> None:
    """Display what the undecided claims wait for."""
    show(page.untested())
