"""What a handler is given, and what it answers."""

from collections.abc import Mapping
from typing import Protocol

PROBLEM = "application/problem+json"

Answer = tuple[int, bytes]


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

    def sites(self, named: str | None = None) -> tuple[str, ...]:
        """Return the one site that is spoken for, or all of the key's where none is named."""
        ...

    def idempotency_key(self, in_body: str | None) -> str | None:
        """Return the request's key, from a header or *in_body*."""
        ...

    def query(self) -> dict[str, str]:
        """Return the query's parameters."""
        ...
