"""What an Akismet client says of a comment: a few fields of many, named the same way each time."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.compat.akismet import check
from moderation.compat.akismet.form import Form
from moderation.wire.strict import TEXT_LIMIT

FIELDS = {
    "api_key": "0123456789ab",
    "blog": "https://blog.example.org",
    "user_ip": "198.51.100.7",
    "user_agent": "Mozilla/5.0",
    "referrer": "https://search.example/",
    "permalink": "https://blog.example.org/2026/11/tea",
    "comment_type": "comment",
    "comment_author": "Ann",
    "comment_author_email": "Ann@Example.org",
    "comment_author_url": "https://ann.example.org",
    "comment_content": "I'd like more tea.",
    "comment_date_gmt": "2026-11-28 08:00:00",
    "comment_post_modified_gmt": "2026-11-01T07:00:00Z",
    "comment_post_ID": "17",
    "comment_parent": "0",
    "user_ID": "0",
}


def read(*, slashed: bool = False, **changed: str) -> check.Check:
    """Read the form with some fields changed."""
    return check.read(Form(urlencode(FIELDS | changed).encode()), slashed=slashed)


def test_fields_find_their_places() -> None:
    """The text, who wrote it, where, when."""
    given = read().submission

    assert given.text == "I'd like more tea."
    assert given.author.name == "Ann"
    assert str(given.author.ip) == "198.51.100.7"
    assert (given.author.id, given.parent_id) == (None, None)
    assert given.thread_id == "17"
    assert given.submitted == datetime(2026, 11, 28, 8, tzinfo=UTC)
    assert given.thread_published == datetime(2026, 11, 1, 7, tzinfo=UTC)
    details = json.loads(given.details)
    assert details["author"]["email"] == "Ann@Example.org"
    assert details["thread"]["url"] == "https://blog.example.org/2026/11/tea"
    assert details["origin_details"] == {
        "comment_type": "comment",
        "referrer": "https://search.example/",
    }


def test_nothing_else_is_kept() -> None:
    """No cookie, no authorization, no address, no field of a form that nobody named."""
    given = read(
        HTTP_COOKIE="canary",
        HTTP_AUTHORIZATION="canary",
        REMOTE_ADDR="canary",
        POST_password="canary",
        honeypot_field_name="trap",
        trap="canary",
    ).submission

    assert "canary" not in repr(given)
    assert FIELDS["user_ip"] not in given.details
    assert given.honeypot_filled


def test_a_comment_is_known_again() -> None:
    """By WordPress as it was submitted, as it was stored and cleaned, whoever asks about it."""
    name = read().submission.external_id

    for changed in (
        {"comment_content": "I\\'d  like\r\nmore tea.", "comment_author": "Ann"},
        {"comment_content": "<p>I&#39;d like <b>more</b> tea.</p>"},
        {"comment_author_email": "ann@example.org", "user_ip": "203.0.113.1", "reporter": "eva"},
        {"comment_date_gmt": "", "user_agent": "", "comment_type": "", "comment_post_ID": ""},
    ):
        assert read(**changed).submission.external_id == name, changed
    for changed in (
        {"comment_content": "I'd like less tea."},
        {"comment_author": "Ben"},
        {"comment_author_email": "ben@example.org"},
        {"permalink": "https://blog.example.org/2026/11/coffee"},
    ):
        assert read(**changed).submission.external_id != name, changed


def test_an_author_is_known_again() -> None:
    """As WordPress cleans a name before it stores it: that is what its rechecks send."""
    name = read(comment_author="Tom & O'Hara").submission.external_id

    for stored in ("Tom &amp; O'Hara", "Tom &amp; O\\'Hara", "<b>Tom</b>  & O'Hara"):
        assert read(comment_author=stored).submission.external_id == name, stored
    assert read(comment_author="Tom O'Hara").submission.external_id != name


@pytest.mark.parametrize("text", ["tea {}", '<a href="http://a.example/{}">tea</a>'])
def test_a_reference_without_end_is_read(text: str) -> None:
    """Python's own reader raises on thousands of digits, and whoever wrote them went unchecked."""
    first, second = (text.format(f"&#{digit * 5000};") for digit in "19")

    name = read(comment_content=first).submission.external_id
    assert read(comment_content=second).submission.external_id == name
    assert read(comment_content=text.format("b")).submission.external_id != name


def test_a_comment_that_leads_elsewhere_is_another() -> None:
    """What a link looks like does not count, but where it leads does, however it is written."""
    linked = '<a href="http://a.example/?b=1&section=2">I like</a> tea.'
    name = read(comment_content=linked).submission.external_id

    for same in (
        linked.replace('"', '\\"'),
        linked.replace("<a", "<a rel='nofollow ugc'"),
        linked.replace("&", "&amp;"),
        linked.replace('"', "'"),
        linked.replace(' href="', '/HREF = "'),
        f"<p>{linked}</p>",
        linked.replace("<a", "<a title=' href=\"'"),
    ):
        assert read(comment_content=same).submission.external_id == name, same
    others = (
        "I like tea.",
        linked.replace("a.example", "b.example"),
        linked.replace("<a", "<a title=' href=\"'").replace("a.example", "c.example"),
        linked.replace("<a", '<a title="x"').replace('" href', '"href').replace(".e", ".f"),
        f"{linked}<img src=//a.example/1>",
        f"{linked}<img src=//a.example/2>",
        "<a href=http://a.example/?b=1&section=2>I like</a> < http://a.example > tea.",
        "I like < http://a.example > tea.",
        "I like < http://b.example > tea.",
        '<a href="javascript:a">I like</a> tea.',
        '<a href="/a">I like</a> tea.',
        '<a href="/b>I like</a> tea.',
    )
    named = {read(comment_content=each).submission.external_id for each in (linked, *others)}
    assert len(named) == 1 + len(others)


def test_a_link_that_shows_where_it_leads_is_its_words() -> None:
    """Clients make such links of plain addresses, and unmake them."""
    shown = "Look: http://a.example"

    linked = 'Look: <a href="http://a.example">http://a.example</a>'

    assert check.said(shown) == check.said(linked) == (shown,)


def test_slashes_of_wordpress_go() -> None:
    """It slashes what it sends first, and not what it sends later; others mean what they write."""
    assert read(slashed=True, comment_content="I\\'d \\\\o/").submission.text == "I'd \\o/"
    assert read(comment_content="I\\'d").submission.text == "I\\'d"


def test_a_registration_is_its_name() -> None:
    """Where nothing is said there is somebody who says it."""
    given = read(comment_content="", comment_type="signup").submission

    assert given.text == "Ann https://ann.example.org"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-10T08:00:00+01:00", datetime(2026, 1, 10, 7, tzinfo=UTC)),
        ("1768032000", datetime(2026, 1, 10, 8, tzinfo=UTC)),
        ("0000-00-00 00:00:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("99999999999999999999", None),
        ("", None),
    ],
)
def test_instants(text: str, expected: datetime | None) -> None:
    """ISO 8601, SQL, seconds; what is no instant is left out."""
    assert read(comment_date_gmt=text).submission.submitted == expected


def test_those_who_test_are_known() -> None:
    """By Akismet's own names and address; an administrator by the role."""
    assert read(comment_author="akismet-guaranteed-spam").is_spammer
    assert read(comment_author="viagra-test-123").is_spammer
    assert read(comment_author_email="akismet-guaranteed-spam@example.com").is_spammer
    assert read(user_role="administrator").is_administrator
    assert read(user_role="bbp_keymaster,administrator").is_administrator
    assert not read(user_role="administrators").is_administrator
    assert read(is_test="true").is_test
    assert read(is_test="1").is_test
    assert not read(is_test="0").is_test


def test_long_values_are_the_same_with_slashes_and_without() -> None:
    """What WordPress puts before quotes is taken away before a value is cut."""
    said = {
        "comment_content": '"' * 60_000 + "a" * 50_000,
        "comment_author": "O'" * 200,
        "permalink": "https://blog.example.org/" + "'" * 2_000,
    }
    slashed = {name: re.sub("(['\"])", r"\\\1", value) for name, value in said.items()}

    plain, wordpress = read(**said).submission, read(slashed=True, **slashed).submission

    assert len(plain.text) == TEXT_LIMIT
    assert plain == wordpress


def test_what_is_missing_is_named() -> None:
    """The address of the site and of the visitor, be it empty; WordPress may call it otherwise."""
    assert check.missing(Form(b"user_ip=1.2.3.4")) == "blog"
    assert check.missing(Form(b"blog=x")) == "user_ip"
    assert check.missing(Form(b"blog=&user_ip=1.2.3.4")) == "blog"
    assert check.missing(Form(b"blog=x&comment_author_IP=1.2.3.4")) is None
    assert check.missing(Form(b"blog=x&user_ip=")) is None


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.binary(max_size=80)))
def test_any_values_are_read(fields: dict[str, bytes]) -> None:
    """Nothing raises; what comes of it can be stored."""
    found = check.read(Form(urlencode(fields).encode()), slashed=True).submission

    for text in (found.text, found.details, found.external_id, found.thread_id or ""):
        assert "\0" not in text
        text.encode()
