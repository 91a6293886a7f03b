"""Hold claims against the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mrs.published.claim_checks import HERE
from mrs.published.claim_checks_listening import LISTENING
from mrs.published.claims import NOT_TESTABLE, Claim, Evidence


@dataclass(frozen=True)
class Judgement:
    """A claim with what was found, its verdict, and what generated data show ("" for nothing)."""

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
            "source": claim.source,
            "mark": claim.mark,
            "tolerance": claim.tolerance,
            "unit": claim.unit,
            "reason": claim.reason,
            "found": self.found,
            "verdict": self.verdict,
            "generated": self.generated,
            "to_test": claim.test if self.verdict == NOT_TESTABLE else "",
        }

    def as_text(self) -> str:
        """What `mrs claims` prints."""
        claim = self.claim
        lines = [f"{claim.id}: {self.verdict}", f"  claim      {claim.claim}"]
        lines += [f"  source     arXiv {claim.paper}, {claim.source}"]
        lines += [f"  tolerance  {claim.tolerance:g} {claim.unit}: {claim.reason}"]
        lines += [f"  found      {self.found}"]
        lines += [f"  generated  {self.generated} (decides nothing)"] if self.generated else []
        lines += [f"  to test    {claim.test}"] if self.verdict == NOT_TESTABLE else []
        return "\n".join(lines)


def judge(claim: Claim, evidence: Evidence) -> Judgement:
    """Hold a claim against the evidence. Generated data show something, and decide nothing."""
    if claim.check in HERE:
        finding = HERE[claim.check](claim, evidence)
        return Judgement(claim, finding.found, finding.verdict, "")
    check = LISTENING[claim.check]
    finding, beside = (check(claim, side) for side in (evidence.real, evidence.generated))
    generated = "" if beside.verdict == NOT_TESTABLE else beside.found
    return Judgement(claim, finding.found, finding.verdict, generated)


def judge_all(claims: Sequence[Claim], evidence: Evidence) -> list[Judgement]:
    """All verdicts, in the order of the claims."""
    return [judge(claim, evidence) for claim in claims]
