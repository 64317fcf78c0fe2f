"""Doors of dialects: keys from anywhere, any body, and every refusal in the dialect's own words."""

import asyncio
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from aboveboard.accounts import Accounts, Scope
from aboveboard.auth import Authenticator
from aboveboard.clock import now
from aboveboard.dialects import DialectCall, Dialects, Refusal
from aboveboard.errors import (
    ClientGone,
    SiteNotFound,
    StorageUnavailable,
    TooManyFailures,
    Unauthenticated,
)
from aboveboard.installation import Databases

LEGACY = "0123456789ab"


class Said(NamedTuple):
    """An answer of the tests' dialect."""

    status: int
    body: bytes
    media: bytes = b"text/x-dialect"
    headers: tuple[tuple[bytes, bytes], ...] = ()


def refuse(_call: DialectCall, refusal: Refusal) -> Said:
    """Say what went wrong in the tests' dialect: always 200, as Akismet does."""
    told = f"no: {refusal.status} {refusal.code} {refusal.retry_after_s}"
    return Said(200, told.encode(), headers=((b"x-help", refusal.detail.encode()),))


async def greet(call: DialectCall) -> Said:
    """Take the key from the query, the site from the body."""
    key = call.query_string.decode().partition("key=")[2]
    speaker = await call.identify(key, scope=Scope.COMMENTS_SUBMIT)
    site = await call.site(speaker, call.body.decode() or None)
    return Said(201, f"{call.method} {site}".encode(), headers=((b"x-own", b"1"),))


class House:
    """Two sites and keys, behind a door of the tests' dialect."""

    def __init__(self, databases: Databases) -> None:
        self.accounts = Accounts(databases.aboveboard, pepper=b"p" * 32, clock=now)
        self.blog = self.accounts.create_site("https://blog.example.org")
        self.shop = self.accounts.create_site("https://www.example.com/shop")
        self.both = self.accounts.create_key([self.blog.site.id, self.shop.site.id])
        self.authenticator = Authenticator(self.accounts, failures_a_minute=3)

    def ask(
        self,
        method: str = "POST",
        *,
        key: str = "",
        body: bytes = b"",
        handler: Any = greet,  # noqa: ANN401
        **headers: str,
    ) -> tuple[int, dict[str, str], str] | None:
        """Send a request through a door for POST and GET."""
        dialects = Dialects()
        for each in ("POST", "GET"):
            dialects.declare(
                method=each, path="/x", handler=handler, refuse=refuse, name="x", limit=64
            )
        door = dialects.doors(self.authenticator)["/x"]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": "/x",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
            ],
            "query_string": f"key={key}".encode() if key else b"",
            "client": ("192.0.2.7", 1),
        }
        asyncio.run(door(scope, receive, send))
        if not sent:
            return None
        start, answer = sent
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], told, answer["body"].decode()


@pytest.fixture
def house(databases: Databases) -> House:
    """Open the house on fresh tables."""
    return House(databases)


def failing(error: Exception) -> Any:  # noqa: ANN401
    """Return a handler that raises."""

    async def fail(_call: DialectCall) -> Said:
        raise error

    return fail


def test_a_dialect_answers_as_it_likes(house: House) -> None:
    """Any content type in, its own status, media type and headers out, on GET and POST alike."""
    posted = house.ask(key=house.blog.key, content_type="text/nonsense")
    got = house.ask("GET", key=house.blog.key)

    assert posted is not None
    assert (posted[0], posted[2]) == (201, "POST blog-example-org")
    assert posted[1]["content-type"] == "text/x-dialect"
    assert (posted[1]["x-own"], posted[1]["content-length"]) == ("1", "21")
    assert got is not None
    assert got[2] == "GET blog-example-org"


def test_the_site_is_the_one_at_the_address(house: House) -> None:
    """Host and path decide; scheme, port, query and `www.` do not; another's is not there."""
    for url, site in {
        "http://blog.example.org": "blog-example-org",
        "https://www.blog.example.org:8443/2026/11/?p=1": "blog-example-org",
        "blog.example.org": "blog-example-org",
        "http://example.com/shop/": "www-example-com",
    }.items():
        answered = house.ask(key=house.both, body=url.encode())
        assert answered is not None
        assert answered[2] == f"POST {site}", url
    for url in ("http://example.com/shopping", "http://example.com", "http://other.example", "::"):
        answered = house.ask(key=house.both, body=url.encode())
        assert answered is not None
        assert answered[2] == "no: 404 site-not-found None", url


def test_a_key_of_several_sites_has_to_name_one(house: House) -> None:
    """By an address or by X-Site, which counts most."""
    unclear = house.ask(key=house.both)
    named = house.ask(key=house.both, body=b"http://blog.example.org", x_site="www-example-com")

    assert unclear is not None
    assert unclear[2] == "no: 400 site-unclear None"
    assert named is not None
    assert named[2] == "POST www-example-com"


def test_every_refusal_is_in_the_dialects_own_words(house: House) -> None:
    """Limits, keys, scopes, faults: never a problem document; what helps stands in a header."""
    read_only = house.accounts.create_key([house.blog.site.id], scopes=["comments:read"])
    with capture_logs() as logs:
        asked = {
            "413": house.ask(key=house.blog.key, body=b"x" * 65),
            "413 by length": house.ask(key=house.blog.key, content_length="65"),
            "415": house.ask(key=house.blog.key, content_encoding="gzip"),
            "none": house.ask(),
            "403": house.ask(key=read_only),
            "503": house.ask(handler=failing(StorageUnavailable("expected a disk, got none"))),
            "500": house.ask(handler=failing(RuntimeError("canary"))),
        }
        refused = house.ask("DELETE", key=house.blog.key)

    told = {case: answer[2] for case, answer in asked.items() if answer is not None}
    assert told == {
        "413": "no: 413 body-too-large None",
        "413 by length": "no: 413 body-too-large None",
        "415": "no: 415 media-type None",
        "none": "no: 401 unauthenticated None",
        "403": "no: 403 scope-missing None",
        "503": "no: 503 storage-unavailable 1",
        "500": "no: 500 internal None",
    }
    heads = {case: answer[1] for case, answer in asked.items() if answer is not None}
    assert all(head["cache-control"] == "no-store" for head in heads.values())
    assert heads["413"]["connection"] == "close"
    assert refused is not None
    assert refused[2] == "no: 405 method-not-allowed None"
    assert refused[1]["allow"] == "GET, HEAD, POST"
    assert [each["error"] for each in logs] == ["RuntimeError"]
    assert "canary" not in str(logs) + str(asked)


def test_wrong_keys_are_limited_wherever_they_stand(house: House) -> None:
    """After too many an address has to wait; an ordinary right key goes on, a legacy one not."""
    house.accounts.create_site("https://old.example.org", key=LEGACY)
    answers = [house.ask(key=LEGACY)]
    answers += [house.ask(key=f"ab{number:060}") for number in range(4)]
    answers += [house.ask(key=LEGACY), house.ask(key=house.blog.key)]

    assert [answer[2] for answer in answers if answer is not None] == [
        "POST old-example-org",
        *["no: 401 unauthenticated None"] * 3,
        "no: 429 too-many-failures 60",
        "no: 429 too-many-failures 60",
        "POST blog-example-org",
    ]


def test_the_minute_of_wrong_keys_begins_with_the_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the minutes of a clock begin is nothing to whoever guesses; after one it is over."""
    clock = SimpleNamespace(time=lambda: 0)
    monkeypatch.setattr("limits.storage.memory.time", clock)

    told = []
    for second in (*range(119, 126), 180):
        clock.time = lambda second=second: second
        answer = house.ask(key="ab" * 32)
        assert answer is not None
        told.append(answer[2].split()[1])

    assert told == ["401"] * 3 + ["429"] * 4 + ["401"]


@pytest.mark.parametrize(
    ("guessing", "asking", "slowed"),
    [
        ("2001:db8:0:1::{:x}", "2001:db8:0:1:ffff::1", True),
        ("2001:db8:0:1::{:x}", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.{}", "192.0.2.200", False),
        ("unknown", "unknown", True),
    ],
)
def test_wrong_keys_are_counted_by_who_has_an_address(
    house: House, guessing: str, asking: str, *, slowed: bool
) -> None:
    """Of IPv6 nobody has one address alone: another for each try makes no difference."""
    house.accounts.create_site("https://old.example.org", key=LEGACY)

    async def identify(key: str, address: str) -> str:
        try:
            await house.authenticator.identify(key, scope=Scope.COMMENTS_READ, address=address)
        except (Unauthenticated, TooManyFailures) as error:
            return type(error).__name__
        return "known"

    for number in range(3):
        wrong = asyncio.run(identify(f"{number:012x}", guessing.format(number)))
        assert wrong == "Unauthenticated"
    right = asyncio.run(identify(LEGACY, asking))
    assert right == ("TooManyFailures" if slowed else "known")


def test_what_has_no_content_has_no_length(house: House) -> None:
    """An answer of 204 tells neither length nor type (RFC 9110, section 8.6)."""

    async def silent(_call: DialectCall) -> Said:
        return Said(204, b"")

    told = house.ask(handler=silent)

    assert told is not None
    assert told[0] == 204
    assert not {"content-length", "content-type"} & set(told[1])


def test_nobody_is_answered_who_is_gone(house: House) -> None:
    """A client that left in the middle gets nothing."""
    assert house.ask(handler=failing(ClientGone("expected a whole body"))) is None


def test_what_does_not_exist_for_a_key_does_not_exist(house: House) -> None:
    """X-Site of another's site is as unknown as one that nobody has."""
    for named in (house.shop.site.id, "nobody"):
        answered = house.ask(key=house.blog.key, x_site=named)
        assert answered is not None
        assert answered[2] == "no: 404 site-not-found None"
    with pytest.raises(SiteNotFound):
        asyncio.run(house.authenticator.site_at(asyncio.run(_caller(house)), "not a host"))


async def _caller(house: House) -> Any:  # noqa: ANN401
    return await house.accounts.find_caller(house.blog.key)
