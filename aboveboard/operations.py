"""What the API offers: each operation with its scope, limit, body and answers, as one ASGI app.

An operation refuses what must be refused, hands a `Call` to its handler and writes the answer.
It speaks ASGI itself: a request object and a response object a call would cost as much as the
rest of the path.
"""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl

import structlog
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from aboveboard import problems
from aboveboard.accounts import Caller
from aboveboard.auth import Authenticator, site_of
from aboveboard.errors import (
    BodyTooLarge,
    ClientGone,
    HeaderAmbiguous,
    IdempotencyKeyInvalid,
    QueryAmbiguous,
    SiteUnclear,
    StorageError,
    TooManyFailures,
)
from aboveboard.limits import SINGLE_BYTES, check_headers, check_once, check_path, read_body
from aboveboard.streaming import Streamed, begin, stream

log = structlog.get_logger(__name__)

JSON = b"application/json"
KEY_LIMIT = 255  # characters of an idempotency key
QUERY_FIELDS = 100  # a query of 64 kB has thousands, each of which takes its time
EMPTY: Mapping[str, str] = {}
NOBODY = Caller("", frozenset(), ())
CLOSE = (b"connection", b"close")
UNCACHED = (b"cache-control", b"no-store")
COMMON_HEADERS = [(b"x-content-type-options", b"nosniff")]


@dataclass(slots=True)
class Call:
    """One request, as a handler sees it."""

    body: bytes
    path: Mapping[str, str]
    headers: dict[bytes, bytes]
    _query_string: bytes
    _caller: Caller

    def site(self, named: str | None = None) -> str:
        """Return the site spoken for: the header's, the one *named* in the body, the key's only.

        Raises SiteNotFound and SiteUnclear.
        """
        header = self.headers.get(b"x-site")
        if header is None:
            return site_of(self._caller, named)
        in_header = header.decode("latin-1")
        if named is not None and named != in_header:
            raise SiteUnclear("expected one site, got one in X-Site and another in the request")
        return site_of(self._caller, in_header)

    def sites(self, named: str | None = None) -> tuple[str, ...]:
        """Return the one site spoken for, or all of the key's where none is named."""
        if named is None and b"x-site" not in self.headers:
            return self._caller.sites
        return (self.site(named),)

    def idempotency_key(self, in_body: str | None) -> str | None:
        """Return the key that the client gave its request, in a header or *in_body*, or None.

        The header is draft-ietf-httpapi-idempotency-key-header's; a beacon can send none. Raises
        IdempotencyKeyInvalid.
        """
        header = self.headers.get(b"idempotency-key")
        key = in_body if header is None else _text(header)
        if key is None:
            return None
        if in_body is not None and key != in_body:
            raise IdempotencyKeyInvalid(
                "expected one idempotency key, got one in the header and another in the body"
            )
        if not 1 <= len(key) <= KEY_LIMIT or not key.isprintable():
            raise IdempotencyKeyInvalid(
                f"expected an idempotency key of 1 to {KEY_LIMIT} printable characters, "
                f"got {len(key)}"
            )
        return key

    def query(self) -> dict[str, str]:
        """Return the query's parameters. Raises QueryAmbiguous where one is there twice."""
        if self._query_string.count(b"&") >= QUERY_FIELDS:
            raise QueryAmbiguous(f"query: expected at most {QUERY_FIELDS} parameters, got more")
        # Bytes that are not UTF-8 stay as surrogates and fail the model's strict text type.
        pairs = parse_qsl(
            self._query_string.decode("latin-1"),
            keep_blank_values=True,
            errors="surrogateescape",
        )
        found = dict(pairs)
        if len(found) != len(pairs):
            # Which of the two is meant is not ours to guess: a proxy may have read the other.
            raise QueryAmbiguous("query: expected each parameter once, got one twice")
        return found


def _text(header: bytes) -> str:
    """Return a header as its sender meant it: most write UTF-8, as in a body, some Latin-1."""
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


Answer = tuple[int, bytes | Streamed]
Answers = type[BaseModel] | str | tuple[type[BaseModel] | str, ...]
CallHandler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path: what OpenAPI tells and what the door checks.

    *answers* maps a status to its model, or to a media type where the answer is not JSON, or to
    several that a client may choose from; *scope* None means public; *limit* is in bytes.
    """

    method: str
    path: str
    handler: CallHandler
    name: str
    summary: str
    scope: str | None
    answers: Mapping[int, Answers]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    limit: int = SINGLE_BYTES
    media: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(slots=True)
class Catalogue:
    """Every operation of the service, in the order in which they were declared."""

    operations: list[Operation] = field(default_factory=list)

    def declare(self, **operation: Any) -> None:  # noqa: ANN401 - an Operation's own fields
        """Add an operation; takes what `Operation` takes."""
        self.operations.append(Operation(**operation))

    def doors(self, authenticator: Authenticator) -> "dict[str, Door]":
        """Make a door for every path."""
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in self.operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        return {path: Door(methods, authenticator) for path, methods in by_path.items()}


class Door:
    """Lets a request in: limits, then auth and scope, then the handler, then the answer."""

    def __init__(self, methods: Mapping[str, Operation], authenticator: Authenticator) -> None:
        self.methods = dict(methods)
        if "GET" in methods:
            self.methods["HEAD"] = methods["GET"]
        self._authenticator = authenticator
        self._heads = {
            operation.name: [
                (b"content-type", operation.media),
                *COMMON_HEADERS,
                *operation.headers,
            ]
            for operation in methods.values()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        operation = self.methods[scope["method"]]
        scope["operation"] = operation.path
        try:
            status, body = await self._answer(operation, scope, receive)
            head = self._heads[operation.name]
            first = None
            if not isinstance(body, bytes) and scope["method"] != "HEAD":
                first = await begin(body)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets a problem
            status, body = problems.render(error)
            head = _problem_head(error, status)
            if status == problems.INTERNAL.status:
                log_failure(operation.name, error)
        if isinstance(body, bytes):
            size = (b"content-length", b"%d" % len(body))
            await send({"type": "http.response.start", "status": status, "headers": [size, *head]})
            await send({"type": "http.response.body", "body": body})
            return
        own = [(b"content-type", body.media), *head[1:], *body.headers]
        start = {"type": "http.response.start", "status": status, "headers": own}
        try:
            await stream(start, first, body, receive=receive, send=send)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer stays without an end
            log_failure(operation.name, error)

    async def _answer(self, operation: Operation, scope: Scope, receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        check_once(headers, scope["headers"])
        caller = NOBODY
        if operation.body is not None:
            check_headers(headers, operation.limit)
        if operation.scope is not None:
            client = scope.get("client")
            authorization = headers.get(b"authorization")
            caller = await self._authenticator.authenticate(
                authorization.decode("latin-1") if authorization is not None else None,
                scope=operation.scope,
                address=client[0] if client else "",
            )
        body = b""
        if operation.body is not None:
            body = await read_body(receive, operation.limit)
        path: Mapping[str, str] = scope.get("path_params", EMPTY)
        check_path(path)
        call = Call(body, path, headers, scope["query_string"], caller)
        return await operation.handler(call)


class Doorway(Protocol):
    """An ASGI app for the methods of one path."""

    @property
    def methods(self) -> Mapping[str, object]:
        """The methods that it takes."""
        ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...


class Entrance:
    """Finds the door of a fixed address at once; everything else goes through the router.

    Starlette's router tries one pattern after the other, behind two middlewares that catch what
    a door lets nobody see: for the busiest addresses that costs as much as their own work.
    """

    def __init__(self, doors: Mapping[str, Doorway], app: Starlette) -> None:
        self._doors = {path: door for path, door in doors.items() if "{" not in path}
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request, or the server's lifespan, on."""
        door = self._doors.get(scope["path"]) if scope["type"] == "http" else None
        if door is not None and scope["method"] in door.methods:
            await door(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def routes(doors: Mapping[str, Doorway]) -> list[Route]:
    """Make Starlette's routes of doors."""
    return [Route(path, door, methods=list(door.methods)) for path, door in doors.items()]


async def no_such_route(_request: Request, error: Exception) -> Response:
    """Answer where there is no door, or none for that method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind = problems.METHOD_NOT_ALLOWED if status == 405 else problems.NOT_FOUND  # noqa: PLR2004
    headers = {"cache-control": "no-store"}
    if isinstance(error, HTTPException):
        headers.update(error.headers or {})
    return Response(
        problems.document(kind), kind.status, headers, media_type="application/problem+json"
    )


def log_failure(operation: str, error: Exception) -> None:
    """Log that an operation failed: the type and the place, never the message, which may quote."""
    with suppress(OSError):  # a full disk must not cost the client its answer
        log.error(
            "operation_failed",
            operation=operation,
            error=type(error).__name__,
            at=_place(error),
        )


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _problem_head(error: Exception, status: int) -> list[tuple[bytes, bytes]]:
    # What is not there today may be tomorrow, and a 404 could be cached unless it says otherwise.
    head = [(b"content-type", problems.MEDIA_TYPE), *COMMON_HEADERS, UNCACHED]
    if leaves_unread(error, status):
        head.append(CLOSE)
    if status == 401:  # noqa: PLR2004
        head.append((b"www-authenticate", b"Bearer"))
    retry_after_s = patience(error)
    if retry_after_s is not None:
        head.append((b"retry-after", b"%d" % retry_after_s))
    return head


def leaves_unread(error: Exception, status: int) -> bool:
    """Whether the connection has to be closed: the rest of an unread body would be the next call.

    Or it would be drained for nothing.
    """
    unread = isinstance(error, BodyTooLarge | ClientGone | HeaderAmbiguous)
    return unread or status in {401, 403, 415}


def patience(error: Exception) -> int | None:
    """Return after how many seconds another try makes sense, or None."""
    if isinstance(error, StorageError):
        return 1
    return 60 if isinstance(error, TooManyFailures) else None
