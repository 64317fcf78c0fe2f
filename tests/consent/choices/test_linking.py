"""Links: a no is one of the person, and of nobody else; a yes stays with who said it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_events import Event, event, events, signalled, yes

from consent.choices.linking import follow
from consent.choices.projection import Standing


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


@pytest.mark.parametrize("objector", ["account", "device"])
def test_the_firmer_no_wins_a_link(objector: str) -> None:
    """Who objected by one id is not asked again because they refused later by the other."""
    other = {"account": "device", "device": "account"}[objector]
    found = replay(
        (objector, event("objected", 1, ads="refused")),
        (other, event("refused", 2, ads="refused")),
        ("account", link(3, "device")),
    )

    assert [states(found[ref]) for ref in ("account", "device")] == [{"ads": "objected"}] * 2


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


def test_after_a_link_the_newer_no_says_when_to_ask_again() -> None:
    """An older one by the other id has nobody asked sooner, at either."""
    older = event("refused", 1, ads="refused") | {"reprompt_not_before": "2026-01-02T00:00:00Z"}

    found = replay(
        ("device", older),
        ("account", event("refused", 5, ads="refused")),
        ("account", link(9, "device")),
    )

    for ref in ("account", "device"):
        at = found[ref].purposes["ads"]
        assert (at.ask_after, at.refused_at) == (None, found["account"].purposes["ads"].refused_at)


def test_a_device_does_not_take_over_a_yes() -> None:
    """Whoever else sits at the device has not said it."""
    found = replay(("account", event("given", 1, ads="given")), ("account", link(2, "device")))

    assert states(found["account"]) == {"ads": "given"}
    assert states(found["device"]) == {}


def test_of_two_devices_neither_takes_over_a_yes() -> None:
    """Each keeps what was said at it; a no is one of both."""
    found = replay(
        ("old", event("given", 1, ads="given", statistics="given")),
        ("new", event("given", 2, ads="given") | {"valid_until": "2026-01-01T00:00:03Z"}),
        ("new", link(4, "old", own="device")),
    )

    assert states(found["new"]) == {"ads": "given"}
    assert found["new"].purposes["ads"].leaf_index == 1
    assert states(found["old"]) == {"ads": "given", "statistics": "given"}

    refused = replay(
        ("old", event("refused", 1, ads="refused")), ("new", link(2, "old", own="device"))
    )
    assert states(refused["new"]) == {"ads": "refused"}


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


Yes = tuple[int, list[str] | None, int | None]


@pytest.mark.parametrize(
    ("account", "device", "expected"),
    [
        ((1, ["A"], None), (2, None, None), (2, ["A"], None)),
        ((2, ["A"], None), (1, None, None), (2, ["A"], None)),
        ((1, None, None), (2, ["A"], None), (2, ["A"], None)),
        ((2, None, None), (1, ["A"], None), (2, ["A"], None)),
        ((1, ["A", "B"], None), (2, ["B", "C"], None), (2, ["B"], None)),
        ((1, ["A"], None), (2, ["B"], None), (2, [], None)),
        ((1, None, 5), (2, None, None), (2, None, 5)),
        ((1, None, None), (2, None, 5), (2, None, 5)),
        ((1, ["A"], 9), (2, None, 5), (2, ["A"], 5)),
        ((1, None, None), (2, None, None), (2, None, None)),
    ],
)
def test_of_two_yeses_a_link_leaves_what_both_allow(
    account: Yes, device: Yes, expected: Yes
) -> None:
    """The newer stands, no wider and no longer than either; the device keeps what it said."""
    told = sorted([(account[0], "account", yes(*account)), (device[0], "device", yes(*device))])
    before = replay(*[(ref, one) for _, ref, one in told])
    found = replay(*[(ref, one) for _, ref, one in told], ("account", link(9, "device")))
    at, until = found["account"].purposes["ads"], expected[2]

    assert (at.record_id, at.vendors) == (f"r-{expected[0]}", expected[1])
    assert at.valid_until == (None if until is None else f"2026-01-02T00:00:{until:02}Z")
    assert found["device"].purposes == before["device"].purposes
    assert Standing.from_json(found["account"].to_json()) == found["account"]


@pytest.mark.parametrize("newer", ["account", "device"])
def test_a_yes_that_has_run_out_narrows_no_other(newer: str) -> None:
    """Nobody rests on it any more: only of two that stand, what both allow."""
    older = {"account": "device", "device": "account"}[newer]
    lapsed = yes(1, ["A"]) | {"valid_until": "2026-01-01T00:00:30Z"}
    found = replay((older, lapsed), (newer, yes(2)), ("account", link(40, "device")))
    at = found["account"].purposes["ads"]

    assert (at.record_id, at.vendors, at.valid_until) == ("r-2", None, None)


@pytest.mark.parametrize(("material", "expected"), [("m-1", ["A"]), ("m-2", None)])
def test_a_yes_to_another_substance_narrows_no_newer_one(
    material: str, expected: list[str] | None
) -> None:
    """What a later version of the notice has changed was said to nothing that still stands."""
    later = {"notice_id": "main", "version": 2, "material_sha256": material}
    found = replay(
        ("device", yes(1, ["A"])),
        ("account", yes(2) | {"notice": later}),
        ("account", link(9, "device")),
    )

    assert found["account"].purposes["ads"].vendors == expected


def test_a_yes_to_an_earlier_substance_is_narrowed_by_one_to_a_later() -> None:
    """What came later in the log need not be about the later version: an import may be older."""
    later = {"notice_id": "main", "version": 2, "material_sha256": "m-2"}
    found = replay(
        ("device", yes(1, ["A"]) | {"notice": later}),
        ("account", yes(2)),
        ("account", link(9, "device")),
    )

    assert found["account"].purposes["ads"].vendors == ["A"]


def test_who_said_no_by_both_keeps_both_records() -> None:
    """A no of the other that is no firmer replaces none: each stands by the record of its own."""
    found = replay(
        ("device", event("refused", 1, record=1, ads="refused")),
        ("account", event("refused", 2, record=2, ads="refused")),
        ("account", link(3, "device")),
    )
    noes = {ref: at.purposes["ads"] for ref, at in found.items()}

    assert {ref: at.record_id for ref, at in noes.items()} == {"device": "r-1", "account": "r-2"}
    assert {at.refused_at for at in noes.values()} == {"2026-01-01T00:00:02Z"}


def test_a_signal_is_overruled_by_both_or_not_at_all() -> None:
    """Who said yes in its sight by one id has not done so by the other."""
    seen = yes(2) | {"signals": {"sec_gpc": True}}
    told = (("account", yes(1)), ("device", seen), ("account", link(3, "device")))
    opting_out = signalled("opted_out", 4) | {"regime": "us_optout"}

    assert replay(*told, ("account", opting_out))["account"].purposes["ads"].ended


yeses = st.lists(
    st.builds(
        yes,
        st.integers(0, 59),
        st.none() | st.lists(st.sampled_from("ABC"), min_size=1, unique=True),
        st.none() | st.integers(0, 9),
    )
    | st.just(event("refused", 30, ads="refused")),
    max_size=3,
)


def allows(standing: Standing | None, vendor: str, second: int) -> bool | None:
    """Say whether ads may be served by a vendor at a second, or None where nothing was said."""
    at = None if standing is None else standing.purposes.get("ads")
    if at is None:
        return None
    lapsed = at.lapsed(f"2026-01-02T00:00:{second:02}Z")
    return not at.ended and not lapsed and (at.vendors is None or vendor in at.vendors)


@given(yeses, yeses, st.booleans())
def test_linking_allows_nothing_that_one_did_not(
    mine: list[Event],
    theirs: list[Event],
    first: bool,  # noqa: FBT001 - drawn
) -> None:
    """No vendor at no time, of what both have said something about; a device gains nothing."""
    told = [("account", one) for one in mine], [("device", one) for one in theirs]
    order = [*told[0], *told[1]] if first else [*told[1], *told[0]]
    before = replay(*order)
    found = replay(*order, ("account", link(59, "device")))

    for vendor in "ABCD":
        for second in range(11):
            own, other = (allows(before.get(ref), vendor, second) for ref in ("account", "device"))
            after = [allows(found[ref], vendor, second) for ref in ("account", "device")]
            assert not after[0] or (own is not False and other is not False)
            assert not after[1] or other


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

    signal = signalled("opted_out", 3) | {"regime": "us_optout"}
    by_device = replay(*linked, ("device", signal))
    by_account = replay(*linked, ("account", event("withdrawn", 3, ads="refused")))
    yes = replay(*linked, ("device", event("given", 3, statistics="given")))

    assert [states(by_device[ref])["ads"] for ref in ("device", "account")] == ["opted_out"] * 2
    assert [states(by_account[ref])["ads"] for ref in ("device", "account")] == ["withdrawn"] * 2
    assert "statistics" not in states(yes["account"])


def test_a_link_that_is_told_again_changes_nothing() -> None:
    """At every sign-in, perhaps: what was decided by either since the first stays."""
    linked = [
        ("device", event("refused", 1, ads="refused")),
        ("account", link(2, "device")),
        ("account", event("given", 3, record=3, ads="given")),
    ]

    once = replay(*linked)

    assert states(once["account"]) == {"ads": "given"}
    assert replay(*linked, ("account", link(4, "device"))) == once


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
