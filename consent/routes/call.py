"""What a handler is given, and what it answers."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol

PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Streamed:
    """A body that is made while it is sent: its media type, its parts, what else is said of it."""

    media: bytes
    chunks: AsyncGenerator[bytes, None]
    headers: tuple[tuple[bytes, bytes], ...] = ()


Answer = tuple[int, bytes | Streamed]


class Call(Protocol):
    """One request: its bytes, and what the door found out about it."""

    @property
    def body(self) -> bytes:
        """The body as it came."""
        ...

    @property
    def path(self) -> Mapping[str, str]:
        """The path's parameters."""
        ...

    def site(self, named: str | None = None) -> str:
        """Return the site that is spoken for."""
        ...

    def idempotency_key(self, in_body: str | None) -> str | None:
        """Return the request's key, from a header or *in_body*."""
        ...

    def query(self) -> dict[str, str]:
        """Return the query's parameters."""
        ...
