"""Scores and findings in, verdict and reasons out.

Pure: no clock, no database, no model. Rejecting is off by default: a machine that rejects
leaves nobody to notice that it was wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import ge
from typing import NamedTuple

from moderation.policy.rules import NO_RULES, Finding, Rules
from moderation.verdict import LABELS, Label, Reason, ReasonKind, Verdict


class Bands(NamedTuple):
    """The thresholds of a label, as probabilities; None where the label has no such band.

    At or above *hold* a person looks, *spam* hides, *reject* refuses.
    """

    hold: float | None = None
    spam: float | None = None
    reject: float | None = None

    def reached(self, score: float) -> tuple[Verdict, float] | None:
        """Return the most severe band that *score* reaches, and its threshold."""
        if self.reject is not None and score >= self.reject:
            return Verdict.REJECT, self.reject
        if self.spam is not None and score >= self.spam:
            return Verdict.SPAM, self.spam
        if self.hold is not None and score >= self.hold:
            return Verdict.HOLD, self.hold
        return None


NO_BANDS = Bands()


@dataclass(frozen=True, slots=True)
class Policy:
    """Bands by label, and the rules; what a site wants done with a comment."""

    version: str
    bands: Mapping[Label, Bands]
    rules: Rules = NO_RULES
    floors: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """The lowest threshold of each label, in the order of `LABELS`: below all, nothing happens."""

    def __post_init__(self) -> None:
        every = (self.bands.get(label, NO_BANDS) for label in LABELS)
        floors = [min((at for at in bands if at is not None), default=inf) for bands in every]
        object.__setattr__(self, "floors", tuple(floors))


class Judged(NamedTuple):
    """A verdict and everything that moved it away from approve, strongest first."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


APPROVED = Judged(Verdict.APPROVE, ())

UNSCORED = Judged(
    Verdict.HOLD,
    (
        Reason(
            ReasonKind.ERROR,
            "not_scored",
            "The comment could not be scored and waits for a person.",
        ),
    ),
)
UNJUDGED = Judged(
    Verdict.HOLD,
    (
        Reason(
            ReasonKind.ERROR,
            "not_judged",
            "The rules could not be asked about the comment, and it waits for a person.",
        ),
    ),
)


def judge(
    policy: Policy,
    scores: Sequence[float] | None,
    findings: Sequence[Finding] = (),
    *,
    trusted: bool = False,
) -> Judged:
    """Turn *scores*, probabilities in the order of `LABELS`, and *findings* into a verdict.

    The most severe wins. Monotone: a higher score never gives a milder verdict. From a *trusted*
    author a comment that may be spam is not held for that alone, and nothing that only strangers
    are suspected of counts. What has no scores is held.
    """
    if scores is None:
        return UNSCORED
    if trusted:
        findings = [finding for finding in findings if not finding.of_strangers]
    if not findings and not any(map(ge, scores, policy.floors)):
        return APPROVED
    over: list[tuple[Verdict, float, Reason]] = []
    for label, score in zip(LABELS, scores, strict=True):
        reached = policy.bands.get(label, NO_BANDS).reached(score)
        if reached is None or (trusted and label is Label.SPAM and reached[0] is Verdict.HOLD):
            continue
        verdict, threshold = reached
        over.append((verdict, threshold - score, _reason(label, score, threshold)))
    if not findings and not over:
        return APPROVED
    over.sort(key=lambda item: (-item[0].severity, item[1]))
    found = sorted(findings, key=lambda finding: -finding.verdict.severity)
    verdicts = [finding.verdict for finding in found] + [item[0] for item in over]
    reasons = [finding.reason for finding in found] + [item[2] for item in over]
    return Judged(max(verdicts, key=lambda verdict: verdict.severity), tuple(reasons))


def _reason(label: Label, score: float, threshold: float) -> Reason:
    return Reason(
        ReasonKind.SCORE,
        f"{label.value}_score",
        f"The {label.value} score {score:.2f} reaches the threshold {threshold:.2f}.",
        label,
        score,
        threshold,
    )
