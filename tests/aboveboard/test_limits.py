"""Limits: a body is refused by its headers, or at the first byte too many."""

import asyncio
from typing import Any

import pytest

from aboveboard.errors import BodyTooLarge, ClientGone, HeaderAmbiguous, MediaTypeUnsupported
from aboveboard.limits import ONCE, check_headers, check_once, read_body


def read(*messages: dict[str, Any], limit: int = 10) -> tuple[bytes | Exception, int]:
    """Read a body from these messages; return it or the refusal, and how many were taken."""
    left = iter(messages)
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return next(left)

    async def reading() -> bytes:
        return await read_body(receive, limit)

    try:
        return asyncio.run(reading()), taken
    except (BodyTooLarge, ClientGone) as refused:
        return refused, taken


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    """Return a part of a body as ASGI hands it on."""
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_comes_whole_or_in_parts() -> None:
    """Up to the limit, in one message or many, or not at all."""
    assert read(part(b"0123456789", more=False)) == (b"0123456789", 1)
    assert read(part(b"01234"), part(b""), part(b"56789", more=False)) == (b"0123456789", 3)
    assert read({"type": "http.request"}) == (b"", 1)


def test_one_byte_too_many_is_refused_at_once() -> None:
    """The rest is not read: not the next part, not to the end."""
    whole, _ = read(part(b"01234567890", more=False))
    in_parts, taken = read(part(b"012345"), part(b"67890"), part(b"never", more=False))

    assert isinstance(whole, BodyTooLarge)
    assert isinstance(in_parts, BodyTooLarge)
    assert taken == 2


def test_a_client_that_leaves_is_told_apart() -> None:
    """Half a body is none."""
    gone, _ = read(part(b"01234"), {"type": "http.disconnect"})
    at_once, _ = read({"type": "http.disconnect"})

    assert isinstance(gone, ClientGone)
    assert isinstance(at_once, ClientGone)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-length", "10"),
        ("content-type", "application/json"),
        ("content-type", "application/json; charset=utf-8"),
        ("content-type", "Application/JSON"),
        ("content-type", "application/cloudevents+json"),
        ("content-encoding", "identity"),
        ("content-encoding", ""),
        ("x-other", "anything"),
    ],
)
def test_good_headers_pass(name: str, value: str) -> None:
    """JSON in its spellings, unpacked, within the limit; a type need not be named."""
    check_headers({name.encode(): value.encode()}, 10)


@pytest.mark.parametrize(
    ("name", "value", "refusal"),
    [
        ("content-length", "11", BodyTooLarge),
        ("content-length", "9" * 5000, BodyTooLarge),
        ("content-length", "many", BodyTooLarge),
        ("content-length", "-1", BodyTooLarge),
        ("content-type", "text/plain", MediaTypeUnsupported),
        ("content-type", "application/jsonp", MediaTypeUnsupported),
        ("content-type", "", MediaTypeUnsupported),
        ("content-encoding", "gzip", MediaTypeUnsupported),
        ("content-encoding", "gzip, identity", MediaTypeUnsupported),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else None,
)
def test_bad_headers_are_refused_before_the_body(
    name: str, value: str, refusal: type[Exception]
) -> None:
    """By length, type and encoding alone."""
    with pytest.raises(refusal):
        check_headers({name.encode(): value.encode()}, 10)


@pytest.mark.parametrize("name", ONCE)
def test_what_says_who_asks_comes_once(name: bytes) -> None:
    """A proxy may have read the other; of any other header the last counts."""
    twice = [(name, b"a"), (b"accept", b"x"), (b"accept", b"y"), (name, b"a")]

    with pytest.raises(HeaderAmbiguous, match=f"{name.decode()} once, got it 2 times"):
        check_once(dict(twice), twice)
    check_once(dict(twice[1:]), twice[1:])
