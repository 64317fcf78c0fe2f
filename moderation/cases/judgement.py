"""What a decision says about a text: of which labels it is true, and of which not.

Pure. A judgement is what the classifier learns from, and what it is measured by.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from moderation.verdict import RESTRICTED, Label, State

OTHER = "other"
"""A violation that no label names."""


class Source(StrEnum):
    """Where a judgement comes from."""

    DECISION = "decision"
    SAMPLE = "sample"
    FEEDBACK = "feedback"


REASONS: Mapping[str, Label] = {
    "spam": Label.SPAM,
    "scam": Label.SPAM,
    "threat": Label.THREAT,
    "violence": Label.THREAT,
    "insult": Label.INSULT,
    "harassment": Label.INSULT,
    "hate": Label.IDENTITY_ATTACK,
    "obscene": Label.OBSCENE,
    "sexual": Label.SEXUAL_EXPLICIT,
    "toxicity": Label.TOXICITY,
}
"""Reason codes that name a label; a site may use others, such as `off_topic`."""


def judged(
    target: State,
    *,
    reason_code: str | None,
    moved: Iterable[str],
    given: Mapping[Label, bool] | None,
) -> dict[str, bool]:
    """Return what is true of a text that a person brought to *target*, by label.

    *moved* are the labels that moved the verdict; *given* is what the moderator said outright.
    """
    if given:
        return {label.value: value for label, value in given.items()}
    if target is State.SPAM:
        return {Label.SPAM.value: True}
    if target in RESTRICTED:
        label = REASONS.get(reason_code or "")
        return {label.value if label else OTHER: True}
    wrong = list(moved) or [Label.SPAM.value, Label.TOXICITY.value]
    return dict.fromkeys(wrong, False)
