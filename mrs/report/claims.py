"""The chapter "Which claims hold?": the verdicts of `mrs.published.judge`, as figure and tables."""

from collections import Counter
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from mrs.published.claims import NOT_TESTABLE, PAPERS, SECONDARY, VERDICTS, Claim, Evidence, load
from mrs.published.judge import Judgement, judge_all
from mrs.report.figures import CHANCE, ORACLE, PLAIN, SHUFFLED, closed, legend_below
from mrs.report.style import WIDTH
from mrs.report.tables import show
from mrs.study.evidence import ARCHIVES, gather
from mrs.study.store import Store

COLOURS = dict(zip(VERDICTS, (ORACLE, PLAIN, SHUFFLED, "#cccccc"), strict=True))


@dataclass(frozen=True)
class ClaimsPage:
    """All claims with their verdicts, and what they were held against."""

    judged: list[Judgement]
    evidence: Evidence

    def summary(self) -> str:
        """How many claims there are, and what became of them."""
        counts = Counter(one.verdict for one in self.judged)
        parts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
        second = sum(one.claim.mark == SECONDARY for one in self.judged)
        real = self.evidence.real.name
        listening = (
            f"Claims about models are held against {real}, real listening with the models' own "
            "vectors."
            if real
            else "There is no real listening with the models' own vectors in the store, so that no "
            "claim about models is decided."
        )
        made = sum(bool(one.generated) for one in self.judged)
        return (
            f"{len(self.judged)} claims of {len(PAPERS)} papers: {parts}. {listening} What "
            f"generated data show stands beside {made} of them and decides nothing. {second} are "
            "known from secondary sources alone and marked so: they are not the papers' own words."
        )

    def figure(self) -> Figure:
        """Verdicts a paper."""
        names = list(PAPERS.values())
        figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(names) + 1.4))
        start = np.zeros(len(names))
        for verdict in VERDICTS:
            counts = np.array(
                [
                    sum(one.claim.paper == paper and one.verdict == verdict for one in self.judged)
                    for paper in PAPERS
                ]
            )
            axis.barh(range(len(names)), counts, left=start, color=COLOURS[verdict], label=verdict)
            for place in np.flatnonzero(counts):
                middle = start[place] + counts[place] / 2
                light = "black" if verdict == NOT_TESTABLE else "white"
                axis.text(
                    middle, float(place), str(counts[place]), ha="center", va="center", color=light
                )
            start += counts
        axis.set_yticks(range(len(names)), names)
        axis.invert_yaxis()
        axis.set_xlabel("claims")
        axis.grid(visible=False)
        axis.spines["left"].set_color(CHANCE)
        legend_below(figure, axis, 2)
        return closed(figure)

    def table(self) -> pl.DataFrame:
        """A row a claim: what was found and the verdict, with the page of the evidence."""
        return pl.DataFrame(
            [
                {
                    "claim": _worded(one.claim),
                    "arXiv": one.claim.paper,
                    "verdict": one.verdict,
                    "found": one.found,
                    "generated data show": one.generated,
                    "id": one.claim.id,
                    "page": f"{one.claim.page}.html",
                }
                for one in self.judged
            ]
        )

    def rules(self) -> pl.DataFrame:
        """A row a claim: where it is made, the tolerance and its reason, the command."""
        return pl.DataFrame(
            [
                {
                    "id": one.claim.id,
                    "source": one.claim.source,
                    "tolerance": f"{one.claim.tolerance:g} {one.claim.unit}",
                    "reason": one.claim.reason,
                    "command": one.claim.command,
                }
                for one in self.judged
            ]
        )

    def untested(self) -> pl.DataFrame:
        """What would make the claims testable that are not: needed, and which claims it serves."""
        needs: dict[str, list[str]] = {}
        for one in self.judged:
            if one.verdict == NOT_TESTABLE:
                needs.setdefault(one.claim.test, []).append(one.claim.id)
        rows = [{"needed": need, "claims": ", ".join(ids)} for need, ids in needs.items()]
        return pl.DataFrame(rows, schema={"needed": pl.String, "claims": pl.String})


def _worded(claim: Claim) -> str:
    """The claim, marked where only secondary sources report it."""
    return f"{claim.claim} ({claim.source})" if claim.mark == SECONDARY else claim.claim


def open_page(store: str) -> ClaimsPage:
    """The claims held against the records of a store."""
    evidence = gather(Store(store), ARCHIVES)
    return ClaimsPage(judge_all(load(), evidence), evidence)


def show_summary(page: ClaimsPage) -> None:
    """Display what became of the claims."""
    display(Markdown(page.summary()))
    display(page.figure())


def show_claims(page: ClaimsPage) -> None:
    """Display every claim; its id leads to the page of the evidence."""
    world = page.evidence.generated.name or "none"
    display(
        Markdown(
            f"Generated data: {world}, generated listeners and, where a name begins with sim:, "
            "surrogate vectors. Nothing follows from that column about the claims."
        )
    )
    show(page.table(), sortable=True, links={"id": "page"})


def show_rules(page: ClaimsPage) -> None:
    """Display how each verdict came about."""
    show(page.rules(), sortable=True)


def show_untested(page: ClaimsPage) -> None:
    """Display what the undecided claims wait for."""
    show(page.untested())
