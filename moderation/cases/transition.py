"""Which event may follow which: what may happen to a comment, and where it stands after it.

Pure. A comment's state is what its events come to: `replay` folds them, `follow` says where one
more leads. Every refusal has a code of its own. What a person decided no machine changes: a
policy that sees a text again may only ask a person to look again.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from moderation.errors import (
    CommentErased,
    NotNewest,
    NotUndoable,
    NotYours,
    ReasonMissing,
    RevisionChanged,
    TransitionForbidden,
    VersionChanged,
)
from moderation.verdict import RESTRICTED, State


class EventKind(StrEnum):
    """What happened to a comment."""

    SUBMITTED = "submitted"
    EDITED = "edited"
    APPROVED = "approved"
    REJECTED = "rejected"
    MARKED_SPAM = "marked_spam"
    REMOVED = "removed"
    RESTORED = "restored"
    KEPT = "kept"
    UNDONE = "undone"
    ERASED = "erased"
    EXPIRED = "expired"


class ActorKind(StrEnum):
    """Who brought an event about."""

    AUTHOR = "author"
    API = "api"
    MODEL = "model"
    RULE = "rule"
    MODERATOR = "moderator"
    SYSTEM = "system"


class Role(StrEnum):
    """What a moderator may do: a manager takes over claims, decides what is escalated, undoes."""

    MODERATOR = "moderator"
    MANAGER = "manager"


class Action(StrEnum):
    """What a moderator decides; which event that is depends on the comment's state."""

    APPROVE = "approve"
    REJECT = "reject"
    SPAM = "spam"
    RESTORE = "restore"


class Event(NamedTuple):
    """One thing that happened to a comment, in the order of the table's columns.

    *seq* counts the events of a site from 1 without a gap. *undoes* is the seq of the event that
    this one takes back; *decision_id* is shared by everything that was decided at once. *score*
    is a probability.
    """

    site_id: str
    seq: int
    at: str
    comment_id: str
    revision: int
    kind: EventKind
    actor_kind: ActorKind
    actor_id: str | None
    from_state: State | None
    to_state: State
    reason_code: str | None = None
    ground: str | None = None
    policy: str | None = None
    model: str | None = None
    score: float | None = None
    note_id: str | None = None
    undoes: int | None = None
    decision_id: str | None = None


class Standing(NamedTuple):
    """Where a comment stands: *version* is the seq of its newest event.

    *human* says whether a person's decision stands behind *state*.
    """

    state: State
    revision: int
    version: int
    human: bool = False


class Rule(NamedTuple):
    """From where an event may come about, where it leads if that is fixed, what it needs."""

    sources: frozenset[State]
    target: State | None
    reason: bool = False


RULES: Mapping[EventKind, Rule] = {
    EventKind.APPROVED: Rule(frozenset({State.PENDING}), State.PUBLISHED),
    EventKind.REJECTED: Rule(frozenset({State.PENDING}), State.REJECTED, reason=True),
    EventKind.MARKED_SPAM: Rule(frozenset({State.PENDING, State.PUBLISHED}), State.SPAM),
    EventKind.REMOVED: Rule(frozenset({State.PUBLISHED}), State.REMOVED, reason=True),
    EventKind.RESTORED: Rule(RESTRICTED, None),
    EventKind.KEPT: Rule(RESTRICTED | {State.PUBLISHED}, None),
}
"""What a person decides."""

DECISIONS = frozenset(RULES)

EVENTS: Mapping[Action, Mapping[State, EventKind]] = {
    Action.APPROVE: {
        State.PENDING: EventKind.APPROVED,
        State.PUBLISHED: EventKind.KEPT,
        **dict.fromkeys(RESTRICTED, EventKind.RESTORED),
    },
    Action.REJECT: {
        State.PENDING: EventKind.REJECTED,
        State.PUBLISHED: EventKind.REMOVED,
        State.REJECTED: EventKind.KEPT,
        State.REMOVED: EventKind.KEPT,
    },
    Action.SPAM: {
        State.PENDING: EventKind.MARKED_SPAM,
        State.PUBLISHED: EventKind.MARKED_SPAM,
        State.SPAM: EventKind.KEPT,
    },
    Action.RESTORE: dict.fromkeys(RESTRICTED, EventKind.RESTORED),
}


def check_there(state: State) -> None:
    """Check that there is something left of a comment. Raises CommentErased."""
    if state is State.ERASED:
        raise CommentErased("expected a comment, got one that was erased")


def check_seen(standing: Standing, *, revision: int, version: int) -> None:
    """Check that a comment stands as it did when it was read.

    Raises CommentErased, RevisionChanged and VersionChanged.
    """
    check_there(standing.state)
    if standing.revision != revision:
        raise RevisionChanged(f"expected revision {standing.revision}, got {revision}")
    if standing.version != version:
        raise VersionChanged(f"expected version {standing.version}, got {version}")


def event_of(action: Action, state: State) -> EventKind:
    """Return which event *action* is on a comment in *state*.

    Raises TransitionForbidden and CommentErased.
    """
    check_there(state)
    kind = EVENTS[action].get(state)
    if kind is None:
        known = ", ".join(sorted(each.value for each in EVENTS[action]))
        raise TransitionForbidden(
            f"{action.value}: expected a comment that is {known}, got one that stands elsewhere"
        )
    return kind


def decide(
    kind: EventKind, standing: Standing, *, reason_code: str | None, back: State | None = None
) -> State:
    """Return the state that a person's decision leads to (A2-A6).

    *back* is where `restored` leads. Raises CommentErased, TransitionForbidden, ReasonMissing.
    """
    state = standing.state
    check_there(state)
    rule = RULES.get(kind)
    if rule is None or state not in rule.sources:
        raise TransitionForbidden(
            f"{kind.value}: expected it to be possible where the comment is {state.value}, "
            "it is not"
        )
    if rule.reason and not reason_code:
        raise ReasonMissing(f"{kind.value}: expected a reason code, got none")
    if kind is EventKind.KEPT:
        return state
    return rule.target or back or State.PUBLISHED


def before_restriction(events: Iterable[Event]) -> State:
    """Return the state before the last restriction, published where it never had another (A6)."""
    back = State.PUBLISHED
    for event in events:
        if event.kind is EventKind.UNDONE:
            continue  # it leads back to a restriction that was there, and is none of its own
        if event.to_state in RESTRICTED and event.from_state not in RESTRICTED:
            back = event.from_state or State.PUBLISHED
    return back


def edit(standing: Standing, judged: State) -> tuple[State, bool]:
    """Return the state of the next revision, and whether a person's decision still stands (A7).

    *judged* is what the policy says of the new text. Words that were refused do not come back by
    being edited, and what a person marked as spam a policy does not publish. Raises CommentErased.
    """
    check_there(standing.state)
    if stays(standing):
        return standing.state, standing.human
    return judged, False


def stays(standing: Standing) -> bool:
    """Whether a new text leaves the comment where it is until a person looks."""
    refused = standing.state in {State.REJECTED, State.REMOVED}
    return refused or (standing.human and standing.state is State.SPAM)


def undo(events: Iterable[Event], seq: int, *, actor_id: str, role: Role) -> State:
    """Return the state that taking back the event *seq* leads to (A8).

    *events* are all those of the comment. Raises CommentErased, NotNewest, NotUndoable, NotYours.
    """
    every = sorted(events, key=lambda event: event.seq)
    newest = every[-1]
    check_there(newest.to_state)
    if newest.seq != seq:
        raise NotNewest(f"expected the newest event of the comment, {newest.seq}, got {seq}")
    if newest.kind not in DECISIONS or newest.from_state is None:
        raise NotUndoable(f"expected a person's decision, got an event {newest.kind.value}")
    if role is not Role.MANAGER and newest.actor_id != actor_id:
        raise NotYours("expected whoever decided, or a manager, got another moderator")
    return newest.from_state


def decisions(events: Iterable[Event]) -> list[Event]:
    """Return what people have decided on a comment, but for what was taken back."""
    every = list(events)
    undone = {event.undoes for event in every}
    return [event for event in every if event.kind in DECISIONS and event.seq not in undone]


def was_decided(events: Iterable[Event]) -> bool:
    """Whether a person has decided on a comment, and that was not taken back."""
    return bool(decisions(events))


def replay(events: Iterable[Event]) -> Standing:
    """Return where the events of one comment, oldest first, have brought it.

    Raises NotUndoable where there are none.
    """
    standing: Standing | None = None
    before: dict[int, bool] = {}
    for event in events:
        human = standing.human if standing else False
        before[event.seq] = human
        if event.kind is EventKind.UNDONE and event.undoes is not None:
            human = before[event.undoes]
        elif event.kind is EventKind.EDITED:
            human = human and standing is not None and stays(standing)
        elif event.kind in DECISIONS:
            human = True
        standing = Standing(event.to_state, event.revision, event.seq, human)
    if standing is None:
        raise NotUndoable("expected events of a comment, got none")
    return standing
