"""The JSON of one comment under review: everything that is shown beside it."""

from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field

from moderation.cases.case import Moderator
from moderation.review.context import Context, Past, Recent
from moderation.verdict import State
from moderation.wire import cases
from moderation.wire.comments import Probability, Short, Wire, detail_members
from moderation.wire.events import EventOut, event
from moderation.wire.moderators import Answer, ModeratedIn, NoteText


class CaseGetIn(Wire):
    """Of which site; `blind` leaves out what might sway who decides."""

    site: Short | None = None
    blind: bool = Field(default=False, description="without state, verdict, scores and reasons")


class NoteIn(ModeratedIn):
    """What to write down of a comment, for other moderators."""

    text: NoteText


class PastOut(BaseModel):
    """What became of comments: how many of the newest thousand are in each state."""

    name: str
    states: dict[State, int]
    first_seen: str


class RecentOut(BaseModel):
    """A comment, briefly."""

    comment_id: str
    external_id: str
    state: State
    received: str
    excerpt: str


class TextChangeOut(BaseModel):
    """What stayed (`=`), went (`-`) or came (`+`) between two revisions."""

    kind: Literal["=", "-", "+"]
    text: str


class RevisionOut(BaseModel):
    """A revision, with what it says against the one before."""

    revision: int
    received: str
    verdict: str
    text: str
    changes: list[TextChangeOut] | None


class ReportOut(BaseModel):
    """What a reader said; `weight` is how far reports of theirs were right."""

    at: str
    reason: str
    weight: Probability
    upheld: bool | None


class NoteOut(BaseModel):
    """What a moderator wrote down."""

    id: str
    at: str
    moderator: str
    text: str


class MemberOut(BaseModel):
    """Another open case that says nearly the same."""

    comment_id: str
    external_id: str
    revision: int
    version: int


class ContextOut(BaseModel):
    """Everything that is shown beside a comment."""

    case: dict[str, Any] | None
    comment: dict[str, Any]
    parent: RecentOut | None
    author: PastOut | None
    author_recent: list[RecentOut]
    domains: list[PastOut]
    events: list[EventOut]
    revisions: list[RevisionOut]
    reports: list[ReportOut]
    notes: list[NoteOut]
    group: list[MemberOut]


_SWAYING = ("state", "verdict", "labels", "reasons")


def context(found: Context, *, now: str, blind: bool) -> bytes:
    """Write what is shown beside a comment."""
    comment = detail_members(found.comment)
    if blind:
        comment = {name: value for name, value in comment.items() if name not in _SWAYING}
    return orjson.dumps(
        {
            "case": found.case and cases.case(found.case, now),
            "comment": comment,
            "parent": found.parent and _recent(found.parent),
            "author": found.author and _past(found.author),
            "author_recent": [_recent(each) for each in found.author_recent],
            "domains": [_past(each) for each in found.domains],
            "events": [] if blind else [event(each) for each in found.events],
            "revisions": [
                {
                    "revision": each.revision,
                    "received": each.received,
                    "verdict": "" if blind else each.verdict,
                    "text": each.text,
                    "changes": each.changes
                    and [{"kind": kind, "text": text} for kind, text in each.changes],
                }
                for each in found.revisions
            ],
            "reports": [each._asdict() for each in found.reports],
            "notes": [each._asdict() for each in found.notes],
            "group": [each._asdict() for each in found.group],
        }
    )


def noted(note_id: str, at: str, by: Moderator, text: str) -> Answer:
    """Answer whoever wrote something down."""
    return 201, orjson.dumps({"id": note_id, "at": at, "moderator": by.id, "text": text})


def _past(past: Past) -> dict[str, Any]:
    return past._asdict()


def _recent(recent: Recent) -> dict[str, Any]:
    return recent._asdict()
