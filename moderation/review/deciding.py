"""What moderators do, each a piece of work on a desk: decide, undo, report, note.

A work checks everything before it writes anything, so that a refusal leaves nothing behind.
`carry_out` is the writer's handler: it locks the sites, keeps to idempotency keys, and tells
whoever was too late how things stand.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar, cast

from sqlalchemy import delete, insert, select

from moderation.cases import case as cases
from moderation.cases import transition
from moderation.cases.case import Case, Moderator, is_open
from moderation.cases.judgement import Source, judged
from moderation.cases.transition import Action, ActorKind, Event, EventKind, Standing
from moderation.database import Rows
from moderation.errors import (
    CaseClosed,
    DecisionNotFound,
    IdempotencyMismatch,
    ModerationError,
    ReviewRefused,
)
from moderation.review.desk import Desk
from moderation.store import Idempotency, expired_before
from moderation.tables import IDEMPOTENCY
from moderation.verdict import Label, State

DECISION_ROWS = 10  # about: an event, a comment, a case, judgements, reports
T = TypeVar("T")
Answer = tuple[int, bytes]


class Work(NamedTuple, Generic[T]):
    """*do* works on a site's desk; what it makes is an `Answer` where there is *idempotency*."""

    site_id: str
    now: str
    do: Callable[[Desk], T]
    idempotency: Idempotency | None = None


class Decision(NamedTuple):
    """What a moderator decides on a comment as they have read it.

    *token* is None where nobody claims: when many are decided at once, and where there is no case.
    """

    comment_id: str
    action: Action
    revision: int
    version: int
    token: str | None = None
    reason_code: str | None = None
    ground: str | None = None
    note: str | None = None
    labels: Mapping[Label, bool] | None = None


class Decided(NamedTuple):
    """What came of a decision; without an event where it was only tried."""

    comment_id: str
    from_state: State
    to_state: State
    event: Event | None


def carry_out(rows: Rows, works: Sequence[Work[T]]) -> list[T | Exception]:
    """Do every work, in order; answer each with what it made, or with its refusal."""
    rows.lock(sorted({work.site_id for work in works}))
    desks: dict[str, Desk] = {}
    answers: list[T | Exception] = []
    for work in works:
        desk = desks.get(work.site_id)
        if desk is None:
            desk = desks[work.site_id] = Desk(rows, work.site_id, work.now)
        desk.now = max(desk.now, work.now)
        try:
            answers.append(_once(desk, work))
        except ModerationError as error:
            answers.append(error)
    return answers


def _once(desk: Desk, work: Work[T]) -> T:
    given = work.idempotency
    if given is None:
        return work.do(desk)
    of_key = (
        IDEMPOTENCY.c.site_id == desk.site_id,
        IDEMPOTENCY.c.route == given.route,
        IDEMPOTENCY.c.key == given.key,
    )
    known = desk.connection.execute(select(IDEMPOTENCY).where(*of_key)).first()
    if known is not None and known.made >= expired_before(work.now):
        if known.fingerprint != given.fingerprint:
            raise IdempotencyMismatch(
                "expected the body that first came with this key, got another"
            )
        return cast("T", (known.status, known.answer.encode()))
    made = work.do(desk)
    status, body = cast("Answer", made)
    desk.connection.execute(delete(IDEMPOTENCY).where(*of_key))
    desk.connection.execute(
        insert(IDEMPOTENCY).values(
            site_id=desk.site_id,
            route=given.route,
            key=given.key,
            fingerprint=given.fingerprint,
            status=status,
            answer=body.decode(),
            made=desk.now,
        )
    )
    return made


def telling(desk: Desk, comment_id: str, do: Callable[[], T]) -> T:
    """Do something with a comment; a refusal tells how the comment stands."""
    try:
        return do()
    except ReviewRefused as error:
        if error.present is None:
            error.present = desk.present(comment_id)
        raise


# -- cases ------------------------------------------------------------------------------------


def get_case(desk: Desk, comment_id: str) -> Case:
    """Return a comment's case. Raises CommentNotFound and CaseClosed."""
    desk.standing(comment_id)
    case = desk.find_case(comment_id)
    if case is None:
        raise CaseClosed("expected a comment with a case, got one that never had any")
    return case


# -- decisions --------------------------------------------------------------------------------


def decide(
    desk: Desk,
    decision: Decision,
    by: Moderator,
    *,
    decision_id: str,
    together: bool = False,
    dry: bool = False,
    source: Source = Source.DECISION,
) -> Decided:
    """Decide on a comment (A2-A6); *together* with others nobody needs to have claimed it.

    Feedback asks nobody's claim: the site's people have decided already, where they work.
    Raises CommentNotFound, and of ReviewRefused whatever does not fit; then nothing was written.
    """
    comment_id = decision.comment_id
    standing = desk.standing(comment_id)
    transition.check_seen(standing, revision=decision.revision, version=decision.version)
    kind = transition.event_of(decision.action, standing.state)
    case = desk.find_case(comment_id)
    if source is not Source.FEEDBACK:
        _check_claimed(desk, case, decision, by, together=together)
    back = None
    if kind is EventKind.RESTORED and decision.action is Action.RESTORE:
        back = transition.before_restriction(desk.events(comment_id))
    target = transition.decide(kind, standing, reason_code=decision.reason_code, back=back)
    if dry:
        return Decided(comment_id, standing.state, target, None)
    note_id = f"{decision_id}.{comment_id}" if decision.note else None
    event = desk.happen(
        comment_id,
        standing,
        kind,
        target,
        ActorKind.MODERATOR,
        by.id,
        human=True,
        reason_code=decision.reason_code,
        ground=decision.ground,
        note_id=note_id,
        decision_id=decision_id,
    )
    if decision.note and note_id:
        desk.note(note_id, comment_id, by.id, decision.note)
    desk.judge(
        event,
        judged(
            target,
            reason_code=decision.reason_code,
            moved=desk.moved_by(comment_id),
            given=decision.labels,
        ),
        source,
    )
    desk.settle_reports(event)
    if target is State.PENDING:
        desk.wait(case, comment_id, Standing(target, standing.revision, event.seq, human=True))
    elif case is not None and is_open(case):
        desk.resolve(case, event.seq)
    return Decided(comment_id, standing.state, target, event)


def _check_claimed(
    desk: Desk, case: Case | None, decision: Decision, by: Moderator, *, together: bool
) -> None:
    if case is not None and is_open(case):
        if together and decision.token is None:
            cases.check_free(case, by, now=desk.now)
        else:
            cases.check_claim(case, by, decision.token, now=desk.now)
    elif decision.token is not None:
        raise CaseClosed("expected an open case for the token, got none")


def undo(desk: Desk, comment_id: str, seq: int, by: Moderator) -> Decided:
    """Take back a decision: the newest event of its comment (A8).

    Raises as `transition.undo` does.
    """
    every = desk.events(comment_id)
    target = transition.undo(every, seq, actor_id=by.id, role=by.role)
    undone = every[-1]
    event = desk.happen(
        comment_id,
        transition.replay(every),
        EventKind.UNDONE,
        target,
        ActorKind.MODERATOR,
        by.id,
        human=transition.replay(every[:-1]).human,
        undoes=undone.seq,
    )
    desk.withdraw(undone)
    case = desk.find_case(comment_id)
    if case is not None and not is_open(case) and case.resolved_seq == undone.seq:
        desk.reopen(case, target)
    elif target is State.PENDING and not is_open(case):
        desk.wait(case, comment_id, Standing(target, undone.revision, event.seq))
    elif case is not None and is_open(case):
        if undone.to_state is State.PENDING and desk.is_untouched(case, undone.at, by.id):
            desk.resolve(case, event.seq)
        else:
            # Reported since: the reports that the decision had settled are open again, too.
            desk.stand(case, target)
    return Decided(comment_id, undone.to_state, target, event)


def expire(desk: Desk, comment_id: str) -> bool:
    """Note that a comment has been pending for too long (A10): it stays where it is."""
    standing = desk.standing(comment_id)
    case = desk.find_case(comment_id)
    if standing.state is not State.PENDING or case is None or case.alarmed or not is_open(case):
        return False
    desk.happen(
        comment_id,
        standing,
        EventKind.EXPIRED,
        State.PENDING,
        ActorKind.SYSTEM,
        human=standing.human,
    )
    desk.save(case._replace(alarmed=True))
    return True


def report(desk: Desk, comment_id: str, reporter: str, reason: str) -> None:
    """Take in what a reader says against a comment. Raises CommentNotFound and CommentErased."""
    standing = desk.standing(comment_id)
    transition.check_there(standing.state)
    desk.report(comment_id, standing, reporter, reason)


def note(desk: Desk, note_id: str, comment_id: str, by: Moderator, text: str) -> None:
    """Keep what a moderator wrote down. Raises CommentNotFound and CommentErased."""
    transition.check_there(desk.standing(comment_id).state)
    desk.note(note_id, comment_id, by.id, text)


def events_of(desk: Desk, decision_id: str) -> list[tuple[str, int]]:
    """Return the comments and seqs of a decision. Raises DecisionNotFound."""
    found = desk.decided(decision_id)
    if not found:
        raise DecisionNotFound("expected the id of a decision of this site, got another")
    return found
