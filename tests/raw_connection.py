"""One TCP connection to a service, for bytes that no well-behaved client sends."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

PATIENCE_S = 60


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The body as the problem document that it must be."""
        assert self.headers["content-type"] == "application/problem+json", self
        found = json.loads(self.body)
        assert found["status"] == self.status, self
        assert found["type"].startswith("/problems/"), self
        return dict(found)


class RawConnection:
    """Sends bytes as they are and reads answers one by one."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._read = bytearray()

    def send(self, content: bytes) -> bool:
        """Send *content*; False where the server has closed already."""
        try:
            self._socket.sendall(content)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def finish(self) -> None:
        """Say that nothing more will be sent."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def answer(self) -> Answer | None:
        """Read one whole answer; None where the server closes without one."""
        while b"\r\n\r\n" not in self._read:
            if not self._more():
                return None
        head, _, rest = bytes(self._read).partition(b"\r\n\r\n")
        self._read = bytearray(rest)
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        while len(self._read) < length:
            if not self._more():
                return None
        body = bytes(self._read[:length])
        del self._read[:length]
        return Answer(int(first.split()[1]), headers, body)

    def read_to_end(self) -> bytes:
        """Read what the server sends until it closes."""
        while self._more():
            pass
        return bytes(self._read)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _more(self) -> bool:
        try:
            received = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._read += received
        return bool(received)


@contextmanager
def connected(port: int) -> Iterator[RawConnection]:
    """Open a connection for as long as the block runs."""
    connection = RawConnection(port)
    try:
        yield connection
    finally:
        connection.close()


def exchange(port: int, request: bytes) -> Answer | None:
    """Send one request's bytes on a connection of its own and return the answer to it."""
    with connected(port) as connection:
        connection.send(request)
        return connection.answer()


def request_bytes(
    method: str, target: str | bytes, *, headers: Mapping[str, str | bytes], body: bytes = b""
) -> bytes:
    """Write a request; *headers* as they are, without any that a client would add."""
    raw = target if isinstance(target, bytes) else target.encode("latin-1")
    lines = [method.encode() + b" " + raw + b" HTTP/1.1", b"Host: localhost"]
    for name, value in headers.items():
        lines.append(
            name.encode() + b": " + (value if isinstance(value, bytes) else value.encode("latin-1"))
        )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
