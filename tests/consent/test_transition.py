"""Which event may follow which: every refusal with its code, everything else let through."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent.choice import Basis, Decision, EventType, Method, Origin
from consent.errors import EventRefused
from consent.projection import Asked, PurposeStanding, Standing, apply
from consent.transition import (
    OWN_INITIATIVE,
    SUPPORTED,
    check_asked,
    check_clock,
    check_form,
    check_purposes,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GIVEN = (("ads", Decision.GIVEN),)
REFUSED = (("ads", Decision.REFUSED),)
BOTH = (("ads", Decision.GIVEN), ("statistics", Decision.REFUSED))
NOT_ASKED = (("ads", Decision.NOT_ASKED),)


def code(check: Any, *arguments: Any, **named: Any) -> str | None:  # noqa: ANN401
    """Return the code of the refusal, or None where there is none."""
    try:
        check(*arguments, **named)
    except EventRefused as refused:
        return refused.code
    return None


# -- form -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(set(EventType) - SUPPORTED))
def test_computed_and_imported_events_cannot_be_sent(kind: EventType) -> None:
    """Nobody may send what the service computes, or what comes with later releases."""
    assert code(check_form, kind, Method.SAVE, GIVEN) == "event_type_unsupported"


@pytest.mark.parametrize("method", list(Method))
def test_consent_needs_an_act(method: Method) -> None:
    """Given by four methods; scrolling and time-outs are good for nothing at all."""
    acts = {Method.ACCEPT_ALL, Method.SAVE, Method.TOGGLE, Method.FORM}
    never = {Method.SCROLL, Method.TIMEOUT}

    given = code(check_form, EventType.GIVEN, method, GIVEN)
    refused = code(check_form, EventType.REFUSED, method, REFUSED)
    withdrawn = code(check_form, EventType.WITHDRAWN, method, REFUSED)
    requested = code(check_form, EventType.REQUESTED, method, ())

    assert given == (None if method in acts else "method_is_no_act")
    expected = "method_is_no_act" if method in never else None
    assert (refused, withdrawn, requested) == (expected,) * 3


DECISIONS = {"none": (), "given": GIVEN, "refused": REFUSED, "both": BOTH, "not asked": NOT_ASKED}
FITTING = {
    EventType.REQUESTED: {"none"},
    EventType.GIVEN: {"given", "both"},
    EventType.REFUSED: {"refused"},
    EventType.WITHDRAWN: {"refused"},
}


@pytest.mark.parametrize("kind", sorted(SUPPORTED))
@pytest.mark.parametrize("decided", list(DECISIONS))
def test_decisions_say_what_the_event_says(kind: EventType, decided: str) -> None:
    """Every combination of type and decisions: those that fit, and all others refused."""
    found = code(check_form, kind, Method.SAVE, DECISIONS[decided])

    assert found == (None if decided in FITTING[kind] else "decisions_inconsistent")


def test_a_refusal_may_leave_purposes_unasked() -> None:
    """Not every purpose of a notice has to be on the layer that was answered."""
    decided = (*REFUSED, ("statistics", Decision.NOT_ASKED))

    assert code(check_form, EventType.REFUSED, Method.SAVE, decided) is None
    assert code(check_form, EventType.WITHDRAWN, Method.SAVE, decided) == "decisions_inconsistent"


def test_a_purpose_is_decided_once() -> None:
    """Twice is refused, whether the two agree or not."""
    for second in (Decision.GIVEN, Decision.REFUSED):
        decided = (("ads", Decision.GIVEN), ("ads", second))

        assert code(check_form, EventType.GIVEN, Method.SAVE, decided) == "decisions_inconsistent"


# -- clock and purposes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (timedelta(minutes=5), None),
        (timedelta(minutes=5, microseconds=1), "occurred_in_future"),
        (timedelta(0), None),
        (timedelta(days=-30), None),
        (timedelta(days=-30, microseconds=-1), "occurred_too_long_ago"),
    ],
)
def test_acts_lie_where_clocks_and_queues_can_put_them(
    offset: timedelta, expected: str | None
) -> None:
    """Up to 5 minutes ahead and 30 days behind, to the microsecond."""
    assert code(check_clock, NOW + offset, NOW) == expected


def test_an_event_need_not_say_when() -> None:
    """Without `occurred_at` there is nothing to check."""
    assert code(check_clock, None, NOW) is None


def test_only_purposes_of_the_notice_are_decided() -> None:
    """One that is not in it spoils the event, and is not named back."""
    purposes = {"ads": Basis.CONSENT}

    assert code(check_purposes, GIVEN, purposes) is None
    assert code(check_purposes, BOTH, purposes) == "purpose_not_in_notice"
    with pytest.raises(EventRefused) as caught:
        check_purposes((("canary", Decision.GIVEN),), purposes)
    assert "canary" not in str(caught.value)


# -- asked ------------------------------------------------------------------------------------


def after(*kinds: str, version: int = 1) -> Standing:
    """Return the standing after events about `ads` under one notice."""
    standing = Standing()
    for index, kind in enumerate(kinds):
        decision = {"given": "given", "refused": "refused", "withdrawn": "refused"}.get(kind)
        event = {
            "event_type": kind,
            "record_id": f"r-{index}",
            "received_at": f"2026-01-01T00:00:{index:02}Z",
            "notice": {"notice_id": "main", "version": version, "material_sha256": "m"},
            "decisions": [{"purpose_id": "ads", "decision": decision}] if decision else [],
        }
        standing = apply(standing, event, index)
    return standing


def asked(standing: Standing, kind: EventType, **more: Any) -> str | None:  # noqa: ANN401
    """Check an answer from the banner to version 1 of the notice."""
    arguments = {
        "notice_id": "main",
        "version": 1,
        "decisions": GIVEN if kind is EventType.GIVEN else REFUSED,
        "origin": Origin.BANNER,
        "served_id": None,
        "occurred": None,
        **more,
    }
    return code(check_asked, standing, event_type=kind, **arguments)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((), "not_asked"),
        (("requested",), None),
        (("requested", "given"), None),
        (("requested", "refused"), "not_asked"),
        (("requested", "withdrawn"), "not_asked"),
        (("withdrawn", "requested"), None),
        (("requested", "refused", "requested"), None),
        (("requested", "given", "withdrawn"), "not_asked"),
        (("requested", "given", "withdrawn", "requested"), None),
        (("refused",), "not_asked"),
    ],
)
def test_a_given_answers_a_question_newer_than_the_last_no(
    history: tuple[str, ...], expected: str | None
) -> None:
    """In the banner there must be one; nothing but a question opens the way again."""
    assert asked(after(*history), EventType.GIVEN) == expected


@pytest.mark.parametrize("origin", list(Origin))
def test_who_came_by_themselves_needs_no_new_question(origin: Origin) -> None:
    """In preferences, account page and in context a mind may change; an older question must be."""
    standing = after("requested", "refused")

    again = asked(standing, EventType.GIVEN, origin=origin)
    never = asked(Standing(), EventType.GIVEN, origin=origin)

    assert again == (None if origin in OWN_INITIATIVE else "not_asked")
    assert never == "not_asked"


def test_another_version_was_not_asked_about() -> None:
    """A question about one version is no question about another, or about another notice."""
    standing = after("requested")

    assert asked(standing, EventType.GIVEN, version=2) == "not_asked"
    assert asked(standing, EventType.GIVEN, notice_id="other") == "not_asked"


def test_a_no_to_one_purpose_leaves_the_others_open() -> None:
    """What was refused is not asked again by the same question; what was not, may be given."""
    standing = after("requested", "refused")

    statistics = (("statistics", Decision.GIVEN), ("ads", Decision.REFUSED))
    assert asked(standing, EventType.GIVEN, decisions=statistics) is None


@pytest.mark.parametrize(
    ("served", "expected"), [("r-0", "served_unknown"), ("r-1", None), ("r-9", "served_unknown")]
)
def test_a_served_id_names_the_newest_question(served: str, expected: str | None) -> None:
    """An older request, or one that was never made, is refused for given and refused alike."""
    standing = after("requested", "requested")

    assert asked(standing, EventType.GIVEN, served_id=served) == expected
    assert asked(standing, EventType.REFUSED, served_id=served) == expected


def test_a_no_needs_no_question() -> None:
    """Refusing and withdrawing are always possible; so is asking."""
    for kind in (EventType.REFUSED, EventType.WITHDRAWN, EventType.REQUESTED):
        for history in ((), ("requested",), ("requested", "given"), ("refused",)):
            assert asked(after(*history), kind) is None


def test_a_late_given_is_let_through() -> None:
    """What happened before the no and comes after it is recorded; the projection ignores it."""
    standing = Standing(
        {
            "ads": PurposeStanding(
                "withdrawn", "r-2", 2, "2026-01-01T00:01:00Z", refused_at="2026-01-01T00:01:00Z"
            )
        },
        {"main": Asked(1, "r-1", 1)},
    )

    assert asked(standing, EventType.GIVEN, occurred="2026-01-01T00:00:30Z") is None
    assert asked(standing, EventType.GIVEN, occurred="2026-01-01T00:02:00Z") == "not_asked"
