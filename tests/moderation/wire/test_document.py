"""Policies as sites write them: strict, bounded, every error with both sides."""

import json
from datetime import timedelta
from typing import Any

import pytest

from moderation.errors import PatternInvalid, PolicyInvalid
from moderation.policy.judging import Bands
from moderation.policy.matching import Kind
from moderation.policy.rules import NO_RULES, Delay, Languages, Limit, Rules, Steps
from moderation.verdict import Label, Verdict
from moderation.wire import document

BANDS = {Label.SPAM: Bands(0.25, 0.9), Label.THREAT: Bands(0.5)}
WHOLE = """
hold_everything = true
[honeypot]
verdict = "hold"
[thresholds.spam]
hold = 0.3
[thresholds.threat]
[thresholds.insult]
hold = 0.5
reject = 0.95
[[lists]]
name = "bad"
verdict = "spam"
words = ["pills"]
patterns = ["(?i)b[uo]y"]
networks = ["192.0.2.0/24"]
[links]
hold = 3
[too_fast]
seconds = 2
[old_thread]
days = 14
verdict = "reject"
[language]
accepted = ["en"]
[first_time]
[trusted]
approvals = 5
[flood]
author = {limit = 5, minutes = 10}
address = {limit = 9, minutes = 1440, verdict = "spam"}
domain = {limit = 3, minutes = 60}
[duplicates]
exact = {limit = 1, minutes = 43200}
near = {limit = 2, minutes = 60}
"""


def refusal(content: Any) -> str:  # noqa: ANN401 - JSON
    """Return why a policy is refused."""
    with pytest.raises(PolicyInvalid) as caught:
        document.read_json(json.dumps(content))
    return str(caught.value)


def test_everything_can_be_said() -> None:
    """Each member becomes its rule; a label's thresholds replace the model's, `{}` ends them."""
    policy = document.read_toml(WHOLE).policy("7", BANDS)

    assert policy.version == "7"
    assert policy.bands == {
        Label.SPAM: Bands(0.3),
        Label.THREAT: Bands(),
        Label.INSULT: Bands(0.5, None, 0.95),
    }
    (listing,) = policy.rules.lists
    assert (listing.name, listing.verdict) == ("bad", Verdict.SPAM)
    assert listing.entries[Kind.NETWORKS] == ("192.0.2.0/24",)
    assert policy.rules == Rules(
        hold_everything=True,
        honeypot=Verdict.HOLD,
        lists=(listing,),
        links=Steps(3),
        too_fast=Delay(timedelta(seconds=2)),
        old_thread=Delay(timedelta(days=14), Verdict.REJECT),
        language=Languages(frozenset({"en"})),
        first_time=Verdict.HOLD,
        trusted=5,
        author_flood=Limit(5, 10),
        address_flood=Limit(9, 1440, Verdict.SPAM),
        domain_flood=Limit(3, 60),
        same=Limit(1, 43200),
        alike=Limit(2, 60),
    )


def test_saying_nothing_is_the_default_policy() -> None:
    """The model's thresholds and the honeypot; a honeypot that approves is none."""
    assert document.read_json("{}").policy("1", BANDS).bands == BANDS
    assert document.read_json("{}").policy("1", BANDS).rules == NO_RULES
    ignored = document.read_json('{"honeypot": {"verdict": "approve"}}').policy("1", BANDS)
    assert ignored.rules == Rules(honeypot=None)


def test_a_policy_is_written_as_it_was_read() -> None:
    """Only what was set, and the same when it is read again."""
    given = document.read_toml(WHOLE)

    assert document.read_json(given.to_json()) == given
    assert document.read_json("{}").to_json() == "{}"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([], "policy: Input should be an object, got []"),
        ({"lniks": 1}, "policy: expected one of thresholds, hold_everything, "),
        ({"links": {"hold": 0}}, "links.hold: Input should be greater than or equal to 1, got 0"),
        ({"links": {"hold": "3"}}, "links.hold: Input should be a valid integer, got '3'"),
        ({"links": {"held": 3}}, "links: expected one of hold, spam, reject, got held"),
        ({"thresholds": {"spma": {}}}, "thresholds: expected one of spam, toxicity, "),
        ({"thresholds": {"spam": {"hold": 1.5}}}, "thresholds.spam.hold: Input should be less"),
        (
            {"thresholds": {"spam": {"hold": 0.9, "spam": 0.5}}},
            "thresholds.spam: expected hold, spam and reject to rise in this order, they do not",
        ),
        (
            {"flood": {"address": {"limit": 1, "minutes": 1441}}},
            "flood.address.minutes: Input should be less than or equal to 1440, got 1441",
        ),
        ({"lists": [{"name": "a"}]}, "lists.0.verdict: Field required"),
        (
            {"lists": [{"name": "a", "verdict": "hold", "patterns": ["(x"]}]},
            "lists.0.patterns.0: expected a pattern as RE2 takes it, got one with: missing )",
        ),
        (
            {"lists": [{"name": "a", "verdict": "hold", "networks": ["x"]}]},
            "lists.0.networks.0: expected a network such as",
        ),
        (
            {"lists": [{"name": "a", "verdict": "hold"}] * 2},
            "policy: expected lists of different names, got one name twice",
        ),
        (
            {"lists": [{"name": str(at), "verdict": "hold"} for at in range(21)]},
            "lists: List should have at most 20 items",
        ),
        (
            {
                "lists": [
                    {"name": name, "verdict": "hold", "contains": ["x"] * 50_001}
                    for name in ("a", "b")
                ]
            },
            "policy: expected at most 100000 entries in all lists, got 100002",
        ),
        ({"lists": [{"name": "a", "verdict": "hold", "words": ["x" * 257]}]}, "256 characters"),
        ({"lists": [{"name": "a\0", "verdict": "hold"}]}, "expected text without U+0000"),
        ({"language": {"accepted": []}}, "language.accepted: List should have at least 1 item"),
        ({"language": {"accepted": ["english"]}}, "language.accepted.0: String should match"),
        ({"first_time": {"verdict": "approve"}}, "first_time.verdict: Input should be 'hold'"),
    ],
)
def test_what_is_wrong_is_told(content: Any, told: str) -> None:  # noqa: ANN401 - JSON
    """With its place, what was expected and what came."""
    assert told in refusal(content)


def test_what_is_no_toml_is_told() -> None:
    """A syntax error with its line, and a date, which no member is."""
    with pytest.raises(PolicyInvalid, match=r"expected TOML, got: .*line 1"):
        document.read_toml("hold = \n[links]")
    with pytest.raises(PolicyInvalid, match=r"links\.hold"):
        document.read_toml("[links]\nhold = 2026-11-28")


@pytest.mark.parametrize(
    "value", ["[" * 5_000 + "]" * 5_000, "[" * 280 + "]" * 280, "9" * 5_000, "9" * 20]
)
def test_what_no_policy_holds_is_told(value: str) -> None:
    """Brackets in brackets and numbers without end are refused like anything else."""
    with pytest.raises(PolicyInvalid, match=r"expected TOML, got|links\.hold"):
        document.read_toml(f"[links]\nhold = {value}")


def test_patterns_that_are_too_large_together_are_refused_when_compiled() -> None:
    """Each alone is taken; the list is not."""
    patterns = [f"a[ab]{{900}}{at}" for at in range(30)]
    given = {"lists": [{"name": "a", "verdict": "hold", "patterns": patterns}]}

    with pytest.raises(PatternInvalid, match="together"):
        document.read_json(json.dumps(given)).policy("1", {})
