"""Doors for the APIs of others: any body, any answer, every refusal in the dialect's own words.

A native operation is told by OpenAPI and checked at its door. An operation of a dialect is
described by whoever made it: its key may stand in a header, the query, the body or the host, so
its handler reads it and asks here whose it is.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.types import Receive, Scope, Send

from aboveboard import problems
from aboveboard.accounts import Caller
from aboveboard.auth import Authenticator, site_of
from aboveboard.errors import ClientGone, Unauthenticated
from aboveboard.limits import SINGLE_BYTES, check_length, check_once, check_path, read_body
from aboveboard.operations import (
    CLOSE,
    COMMON_HEADERS,
    EMPTY,
    UNCACHED,
    leaves_unread,
    log_failure,
    patience,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NO_CONTENT = 204
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Reply(Protocol):
    """An answer in a dialect."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def body(self) -> bytes:
        """The body."""
        ...

    @property
    def media(self) -> bytes:
        """Its Content-Type."""
        ...

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """What comes beside it."""
        ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """What went wrong, for a dialect to say."""

    status: int
    code: str
    detail: str
    retry_after_s: int | None = None


@dataclass(slots=True)
class DialectCall:
    """One request, as a dialect's handler sees it."""

    method: str
    path: Mapping[str, str]
    headers: dict[bytes, bytes]
    query_string: bytes
    body: bytes
    _address: str
    _authenticator: Authenticator

    async def identify(self, credential: str | None, *, scope: str) -> Caller:
        """Return whom *credential* belongs to. Raises as `Authenticator.identify` does."""
        if not credential:
            raise Unauthenticated("expected an API key, got none")
        return await self._authenticator.identify(credential, scope=scope, address=self._address)

    async def site(self, speaker: Caller, url: str | None = None) -> str:
        """Return the site spoken for: X-Site's, else the one at *url*, else the only one.

        Raises SiteNotFound and SiteUnclear.
        """
        named = self.headers.get(b"x-site")
        if named is not None:
            return site_of(speaker, named.decode("latin-1"))
        if url is not None:
            return await self._authenticator.site_at(speaker, url)
        return site_of(speaker, None)

    def explain(self, error: Exception, operation: str) -> Refusal:
        """Return what a dialect is told of an error.

        One of ours is logged, and nothing is told but that it is one.
        """
        if problems.is_internal(error):
            log_failure(operation, error)
        kind, detail = problems.explain(error)
        return Refusal(kind.status, kind.slug, detail, patience(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class DialectOperation:
    """One method of one path of a dialect; *limit* is in bytes."""

    method: str
    path: str
    handler: Callable[[DialectCall], Awaitable[Reply]]
    refuse: Callable[[DialectCall, Refusal], Reply]
    name: str
    limit: int = SINGLE_BYTES


class Dialects:
    """Every operation of every dialect."""

    def __init__(self) -> None:
        self.operations: list[DialectOperation] = []

    def declare(self, **operation: Any) -> None:  # noqa: ANN401 - a DialectOperation's own fields
        """Add an operation; takes what `DialectOperation` takes."""
        self.operations.append(DialectOperation(**operation))

    def doors(self, authenticator: Authenticator) -> "dict[str, DialectDoor]":
        """Make a door for every path."""
        by_path: dict[str, dict[str, DialectOperation]] = {}
        for operation in self.operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        return {path: DialectDoor(methods, authenticator) for path, methods in by_path.items()}


class DialectDoor:
    """Lets any request in; the dialect answers, even that a method is not taken."""

    def __init__(
        self, methods: Mapping[str, DialectOperation], authenticator: Authenticator
    ) -> None:
        self._operations = dict(methods)
        if "GET" in methods:
            self._operations["HEAD"] = methods["GET"]
        self._any = next(iter(methods.values()))
        self._allow = ", ".join(sorted(self._operations)).encode()
        self._authenticator = authenticator
        self.methods: Mapping[str, object] = dict.fromkeys(METHODS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        operation = self._operations.get(scope["method"])
        scope["operation"] = self._any.path
        client = scope.get("client")
        call = DialectCall(
            scope["method"],
            scope.get("path_params", EMPTY),
            dict(scope["headers"]),
            scope["query_string"],
            b"",
            client[0] if client else "",
            self._authenticator,
        )
        more: list[tuple[bytes, bytes]] = []
        if operation is None:
            kind = problems.METHOD_NOT_ALLOWED
            reply = self._any.refuse(call, Refusal(kind.status, kind.slug, kind.title))
            more = [(b"allow", self._allow), CLOSE]
        else:
            try:
                reply = await self._answer(operation, call, scope, receive)
            except ClientGone:
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the dialect says it
                reply = operation.refuse(call, call.explain(error, operation.name))
                more = [UNCACHED]
                if leaves_unread(error, problems.kind_of(error).status):
                    more.append(CLOSE)
        head = [*COMMON_HEADERS, *reply.headers, *more]
        if reply.status != NO_CONTENT:  # RFC 9110, section 8.6
            head += [
                (b"content-length", b"%d" % len(reply.body)),
                (b"content-type", reply.media),
            ]
        await send({"type": "http.response.start", "status": reply.status, "headers": head})
        await send({"type": "http.response.body", "body": reply.body})

    async def _answer(
        self, operation: DialectOperation, call: DialectCall, scope: Scope, receive: Receive
    ) -> Reply:
        check_once(call.headers, scope["headers"])
        if call.method in WITH_BODY:
            check_length(call.headers, operation.limit)
            call.body = await read_body(receive, operation.limit)
        check_path(call.path)
        return await operation.handler(call)
