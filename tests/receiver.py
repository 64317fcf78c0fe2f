"""A web server that takes what is posted to it, and answers as it is told to."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any


@dataclass(frozen=True)
class Post:
    """What came: the path, the headers in lower case, the body."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        """The id of the message."""
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        """The message."""
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    """What a server has taken, and how it answers: *answer* may wait, or raise to hang up."""

    status: int = 204
    answer: Callable[[Post], int] | None = None
    posts: SimpleQueue[Post] = field(default_factory=SimpleQueue)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def taken(self) -> list[Post]:
        """Return what was posted since."""
        return [self.posts.get() for _ in range(self.posts.qsize())]


@contextmanager
def receiving(receiver: Receiver | None = None) -> Iterator[Receiver]:
    """Listen for posts, where a *receiver* has a port already on that one."""
    made = Receiver() if receiver is None else receiver

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            body = self.rfile.read(size).decode(errors="replace")
            if len(body.encode()) < size:
                # Whoever sent it was killed on the way: nothing was told.
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            post = Post(self.path, headers, body)
            made.posts.put(post)
            try:
                status = made.status if made.answer is None else made.answer(post)
            except ConnectionError:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("location", f"{made.url}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tell nobody."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128
        allow_reuse_address = True
        allow_reuse_port = True

        def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
            connections.append(request)
            super().process_request(request, client_address)

        def handle_error(self, *_: object) -> None:
            """Tell nobody: whoever posts may leave before the answer."""

    connections: list[socket.socket] = []
    with Server(("127.0.0.1", made.port), Handler) as server:
        made.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
            # Those that were kept open would go on being answered.
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def absent() -> Iterator[Receiver]:
    """Lend a receiver that does not listen yet; until then nobody else is given its port."""
    with socket.socket() as kept:
        # A socket that only keeps a port lets another of these listen on it.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        yield Receiver(port=kept.getsockname()[1])


@contextmanager
def listening() -> Iterator[tuple[int, Callable[[], int]]]:
    """Lend a port of every local address, and what counts the connections that were made to it."""
    made = 0
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 0))
        server.listen(128)
        server.settimeout(0)

        def count() -> int:
            nonlocal made
            while True:
                try:
                    server.accept()[0].close()
                except BlockingIOError:
                    return made
                made += 1

        yield server.getsockname()[1], count
