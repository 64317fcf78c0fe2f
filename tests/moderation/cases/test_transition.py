"""Which event may follow which: the table of A1 to A10, without a database."""

import pytest

from moderation.cases import transition
from moderation.cases.transition import (
    DECISIONS,
    Action,
    ActorKind,
    Event,
    EventKind,
    Role,
    Standing,
)
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

ALLOWED = {
    (Action.APPROVE, State.PENDING): State.PUBLISHED,
    (Action.APPROVE, State.PUBLISHED): State.PUBLISHED,
    (Action.APPROVE, State.SPAM): State.PUBLISHED,
    (Action.APPROVE, State.REJECTED): State.PUBLISHED,
    (Action.APPROVE, State.REMOVED): State.PUBLISHED,
    (Action.REJECT, State.PENDING): State.REJECTED,
    (Action.REJECT, State.PUBLISHED): State.REMOVED,
    (Action.REJECT, State.REJECTED): State.REJECTED,
    (Action.REJECT, State.REMOVED): State.REMOVED,
    (Action.SPAM, State.PENDING): State.SPAM,
    (Action.SPAM, State.PUBLISHED): State.SPAM,
    (Action.SPAM, State.SPAM): State.SPAM,
    (Action.RESTORE, State.SPAM): State.PENDING,
    (Action.RESTORE, State.REJECTED): State.PENDING,
    (Action.RESTORE, State.REMOVED): State.PENDING,
}
"""Where each action leads from each state; a restored comment was pending before."""


def event(
    seq: int,
    kind: EventKind,
    source: State | None,
    target: State,
    *,
    by: str | None = "ann",
    revision: int = 1,
    undoes: int | None = None,
) -> Event:
    """Return an event of one comment."""
    actor = ActorKind.MODERATOR if by else ActorKind.MODEL
    return Event("blog", seq, "now", "c", revision, kind, actor, by, source, target, undoes=undoes)


SUBMITTED = event(1, EventKind.SUBMITTED, None, State.PENDING, by=None)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_an_action_leads_where_the_table_says_or_nowhere(action: Action, state: State) -> None:
    """Every action on every state: what is not in the table is refused by a code."""
    standing = Standing(state, 1, 1)
    target = ALLOWED.get((action, state))
    if target is None:
        with pytest.raises((CommentErased, TransitionForbidden)):
            transition.event_of(action, state)
        return

    kind = transition.event_of(action, state)
    back = State.PENDING if action is Action.RESTORE else None

    assert transition.decide(kind, standing, reason_code="insult", back=back) is target


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("state", State)
def test_no_event_comes_about_from_a_state_that_has_none(kind: EventKind, state: State) -> None:
    """What is no decision of a person, or does not fit the state, cannot be decided."""
    rule = transition.RULES.get(kind)
    if rule is not None and state in rule.sources:
        return

    with pytest.raises((CommentErased, TransitionForbidden)):
        transition.decide(kind, Standing(state, 1, 1), reason_code="insult")


@pytest.mark.parametrize(
    ("kind", "state"),
    [(EventKind.REJECTED, State.PENDING), (EventKind.REMOVED, State.PUBLISHED)],
)
def test_refusing_words_needs_a_reason(kind: EventKind, state: State) -> None:
    """Rejecting and removing without a reason code are refused."""
    with pytest.raises(ReasonMissing):
        transition.decide(kind, Standing(state, 1, 1), reason_code=None)


def test_a_comment_has_to_be_as_it_was_read() -> None:
    """Another revision, another version, or none any more: each is told by its own code."""
    standing = Standing(State.PENDING, 2, 7)

    transition.check_seen(standing, revision=2, version=7)
    with pytest.raises(RevisionChanged, match="expected revision 2, got 1"):
        transition.check_seen(standing, revision=1, version=7)
    with pytest.raises(VersionChanged, match="expected version 7, got 6"):
        transition.check_seen(standing, revision=2, version=6)
    with pytest.raises(CommentErased):
        transition.check_seen(Standing(State.ERASED, 2, 7), revision=2, version=7)


@pytest.mark.parametrize("judged", [State.PENDING, State.PUBLISHED, State.SPAM])
@pytest.mark.parametrize("human", [False, True])
@pytest.mark.parametrize("state", State)
def test_an_edit_is_judged_anew_but_for_what_was_refused(
    state: State, judged: State, *, human: bool
) -> None:
    """A7: rejected and removed words stay; a person's spam stays; all else the policy says."""
    standing = Standing(state, 1, 1, human)
    if state is State.ERASED:
        with pytest.raises(CommentErased):
            transition.edit(standing, judged)
        return

    stays = state in {State.REJECTED, State.REMOVED} or (human and state is State.SPAM)

    assert transition.edit(standing, judged) == ((state, human) if stays else (judged, False))


def test_restoring_leads_before_the_last_restriction() -> None:
    """From spam to removed counts as one restriction; without any before it, published."""
    events = [
        SUBMITTED,
        event(2, EventKind.REJECTED, State.PENDING, State.REJECTED),
        event(3, EventKind.RESTORED, State.REJECTED, State.PENDING),
        event(4, EventKind.APPROVED, State.PENDING, State.PUBLISHED),
        event(5, EventKind.REMOVED, State.PUBLISHED, State.REMOVED),
    ]

    assert transition.before_restriction(events[:2]) is State.PENDING
    assert transition.before_restriction(events) is State.PUBLISHED
    mistake = event(3, EventKind.RESTORED, State.REJECTED, State.PUBLISHED)
    undone = event(4, EventKind.UNDONE, State.PUBLISHED, State.REJECTED)
    assert transition.before_restriction([*events[:2], mistake, undone]) is State.PENDING
    born = [event(1, EventKind.SUBMITTED, None, State.SPAM, by=None)]
    assert transition.before_restriction(born) is State.PUBLISHED


def test_only_the_newest_decision_is_taken_back_and_only_by_who_may() -> None:
    """A8: not an older event, not a machine's, not by another moderator, not after erasing."""
    decided = event(2, EventKind.REJECTED, State.PENDING, State.REJECTED)
    edited = event(3, EventKind.EDITED, State.REJECTED, State.REJECTED, by=None, revision=2)
    erased = event(3, EventKind.ERASED, State.REJECTED, State.ERASED, by=None)

    def undo(*events: Event, seq: int = 2, by: str = "ann", role: Role = Role.MODERATOR) -> State:
        return transition.undo(events, seq, actor_id=by, role=role)

    assert undo(SUBMITTED, decided) is State.PENDING
    assert undo(SUBMITTED, decided, by="eva", role=Role.MANAGER) is State.PENDING
    with pytest.raises(NotYours):
        undo(SUBMITTED, decided, by="ben")
    with pytest.raises(NotNewest):
        undo(SUBMITTED, decided, edited)
    with pytest.raises(NotUndoable):
        undo(SUBMITTED, seq=1)
    with pytest.raises(CommentErased):
        undo(SUBMITTED, decided, erased)


def test_replaying_knows_whose_decision_stands() -> None:
    """A person's decision stands until the text is judged anew, or until it is taken back."""
    decided = event(2, EventKind.REJECTED, State.PENDING, State.REJECTED)
    undone = event(3, EventKind.UNDONE, State.REJECTED, State.PENDING, undoes=2)
    approved = event(4, EventKind.APPROVED, State.PENDING, State.PUBLISHED)
    edited = event(5, EventKind.EDITED, State.PUBLISHED, State.SPAM, by=None, revision=2)
    story = [SUBMITTED, decided, undone, approved, edited]

    found = [transition.replay(story[: end + 1]) for end in range(len(story))]

    assert found == [
        Standing(State.PENDING, 1, 1, human=False),
        Standing(State.REJECTED, 1, 2, human=True),
        Standing(State.PENDING, 1, 3, human=False),
        Standing(State.PUBLISHED, 1, 4, human=True),
        Standing(State.SPAM, 2, 5, human=False),
    ]


def test_taking_back_one_decision_leaves_the_one_before_it() -> None:
    """Published by a person, removed and put back: it is a person's decision that stands."""
    story = [
        SUBMITTED,
        event(2, EventKind.APPROVED, State.PENDING, State.PUBLISHED),
        event(3, EventKind.REMOVED, State.PUBLISHED, State.REMOVED),
        event(4, EventKind.UNDONE, State.REMOVED, State.PUBLISHED, undoes=3),
    ]

    assert transition.replay(story) == Standing(State.PUBLISHED, 1, 4, human=True)


def test_every_decision_has_its_actions() -> None:
    """No event of a person that no action leads to, no restricted state without a way back."""
    reached = {kind for by_state in transition.EVENTS.values() for kind in by_state.values()}

    assert reached == DECISIONS
    assert set(transition.EVENTS[Action.RESTORE]) == RESTRICTED
