"""A case: that a person has to look at a comment, and who is looking.

Pure. Whoever claims a case holds it for five minutes, renewed by what they do; the token that
they were given is asked for with every decision. A claim that ran out needs nobody to end it:
it is one no longer. Nor is one that ends later than any can: it was made by a clock that was
ahead, and would keep the case from everybody until then. Instants are text, in order.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from moderation.cases.transition import Role
from moderation.errors import (
    CaseClosed,
    ClaimedByAnother,
    ClaimLost,
    ClaimMissing,
    ManagerNeeded,
)

LEASE_S = 300
_CLOCKS_DIFFER_S = 300
SKIPPED_H = 24


class CaseState(StrEnum):
    """Where a case stands; *escalated* is open, in a queue of its own."""

    OPEN = "open"
    CLAIMED = "claimed"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class Cause(StrEnum):
    """Why people are to look; nobody is told what belongs to the blind sample."""

    REVIEW = "review"
    EDITED = "edited"
    REPORTED = "reported"


class Moderator(NamedTuple):
    """Who is asking: *id* is the site's own name for the person."""

    id: str
    role: Role = Role.MODERATOR


class Case(NamedTuple):
    """A case, in the order of the table's columns; *state* is open or resolved."""

    site_id: str
    comment_id: str
    revision: int
    state: str
    cause: str
    tier: int
    place: float
    harm: float
    doubt: float
    label: str | None
    reason: str | None
    language: str | None
    author: str | None
    thread_id: str | None
    fingerprint: str | None
    opened: str
    openings: int
    escalated: bool
    reporters: int
    report_weight: float
    alarmed: bool
    claimed_by: str | None = None
    claim_token: str | None = None
    claim_until: str | None = None
    snoozed_until: str | None = None
    resolved: str | None = None
    resolved_seq: int | None = None


def is_open(case: Case | None) -> bool:
    """Whether somebody still has to decide."""
    return case is not None and case.state != CaseState.RESOLVED


def is_claimed(case: Case, now: str) -> bool:
    """Whether somebody holds it, so that nobody else can."""
    return _lasts(case, now) and (case.claim_until or "") <= latest(now)


def _lasts(case: Case, now: str) -> bool:
    return case.claim_until is not None and case.claim_until > now


def latest(now: str) -> str:
    """Return the latest instant that a claim can end at."""
    until = datetime.fromisoformat(now) + timedelta(seconds=LEASE_S + _CLOCKS_DIFFER_S)
    return until.isoformat(timespec="microseconds").replace("+00:00", "Z")


def state_of(case: Case, now: str) -> CaseState:
    """Return the state as people are told it."""
    if case.state == CaseState.RESOLVED:
        return CaseState.RESOLVED
    if is_claimed(case, now):
        return CaseState.CLAIMED
    return CaseState.ESCALATED if case.escalated else CaseState.OPEN


def claim(
    case: Case, by: Moderator, *, token: str, now: str, until: str, take_over: bool = False
) -> Case:
    """Return the case as *by* holds it; whoever holds it already keeps the token.

    Raises CaseClosed, ManagerNeeded and ClaimedByAnother.
    """
    _check_may(case, by)
    if is_claimed(case, now):
        if case.claimed_by == by.id:
            return case._replace(claim_until=until)
        if not take_over:
            raise ClaimedByAnother(
                "expected a case that nobody has claimed, got one that is claimed"
            )
        if by.role is not Role.MANAGER:
            raise ManagerNeeded("expected a manager to take a claim over, got a moderator")
    return case._replace(claimed_by=by.id, claim_token=token, claim_until=until)


def renew(case: Case, by: Moderator, token: str, *, now: str, until: str) -> Case:
    """Return the case held for longer. Raises as `check_claim` does."""
    check_claim(case, by, token, now=now)
    return case._replace(claim_until=until)


def release(case: Case) -> Case:
    """Return the case held by nobody."""
    return case._replace(claimed_by=None, claim_token=None, claim_until=None)


def give_up(case: Case, by: Moderator, token: str | None, *, now: str) -> Case:
    """Return the case given up by *by*, who holds it by *token*, or without one by nobody.

    Raises as `check_claim` and `check_free` do.
    """
    if token is None:
        check_free(case, by, now=now)
    else:
        check_claim(case, by, token, now=now)
    return release(case)


def check_claim(case: Case, by: Moderator, token: str | None, *, now: str) -> None:
    """Check that *by* holds the case by *token*.

    Raises CaseClosed, ManagerNeeded, ClaimMissing, ClaimedByAnother and ClaimLost.
    """
    _check_may(case, by)
    if is_claimed(case, now) and case.claimed_by != by.id:
        raise ClaimedByAnother("expected a case that you have claimed, got another's")
    if token is None:
        raise ClaimMissing("expected the token of your claim, got none")
    if not _lasts(case, now) or token != case.claim_token:
        raise ClaimLost("expected a claim that holds, got one that ran out or was given up")


def check_free(case: Case, by: Moderator, *, now: str) -> None:
    """Check that nobody else holds the case; for what is decided without a claim, many at once.

    Raises CaseClosed, ManagerNeeded and ClaimedByAnother.
    """
    _check_may(case, by)
    if is_claimed(case, now) and case.claimed_by != by.id:
        raise ClaimedByAnother("expected a case that nobody else has claimed, got another's")


def _check_may(case: Case, by: Moderator) -> None:
    if not is_open(case):
        raise CaseClosed("expected an open case, got one that is resolved")
    if case.escalated and by.role is not Role.MANAGER:
        raise ManagerNeeded("expected a manager for what was escalated, got a moderator")
