"""Which event may follow which: every refusal with its code, everything else let through."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consent.choices.choice import (
    ACTS,
    ENDING,
    GIVING,
    Actor,
    Basis,
    Decision,
    EventType,
    Method,
    Origin,
)
from consent.choices.projection import Asked, PurposeStanding, Standing, apply
from consent.choices.record import parse_instant
from consent.choices.setting import Setting
from consent.choices.transition import (
    OWN_INITIATIVE,
    RULES,
    Question,
    Told,
    believable,
    check_asked,
    check_clock,
    check_form,
    check_may_ask,
    check_published,
    check_purposes,
    named_question,
)
from consent.errors import EventRefused

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


def told(kind: EventType, decisions: Any = (), **more: Any) -> Told:  # noqa: ANN401
    """Tell of an event in the banner, by a method that suits its type."""
    method = min(RULES[kind].methods) if kind in RULES else Method.SAVE
    return Told(
        **{
            "event_type": kind,
            "method": method,
            "origin": Origin.BANNER,
            "decisions": decisions,
            "received": NOW,
            **more,
        }
    )


# -- form -------------------------------------------------------------------------------------


UNSENT = {
    EventType.EXPIRED,
    EventType.SUPERSEDED,
    EventType.IMPORTED,
    EventType.RESTRICTED,
    EventType.ERASED,
    EventType.CONTINUED,
}


@pytest.mark.parametrize("kind", sorted(EventType))
def test_what_is_computed_or_the_services_own_cannot_be_sent(kind: EventType) -> None:
    """Every type has a rule, but for those that nobody sends."""
    expected = None if kind in RULES else "event_type_unsupported"

    assert code(check_form, told(kind, FITTING.get(kind, ()))) == expected
    assert set(RULES).isdisjoint(UNSENT)


FITTING = {
    **dict.fromkeys(GIVING, GIVEN),
    **dict.fromkeys(ENDING, REFUSED),
}
BY_SUBJECT = {Actor.DATA_SUBJECT, Actor.GUARDIAN}
METHODS = {
    EventType.REQUESTED: set(Method) - {Method.SCROLL, Method.TIMEOUT, Method.IMPORT},
    EventType.DEFERRED: {Method.CLOSE},
    **{key: {Method.ACCEPT_ALL, Method.SAVE, Method.TOGGLE, Method.FORM} for key in GIVING},
    **dict.fromkeys(
        ENDING, set(Method) - {Method.SCROLL, Method.TIMEOUT, Method.IMPORT, Method.ACCEPT_ALL}
    ),
    **{
        key: {Method.ADMIN, Method.AUTHORITY, Method.API}
        for key in (EventType.REVOKED, EventType.INVALIDATED)
    },
    **dict.fromkeys(
        (EventType.ACKNOWLEDGED, EventType.LINKED),
        set(Method) - {Method.SCROLL, Method.TIMEOUT, Method.IMPORT},
    ),
}


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("kind", sorted(RULES))
def test_an_event_comes_about_by_what_can_bring_it_about(kind: EventType, method: Method) -> None:
    """Yes needs an act, no needs anything but the yes button; scrolling is good for nothing."""
    found = code(check_form, told(kind, FITTING.get(kind, ()), method=method, gpc=True))

    assert found == (None if method in METHODS[kind] else "method_is_no_act")


ACTORS = {
    EventType.REQUESTED: {Actor.CONTROLLER},
    EventType.REVOKED: {Actor.CONTROLLER, Actor.AUTHORITY},
    EventType.INVALIDATED: {Actor.CONTROLLER, Actor.AUTHORITY},
    **{
        key: {*BY_SUBJECT, Actor.CONTROLLER}
        for key in (EventType.WITHDRAWN, EventType.OPTED_OUT, EventType.OBJECTED, EventType.LINKED)
    },
}


@pytest.mark.parametrize("actor", list(Actor))
@pytest.mark.parametrize("kind", sorted(RULES))
def test_an_event_comes_from_who_can_bring_it_about(kind: EventType, actor: Actor) -> None:
    """Nobody gives consent for another; only operator or authority revoke."""
    found = code(check_form, told(kind, FITTING.get(kind, ()), actor=actor))

    assert found == (None if actor in ACTORS.get(kind, BY_SUBJECT) else "actor_refused")


DECISIONS = {"none": (), "given": GIVEN, "refused": REFUSED, "both": BOTH, "not asked": NOT_ASKED}


@pytest.mark.parametrize("kind", sorted(RULES))
@pytest.mark.parametrize("decided", list(DECISIONS))
def test_decisions_say_what_the_event_says(kind: EventType, decided: str) -> None:
    """Every combination of type and decisions: those that fit, and all others refused."""
    fitting = {"none"}
    if kind in GIVING:
        fitting = {"given", "both"}
    elif kind in ENDING:
        fitting = {"refused"}

    found = code(check_form, told(kind, DECISIONS[decided]))

    assert found == (None if decided in fitting else "decisions_inconsistent")


def test_a_refusal_may_leave_purposes_unasked() -> None:
    """Not every purpose of a notice has to be on the layer that was answered."""
    decided = (*REFUSED, ("statistics", Decision.NOT_ASKED))

    assert code(check_form, told(EventType.REFUSED, decided)) is None
    assert code(check_form, told(EventType.WITHDRAWN, decided)) == "decisions_inconsistent"


def test_a_purpose_is_decided_once() -> None:
    """Twice is refused, whether the two agree or not."""
    for second in (Decision.GIVEN, Decision.REFUSED):
        decided = (("ads", Decision.GIVEN), ("ads", second))

        assert code(check_form, told(EventType.GIVEN, decided)) == "decisions_inconsistent"


def test_only_consent_is_explicit() -> None:
    """`explicit` beside a refusal says nothing."""
    assert code(check_form, told(EventType.GIVEN, GIVEN, explicit=True)) is None
    found = code(check_form, told(EventType.REFUSED, REFUSED, explicit=True))
    assert found == "decisions_inconsistent"


def test_a_signal_that_decides_has_to_be_seen() -> None:
    """Method `gpc` needs the signal, and may leave the purposes to the service."""
    by_signal = {"method": Method.GPC, "gpc": True}

    assert code(check_form, told(EventType.OPTED_OUT, REFUSED, **by_signal)) is None
    assert code(check_form, told(EventType.OPTED_OUT, (), **by_signal)) is None
    blind = told(EventType.OPTED_OUT, REFUSED, method=Method.GPC)
    assert code(check_form, blind) == "signal_missing"


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
    assert code(check_clock, told(EventType.GIVEN, GIVEN, occurred=NOW + offset)) == expected


def test_an_event_need_not_say_when() -> None:
    """Without `occurred_at` there is nothing to check."""
    assert code(check_clock, told(EventType.GIVEN, GIVEN)) is None


@pytest.mark.parametrize("kind", sorted(RULES))
def test_a_no_fails_by_no_clock(kind: EventType) -> None:
    """It happened when it came where it cannot have happened when it says; nothing else is bent."""
    reach, second = (-timedelta(days=30), timedelta(minutes=5)), timedelta(seconds=1)
    within = [told(kind, occurred=NOW + span, reprompt_not_before=NOW + second) for span in reach]
    beyond = [
        told(kind, occurred=NOW + span, reprompt_not_before=NOW)
        for span in (reach[0] - second, reach[1] + second)
    ]

    assert [believable(one) for one in within] == within
    assert [believable(one) for one in beyond] == ([told(kind)] * 2 if kind in ENDING else beyond)


@pytest.mark.parametrize("kind", sorted(RULES))
def test_validity_is_of_a_yes_and_patience_of_a_no(kind: EventType) -> None:
    """Both lie ahead, and stand only where they mean something."""
    ahead, past = NOW + timedelta(days=1), NOW
    wrong = "validity_inconsistent"

    assert code(check_clock, told(kind, valid_until=ahead)) == (None if kind in GIVING else wrong)
    assert code(check_clock, told(kind, valid_until=past)) == wrong
    found = code(check_clock, told(kind, reprompt_not_before=ahead))
    assert found == (None if kind in ENDING else wrong)
    assert code(check_clock, told(kind, reprompt_not_before=past)) == wrong


def test_only_purposes_of_the_notice_are_decided() -> None:
    """One that is not in it spoils the event, and is not named back; a no may name any."""
    purposes = {"ads": Basis.CONSENT}

    assert code(check_purposes, told(EventType.GIVEN, GIVEN), purposes) is None
    assert code(check_purposes, told(EventType.GIVEN, BOTH), purposes) == "purpose_not_in_notice"
    both = tuple((purpose, Decision.REFUSED) for purpose, _ in BOTH)
    for kind in ENDING:
        assert code(check_purposes, told(kind, both), purposes) is None
    with pytest.raises(EventRefused) as caught:
        check_purposes(told(EventType.GIVEN, (("canary", Decision.GIVEN),)), purposes)
    assert "canary" not in str(caught.value)


# -- asked ------------------------------------------------------------------------------------


def after(*kinds: str, version: int = 1) -> Standing:
    """Return the standing after events about `ads` under one notice."""
    standing = Standing()
    for index, kind in enumerate(kinds):
        decision = "given" if kind == "given" else "refused" if kind in ENDING else None
        event = {
            "event_type": kind,
            "record_id": f"r-{index}",
            "received_at": f"2026-01-01T00:00:{index:02}Z",
            "notice": {"notice_id": "main", "version": version, "material_sha256": "m"},
            "decisions": [{"purpose_id": "ads", "decision": decision}] if decision else [],
        }
        standing = apply(standing, event, index)
    return standing


MATERIAL = "m"
PURPOSES = {"ads": Basis.CONSENT, "statistics": Basis.CONSENT}


patience = Setting(ask_again_months=12).patience
"""Every no rests for a year."""


def ended(before: PurposeStanding) -> str:  # noqa: ARG001 - every no is past its time
    """Wait for nothing."""
    return ""


def question(**more: Any) -> Question:  # noqa: ANN401
    """Ask with version 1 of the notice."""
    return Question(
        **{
            "notice_id": "main",
            "version": 1,
            "material_sha256": MATERIAL,
            "purposes": PURPOSES,
            **more,
        }
    )


def asked(standing: Standing, kind: EventType, **more: Any) -> str | None:  # noqa: ANN401
    """Check an answer from the banner to version 1 of the notice."""
    put = {name: more.pop(name) for name in Question._fields if name in more}
    decisions = more.pop("decisions", FITTING.get(kind, ()))
    wait = more.pop("patience", patience)
    return code(check_asked, standing, told(kind, decisions, **more), question(**put), wait)


def may_ask(standing: Standing, origin: Origin = Origin.BANNER, **put: Any) -> str | None:  # noqa: ANN401
    """Check whether the question may be put."""
    request = told(EventType.REQUESTED, origin=origin)
    return code(check_may_ask, standing, request, question(**put), patience)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ((), "not_asked"),
        (("requested",), None),
        (("requested", "given"), None),
        (("requested", "refused"), "not_asked"),
        (("requested", "withdrawn"), "not_asked"),
        (("withdrawn", "requested"), "asked_too_soon"),
        (("requested", "refused", "requested"), "asked_too_soon"),
        (("requested", "given", "withdrawn"), "not_asked"),
        (("requested", "given", "withdrawn", "requested"), "asked_too_soon"),
        (("refused",), "not_asked"),
    ],
)
def test_a_given_answers_a_question_newer_than_the_last_no(
    history: tuple[str, ...], expected: str | None
) -> None:
    """In the banner there must be one, and none opens the way before its time."""
    once = expected if expected != "asked_too_soon" else None

    assert asked(after(*history), EventType.GIVEN) == expected
    assert asked(after(*history), EventType.GIVEN, patience=ended) == once


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
    """An older request, or one that was never made, is refused; a no is recorded without it."""
    standing = after("requested", "requested")

    def named(kind: EventType) -> str | None:
        return named_question(standing, told(kind, FITTING.get(kind, ())), question(), served)

    assert code(named, EventType.GIVEN) == expected
    assert code(named, EventType.ACKNOWLEDGED) == expected
    for kind in (EventType.REFUSED, EventType.WITHDRAWN):
        assert named(kind) == (served if expected is None else None)


def test_a_question_about_another_version_is_not_named() -> None:
    """The newest request may have shown an earlier version than the one that is answered."""
    standing = after("requested")

    def named(kind: EventType) -> str | None:
        answer = told(kind, FITTING.get(kind, ()))
        return named_question(standing, answer, question(version=2), "r-0")

    assert code(named, EventType.GIVEN) == "served_unknown"
    assert named(EventType.REFUSED) is None


def test_without_a_notice_no_question_is_named() -> None:
    """Whatever stands there is no record of ours, and is not kept."""
    link, no = told(EventType.LINKED), told(EventType.WITHDRAWN, REFUSED)

    assert code(named_question, Standing(), link, None, "r-1") == "served_unknown"
    assert named_question(Standing(), no, None, "r-1") is None


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

    early, tied, late = (
        parse_instant(f"2026-01-01T00:{at}Z") for at in ("00:30", "01:00", "02:00")
    )
    assert asked(standing, EventType.GIVEN, occurred=early) is None
    assert asked(standing, EventType.GIVEN, occurred=tied) is None
    assert asked(standing, EventType.GIVEN, occurred=late) == "not_asked"


# -- what follows what ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(GIVING))
def test_every_yes_answers_a_question(kind: EventType) -> None:
    """Renewing and opting in are no different from giving."""
    renewed = kind is EventType.RENEWED

    assert asked(Standing(), kind) == "not_asked"
    assert asked(after("requested"), kind) == ("nothing_to_renew" if renewed else None)
    assert asked(after("requested", "given"), kind) is None


def test_what_is_renewed_may_come_with_what_is_new() -> None:
    """One purpose that was given before is enough."""
    both = (("ads", Decision.GIVEN), ("statistics", Decision.GIVEN))

    assert asked(after("requested", "given"), EventType.RENEWED, decisions=both) is None


def test_who_was_not_asked_cannot_put_off_the_answer() -> None:
    """Closing the banner follows its being shown."""
    assert asked(Standing(), EventType.DEFERRED) == "not_asked"
    assert asked(after("requested"), EventType.DEFERRED) is None


@pytest.mark.parametrize("kind", sorted(ENDING | {EventType.ACKNOWLEDGED, EventType.LINKED}))
def test_whatever_takes_away_follows_anything(kind: EventType) -> None:
    """A no is recorded whatever came before it."""
    for history in ((), ("requested",), ("requested", "given"), ("refused",), ("withdrawn",)):
        assert asked(after(*history), kind) is None


def lapsed(*, asked_at: int) -> Standing:
    """Return a standing whose consent ended by itself the day before."""
    given = PurposeStanding(
        "given", "r-1", 1, "2026-01-01T00:00:00Z", "main", 1, MATERIAL, "2026-01-30T12:00:00Z"
    )
    return Standing({"ads": given}, {"main": Asked(1, "r-0", asked_at)})


def test_what_expired_needs_a_new_question() -> None:
    """The question that was answered once is not answered again after the consent ended."""
    for kind in (EventType.GIVEN, EventType.RENEWED):
        assert asked(lapsed(asked_at=0), kind) == "not_asked"
        assert asked(lapsed(asked_at=2), kind) is None
        assert asked(lapsed(asked_at=0), kind, origin=Origin.PREFERENCES) is None


NO = ("requested", "refused")


def test_a_no_is_left_in_peace() -> None:
    """A banner waits; the preferences do not, nor a notice whose substance changed."""
    assert may_ask(after(*NO), purposes={"ads": Basis.CONSENT}) == "asked_too_soon"
    for origin in OWN_INITIATIVE:
        assert may_ask(after(*NO), origin, purposes={"ads": Basis.CONSENT}) is None
    changed = {"material_sha256": "other", "purposes": {"ads": Basis.CONSENT}}
    assert may_ask(after(*NO), **changed) is None


def test_a_question_about_the_rest_opens_no_no() -> None:
    """It may be put while a purpose is open; a yes to it counts for that one alone."""
    both = (("ads", Decision.GIVEN), ("statistics", Decision.GIVEN))
    rest = (("ads", Decision.REFUSED), ("statistics", Decision.GIVEN))
    for no in ("refused", "objected", "opted_out"):
        standing = after("requested", no, "requested")

        assert may_ask(after("requested", no)) is None
        assert asked(standing, EventType.GIVEN, decisions=both) == "asked_too_soon"
        assert asked(standing, EventType.GIVEN, decisions=rest) is None
        for origin in OWN_INITIATIVE:
            assert asked(standing, EventType.GIVEN, decisions=both, origin=origin) is None


def test_a_yes_that_a_link_has_left_to_nobody_is_open() -> None:
    """Though a no about the rest of the notice waits: standing says that it may be asked about."""
    no = after(*NO).purposes["ads"]
    nobody = no._replace(state="given", refused_at=None, vendors=[])
    both = {"ads": Basis.CONSENT, "statistics": Basis.CONSENT}
    narrow = Standing({"ads": no, "statistics": nobody._replace(vendors=["A"])})

    assert may_ask(Standing({"ads": no, "statistics": nobody}), purposes=both) is None
    assert may_ask(narrow, purposes=both) == "asked_too_soon"


def test_a_new_substance_shortens_no_opt_out() -> None:
    """California knows no exception from its twelve months."""
    no = PurposeStanding("opted_out", "r-1", 1, "2026-01-01T00:00:00Z", "main", 1, "other")
    standing = Standing({"ads": no})
    since = parse_instant("2026-01-30T00:00:00Z")

    assert may_ask(standing, purposes={"ads": Basis.CONSENT}) == "asked_too_soon"
    assert asked(standing, EventType.GIVEN, served_at=since) == "asked_too_soon"


def test_what_is_necessary_does_not_wait() -> None:
    """Whoever rejected all is not kept from accepting all about what is open."""
    purposes = {"ads": Basis.STRICTLY_NECESSARY, "statistics": Basis.CONSENT}
    both = (("ads", Decision.GIVEN), ("statistics", Decision.GIVEN))
    standing = after("requested", "refused", "requested")

    assert asked(standing, EventType.GIVEN, decisions=both, purposes=purposes) is None


def test_a_yes_follows_its_question() -> None:
    """By what both say of when they were, whatever came when; clocks may differ by 5 minutes."""
    put = parse_instant("2026-01-20T00:00:00Z")
    standing = Standing(asked={"main": Asked(1, "r-0", 0, "2026-01-20T00:00:00Z")})
    skewed, before = put - timedelta(minutes=5), put - timedelta(minutes=5, seconds=1)

    for origin in (Origin.BANNER, Origin.PREFERENCES):
        for shown, more in ((standing, {}), (Standing(), {"served_at": put})):
            more |= {"origin": origin}
            assert asked(shown, EventType.GIVEN, occurred=put, **more) is None
            assert asked(shown, EventType.GIVEN, occurred=skewed, **more) is None
            assert asked(shown, EventType.GIVEN, occurred=before, **more) == "not_asked"
    earlier = {"served_at": put - timedelta(days=1)}
    assert asked(standing, EventType.GIVEN, occurred=before, **earlier) is None


def test_a_question_put_again_is_still_the_first() -> None:
    """A yes to the first that comes after the second is one; after a no it is another question."""
    first, again = (
        {
            "event_type": "requested",
            "record_id": f"r-{day}",
            "occurred_at": f"2026-01-{day}T00:00:00Z",
            "received_at": "2026-01-31T00:00:00Z",
            "notice": {"notice_id": "main", "version": 1, "material_sha256": "m"},
        }
        for day in ("10", "20")
    )
    no = {
        "event_type": "refused",
        "record_id": "r-no",
        "received_at": "2026-01-15T00:00:00Z",
        "decisions": [{"purpose_id": "ads", "decision": "refused"}],
    }
    answered = parse_instant("2026-01-16T00:00:00Z")
    twice = apply(apply(Standing(), first, 0), again, 1)
    after_no = apply(apply(apply(Standing(), first, 0), no, 1), again, 2)

    assert asked(twice, EventType.GIVEN, occurred=answered) is None
    assert asked(after_no, EventType.GIVEN, occurred=answered, patience=ended) == "not_asked"
    queued = parse_instant("2026-01-14T00:00:00Z")
    assert asked(after_no, EventType.GIVEN, occurred=queued) is None


def test_nobody_answers_a_notice_before_it_is_there() -> None:
    """Nor is asked with it; a no is recorded anyhow."""
    there = "2026-01-31T00:00:00Z"
    skewed, before = (parse_instant(f"2026-01-30T23:5{rest}Z") for rest in ("5:00", "4:59"))

    for kind in (EventType.REQUESTED, EventType.GIVEN, EventType.DEFERRED):
        assert code(check_published, told(kind, occurred=skewed), there) is None
        assert code(check_published, told(kind, occurred=before), there) == "occurred_too_long_ago"
        assert code(check_published, told(kind), there) is None
    for kind in (EventType.REFUSED, EventType.WITHDRAWN, EventType.LINKED):
        assert code(check_published, told(kind, occurred=before), there) is None


def test_a_notice_of_a_clock_that_was_ahead_is_answered() -> None:
    """It is there, whatever it says of when it came: or no yes would be recorded until then."""
    moment = told(EventType.GIVEN, occurred=parse_instant("2026-01-30T00:00:00Z"))

    assert code(check_published, moment, "2027-01-30T00:00:00Z") is None


def test_two_notices_do_not_take_turns_to_ask() -> None:
    """Another notice about the same purpose is no change of the one that was answered."""
    other = {"notice_id": "other", "material_sha256": "o", "purposes": {"ads": Basis.CONSENT}}
    since = parse_instant("2026-01-30T00:00:00Z")

    assert may_ask(after(*NO), **other) == "asked_too_soon"
    assert asked(after(*NO), EventType.GIVEN, served_at=since, **other) == "asked_too_soon"


def test_a_token_is_not_answered_again_after_its_yes_lapsed() -> None:
    """However long before the token the last no was."""
    once = lapsed(asked_at=0)
    given = once.purposes["ads"]._replace(refused_at="2020-01-01T00:00:00Z")
    standing = Standing({"ads": given}, once.asked)

    assert asked(standing, EventType.GIVEN, served_at=parse_instant(given.occurred_at)) == (
        "not_asked"
    )


def test_somebody_with_an_open_question_may_be_asked() -> None:
    """Who was never asked about one of the purposes, or whose consent ended, may be asked."""
    assert may_ask(Standing()) is None
    assert may_ask(after(*NO), purposes=PURPOSES) is None
    assert may_ask(lapsed(asked_at=0), purposes={"ads": Basis.CONSENT}) is None
    assert may_ask(after("requested", "given"), purposes={"ads": Basis.CONSENT}) is None


def test_what_needs_no_answer_is_no_open_question() -> None:
    """A purpose that runs without anybody's consent does not let the banner ask again."""
    needed = {"ads": Basis.CONSENT, "login": Basis.STRICTLY_NECESSARY}

    assert may_ask(after(*NO), purposes=needed) == "asked_too_soon"


def test_patience_ends() -> None:
    """After the time that the site set, the banner may ask again."""
    old = Standing(
        {"ads": PurposeStanding("refused", "r-1", 1, "2025-01-31T12:00:00Z", "main", 1, MATERIAL)}
    )

    assert may_ask(old, purposes={"ads": Basis.CONSENT}) is None


@pytest.mark.parametrize("state", ["objected", "revoked"])
def test_nobody_asks_about_a_final_no_again(state: str) -> None:
    """Not after any time nor about another substance; who decides by themselves may say yes."""
    no = PurposeStanding(state, "r-1", 1, "2020-01-31T12:00:00Z", "main", 1, "other")
    old = Standing({"ads": no._replace(ask_after="2020-02-01T00:00:00Z")})
    since = parse_instant("2026-01-30T00:00:00Z")
    own = {"served_at": since, "origin": Origin.PREFERENCES}

    assert may_ask(old, purposes={"ads": Basis.CONSENT}) == "asked_too_soon"
    assert may_ask(old, purposes=PURPOSES) is None
    assert asked(old, EventType.GIVEN, served_at=since) == "asked_too_soon"
    assert asked(old, EventType.GIVEN, **own) is None


def test_a_served_token_is_a_question() -> None:
    """It stands in for a recorded request; not for one before the no, and not too soon after it."""
    before, since = parse_instant("2025-12-31T00:00:00Z"), parse_instant("2026-01-30T00:00:00Z")

    assert asked(Standing(), EventType.GIVEN, served_at=since) is None
    assert asked(Standing(), EventType.DEFERRED, served_at=since) is None
    assert asked(after("refused"), EventType.GIVEN, served_at=before) == "not_asked"
    assert asked(after("refused"), EventType.GIVEN, served_at=since) == "asked_too_soon"
    changed = {"served_at": since, "material_sha256": "other"}
    assert asked(after("refused"), EventType.GIVEN, **changed) is None


def test_acts_are_what_consent_is_given_by() -> None:
    """The rule of every yes is the same four acts."""
    assert {RULES[kind].methods for kind in GIVING} == {ACTS}
