"""uvicorn's httptools protocol with deadlines for reading a request, which uvicorn itself lacks.

A client has *headers_s* seconds to finish a request's headers, counted from its first byte or, on a
new connection, from connecting, and *body_s* seconds from there to finish its body.
A request that arrives whole in one read never meets a timer; keep-alive is left to uvicorn.
A client that takes nothing of its answer for *stalled_s* seconds is let go of, with what waits for
it in memory.
A client that is refused in the middle of its body may finish sending, within *body_s*: bytes that
meet a closed socket are answered by a reset, and with it the answer is gone (RFC 9112 §9.6).

    uvicorn.Config(app, http=deadlined(headers_s=5, body_s=8), loop="uvloop", lifespan="on")
"""

import asyncio
import fcntl
import sys
import termios
from functools import partial
from typing import Final, cast

from httptools import HttpRequestParser
from uvicorn._types import HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from aboveboard.problems import MEDIA_TYPE, Kind, document

HEADERS_S: Final = 5.0
"""Seconds that a request's headers may take."""

BODY_S: Final = 8.0
"""Seconds that a request's body may take once its headers are read."""

STALLED_S: Final = 60.0
"""Seconds in which a client takes something of its answer, however little."""

HEADERS_LIMIT: Final = 64 * 1024
"""Bytes of one request's headers past its first packet: httptools itself would take any number.

The same holds for trailers, past the packet in which the body ended.
"""

NO_HTTP: Final = Kind(400, "malformed-request", "Bad Request")
TOO_SLOW: Final = Kind(408, "request-timeout", "Request Timeout")
HEADERS_TOO_LARGE: Final = Kind(431, "headers-too-large", "Request Header Fields Too Large")

_FRAMING: Final = frozenset([b"content-length", b"transfer-encoding"])
"""The headers that say where a body ends."""

_IDLE: Final = object()
"""Awaited where no request has begun."""


def deadlined(
    *, headers_s: float = HEADERS_S, body_s: float = BODY_S, stalled_s: float = STALLED_S
) -> type["DeadlinedProtocol"]:
    """Return the protocol class with these deadlines, in seconds, for uvicorn's `http` setting."""

    class Protocol(DeadlinedProtocol):
        pass

    Protocol.headers_s = headers_s
    Protocol.body_s = body_s
    Protocol.stalled_s = stalled_s
    return Protocol


class DeadlinedProtocol(HttpToolsProtocol):
    """One HTTP/1.1 connection whose client has to send in time; WebSocket and h2 are not spoken."""

    headers_s: float = HEADERS_S
    body_s: float = BODY_S
    stalled_s: float = STALLED_S

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # What the timer waits for: the scope of a request whose headers are on their way, the cycle
        # of one whose body is, `_IDLE` where none has begun, None where no timer runs.
        self._awaited: object | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_whole: HTTPScope | None = None  # the scope of the last request read to its end
        self._headers_read = 0  # bytes, after the packet in which headers or trailers began
        self._body_came = False  # whether the last packet had some of a body
        self._offer_end: int | None = None  # in the packet, of headers that offer another protocol
        self._again = False  # whether the parser is told the framing of such a request's body
        self._stalling: asyncio.TimerHandle | None = None  # while a client takes its answer slowly
        self._sent_all = False  # whether only the rest of a refused body is still to come

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of a client that may never say anything."""
        super().connection_made(transport)
        self._awaited = _IDLE
        self._arm(self.headers_s)

    def data_received(self, data: bytes) -> None:
        """Parse *data*; set a timer only if it leaves a request unfinished, stop a met one."""
        if self._sent_all:
            self._unset_keepalive_if_required()  # the body's own deadline holds
            return
        super().data_received(data)
        while self._offer_end is not None:
            data, self._offer_end = self._declined(data[self._offer_end :]), None
            super().data_received(data)
        if (
            self._read_whole is not self.scope
            or self._awaited is not None
            or self.cycle.response_complete
        ):
            self._watch(len(data))

    def on_message_begin(self) -> None:
        """Begin a request, unless its body is what begins."""
        if not self._again:
            super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Hand a request to the application, unless it was when another protocol was offered."""
        if not self._again:
            super().on_headers_complete()
        self._again = False

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._body_came = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Remember which request was read to its end (uvicorn forgets it if already answered)."""
        if self.parser.should_upgrade() and self._framing():
            return  # to the parser alone: what follows is its body
        self._read_whole = self.scope
        super().on_message_complete()

    def on_chunk_header(self) -> None:
        """Keep trailers out of the scope: uvicorn would append them to the headers the app reads.

        A front proxy that strips a header from requests need not look for it among the trailers.
        """
        self.headers = []

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks with the connection."""
        self._disarm()
        self._stop_looking()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to look whether the client takes anything."""
        super().pause_writing()
        if self._stalling is None:
            self._look(None)

    def resume_writing(self) -> None:
        """Look no longer: the client has taken what there was."""
        super().resume_writing()
        self._stop_looking()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not ours
        """Tell a client that its bytes are no HTTP by a problem document, and close.

        A whole request before them is answered first: it would take this answer for its own.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)
        answering = cycle is not None and not cycle.response_complete
        if answering and self._read_whole is self.cycle.scope:
            self.cycle.keep_alive = False
            return
        if not answering or not self.cycle.response_started:
            self.transport.write(self._problem(NO_HTTP))
        if answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _should_upgrade_to_ws(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        # A client may always offer an upgrade and a server ignore it (RFC 9110 §7.8): no event.
        offer = sys.exception()
        self._offer_end = offer.args[0] if offer is not None else None

    def _framing(self) -> list[tuple[bytes, bytes]]:
        return [pair for pair in self.scope["headers"] if pair[0] in _FRAMING]

    def _declined(self, rest: bytes) -> bytes:
        """Return what the parser has to read next, of *rest*, after an offer that is ignored.

        It takes a body for the other protocol's, and the next packet for another request: with a
        head of its own the body is read as one.
        """
        framing = self._framing()
        if not framing:
            return rest
        self._again, self.headers = True, []  # not in the scope once more
        if not self.cycle.keep_alive:
            # It drops all that comes after a request that is the last, its body as well.
            self.parser = HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            framing.append((b"connection", b"close"))
        lines = [name + b": " + value + b"\r\n" for name, value in framing]
        return b"".join([b"POST / HTTP/1.1\r\n", *lines, b"\r\n", rest])

    def _watch(self, received: int) -> None:
        """Set the timer for what is awaited now that *received* bytes have been parsed."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        awaited: object | None = None
        seconds = self.headers_s
        if self._read_whole is not self.scope:
            awaited = self.scope
            if cycle is not None and cycle.scope is self.scope:
                awaited, seconds = cycle, self.body_s
                cycle.transport = cast("asyncio.Transport", _HalfClosing(self, self.scope))
        elif cycle is None or cycle.response_complete:
            # Line breaks between two requests: uvicorn has stopped its keep-alive timer for them.
            awaited = _IDLE
        if awaited is not self._awaited:
            self._disarm()
            if awaited is not None and not self.transport.is_closing():
                self._awaited, self._headers_read = awaited, 0
                self._arm(seconds)
        elif self._body_came:
            self._headers_read = 0
        elif awaited is self.scope or awaited is cycle:
            self._headers_read += received
            if self._headers_read > HEADERS_LIMIT:
                self._refuse(HEADERS_TOO_LARGE)
        self._body_came = False

    def close_after(self, scope: HTTPScope) -> None:
        """Close after the answer to *scope*; while its body is on its way, for writing alone."""
        if self.scope is scope and self._read_whole is not scope:
            self._sent_all = True
            self.transport.write_eof()
        else:
            self.transport.close()

    def _look(self, waiting: int | None) -> None:
        """Let go of a client that has taken nothing of what was *waiting* before.

        Closing alone would wait for it, too.
        """
        now = self.transport.get_write_buffer_size() + self._unacknowledged()
        if now == waiting:
            self._stalling = None
            self.transport.abort()
        else:
            self._stalling = self.loop.call_later(self.stalled_s, self._look, now)

    def _unacknowledged(self) -> int:
        """Return the bytes in the kernel's buffer, which asks for more only once much is free."""
        connection = self.transport.get_extra_info("socket")
        try:
            found = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        return int.from_bytes(found, sys.byteorder)

    def _stop_looking(self) -> None:
        if self._stalling is not None:
            self._stalling.cancel()
            self._stalling = None

    def _arm(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._expire, seconds, self.flow.read_paused)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._awaited = None

    def _expire(self, seconds: float, was_paused: bool) -> None:  # noqa: FBT001 - call_later has no keywords
        """Answer 408 or close, unless it was this side that stopped reading."""
        if was_paused or self.flow.read_paused:
            self._arm(seconds)
            return
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            self.transport.close()
        elif self._awaited is cycle:
            self._refuse(TOO_SLOW)
        else:
            # The request before this one is still being answered: let uvicorn close after that.
            cycle.keep_alive = False
        self._disarm()

    def _refuse(self, kind: Kind) -> None:
        """Close with a problem document (RFC 9457) where an answer can still be given.

        The application waiting in `receive()` meets `http.disconnect`; what it sends is dropped.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)
        answering = cycle is not None and not cycle.response_complete
        if not (self.cycle.response_started if self._awaited is cycle else answering):
            self.transport.write(self._problem(kind))
        if answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _problem(self, kind: Kind) -> bytes:
        body = document(kind)
        headers = [
            *self.server_state.default_headers,
            (b"content-type", MEDIA_TYPE),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        return b"".join([STATUS_LINE[kind.status], *lines, b"\r\n", body])


class _HalfClosing:
    """The transport as the cycle of a request sees it whose body was not there at once."""

    def __init__(self, protocol: DeadlinedProtocol, scope: HTTPScope) -> None:
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing
        self.close = partial(protocol.close_after, scope)
