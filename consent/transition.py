"""Which event may follow which: the checks an event passes before it is recorded.

Pure. Every refusal has a code of its own. What takes consent away is always recorded: a
withdrawal that overtakes the consent it ends must not get lost. What gives it needs an act of
the subject that answers a question (GDPR Art. 4(11) and 7; EDPB 05/2020 §§86, 108).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from consent.choice import (
    ACTS,
    CLOCK_AHEAD,
    CLOCK_BEHIND,
    NEVER_ACTS,
    Basis,
    Decision,
    EventType,
    Method,
    Origin,
)
from consent.errors import (
    DecisionsInconsistent,
    EventTypeUnsupported,
    MethodIsNoAct,
    NotAsked,
    OccurredInFuture,
    OccurredTooLongAgo,
    PurposeNotInNotice,
    ServedUnknown,
)
from consent.projection import Standing

SUPPORTED = frozenset(
    {EventType.REQUESTED, EventType.GIVEN, EventType.REFUSED, EventType.WITHDRAWN}
)
OWN_INITIATIVE = frozenset({Origin.PREFERENCES, Origin.ACCOUNT_PAGE, Origin.CONTEXTUAL})
"""Where the subject went by themselves: there a change of mind needs no new question."""


def check_form(
    event_type: EventType, method: Method, decisions: Sequence[tuple[str, Decision]]
) -> None:
    """Check what can be checked without knowing anybody.

    Raises EventTypeUnsupported, MethodIsNoAct and DecisionsInconsistent.
    """
    if event_type not in SUPPORTED:
        known = ", ".join(sorted(kind.value for kind in SUPPORTED))
        raise EventTypeUnsupported(f"expected one of {known}, got {event_type.value}")
    if method in NEVER_ACTS:
        raise MethodIsNoAct(f"expected an act of the subject, got {method.value}, which is none")
    if event_type is EventType.GIVEN and method not in ACTS:
        acts = ", ".join(sorted(act.value for act in ACTS))
        raise MethodIsNoAct(f"expected consent given by one of {acts}, got {method.value}")
    purposes = [purpose for purpose, _ in decisions]
    if len(set(purposes)) != len(purposes):
        raise DecisionsInconsistent("expected each purpose once, got one twice")
    made = {decision for _, decision in decisions}
    expected, well = _expected(event_type, made)
    if not well:
        shown = ", ".join(sorted(decision.value for decision in made)) or "none"
        raise DecisionsInconsistent(f"{event_type.value}: expected {expected}, got {shown}")


def _expected(event_type: EventType, made: set[Decision]) -> tuple[str, bool]:
    if event_type is EventType.REQUESTED:
        return "no decisions, for nothing is decided yet", not made
    if event_type is EventType.GIVEN:
        return "at least one decision `given`", Decision.GIVEN in made
    if event_type is EventType.REFUSED:
        return "decisions with `refused` and none `given`", (
            Decision.REFUSED in made and Decision.GIVEN not in made
        )
    return "the purposes that end, as `refused`", made == {Decision.REFUSED}


def check_clock(occurred: datetime | None, received: datetime) -> None:
    """Check that an act lies where a client's clock and an offline queue can put it.

    Raises OccurredInFuture (more than 5 minutes ahead) and OccurredTooLongAgo (more than 30 days
    behind).
    """
    if occurred is None:
        return
    if occurred > received + CLOCK_AHEAD:
        raise OccurredInFuture(
            f"expected occurred_at at most {CLOCK_AHEAD} after the server's clock, got a later one"
        )
    if occurred < received - CLOCK_BEHIND:
        raise OccurredTooLongAgo(
            f"expected occurred_at at most {CLOCK_BEHIND.days} days back, got an earlier one"
        )


def check_purposes(
    decisions: Sequence[tuple[str, Decision]], purposes: Mapping[str, Basis]
) -> None:
    """Check that only purposes of the notice are decided. Raises PurposeNotInNotice."""
    for purpose_id, _ in decisions:
        if purpose_id not in purposes:
            known = ", ".join(sorted(purposes))
            raise PurposeNotInNotice(f"expected a purpose of the notice ({known}), got another")


def check_asked(
    standing: Standing,
    *,
    event_type: EventType,
    notice_id: str,
    version: int,
    decisions: Sequence[tuple[str, Decision]],
    origin: Origin,
    served_id: str | None,
    occurred: str | None,
) -> None:
    """Check that consent answers a question: this subject was shown this notice and version.

    After a refusal or withdrawal the question must be newer than it, unless the subject came to
    the preferences by themselves. What *occurred* before the refusal and comes late is recorded;
    it changes nothing. Raises NotAsked and ServedUnknown.
    """
    if event_type not in {EventType.GIVEN, EventType.REFUSED}:
        return
    asked = standing.asked.get(notice_id)
    answers = asked is not None and asked.version == version
    if served_id is not None and (asked is None or not answers or asked.record_id != served_id):
        raise ServedUnknown(
            "expected the record id of the newest request to this subject with this notice "
            "version, got another"
        )
    if event_type is EventType.REFUSED:
        return
    if asked is None or not answers:
        raise NotAsked(
            f"expected an earlier `requested` event for version {version} of this notice, got none"
        )
    if origin in OWN_INITIATIVE:
        return
    for purpose_id, decision in decisions:
        before = standing.purposes.get(purpose_id)
        if (
            decision is Decision.GIVEN
            and before is not None
            and before.ended
            and before.leaf_index > asked.leaf_index
            and not (occurred is not None and occurred < (before.refused_at or ""))
        ):
            raise NotAsked(
                "expected a `requested` event newer than the refusal or withdrawal, got none"
            )
