"""May I? Every reason, until when, and when to ask again, on both engines with a clock to set."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from consent_desk import PURPOSES, SITE, Desk
from late_answer import LateAnswer
from sqlalchemy import select

from aboveboard.installation import Databases
from consent.choices.choice import Actor, Basis, EventType, Method, Origin, Signals, SubjectKind
from consent.choices.notice import Controller, Notice, Purpose
from consent.choices.regime import Defaults, GpcPolicy, Regime, RegimeSource
from consent.choices.setting import Setting
from consent.errors import EventRefused
from consent.recording.recording import LINKS
from consent.recording.standing import Answer, StandingRead, Visitor, Why, together
from consent.tables import RECORD, SHOWN

CALIFORNIA = Visitor("US-CA")
GERMANY = Visitor("DE")
GPC = Signals(sec_gpc=True)
DAY = timedelta(days=1)


@pytest.fixture
def desk(databases: Databases) -> Desk:
    """Open the consent half with one published notice."""
    made = Desk(databases)
    made.publish()
    return made


def code(refused: Callable[[], object]) -> str:
    """Return the code of a refusal."""
    with pytest.raises(EventRefused) as caught:
        refused()
    return caught.value.code


# -- decided ----------------------------------------------------------------------------------


def test_consent_ends_when_it_says(desk: Desk) -> None:
    """At `valid_until`, to the second, it has expired, and the visitor may be asked."""
    desk.give("ads", valid_until=desk.now.replace(year=2027))
    (before,) = desk.ask("ads")
    desk.now = desk.now.replace(year=2027)
    (after,) = desk.ask("ads")

    assert (before.allowed, before.why, before.ask) == (True, Why.GIVEN, False)
    assert before.valid_until == "2027-01-31T12:00:00Z"
    assert (after.allowed, after.why, after.ask) == (False, Why.EXPIRED, True)


def test_a_site_can_say_how_long_consent_lasts(desk: Desk) -> None:
    """Six months from the last day of August end on the last of February."""
    desk.configure(valid_months=6)
    desk.now = desk.now.replace(month=8, day=31)
    desk.give("ads")

    (answer,) = desk.ask("ads")

    assert answer.valid_until == "2027-02-28T12:00:00Z"


def test_a_setting_that_changes_while_it_is_read_holds_at_once(desk: Desk) -> None:
    """Whoever asked before the change may be told what held then, and nobody after them."""

    async def change() -> None:
        await desk.configuring.put(SITE, Setting(regime=Regime.NOTICE_ONLY))
        standing.forget(SITE)

    async def ask_around_a_change() -> list[Answer]:
        subject = (SITE, SubjectKind.DEVICE, "d-1", ["ads"])
        return [*await standing.ask(*subject), *await standing.ask(*subject)]

    # The subject, the notices, then the setting.
    looking = LateAnswer(desk.database, change, at=3)
    standing = StandingRead(keyring=desk.keyring, looking=looking, clock=desk.clock)

    before, after = asyncio.run(ask_around_a_change())

    assert (before.regime, after.regime) == (Regime.EU_OPTIN, Regime.NOTICE_ONLY)


def test_what_expired_is_renewed_by_a_new_answer(desk: Desk) -> None:
    """The old question is not answered twice; a new one is."""
    desk.give("ads", valid_until=desk.now.replace(year=2027))
    desk.now = desk.now.replace(year=2028)
    again = {"kind": EventType.RENEWED, "decided": {"ads": "given"}}

    assert code(lambda: desk.record(**again)) == "not_asked"
    desk.record(EventType.REQUESTED)
    desk.record(**again)
    assert desk.ask("ads")[0].allowed


def test_a_changed_substance_asks_again_and_a_changed_text_does_not(desk: Desk) -> None:
    """Consent to other recipients is no consent to these."""
    desk.give("ads", "count")
    desk.publish(text="May we, please?")
    reworded = desk.ask("ads")[0]
    ads = Purpose("ads", "Ads", "Shows ads.", Basis.CONSENT, recipients=("Ad Ltd",))
    desk.publish([ads], text="May we, please?")
    changed = desk.ask("ads")[0]

    assert (reworded.allowed, reworded.ask) == (True, False)
    assert (changed.allowed, changed.why, changed.ask) == (False, Why.SUPERSEDED, True)
    old = {"kind": EventType.GIVEN, "decided": {"ads": "given"}, "version": 1}
    assert code(lambda: desk.record(**old, origin=Origin.PREFERENCES)) == "notice_superseded"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (EventType.REFUSED, Why.REFUSED),
        (EventType.WITHDRAWN, Why.WITHDRAWN),
        (EventType.OPTED_OUT, Why.OPTED_OUT),
        (EventType.OBJECTED, Why.OBJECTED),
        (EventType.REVOKED, Why.REVOKED),
        (EventType.INVALIDATED, Why.INVALIDATED),
    ],
)
def test_every_no_ends_what_was_given(desk: Desk, kind: EventType, why: Why) -> None:
    """Each under its own name; the other purpose stays."""
    desk.give("ads", "count")
    no = desk.record(kind, {"ads": "refused"})

    ads, count = desk.ask("ads", "count")

    assert (ads.allowed, ads.why, ads.record_id) == (False, why, no.record_id)
    assert count.allowed


def test_what_another_process_changed_is_noticed_within_a_second(
    desk: Desk, databases: Databases
) -> None:
    """Notices and settings are remembered that long; a subject's choices not at all."""
    elsewhere = Desk(databases)
    elsewhere.give("ads")
    first = desk.ask("ads")[0]
    changed = Purpose("ads", "Ads", "Shows ads.", Basis.CONSENT, recipients=("Ad Ltd",))
    elsewhere.publish([changed])
    desk.later(seconds=1)
    second = desk.ask("ads")[0]
    elsewhere.record(EventType.WITHDRAWN, {"ads": "refused"}, version=None)

    assert (first.why, second.why) == (Why.GIVEN, Why.SUPERSEDED)
    assert desk.ask("ads")[0].why is Why.WITHDRAWN


def test_consent_to_some_vendors_is_no_consent_to_the_others(desk: Desk) -> None:
    """Who asks for nobody in particular may serve nobody; the vendors are told."""
    desk.give("ads", vendors={"ads": ("755", "12")})

    whole = desk.ask("ads")[0]
    named = [desk.ask("ads", visitor=Visitor(vendor=vendor))[0] for vendor in ("12", "13")]

    assert (whole.allowed, whole.why, whole.ask) == (False, Why.OTHER_VENDORS, False)
    assert list(whole.vendor_ids or ()) == ["12", "755"]
    assert [(one.allowed, one.why) for one in named] == [
        (True, Why.GIVEN),
        (False, Why.OTHER_VENDORS),
    ]


def test_who_is_left_with_no_vendor_is_asked(desk: Desk) -> None:
    """Account and device each named another: neither may serve, and a new yes decides."""
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    desk.give("ads", vendors={"ads": ("12",)}, **account)
    desk.give("ads", vendors={"ads": ("755",)})
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, "d-1"), **account)
    left = [desk.ask("ads", visitor=Visitor(vendor=one), **account)[0] for one in ("12", "755")]
    desk.later(seconds=1)
    desk.give("ads", vendors={"ads": ("12",)}, **account)

    assert [(one.allowed, one.why, one.ask) for one in left] == [
        (False, Why.OTHER_VENDORS, True)
    ] * 2
    assert desk.ask("ads", visitor=Visitor(vendor="12"), **account)[0].allowed


def test_a_yes_from_before_another_widens_nothing(desk: Desk) -> None:
    """It is recorded, late, and the newer one stands: its vendors, its end."""
    desk.record(EventType.REQUESTED)
    early = desk.now
    desk.later(hours=1)
    until = desk.now + DAY
    yes = {"kind": EventType.GIVEN, "decided": {"ads": "given"}}
    desk.record(**yes, vendors={"ads": ("12",)}, valid_until=until)
    desk.later(hours=1)
    late = desk.record(**yes, occurred_at=early)
    found = [desk.ask("ads", visitor=Visitor(vendor=vendor))[0] for vendor in ("12", "13")]

    assert late.leaf_index == 2
    assert [one.allowed for one in found] == [True, False]
    assert found[0].valid_until == "2026-02-01T13:00:00Z"


# -- patience ---------------------------------------------------------------------------------


def test_a_no_is_left_in_peace_for_six_months(desk: Desk) -> None:
    """The banner waits and is told until when; then it may ask, and its question opens the way."""
    desk.refuse("ads", "count")
    refused = desk.ask("ads")[0]
    nagged = code(lambda: desk.record(EventType.REQUESTED))
    desk.now = desk.now.replace(month=7, day=31, hour=11)
    early = code(lambda: desk.record(EventType.REQUESTED))
    desk.later(hours=1)
    due = desk.ask("ads")[0]
    desk.give("ads")

    assert (refused.ask, refused.ask_after) == (False, "2026-07-31T12:00:00Z")
    assert (nagged, early) == ("asked_too_soon", "asked_too_soon")
    assert (due.ask, due.ask_after) == (True, None)
    assert desk.ask("ads")[0].allowed


def test_a_site_may_be_more_patient_and_so_may_an_event(desk: Desk) -> None:
    """The setting counts from the no; what the event says counts before it."""
    desk.configure(ask_again_months=13)
    desk.refuse("ads")
    desk.refuse("count", reprompt_not_before=desk.now.replace(year=2030))

    ads, count = desk.ask("ads", "count")

    assert (ads.ask_after, count.ask_after) == ("2027-02-28T12:00:00Z", "2030-01-31T12:00:00Z")


def test_no_event_has_an_opt_out_asked_about_sooner(desk: Desk) -> None:
    """Later it may; sooner than the law lets it, the setting alone."""
    for purpose, year in (("ads", 2026), ("count", 2030)):
        again = desk.now.replace(year=year, month=3, day=1)
        desk.record(EventType.OPTED_OUT, {purpose: "refused"}, reprompt_not_before=again)

    ads, count = desk.ask("ads", "count")

    assert (ads.ask_after, count.ask_after) == ("2027-01-31T12:00:00Z", "2030-03-01T12:00:00Z")


def test_a_new_substance_may_be_asked_about_at_once(desk: Desk) -> None:
    """What was refused is not what is asked now."""
    desk.refuse("ads", "count")
    ads = Purpose("ads", "Ads", "Shows ads.", Basis.CONSENT, recipients=("Ad Ltd",))
    version = desk.publish([ads])

    answer = desk.ask("ads")[0]
    desk.record(EventType.REQUESTED, version=version)

    assert (answer.why, answer.ask) == (Why.REFUSED, True)


def test_who_opted_out_is_not_asked_for_a_year(desk: Desk) -> None:
    """California's twelve months; by themselves they may opt in at any time."""
    desk.record(EventType.OPTED_OUT, {"ads": "refused"}, method=Method.LINK)
    desk.refuse("count")

    assert desk.ask("ads")[0].ask_after == "2027-01-31T12:00:00Z"
    yes = {"kind": EventType.OPTED_IN, "decided": {"ads": "given"}, "origin": Origin.PREFERENCES}
    assert code(lambda: desk.record(**yes)) == "not_asked"
    desk.record(EventType.REQUESTED, origin=Origin.PREFERENCES)
    desk.record(**yes)
    assert desk.ask("ads")[0].allowed


def test_a_new_substance_ends_no_opt_out_sooner(desk: Desk) -> None:
    """The twelve months stand whatever changes; who has only refused is asked."""
    desk.record(EventType.OPTED_OUT, {"ads": "refused"}, method=Method.LINK)
    desk.refuse("count")
    desk.publish([replace(each, recipients=("Ad Ltd",)) for each in PURPOSES])

    ads, count = desk.ask("ads", "count")

    assert (ads.ask, ads.ask_after) == (False, "2027-01-31T12:00:00Z")
    assert count.ask


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (EventType.OBJECTED, {}),
        (EventType.REVOKED, {"method": Method.AUTHORITY, "actor": Actor.AUTHORITY}),
        (EventType.REFUSED, {"method": Method.REJECT_ALL}),
    ],
)
def test_a_question_about_one_purpose_opens_no_other(
    desk: Desk, kind: EventType, more: dict[str, Any]
) -> None:
    """By a request or a token, a banner gets no yes to what waits; the preferences do."""
    desk.record(kind, {"ads": "refused"}, **more)
    desk.later(seconds=9)
    desk.record(EventType.REQUESTED)
    yes = {"kind": EventType.GIVEN, "decided": {"ads": "given", "count": "given"}}
    token = served(desk)

    assert code(lambda: desk.record(**yes, method=Method.ACCEPT_ALL)) == "asked_too_soon"
    assert code(lambda: desk.record(**yes, served=token, device="d-1")) == "asked_too_soon"
    assert not desk.ask("ads")[0].allowed
    desk.record(EventType.GIVEN, {"ads": "refused", "count": "given"})
    assert [each.allowed for each in desk.ask("ads", "count")] == [False, True]
    desk.record(**yes, origin=Origin.PREFERENCES)
    assert desk.ask("ads")[0].allowed


# -- when it happened -------------------------------------------------------------------------


def test_what_was_said_offline_may_come_late(desk: Desk) -> None:
    """Question and answer are held against each other by when they happened."""
    asked = desk.now
    desk.later(days=20)
    desk.record(EventType.REQUESTED, occurred_at=asked)
    desk.record(EventType.GIVEN, {"ads": "given"}, occurred_at=asked + timedelta(minutes=1))

    assert desk.ask("ads")[0].since == "2026-01-31T12:01:00Z"


def test_a_yes_from_before_its_question_is_none(desk: Desk) -> None:
    """Neither by a request nor by a token, nor from before the notice was there."""
    yes = {"kind": EventType.GIVEN, "decided": {"ads": "given"}}
    early = desk.now
    old = code(lambda: desk.record(**yes, served=served(desk), occurred_at=early - DAY))
    older = code(lambda: desk.record(EventType.REQUESTED, occurred_at=early - DAY))
    desk.later(days=20)
    desk.record(EventType.REQUESTED)
    refused = [
        code(lambda more=more: desk.record(**yes, occurred_at=early + DAY, **more))
        for more in (
            {},
            {"origin": Origin.PREFERENCES},
            {"device": "d-2", "served": served(desk)},
        )
    ]

    assert (old, older) == ("occurred_too_long_ago", "occurred_too_long_ago")
    assert refused == ["not_asked"] * 3
    assert not desk.ask("ads")[0].allowed


def test_what_comes_late_is_valid_no_longer_for_that(desk: Desk) -> None:
    """A site's months count from the act; from when it came where a clock is ahead."""
    desk.configure(valid_months=6)
    asked = desk.now
    desk.record(EventType.REQUESTED)
    desk.later(days=20)
    desk.record(EventType.GIVEN, {"ads": "given"}, occurred_at=asked)
    desk.record(EventType.GIVEN, {"count": "given"}, occurred_at=desk.now + timedelta(minutes=5))

    ads, count = desk.ask("ads", "count")

    assert ads.valid_until == "2026-07-31T12:00:00Z"
    assert count.valid_until == "2026-08-20T12:00:00Z"


# -- undecided: regimes -----------------------------------------------------------------------

LENIENT = {"legitimate_interest", "opt_out", "exempt_statistics"}
EVERY_BASIS = [Purpose(basis.value, basis.value, "Does it.", basis) for basis in Basis]


@pytest.mark.parametrize(
    ("visitor", "setting", "running"),
    [
        (Visitor(), {}, set()),
        (GERMANY, {}, set()),
        (Visitor("US-WY"), {}, set()),
        (Visitor("GB"), {}, {"exempt_statistics"}),
        (CALIFORNIA, {}, LENIENT),
        (GERMANY, {"regime": Regime.US_OPTOUT}, LENIENT),
        (CALIFORNIA, {"regime": Regime.EU_OPTIN}, set()),
        (GERMANY, {"regime": Regime.NOTICE_ONLY}, LENIENT),
        (GERMANY, {"regime": Regime.CUSTOM, "custom": Defaults(opt_out=True)}, {"opt_out"}),
    ],
)
def test_what_nobody_decided_follows_the_law(
    desk: Desk, visitor: Visitor, setting: dict[str, object], running: set[str]
) -> None:
    """By basis and place; what needs consent never runs without, what is necessary always."""
    desk.publish(EVERY_BASIS)
    desk.configure(**setting)
    desk.later(days=30)  # the United Kingdom's exemption for statistics began in February 2026

    found = {answer.purpose: answer for answer in desk.ask(*Basis, visitor=visitor)}

    allowed = {name for name, answer in found.items() if answer.allowed}
    assert allowed == running | {"strictly_necessary"}
    assert found["strictly_necessary"].why is Why.NECESSARY
    assert found["consent"].why is Why.NOT_ASKED
    assert {name for name, answer in found.items() if answer.ask} == set(Basis) - allowed


def test_a_purpose_of_no_notice_is_not_allowed(desk: Desk) -> None:
    """Nobody can have been told of it, wherever they are."""
    assert not desk.ask("unheard", visitor=CALIFORNIA)[0].allowed


def test_the_law_is_in_the_event(desk: Desk) -> None:
    """Which regime held, and how it was found."""
    desk.record(EventType.REQUESTED, jurisdiction="US-CA")
    edge = RegimeSource.EDGE_GEO
    second = desk.record(EventType.REQUESTED, jurisdiction="US-CA", jurisdiction_source=edge)
    third = desk.record(EventType.REQUESTED)

    assert b'"regime":"us_optout","regime_source":"edge_geo"' in second.event
    assert b'"regime":"eu_optin","regime_source":"fallback"' in third.event


# -- signals ----------------------------------------------------------------------------------

SHARED = [
    Purpose("sale", "Sale", "Sells data.", Basis.OPT_OUT),
    Purpose("ads", "Ads", "Shows ads.", Basis.CONSENT, advertising=True),
    Purpose("count", "Counting", "Counts visits.", Basis.LEGITIMATE_INTEREST),
]


def test_a_signal_opts_out_where_the_law_says_so(desk: Desk) -> None:
    """Undecided and in California: sale stops, counting goes on, and it can be shown."""
    desk.publish(SHARED)
    sale, count = desk.ask("sale", "count", visitor=CALIFORNIA._replace(gpc=True))

    assert (sale.allowed, sale.why, sale.signal, sale.ask) == (False, Why.SIGNAL, True, False)
    assert (count.allowed, count.signal) == (True, False)
    assert desk.ask("sale", visitor=CALIFORNIA)[0].allowed


def test_a_signal_is_recorded_as_an_opt_out(desk: Desk) -> None:
    """Purposes are filled in by the law; from then on it holds without the signal."""
    version = desk.publish(SHARED)
    desk.give("sale", "ads", version=version)
    made = desk.record(
        EventType.OPTED_OUT,
        method=Method.GPC,
        signals=GPC,
        jurisdiction="US-CA",
        version=version,
    )
    sale, ads, count = desk.ask("sale", "ads", "count", visitor=CALIFORNIA)

    assert b'"method":"gpc"' in made.event
    assert [(one.allowed, one.why, one.signal) for one in (sale, ads)] == [
        (False, Why.OPTED_OUT, True)
    ] * 2
    assert (count.allowed, count.why) == (True, Why.UNDECIDED)


def test_a_yes_in_sight_of_the_signal_overrules_it(desk: Desk) -> None:
    """One from before the signal does not, where the law makes the signal an opt-out."""
    version = desk.publish(SHARED)
    desk.give("ads", version=version)
    desk.give("sale", version=version, signals=GPC)
    seen = CALIFORNIA._replace(gpc=True)

    ads, sale = desk.ask("ads", "sale", visitor=seen)
    at_home = desk.ask("ads", visitor=GERMANY._replace(gpc=True))[0]

    assert (ads.allowed, ads.why) == (False, Why.SIGNAL)
    assert sale.allowed
    assert at_home.allowed


@pytest.mark.parametrize("kind", [EventType.REFUSED, EventType.OPTED_OUT])
@pytest.mark.parametrize(("place", "allowed"), [("US-CA", False), ("DE", True)])
def test_a_signal_on_record_does_what_it_does_in_a_question(
    desk: Desk, kind: EventType, place: str, *, allowed: bool
) -> None:
    """The law decides whether it ends a yes, not the word of the event."""
    version = desk.publish(SHARED)
    desk.give("ads", version=version)
    asked = desk.ask("ads", visitor=Visitor(place, gpc=True))[0]
    desk.record(kind, method=Method.GPC, signals=GPC, jurisdiction=place, version=version)

    assert asked.allowed == desk.ask("ads", visitor=Visitor(place))[0].allowed == allowed


@pytest.mark.parametrize("visitor", [CALIFORNIA, GERMANY])
def test_a_signal_is_honoured_whatever_was_said_before(desk: Desk, visitor: Visitor) -> None:
    """A yes that has lapsed asks nobody against it; a no, too, is shown to have been honoured."""
    version = desk.publish(SHARED)
    desk.give("ads", version=version, signals=GPC, valid_until=desk.now + timedelta(days=9))
    desk.refuse("sale", version=version)
    desk.later(days=10)
    seen = visitor._replace(gpc=True)

    ads, sale = desk.ask("ads", "sale", visitor=visitor)
    honoured = desk.ask("ads", "sale", visitor=seen)

    assert (ads.why, ads.ask, ads.signal) == (Why.EXPIRED, True, False)
    assert (sale.why, sale.signal) == (Why.REFUSED, False)
    assert [(each.allowed, each.why, each.ask, each.signal) for each in honoured] == [
        (False, Why.SIGNAL, False, True),
        (False, Why.REFUSED, False, True),
    ]


@pytest.mark.parametrize(
    ("policy", "ended"),
    [
        (GpcPolicy.REFUSE_ADVERTISING, {"ads", "sale"}),
        (GpcPolicy.REFUSE_ALL, {"ads", "sale", "count"}),
    ],
)
def test_elsewhere_the_site_says_what_a_signal_ends(
    desk: Desk, policy: GpcPolicy, ended: set[str]
) -> None:
    """By default advertising alone."""
    version = desk.publish(SHARED)
    desk.configure(gpc=policy)
    desk.record(EventType.REFUSED, method=Method.GPC, signals=GPC, version=version)

    found = desk.ask("sale", "ads", "count")

    assert {answer.purpose for answer in found if answer.why is Why.REFUSED} == ended


def test_a_signal_decides_only_where_something_ends(desk: Desk) -> None:
    """A question or an acknowledgement that comes with it decides nothing."""
    for kind in (EventType.REQUESTED, EventType.ACKNOWLEDGED):
        made = desk.record(kind, method=Method.GPC, signals=GPC, jurisdiction="US-CA")
        assert b'"decisions":[]' in made.event
    assert desk.ask("ads")[0].why is Why.NOT_ANSWERED


def test_a_signal_ends_by_the_marks_of_each_notice(desk: Desk) -> None:
    """What one notice marks as advertising says nothing of another that marks nothing."""
    sell = Purpose("sell", "Selling", "Sells data.", Basis.LEGITIMATE_INTEREST)
    notice = Notice("other", "en", "We sell.", Controller("Shop Ltd"), (sell,))
    asyncio.run(desk.publishing.publish(SITE, "shop.example", notice))

    here, gone = (desk.ask("sell", visitor=CALIFORNIA._replace(gpc=on))[0] for on in (False, True))

    assert (here.allowed, gone.allowed, gone.why) == (True, False, Why.SIGNAL)


def test_what_is_necessary_is_not_superseded(desk: Desk) -> None:
    """Accepted along with the rest, it goes on when the notice changes."""
    login = Purpose("login", "Login", "Keeps you in.", Basis.STRICTLY_NECESSARY)
    ads, count = PURPOSES
    version = desk.publish((ads, count, login))
    desk.give("ads", "login", version=version)
    desk.publish((replace(ads, recipients=("Ad Ltd",)), count, login))

    answers = desk.ask("ads", "login")

    assert [(each.allowed, each.why) for each in answers] == [
        (False, Why.SUPERSEDED),
        (True, Why.NECESSARY),
    ]


def test_what_is_necessary_is_not_for_some_vendors_alone(desk: Desk) -> None:
    """Who accepts it along with the rest, vendor by vendor, has no less than who refuses it."""
    login = Purpose("login", "Login", "Keeps you in.", Basis.STRICTLY_NECESSARY)
    version = desk.publish((*PURPOSES, login))
    vendors = {"ads": ("755",), "login": ("755",)}
    desk.give("ads", "login", version=version, vendors=vendors)

    answers = desk.ask("ads", "login")

    assert [(each.allowed, each.why) for each in answers] == [
        (False, Why.OTHER_VENDORS),
        (True, Why.NECESSARY),
    ]


def test_what_is_necessary_outlives_a_button_that_rejects_all(desk: Desk) -> None:
    """Refused along with the rest, it runs as before, and is in nobody's way."""
    login = Purpose("login", "Login", "Keeps you in.", Basis.STRICTLY_NECESSARY)
    version = desk.publish((*PURPOSES, login))
    desk.refuse("ads", "login", version=version, method=Method.REJECT_ALL)
    answers = desk.ask("ads", "login")
    desk.record(EventType.REQUESTED, version=version)
    desk.record(EventType.GIVEN, {"count": "given", "login": "given"}, version=version)

    assert [(each.allowed, each.why, each.ask) for each in answers] == [
        (False, Why.REFUSED, False),
        (True, Why.NECESSARY, False),
    ]
    assert desk.ask("count")[0].allowed


def test_a_signal_that_ends_nothing_is_no_decision(desk: Desk) -> None:
    """Ignored by the site's own setting, there is nothing to record."""
    desk.configure(gpc=GpcPolicy.IGNORE)
    signal = {"kind": EventType.REFUSED, "method": Method.GPC, "signals": GPC}

    assert code(lambda: desk.record(**signal)) == "decisions_inconsistent"


# -- links ------------------------------------------------------------------------------------


def test_a_no_reaches_device_and_account(desk: Desk) -> None:
    """Once they are linked, an opt-out by signal on the device is one of the account."""
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    desk.give("ads", "count", **account)
    desk.record(EventType.LINKED, version=None, linked=(SubjectKind.DEVICE, "d-1"), **account)
    fresh = desk.ask("ads")[0]
    no = desk.record(EventType.OPTED_OUT, method=Method.GPC, signals=GPC, jurisdiction="US-CA")
    ads, count = desk.ask("ads", "count", **account)

    assert fresh.why is Why.NOT_ASKED
    assert (ads.why, ads.record_id, ads.signal) == (Why.OPTED_OUT, no.record_id, True)
    assert count.allowed


def test_a_no_reaches_the_other_devices_of_an_account(desk: Desk) -> None:
    """Whoever opts out on one device has opted out as a person, wherever they are known."""
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    link = {"kind": EventType.LINKED, "version": None}
    for device in ("d-1", "d-2"):
        desk.give("ads", device=device)
        desk.record(**link, linked=(SubjectKind.DEVICE, device), **account)
    desk.record(
        **link,
        linked=(SubjectKind.ACCOUNT, "a-1"),
        device="ada@example.org",
        subject_kind=SubjectKind.EMAIL,
    )
    no = desk.record(EventType.OPTED_OUT, method=Method.GPC, signals=GPC, jurisdiction="US-CA")
    mail = {"device": "ada@example.org", "subject_kind": SubjectKind.EMAIL}

    for of in ({"device": "d-2"}, account, mail):
        (ads,) = desk.ask("ads", **of)
        assert (ads.why, ads.record_id, ads.signal) == (Why.OPTED_OUT, no.record_id, True)


def test_only_so_many_are_brought_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near or far, since each is read when one of them says no; known links may be told again."""
    monkeypatch.setattr("consent.recording.recording.REACH", 4)
    link = {"kind": EventType.LINKED, "version": None, "subject_kind": SubjectKind.ACCOUNT}
    for number in range(3):
        desk.record(**link, device=f"a-{number}", linked=(SubjectKind.ACCOUNT, f"a-{number + 1}"))
    more = {"device": "a-3", "linked": (SubjectKind.ACCOUNT, "a-4")}
    again = {"device": "a-2", "linked": (SubjectKind.ACCOUNT, "a-3")}

    assert code(lambda: desk.record(**link, **more)) == "too_many_links"
    assert desk.record(**link, **again).leaf_index == 3


def test_a_link_told_again_changes_nothing(desk: Desk) -> None:
    """Whoever changed their mind since the first sign-in is not overruled at the next."""
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    link = {"kind": EventType.LINKED, "version": None, "linked": (SubjectKind.DEVICE, "d-1")}
    desk.refuse("ads", **account)
    desk.record(**link, **account)
    desk.record(EventType.REQUESTED, origin=Origin.PREFERENCES, **account)
    desk.record(EventType.GIVEN, {"ads": "given"}, origin=Origin.PREFERENCES, **account)
    desk.record(**link, **account)

    assert desk.ask("ads", **account)[0].allowed
    assert desk.ask("ads")[0].why is Why.REFUSED


def test_a_subject_is_not_linked_with_itself(desk: Desk) -> None:
    """Nor with nobody."""
    link = {"kind": EventType.LINKED, "version": None, "linked": (SubjectKind.DEVICE, "d-1")}

    assert code(lambda: desk.record(**link)) == "decisions_inconsistent"


def test_a_subject_has_so_many_links(desk: Desk) -> None:
    """Known ones may be told again; one more is refused, from either side."""
    link = {"kind": EventType.LINKED, "version": None}
    for number in range(LINKS):
        desk.record(**link, linked=(SubjectKind.ACCOUNT, f"a-{number}"))
    again = {"linked": (SubjectKind.ACCOUNT, "a-0")}
    more = {"linked": (SubjectKind.ACCOUNT, "a-more")}
    back = {"device": "a-x", "linked": (SubjectKind.DEVICE, "d-1")}

    assert desk.record(**link, **again).leaf_index == LINKS
    assert code(lambda: desk.record(**link, **more)) == "too_many_links"
    assert code(lambda: desk.record(**link, **back)) == "too_many_links"


def test_a_visitor_known_by_several_ids() -> None:
    """A decision counts before none, and the no before the yes."""
    no, yes = Answer("ads", False, Why.REFUSED), Answer("ads", True, Why.GIVEN)
    open_ = Answer("ads", False, Why.NOT_ASKED, ask=True)
    runs = Answer("ads", True, Why.UNDECIDED)

    assert together([[yes], [no], [open_]]) == [no]
    assert together([[open_], [yes]]) == [yes]
    assert together([[runs], [open_]]) == [open_]


@pytest.mark.parametrize("visitor", [CALIFORNIA, GERMANY])
def test_a_signal_answers_for_nobody_who_decided(desk: Desk, visitor: Visitor) -> None:
    """A device that nobody knows takes nothing back of an account that said yes in its sight."""
    version = desk.publish(SHARED)
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    desk.give("ads", version=version, **account)
    seen = visitor._replace(gpc=True)

    def asked(*ids: dict[str, Any]) -> Answer:
        return together([desk.ask("ads", visitor=seen, **one) for one in ids])[0]

    unseen = asked(account, {})
    alone = asked(account)
    desk.give("ads", version=version, signals=GPC, **account)
    overruled = [asked(account, {}), asked({}, account)]
    desk.refuse("ads", version=version)

    # Where the law makes the signal an opt-out, a yes from before it is none, by whatever ids.
    assert unseen == alone
    assert unseen.allowed == (visitor is GERMANY)
    assert [(one.allowed, one.why) for one in overruled] == [(True, Why.GIVEN)] * 2
    assert asked(account, {}).why is Why.REFUSED


def test_a_signal_stands_before_what_nobody_decided(desk: Desk) -> None:
    """Of two ids that are not known none is asked, or served, against it."""
    desk.publish(SHARED)
    seen = CALIFORNIA._replace(gpc=True)
    answers = [desk.ask("sale", device=device, visitor=seen) for device in ("d-1", "d-2")]
    runs = Answer("sale", True, Why.UNDECIDED, regime=Regime.US_OPTOUT)

    assert together([*answers, [runs]])[0].why is Why.SIGNAL


def test_who_said_no_by_any_id_is_left_in_peace() -> None:
    """For as long as the latest of the noes says, in whatever order the ids are named."""
    over = Answer("ads", False, Why.REFUSED, ask=True)
    soon = Answer("ads", False, Why.REFUSED, ask_after="2026-07-31T12:00:00Z")
    later = Answer("ads", False, Why.OPTED_OUT, ask_after="2027-01-31T12:00:00Z")
    never = Answer("ads", False, Why.OBJECTED)

    assert together([[over], [soon], [later]]) == together([[later], [soon], [over]]) == [later]
    assert together([[later], [never]]) == [never]


def test_a_restricted_subject_is_linked_from_neither_side(desk: Desk) -> None:
    """A link would hand the consent on that is kept as evidence alone."""
    desk.give("ads")
    desk.restrict(days=9)
    account = {"device": "a-1", "subject_kind": SubjectKind.ACCOUNT}
    link = {"kind": EventType.LINKED, "version": None}

    assert (
        code(lambda: desk.record(**link, linked=(SubjectKind.DEVICE, "d-1"), **account))
        == "subject_restricted"
    )
    assert code(lambda: desk.record(**link, linked=(SubjectKind.ACCOUNT, "a-1"))) == (
        "subject_restricted"
    )
    assert not desk.ask("ads", **account)[0].allowed


def test_a_restricted_subject_is_left_alone(desk: Desk) -> None:
    """Only what takes consent away is recorded."""
    desk.give("ads")
    desk.restrict(days=9)

    for kind in (EventType.REQUESTED, EventType.DEFERRED, EventType.ACKNOWLEDGED):
        assert code(lambda kind=kind: desk.record(kind)) == "subject_restricted"
    desk.record(EventType.WITHDRAWN, {"ads": "refused"})


# -- served tokens ----------------------------------------------------------------------------


def served(desk: Desk, version: int = 1) -> str:
    """Have the notice shown, and return the token."""
    token, _ = asyncio.run(desk.showing.show(SITE, "main", version, "en", None))
    return token


def test_an_answer_brings_its_token_back(desk: Desk) -> None:
    """Nothing is recorded of who was shown it; the answer names when that was."""
    token = served(desk)
    desk.later(hours=23)
    given = desk.record(EventType.GIVEN, {"ads": "given"}, served=token)

    assert b'"served_at":"2026-01-31T12:00:00Z"' in given.event
    assert given.leaf_index == 0
    assert desk.ask("ads")[0].allowed


def test_a_no_is_recorded_without_what_proves_no_question(desk: Desk) -> None:
    """From a tab that stayed open too long, or the older of two: its token or id is left out."""
    token, asked = served(desk), desk.record(EventType.REQUESTED)
    desk.record(EventType.REQUESTED)
    desk.later(days=2)

    no = desk.refuse("ads", served=token, served_id=asked.record_id)
    gone = desk.record(
        EventType.WITHDRAWN, {"count": "refused"}, version=None, served_id="ada@example.org"
    )

    assert [answer.why for answer in desk.ask("ads", "count")] == [Why.REFUSED, Why.WITHDRAWN]
    assert b"served" not in no.event + gone.event


def test_a_no_brings_no_token_of_a_notice_that_is_not_there(desk: Desk) -> None:
    """Both are left out; what is no no is refused with it."""
    token = served(desk)
    no = desk.record(
        EventType.WITHDRAWN, {"ads": "refused"}, language="fr", served=token, served_id="r-1"
    )
    link = {"kind": EventType.LINKED, "linked": (SubjectKind.ACCOUNT, "a-1"), "version": None}

    assert b"served" not in no.event
    assert b'"notice"' not in no.event
    assert code(lambda: desk.record(**link, served=token)) == "served_invalid"


def test_a_token_is_of_its_notice_and_its_day(desk: Desk) -> None:
    """Older, forged, or of another version or site, it answers nothing."""
    token = served(desk)
    forged = ("A" if token[0] != "A" else "B") + token[1:]
    yes = {"kind": EventType.GIVEN, "decided": {"ads": "given"}}
    desk.publish(text="May we, please?")

    assert code(lambda: desk.record(**yes, version=2, served=token)) == "served_invalid"
    for text in (forged, token[:-4], "nonsense", "ü.ü", f"{token}.{token}"):
        assert code(lambda text=text: desk.record(**yes, served=text)) == "served_invalid"
    desk.later(hours=24, seconds=1)
    assert code(lambda: desk.record(**yes, served=token)) == "served_invalid"
    assert code(lambda: asyncio.run(desk.showing.show("x", "main", 1, "en", None))) == (
        "notice_unknown"
    )


def test_what_no_yes_would_be_taken_to_is_not_shown(desk: Desk) -> None:
    """As a known visitor is not asked about it; another wording of the same may be."""
    desk.publish(text="May we, please?")
    served(desk)
    desk.publish([Purpose("ads", "Ads", "Shows ads.", Basis.CONSENT, recipients=("Ad Ltd",))])

    assert code(lambda: served(desk)) == "notice_superseded"
    assert code(lambda: desk.record(EventType.REQUESTED)) == "notice_superseded"
    served(desk, 3)


def test_what_is_shown_is_counted_and_nobody_is_named(desk: Desk) -> None:
    """By notice, version, language and day."""
    for _ in range(3):
        served(desk)
    desk.later(days=1)
    served(desk)

    with desk.database.read() as connection:
        rows = connection.execute(select(SHOWN).order_by(SHOWN.c.day)).all()
        assert connection.execute(select(RECORD)).all() == []
    assert [tuple(row) for row in rows] == [
        (SITE, "main", 1, "en", "2026-01-31", 3),
        (SITE, "main", 1, "en", "2026-02-01", 1),
    ]
