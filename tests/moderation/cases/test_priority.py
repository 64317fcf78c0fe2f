"""Where a case stands in the queue: what comes first, and that nothing waits for ever."""

from datetime import UTC, datetime, timedelta
from math import log

from hypothesis import given
from hypothesis import strategies as st

from moderation.cases import priority
from moderation.cases.priority import Tier
from moderation.verdict import Label, Reason, ReasonKind, State

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
HARM = st.floats(0, 1)
REPORTS = st.floats(0, 1_000)
WAIT = st.floats(1, 8_760)
LOW = [0.01] * 8


def place(harm: float, opened: datetime, *, wait: float = 24.0, reports: float = 0.0) -> float:
    """Return the place of a held comment."""
    urgency = priority.urgency(harm, State.PENDING, reports)
    return priority.place(Tier.HELD, urgency, opened, wait_hours=wait)


def test_the_more_harmful_comes_first() -> None:
    """Of the same age; readers who report it, and readers who see it, move it forward."""
    assert place(0.9, NOON) < place(0.1, NOON)
    assert place(0.5, NOON, reports=3) < place(0.5, NOON)
    seen = priority.urgency(0.5, State.PUBLISHED, 1)
    assert seen > priority.urgency(0.5, State.PENDING, 1)


def test_urgency_is_worth_hours_as_the_formula_says() -> None:
    """What is worth 4, the most there is, passes what waits for the whole of its time."""
    seen = State.PUBLISHED

    assert priority.urgency(0.6, State.PENDING, 0) == 0.3
    assert round(priority.urgency(0.6, seen, 3), 6) == round(0.6 * (1 + log(4) / 2), 6)
    assert priority.urgency(1, seen, 10_000) == 4
    for urgency in (0, 1, 4):
        later = NOON + timedelta(hours=urgency * 24 / 4)
        moved = priority.place(Tier.HELD, urgency, later, wait_hours=24)
        assert round(moved, 6) == round(priority.place(Tier.HELD, 0, NOON, wait_hours=24), 6)


def test_of_the_same_urgency_the_older_comes_first() -> None:
    """To the second."""
    assert place(0.5, NOON) < place(0.5, NOON + timedelta(seconds=1))


@given(HARM, REPORTS, HARM, REPORTS, WAIT)
def test_nothing_newer_passes_what_has_waited_its_time(
    mild: float, few: float, grave: float, many: float, wait: float
) -> None:
    """However mild the one and grave the other, as long as they stand in one tier."""
    older = place(mild, NOON, wait=wait, reports=few)
    newer = place(grave, NOON + timedelta(hours=wait), wait=wait, reports=many)

    assert older <= newer + 1e-6


@given(HARM, REPORTS, WAIT, HARM, REPORTS, WAIT)
def test_sites_with_other_aims_stand_in_one_order(
    mild: float, few: float, wait: float, grave: float, many: float, other: float
) -> None:
    """What another site has passes nothing that is older by more than that site's aim."""
    older = place(mild, NOON, wait=wait, reports=few)
    newer = place(grave, NOON + timedelta(hours=other), wait=other, reports=many)

    assert older <= newer + 1e-6


@given(HARM, REPORTS, WAIT, st.integers(0, 80_000))
def test_a_tier_comes_before_the_next(harm: float, reports: float, wait: float, age: int) -> None:
    """However long something has waited in the next one."""
    urgency = priority.urgency(harm, State.PUBLISHED, reports)
    new = NOON + timedelta(hours=age)
    for tier in (Tier.TERM, Tier.DANGER, Tier.REPORTED):
        sooner = priority.place(tier, 0, new, wait_hours=wait)
        assert sooner < priority.place(tier + 1, urgency, NOON, wait_hours=wait)


def test_threats_and_what_is_reported_have_tiers_of_their_own() -> None:
    """A threat that reaches its threshold, and what readers see and report."""
    threat = Reason(ReasonKind.SCORE, "threat_score", "", Label.THREAT, 0.9, 0.5)

    assert priority.weigh([*LOW[:4], 0.9, *LOW[5:]], [threat]).dangerous
    assert priority.tier(State.PENDING, dangerous=True, reports=0) is Tier.DANGER
    assert priority.tier(State.PUBLISHED, dangerous=False, reports=0.5) is Tier.REPORTED
    assert priority.tier(State.PENDING, dangerous=False, reports=0.5) is Tier.HELD
    assert priority.tier(State.PUBLISHED, dangerous=False, reports=0) is Tier.HELD


def test_the_most_harmful_label_that_was_reached_is_told() -> None:
    """By weight and probability; doubt is the distance from the nearest threshold."""
    reasons = [
        Reason(ReasonKind.SCORE, "spam_score", "", Label.SPAM, 0.95, 0.5),
        Reason(ReasonKind.SCORE, "insult_score", "", Label.INSULT, 0.6, 0.5),
    ]
    scores = [0.95, *LOW[:3], 0.5, 0.6, *LOW[:2]]  # a threat would weigh more: it has no reason

    weighed = priority.weigh(scores, reasons)

    assert (weighed.label, weighed.reason) == (Label.INSULT, "insult_score")
    assert round(weighed.harm, 6) == 0.36
    assert round(weighed.doubt, 6) == 0.1


@given(st.floats(0, 1, exclude_max=True))
def test_what_nothing_moved_looks_like_the_rest(chance: float) -> None:
    """The blind sample: of the likeliest label, as harmful and as doubtful as what is held."""
    scores = [0.01, 0.02, *LOW[2:]]

    sampled = priority.weigh_unmoved(scores, chance)

    assert (sampled.label, sampled.reason) == (Label.TOXICITY, "toxicity_score")
    assert 0.3 * 0.6 <= sampled.harm < 0.6
    assert 0 <= sampled.doubt < 0.4
    assert not sampled.dangerous
    seen = priority.urgency(sampled.harm, State.PUBLISHED, 0)
    assert seen == priority.urgency(sampled.harm, State.PENDING, 0)


def test_what_a_rule_held_has_no_label() -> None:
    """Nor has what could not be scored; a reader's report of what nothing moved gives it one."""
    reported = priority.weigh(LOW, [])
    ruled = priority.weigh(LOW, [Reason(ReasonKind.RULE, "links", "")])
    unscored = priority.weigh(None, [Reason(ReasonKind.ERROR, "not_scored", "")])

    assert (reported.label, reported.reason) == (Label.THREAT, None)
    assert (ruled.label, ruled.reason, ruled.harm) == (None, "links", 0.5)
    assert (unscored.label, unscored.reason, unscored.harm) == (None, "not_scored", 0.5)


def test_what_was_stored_weighs_the_same() -> None:
    """Labels and reasons read from their JSON."""
    labels = {label.value: 0.01 for label in Label} | {"insult": 0.6}
    reason = {"kind": "score", "code": "insult_score", "label": "insult", "score": 0.6}

    weighed = priority.weigh_stored(labels, [{**reason, "threshold": 0.5}])

    assert (weighed.label, weighed.reason) == (Label.INSULT, "insult_score")
    assert priority.weigh_stored(None, []).harm == 0.5
