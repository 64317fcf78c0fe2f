"""Standing: a fold over events, the same however it is cut, and never kinder than it should be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_events import PURPOSES, Event, event, events, signalled, yes

from consent.choices.projection import PurposeStanding, Standing, apply
from consent.choices.regime import Regime


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
    assert tuple(standing.asked["main"]) == (1, "r-1", 1, "2026-01-01T00:00:01Z")


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


def test_in_one_second_the_no_counts() -> None:
    """Times are cut to seconds: a yes that came late may have been said before."""
    no, yes = event("refused", 5, ads="refused"), event("given", 5, ads="given")

    assert fold(no, yes).purposes["ads"].state == "refused"
    assert fold(yes, no).purposes["ads"].state == "refused"


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


def test_of_two_noes_the_longer_rest_counts() -> None:
    """Also where it is the one that came late that asks to be left alone for longer."""
    newer = event("refused", 9, ads="refused") | {"reprompt_not_before": "2027-01-01T00:00:00Z"}
    late = event("refused", 2, ads="refused") | {"reprompt_not_before": "2028-01-01T00:00:00Z"}

    assert fold(newer, late).purposes["ads"].ask_after == "2028-01-01T00:00:00Z"


def test_a_late_no_has_nobody_asked_sooner() -> None:
    """The newer says nothing of when to ask again: it waits as the site has set it."""
    newer = event("refused", 9, ads="refused")
    late = event("refused", 2, ads="refused") | {"reprompt_not_before": "2026-01-02T00:00:00Z"}

    assert fold(newer, late).purposes["ads"].ask_after is None


@pytest.mark.parametrize("at", [1, 9])
def test_a_lesser_no_has_nobody_asked_sooner(at: int) -> None:
    """Whether it comes on top of an opt-out or late, that one waits its own time."""
    firm = event("opted_out", 5, ads="refused")
    lesser = event("refused", at, ads="refused") | {"reprompt_not_before": "2026-01-02T00:00:00Z"}

    found = fold(firm, lesser).purposes["ads"]

    assert (found.state, found.ask_after) == ("opted_out", None)


def test_a_late_firmer_no_waits_its_own_time() -> None:
    """A refusal that came before it says nothing of an opt-out."""
    newer = event("refused", 9, ads="refused") | {"reprompt_not_before": "2026-01-02T00:00:00Z"}

    found = fold(newer, event("opted_out", 2, ads="refused")).purposes["ads"]

    assert (found.state, found.ask_after) == ("opted_out", None)


def test_a_no_is_about_every_vendor() -> None:
    """Whichever it names: vendors narrow a yes, never a no."""
    no = event("refused", 2, ads="refused")
    no["decisions"][0]["vendor_ids"] = ["A"]

    assert fold(yes(1, ["A", "B"]), no).purposes["ads"].vendors is None


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
    row = (
        '{"p":{"ads":["given","r-0",0,"2026-01-01T00:00:00Z","main",1,"m-1",null]},'
        '"a":{"main":[1,"r-1",1]}}'
    )
    standing = Standing.from_json(row)

    assert standing.purposes["ads"].refused_at is None
    assert standing.asked["main"].since == ""
    assert standing.to_json().endswith('"a":{"main":[1,"r-1",1]}}')


def test_a_question_stands_open_from_when_it_was_first_put() -> None:
    """However late and often it is told; anew for another version, or after a yes has lapsed."""
    given = event("given", 3, ads="given") | {"valid_until": "2026-01-01T00:00:08Z"}
    other = event("requested", 9) | {"notice": {"notice_id": "main", "version": 2}}
    asked = [event("requested", second) for second in (5, 2, 7, 9)]

    def since(*events: Event) -> str:
        return fold(*events).asked["main"].since[-3:]

    assert since(*asked) == "02Z"
    assert since(*asked, other) == "09Z"
    assert since(asked[1], given, asked[2]) == "02Z"
    assert since(asked[1], given, asked[3]) == "09Z"
    assert since(asked[1], event("refused", 3, ads="refused"), asked[2]) == "07Z"


@pytest.mark.parametrize(
    ("stronger", "later"),
    [
        ("objected", "opted_out"),
        ("objected", "withdrawn"),
        ("revoked", "invalidated"),
        ("opted_out", "withdrawn"),
    ],
)
def test_no_lesser_no_takes_a_stronger_one_back(stronger: str, later: str) -> None:
    """Who objected is not asked again because their browser signals, or since they withdrew."""
    first, second = event(stronger, 1, ads="refused"), event(later, 2, record=1, ads="refused")

    at = fold(first, second).purposes["ads"]

    assert (at.state, at.record_id) == (stronger, "r-1")
    assert fold(second, first).purposes["ads"].state == stronger


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
    """Against the rule in plain words: the last decision, but no given from before another one."""
    expected: dict[str, tuple[str, str]] = {}
    for purpose in PURPOSES:
        noes: list[str] = []
        stands = ""  # since when a yes does
        for one in made:
            decided = {item["purpose_id"]: item["decision"] for item in one["decisions"]}
            decision = decided.get(purpose)
            if one["event_type"] == "requested" or decision in {None, "not_asked"}:
                continue
            received = one["received_at"]
            happened = one.get("occurred_at") or received
            if decision == "refused":
                # A late no ends a newer yes, and what came before that one is history, too.
                noes.append(max(min(happened, received), stands))
                word = "withdrawn" if one["event_type"] == "withdrawn" else "refused"
                expected[purpose], stands = (word, one["record_id"]), ""
            elif "occurred_at" not in one or (
                all(happened > no for no in noes) and not happened < stands <= received
            ):
                expected[purpose], stands = ("given", one["record_id"]), happened

    found = {name: (at.state, at.record_id) for name, at in fold(*made).purposes.items()}

    assert found == expected


# -- a yes behind a newer one -----------------------------------------------------------------


def test_a_late_yes_widens_no_newer_one() -> None:
    """Neither to more vendors nor for longer; a newer one does, late or not."""
    narrow, wide = yes(5, ["A"], until=9), yes(4)

    assert fold(narrow, wide) == fold(narrow)
    assert fold(yes(4, ["A"]), yes(5)).purposes["ads"].vendors is None
    assert fold(narrow, yes(6, ["A", "B"])).purposes["ads"].vendors == ["A", "B"]


def test_in_one_second_the_ledger_orders_yeses() -> None:
    """Who ticks one vendor and at once another has said both."""
    assert fold(yes(5, ["A"]), yes(5, ["A", "B"])).purposes["ads"].vendors == ["A", "B"]


def test_a_yes_that_says_no_time_happened_when_it_came() -> None:
    """It comes after whatever the log knows."""
    untimed = yes(9) | {"received_at": "2026-01-01T00:01:30Z"}
    del untimed["occurred_at"]

    assert fold(yes(5, ["A"]), untimed).purposes["ads"].vendors is None
    late = yes(10) | {"received_at": "2026-01-01T00:02:00Z"}
    assert fold(untimed, late).purposes["ads"].record_id == "r-9"


def test_a_client_clock_ahead_does_not_bar_a_narrower_yes() -> None:
    """A yes said to lie in the future is no measure for who says less meanwhile."""
    ahead = yes(50) | {"received_at": "2026-01-01T00:00:10Z"}
    narrower = yes(20, ["A"]) | {"received_at": "2026-01-01T00:00:20Z"}
    queued = yes(20, ["A"]) | {"received_at": "2026-01-01T00:01:30Z"}

    assert fold(ahead, narrower).purposes["ads"].vendors == ["A"]
    assert fold(ahead, queued).purposes["ads"].vendors == ["A"]


yeses = st.lists(
    st.builds(
        yes,
        st.integers(0, 59),
        st.none() | st.lists(st.sampled_from("ABC"), min_size=1, unique=True),
        st.none() | st.integers(0, 59),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: str(one["occurred_at"]),
)


@given(yeses, st.data())
def test_yeses_may_come_in_any_order(made: list[Event], data: st.DataObject) -> None:
    """The newest stands, whatever came after it, and so it does behind a no from before them."""
    no = event("refused", 0, ads="refused") | {"occurred_at": "2025-12-31T00:00:00Z"}
    shuffled = data.draw(st.permutations(made))
    newest = max(made, key=lambda one: str(one["occurred_at"]))

    for first in ([], [no]):
        at = fold(*first, *shuffled).purposes["ads"]

        assert (at.record_id, at.occurred_at) == (newest["record_id"], newest["occurred_at"])
        assert at.vendors == newest["decisions"][0].get("vendor_ids")
        assert at.valid_until == newest.get("valid_until")


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


def test_an_explicit_yes_outlives_a_signal_that_is_no_opt_out() -> None:
    """By the law that held, whatever the event calls it; elsewhere it ends what nobody said."""
    yes = event("given", 1, ads="given")
    for kind in ("refused", "opted_out", "withdrawn"):
        for regime in Regime:
            no = signalled(kind, 2) | {"regime": regime.value}
            by_law = regime is Regime.US_OPTOUT
            # Its settings are not in the event: there it is its word that tells.
            by_word = regime is Regime.CUSTOM and kind == "opted_out"

            # Nobody may ask to opt in again for as long as after any other opt-out.
            state = "opted_out" if by_law else kind
            assert fold(no).purposes["ads"].state == state
            found = fold(yes, no).purposes["ads"].state
            assert found == (state if by_law or by_word else "given")


def test_a_lapsed_yes_outlives_no_signal() -> None:
    """It says nothing any more that the signal could contradict."""
    yes = event("given", 1, ads="given") | {"valid_until": "2026-01-01T00:00:02Z"}
    no = signalled("refused", 2) | {"regime": "eu_optin"}

    assert fold(yes, no).purposes["ads"].state == "refused"


def test_a_yes_in_sight_of_the_signal_outlives_it() -> None:
    """Who opts in while the signal is on has overruled it, for good."""
    overruling = event("opted_in", 3, ads="given") | {"signals": {"gpc_js": True}}

    first, again = (signalled("opted_out", at) | {"regime": "us_optout"} for at in (2, 4))
    standing = fold(first, overruling, again)

    assert standing.purposes["ads"].state == "given"


def test_an_import_without_evidence_gives_nothing() -> None:
    """A yes from elsewhere counts with evidence only; a no counts anyhow."""
    claimed = event("imported", 1, ads="given", statistics="refused")

    assert {name: at.state for name, at in fold(claimed).purposes.items()} == {
        "statistics": "refused"
    }
    shown = fold(claimed | {"evidence": "source_row"})
    assert shown.purposes["ads"].state == "given"
    unseen = {name: said for name, said in claimed.items() if name != "notice"}
    assert "ads" not in fold(unseen | {"evidence": "source_row"}).purposes


def test_of_noes_imported_for_one_instant_the_last_in_the_log_is_named() -> None:
    """Only a yes gives way to the no of its instant; a no follows a no as everywhere."""
    first = event("imported", 5, ads="refused")

    at = fold(first, event("imported", 5, record=1, ads="refused")).purposes["ads"]

    assert (at.state, at.record_id) == ("refused", "r-1")
