"""The door for Coral's JSON: a comment in, what should become of it out.

See Coral's guide to external moderation phases.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from moderation.verdict import Label, Verdict
from moderation.wire.strict import Stripped

_Id = Annotated[Stripped, Field(max_length=256)]
_Url = Annotated[Stripped, Field(max_length=2048)]


class _Lenient(BaseModel):
    """A part of what Coral posts; members of later releases are passed over."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class CommentIn(_Lenient):
    """The comment; *body* is HTML."""

    body: str
    parentID: _Id | None = None  # noqa: N815 - Coral's own name


class AuthorIn(_Lenient):
    """Who wrote it."""

    id: _Id
    role: _Id | None = None


class StoryIn(_Lenient):
    """What is commented on."""

    id: _Id
    url: _Url | None = None


class SiteIn(_Lenient):
    """Coral's own site."""

    id: _Id


class ModerationIn(_Lenient):
    """One comment that is being created or edited."""

    action: Literal["NEW", "EDIT"]
    comment: CommentIn
    author: AuthorIn
    story: StoryIn
    site: SiteIn
    tenantID: _Id  # noqa: N815 - Coral's own name
    tenantDomain: _Id | None = None  # noqa: N815 - Coral's own name


Status = Literal["NONE", "APPROVED", "REJECTED", "PREMOD", "SYSTEM_WITHHELD"]

STATUSES: Mapping[Verdict, Status | None] = {
    Verdict.APPROVE: None,
    Verdict.HOLD: "SYSTEM_WITHHELD",
    Verdict.SPAM: "SYSTEM_WITHHELD",
    Verdict.REJECT: "REJECTED",
}
"""What Coral is told to do, unless the site says otherwise; None is no opinion."""


def answer(
    verdict: Verdict,
    labels: Iterable[Label],
    statuses: Mapping[Verdict, Status | None] = STATUSES,
) -> bytes | None:
    """Write what should become of a comment; None where there is no opinion.

    *labels* are those that moved the verdict: each is a flag, spam or toxic, unless it is approved.
    """
    status = statuses.get(verdict, STATUSES[verdict])
    if verdict is Verdict.APPROVE and status is None:
        return None
    reasons = {
        "COMMENT_DETECTED_SPAM" if label is Label.SPAM else "COMMENT_DETECTED_TOXIC"
        for label in labels
        if verdict is not Verdict.APPROVE  # a person may have approved what they spoke against
    }
    content: dict[str, Any] = {}
    if reasons:
        content["actions"] = [
            {"actionType": "FLAG", "reason": reason} for reason in sorted(reasons)
        ]
    if status is not None:
        content["status"] = status
    return orjson.dumps(content) if content else None
