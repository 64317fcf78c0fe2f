"""Rules: each alone, with its boundary and its words; what is allowed, and who is trusted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.policy.judging import APPROVED, Policy, judge
from moderation.policy.matching import Kind, Listing
from moderation.policy.rules import (
    NO_RULES,
    Comment,
    Delay,
    History,
    Languages,
    Limit,
    Rules,
    Steps,
)
from moderation.policy.traits import Author
from moderation.verdict import LABELS, Verdict

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
LINKS = "http://a.example.com http://b.example.com http://c.example.net"
BAD = Listing("bad", Verdict.SPAM, {Kind.WORDS: ["pills"]})
RUDE = Listing("rude", Verdict.HOLD, {Kind.WORDS: ["fool"]})
GOOD = Listing(
    "good", Verdict.APPROVE, {Kind.EMAILS: ["@example.org"], Kind.DOMAINS: ["example.com"]}
)


def look(rules: Rules, text: str = "hello", **more: Any) -> list[tuple[Verdict, str]]:  # noqa: ANN401
    """Return verdict and code of what a comment gives rise to."""
    found = rules.look(Comment(text, received=NOW, **more))
    return [(finding.verdict, finding.reason.code) for finding in found]


def compare(rules: Rules, **history: Any) -> list[tuple[Verdict, str]]:  # noqa: ANN401
    """Return verdict and code of what other comments give rise to."""
    found, _ = rules.compare(History(**history))
    return [(finding.verdict, finding.reason.code) for finding in found]


def test_without_rules_only_the_honeypot_is_looked_at() -> None:
    """The policy of a site that set none asks nothing else, and asks nothing of others."""
    assert look(NO_RULES, LINKS) == []
    assert look(NO_RULES, honeypot_filled=True) == [(Verdict.SPAM, "honeypot")]
    assert not NO_RULES.compares


def test_the_honeypot_is_the_sites() -> None:
    """It may hold instead, or be ignored."""
    assert look(Rules(honeypot=Verdict.HOLD), honeypot_filled=True) == [(Verdict.HOLD, "honeypot")]
    assert look(Rules(honeypot=None), honeypot_filled=True) == []


def test_everything_can_be_held() -> None:
    """The switch holds the most harmless comment."""
    assert look(Rules(hold_everything=True)) == [(Verdict.HOLD, "hold_everything")]


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        (Steps(hold=4), []),
        (Steps(hold=3), [(Verdict.HOLD, "links")]),
        (Steps(hold=1, spam=3), [(Verdict.SPAM, "links")]),
        (Steps(hold=1, spam=2, reject=3), [(Verdict.REJECT, "links")]),
    ],
)
def test_links_are_counted(steps: Steps, found: list[tuple[Verdict, str]]) -> None:
    """The most severe step that is reached counts, once."""
    assert look(Rules(links=steps), LINKS) == found


def test_links_without_spaces_are_counted_each() -> None:
    """And one that ends oddly is one."""
    text = "http://a.org,http://b.org,http://c.org~"

    assert look(Rules(links=Steps(hold=3)), text) == [(Verdict.HOLD, "links")]
    assert look(Rules(links=Steps(hold=4)), text) == []


def test_allowed_domains_are_no_links() -> None:
    """Two of three links lead to where they may."""
    assert look(Rules(links=Steps(hold=2), lists=(GOOD,)), LINKS) == []
    assert look(Rules(links=Steps(hold=1), lists=(GOOD,)), LINKS) == [(Verdict.HOLD, "links")]


def test_every_list_that_matches_is_named() -> None:
    """Each with its own verdict, by its number and name, without the words of the comment."""
    rules = Rules(lists=(RUDE, BAD))

    found = rules.look(Comment("pills, you fool", received=NOW))

    assert look(rules, "pills, you fool") == [(Verdict.HOLD, "list"), (Verdict.SPAM, "list")]
    assert found[1].reason.detail == "Entry 1 of words in the list bad matches."


def test_what_is_allowed_beats_what_is_blocked() -> None:
    """By any entry of any allowing list, whatever stands first; other rules go on."""
    friend = Author(email="ann@example.org")
    rules = Rules(lists=(BAD, GOOD), hold_everything=True)

    assert look(Rules(lists=(BAD, GOOD)), "pills", author=friend) == []
    assert look(Rules(lists=(GOOD, BAD)), "pills http://example.com") == []
    assert look(Rules(lists=(GOOD, BAD)), "pills") == [(Verdict.SPAM, "list")]
    assert look(rules, "pills", author=friend) == [(Verdict.HOLD, "hold_everything")]


def test_a_comment_takes_time_to_write() -> None:
    """From when the form was shown to when it was sent, or else came in."""
    rules = Rules(too_fast=Delay(timedelta(seconds=5)))
    sent = NOW - timedelta(minutes=1)

    assert look(rules) == []
    assert look(rules, form_shown=NOW - timedelta(seconds=5)) == []
    assert look(rules, form_shown=NOW - timedelta(seconds=4)) == [(Verdict.HOLD, "too_fast")]
    assert look(rules, form_shown=sent - timedelta(seconds=9), submitted=sent) == []
    # A clock that goes wrong tells nothing in the comment's favour.
    assert look(rules, form_shown=NOW + timedelta(days=1)) == [(Verdict.HOLD, "too_fast")]


def test_a_thread_grows_old() -> None:
    """A comment later than so many days after the thread was published is held."""
    rules = Rules(old_thread=Delay(timedelta(days=14), Verdict.SPAM))

    assert look(rules) == []
    assert look(rules, thread_published=NOW - timedelta(days=14)) == []
    assert look(rules, thread_published=NOW - timedelta(days=14, seconds=1)) == [
        (Verdict.SPAM, "old_thread")
    ]


@pytest.mark.parametrize(("known", "held"), [(True, False), (False, True), (None, False)])
def test_a_language_the_model_does_not_know_is_held_where_asked(
    known: bool | None,  # noqa: FBT001
    held: bool,  # noqa: FBT001
) -> None:
    """What the model cannot tell is no reason, and by default nothing is."""
    asked = look(Rules(language_unknown=Verdict.HOLD), known=known)

    assert asked == [(Verdict.HOLD, "language_unknown")] * held
    assert not look(Rules(), known=known)


@pytest.mark.parametrize(
    ("language", "held"), [("en", False), ("EN-gb", False), ("en_US", False), ("ru", True)]
)
def test_a_language_is_expected(language: str, held: bool) -> None:  # noqa: FBT001
    """By its primary subtag; what says nothing is not held."""
    rules = Rules(language=Languages(frozenset({"en", "de"})))

    assert bool(look(rules, language=language)) is held
    assert look(rules) == []


@pytest.mark.parametrize(
    ("rule", "count", "code"),
    [
        ("author_flood", "by_author", "author_flood"),
        ("address_flood", "by_address", "address_flood"),
        ("domain_flood", "by_domain", "domain_flood"),
        ("same", "same", "duplicate"),
        ("alike", "alike", "near_duplicate"),
    ],
)
def test_limits_are_of_one_thing_each(rule: str, count: str, code: str) -> None:
    """As many as the limit are too many with this one; other counts do not matter."""
    rules = Rules(**{rule: Limit(3, 10, Verdict.SPAM)})
    others = {"by_author": 9, "by_address": 9, "by_domain": 9, "same": 9, "alike": 9}

    assert rules.compares
    assert compare(rules, **{**others, count: 2}) == []
    assert compare(rules, **{count: 3}) == [(Verdict.SPAM, code)]


def test_the_first_time_is_until_something_is_published() -> None:
    """Held, hidden and refused comments do not count, nor do authors who cannot be told apart."""
    rules = Rules(first_time=Verdict.HOLD)

    assert compare(rules) == [(Verdict.HOLD, "first_time")]
    assert compare(rules, states=["pending", "spam"]) == [(Verdict.HOLD, "first_time")]
    assert compare(rules, states=["pending", "published"]) == []


@pytest.mark.parametrize(
    ("states", "trusted"),
    [
        ([], False),
        (["published"], False),
        (["published", "pending", "published"], True),
        (["published", "published", "spam"], False),
        (["rejected", "published", "published"], False),
        (["published", "removed", "published"], False),
    ],
)
def test_trust_is_earned_and_lost(states: list[str], trusted: bool) -> None:  # noqa: FBT001
    """After so many published comments, and none that was refused."""
    assert Rules(trusted=2).compare(History(states)) == ([], trusted)
    assert Rules().compare(History(states)) == ([], False)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (lambda verdict: {"links": Steps(**{verdict.value: 1})}, "links"),
        (lambda verdict: {"too_fast": Delay(timedelta(seconds=5), verdict)}, "too_fast"),
        (lambda verdict: {"old_thread": Delay(timedelta(days=1), verdict)}, "old_thread"),
        (lambda verdict: {"language": Languages(frozenset({"de"}), verdict)}, "language"),
    ],
)
@pytest.mark.parametrize("verdict", [Verdict.HOLD, Verdict.SPAM, Verdict.REJECT])
def test_trust_ends_holding_alone(
    rule: Callable[[Verdict], dict[str, Any]], code: str, verdict: Verdict
) -> None:
    """A rule whose verdict is spam or reject is as good for a trusted author as for any."""
    comment = Comment(
        "http://example.com",
        received=NOW,
        form_shown=NOW,
        thread_published=NOW - timedelta(days=9),
        language="en",
    )
    policy = Policy("p", {}, Rules(**rule(verdict)))

    found = policy.rules.look(comment)
    trusted = judge(policy, [0.0] * len(LABELS), found, trusted=True)

    assert [(finding.verdict, finding.reason.code) for finding in found] == [(verdict, code)]
    assert trusted == APPROVED if verdict is Verdict.HOLD else trusted.verdict is verdict


@given(st.text(max_size=200))
def test_reasons_never_quote_the_comment(text: str) -> None:
    """Every detail is the same for two comments that are found alike."""
    rules = Rules(lists=(BAD,), hold_everything=True)

    first = rules.look(Comment(f"pills {text}", received=NOW))
    second = rules.look(Comment("pills", received=NOW))

    assert first == second
