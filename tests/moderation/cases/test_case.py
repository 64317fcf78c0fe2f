"""Cases and claims, without a database: who holds what until when."""

import pytest

from moderation.cases import case as cases
from moderation.cases.case import Case, CaseState, Moderator
from moderation.cases.transition import Role
from moderation.errors import (
    CaseClosed,
    ClaimedByAnother,
    ClaimLost,
    ClaimMissing,
    ManagerNeeded,
)

ANN = Moderator("ann")
BEN = Moderator("ben")
EVA = Moderator("eva", Role.MANAGER)


def at(time: str) -> str:
    """Return the instant of a time of the day on which all this happens."""
    return f"2026-01-02T{time}:00.000000Z"


CASE = Case(
    "blog",
    "c",
    1,
    CaseState.OPEN,
    "review",
    4,
    0.0,
    0.5,
    1.0,
    None,
    None,
    None,
    None,
    None,
    None,
    at("10:00"),
    1,
    escalated=False,
    reporters=0,
    report_weight=0.0,
    alarmed=False,
)


def held(by: Moderator = ANN) -> Case:
    """Return the case as somebody holds it from 10:00 to 10:05."""
    return cases.claim(CASE, by, token="t-1", now=at("10:00"), until=at("10:05"))


def test_a_claim_holds_until_its_end() -> None:
    """Up to the instant before; at the instant itself it is open again, by nobody's doing."""
    assert cases.state_of(held(), at("10:04")) is CaseState.CLAIMED
    assert cases.state_of(held(), at("10:05")) is CaseState.OPEN
    cases.check_claim(held(), ANN, "t-1", now=at("10:04"))
    with pytest.raises(ClaimLost):
        cases.check_claim(held(), ANN, "t-1", now=at("10:05"))


def test_a_claim_of_a_clock_that_was_ahead_holds_nothing() -> None:
    """Once it is right, the case is anybody's; clocks of processes may differ by minutes."""
    assert cases.is_claimed(held(), at("09:55"))
    assert not cases.is_claimed(held(), "2026-01-02T09:54:59.999999Z")

    before = "2025-01-02T10:00:00Z"
    cases.check_claim(held(), ANN, "t-1", now=before)  # but by its token, while nobody took it
    taken = cases.claim(held(), BEN, token="t-2", now=before, until="2025-01-02T10:05:00Z")

    with pytest.raises(ClaimedByAnother):
        cases.check_claim(taken, ANN, "t-1", now=before)


def test_another_claims_only_what_ran_out() -> None:
    """Before its end the case is another's, after it anybody's."""
    with pytest.raises(ClaimedByAnother):
        cases.claim(held(), BEN, token="t-2", now=at("10:04"), until=at("10:09"))

    taken = cases.claim(held(), BEN, token="t-2", now=at("10:05"), until=at("10:10"))

    assert (taken.claimed_by, taken.claim_token) == ("ben", "t-2")
    with pytest.raises(ClaimedByAnother):
        cases.check_claim(taken, ANN, "t-1", now=at("10:06"))


def test_claiming_again_keeps_the_token() -> None:
    """Whoever holds it holds it for longer."""
    again = cases.claim(held(), ANN, token="t-2", now=at("10:03"), until=at("10:08"))

    assert (again.claim_token, again.claim_until) == ("t-1", at("10:08"))


def test_only_a_manager_takes_over() -> None:
    """And only by saying so."""
    with pytest.raises(ManagerNeeded):
        cases.claim(held(), BEN, token="t-2", now=at("10:01"), until=at("10:06"), take_over=True)
    with pytest.raises(ClaimedByAnother):
        cases.claim(held(), EVA, token="t-2", now=at("10:01"), until=at("10:06"))

    taken = cases.claim(
        held(), EVA, token="t-2", now=at("10:01"), until=at("10:06"), take_over=True
    )

    assert taken.claimed_by == "eva"


def test_what_is_escalated_is_for_managers() -> None:
    """To claim, to decide with a token and without one."""
    escalated = CASE._replace(escalated=True)

    assert cases.state_of(escalated, at("10:00")) is CaseState.ESCALATED
    with pytest.raises(ManagerNeeded):
        cases.claim(escalated, ANN, token="t-1", now=at("10:00"), until=at("10:05"))
    with pytest.raises(ManagerNeeded):
        cases.check_free(escalated, ANN, now=at("10:00"))
    assert (
        cases.claim(escalated, EVA, token="t-1", now=at("10:00"), until=at("10:05")).claimed_by
        == "eva"
    )


def test_a_resolved_case_is_nobodys() -> None:
    """It can neither be claimed nor decided."""
    resolved = CASE._replace(state=CaseState.RESOLVED)

    with pytest.raises(CaseClosed):
        cases.claim(resolved, ANN, token="t-1", now=at("10:00"), until=at("10:05"))
    with pytest.raises(CaseClosed):
        cases.check_claim(resolved, ANN, "t-1", now=at("10:00"))


def test_a_decision_needs_the_token() -> None:
    """None is missing, another's or an old one is lost."""
    with pytest.raises(ClaimMissing):
        cases.check_claim(held(), ANN, None, now=at("10:01"))
    with pytest.raises(ClaimLost):
        cases.check_claim(held(), ANN, "t-0", now=at("10:01"))
    with pytest.raises(ClaimLost):
        cases.renew(cases.release(held()), ANN, "t-1", now=at("10:01"), until=at("10:06"))
