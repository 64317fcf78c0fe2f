"""Standing: a fold over events, the same however it is cut, and never kinder than it should be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.projection import PurposeStanding, Standing, apply, follow

Event = dict[str, Any]


def event(kind: str, at: int, *, record: int = 0, occurred: bool = True, **purposes: str) -> Event:
    """Return an event at a second of one minute; *purposes* are decisions by id."""
    instant = f"2026-01-01T00:00:{at:02}Z"
    made: Event = {
        "event_type": kind,
        "record_id": f"r-{record}",
        "received_at": instant,
        "notice": {"notice_id": "main", "version": 1, "material_sha256": "m-1"},
        "decisions": [
            {"purpose_id": purpose, "decision": decision} for purpose, decision in purposes.items()
        ],
    }
    if occurred:
        made |= {"occurred_at": instant, "received_at": "2026-01-01T00:01:00Z"}
    return made


def fold(*events: Event) -> Standing:
    """Apply events in the order of the log."""
    standing = Standing()
    for index, one in enumerate(events):
        standing = apply(standing, one, index)
    return standing


def test_a_question_is_no_answer() -> None:
    """Being asked is remembered by notice and changes no purpose."""
    standing = fold(event("requested", 1), event("requested", 2, record=1))

    assert standing.purposes == {}
    assert tuple(standing.asked["main"]) == (1, "r-1", 1)


def test_the_last_in_the_log_counts() -> None:
    """Each purpose stands as it was last decided, by which record and under which notice."""
    standing = fold(
        event("given", 1, ads="given", statistics="refused"),
        event("withdrawn", 2, record=1, ads="refused"),
    )

    assert standing.purposes["ads"] == PurposeStanding(
        "withdrawn",
        "r-1",
        1,
        "2026-01-01T00:00:02Z",
        "main",
        1,
        "m-1",
        None,
        "2026-01-01T00:00:02Z",
    )
    assert standing.purposes["statistics"].state == "refused"
    assert standing.purposes["ads"].ended


def test_what_was_not_asked_changes_nothing() -> None:
    """A decision `not_asked` leaves the purpose as it stood."""
    standing = fold(
        event("given", 1, ads="given"), event("refused", 2, ads="not_asked", statistics="refused")
    )

    assert standing.purposes["ads"].state == "given"
    assert standing.purposes["statistics"].state == "refused"


def test_a_late_given_does_not_undo_a_no() -> None:
    """What was given before the refusal and came after it is history only."""
    standing = fold(event("refused", 5, ads="refused"), event("given", 4, record=1, ads="given"))

    assert (standing.purposes["ads"].state, standing.purposes["ads"].record_id) == (
        "refused",
        "r-0",
    )


def test_a_given_in_the_same_second_counts() -> None:
    """Times are cut to seconds: there the log's order decides."""
    standing = fold(event("refused", 5, ads="refused"), event("given", 5, ads="given"))

    assert standing.purposes["ads"].state == "given"


def test_a_late_withdrawal_always_counts() -> None:
    """Even one that happened before the consent it follows in the log."""
    standing = fold(event("given", 5, ads="given"), event("withdrawn", 1, ads="refused"))

    assert standing.purposes["ads"].state == "withdrawn"


def test_a_late_withdrawal_does_not_hide_a_later_no() -> None:
    """After a no at 9 and an older no behind it, a given from between them stays history."""
    standing = fold(
        event("refused", 9, ads="refused"),
        event("withdrawn", 2, ads="refused"),
        event("given", 5, ads="given"),
    )

    assert standing.purposes["ads"].state == "withdrawn"


def test_a_late_no_brings_no_older_question_back() -> None:
    """What a newer no said of its notice, and of when to ask again, stays."""
    newer = event("refused", 9, ads="refused") | {"reprompt_not_before": "2027-01-01T00:00:00Z"}
    newer["notice"] = {"notice_id": "main", "version": 2, "material_sha256": "m-2"}
    late = event("refused", 2, record=1, ads="refused")

    at = fold(newer, late).purposes["ads"]

    assert (at.record_id, at.version, at.material_sha256) == ("r-1", 2, "m-2")
    assert at.ask_after == "2027-01-01T00:00:00Z"


@pytest.mark.parametrize("kind", ["opted_out", "objected", "revoked"])
def test_a_refusal_takes_back_no_stronger_no(kind: str) -> None:
    """Who opted out and then rejects a banner has not come closer to being asked again."""
    at = fold(event(kind, 1, ads="refused"), event("refused", 2, record=1, ads="refused"))
    after_yes = fold(
        event(kind, 1, ads="refused"),
        event("given", 2, ads="given"),
        event("refused", 3, ads="refused"),
    )

    assert (at.purposes["ads"].state, at.purposes["ads"].record_id) == (kind, "r-1")
    assert after_yes.purposes["ads"].state == "refused"


def test_a_no_is_remembered_behind_a_yes() -> None:
    """A given from before the refusal does not replace the newer one that followed it."""
    standing = fold(
        event("refused", 5, ads="refused"),
        event("given", 7, record=1, ads="given"),
        event("given", 3, record=2, ads="given"),
    )

    assert standing.purposes["ads"].record_id == "r-1"


def test_without_its_own_time_an_event_happened_when_it_came() -> None:
    """`received_at` stands in for `occurred_at`."""
    standing = fold(event("refused", 5, occurred=False, ads="refused"))

    assert standing.purposes["ads"].occurred_at == "2026-01-01T00:00:05Z"


def test_standing_is_told_by_what_was_written_before() -> None:
    """A row without the member that came last is read as one that does not know it."""
    row = '{"p":{"ads":["given","r-0",0,"2026-01-01T00:00:00Z","main",1,"m-1",null]},"a":{}}'

    assert Standing.from_json(row).purposes["ads"].refused_at is None


PURPOSES = ("ads", "statistics")
decisions = st.dictionaries(
    st.sampled_from(PURPOSES), st.sampled_from(["given", "refused", "not_asked"]), max_size=2
)
events = st.lists(
    st.builds(
        lambda kind, at, occurred, made: event(kind, at, occurred=occurred, **made),
        st.sampled_from(["requested", "given", "refused", "withdrawn"]),
        st.integers(0, 59),
        st.booleans(),
        decisions,
    ),
    max_size=12,
).map(lambda made: [one | {"record_id": f"r-{at}"} for at, one in enumerate(made)])


@given(events, st.integers(0, 12))
def test_it_is_the_same_wherever_it_was_stored_between(made: list[Event], cut: int) -> None:
    """Writing the standing down and reading it back in between changes nothing."""
    standing = Standing()
    for index, one in enumerate(made):
        if index == cut:
            standing = Standing.from_json(standing.to_json())
        standing = apply(standing, one, index)

    assert standing == fold(*made)
    assert Standing.from_json(standing.to_json()) == standing


@given(events)
def test_it_says_what_the_rule_says(made: list[Event]) -> None:
    """Against the rule in plain words: the last decision, but no given said to be before a no."""
    expected: dict[str, tuple[str, str]] = {}
    for purpose in PURPOSES:
        noes: list[str] = []
        for one in made:
            decided = {item["purpose_id"]: item["decision"] for item in one["decisions"]}
            decision = decided.get(purpose)
            if one["event_type"] == "requested" or decision in {None, "not_asked"}:
                continue
            happened = one.get("occurred_at") or one["received_at"]
            if decision == "refused":
                noes.append(min(happened, one["received_at"]))
                word = "withdrawn" if one["event_type"] == "withdrawn" else "refused"
                expected[purpose] = (word, one["record_id"])
            elif "occurred_at" not in one or all(happened >= no for no in noes):
                expected[purpose] = ("given", one["record_id"])

    found = {name: (at.state, at.record_id) for name, at in fold(*made).purposes.items()}

    assert found == expected


def test_a_client_clock_ahead_does_not_bar_later_consent() -> None:
    """A no said to lie in the future counts from when it came: a later given stands."""
    no = {
        "event_type": "withdrawn",
        "record_id": "r-1",
        "occurred_at": "2026-01-01T00:04:50Z",
        "received_at": "2026-01-01T00:00:00Z",
        "decisions": [{"purpose_id": "ads", "decision": "refused"}],
    }
    yes = {
        "event_type": "given",
        "record_id": "r-2",
        "received_at": "2026-01-01T00:01:00Z",
        "decisions": [{"purpose_id": "ads", "decision": "given"}],
    }

    assert apply(apply(Standing(), no, 0), yes, 1).purposes["ads"].state == "given"


# -- signals ----------------------------------------------------------------------------------


def signalled(kind: str, at: int) -> Event:
    """Return an event about ads that a Global Privacy Control signal brought about."""
    return event(kind, at, ads="refused") | {"method": "gpc", "signals": {"sec_gpc": True}}


def test_an_explicit_yes_outlives_a_signal_that_is_no_opt_out() -> None:
    """Where no law makes it one, the signal refuses only what nobody has said yes to."""
    yes = event("given", 1, ads="given")

    assert fold(yes, signalled("refused", 2)).purposes["ads"].state == "given"
    assert fold(signalled("refused", 2)).purposes["ads"].state == "refused"
    assert fold(yes, signalled("opted_out", 2)).purposes["ads"].state == "opted_out"


def test_a_yes_in_sight_of_the_signal_outlives_it() -> None:
    """Who opts in while the signal is on has overruled it, for good."""
    overruling = event("opted_in", 3, ads="given") | {"signals": {"gpc_js": True}}

    standing = fold(signalled("opted_out", 2), overruling, signalled("opted_out", 4))

    assert standing.purposes["ads"].state == "given"


def test_an_import_without_evidence_gives_nothing() -> None:
    """A yes from elsewhere counts with evidence only; a no counts anyhow."""
    claimed = event("imported", 1, ads="given", statistics="refused")

    assert {name: at.state for name, at in fold(claimed).purposes.items()} == {
        "statistics": "refused"
    }
    shown = fold(claimed | {"evidence": "source_row"})
    assert shown.purposes["ads"].state == "given"


# -- links ------------------------------------------------------------------------------------


def replay(*told: tuple[str, Event]) -> dict[str, Standing]:
    """Follow events of several subjects in the order of the log."""
    standings: dict[str, Standing] = {}
    for position, (ref, one) in enumerate(told):
        standings.update(follow(standings.get, ref, one, position))
    return standings


def link(at: int, other: str, *, own: str = "account", kind: str = "device") -> Event:
    """Link a subject of the kind *own* with another."""
    linked = {"subject_kind": kind, "subject_ref": other}
    return event("linked", at) | {"subject_kind": own, "linked": linked}


def states(standing: Standing) -> dict[str, str]:
    """Return the state of each purpose."""
    return {name: at.state for name, at in standing.purposes.items()}


def test_the_most_restrictive_latest_choice_wins_a_link() -> None:
    """The account takes over what only the device knew; where they differ the no wins."""
    found = replay(
        ("device", event("given", 1, ads="given", statistics="given")),
        ("account", event("refused", 2, ads="refused")),
        ("account", link(3, "device")),
    )

    assert states(found["account"]) == {"ads": "refused", "statistics": "given"}
    assert states(found["device"]) == {"ads": "refused", "statistics": "given"}


def test_the_latest_no_of_either_is_remembered_by_both() -> None:
    """A queued yes from before it changes nothing, whosever choice won the link."""
    linked = [
        ("account", event("refused", 9, ads="refused")),
        ("device", event("withdrawn", 1, ads="refused")),
        ("account", link(10, "device")),
    ]

    for ref in ("account", "device"):
        found = replay(*linked, (ref, event("given", 5, ads="given")))
        assert found[ref].purposes["ads"].ended


def test_a_device_does_not_take_over_a_yes() -> None:
    """Whoever else sits at the device has not said it."""
    found = replay(("account", event("given", 1, ads="given")), ("account", link(2, "device")))

    assert states(found["account"]) == {"ads": "given"}
    assert states(found["device"]) == {}


def test_who_takes_over_a_yes_is_not_who_is_named_first() -> None:
    """A device is told to be linked with an account: the account takes over, not the device."""
    found = replay(
        ("device", event("given", 1, ads="given")),
        ("account", event("given", 2, statistics="given")),
        ("device", link(3, "account", own="device", kind="account")),
    )

    assert states(found["account"]) == {"ads": "given", "statistics": "given"}
    assert states(found["device"]) == {"ads": "given"}
    assert (found["account"].device, found["device"].device) == (False, True)


def household() -> list[tuple[str, Event]]:
    """Link Ada's account with her telephone, her address and a shared device, and Ben with that."""
    return [
        *((ref, event("given", 1, ads="given")) for ref in ("ada", "mail", "phone", "pc", "ben")),
        ("ada", link(2, "phone")),
        ("ada", link(3, "pc")),
        ("mail", link(4, "ada", own="email", kind="account")),
        ("ben", link(5, "pc")),
    ]


@pytest.mark.parametrize(
    ("teller", "hearers"),
    [
        ("phone", {"phone", "ada", "mail", "pc"}),
        ("mail", {"mail", "ada", "phone", "pc"}),
        ("ada", {"ada", "mail", "phone", "pc"}),
        ("ben", {"ben", "pc"}),
        ("pc", {"pc", "ada", "mail", "phone", "ben"}),
    ],
)
def test_a_no_is_one_of_a_person_not_of_who_shares_a_device(teller: str, hearers: set[str]) -> None:
    """It reaches every id of whoever may have said it, and their devices, but nobody else there."""
    found = replay(*household(), (teller, event("withdrawn", 6, ads="refused")))

    assert {ref for ref, at in found.items() if at.purposes["ads"].ended} == hearers


@pytest.mark.parametrize(
    ("told", "hearers"),
    [
        (("ada", link(7, "tablet")), {"tablet", "ada", "mail", "phone", "pc"}),
        (("pc", link(7, "tablet", own="device")), {"tablet", "pc", "ada", "mail", "phone", "ben"}),
        (
            ("eve", link(7, "pc")),
            {"tablet", "eve", "pc"},
        ),
    ],
)
def test_a_link_hands_a_no_on_as_far_as_the_no_would_go(
    told: tuple[str, Event], hearers: set[str]
) -> None:
    """Whoever was linked before hears of a no that comes with a new link."""
    before = [("tablet", event("refused", 6, ads="refused")), ("eve", link(6, "tablet"))]
    found = replay(*household(), *(before if told[0] == "eve" else before[:1]), told)

    assert {ref for ref, at in found.items() if at.purposes["ads"].ended} == hearers


def test_noes_of_two_people_at_one_device_stay_their_own() -> None:
    """A device that takes over a no from one account does not hand it on to the other."""
    found = replay(
        ("ada", event("refused", 1, ads="refused")),
        ("ben", event("given", 1, ads="given")),
        ("ben", link(2, "pc")),
        ("ada", link(3, "pc")),
    )

    assert {ref for ref, at in found.items() if at.purposes["ads"].ended} == {"ada", "pc"}


def test_after_a_link_a_no_is_a_no_of_both() -> None:
    """From either side; a yes stays with who said it."""
    linked = [("device", event("given", 1, ads="given")), ("account", link(2, "device"))]

    by_device = replay(*linked, ("device", signalled("opted_out", 3)))
    by_account = replay(*linked, ("account", event("withdrawn", 3, ads="refused")))
    yes = replay(*linked, ("device", event("given", 3, statistics="given")))

    assert [states(by_device[ref])["ads"] for ref in ("device", "account")] == ["opted_out"] * 2
    assert [states(by_account[ref])["ads"] for ref in ("device", "account")] == ["withdrawn"] * 2
    assert "statistics" not in states(yes["account"])


def test_an_unknown_link_is_left_alone() -> None:
    """Who was erased is not brought back by the choice of a linked subject."""
    found = replay(("device", event("given", 1, ads="given")), ("account", link(2, "device")))
    del found["device"]

    changed = follow(found.get, "account", event("withdrawn", 3, ads="refused"), 2)

    assert set(changed) == {"account"}


@given(events, events, st.integers(0, 12))
def test_linking_is_never_kinder(mine: list[Event], theirs: list[Event], at: int) -> None:
    """No purpose stands better after a link than before it with whoever said no."""
    told = [("account", one) for one in mine[:at]] + [("device", one) for one in theirs]
    before = replay(*told)
    found = replay(*told, ("account", link(0, "device")))

    for ref in ("account", "device"):
        for name, stood in before.get(ref, Standing()).purposes.items():
            assert not stood.ended or found[ref].purposes[name].ended
    noes = {
        name for standing in before.values() for name, at in standing.purposes.items() if at.ended
    }
    assert all(found[ref].purposes[name].ended for ref in found for name in noes)
