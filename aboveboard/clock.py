"""The world's time and the ids made from it: the only file that reads the clock.

Everything else takes a `Clock` and an `Ids` as arguments.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Answers the present instant, aware, in UTC."""

Ids = Callable[[], str]
"""Answers a new UUIDv7 (RFC 9562 §5.7) in its canonical text form."""

Random = Callable[[int], bytes]
"""Answers so many bytes that nobody can foresee."""


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the file that may


def uuid7(random: Random) -> Ids:
    """Return a maker of UUIDv7: 48 bits of Unix milliseconds, 12 of their fraction, 62 random.

    The fraction (RFC 9562 §6.2, method 3) keeps the ids of one batch in their order. Python has
    none before 3.14.
    """

    def make() -> str:
        millis, nanos = divmod(time.time_ns(), 1_000_000)
        tail = int.from_bytes(random(8), "big")
        return (
            f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{(nanos << 12) // 1_000_000:03x}"
            f"-{0x8000 | tail >> 50:04x}-{tail & 0xFFFF_FFFF_FFFF:012x}"
        )

    return make
