"""Health, readiness, metrics and structured logs: nothing personal in any of them.

Logs carry an allow-list of fields and static messages; no body, address, key or subject is ever
handed to them.
"""

import asyncio
import hmac
import ipaddress
import logging
import sys
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from itertools import accumulate
from operator import attrgetter

import orjson
import structlog
from prometheus_client import (
    CollectorRegistry,
    Info,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from pydantic import SecretStr
from sqlalchemy import literal, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor

from aboveboard import problems
from aboveboard.database import Database
from aboveboard.errors import StorageError
from aboveboard.writer import Writer

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
"""Headers of requests that came through a proxy."""

ALLOWED = frozenset(
    [
        "event",
        "level",
        "timestamp",
        "at",
        "cause",
        "chore",
        "commands",
        "comments",
        "database",
        "error",
        "library",
        "method",
        "model",
        "ms",
        "operation",
        "record",
        "route",
        "site",
        "status",
        "texts",
        "version",
        "webhook",
        "work",
    ]
)
"""The fields that a log line may have; none of them says who wrote or what was written."""

Counts = Mapping[str, int] | Mapping[tuple[str, str], int]

Check = Callable[[], Awaitable[None]]
"""Returns when what it checks is well, raises otherwise."""

log = structlog.get_logger(__name__)


def configure_logs() -> None:
    """Write the service's logs as JSON lines on standard error."""
    # The driver quotes rows in what it says of errors; whatever failed is logged by its type here.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    logging.lastResort = _Libraries(logging.WARNING)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            _allowed_only,
            structlog.processors.JSONRenderer(serializer=_serialise),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


class _Libraries(logging.Handler):
    """Tells as a line of ours what a library logs: whose it is and where, never its words.

    They may quote, and are no JSON.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Log that a library said something."""
        failed = record.exc_info[0] if record.exc_info else None
        with suppress(Exception):  # a full disk must not cost whoever logs more than the line
            log.log(
                min(record.levelno // 10 * 10, logging.CRITICAL),  # some have levels of their own
                "library",
                library=record.name,
                at=f"{record.pathname}:{record.lineno}",
                error=failed.__name__ if failed else None,
            )


def _allowed_only(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Drop every field that is not on the list: what nobody thought about is not logged."""
    return {name: value for name, value in event.items() if name in ALLOWED}


def _serialise(event: dict[str, object], **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


_OF_WRITERS: tuple[
    tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str, Callable[[Writer], int]], ...
] = (
    (CounterMetricFamily, "commits", "Committed batches", attrgetter("batches")),
    (CounterMetricFamily, "commands", "Commands carried out", attrgetter("commands")),
    (
        CounterMetricFamily,
        "follow_ups_failed",
        "Tasks right after a commit that failed",
        attrgetter("follow_ups_failed"),
    ),
    (GaugeMetricFamily, "waiting", "Commands not yet answered", attrgetter("waiting")),
)


class Metrics(Collector):
    """Counters and latencies by operation; never by site, user or address.

    Requests are counted on the event loop alone, so that counting one needs no lock.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        Info("aboveboard_build", "This release", registry=self.registry).info(
            {"version": version("aboveboard")}
        )
        self._requests: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[str, tuple[list[int], list[float]]] = {}  # in each bucket; the sum
        self._writers: list[Writer] = []
        self._followed: list[tuple[str, str, Sequence[str], Counts]] = []
        self._open: Callable[[], Mapping[str, int]] = dict

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        place = (route, method, status)
        self._requests[place] = self._requests.get(place, 0) + 1
        timed = self._seconds.get(route)
        if timed is None:
            timed = self._seconds[route] = ([0] * (len(BUCKETS_S) + 1), [0.0])
        timed[0][bisect_left(BUCKETS_S, seconds)] += 1
        timed[1][0] += seconds

    def collect(self) -> Iterator[Metric]:
        """Tell Prometheus' registry what was counted."""
        requests = CounterMetricFamily(
            "aboveboard_requests", "Answered requests", labels=["route", "method", "status"]
        )
        for (route, method, status), count in self._requests.items():
            requests.add_metric([route, method, str(status)], count)
        yield requests
        seconds = HistogramMetricFamily(
            "aboveboard_request_seconds",
            "Time from the request's headers to the end of the answer, in seconds",
            labels=["route"],
        )
        bounds = [*map(floatToGoString, BUCKETS_S), "+Inf"]
        for route, (counts, (total,)) in self._seconds.items():
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            seconds.add_metric([route], buckets, total)
        yield seconds
        for name, told, labels, kept in self._followed:
            family = CounterMetricFamily(name, told, labels=labels)
            for values, count in kept.items():
                family.add_metric([values] if isinstance(values, str) else values, count)
            yield family
        waiting = GaugeMetricFamily(
            "aboveboard_webhook_deliveries",
            "Deliveries that wait to be tried, or were parked after a day of failures",
            labels=["state"],
        )
        for state, count in self._open().items():
            waiting.add_metric([state], count)
        yield waiting
        for kind, name, told, read in _OF_WRITERS:
            of_writers = kind(f"aboveboard_writer_{name}", told, labels=["database"])
            for writer in self._writers:
                of_writers.add_metric([writer.name], read(writer))
            yield of_writers

    def follow(self, name: str, told: str, labels: Sequence[str], counts: Counts) -> None:
        """Tell of *counts*, kept elsewhere: a number for each value, or values, of *labels*."""
        self._followed.append((name, told, labels, counts))

    def follow_deliveries(self, still_open: Callable[[], Mapping[str, int]]) -> None:
        """Tell how many deliveries to webhooks are still open, by state."""
        self._open = still_open

    def watch(self, writer: Writer) -> None:
        """Tell of *writer*: how many commands it carried out in how many commits, and more."""
        self._writers.append(writer)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class Observed:
    """Pure ASGI middleware: counts and times every request, and logs it where asked to."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, access_log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 499  # nginx's word for a client that left before the answer

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            # The operation's pattern, not the path: ids and slugs stay out of metrics and logs.
            path = scope.get("operation", "other")
            seconds = time.perf_counter() - started
            self._metrics.count(path, scope["method"], status, seconds)
            if self._access_log:
                log.info(
                    "request",
                    route=path,
                    method=scope["method"],
                    status=status,
                    ms=round(seconds * 1000, 3),
                )


class Probes:
    """Handlers of `/healthz`, `/readyz` and `/metrics`."""

    def __init__(
        self, metrics: Metrics, checks: dict[str, Check], *, token: SecretStr | None
    ) -> None:
        self._metrics = metrics
        self._checks = checks
        self._token = token
        self.stopping = False

    async def healthz(self, _request: Request) -> Response:
        """Answer 200 while the process answers at all; asks no database."""
        return _json(200, {"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Answer 200 when every check is well, else 503 with the names of those that are not."""
        results: dict[str, str] = {}
        for name, check in self._checks.items():
            try:
                await check()
                results[name] = "ok"
            except Exception as error:  # noqa: BLE001 - any failure means not ready
                results[name] = type(error).__name__
        ready = not self.stopping and all(result == "ok" for result in results.values())
        status = "ok" if ready else "stopping" if self.stopping else "unavailable"
        return _json(200 if ready else 503, {"status": status, "checks": results})

    async def metrics(self, request: Request) -> Response:
        """Answer loopback, or a bearer of the token; 404 to everybody else."""
        if not self._may_read(request):
            return Response(
                problems.document(problems.NOT_FOUND), 404, media_type="application/problem+json"
            )
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _may_read(self, request: Request) -> bool:
        if self._token is not None:
            given = request.headers.get("authorization", "").encode()
            expected = f"Bearer {self._token.get_secret_value()}".encode()
            return hmac.compare_digest(given, expected)
        try:
            # Behind a proxy everybody seems local: a forwarded request needs the token.
            forwarded = any(name in request.headers for name in FORWARDED)
            client = request.client.host if request.client else ""
            return ipaddress.ip_address(client).is_loopback and not forwarded
        except ValueError:
            return False


class Head:
    """Whether a database answers, has this release's tables, and takes what is written."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._anything = database.prepare(select(literal(1)))

    async def check(self) -> None:
        """Raise StorageError unless all is well."""
        found, expected = await asyncio.to_thread(self._database.revision)
        if found != expected:
            raise StorageError(f"{self._database.name}: expected revision {expected}, got {found}")
        await self._database.look(self._anything)
        await self._writer.check()


def _json(status: int, content: object) -> Response:
    return Response(
        orjson.dumps(content),
        status,
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )
