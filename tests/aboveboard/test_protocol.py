"""The deadlines for reading a request, against a real uvicorn on loopback."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from aboveboard.protocol import HEADERS_LIMIT, deadlined

DEADLINE = 4.0  # seconds of the server's own time, less than uvicorn keeps a connection
PATIENCE = 60.0  # seconds that a test waits for what must happen
ANSWER = 16_000_000  # bytes: more than the kernel takes for both ends of a connection
LITTLE = 100_000  # bytes


class App:
    """Echoes bodies, tells what it met; `/held` is answered when *released* is set."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.disconnected = threading.Event()
        self.holding = threading.Event()
        self.released = threading.Event()

    async def __call__(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        self.headers.append(list(scope["headers"]))
        early = scope["path"] == "/early"
        body = b"" if early else await self._read(receive)
        if body is None:
            return
        if scope["path"] == "/held":
            self.holding.set()
            assert await asyncio.to_thread(self.released.wait, PATIENCE)
        self.bodies.append(body)
        length = str(len(body)).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _read(self, receive: ASGIReceiveCallable) -> bytes | None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.disconnected.set()
                return None
            assert message["type"] == "http.request"
            body += message["body"]
            if not message["more_body"]:
                return body


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.listening.set()


class Time:
    """The loop as connections see it: for what they put off, time passes when it is told to.

    However long this machine takes over a request, no deadline passes meanwhile.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now = 0.0
        self._put_off: list[tuple[float, asyncio.TimerHandle, Callable[[], object]]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a loop has
        return getattr(self._loop, name)

    def call_later(
        self, seconds: float, call: Callable[..., object], *arguments: object
    ) -> asyncio.TimerHandle:
        """Put a call off; what is returned only says whether it was cancelled."""
        handle = self._loop.call_later(3600, lambda: None)
        self._put_off.append((self._now + seconds, handle, lambda: call(*arguments)))
        return handle

    def pass_by(self, seconds: float) -> None:
        """Make the calls that are due after so many seconds."""
        self._now += seconds
        due = [one for one in self._put_off if one[0] <= self._now]
        self._put_off = [one for one in self._put_off if one[0] > self._now]
        for _, handle, call in due:
            if not handle.cancelled():
                handle.cancel()
                call()


class Running:
    """A server on loopback, the application inside it and connections to it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.port = 0
        self.time: Time | None = None
        self.made = threading.Semaphore(0)  # released by each connection that has begun
        self.left: Callable[[], int] | None = None  # what the last one's client has still to take
        self.read = threading.Semaphore(0)  # released by all that the server has read
        self.looked = threading.Semaphore(0)  # … each time it looks whether an answer is taken
        self.lost = threading.Semaphore(0)  # … by each connection that has ended

    def connect(self, *, small: bool = False) -> socket.socket:
        """Open a connection that the server has seen; a *small* one buffers little."""
        connection = socket.socket()
        connection.settimeout(PATIENCE)
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)
        connection.connect(("127.0.0.1", self.port))
        assert self.made.acquire(timeout=PATIENCE), "the server did not answer"
        return connection

    def send(self, connection: socket.socket, *pieces: bytes) -> None:
        """Send *pieces* so that the server reads each for itself."""
        while self.read.acquire(blocking=False):
            pass  # what was read before is nobody's concern
        for piece in pieces:
            connection.sendall(piece)
            assert self.read.acquire(timeout=PATIENCE), "the server did not read"

    def pass_by(self, seconds: float = DEADLINE) -> None:
        """Let time pass for the server, and whatever is due happen."""
        assert self.time is not None
        done = threading.Event()
        self.time.call_soon_threadsafe(self.time.pass_by, seconds)
        self.time.call_soon_threadsafe(done.set)
        assert done.wait(PATIENCE)

    def drip(self, connection: socket.socket, piece: bytes) -> bytes:
        """Send *piece* again and again for as long as a deadline; return what the server says."""
        for _ in range(4):
            self.send(connection, piece)
            self.pass_by(DEADLINE / 4)
        return read_to_close(connection)


@pytest.fixture
def served() -> Iterator[Running]:
    """Run a server in a thread whose deadlines pass when they are told to."""
    running = Running(App())

    class Told(deadlined(headers_s=DEADLINE, body_s=DEADLINE, stalled_s=DEADLINE)):  # type: ignore[misc]
        """Tells of everything it has done."""

        def __init__(self, **given: Any) -> None:  # noqa: ANN401 - uvicorn's own
            super().__init__(**given)
            running.time = running.time or Time(self.loop)
            self.loop = running.time

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            running.left = lambda: transport.get_write_buffer_size() + self._unacknowledged()
            running.made.release()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            running.read.release()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            running.lost.release()

        def _look(self, waiting: int | None) -> None:
            super()._look(waiting)
            running.looked.release()

    config = uvicorn.Config(
        running.app,
        port=0,
        http=Told,
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert server.listening.wait(PATIENCE)
    try:
        running.port = server.servers[0].sockets[0].getsockname()[1]
        yield running
    finally:
        running.app.released.set()
        server.should_exit = True
        thread.join(PATIENCE)


def read_to_close(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def read_until(connection: socket.socket, ending: bytes) -> bytes:
    """Return what the server sends up to *ending*."""
    received = b""
    while not received.endswith(ending):
        chunk = connection.recv(65536)
        assert chunk, f"closed after {received!r}"
        received += chunk
    return received


def post(body: bytes, path: str = "/", *, declared: int | None = None) -> bytes:
    """Return a request with *body* that announces *declared* bytes."""
    length = len(body) if declared is None else declared
    return f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n".encode() + body


def assert_timed_out(answer: bytes) -> None:
    """Check that *answer* is the 408 problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nconnection: close" in head
    assert b"\r\ncontent-type: application/problem+json" in head
    assert json.loads(body) == {
        "type": "/problems/request-timeout",
        "title": "Request Timeout",
        "status": 408,
    }


def test_silent_client_is_let_go(served: Running) -> None:
    """A client that connects and says nothing is disconnected without an answer."""
    with served.connect() as connection:
        served.pass_by()

        assert read_to_close(connection) == b""


def test_unfinished_headers_are_let_go(served: Running) -> None:
    """A client that stops within the headers is disconnected without an answer."""
    with served.connect() as connection:
        served.send(connection, b"POST / HTTP/1.1\r\nHost: t\r\n")
        served.pass_by()

        assert read_to_close(connection) == b""
    assert served.app.headers == []


@pytest.mark.parametrize("piece", [b"X-Drip: 1\r\n", b"\r\n"], ids=["headers", "line breaks"])
@pytest.mark.parametrize("before", [b"", post(b"x")], ids=["first", "kept alive"])
def test_dripping_does_not_extend_the_headers(served: Running, before: bytes, piece: bytes) -> None:
    """Bytes that never end the headers do not keep a connection, new or kept alive."""
    with served.connect() as connection:
        if before:
            connection.sendall(before)
            read_until(connection, b"\r\n\r\nx")
        if piece.strip():
            served.send(connection, b"GET / HTTP/1.1\r\n")

        assert served.drip(connection, piece) == b""


def test_unfinished_body_answers_408(served: Running) -> None:
    """A body that stops is answered 408, and the application sees the client gone."""
    with served.connect() as connection:
        served.send(connection, post(b"half", declared=8))
        served.pass_by()

        assert_timed_out(read_to_close(connection))
    assert served.app.disconnected.wait(PATIENCE)
    assert served.app.bodies == []


def test_body_that_never_starts_answers_408(served: Running) -> None:
    """The deadline of the body runs from the end of the headers."""
    with served.connect() as connection:
        served.send(connection, post(b"", declared=8))
        served.pass_by()

        assert_timed_out(read_to_close(connection))
    assert served.app.disconnected.wait(PATIENCE)


def test_chunked_drip_answers_408(served: Running) -> None:
    """Chunks that keep coming do not extend the deadline."""
    with served.connect() as connection:
        head = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
        served.send(connection, head)

        assert_timed_out(served.drip(connection, b"1\r\nx\r\n"))
    assert served.app.disconnected.wait(PATIENCE)


def test_body_of_an_answered_request_is_not_awaited_for_ever(served: Running) -> None:
    """A client that goes on sending after an early answer is disconnected, not answered twice."""
    with served.connect() as connection:
        connection.sendall(post(b"", "/early", declared=1_000_000))
        read_until(connection, b"\r\n\r\n")

        assert served.drip(connection, b"x") == b""
        assert served.lost.acquire(timeout=PATIENCE), "the server did not let go"


def test_body_in_pieces_within_the_deadline_arrives(served: Running) -> None:
    """Headers and body sent apart are read as one request."""
    request = post(b"hello")
    with served.connect() as connection:
        served.send(connection, request[:10], request[10:-5], request[-5:-2], request[-2:])

        assert read_until(connection, b"hello").startswith(b"HTTP/1.1 200")


def test_kept_connection_outlives_the_deadlines(served: Running) -> None:
    """No timer of an earlier request closes a kept connection, whole requests or pieces."""
    with served.connect() as connection:
        for pieces in ([post(b"one")], [post(b"", declared=3), b"one"], [post(b"one")]):
            served.send(connection, *pieces)
            read_until(connection, b"\r\n\r\none")
            served.pass_by()
    assert served.app.bodies == [b"one"] * 3


def test_pipelined_requests_are_answered_in_order(served: Running) -> None:
    """Requests in one packet, the last cut in two, are all answered."""
    with served.connect() as connection:
        stream = post(b"one") + post(b"two") + post(b"three")
        served.send(connection, stream[:-2], stream[-2:])

        read_until(connection, b"three")
    assert served.app.bodies == [b"one", b"two", b"three"]


def test_waiting_for_the_server_is_not_held_against_the_client(served: Running) -> None:
    """A pipelined body that the server has stopped reading has its whole time afterwards."""
    with served.connect() as connection:
        served.send(connection, post(b"one", "/held") + post(b"tw", declared=3))
        assert served.app.holding.wait(PATIENCE)
        connection.sendall(b"o")
        served.pass_by()
        served.app.released.set()

        read_until(connection, b"two")
    assert served.app.bodies == [b"one", b"two"]


def test_answer_under_way_is_finished_before_closing(served: Running) -> None:
    """Half a second request does not cost the client the answer to its first."""
    with served.connect() as connection:
        served.send(connection, post(b"one", "/held") + b"POST / HTTP/1.1\r\n")
        assert served.app.holding.wait(PATIENCE)
        served.pass_by()
        served.app.released.set()

        answer = read_to_close(connection)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\none")


def test_endless_headers_are_refused(served: Running) -> None:
    """Headers past the limit are answered 431 at once."""
    with served.connect() as connection:
        served.send(connection, b"GET / HTTP/1.1\r\nX-Long: ")
        connection.sendall(b"x" * (HEADERS_LIMIT + 1))

        assert read_to_close(connection).startswith(b"HTTP/1.1 431 ")
    assert served.app.headers == []


def test_trailers_do_not_become_headers(served: Running) -> None:
    """What follows a chunked body cannot pass for a header that a proxy would have stripped."""
    with served.connect() as connection:
        connection.sendall(
            b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nhi\r\n0\r\nAuthorization: Bearer stolen\r\n\r\n" + post(b"next")
        )

        read_until(connection, b"next")
    names = [[name for name, _ in headers] for headers in served.app.headers]
    assert names == [[b"host", b"transfer-encoding"], [b"host", b"content-length"]]


@pytest.mark.parametrize("path", ["/", "/early"])
@pytest.mark.parametrize("trailer", [b"A: b\r\n", b"x"], ids=["many", "long"])
def test_endless_trailers_are_refused(served: Running, path: str, trailer: bytes) -> None:
    """Trailers past the limit end the connection at once; what was answered before stays so."""
    with served.connect() as connection:
        served.send(
            connection,
            f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".encode(),
            b"2\r\nhi\r\n0\r\nX-Long: x",
        )
        connection.sendall(trailer * (HEADERS_LIMIT // len(trailer) + 1))

        answer = read_to_close(connection)
    assert answer.startswith(b"HTTP/1.1 200 " if path == "/early" else b"HTTP/1.1 431 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert served.app.bodies == ([b""] if path == "/early" else [])


def test_long_body_is_no_trailer(served: Running) -> None:
    """However much is read while a body is on its way, it counts as the body's."""
    body = b"x" * (4 * HEADERS_LIMIT)
    with served.connect() as connection:
        connection.sendall(post(body))

        assert read_until(connection, body).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ],
    ids=["tls", "h2", "path", "negative length", "length and chunked", "two lengths"],
)
def test_malformed_http_answers_400(served: Running, request_bytes: bytes) -> None:
    """What is not one unambiguous HTTP/1.1 request is refused and never reaches the application."""
    with served.connect() as connection:
        connection.sendall(request_bytes)

        assert read_to_close(connection).startswith(b"HTTP/1.1 400 ")
    assert served.app.bodies == []


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
def test_upgrades_are_ignored(served: Running, protocol: bytes) -> None:
    """A request that offers another protocol is answered in HTTP/1.1."""
    with served.connect() as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

        assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        (b"Content-Length: 32\r\n", b"GET /early HTTP/1.1\r\nHost: t\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"2\r\nhi\r\n3\r\nyou\r\n0\r\n\r\n"),
        (b"Content-Length: 0\r\n", b""),
        (b"", b""),
    ],
    ids=["length", "chunked", "empty", "none"],
)
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "at once"])
def test_what_comes_with_an_offer_is_its_body(
    served: Running,
    framing: bytes,
    sent: bytes,
    apart: bool,  # noqa: FBT001
) -> None:
    """As Java's client offers h2c with each request: its body is read, and is no other request."""
    head = (
        b"POST / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + framing + b"\r\n"
    )
    with served.connect() as connection:
        if apart:
            served.send(connection, head)
        connection.sendall((b"" if apart else head) + sent + post(b"next"))

        read_until(connection, b"next")
    body = b"hiyou" if b"chunked" in framing else sent
    assert served.app.bodies == [body, b"next"]
    assert [len(headers) for headers in served.app.headers] == [4 if framing else 3, 2]


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nConnection: Upgrade, close\r\n",
        b"POST / HTTP/1.0\r\nConnection: Upgrade\r\n",
    ],
    ids=["close", "1.0"],
)
@pytest.mark.parametrize("apart", [True, False], ids=["apart", "at once"])
def test_so_it_is_of_the_last_request(served: Running, head: bytes, apart: bool) -> None:  # noqa: FBT001
    """A parser that is told that no other follows reads nothing more, not even a body."""
    head += b"Host: t\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n"
    with served.connect() as connection:
        if apart:
            served.send(connection, head)
        connection.sendall((b"" if apart else head) + b"hi" + post(b"next"))

        assert read_to_close(connection).startswith(b"HTTP/1.1 200")
    assert served.app.bodies == [b"hi"]


def test_who_takes_little_gets_everything(served: Running) -> None:
    """A little between two looks is enough, less than the kernel waits for before it asks for more.

    Whoever is let go of still gets what the kernel has; what counts is what they get in the end.
    """
    body = b"x" * ANSWER
    with served.connect(small=True) as slow:
        slow.sendall(post(body))
        received = 0
        assert served.left is not None
        for _ in range(3):
            assert served.looked.acquire(timeout=PATIENCE), "the server did not look"
            before = served.left()
            received += len(slow.recv(LITTLE, socket.MSG_WAITALL))
            late = time.monotonic() + PATIENCE
            while served.left() == before:
                assert time.monotonic() < late, "nothing more was taken"
            served.pass_by()
        while received < len(body) and (chunk := slow.recv(LITTLE)):
            received += len(chunk)

    assert received >= len(body)


def test_a_client_that_takes_nothing_is_let_go(served: Running) -> None:
    """Whoever does not read keeps no answer in memory."""
    body = b"x" * ANSWER
    with served.connect(small=True) as stalled:
        stalled.sendall(post(body))
        # Its kernel goes on taking for a while.
        late = time.monotonic() + PATIENCE
        while not served.lost.acquire(blocking=False):
            assert time.monotonic() < late, "the server did not let go"
            served.pass_by()

        assert len(read_to_close(stalled)) < len(body)
