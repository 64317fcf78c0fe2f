"""Doors: what an operation refuses, hands on and answers, over ASGI itself."""

import asyncio
from typing import Any

import orjson
import pytest
from pydantic import BaseModel
from structlog.testing import capture_logs

from aboveboard import operations
from aboveboard.accounts import Caller
from aboveboard.errors import (
    ClientGone,
    IdempotencyKeyInvalid,
    ScopeMissing,
    SiteNotFound,
    SiteUnclear,
    StorageUnavailable,
    TooManyFailures,
    Unauthenticated,
)
from aboveboard.operations import Answer, Call, Catalogue, Door, Entrance


class In(BaseModel):
    """Any body."""


class FakeAuthenticator:
    """Lets a caller in, or raises what a test says."""

    def __init__(self, *sites: str, failure: Exception | None = None) -> None:
        self.asked: list[tuple[str | None, str, str]] = []
        self._sites = sites or ("blog",)
        self._failure = failure

    async def authenticate(self, header: str | None, *, scope: str, address: str) -> Caller:
        """Remember what was asked."""
        self.asked.append((header, scope, address))
        if self._failure:
            raise self._failure
        return Caller("key", frozenset({scope}), self._sites)


def request(
    handler: Any,  # noqa: ANN401
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
    query: bytes = b"",
    path_params: dict[str, str] | None = None,
    body: bytes = b"{}",
    authenticator: Any = None,  # noqa: ANN401
    **operation: Any,  # noqa: ANN401
) -> tuple[int, dict[str, str], bytes] | None:
    """Send one request through a door; return status, headers and body of the answer."""
    catalogue = Catalogue()
    catalogue.declare(
        **{
            "method": method,
            "path": "/v1/x",
            "handler": handler,
            "name": "x",
            "summary": "X",
            "scope": "comments:read",
            "answers": {200: In},
            "body": In if method == "POST" else None,
            **operation,
        }
    )
    door: Door = catalogue.doors(authenticator or FakeAuthenticator())["/v1/x"]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": "/v1/x",
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        "query_string": query,
        "client": ("192.0.2.7", 1),
        "path_params": path_params or {},
    }
    asyncio.run(door(scope, receive, send))
    if not sent:
        return None
    start, answer = sent
    assert scope["operation"] == "/v1/x"
    return (
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        answer["body"],
    )


async def echo(call: Call) -> Answer:
    """Tell what came through the door."""
    told = {
        "body": call.body.decode(),
        "site": call.site(),
        "path": dict(call.path),
        "query": call.query(),
        "key": call.idempotency_key(None),
    }
    return 200, orjson.dumps(told)


def failing(error: Exception) -> Any:  # noqa: ANN401
    """Return a handler that raises."""

    async def fail(_call: Call) -> Answer:
        raise error

    return fail


def test_a_request_reaches_its_handler() -> None:
    """With body, path, query and headers; the answer has its length and type."""
    authenticator = FakeAuthenticator()

    answered = request(
        echo,
        headers={"authorization": "Bearer k", "idempotency-key": "k-1"},
        query=b"b=%C3%A9&a=2&c=",
        path_params={"id": "7"},
        body=b'{"x":1}',
        authenticator=authenticator,
    )

    assert answered is not None
    status, headers, body = answered
    assert orjson.loads(body) == {
        "body": '{"x":1}',
        "site": "blog",
        "path": {"id": "7"},
        "query": {"a": "2", "b": "é", "c": ""},
        "key": "k-1",
    }
    assert status == 200
    assert headers == {
        "content-length": str(len(body)),
        "content-type": "application/json",
        "x-content-type-options": "nosniff",
    }
    assert authenticator.asked == [("Bearer k", "comments:read", "192.0.2.7")]


def test_a_public_operation_asks_nobody() -> None:
    """Without a scope no key is looked at; its own headers and type are sent."""
    authenticator = FakeAuthenticator(failure=Unauthenticated("expected a key"))

    async def answer(_call: Call) -> Answer:
        return 200, b"text"

    answered = request(
        answer,
        method="GET",
        scope=None,
        media=b"text/plain",
        headers={"authorization": "Bearer k"},
        authenticator=authenticator,
        answers={200: "text/plain"},
    )

    assert answered is not None
    assert (answered[0], answered[1]["content-type"]) == (200, "text/plain")
    assert authenticator.asked == []


@pytest.mark.parametrize(
    ("error", "status", "more"),
    [
        (
            Unauthenticated("expected a key"),
            401,
            {"www-authenticate": "Bearer", "connection": "close"},
        ),
        (ScopeMissing("expected a scope"), 403, {"connection": "close"}),
        (TooManyFailures("expected fewer"), 429, {"retry-after": "60"}),
        (StorageUnavailable("expected an answer"), 503, {"retry-after": "1"}),
    ],
    ids=["401", "403", "429", "503"],
)
def test_who_may_not_is_told(error: Exception, status: int, more: dict[str, str]) -> None:
    """With the headers that the status asks for; the handler is never called."""
    answered = request(failing(AssertionError()), authenticator=FakeAuthenticator(failure=error))

    assert answered is not None
    assert answered[0] == status
    assert answered[1].items() >= more.items()
    assert orjson.loads(answered[2])["detail"] == str(error)


def test_a_large_body_is_refused_before_the_key_is_asked_for() -> None:
    """By Content-Length alone, and the connection is closed with the rest unread."""
    authenticator = FakeAuthenticator()

    answered = request(
        echo, headers={"content-length": "11"}, limit=10, authenticator=authenticator
    )

    assert answered is not None
    assert (answered[0], answered[1]["connection"]) == (413, "close")
    assert authenticator.asked == []


def test_a_body_of_another_type_is_not_read() -> None:
    """Its rest would be the next request: the connection is closed."""
    answered = request(echo, headers={"content-type": "text/plain"})

    assert answered is not None
    assert (answered[0], answered[1]["connection"]) == (415, "close")


def test_a_fault_of_ours_is_logged_without_its_words() -> None:
    """500 says nothing; the log has operation, type and place, never the message."""
    with capture_logs() as logs:
        answered = request(failing(RuntimeError("canary")))

    assert answered is not None
    assert answered[0] == 500
    assert b"canary" not in answered[2]
    (told,) = logs
    assert (told["event"], told["operation"], told["error"]) == (
        "operation_failed",
        "x",
        "RuntimeError",
    )
    assert "test_operations.py:" in told["at"]
    assert "canary" not in str(told)


def test_nobody_is_answered_who_is_gone() -> None:
    """A client that left in the middle gets nothing."""
    assert request(failing(ClientGone("expected a whole body"))) is None


def test_an_address_with_nul_is_not_there() -> None:
    """U+0000 in a path is 404 before anything is asked, on every engine alike."""
    answered = request(failing(AssertionError()), path_params={"id": "a\0b"})

    assert answered is not None
    assert answered[0] == 404


def test_a_query_that_is_no_utf_8_reaches_no_text() -> None:
    """Its bytes stay lone surrogates, which strict text refuses."""

    async def look(call: Call) -> Answer:
        return 200, repr(call.query()).encode()

    answered = request(look, query=b"a=%ff")

    assert answered is not None
    assert answered[2] == rb"{'a': '\udcff'}"


def test_a_parameter_twice_is_refused() -> None:
    """Neither is silently taken for the other."""
    answered = request(echo, query=b"a=1&b=2&a=1")

    assert answered is not None
    assert answered[0] == 422
    assert orjson.loads(answered[2])["type"] == "/problems/invalid-request"


def test_a_query_of_thousands_of_parameters_is_refused() -> None:
    """Whoever has no key may ask the public log, and each parameter takes time."""
    answered = request(echo, query=b"&".join(b"a%d=1" % number for number in range(101)))

    assert answered is not None
    assert answered[0] == 422
    assert b"at most 100 parameters" in answered[2]


def test_the_site_is_the_header_the_member_or_the_only_one() -> None:
    """Another's is not there; several without a word, or two words, are unclear."""

    def site(named: str | None, header: str | None, *sites: str) -> str:
        headers = {b"x-site": header.encode()} if header else {}
        call = Call(b"", {}, headers, b"", Caller("key", frozenset(), sites))
        return call.site(named)

    assert site(None, None, "blog") == "blog"
    assert site("shop", None, "blog", "shop") == "shop"
    assert site("shop", "shop", "blog", "shop") == "shop"
    assert site(None, "shop", "blog", "shop") == "shop"
    for named, header in ((None, None), ("blog", "shop")):
        with pytest.raises(SiteUnclear):
            site(named, header, "blog", "shop")
    for named, header in (("other", None), (None, "other"), ("", None)):
        with pytest.raises(SiteNotFound):
            site(named, header, "blog")


def test_head_is_answered_like_get() -> None:
    """A door with GET takes HEAD, one without does not."""
    catalogue = Catalogue()
    for method, path in (("GET", "/a"), ("POST", "/b")):
        catalogue.declare(
            method=method, path=path, handler=echo, name=path, summary="", scope=None, answers={}
        )

    doors = catalogue.doors(FakeAuthenticator())  # type: ignore[arg-type]

    assert set(doors["/a"].methods) == {"GET", "HEAD"}
    assert set(doors["/b"].methods) == {"POST"}
    assert [sorted(route.methods or ()) for route in operations.routes(doors)] == [
        ["GET", "HEAD"],
        ["POST"],
    ]


def test_the_entrance_knows_fixed_addresses() -> None:
    """A fixed address and its method go straight to their door, all else through the router."""
    passed: list[str] = []

    async def router(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401
        passed.append(scope.get("path", scope["type"]))

    async def door(scope: Any, _receive: Any, _send: Any) -> None:  # noqa: ANN401
        passed.append(f"door {scope['path']}")

    door.methods = {"GET": None}  # type: ignore[attr-defined]
    entrance = Entrance({"/a": door, "/b/{id}": door}, router)  # type: ignore[dict-item, arg-type]

    for scope in (
        {"type": "http", "path": "/a", "method": "GET"},
        {"type": "http", "path": "/a", "method": "POST"},
        {"type": "http", "path": "/b/1", "method": "GET"},
        {"type": "lifespan"},
    ):
        asyncio.run(entrance(scope, None, None))  # type: ignore[arg-type]

    assert passed == ["door /a", "/a", "/b/1", "lifespan"]


@pytest.mark.parametrize(
    ("header", "in_body"),
    [
        (b"", None),
        (b"k\x07", None),
        (None, "k\n"),
        (None, "k" * 256),
        (b"one", "another"),
    ],
)
def test_an_idempotency_key_can_be_shown(header: bytes | None, in_body: str | None) -> None:
    """One, of 1 to 255 printable characters, whether in the header or in the body."""
    headers = {} if header is None else {b"idempotency-key": header}
    call = Call(b"", {}, headers, b"", operations.NOBODY)

    with pytest.raises(IdempotencyKeyInvalid):
        call.idempotency_key(in_body)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_key_in_the_header_is_the_one_in_the_body(encoding: str) -> None:
    """Letters beyond ASCII, too, as either kind of client writes them: one key is not two."""
    call = Call(b"", {}, {b"idempotency-key": "é".encode(encoding)}, b"", operations.NOBODY)

    assert call.idempotency_key(None) == call.idempotency_key("é") == "é"
