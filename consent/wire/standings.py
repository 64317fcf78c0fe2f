"""Standing as JSON."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from consent.choice import SubjectKind
from consent.standing import Answer, Why
from consent.wire.strict import PURPOSES_LIMIT, Id, Short, SubjectIn, Text, Wire


class StandingIn(Wire):
    """Whom and what to ask about, for subjects whose ids may stand in an access log."""

    subject_kind: SubjectKind
    subject_id: Annotated[Text, Field(min_length=1, max_length=1024)]
    purpose: Id
    site: Short | None = None


class StandingQueryIn(Wire):
    """Whom and what to ask about, for every kind of subject."""

    subject: SubjectIn
    purposes: Annotated[list[Id], Field(min_length=1, max_length=PURPOSES_LIMIT)]
    site: Short | None = None


class StandingOut(BaseModel):
    """Whether a purpose may be served for a subject, and why."""

    purpose: str
    allowed: bool
    why: Why
    record_id: str | None = None
    since: str | None = None
    valid_until: str | None = None


class StandingsOut(BaseModel):
    """An answer a purpose, in the order of the question."""

    items: list[StandingOut]


def standing(answer: Answer) -> bytes:
    """Write one answer."""
    return orjson.dumps(_standing(answer))


def standings(answers: Sequence[Answer]) -> bytes:
    """Write answers."""
    return orjson.dumps({"items": [_standing(answer) for answer in answers]})


def _standing(answer: Answer) -> dict[str, Any]:
    members = {"purpose": answer.purpose, "allowed": answer.allowed, "why": answer.why}
    for name in ("record_id", "since", "valid_until"):
        value = getattr(answer, name)
        if value is not None:
            members[name] = value
    return members
