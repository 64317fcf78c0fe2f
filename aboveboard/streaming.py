"""Bodies that are made while they are sent: for answers that may be larger than memory.

A part is made when the one before is on its way, so a slow client slows its own answer and
nothing gathers; a client that leaves ends it.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from starlette.types import Message, Receive, Send

Headers = tuple[tuple[bytes, bytes], ...]


class Streamed(Protocol):
    """A body in parts."""

    @property
    def media(self) -> bytes:
        """Its media type."""
        ...

    @property
    def headers(self) -> Headers:
        """What else is said of it."""
        ...

    @property
    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Its parts, in order; closed as soon as nobody reads on."""
        ...


async def begin(streamed: Streamed) -> bytes | None:
    """Make the first part: what fails before the status is sent can still be told by another."""
    return await anext(streamed.chunks, None)


async def stream(
    start: Message, first: bytes | None, streamed: Streamed, *, receive: Receive, send: Send
) -> None:
    """Send *start*, then *first* and every part after it.

    What is raised on the way leaves the answer without its end: the server then cuts the
    connection, and no client takes what came for the whole.
    """
    gone = asyncio.ensure_future(_departure(receive))
    try:
        await send(start)
        chunk = first
        while chunk is not None:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await anext(streamed.chunks, None)
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await streamed.chunks.aclose()


async def _departure(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
