"""What happened to a comment, as JSON."""

from typing import Any

from pydantic import BaseModel, Field

from moderation.cases.transition import ActorKind, Event, EventKind
from moderation.verdict import State
from moderation.wire.strict import InstantOut, Probability


class ActorOut(BaseModel):
    """Who brought an event about."""

    kind: ActorKind
    id: str | None


class EventOut(BaseModel):
    """One thing that happened to a comment; `seq` counts the events of the site."""

    seq: int
    at: InstantOut
    comment_id: str
    external_id: str | None = None
    revision: int
    type: EventKind
    actor: ActorOut
    from_state: State | None = Field(None, alias="from")
    to_state: State = Field(alias="to")
    reason_code: str | None = None
    ground: str | None = None
    policy: str | None = None
    model: str | None = None
    score: Probability | None = None
    note_id: str | None = None
    undoes: int | None = None
    decision_id: str | None = None


def event(of: Event, external_id: str | None = None) -> dict[str, Any]:
    """Return the members of an event."""
    made = {
        "seq": of.seq,
        "at": of.at,
        "comment_id": of.comment_id,
        "external_id": external_id,
        "revision": of.revision,
        "type": of.kind,
        "actor": {"kind": of.actor_kind, "id": of.actor_id},
        "from": of.from_state,
        "to": of.to_state,
        "reason_code": of.reason_code,
        "ground": of.ground,
        "policy": of.policy,
        "model": of.model,
        "score": of.score,
        "note_id": of.note_id,
        "undoes": of.undoes,
        "decision_id": of.decision_id,
    }
    return {name: value for name, value in made.items() if value is not None}
