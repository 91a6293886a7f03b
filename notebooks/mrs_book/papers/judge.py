"""Hold claims against the evidence: a query finds the values, one of a few rules decides.

What generated data show is kept apart and decides nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from mrs.evaluation.bootstrap import t_interval
from mrs_book.papers.claim_frames import (
    LEVEL,
    LISTENING,
    Frames,
    MissingError,
    Pair,
    named,
    scores,
    sign,
    systems,
)
from mrs_book.papers.claims import (
    CONTRADICTED,
    HELD_AGAINST,
    HOLDS,
    KINDS,
    NOT_TESTABLE,
    OPEN,
    PARTLY,
    VERDICTS,
    Claim,
    Evidence,
    Listening,
)

MOST = 0.5  # from this share of what is claimed on, a claim holds partly


@dataclass(frozen=True)
class Finding:
    """What a rule found, in words with its values, and what follows from it.

    `verdict` is `HOLDS`, `PARTLY`, `CONTRADICTED`, `OPEN` or `NOT_TESTABLE`.
    """

    found: str
    verdict: str


def _words(claim: Claim, rows: pl.DataFrame) -> str:
    """The claim's template filled in for each row of the answer."""
    return "; ".join(claim.found.format(**row) for row in rows.iter_rows(named=True))


# Rules on the answer of a query


def share(claim: Claim, rows: pl.DataFrame) -> Finding:
    """The share of cases in which `holds` is true, from the tolerance on; partly if it is of most.

    Arguments: `share` in place of the tolerance, and `short`, the verdict of any smaller share.
    """
    n, of = int(rows["holds"].sum()), len(rows)
    less = claim.arguments.get("short") or (PARTLY if n / of > MOST else CONTRADICTED)
    verdict = HOLDS if n / of >= claim.arguments.get("share", claim.tolerance) else less
    return Finding(f"{n} of {of} {claim.found} ({n / of:.0%})", verdict)


def each(claim: Claim, rows: pl.DataFrame) -> Finding:
    """Whether `holds` is true of every row, partly if it is of some."""
    n = int(rows["holds"].sum())
    verdict = HOLDS if n == len(rows) else PARTLY if n else CONTRADICTED
    return Finding(f"{_words(claim, rows)}: {n} of {len(rows)} as claimed", verdict)


def best(claim: Claim, rows: pl.DataFrame) -> Finding:
    """Whether the row that is `mine` has the highest `value`, partly if it lacks the tolerance.

    With a column `contest` this is asked of each contest, and there must be as many as the argument
    `contests` says (default: one).
    """
    rows = rows if "contest" in rows.columns else rows.with_columns(contest=pl.lit(""))
    text, verdicts = [], set()
    for contest in rows.partition_by("contest", maintain_order=True):
        for own in contest.filter("mine").iter_rows(named=True):
            top = contest.sort("value", "mine", descending=True).row(0, named=True)
            part = own["value"] / top["value"]
            near = own["value"] >= top["value"] * (1 - claim.tolerance)
            verdicts.add(
                HOLDS if own["value"] >= top["value"] else PARTLY if near else CONTRADICTED
            )
            text.append(
                f"{own['label']} {own['value']:.4f}, best {top['label']} {top['value']:.4f} "
                f"({part:.0%} of the best)"
            )
    if len(text) < claim.arguments.get("contests", 1):
        raise MissingError("runs of it are missing")
    return Finding("; ".join(text), verdicts.pop() if len(verdicts) == 1 else PARTLY)


def size(claim: Claim, rows: pl.DataFrame) -> Finding:
    """Whether `value` is the tolerance or more, partly if it is `MOST` of it.

    With the argument `interval` there is one row per recommender, and the t interval of their mean
    is considered, too: one that includes zero supports nothing, and one that includes `MOST` of
    the tolerance contradicts nothing.
    """
    values = rows["value"].to_numpy().astype(float)
    text, value = _words(claim, rows[:1]), float(values.mean())
    low = high = value
    if claim.arguments.get("interval"):
        found = t_interval(values, LEVEL)
        low, high = float(found.low), float(found.high)
        if np.isnan(low):
            raise MissingError(f"too few for an interval: {len(values)}")
        text = f"{value:+.2f} {text} [{low:.2f}, {high:.2f}] over {len(values)} recommenders"
    part = value / claim.tolerance
    if low > 0 and part >= MOST:
        verdict = HOLDS if part >= 1 else PARTLY
    else:
        verdict = CONTRADICTED if high < MOST * claim.tolerance else OPEN
    return Finding(f"{text} ({part:.0%} of what is claimed)", verdict)


def interval(claim: Claim, rows: pl.DataFrame) -> Finding:
    """Whether every interval from `low` to `high` lies above the tolerance, or where the argument
    `below` is set below it; one that includes the tolerance leaves the claim open.
    """
    above, below = bool((rows["low"] > claim.tolerance).all()), rows["high"] < claim.tolerance
    verdicts = (CONTRADICTED, HOLDS) if claim.arguments.get("below") else (HOLDS, CONTRADICTED)
    verdict = verdicts[0] if above else verdicts[1] if below.all() else OPEN
    return Finding(_words(claim, rows), verdict)


def verdict(claim: Claim, rows: pl.DataFrame) -> Finding:
    """What the query itself concludes in `verdict`."""
    return Finding(_words(claim, rows), rows["verdict"][0])


RULES: dict[str, Callable[[Claim, pl.DataFrame], Finding]] = {
    rule.__name__: rule for rule in (share, each, best, size, interval, verdict)
}


# Rules without a query


def ahead(claim: Claim, side: Listening) -> Finding:
    """Whether a system of `group` is so many times as good as every one of `over` and `also`.

    The tolerance is the factor. Values are means over all backends that two systems share, so that
    no backend is chosen by what it does on the test users. Systems of `also` may be missing.
    """
    wanted = claim.arguments
    over = [systems(side, name) for name in wanted["over"]]
    also = [systems(side, name) for name in wanted.get("also", [])]
    group = [system for name in wanted["group"] for system in systems(side, name)]
    others = [system for found in (*over, *also) for system in found]
    if not all(over) or not group:
        raise MissingError("runs of it are missing")
    if wanted.get("dataset") not in (None, side.name.removesuffix("-published")):
        raise MissingError(f"{side.name} is not the data that it is about")
    verdicts, text = [], []
    for metric in wanted["metrics"]:
        pairs = [
            [scores(side, mine, other, wanted["scenario"], metric) for other in others]
            for mine in group
        ]
        # The strongest of the others for each, and the system that is best against its strongest.
        least = [
            min((float(one.mean() / two.mean()), n) for n, (one, two) in enumerate(mine))
            for mine in pairs
        ]
        at = max(range(len(group)), key=lambda place: least[place])
        ratio, strongest = least[at]
        one, two = (" ".join(system).strip() for system in (group[at], others[strongest]))
        text.append(f"{metric}: {one} {ratio:.3f} times {two}")
        verdicts.append(_beyond(pairs, claim.tolerance))
    order = (CONTRADICTED, OPEN, PARTLY, HOLDS)
    return Finding("; ".join(text), min(verdicts, key=order.index))


def _beyond(pairs: list[list[Pair]], factor: float) -> str:
    """Whether some system of a group is beyond `factor` times every other one.

    `pairs` holds a list per system of the group, and in it a pair per other one. The best of a
    group and the strongest of the others are choices made on the test users: hence the correction
    for all pairs. Partly: beyond `MOST` of what the factor is above 1.
    """
    n_tests = sum(map(len, pairs))
    for word, times in ((HOLDS, factor), (PARTLY, 1 + MOST * (factor - 1))):
        signs = [[sign(pair, times, n_tests) for pair in mine] for mine in pairs]
        if any(min(mine) > 0 for mine in signs):
            return word
    return CONTRADICTED if all(min(mine) < 0 for mine in signs) else OPEN


def decide(claim: Claim, frames: Frames) -> Finding:
    """What the claim's rule finds in frames."""
    side = frames.side
    try:
        if claim.rule == "none":
            raise MissingError(claim.found)
        if claim.rule == "ahead":
            return ahead(claim, side)
        rows = frames.query(claim.sql)
        least = claim.arguments.get("fewest", 1)
        if len(rows) < least:
            raise MissingError(f"{len(rows)} of the {least} cases that this needs are there")
        return RULES[claim.rule](claim, rows)
    except MissingError as error:
        why = str(error)
        if of_listening(claim) and not side.name:
            why = "no real listening with the models' own vectors is in the store"
        return Finding(why, NOT_TESTABLE)


def of_listening(claim: Claim) -> bool:
    """Whether the claim is held against what was computed on the listens of one dataset."""
    return claim.rule == "ahead" or not LISTENING.keys().isdisjoint(named(claim.query))


@dataclass(frozen=True)
class Judgement:
    """A claim, what was found, the verdict (of `VERDICTS`), and what generated data show."""

    claim: Claim
    found: str
    verdict: str
    generated: str

    def as_json(self) -> dict[str, Any]:
        """What `mrs claims --json` prints."""
        claim = self.claim
        names = ("id", "paper", "claim", "source", "tolerance", "unit", "reason", "rule")
        return {name: getattr(claim, name) for name in names} | {
            "kind": KINDS[claim.kind],
            "query": claim.sql,
            "found": self.found,
            "verdict": self.verdict,
            "generated": self.generated,
            "to_test": claim.test if self.verdict == NOT_TESTABLE else "",
        }

    def as_text(self) -> str:
        """What `mrs claims` prints."""
        claim = self.claim
        lines = {
            "claim": claim.claim,
            "kind": KINDS[claim.kind],
            "source": f"arXiv {claim.paper}, {claim.source}",
            "tolerance": f"{claim.tolerance:g} {claim.unit}: {claim.reason}",
            "found": self.found,
            "query": claim.sql,
            "rule": claim.rule,
            "generated": self.generated and f"{self.generated} (decides nothing)",
            "to test": claim.test if self.verdict == NOT_TESTABLE else "",
        }
        said = [f"  {name:10} {text}" for name, text in lines.items() if text]
        return "\n".join([f"{claim.id}: {self.verdict}", *said])


def judge_all(claims: Sequence[Claim], evidence: Evidence) -> list[Judgement]:
    """All verdicts, in the order of the claims."""
    real, made = (Frames(evidence, side) for side in (evidence.real, evidence.generated))
    judged = []
    for claim in claims:
        finding, generated = decide(claim, real), ""
        if of_listening(claim) and (shown := decide(claim, made)).verdict != NOT_TESTABLE:
            generated = shown.found
        word = HELD_AGAINST[claim.held_against] if finding.verdict == HOLDS else finding.verdict
        judged.append(Judgement(claim, finding.found, word, generated))
    return judged


def judge(claim: Claim, evidence: Evidence) -> Judgement:
    """The verdict on one claim."""
    return judge_all([claim], evidence)[0]


def by_kind(judged: Sequence[Judgement]) -> dict[str, list[Judgement]]:
    """The judgements of each kind of `KINDS` that has any, in the order of both."""
    groups = {kind: [one for one in judged if one.claim.kind == kind] for kind in KINDS}
    return {kind: mine for kind, mine in groups.items() if mine}


def tally(judged: Sequence[Judgement]) -> str:
    """How many of the judgements, which should be of one kind, have which verdict."""
    counts = Counter(one.verdict for one in judged)
    return "; ".join(f"{verdict}: {counts[verdict]}" for verdict in VERDICTS if counts[verdict])
