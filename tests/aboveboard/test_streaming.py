"""Bodies made while they are sent: in order, as fast as taken, never ended by a failure."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from structlog.testing import capture_logs

from aboveboard.errors import StorageUnavailable
from aboveboard.operations import Call, Catalogue, Door


@dataclass
class Body:
    """A body in parts, with a type and a header of its own."""

    chunks: AsyncGenerator[bytes, None]
    media: bytes = b"text/csv"
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-disposition", b"attachment"),)


class Client:
    """The server's side of one connection: what it hands to the application, and gets from it."""

    def __init__(self, leaves_after: int | None = None) -> None:
        self.sent: list[dict[str, Any]] = []
        self._gone = asyncio.Event()
        self._leaves_after = leaves_after
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        """Hand over the empty body of a GET, then wait for the client to leave."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:  # noqa: ANN401
        """Take a message; the client leaves after so many."""
        self.sent.append(message)
        if len(self.sent) == self._leaves_after:
            self._gone.set()
            await asyncio.sleep(0)

    @property
    def body(self) -> list[bytes]:
        """The parts that came."""
        return [message["body"] for message in self.sent[1:]]

    @property
    def ended(self) -> bool:
        """Whether the answer came to its end."""
        return not self.sent[-1].get("more_body", False)


def ask(
    parts: Callable[[], AsyncGenerator[bytes, None]], client: Client, *, method: str = "GET"
) -> None:
    """Ask for a streamed body."""

    async def handler(_call: Call) -> Any:  # noqa: ANN401
        return 200, Body(parts())

    catalogue = Catalogue()
    catalogue.declare(
        method="GET",
        path="/x",
        handler=handler,
        name="x",
        summary="",
        scope=None,
        answers={200: ("text/csv", "text/plain")},
        headers=((b"cache-control", b"no-store"),),
    )
    door: Door = catalogue.doors(None)["/x"]  # type: ignore[arg-type]
    scope = {
        "type": "http",
        "method": method,
        "path": "/x",
        "headers": [],
        "query_string": b"",
    }
    asyncio.run(door(scope, client.receive, client.send))


def test_parts_are_sent_in_order_with_their_own_type() -> None:
    """The type is the body's, other headers join the operation's, no length is claimed."""
    client = Client()

    async def parts() -> AsyncGenerator[bytes, None]:
        for part in (b"a", b"", b"b"):
            yield part

    ask(parts, client)

    assert client.sent[0]["status"] == 200
    assert dict(client.sent[0]["headers"]) == {
        b"content-type": b"text/csv",
        b"x-content-type-options": b"nosniff",
        b"cache-control": b"no-store",
        b"content-disposition": b"attachment",
    }
    assert client.body == [b"a", b"", b"b", b""]
    assert client.ended


def test_a_part_is_made_when_the_one_before_was_taken() -> None:
    """Nothing gathers while a client is slow: each part waits for the send before it."""
    client = Client()
    seen: list[int] = []

    async def parts() -> AsyncGenerator[bytes, None]:
        for number in range(4):
            seen.append(len(client.sent))
            yield b"%d" % number

    ask(parts, client)

    # The first is made before the status is sent.
    assert seen == [0, 2, 3, 4]


def test_whoever_leaves_ends_it() -> None:
    """No further part is made, what made them is closed, and the answer gets no end."""
    client = Client(leaves_after=3)
    made: list[int] = []
    closed: list[bool] = []

    async def parts() -> AsyncGenerator[bytes, None]:
        try:
            for number in range(1000):
                made.append(number)
                yield b"x"
        finally:
            closed.append(True)

    ask(parts, client)

    assert len(made) <= 3
    assert closed == [True]
    assert not client.ended


def test_a_failure_on_the_way_leaves_the_answer_without_an_end() -> None:
    """No client takes a part for the whole; the log has the place, not the words."""
    client = Client()

    async def parts() -> AsyncGenerator[bytes, None]:
        yield b"a"
        raise RuntimeError("canary")

    with capture_logs() as logs:
        ask(parts, client)

    assert client.body == [b"a"]
    assert not client.ended
    (told,) = logs
    assert (told["event"], told["error"]) == ("operation_failed", "RuntimeError")
    assert "canary" not in str(told)


@pytest.mark.parametrize("early", [True, False], ids=["empty", "failing"])
def test_before_the_first_part_all_is_as_ever(early: bool) -> None:  # noqa: FBT001
    """An empty body is whole; what fails before the first part is told by a problem."""
    client = Client()

    async def parts() -> AsyncGenerator[bytes, None]:
        if not early:
            raise StorageUnavailable("expected an answer")
        return
        yield b""

    ask(parts, client)

    assert client.sent[0]["status"] == (200 if early else 503)
    assert client.ended
    assert (client.body == [b""]) is early


def test_head_makes_nothing() -> None:
    """The headers alone, and no part is made for them."""
    client = Client()
    made: list[bool] = []

    async def parts() -> AsyncGenerator[bytes, None]:
        made.append(True)
        yield b"x"

    ask(parts, client, method="HEAD")

    assert client.body == [b""]
    assert made == []
