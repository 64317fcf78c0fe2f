"""The JSON of one comment under review: everything that is shown beside it."""

from operator import attrgetter
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field

from moderation.cases.case import Moderator
from moderation.model.explanation import FLOOR, Explanation, PartKind, Why
from moderation.review.context import Context, Recent
from moderation.verdict import Label, ReasonKind, State
from moderation.wire import cases
from moderation.wire.comments import PlaceOut, detail_members, explanation_members
from moderation.wire.events import EventOut, event
from moderation.wire.moderators import Answer, ModeratedIn, NoteText
from moderation.wire.strict import InstantOut, Probability, Short, Wire


class CaseGetIn(Wire):
    """Of which site; `blind` leaves out what might sway who decides, wherever it is told."""

    site: Short | None = Field(None, description="compulsory where the key has several")
    blind: bool = Field(default=False, description="without state, verdict and scores")


class NoteIn(ModeratedIn):
    """What to write down of a comment, for other moderators."""

    text: NoteText


class PastOut(BaseModel):
    """What became of the others: how many of the newest thousand are in each state.

    `open` is the number of those that somebody has to decide on; their states are not told.
    """

    name: str
    states: dict[State, int]
    open: int
    first_seen: InstantOut


class RecentOut(BaseModel):
    """A comment, briefly; `state` is null where nobody is to know it before it is decided."""

    comment_id: str
    external_id: str
    state: State | None
    received: InstantOut
    excerpt: str


class TextChangeOut(BaseModel):
    """What stayed (`=`), went (`-`) or came (`+`) between two revisions."""

    kind: Literal["=", "-", "+"]
    text: str


class RevisionOut(BaseModel):
    """A revision, with what it says against the one before."""

    revision: int
    received: InstantOut
    verdict: str
    text: str
    changes: list[TextChangeOut] | None


class ReportOut(BaseModel):
    """What a reader said; `weight` is how far reports of theirs were right."""

    at: InstantOut
    reason: str
    weight: Probability
    upheld: bool | None


class NoteOut(BaseModel):
    """What a moderator wrote down."""

    id: str
    at: InstantOut
    moderator: str
    text: str


class MemberOut(BaseModel):
    """Another open case that says nearly the same."""

    comment_id: str
    external_id: str
    revision: int
    version: int


class WhyPartOut(BaseModel):
    """A word or a fact that moved a score; `amount`, of its logit, is not told blind."""

    kind: PartKind
    name: str
    amount: float | None = None
    places: list[PlaceOut]


class WhyLabelOut(BaseModel):
    """Why a label has its score; blind, what speaks for it without any number."""

    label: Label
    score: Probability | None = None
    logit: float | None = None
    base: float | None = None
    parts: list[WhyPartOut]
    rest: float | None = None


class WhyOut(BaseModel):
    """Why the text scores as it does: labels from 0.1 on; blind, the one of the case.

    `model` explains. Where it is not the one that scored, which is loaded no more, `scored` is
    false.
    """

    model: str
    scored: bool
    labels: list[WhyLabelOut]


class ContextOut(BaseModel):
    """Everything that is shown beside a comment.

    `blind` where what the policy made of it is told only once it is decided. `thread` holds what
    was said before in the same one, the newest first, at most ten.
    """

    blind: bool
    case: dict[str, Any] | None
    comment: dict[str, Any]
    explanation: WhyOut | None
    parent: RecentOut | None
    thread: list[RecentOut]
    author: PastOut | None
    author_recent: list[RecentOut]
    domains: list[PastOut]
    events: list[EventOut]
    revisions: list[RevisionOut]
    reports: list[ReportOut]
    notes: list[NoteOut]
    group: list[MemberOut]


_SWAYING = ("state", "verdict", "labels")
_NUMBERS = ("score", "logit", "base", "rest")


def context(found: Context, *, now: str, blind: bool) -> bytes:
    """Write what is shown beside a comment, with *blind* nothing that tells its verdict."""
    reticent = blind or found.reticent
    blind = blind or found.blind
    comment = detail_members(found.comment)
    if blind:
        comment = {name: value for name, value in comment.items() if name not in _SWAYING}
        comment["reasons"] = _hints(found)
    return orjson.dumps(
        {
            "blind": blind,
            "case": found.case and cases.case(found.case, now),
            "comment": comment,
            "explanation": found.why and _why(found, found.why, blind=blind),
            "parent": found.parent and _recent(found.parent, reticent=reticent),
            "thread": [_recent(each, reticent=reticent) for each in found.thread],
            "author": found.author and found.author._asdict(),
            "author_recent": [_recent(each, reticent=reticent) for each in found.author_recent],
            "domains": [each._asdict() for each in found.domains],
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


def _hints(found: Context) -> list[dict[str, Any]]:
    """Return what rules said, and the label of the case, which the blind sample has, too."""
    reasons = orjson.loads(found.comment.stored.reasons)
    hints = [reason for reason in reasons if reason["kind"] != ReasonKind.SCORE]
    label = found.case and found.case.label
    if label:
        hints.append({"kind": ReasonKind.SCORE, "code": f"{label}_score", "label": label})
    return hints


def _why(found: Context, why: Why, *, blind: bool) -> dict[str, Any]:
    text = found.comment.text
    label = found.case and found.case.label
    if blind:
        labels = [_blind(text, each) for each in why.explanations if each.label == label]
    else:
        shown = (each for each in why.explanations if each.probability >= FLOOR)
        labels = [explanation_members(text, each) for each in shown]
    scored = why.model == found.comment.stored.model
    return {"model": why.model, "scored": scored, "labels": labels}


def _blind(text: str, found: Explanation) -> dict[str, Any]:
    parts = sorted(
        (part for part in found.parts if part.amount > 0), key=attrgetter("amount"), reverse=True
    )
    members = explanation_members(text, found._replace(parts=tuple(parts)))
    for part in members["parts"]:
        del part["amount"]
    return {name: value for name, value in members.items() if name not in _NUMBERS}


def _recent(recent: Recent, *, reticent: bool) -> dict[str, Any]:
    told = recent._asdict()
    if told.pop("open") and reticent:
        told["state"] = None
    return told
