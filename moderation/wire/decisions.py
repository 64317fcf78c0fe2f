"""The JSON of decisions: what is decided, what came of it, what follows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field, model_validator

from moderation.cases.transition import Action, Event
from moderation.review.deciding import Decided, Decision
from moderation.review.reviewing import Result
from moderation.verdict import Label, State
from moderation.wire import cursor
from moderation.wire.events import EventOut, event
from moderation.wire.moderators import Answer, Code, ModeratedIn, NoteText, Token
from moderation.wire.strict import ID, PAGE_LIMIT, Short, Wire

BULK_LIMIT = 200  # comments

CommentId = Annotated[str, Field(pattern=f"^{ID}$")]


class JudgedIn(Wire):
    """What is true of the text, by label, and what is not; left out where it is not known."""

    spam: bool | None = None
    toxicity: bool | None = None
    severe_toxicity: bool | None = None
    obscene: bool | None = None
    threat: bool | None = None
    insult: bool | None = None
    identity_attack: bool | None = None
    sexual_explicit: bool | None = None

    def known(self) -> dict[Label, bool]:
        """Return what is known."""
        said = self.model_dump(exclude_none=True)
        return {Label(name): value for name, value in said.items()}


class VerdictIn(ModeratedIn):
    """What is decided; `reject` needs a reason."""

    action: Action
    reason_code: Code | None = None
    ground: Code | None = None
    note: NoteText | None = None
    labels: JudgedIn | None = Field(
        None, description="what is true of the text, and what is not, where it is known"
    )

    @model_validator(mode="after")
    def _has_reason(self) -> "VerdictIn":
        if self.action is Action.REJECT and self.reason_code is None:
            raise ValueError("expected reason_code with reject")
        return self


class DecideIn(VerdictIn):
    """What is decided on a comment as it was read; `group` decides on all that say nearly the same.

    `claim_token` is compulsory where the comment has an open case.
    """

    revision: Annotated[int, Field(ge=1)]
    version: Annotated[int, Field(ge=1)]
    claim_token: Token | None = None
    group: bool = False


class BulkItemIn(Wire):
    """A comment as it was read."""

    comment_id: CommentId
    revision: Annotated[int, Field(ge=1)]
    version: Annotated[int, Field(ge=1)]


class BulkIn(VerdictIn):
    """What is decided on each of many comments; `dry_run` says what would come of it."""

    items: Annotated[list[BulkItemIn], Field(min_length=1, max_length=BULK_LIMIT)]
    dry_run: bool = False


class UndoIn(ModeratedIn):
    """Who takes it back."""


class DecisionsIn(Wire):
    """From where to read on."""

    after: Short | None = Field(None, description="the `next` of what was read before")
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 100
    site: Short | None = None


def decision(comment_id: str, given: DecideIn) -> Decision:
    """Read what is decided on a comment."""
    return _decision(comment_id, given, given.revision, given.version, given.claim_token)


def decisions(given: BulkIn) -> list[Decision]:
    """Read what is decided on many comments."""
    return [_decision(item.comment_id, given, item.revision, item.version) for item in given.items]


def _decision(
    comment_id: str, given: VerdictIn, revision: int, version: int, token: str | None = None
) -> Decision:
    return Decision(
        comment_id,
        given.action,
        revision,
        version,
        token,
        given.reason_code,
        given.ground,
        given.note,
        None if given.labels is None else given.labels.known(),
    )


class ResultOut(BaseModel):
    """What came of one comment: its new state, or the problem that kept it from that."""

    comment_id: str
    status: int
    from_state: State | None = Field(None, alias="from")
    to_state: State | None = Field(None, alias="to")
    revision: int | None = None
    version: int | None = None
    problem: dict[str, Any] | None = None


class DecisionOut(BaseModel):
    """A decision: `id` takes all of it back; null where it was only tried."""

    id: str | None
    results: list[ResultOut]


class DecisionsOut(BaseModel):
    """What happened to comments after they came in, none left out; `next` is where to read on."""

    items: list[EventOut]
    next: str


def results(
    decision_id: str | None, done: Sequence[Result], refuse: Callable[[Exception], Answer]
) -> Answer:
    """Answer what came of a decision, comment by comment."""
    return 200, orjson.dumps(
        {"id": decision_id, "results": [_result(each, refuse) for each in done]}
    )


def _result(of: Result, refuse: Callable[[Exception], Answer]) -> dict[str, Any]:
    if of.refused is not None or of.decided is None:
        status, problem = refuse(of.refused or RuntimeError())
        return {
            "comment_id": of.comment_id,
            "status": status,
            "problem": orjson.Fragment(problem),
        }
    made: Decided = of.decided
    told: dict[str, Any] = {"comment_id": of.comment_id, "status": 200}
    if not of.untold:
        told |= {"from": made.from_state, "to": made.to_state}
    if made.event is not None:
        told |= {"revision": made.event.revision, "version": made.event.seq}
    return told


def feed(found: Sequence[Event], external_ids: Mapping[str, str], *, after: int) -> bytes:
    """Write a part of the feed."""
    last = found[-1].seq if found else after
    return orjson.dumps(
        {
            "items": [event(each, external_ids.get(each.comment_id)) for each in found],
            "next": cursor.write(str(last)),
        }
    )
