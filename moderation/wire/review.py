"""The JSON of review: strict models in, plain bytes out."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, model_validator

from moderation.cases.case import Case, CaseState, Cause, Moderator, state_of
from moderation.cases.sampling import Outcome, Share
from moderation.cases.setting import ReviewSetting
from moderation.cases.transition import Action, ActorKind, Event, EventKind, Role
from moderation.errors import CursorInvalid
from moderation.review.context import Context, Past, Recent
from moderation.review.deciding import Decided, Decision
from moderation.review.queue import Filter, Listed, Order, Place, Shelf
from moderation.review.reviewing import Held, Result
from moderation.verdict import Label, State
from moderation.wire.comments import (
    PAGE_LIMIT,
    Instant,
    Key,
    Name,
    Probability,
    Short,
    Wire,
    detail_members,
)

Answer = tuple[int, bytes]
NOTE_LIMIT = 4_000  # characters
BULK_LIMIT = 200  # comments
KEEP_LIMIT = 36_500  # days
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PLACE = re.compile(rf"(priority|oldest|newest|unsure|resolved) (\S{{1,40}}) ({_ID})", re.ASCII)
_SEQ = re.compile(r"[0-9]{1,18}", re.ASCII)

CommentId = Annotated[str, Field(pattern=f"^{_ID}$")]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
NoteText = Annotated[Name, Field(max_length=NOTE_LIMIT)]
Token = Annotated[str, Field(pattern=f"^{_ID}$")]


# -- in ---------------------------------------------------------------------------------------


class ModeratorIn(Wire):
    """Who decides: `id` is the site's own name for the person, for whom the API key speaks."""

    id: Name
    role: Role = Role.MODERATOR


class ModeratedIn(Wire):
    """What every request of a moderator carries."""

    moderator: ModeratorIn
    site: Short | None = None
    idempotency_key: Key | None = None


class CaseFilterIn(Wire):
    """Which cases; what is left out is anything."""

    shelf: Shelf = Field(Shelf.OPEN, description="which of the queues")
    label: Label | None = None
    language: Short | None = None
    reason: Short | None = None
    opened_after: Instant | None = None
    opened_before: Instant | None = None
    assignee: Short | None = Field(None, description="who has claimed them")
    author: Short | None = Field(None, description="the pseudonym of an author, as cases tell it")
    domain: Short | None = Field(None, description="a domain that is linked to")
    group: Short | None = Field(None, description="the fingerprint of a group, as cases tell it")
    q: Short | None = Field(
        None, description='words that are all in the text; "…" in that order, …* at a beginning'
    )
    moderator: Short | None = Field(None, description="leaves out what this person has skipped")
    site: Short | None = None


class CasesIn(CaseFilterIn):
    """Which cases, in which order, from where."""

    order: Order = Order.PRIORITY
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 50
    cursor: Short | None = None


class CaseGetIn(Wire):
    """Of which site; `blind` leaves out what might sway who decides."""

    site: Short | None = None
    blind: bool = Field(default=False, description="without state, verdict, scores and reasons")


class ClaimNextIn(ModeratedIn):
    """Which case to claim: the first in an order that nobody else holds."""

    order: Order = Order.PRIORITY
    shelf: Literal[Shelf.OPEN, Shelf.ESCALATED] = Shelf.OPEN
    label: Label | None = None
    language: Short | None = None
    reason: Short | None = None
    author: Short | None = None
    domain: Short | None = None


class ClaimIn(ModeratedIn):
    """Who claims; a manager may take over what another has claimed."""

    take_over: bool = False


class ClaimedIn(ModeratedIn):
    """Who holds the case, by which token."""

    claim_token: Token


class AsideIn(ModeratedIn):
    """Who puts the case aside; the token where they have claimed it."""

    claim_token: Token | None = None


class SnoozeIn(AsideIn):
    """Until when nobody is to see the case."""

    until: Instant


class EscalateIn(AsideIn):
    """Why managers are to decide."""

    note: NoteText | None = None


class NoteIn(ModeratedIn):
    """What to write down of a comment, for other moderators."""

    text: NoteText


class VerdictIn(ModeratedIn):
    """What is decided; `reject` needs a reason."""

    action: Action
    reason_code: Code | None = None
    ground: Code | None = None
    note: NoteText | None = None
    labels: dict[Label, bool] | None = Field(
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


class ReaderIn(Wire):
    """Who reports; `id` is kept as a pseudonym only."""

    id: Name


class ReportIn(Wire):
    """What a reader says against a comment."""

    reporter: ReaderIn
    reason: Code
    site: Short | None = None
    idempotency_key: Key | None = None


class DecisionsIn(Wire):
    """From where to read on."""

    after: Short | None = Field(None, description="the `next` of what was read before")
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = 100
    site: Short | None = None


class ReviewStatisticsIn(Wire):
    """From when on."""

    since: Instant | None = None
    site: Short | None = None


class KeepIn(Wire):
    """After how many days comments in a state are erased; null keeps them."""

    pending: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None
    published: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None
    rejected: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None
    spam: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None
    removed: Annotated[int, Field(ge=1, le=KEEP_LIMIT)] | None = None


class SettingIn(Wire):
    """How the site reviews; what is left out is as it is by default."""

    sample_rate: float = Field(0.03, ge=0, le=0.05, description="the share of the blind sample")
    wait_hours: float = Field(24.0, ge=1, le=8_760, description="what a case may wait")
    alarm_hours: float = Field(72.0, ge=1, le=8_760, description="when a held comment is told of")
    keep_days: KeepIn = KeepIn()
    site: Short | None = None


def moderator(given: ModeratorIn) -> Moderator:
    """Read who is asking."""
    return Moderator(given.id, given.role)


def wanted(given: CaseFilterIn) -> Filter:
    """Read which cases are wanted."""
    return Filter(
        given.shelf,
        given.label,
        given.language,
        given.reason,
        _text(given.opened_after),
        _text(given.opened_before),
        given.assignee,
        given.author,
        given.domain,
        given.group,
        given.q,
        given.moderator,
    )


def wanted_next(given: ClaimNextIn) -> Filter:
    """Read which cases may be claimed."""
    return Filter(
        given.shelf,
        given.label,
        given.language,
        given.reason,
        author=given.author,
        domain=given.domain,
        seen_by=given.moderator.id,
        free=True,
    )


def decision(comment_id: str, given: DecideIn) -> Decision:
    """Read what is decided on a comment."""
    return Decision(
        comment_id,
        given.action,
        given.revision,
        given.version,
        given.claim_token,
        given.reason_code,
        given.ground,
        given.note,
        given.labels,
    )


def decisions(given: BulkIn) -> list[Decision]:
    """Read what is decided on many comments."""
    return [
        Decision(
            item.comment_id,
            given.action,
            item.revision,
            item.version,
            None,
            given.reason_code,
            given.ground,
            given.note,
            given.labels,
        )
        for item in given.items
    ]


def setting(given: SettingIn) -> ReviewSetting:
    """Read how a site reviews."""
    kept = given.keep_days.model_dump(exclude_none=True)
    return ReviewSetting(
        given.sample_rate,
        given.wait_hours,
        given.alarm_hours,
        {State(state): days for state, days in kept.items()},
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="microseconds")[:26] + "Z"


# -- cursors ----------------------------------------------------------------------------------


def place(cursor: str | None, order: Order, shelf: Shelf) -> Place | None:
    """Read where a page begins. Raises CursorInvalid."""
    if cursor is None:
        return None
    found = _PLACE.fullmatch(_decoded(cursor))
    if found is None or found[1] != _ordered(order, shelf):
        raise CursorInvalid("expected the `next` of a page in this order, got something else")
    value: float | str = found[2]
    if found[1] in {Order.PRIORITY, Order.UNSURE}:
        try:
            value = float(found[2])
        except ValueError:
            raise CursorInvalid("expected the `next` of an earlier page, got another") from None
    return Place(value, found[3])


def seq(after: str | None) -> int:
    """Read from where on the feed is wanted. Raises CursorInvalid."""
    if after is None:
        return 0
    found = _SEQ.fullmatch(_decoded(after))
    if found is None:
        raise CursorInvalid("expected the `next` of an earlier answer, got something else")
    return int(found[0])


def _ordered(order: Order, shelf: Shelf) -> str:
    return "resolved" if shelf is Shelf.RESOLVED else order.value


def _encoded(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


# -- out --------------------------------------------------------------------------------------


class CaseOut(BaseModel):
    """A case as a list shows it; `excerpt` is the beginning of the text."""

    comment_id: str
    external_id: str
    revision: int
    version: int
    state: CaseState
    cause: Cause
    tier: int
    label: Label | None
    reason: str | None
    language: str | None
    author: str | None
    thread_id: str | None
    group: str | None
    alike: int = Field(description="open cases of the same words")
    reporters: int
    opened: str
    openings: int
    claimed_by: str | None
    claim_until: str | None
    snoozed_until: str | None
    resolved: str | None
    excerpt: str


class CasesOut(BaseModel):
    """A page of the queue; `next` is null on the last page."""

    items: list[CaseOut]
    next: str | None


class CaseCountsOut(BaseModel):
    """How many cases there are: open, of those claimed, put aside, and open by tier."""

    open: int
    claimed: int
    escalated: int
    snoozed: int
    tiers: dict[str, int]


class HeldCaseOut(BaseModel):
    """A case after it was claimed or put aside; the token is told to whoever holds it."""

    comment_id: str
    revision: int
    version: int
    state: CaseState
    claimed_by: str | None
    claim_token: str | None
    claim_until: str | None
    snoozed_until: str | None


class ClaimedOut(BaseModel):
    """The case that was claimed; null where there is none to claim."""

    case: HeldCaseOut | None


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


class ActorOut(BaseModel):
    """Who brought an event about."""

    kind: ActorKind
    id: str | None


class EventOut(BaseModel):
    """One thing that happened to a comment; `seq` counts the events of the site."""

    seq: int
    at: str
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


class ReportedOut(BaseModel):
    """When the report came in."""

    comment_id: str
    at: str


class ErasedCommentOut(BaseModel):
    """What is left of a comment."""

    id: str
    state: Literal[State.ERASED]


class ShareOut(BaseModel):
    """A share of `right` among `all`, with its 95 % interval (Wilson); null where there is none."""

    right: int
    all: int
    value: Probability | None
    low: Probability | None
    high: Probability | None


class ReviewStatisticsOut(BaseModel):
    """What the blind sample shows of the policy's verdicts."""

    drawn: int
    undecided: int
    precision: ShareOut
    recall: ShareOut
    false_approvals: ShareOut


class KeepOut(BaseModel):
    """After how many days comments in a state are erased."""

    pending: int | None = None
    published: int | None = None
    rejected: int | None = None
    spam: int | None = None
    removed: int | None = None


class SettingOut(BaseModel):
    """How the site reviews."""

    sample_rate: float
    wait_hours: float
    alarm_hours: float
    keep_days: KeepOut


def page(
    found: Sequence[Listed], following: Place | None, order: Order, shelf: Shelf, *, now: str
) -> bytes:
    """Write a page of the queue."""
    return orjson.dumps(
        {
            "items": [
                {
                    **_case(each.case, now),
                    "external_id": each.external_id,
                    "version": each.version,
                    "alike": each.alike,
                    "excerpt": each.excerpt,
                }
                for each in found
            ],
            "next": following
            and _encoded(f"{_ordered(order, shelf)} {following.value!s} {following.comment_id}"),
        }
    )


def counts(counted: Mapping[str, int]) -> bytes:
    """Write how many cases there are."""
    tiers = {name[5:]: number for name, number in counted.items() if name.startswith("tier_")}
    rest = {name: number for name, number in counted.items() if not name.startswith("tier_")}
    return orjson.dumps({**rest, "tiers": tiers})


def held(of: Held) -> Answer:
    """Answer whoever claimed a case, or put it aside."""
    return 200, orjson.dumps(_held(of))


def claimed(of: Held | None) -> Answer:
    """Answer whoever asked for the next case."""
    return 200, orjson.dumps({"case": of and _held(of)})


def _held(of: Held) -> dict[str, Any]:
    case = of.case
    state = CaseState.ESCALATED if case.escalated else CaseState.OPEN
    return {
        "comment_id": case.comment_id,
        "revision": of.revision,
        "version": of.version,
        "state": CaseState.CLAIMED if case.claim_token else state,
        "claimed_by": case.claimed_by,
        "claim_token": case.claim_token,
        "claim_until": case.claim_until,
        "snoozed_until": case.snoozed_until,
    }


def _case(case: Case, now: str) -> dict[str, Any]:
    state = state_of(case, now)
    is_claimed = state is CaseState.CLAIMED
    return {
        "comment_id": case.comment_id,
        "revision": case.revision,
        "state": state,
        "cause": case.cause,
        "tier": case.tier,
        "label": case.label,
        "reason": case.reason,
        "language": case.language,
        "author": case.author,
        "thread_id": case.thread_id,
        "group": case.fingerprint,
        "reporters": case.reporters,
        "opened": case.opened,
        "openings": case.openings,
        "claimed_by": case.claimed_by if is_claimed else None,
        "claim_until": case.claim_until if is_claimed else None,
        "snoozed_until": case.snoozed_until,
        "resolved": case.resolved,
    }


_SWAYING = ("state", "verdict", "labels", "reasons")


def context(found: Context, *, now: str, blind: bool) -> bytes:
    """Write what is shown beside a comment."""
    comment = detail_members(found.comment)
    if blind:
        comment = {name: value for name, value in comment.items() if name not in _SWAYING}
    return orjson.dumps(
        {
            "case": found.case and _case(found.case, now),
            "comment": comment,
            "parent": found.parent and _recent(found.parent),
            "author": found.author and _past(found.author),
            "author_recent": [_recent(each) for each in found.author_recent],
            "domains": [_past(each) for each in found.domains],
            "events": [] if blind else [_event(each) for each in found.events],
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


def _past(past: Past) -> dict[str, Any]:
    return past._asdict()


def _recent(recent: Recent) -> dict[str, Any]:
    return recent._asdict()


def _event(event: Event, external_id: str | None = None) -> dict[str, Any]:
    made = {
        "seq": event.seq,
        "at": event.at,
        "comment_id": event.comment_id,
        "external_id": external_id,
        "revision": event.revision,
        "type": event.kind,
        "actor": {"kind": event.actor_kind, "id": event.actor_id},
        "from": event.from_state,
        "to": event.to_state,
        "reason_code": event.reason_code,
        "ground": event.ground,
        "policy": event.policy,
        "model": event.model,
        "score": event.score,
        "note_id": event.note_id,
        "undoes": event.undoes,
        "decision_id": event.decision_id,
    }
    return {name: value for name, value in made.items() if value is not None}


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
    told: dict[str, Any] = {
        "comment_id": of.comment_id,
        "status": 200,
        "from": made.from_state,
        "to": made.to_state,
    }
    if made.event is not None:
        told |= {"revision": made.event.revision, "version": made.event.seq}
    return told


def feed(found: Sequence[Event], external_ids: Mapping[str, str], *, after: int) -> bytes:
    """Write a part of the feed."""
    last = found[-1].seq if found else after
    return orjson.dumps(
        {
            "items": [_event(each, external_ids.get(each.comment_id)) for each in found],
            "next": _encoded(str(last)),
        }
    )


def noted(note_id: str, at: str, by: Moderator, text: str) -> Answer:
    """Answer whoever wrote something down."""
    return 201, orjson.dumps({"id": note_id, "at": at, "moderator": by.id, "text": text})


def reported(comment_id: str, at: str) -> Answer:
    """Answer a reader's report."""
    return 201, orjson.dumps({"comment_id": comment_id, "at": at})


def erased(comment_id: str) -> bytes:
    """Write what is left of a comment."""
    return orjson.dumps({"id": comment_id, "state": State.ERASED})


def statistics(found: Outcome) -> bytes:
    """Write what the blind sample shows."""
    return orjson.dumps(
        {
            "drawn": found.drawn,
            "undecided": found.undecided,
            "precision": _share(found.precision),
            "recall": _share(found.recall),
            "false_approvals": _share(found.false_approvals),
        }
    )


def _share(share: Share) -> dict[str, Any]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in share._asdict().items()
    }


def setting_out(found: ReviewSetting) -> bytes:
    """Write how a site reviews."""
    return orjson.dumps(
        {
            "sample_rate": found.sample_rate,
            "wait_hours": found.wait_hours,
            "alarm_hours": found.alarm_hours,
            "keep_days": {
                state.value: found.keep_days.get(state)
                for state in State
                if state is not State.ERASED
            },
        }
    )
