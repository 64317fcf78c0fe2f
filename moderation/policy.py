"""Scores and facts in, verdict and reasons out.

Pure: no clock, no database, no model. Rejecting is off by default: a machine that rejects
leaves nobody to notice that it was wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from operator import ge
from typing import NamedTuple

from moderation.verdict import LABELS, Label, Reason, ReasonKind, Verdict


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds by label, as probabilities: at or above *hold* a person looks, *spam* hides."""

    version: str
    hold: Mapping[Label, float]
    spam: float | None
    floors: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """The lowest threshold of each label, in the order of `LABELS`: below all, nothing happens."""

    def __post_init__(self) -> None:
        floors = [self.hold.get(label, inf) for label in LABELS]
        if self.spam is not None:
            floors[0] = min(floors[0], self.spam)
        object.__setattr__(self, "floors", tuple(floors))


class Facts(NamedTuple):
    """What is known of a comment beside its text."""

    honeypot_filled: bool = False


class Judged(NamedTuple):
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
UNTRACED = Judged(
    Verdict.HOLD,
    (
        Reason(
            ReasonKind.ERROR,
            "not_judged",
            "The rules could not be asked about the comment, and it waits for a person.",
        ),
    ),
)


def judge(policy: Policy, scores: Sequence[float], facts: Facts) -> Judged:
    """Turn *scores*, probabilities in the order of `LABELS`, and *facts* into a verdict.

    Monotone: a higher score never gives a milder verdict.
    """
    if not facts.honeypot_filled and not any(map(ge, scores, policy.floors)):
        return APPROVED
    spam = scores[0]
    over = [
        (label, score, threshold)
        for label, score in zip(LABELS, scores, strict=True)
        if (threshold := policy.hold.get(label)) is not None and score >= threshold
    ]
    hidden = policy.spam is not None and spam >= policy.spam
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
