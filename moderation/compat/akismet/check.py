"""What an Akismet client says of a comment, in the words of this house.

Pure. From the thousands of fields that a client may send only these are kept: no cookie, no
header of the visitor's, no form field but the named honeypot.
"""

import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

import orjson

from moderation.compat.akismet.form import Form
from moderation.policy.pseudonym import Address
from moderation.policy.traits import Author
from moderation.screening import Submission
from moderation.verdict import Origin
from moderation.wire.strict import TEXT_LIMIT

LONG = 2_048
SHORT = 256
CONTEXTS = 20
SPAMMERS = frozenset({"akismet-guaranteed-spam", "viagra-test-123"})
SPAMMERS_ADDRESS = "akismet-guaranteed-spam@example.com"

_FIELDS = {
    "comment_content": TEXT_LIMIT,
    "comment_author": SHORT,
    "comment_author_email": SHORT,
    "comment_author_url": LONG,
    "comment_author_IP": SHORT,
    "comment_date_gmt": SHORT,
    "comment_post_modified_gmt": SHORT,
    "permalink": LONG,
    "user_ip": SHORT,
    "user_role": SHORT,
    "user_ID": SHORT,
    "user_id": SHORT,
    "user_agent": LONG,
    "comment_post_ID": SHORT,
    "comment_parent": SHORT,
    "comment_type": SHORT,
    "content_type": SHORT,
    "referrer": LONG,
    "recheck_reason": SHORT,
    "reporter": SHORT // 2,
    "honeypot_field_name": SHORT,
    "callback": LONG,
}
"""What is read of a comment, and how many characters of it."""

_TAG = re.compile(r"<[A-Za-z/!?][^<>]*>")
# One after the other, as a browser reads them: no value of one is taken for another.
_ATTRIBUTE = re.compile(r"""([^\s/>=]++)(?:\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s>]++)))?""")
_LEADING = frozenset({"href", "src", "action", "formaction"})
# Python reads no number of thousands of digits, and this names no character.
_ENDLESS = re.compile("&#[0-9]{1000,};?")
_SLASHED = re.compile(r"\\(['\"\\])")
_SQL = "0000-00-00"


class Check(NamedTuple):
    """A comment as a client sends it, to be checked or judged."""

    submission: Submission
    is_test: bool
    is_administrator: bool
    is_spammer: bool
    """Whether the author is one of those that clients test with."""

    is_retry: bool
    """Whether WordPress asks again what it could not be told, and publishes what is no spam."""

    callback: str
    classify: bool
    reporter: str


def missing(form: Form) -> str | None:
    """Return the name of the first compulsory field that is not there."""
    if not form.get("blog"):
        return "blog"
    # It may be empty: Coral tells no address unless it is set so, and none when people decide.
    return None if form.has("user_ip") or form.has("comment_author_IP") else "user_ip"


def read(form: Form, *, slashed: bool) -> Check:
    """Read a form; *slashed* where quotes come with backslashes, as WordPress sends them."""
    text = form.pick(_FIELDS, _unslashed if slashed else None).get
    content = text("comment_content", "")
    name, email = text("comment_author", ""), text("comment_author_email", "")
    url, permalink = text("comment_author_url", ""), text("permalink", "")
    role = text("user_role", "")
    author = Author(
        id=_given(text("user_ID") or text("user_id"), "0"),
        name=name or None,
        email=email or None,
        url=url or None,
        ip=_address(text("user_ip") or text("comment_author_IP")),
        user_agent=text("user_agent") or None,
    )
    submitted = _instant(text("comment_date_gmt"))
    published = _instant(text("comment_post_modified_gmt"))
    thread_id = _given(text("comment_post_ID"), "0") or permalink[:SHORT] or None
    trap = text("honeypot_field_name")
    submission = Submission(
        external_id(permalink=permalink, author=name, email=email, text=content),
        # Of a registration there is nothing but who registers.
        content or " ".join(part for part in (name, url) if part),
        _details(
            author,
            role,
            {"id": thread_id, "url": permalink, "published_at": published},
            submitted,
            {
                "comment_type": text("comment_type") or text("content_type"),
                "referrer": text("referrer"),
                "recheck_reason": text("recheck_reason"),
                "context": [value[:SHORT] for value in form.all("comment_context")[:CONTEXTS]],
            },
        ),
        thread_id,
        _given(text("comment_parent"), "0"),
        honeypot_filled=bool(trap and form.get(trap)),
        author=author,
        submitted=submitted,
        thread_published=published,
        origin=Origin.AKISMET,
    )
    return Check(
        submission,
        is_test=form.truth("is_test"),
        is_administrator="administrator" in role.split(","),  # of several roles, as WordPress tells
        is_spammer=name in SPAMMERS or email.lower() == SPAMMERS_ADDRESS,
        is_retry=slashed and text("recheck_reason") == "retry",
        callback=text("callback", ""),
        classify=form.truth("classify"),
        reporter=text("reporter", ""),
    )


def external_id(*, permalink: str, author: str, email: str, text: str) -> str:
    """Return what a comment is called that its client has no name for.

    A digest of what does not change between the check and a later submit: the page, the author's
    name and address, and what is `said`.
    """
    # WordPress stores names cleaned like texts, and rechecks what it has stored.
    name = said(author)[0]
    # No part holds U+0000, so that what is joined by it can be told apart.
    parts = ("akismet-comment/v1", permalink, name, email.lower(), *said(text))
    return f"akismet:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:40]}"


def said(text: str) -> tuple[str, ...]:
    """Return what a text says, without what a client may change of it before it is stored there.

    Its words, then the addresses that it leads to and does not show. All other markup, backslashes,
    entities and spaces are not counted.

    >>> said('<p>Look <a rel="ugc" href="http://a.example">here</a></p>')
    ('Look here', 'http://a.example')
    """
    words = _unslashed(text)
    addresses: list[str] = []
    if "<" in words:
        addresses = [found for tag in _TAG.findall(words) for found in _addresses(tag)]
        words = _TAG.sub(" ", words)
    if "&" in words:
        words = _unescaped(words)
    shown = words.split()
    hidden = sorted(set(addresses).difference(shown)) if addresses else ()
    return " ".join(shown) or text, *hidden


def _addresses(tag: str) -> Iterator[str]:
    for name, *quoted, bare in _ATTRIBUTE.findall(tag):
        value = "".join(quoted) or bare
        if name.lower() in _LEADING or "//" in value:
            # Once for what was written, once for what WordPress escapes: `&section=` names a sign.
            yield _unescaped(_unescaped(value)).strip()


def _unescaped(text: str) -> str:
    return html.unescape(_ENDLESS.sub("\ufffd", text))


def _details(
    author: Author,
    role: str,
    thread: Mapping[str, Any],
    submitted: datetime | None,
    besides: Mapping[str, Any],
) -> str:
    kept = {
        "author": _present(
            {
                "id": author.id,
                "name": author.name,
                "email": author.email,
                "url": author.url,
                "user_agent": author.user_agent,
                "role": role,
            }
        ),
        "thread": _present(thread),
        "submitted_at": submitted,
        "origin_details": _present(besides),
    }
    return orjson.dumps(_present(kept), option=orjson.OPT_UTC_Z).decode()


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}


def _unslashed(text: str) -> str:
    return _SLASHED.sub(r"\1", text) if "\\" in text else text


def _given(value: str | None, nothing: str) -> str | None:
    return value if value and value != nothing else None


def _address(text: str | None) -> Address | None:
    if not text:
        return None
    try:
        return ip_address(text.partition(",")[0].strip())
    except ValueError:
        return None


def _instant(text: str | None) -> datetime | None:
    """Read ISO 8601, the form of SQL, or seconds since 1970; what is none of these is left out."""
    if not text or text.startswith(_SQL):
        return None
    try:
        if text.isascii() and text.isdigit() and len(text) <= 11:  # noqa: PLR2004 - up to year 5138
            return datetime.fromtimestamp(int(text), UTC)
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
