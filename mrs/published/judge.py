"""Hold claims against the evidence."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mrs.published.claim_checks import HERE
from mrs.published.claim_checks_listening import LISTENING
from mrs.published.claims import (
    HELD_AGAINST,
    HOLDS,
    KINDS,
    NOT_TESTABLE,
    VERDICTS,
    Claim,
    Evidence,
)


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
        return {
            "id": claim.id,
            "paper": claim.paper,
            "claim": claim.claim,
            "kind": KINDS[claim.kind],
            "source": claim.source,
            "tolerance": claim.tolerance,
            "unit": claim.unit,
            "reason": claim.reason,
            "found": self.found,
            "verdict": self.verdict,
            "query": claim.query,
            "generated": self.generated,
            "to_test": claim.test if self.verdict == NOT_TESTABLE else "",
        }

    def as_text(self) -> str:
        """What `mrs claims` prints."""
        claim = self.claim
        lines = [f"{claim.id}: {self.verdict}", f"  claim      {claim.claim}"]
        lines += [f"  kind       {KINDS[claim.kind]}"]
        lines += [f"  source     arXiv {claim.paper}, {claim.source}"]
        lines += [f"  tolerance  {claim.tolerance:g} {claim.unit}: {claim.reason}"]
        lines += [f"  found      {self.found}"]
        lines += [f"  query      {claim.query}"] if claim.query else []
        lines += [f"  generated  {self.generated} (decides nothing)"] if self.generated else []
        lines += [f"  to test    {claim.test}"] if self.verdict == NOT_TESTABLE else []
        return "\n".join(lines)


def judge(claim: Claim, evidence: Evidence) -> Judgement:
    """Hold a claim against the evidence. Generated data show something, and decide nothing."""
    generated = ""
    if claim.check in LISTENING:
        check = LISTENING[claim.check]
        finding, beside = (check(claim, side) for side in (evidence.real, evidence.generated))
        generated = "" if beside.verdict == NOT_TESTABLE else beside.found
    else:
        finding = HERE[claim.check](claim, evidence)
    verdict = HELD_AGAINST[claim.held_against] if finding.verdict == HOLDS else finding.verdict
    return Judgement(claim, finding.found, verdict, generated)


def judge_all(claims: Sequence[Claim], evidence: Evidence) -> list[Judgement]:
    """All verdicts, in the order of the claims."""
    return [judge(claim, evidence) for claim in claims]


def by_kind(judged: Sequence[Judgement]) -> dict[str, list[Judgement]]:
    """The judgements of each kind of `KINDS` that has any, in the order of both."""
    groups = {kind: [one for one in judged if one.claim.kind == kind] for kind in KINDS}
    return {kind: mine for kind, mine in groups.items() if mine}


def tally(judged: Sequence[Judgement]) -> str:
    """How many of the judgements, which should be of one kind, have which verdict."""
    counts = Counter(one.verdict for one in judged)
    return "; ".join(f"{verdict}: {counts[verdict]}" for verdict in VERDICTS if counts[verdict])
