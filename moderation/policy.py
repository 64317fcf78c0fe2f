"""Scores and facts in, verdict and reasons out.

Pure: no clock, no database, no model. Rejecting is off by default: a machine that rejects
leaves nobody to notice that it was wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moderation.verdict import LABELS, Label, Reason, ReasonKind, Verdict


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds by label, as probabilities: at or above *hold* a person looks, *spam* hides."""

    version: str
    hold: Mapping[Label, float]
    spam: float | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a comment beside its text."""

    honeypot_filled: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict and everything that moved it away from approve, strongest first."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


APPROVED = Judged(Verdict.APPROVE, ())

HONEYPOT = Reason(
    ReasonKind.RULE,
    "honeypot",
    "A field that people cannot see was filled in.",
)
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


def judge(policy: Policy, scores: Sequence[float], facts: Facts) -> Judged:
    """Turn *scores*, probabilities in the order of `LABELS`, and *facts* into a verdict.

    Monotone: a higher score never gives a milder verdict.
    """
    spam = scores[0]
    over = [
        (label, score, threshold)
        for label, score in zip(LABELS, scores, strict=True)
        if (threshold := policy.hold.get(label)) is not None and score >= threshold
    ]
    hidden = policy.spam is not None and spam >= policy.spam
    if not over and not hidden and not facts.honeypot_filled:
        return APPROVED
    reasons = [HONEYPOT] if facts.honeypot_filled else []
    if policy.spam is not None and hidden:
        reasons.append(_reason(Label.SPAM, spam, policy.spam))
        over = [item for item in over if item[0] is not Label.SPAM]
    over.sort(key=lambda item: item[2] - item[1])
    reasons.extend(_reason(*item) for item in over)
    verdict = Verdict.SPAM if hidden or facts.honeypot_filled else Verdict.HOLD
    return Judged(verdict, tuple(reasons))


def _reason(label: Label, score: float, threshold: float) -> Reason:
    return Reason(
        ReasonKind.SCORE,
        f"{label.value}_score",
        f"The {label.value} score {score:.2f} reaches the threshold {threshold:.2f}.",
        label,
        score,
        threshold,
    )
