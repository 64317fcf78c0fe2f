"""Read websafe base64 bit by bit: the notation of IAB consent strings.

Pure. A character is six bits; what stands behind the last field is padding and is not looked at.
Sets of ids are kept as the ranges they came in, so that a short string never becomes a large one.

>>> bits = Bits("CA")
>>> bits.integer(6), bits.left
(2, 6)
>>> Ids.of([(4, 4), (1, 2), (3, 3)])
Ids(ranges=((1, 4),))
"""

import re
from base64 import urlsafe_b64decode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consent.errors import StringInvalid

BITS_A_CHARACTER = 6
FIBONACCI_BITS = 24
"""The longest Fibonacci code that is read: numbers beyond are no section ids."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}", re.ASCII)
_ONES = re.compile("1+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ids:
    """A set of ids as ascending ranges that neither overlap nor touch."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> "Ids":
        """Bring inclusive *ranges* into that form, whatever their order."""
        joined: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if joined and first <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
            else:
                joined.append((first, last))
        return cls(tuple(joined))

    def __contains__(self, wanted: object) -> bool:
        if not isinstance(wanted, int):
            return False
        at = bisect_right(self.ranges, wanted, key=lambda pair: pair[0])
        return at > 0 and wanted <= self.ranges[at - 1][1]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __str__(self) -> str:
        return ", ".join(
            str(first) if first == last else f"{first}-{last}" for first, last in self.ranges
        )


class Bits:
    """Reads the fields of one segment, in order. Every method may raise `StringInvalid`."""

    __slots__ = ("_at", "_bits")

    def __init__(self, segment: str) -> None:
        if not _BASE64URL.fullmatch(segment):
            raise StringInvalid("expected websafe base64, got other characters or none")
        characters = segment.rstrip("=")
        whole = urlsafe_b64decode(characters + "A" * (-len(characters) % 4))
        bits = f"{int.from_bytes(whole):0{8 * len(whole)}b}"
        self._bits = bits[: BITS_A_CHARACTER * len(characters)]
        self._at = 0

    @property
    def left(self) -> int:
        """How many bits were not read yet."""
        return len(self._bits) - self._at

    def _take(self, size: int) -> str:
        if size > self.left:
            raise StringInvalid(f"expected {size} more bits, got {self.left}")
        taken = self._bits[self._at : self._at + size]
        self._at += size
        return taken

    def integer(self, size: int) -> int:
        """Read an unsigned integer of *size* bits."""
        return int(self._take(size), 2)

    def flag(self) -> bool:
        """Read one bit."""
        return self._take(1) == "1"

    def instant(self) -> datetime:
        """Read a moment: 36 bits that count tenths of a second."""
        return _EPOCH + self.integer(36) * timedelta(milliseconds=100)

    def letters(self, count: int) -> str:
        """Read *count* letters of six bits each, where A is 0."""
        text = "".join(chr(ord("A") + self.integer(6)) for _ in range(count))
        if not text.isalpha():
            raise StringInvalid(f"expected {count} letters, got another character")
        return text

    def numbers(self, size: int) -> tuple[int, ...]:
        """Read one bit for each number from 1 to *size*; return those that are set."""
        return tuple(at for at, bit in enumerate(self._take(size), 1) if bit == "1")

    def ids(self) -> Ids:
        """Read a set of 16-bit ids: the largest, then a bit for each or a list of ranges."""
        size = self.integer(16)
        if self.flag():
            return self.ranges()
        # Most vendors of a string have a bit each: find runs instead of walking them.
        runs = _ONES.finditer(self._take(size))
        return Ids(tuple((run.start() + 1, run.end()) for run in runs))

    def ranges(self) -> Ids:
        """Read a list of 16-bit ids and ranges of them."""
        found: list[tuple[int, int]] = []
        for _ in range(self.integer(12)):
            grouped = self.flag()
            first = self.integer(16)
            last = self.integer(16) if grouped else first
            if not 0 < first <= last:
                raise StringInvalid(f"expected ascending ids from 1, got {first} to {last}")
            found.append((first, last))
        return Ids.of(found)

    def fibonacci(self) -> int:
        """Read a number in Fibonacci coding: it ends with the first two ones side by side."""
        end = self._bits.find("11", self._at)
        if end < 0 or end - self._at >= FIBONACCI_BITS:
            raise StringInvalid(
                f"expected a Fibonacci code of at most {FIBONACCI_BITS} bits, got none"
            )
        number, low, high = 0, 1, 2
        for bit in self._take(end + 2 - self._at)[:-1]:
            number += low if bit == "1" else 0
            low, high = high, low + high
        return number
