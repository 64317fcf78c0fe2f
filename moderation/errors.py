"""Everything that can go wrong in moderation.

ModerationError
├── BundleRefused
│   ├── BundleNotFound
│   ├── BundleTampered
│   └── BundleUnreadable
├── CommentNotFound
├── CoralRefused
├── CursorInvalid
├── DataUnreadable
├── DecisionNotFound
├── EvaluationRefused
├── IdempotencyInFlight
├── IdempotencyMismatch
├── OpenaiRefused
├── PerspectiveRefused
├── PolicyConflict
├── PolicyInvalid
│   └── PatternInvalid
├── PolicyNotFound
├── ReviewRefused
│   ├── CaseClosed
│   ├── ClaimMissing
│   ├── ClaimLost
│   ├── ClaimedByAnother
│   ├── CommentErased
│   ├── ManagerNeeded
│   ├── NotNewest
│   ├── NotUndoable
│   ├── NotYours
│   ├── ReasonMissing
│   ├── RevisionChanged
│   ├── TransitionForbidden
│   └── VersionChanged
└── SettingDamaged
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ModerationError(Exception):
    """The root of this tree; never raised itself."""


class BundleRefused(ModerationError):
    """A model bundle may not be used; never raised itself."""


class BundleNotFound(BundleRefused):
    """No bundle lies where one was expected."""


class BundleTampered(BundleRefused):
    """A file of the bundle does not have the digest that was promised."""


class BundleUnreadable(BundleRefused):
    """The bundle's format, version or shape is not one this release reads."""


class CommentNotFound(ModerationError):
    """No such comment on this site."""


class CoralRefused(ModerationError):
    """A comment that Coral posts is not signed by a secret that is known."""


class CursorInvalid(ModerationError):
    """The cursor of a list was not made by this service."""


class DataUnreadable(ModerationError):
    """A file of labelled comments, or a row of it, is not one that can be trained on."""


class DecisionNotFound(ModerationError):
    """No such decision on this site."""


class EvaluationRefused(ModerationError):
    """The bundle was made with rows that it would be measured on."""


class IdempotencyInFlight(ModerationError):
    """A request with the same idempotency key is still being answered."""


class IdempotencyMismatch(ModerationError):
    """The idempotency key was used before with another body."""


class OpenaiRefused(ModerationError):
    """A call of one of OpenAI's clients is refused, in the shape they read.

    *status* is HTTP's; *kind*, *param* and *code* are what clients look for beside the message.
    """

    def __init__(
        self,
        message: str,
        status: int,
        kind: str,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code


class PerspectiveRefused(ModerationError):
    """A call of one of Perspective's clients is refused, in Perspective's words.

    *status* is HTTP's, *reason* the name of the google.rpc.Code, *details* what clients look for.
    """

    def __init__(
        self, message: str, status: int, reason: str, details: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.details = details


class PolicyConflict(ModerationError):
    """The policy that was to be replaced is not the present one any more."""


class PolicyInvalid(ModerationError):
    """The policy cannot be used like that."""


class PatternInvalid(PolicyInvalid):
    """An entry of a list cannot be held against comments."""


class PolicyNotFound(ModerationError):
    """The site has no such version of its policy."""


class ReviewRefused(ModerationError):
    """A moderator's request does not fit what is stored; never raised itself.

    *code* is a stable word for machines; *present* tells where the comment stands now and who
    brought it there.
    """

    code: ClassVar[str]

    def __init__(self, finding: str = "", *, present: Mapping[str, Any] | None = None) -> None:
        super().__init__(finding)
        self.present = present


class CaseClosed(ReviewRefused):
    """The comment has no open case."""

    code = "case_closed"


class ClaimMissing(ReviewRefused):
    """The comment's case is open, and the request carries no claim token."""

    code = "claim_missing"


class ClaimLost(ReviewRefused):
    """The claim ran out, was released, or was taken over."""

    code = "claim_lost"


class ClaimedByAnother(ReviewRefused):
    """Another moderator has claimed the case."""

    code = "claimed_by_another"


class CommentErased(ReviewRefused):
    """The comment was erased; nothing more can happen to it."""

    code = "comment_erased"


class ManagerNeeded(ReviewRefused):
    """Only a manager may do that."""

    code = "manager_needed"


class NotNewest(ReviewRefused):
    """Something has happened to the comment since."""

    code = "not_newest"


class NotUndoable(ReviewRefused):
    """The event is not a person's decision."""

    code = "not_undoable"


class NotYours(ReviewRefused):
    """Somebody else decided."""

    code = "not_yours"


class ReasonMissing(ReviewRefused):
    """The decision needs a reason."""

    code = "reason_missing"


class RevisionChanged(ReviewRefused):
    """The comment has another text than the one that was decided on."""

    code = "revision_changed"


class TransitionForbidden(ReviewRefused):
    """The decision does not fit the comment's state."""

    code = "transition_forbidden"


class VersionChanged(ReviewRefused):
    """Something has happened to the comment since it was read."""

    code = "version_changed"


class SettingDamaged(ModerationError):
    """What a site has set is stored, and cannot be read."""
