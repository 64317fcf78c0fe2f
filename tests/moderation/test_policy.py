"""Verdicts: thresholds, reasons, and that a worse comment never fares better."""

from hypothesis import given
from hypothesis import strategies as st

from moderation.policy import UNSCORED, Facts, Policy, judge
from moderation.verdict import LABELS, Label, ReasonKind, Verdict

POLICY = Policy("p-1", {Label.SPAM: 0.4, Label.TOXICITY: 0.6, Label.INSULT: 0.5}, 0.9)
SEVERITY = [Verdict.APPROVE, Verdict.HOLD, Verdict.SPAM, Verdict.REJECT]

probability = st.floats(0, 1)
scores = st.lists(probability, min_size=8, max_size=8)
policies = st.builds(
    Policy,
    st.just("any"),
    st.dictionaries(st.sampled_from(LABELS), probability),
    st.none() | probability,
)


def scored(**given_: float) -> list[float]:
    """Return a row of scores, 0 where nothing else is said."""
    return [given_.get(label.value, 0.0) for label in LABELS]


def test_nothing_over_its_threshold_is_approved() -> None:
    """Just below each, with labels that have none at their highest."""
    judged = judge(
        POLICY, scored(spam=0.39, toxicity=0.59, insult=0.49, obscene=1, threat=1), Facts()
    )

    assert judged.verdict is Verdict.APPROVE
    assert judged.reasons == ()


def test_reaching_a_threshold_holds() -> None:
    """Equal is enough; the reason carries label, score and threshold."""
    judged = judge(POLICY, scored(toxicity=0.6), Facts())

    assert judged.verdict is Verdict.HOLD
    (reason,) = judged.reasons
    assert (reason.kind, reason.code) == (ReasonKind.SCORE, "toxicity_score")
    assert (reason.label, reason.score, reason.threshold) == (Label.TOXICITY, 0.6, 0.6)


def test_certain_spam_is_hidden() -> None:
    """Over the second threshold spam is spam, told once and against that threshold."""
    judged = judge(POLICY, scored(spam=0.95, insult=0.8), Facts())

    assert judged.verdict is Verdict.SPAM
    assert [(reason.label, reason.threshold) for reason in judged.reasons] == [
        (Label.SPAM, 0.9),
        (Label.INSULT, 0.5),
    ]


def test_reasons_come_strongest_first() -> None:
    """What lies furthest over its threshold is named first."""
    judged = judge(POLICY, scored(spam=0.5, toxicity=0.9, insult=0.7), Facts())

    labels = [reason.label for reason in judged.reasons]
    assert labels == [Label.TOXICITY, Label.INSULT, Label.SPAM]


def test_a_filled_honeypot_is_spam_whatever_the_scores() -> None:
    """The rule stands first among the reasons."""
    alone = judge(POLICY, scored(), Facts(honeypot_filled=True))
    both = judge(POLICY, scored(toxicity=1), Facts(honeypot_filled=True))

    assert (alone.verdict, [reason.code for reason in alone.reasons]) == (
        Verdict.SPAM,
        ["honeypot"],
    )
    assert [reason.code for reason in both.reasons] == ["honeypot", "toxicity_score"]


def test_what_cannot_be_scored_waits() -> None:
    """It is held with an error as its reason, never approved or hidden."""
    assert UNSCORED.verdict is Verdict.HOLD
    assert [reason.kind for reason in UNSCORED.reasons] == [ReasonKind.ERROR]


@given(policies, scores, scores, st.booleans(), st.booleans())
def test_a_worse_comment_never_fares_better(
    policy: Policy,
    first: list[float],
    second: list[float],
    caught: bool,  # noqa: FBT001
    also: bool,  # noqa: FBT001
) -> None:
    """With every score at least as high, the verdict is at least as severe."""
    worse = [max(pair) for pair in zip(first, second, strict=True)]

    before = judge(policy, first, Facts(caught))
    after = judge(policy, worse, Facts(caught or also))

    assert SEVERITY.index(after.verdict) >= SEVERITY.index(before.verdict)


@given(policies, scores, st.booleans())
def test_every_verdict_but_approve_has_reasons(
    policy: Policy,
    row: list[float],
    caught: bool,  # noqa: FBT001
) -> None:
    """Reasons and a verdict that needs them come together, and each reason is true."""
    judged = judge(policy, row, Facts(caught))

    assert (judged.verdict is Verdict.APPROVE) == (judged.reasons == ())
    assert judged.verdict is not Verdict.REJECT
    for reason in judged.reasons:
        if reason.kind is ReasonKind.SCORE:
            assert reason.score is not None
            assert reason.threshold is not None
            assert reason.score >= reason.threshold
    labels = [reason.label for reason in judged.reasons]
    assert len(set(labels)) == len(labels)


@given(policies, scores)
def test_a_policy_that_hides_nothing_never_hides(policy: Policy, row: list[float]) -> None:
    """Without a second threshold for spam the worst that scores do is hold."""
    tame = Policy("tame", policy.hold, None)

    assert judge(tame, row, Facts()).verdict in {Verdict.APPROVE, Verdict.HOLD}
