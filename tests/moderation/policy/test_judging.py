"""Verdicts: thresholds, reasons, and that a worse comment never fares better."""

from hypothesis import given
from hypothesis import strategies as st

from moderation.policy.judging import APPROVED, UNSCORED, Bands, Policy, judge
from moderation.policy.rules import Finding
from moderation.verdict import LABELS, Label, Reason, ReasonKind, Verdict

POLICY = Policy(
    "p-1", {Label.SPAM: Bands(0.4, 0.9), Label.TOXICITY: Bands(0.6), Label.INSULT: Bands(0.5)}
)
SEVERITY = [Verdict.APPROVE, Verdict.HOLD, Verdict.SPAM, Verdict.REJECT]
HONEYPOT = Finding(Verdict.SPAM, Reason(ReasonKind.RULE, "honeypot", "Filled in."))
LINKS = Finding(Verdict.HOLD, Reason(ReasonKind.RULE, "links", "Links."), of_strangers=True)

probability = st.floats(0, 1)
scores = st.lists(probability, min_size=8, max_size=8)
bands = st.lists(st.none() | probability, min_size=3, max_size=3).map(
    lambda given_: Bands(*_rising(given_))
)
policies = st.builds(Policy, st.just("any"), st.dictionaries(st.sampled_from(LABELS), bands))
findings = st.lists(
    st.builds(
        Finding,
        st.sampled_from(SEVERITY[1:]),
        st.just(HONEYPOT.reason),
        st.booleans(),
    ),
    max_size=3,
)


def _rising(given_: list[float | None]) -> list[float | None]:
    """Return bands in their order."""
    told = iter(sorted(at for at in given_ if at is not None))
    return [None if at is None else next(told) for at in given_]


def scored(**given_: float) -> list[float]:
    """Return a row of scores, 0 where nothing else is said."""
    return [given_.get(label.value, 0.0) for label in LABELS]


def test_nothing_over_its_threshold_is_approved() -> None:
    """Just below each, with labels that have none at their highest."""
    judged = judge(POLICY, scored(spam=0.39, toxicity=0.59, insult=0.49, obscene=1, threat=1))

    assert judged.verdict is Verdict.APPROVE
    assert judged.reasons == ()


def test_reaching_a_threshold_holds() -> None:
    """Equal is enough; the reason carries label, score and threshold."""
    judged = judge(POLICY, scored(toxicity=0.6))

    assert judged.verdict is Verdict.HOLD
    (reason,) = judged.reasons
    assert (reason.kind, reason.code) == (ReasonKind.SCORE, "toxicity_score")
    assert (reason.label, reason.score, reason.threshold) == (Label.TOXICITY, 0.6, 0.6)


def test_certain_spam_is_hidden() -> None:
    """Over the second threshold spam is spam, told once and against that threshold."""
    judged = judge(POLICY, scored(spam=0.95, insult=0.8))

    assert judged.verdict is Verdict.SPAM
    assert [(reason.label, reason.threshold) for reason in judged.reasons] == [
        (Label.SPAM, 0.9),
        (Label.INSULT, 0.5),
    ]


def test_reasons_come_strongest_first() -> None:
    """What lies furthest over its threshold is named first."""
    judged = judge(POLICY, scored(spam=0.5, toxicity=0.9, insult=0.7))

    labels = [reason.label for reason in judged.reasons]
    assert labels == [Label.TOXICITY, Label.INSULT, Label.SPAM]


def test_a_filled_honeypot_is_spam_whatever_the_scores() -> None:
    """The rule stands first among the reasons."""
    alone = judge(POLICY, scored(), [HONEYPOT])
    both = judge(POLICY, scored(toxicity=1), [HONEYPOT])

    assert (alone.verdict, [reason.code for reason in alone.reasons]) == (
        Verdict.SPAM,
        ["honeypot"],
    )
    assert [reason.code for reason in both.reasons] == ["honeypot", "toxicity_score"]


def test_what_cannot_be_scored_waits() -> None:
    """It is held with an error as its reason, never approved or hidden."""
    assert UNSCORED.verdict is Verdict.HOLD
    assert [reason.kind for reason in UNSCORED.reasons] == [ReasonKind.ERROR]


def test_what_has_no_scores_is_held_whatever_was_found() -> None:
    """An error is never made worse by a rule, nor milder by trust."""
    assert judge(POLICY, None, [HONEYPOT], trusted=True) == UNSCORED


def test_bands_are_by_label() -> None:
    """Each label has its own; only a policy that says so rejects."""
    policy = Policy("p", {Label.THREAT: Bands(0.5, None, 0.9), Label.INSULT: Bands(spam=0.8)})

    verdicts = [
        judge(policy, scored(**given_)).verdict
        for given_ in ({"threat": 0.89}, {"threat": 0.9}, {"insult": 0.79}, {"insult": 0.8})
    ]

    assert verdicts == [Verdict.HOLD, Verdict.REJECT, Verdict.APPROVE, Verdict.SPAM]


def test_trust_is_against_being_spam_not_against_being_rude() -> None:
    """A trusted author is not held for spam or for what strangers are held for; else as all."""
    held = judge(POLICY, scored(spam=0.5), [LINKS])
    trusted = judge(POLICY, scored(spam=0.5), [LINKS], trusted=True)
    rude = judge(POLICY, scored(spam=0.5, insult=0.6), [LINKS], trusted=True)
    hidden = judge(POLICY, scored(spam=0.95), [LINKS], trusted=True)
    caught = judge(POLICY, scored(), [HONEYPOT], trusted=True)

    assert held.verdict is Verdict.HOLD
    assert trusted == APPROVED
    assert [reason.code for reason in rude.reasons] == ["insult_score"]
    assert hidden.verdict is Verdict.SPAM
    assert caught.verdict is Verdict.SPAM


@given(policies, scores, scores, findings, findings, st.booleans())
def test_a_worse_comment_never_fares_better(
    policy: Policy,
    first: list[float],
    second: list[float],
    found: list[Finding],
    more: list[Finding],
    trusted: bool,  # noqa: FBT001
) -> None:
    """With every score at least as high and more found, the verdict is at least as severe."""
    worse = [max(pair) for pair in zip(first, second, strict=True)]

    before = judge(policy, first, found, trusted=trusted)
    after = judge(policy, worse, found + more, trusted=trusted)

    assert SEVERITY.index(after.verdict) >= SEVERITY.index(before.verdict)


@given(policies, scores, findings)
def test_trust_never_harms(policy: Policy, row: list[float], found: list[Finding]) -> None:
    """What a trusted author writes fares at least as well as what a stranger does."""
    stranger = judge(policy, row, found)
    trusted = judge(policy, row, found, trusted=True)

    assert trusted.verdict.severity <= stranger.verdict.severity


@given(policies, scores, findings)
def test_every_verdict_but_approve_has_reasons(
    policy: Policy, row: list[float], found: list[Finding]
) -> None:
    """Reasons and a verdict that needs them come together, and each reason is true."""
    judged = judge(policy, row, found)

    assert (judged.verdict is Verdict.APPROVE) == (judged.reasons == ())
    for reason in judged.reasons:
        if reason.kind is ReasonKind.SCORE:
            assert reason.score is not None
            assert reason.threshold is not None
            assert reason.score >= reason.threshold
    labels = [reason.label for reason in judged.reasons if reason.label]
    assert len(set(labels)) == len(labels)


@given(policies, scores)
def test_a_policy_without_such_bands_never_hides(policy: Policy, row: list[float]) -> None:
    """Without thresholds for spam and reject the worst that scores do is hold."""
    tame = Policy("tame", {label: Bands(given_.hold) for label, given_ in policy.bands.items()})

    assert judge(tame, row).verdict in {Verdict.APPROVE, Verdict.HOLD}
