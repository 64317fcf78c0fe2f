"""Lists of parts and patterns see a text as people do, and links of Coral lead where they go."""

from datetime import UTC, datetime

import pytest

from moderation.compat.coral.plain import plain_text
from moderation.policy.matching import Kind, Listing
from moderation.policy.rules import Comment
from moderation.text.links import find_hosts
from moderation.verdict import Verdict

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "best ca\u200bsino",
        "best ca\u00adsino",
        "best ca<b></b>sino",
        "best c&#97;sino",
        "best \uff43\uff41\uff53\uff49\uff4e\uff4f",
        "best casino",
    ],
)
@pytest.mark.parametrize(
    ("kind", "entry"), [(Kind.CONTAINS, "CASINO"), (Kind.PATTERNS, r"(?i)best\s+casino")]
)
def test_an_entry_is_found_however_it_is_broken(text: str, kind: Kind, entry: str) -> None:
    """By what nobody sees, by empty markup, by a character's number, by another form."""
    listing = Listing("l", Verdict.SPAM, {kind: [entry]})

    assert listing.find(Comment(text, received=NOW)) is not None


def test_markup_itself_is_still_found() -> None:
    """The text as it was written is looked at as well."""
    listing = Listing("l", Verdict.SPAM, {Kind.CONTAINS: ["<script"]})

    assert listing.find(Comment("a <script>x</script>", received=NOW)) is not None


@pytest.mark.parametrize(
    "address", ["//evil.example/x", "\\\\evil.example", "ht\ntp://evil.example"]
)
def test_corals_links_lead_where_browsers_go(address: str) -> None:
    """Without a scheme, with other slashes, with breaks inside."""
    text = plain_text(f'<p>Look <a href="{address}">here</a></p>')

    assert find_hosts(text) == ["evil.example"]


def test_what_stands_on_two_lines_is_no_one_word() -> None:
    """Markup within a line joins, what begins another line does not."""
    listing = Listing("l", Verdict.SPAM, {Kind.CONTAINS: ["casino"]})

    assert listing.find(Comment("<p>mi casa</p><p>si, no?</p>", received=NOW)) is None
    assert listing.find(Comment("in casa<br>in order", received=NOW)) is None


def test_what_is_allowed_is_allowed_as_it_was_written() -> None:
    """Markup may hide what nobody would allow."""
    allowed = Listing("l", Verdict.APPROVE, {Kind.PATTERNS: ["^thank you$"]})

    assert allowed.find(Comment("thank you", received=NOW)) is not None
    assert allowed.find(Comment("thank <!--spam-->you", received=NOW)) is None
