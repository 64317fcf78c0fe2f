"""The words of moderation: labels, verdicts, states, origins, the reasons between them.

Pure: no clock, no database, no model.
"""

from dataclasses import dataclass
from enum import StrEnum


class Label(StrEnum):
    """What a comment is scored for; a bundle's columns stand in this order."""

    SPAM = "spam"
    TOXICITY = "toxicity"
    SEVERE_TOXICITY = "severe_toxicity"
    OBSCENE = "obscene"
    THREAT = "threat"
    INSULT = "insult"
    IDENTITY_ATTACK = "identity_attack"
    SEXUAL_EXPLICIT = "sexual_explicit"


LABELS: tuple[Label, ...] = tuple(Label)
LABEL_NAMES: tuple[str, ...] = tuple(label.value for label in LABELS)


class Verdict(StrEnum):
    """What the policy says should happen to a comment."""

    APPROVE = "approve"
    HOLD = "hold"
    SPAM = "spam"
    REJECT = "reject"

    @property
    def severity(self) -> int:
        """How much it keeps a comment from its readers, from 0 on."""
        return _SEVERITIES[self]


_SEVERITIES = {verdict: severity for severity, verdict in enumerate(Verdict)}


class State(StrEnum):
    """Where a comment stands on its site."""

    PENDING = "pending"
    PUBLISHED = "published"
    REJECTED = "rejected"
    SPAM = "spam"
    REMOVED = "removed"
    ERASED = "erased"


RESTRICTED = frozenset({State.SPAM, State.REJECTED, State.REMOVED})
"""What readers do not see because it was judged; pending was not judged yet."""


class Origin(StrEnum):
    """In which dialect a comment came in first."""

    NATIVE = "native"
    AKISMET = "akismet"
    PERSPECTIVE = "perspective"
    OPENAI = "openai"
    CORAL = "coral"


STATE_OF_VERDICT: dict[Verdict, State] = {
    Verdict.APPROVE: State.PUBLISHED,
    Verdict.HOLD: State.PENDING,
    Verdict.SPAM: State.SPAM,
    Verdict.REJECT: State.REJECTED,
}


class ReasonKind(StrEnum):
    """What kind of thing moved a verdict."""

    SCORE = "score"
    RULE = "rule"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that moved a verdict away from approve.

    *code* is a stable word for machines; *detail* is one sentence for people and never quotes
    the comment. For a score, *label*, *score* and *threshold* are set; both numbers are
    probabilities in 0..1.
    """

    kind: ReasonKind
    code: str
    detail: str
    label: Label | None = None
    score: float | None = None
    threshold: float | None = None
