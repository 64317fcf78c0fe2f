"""What people should look at first: where a case stands in the queue of its site.

Pure. Cases stand in tiers, the lower the sooner. Within a tier

    place = opened - urgency · wait / 4
    urgency = min(4, harm · reach · (1 + ½ · ln(1 + reports)))

and the smallest place comes first. *harm* is the largest of weight(label) · probability(label);
*reach* is 1 where readers see the comment and report it, ½ otherwise; *reports* is the number of
readers who reported it, each counted by how often their reports were upheld. *opened* and *wait*
are hours.

What is worse and newer passes what is milder and older by up to *wait*, the site's aim: after that
nothing newer of its tier comes before it. As every case ages alike, no place ever has to be
computed again because time went by: a page of the queue is a range of an index. As a place is an
hour, those of sites with other aims stand in one order.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from math import log
from typing import Any, NamedTuple

from moderation.verdict import LABELS, Label, Reason, ReasonKind, State


class Tier(IntEnum):
    """Which cases come before which others, whatever their urgency.

    The first place is kept for what the law sets a term for.
    """

    TERM = 1
    DANGER = 2
    REPORTED = 3
    HELD = 4


WEIGHTS: Mapping[Label, float] = {
    Label.THREAT: 1.0,
    Label.IDENTITY_ATTACK: 0.9,
    Label.SEVERE_TOXICITY: 0.9,
    Label.SEXUAL_EXPLICIT: 0.7,
    Label.INSULT: 0.6,
    Label.TOXICITY: 0.6,
    Label.OBSCENE: 0.5,
    Label.SPAM: 0.3,
}
"""How much harm each label stands for."""

DANGEROUS = frozenset({Label.THREAT})
"""Labels that put a case into the second tier where they reach their threshold."""

URGENCY_LIMIT = 4.0
UNKNOWN_HARM = 0.5  # of what could not be scored, or was held by a rule alone
UNSEEN_REACH = 0.5
NO_DOUBT = 1.0
_MILDEST = 0.3  # probability, about: of what is held
_FURTHEST = 0.4  # from a threshold, about: what is held
_ANOTHER = 99_991  # makes another number in 0..1 of one that has digits enough
_TIER = 1e7  # more than any place within a tier: hours of a thousand years
_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


class Weighed(NamedTuple):
    """What scores and reasons come to: *label* is the most harmful, *doubt* a distance in 0..1."""

    harm: float
    doubt: float
    label: Label | None
    reason: str | None
    dangerous: bool


def weigh(scores: Sequence[float] | None, reasons: Sequence[Reason]) -> Weighed:
    """Weigh *scores*, probabilities in the order of `LABELS`, and what moved the verdict.

    *doubt* is the distance of the score that lies nearest to its threshold.
    """
    reached = [reason for reason in reasons if reason.kind is ReasonKind.SCORE]
    near = [
        abs(reason.score - reason.threshold)
        for reason in reached
        if reason.score is not None and reason.threshold is not None
    ]
    first = reasons[0] if reasons else None
    harm, label = UNKNOWN_HARM, None
    if scores is not None and (reached or not reasons):
        among = [each.label for each in reached] or LABELS
        harm, label = max(
            (WEIGHTS[each] * score, each)
            for each, score in zip(LABELS, scores, strict=True)
            if each in among
        )
    reason = first.code if first else None
    if label and first and first.kind is ReasonKind.SCORE:
        # Of several labels the one that is told: what was drawn has no other reason, either.
        reason = _reached(label)
    return Weighed(
        harm,
        min(near, default=NO_DOUBT),
        label,
        reason,
        any(each.label in DANGEROUS for each in reached),
    )


def weigh_unmoved(scores: Sequence[float] | None, chance: float) -> Weighed:
    """Weigh what nothing moved as if it had been held: the blind sample is not to be known by it.

    The label is the likeliest one. *chance*, a number in 0..1 that nobody can foresee, stands for
    how far the score lies above a threshold, and how near.
    """
    if scores is None:
        return weigh(None, ())
    _, label = max(zip(scores, LABELS, strict=True))
    another = chance * _ANOTHER % 1
    return Weighed(
        WEIGHTS[label] * (_MILDEST + (1 - _MILDEST) * chance),
        _FURTHEST * another,
        label,
        _reached(label),
        dangerous=False,
    )


def _reached(label: Label) -> str:
    """Return the code of the reason that a score of *label* is."""
    return f"{label.value}_score"


def weigh_stored(
    labels: Mapping[str, float] | None, reasons: Sequence[Mapping[str, Any]]
) -> Weighed:
    """Weigh what was stored of a revision: its labels and its reasons, read from their JSON."""
    read = [
        Reason(
            ReasonKind(each["kind"]),
            each["code"],
            "",
            Label(each["label"]) if each.get("label") else None,
            each.get("score"),
            each.get("threshold"),
        )
        for each in reasons
    ]
    return weigh(None if labels is None else [labels[label] for label in LABELS], read)


def tier(state: State, *, dangerous: bool, reports: float) -> Tier:
    """Return the tier of a case."""
    if dangerous:
        return Tier.DANGER
    if state is State.PUBLISHED and reports > 0:
        return Tier.REPORTED
    return Tier.HELD


def urgency(harm: float, state: State, reports: float) -> float:
    """Return how much harm a comment may do while nobody looks."""
    reach = 1.0 if state is State.PUBLISHED and reports > 0 else UNSEEN_REACH
    return min(URGENCY_LIMIT, harm * reach * (1 + 0.5 * log(1 + reports)))


def place(tier: int, urgency: float, opened: datetime, *, wait_hours: float) -> float:
    """Return where a case stands; the smallest place comes first."""
    hours = (opened - _BEGINNING).total_seconds() / 3600
    return tier * _TIER + hours - urgency * wait_hours / URGENCY_LIMIT
