"""Which event may follow which: the checks an event passes before it is recorded.

Pure. Every refusal has a code of its own. What takes consent away is always recorded, without
what of it cannot be believed: a withdrawal that overtakes the consent it ends must not get lost.
What gives it needs an act of the subject that answers a question (GDPR Art. 4(11) and 7; EDPB
05/2020 §§86, 108).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from consent.choices.choice import (
    ACTS,
    CLOCK_AHEAD,
    CLOCK_BEHIND,
    ENDING,
    GIVING,
    NEVER_ACTS,
    ON_NOTICE,
    Actor,
    Basis,
    Decision,
    EventType,
    Method,
    Origin,
)
from consent.choices.projection import FOREVER, Asked, PurposeStanding, Standing
from consent.choices.record import instant
from consent.errors import (
    ActorRefused,
    AskedTooSoon,
    DecisionsInconsistent,
    EventTypeUnsupported,
    MethodIsNoAct,
    NotAsked,
    NothingToRenew,
    OccurredInFuture,
    OccurredTooLongAgo,
    PurposeNotInNotice,
    ServedUnknown,
    SignalMissing,
    ValidityInconsistent,
)

SUBJECT = (Actor.DATA_SUBJECT, Actor.GUARDIAN)
OPERATOR = (Actor.CONTROLLER, Actor.AUTHORITY)
ANY = frozenset(Method) - NEVER_ACTS - {Method.IMPORT}
"""Every method that may be told of; imports have a way of their own."""

NO = ANY - {Method.ACCEPT_ALL}
"""What may say no: everything but the button that says yes."""

ANSWERS = GIVING | {EventType.DEFERRED}
"""Event types that need a question which they answer; a no is one without."""

UNASKED = frozenset({Basis.STRICTLY_NECESSARY, Basis.EXEMPT_STATISTICS})
"""Bases of purposes that nobody is asked about."""

OWN_INITIATIVE = frozenset({Origin.PREFERENCES, Origin.ACCOUNT_PAGE, Origin.CONTEXTUAL})
"""Where the subject went by themselves: there a change of mind needs no new question."""


class Rule(NamedTuple):
    """Who may bring an event about, by what; the first actor is meant where none is named."""

    actors: tuple[Actor, ...]
    methods: frozenset[Method]


RULES: Mapping[EventType, Rule] = {
    EventType.REQUESTED: Rule((Actor.CONTROLLER,), ANY),
    EventType.DEFERRED: Rule(SUBJECT, frozenset({Method.CLOSE})),
    EventType.GIVEN: Rule(SUBJECT, ACTS),
    EventType.REFUSED: Rule(SUBJECT, NO),
    EventType.WITHDRAWN: Rule((*SUBJECT, Actor.CONTROLLER), NO),
    EventType.RENEWED: Rule(SUBJECT, ACTS),
    EventType.REVOKED: Rule(OPERATOR, frozenset({Method.ADMIN, Method.AUTHORITY, Method.API})),
    EventType.INVALIDATED: Rule(OPERATOR, frozenset({Method.ADMIN, Method.AUTHORITY, Method.API})),
    EventType.OPTED_OUT: Rule((*SUBJECT, Actor.CONTROLLER), NO),
    EventType.OPTED_IN: Rule(SUBJECT, ACTS),
    EventType.OBJECTED: Rule((*SUBJECT, Actor.CONTROLLER), NO),
    EventType.ACKNOWLEDGED: Rule(SUBJECT, ANY),
    EventType.LINKED: Rule((Actor.CONTROLLER, *SUBJECT), ANY),
}
"""What may be sent. The rest is computed (`expired`, `superseded`), imported, or the service's."""


class Told(NamedTuple):
    """What an event tells, as far as it is checked here."""

    event_type: EventType
    method: Method
    origin: Origin
    decisions: Sequence[tuple[str, Decision]]
    received: datetime
    actor: Actor | None = None
    gpc: bool = False
    explicit: bool = False
    occurred: datetime | None = None
    valid_until: datetime | None = None
    reprompt_not_before: datetime | None = None


def check_form(told: Told) -> None:
    """Check what can be checked without knowing anybody.

    Raises EventTypeUnsupported, ActorRefused, MethodIsNoAct, SignalMissing, DecisionsInconsistent.
    """
    kind, method = told.event_type, told.method
    rule = RULES.get(kind)
    if rule is None:
        known = ", ".join(sorted(each.value for each in RULES))
        raise EventTypeUnsupported(f"expected one of {known}, got {kind.value}")
    if told.actor is not None and told.actor not in rule.actors:
        known = ", ".join(each.value for each in rule.actors)
        raise ActorRefused(f"{kind.value}: expected it by {known}, got {told.actor.value}")
    if method not in rule.methods:
        known = ", ".join(sorted(each.value for each in rule.methods))
        raise MethodIsNoAct(f"{kind.value}: expected one of {known}, got {method.value}")
    if method is Method.GPC and not told.gpc:
        raise SignalMissing("expected signals that show Global Privacy Control, got none")
    if told.explicit and kind not in GIVING:
        raise DecisionsInconsistent(
            f"expected `explicit` only where consent is given, got it on {kind.value}"
        )
    _check_decisions(told)


def _check_decisions(told: Told) -> None:
    purposes = [purpose for purpose, _ in told.decisions]
    if len(set(purposes)) != len(purposes):
        raise DecisionsInconsistent("expected each purpose once, got one twice")
    made = {decision for _, decision in told.decisions}
    kind = told.event_type
    if kind in GIVING:
        expected, well = "at least one decision `given`", Decision.GIVEN in made
    elif kind is EventType.REFUSED:
        expected = "decisions with `refused` and none `given`"
        well = Decision.REFUSED in made and Decision.GIVEN not in made
    elif kind in ENDING:
        expected, well = "the purposes that end, as `refused`", made == {Decision.REFUSED}
    else:
        expected, well = "no decisions, for nothing is decided by it", not made
    if told.method is Method.GPC and kind in ENDING and not made:
        well = True  # the notice's purposes are filled in by what the signal ends
    if not well:
        shown = ", ".join(sorted(decision.value for decision in made)) or "none"
        raise DecisionsInconsistent(f"{kind.value}: expected {expected}, got {shown}")


def believable(told: Told) -> Told:
    """Return what is told without the instants that a no must not fail by.

    An act that lies where no clock or queue can have put it happened when it came, and a next
    question that may be put already waits for nothing.
    """
    if told.event_type not in ENDING:
        return told
    return told._replace(
        occurred=told.occurred
        if told.occurred is not None and _in_reach(told.occurred, told.received)
        else None,
        reprompt_not_before=told.reprompt_not_before
        if told.reprompt_not_before is not None and told.reprompt_not_before > told.received
        else None,
    )


def _in_reach(occurred: datetime, received: datetime) -> bool:
    return received - CLOCK_BEHIND <= occurred <= received + CLOCK_AHEAD


def check_clock(told: Told) -> None:
    """Check that every instant lies where it can.

    An act lies at most 5 minutes ahead of the server's clock and 30 days behind it; validity is
    told of what is given and the next question of what is refused, both ahead. Raises
    OccurredInFuture, OccurredTooLongAgo and ValidityInconsistent.
    """
    received = told.received
    if told.occurred is not None:
        if told.occurred > received + CLOCK_AHEAD:
            raise OccurredInFuture(
                f"expected occurred_at at most {CLOCK_AHEAD} after the server's clock, "
                "got a later one"
            )
        if told.occurred < received - CLOCK_BEHIND:
            raise OccurredTooLongAgo(
                f"expected occurred_at at most {CLOCK_BEHIND.days} days back, got an earlier one"
            )
    for name, moment, kinds in (
        ("valid_until", told.valid_until, GIVING),
        ("reprompt_not_before", told.reprompt_not_before, ENDING),
    ):
        if moment is None:
            continue
        if told.event_type not in kinds:
            known = ", ".join(sorted(kind.value for kind in kinds))
            raise ValidityInconsistent(
                f"expected {name} only on {known}, got it on {told.event_type.value}"
            )
        if moment <= received:
            raise ValidityInconsistent(f"expected {name} to lie ahead, got an instant in the past")


def check_purposes(told: Told, purposes: Mapping[str, Basis]) -> None:
    """Check that only purposes of the notice shown are decided. Raises PurposeNotInNotice.

    What says no may name any: the notice in view need not be the one that consent was given on.
    """
    if told.event_type in ENDING:
        return
    for purpose_id, _ in told.decisions:
        if purpose_id not in purposes:
            known = ", ".join(sorted(purposes))
            raise PurposeNotInNotice(f"expected a purpose of the notice ({known}), got another")


def check_published(told: Told, published: str) -> None:
    """Check that nobody was shown the notice before it was there. Raises OccurredTooLongAgo.

    Of a notice that was published by a clock that was ahead nobody knows since when it is there.
    """
    if told.occurred is None or told.event_type not in ON_NOTICE - ENDING:
        return
    if _before(told.received, published):
        return
    if _before(told.occurred, published):
        raise OccurredTooLongAgo(
            "expected occurred_at not to lie before the notice was published, got an earlier one"
        )


def _before(occurred: datetime, moment: str) -> bool:
    """Whether an act came before *moment* by more than a client's clock may be wrong."""
    return instant(occurred + CLOCK_AHEAD) < moment


class Question(NamedTuple):
    """The notice that an event is about, and what proves that it was asked."""

    notice_id: str
    version: int
    material_sha256: str
    purposes: Mapping[str, Basis]
    served_at: datetime | None = None
    """When a served token for this notice and version was issued."""


def check_may_ask(
    standing: Standing, told: Told, question: Question, patience: Callable[[PurposeStanding], str]
) -> None:
    """Check that the visitor may be asked again, however often the site would like to.

    Not while everything that can be asked was answered, a no among it, and *patience* (the instant
    before which a no may not be asked about) has not run out; a new substance may be asked about
    at once, unless the no is an opt-out or final, and whoever comes to the preferences asks for
    it. Where something is open the whole notice is shown, but `check_asked` opens no more than
    that. Raises AskedTooSoon.
    """
    if told.event_type is not EventType.REQUESTED or told.origin in OWN_INITIATIVE:
        return
    if not standing.purposes:
        return
    now = instant(told.received)
    soonest = ""
    for purpose_id, basis in question.purposes.items():
        if basis in UNASKED:
            continue
        before = standing.purposes.get(purpose_id)
        if before is None or _changed(before, question):
            return
        if before.ended and patience(before) > now:
            soonest = max(soonest, patience(before))
        elif before.ended or before.lapsed(now) or before.nobody:
            return
    if soonest:
        raise _too_soon(soonest)


def _too_soon(after: str) -> AskedTooSoon:
    if after == FOREVER:
        return AskedTooSoon("expected no question about what was objected to or revoked, got one")
    return AskedTooSoon(f"expected no question before {after}, got one now")


def _changed(before: PurposeStanding, question: Question) -> bool:
    """Whether the notice that was answered has another substance now; another notice is no change.

    Or two notices about one purpose could take turns to ask after every no. An opt-out waits
    whatever changes: Civil Code §1798.135(c)(4) knows no exception.
    """
    return (
        not before.lasting
        and before.notice_id in {None, question.notice_id}
        and before.material_sha256 is not None
        and before.material_sha256 != question.material_sha256
    )


def check_asked(
    standing: Standing, told: Told, question: Question, patience: Callable[[PurposeStanding], str]
) -> None:
    """Check that consent answers a question: this subject was shown this notice and version.

    The act did not come before the question. After a no the question must be newer than it, and
    *patience* must have run out, unless the subject came to the preferences by themselves. What
    occurred before the no and comes late is recorded; it changes nothing. Raises NotAsked,
    AskedTooSoon and NothingToRenew.
    """
    if told.event_type not in ANSWERS:
        return
    asked = standing.asked.get(question.notice_id)
    if asked is not None and asked.version != question.version:
        asked = None
    if asked is None and question.served_at is None:
        raise NotAsked(
            f"expected an earlier `requested` event for version {question.version} of this "
            "notice, or a served token of it, got none"
        )
    if told.event_type is EventType.DEFERRED:
        return
    given = {
        purpose: standing.purposes.get(purpose)
        for purpose, decision in told.decisions
        if decision is Decision.GIVEN
    }
    if told.event_type is EventType.RENEWED and all(
        before is None or before.ended for before in given.values()
    ):
        raise NothingToRenew("expected a purpose that was given before, got none")
    counting = {name: before for name, before in given.items() if not _overtaken(before, told)}
    if counting:
        _check_after(told, _put(asked, question))
    if told.origin in OWN_INITIATIVE:
        return
    for purpose, before in counting.items():
        # Whoever refused what needs nobody's consent is not in the way of the rest.
        if before is not None and question.purposes.get(purpose) is not Basis.STRICTLY_NECESSARY:
            _check_newer(before, told, question, asked, patience)


def _overtaken(before: PurposeStanding | None, told: Told) -> bool:
    """Whether an act did not come after the no that is recorded: then it changes nothing."""
    return (
        before is not None
        and before.refused_at is not None
        and told.occurred is not None
        and instant(told.occurred) <= before.refused_at
    )


def _put(
    asked: Asked | None, question: Question, *, after: PurposeStanding | None = None
) -> list[str]:
    """Return since when the subject was asked: by a request, by a token, those newer than *after*.

    A request is newer by its place in the log, a token by its time.
    """
    put = []
    if asked is not None and (after is None or asked.leaf_index > after.leaf_index):
        put.append(asked.since)
    if question.served_at is not None:
        served = instant(question.served_at)
        # A lapsed yes may follow a no: the question must be newer than the yes, too.
        if after is None or served > (
            (after.refused_at if after.ended else None) or after.occurred_at
        ):
            put.append(served)
    return put


def _check_after(told: Told, put: Sequence[str]) -> None:
    if told.occurred is not None and _before(told.occurred, min(put)):
        raise NotAsked("expected an act that follows its question, got one before it")


def named_question(
    standing: Standing, told: Told, question: Question | None, served_id: str | None
) -> str | None:
    """Return the record id of the question that an event names as the one it answers.

    It is the newest to this subject with this notice and version. A no is recorded without it
    where it is not: of two open tabs one holds an older question. Raises ServedUnknown.
    """
    if served_id is None:
        return None
    asked = None if question is None else standing.asked.get(question.notice_id)
    if (
        asked is not None
        and question is not None
        and (asked.version, asked.record_id) == (question.version, served_id)
    ):
        return served_id
    if told.event_type in ENDING:
        return None
    raise ServedUnknown(
        "expected the record id of the newest request to this subject with this notice "
        "version, got another"
    )


def _check_newer(
    before: PurposeStanding,
    told: Told,
    question: Question,
    asked: Asked | None,
    patience: Callable[[PurposeStanding], str],
) -> None:
    """Check that the question is newer than the answer it asks to change, and not too soon."""
    now = instant(told.received)
    if not before.ended and not before.lapsed(now):
        return
    put = _put(asked, question, after=before)
    if not put:
        raise NotAsked("expected a question newer than the refusal, withdrawal or expiry, got none")
    _check_after(told, put)
    # A request may have been made for another purpose of the notice; a token knows nobody.
    if before.ended and not _changed(before, question) and patience(before) > now:
        raise _too_soon(patience(before))
