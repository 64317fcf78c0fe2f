"""Akismet's answers, byte for byte: clients compare bodies exactly and read headers for the rest.

Pure. Sources: akismet.com/developers (comment check, usage limit, key-sites), and what the clients
that `tests/clients` runs do with the answers.
"""

from typing import NamedTuple

from moderation.compat.akismet.check import Check
from moderation.compat.dialect import JSON, TEXT, Header, Refusal, Reply, retry_after
from moderation.compat.setting import AkismetSetting
from moderation.verdict import State

TRUE, FALSE = b"true", b"false"
VALID, INVALID = b"valid", b"invalid"
THANKS = b"Thanks for making the web a better place."
DEACTIVATED, CONNECTED = b"deactivated", b"connected"

HELP = b"x-akismet-debug-help"
GUID = b"x-akismet-guid"
ERROR = b"x-akismet-error"
PRO_TIP = b"x-akismet-pro-tip"
RECHECK = b"x-akismet-recheck-after"
CLASSIFICATION = b"x-akismet-classification"
UNCACHED: Header = (b"cache-control", b"no-store")

HELD = b"held for review"
BLATANT = 0.99  # the probability of spam from which on a client may drop a comment unseen
KEY_REFUSED = frozenset({"unauthenticated", "scope-missing", "site-not-found", "site-unclear"})
_HELP = {
    "unauthenticated": "expected an API key of this service, got none, or one that is unknown",
    "scope-missing": "expected a key with the scopes comments:submit and comments:feedback",
    "site-not-found": "expected in `blog` the address of a site of this key; "
    "`aboveboard site create URL` makes one",
    "site-unclear": "expected `blog`, for this key has several sites",
}


class Answered(NamedTuple):
    """What is known of a comment when its client is answered; *spam* is a probability.

    *final* where nobody here will say more of it than this.
    """

    guid: str
    state: State
    spam: float | None = None
    category: str | None = None
    final: bool = False


def text(body: bytes, *headers: Header, status: int = 200) -> Reply:
    """Answer in plain text."""
    return Reply(status, body, TEXT, (UNCACHED, *headers))


def json(body: bytes) -> Reply:
    """Answer in JSON."""
    return Reply(200, body, JSON, (UNCACHED,))


def wrong(problem: str) -> Reply:
    """Answer a request that lacks something: no verdict, so that clients hold the comment."""
    return text(problem.encode(), (HELP, problem.encode()))


def checked(
    check: Check, found: Answered, setting: AkismetSetting, *, wordpress: bool = False
) -> Reply:
    """Answer a comment-check by where the comment stands.

    One that waits for a person is what the site says it is. Where that is no spam, clients hold
    what comes with `error`, and those that know `recheck-after` ask again. *wordpress* is told
    `error` alone: after twice that time its plugin (from 5.5 on) publishes what nobody has
    decided, and the mail to its moderators waits as long. Nor is anybody to ask again about what
    is *final*: only the client's own people decide on that.
    """
    headers: list[Header] = [(GUID, found.guid.encode())]
    if check.classify and found.category:
        headers.append((CLASSIFICATION, found.category.encode()))
    if found.state is State.PENDING and not setting.hold:
        headers.append((ERROR, HELD))
        if not wordpress and not found.final:
            headers.append((RECHECK, b"%d" % setting.recheck_after_s))
        # A retry looks at no header: what is neither true nor false goes on waiting there.
        return text(HELD if check.is_retry else FALSE, *headers)
    if found.state is State.PUBLISHED:
        return text(FALSE, *headers)
    if setting.discard and found.state is State.SPAM and (found.spam or 0) >= BLATANT:
        headers.append((PRO_TIP, b"discard"))
    return text(TRUE, *headers)


def told(reply: Reply) -> str:
    """Return what a client was told of a comment: `true`, `false`, or `held` where it may wait."""
    if any(name == ERROR for name, _ in reply.headers):
        return "held"
    return reply.body.decode()


def over_quota(limit: int, retry_after_s: int) -> Reply:
    """Answer a call beyond the month's limit: clients hold the comment and come back."""
    problem = f"expected at most {limit} calls this month"
    return text(
        problem.encode(),
        (HELP, problem.encode()),
        (b"retry-after", b"%d" % retry_after_s),
        status=429,
    )


def refused(refusal: Refusal) -> Reply:
    """Say in Akismet's words what went wrong: of a key, always with status 200."""
    if refusal.code in KEY_REFUSED:
        return text(INVALID, (HELP, _HELP[refusal.code].encode()))
    told = [(HELP, refusal.detail.encode("ascii", "replace")), *retry_after(refusal)]
    if refusal.status >= 500:  # noqa: PLR2004 - ours, not the client's
        told.append((ERROR, refusal.code.encode()))
    return text(refusal.code.encode(), *told, status=refusal.status)
