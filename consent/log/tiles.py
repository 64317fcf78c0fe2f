"""The log cut into tiles and bundles of entries: C2SP tlog-tiles.

A tile is up to 256 neighbouring node hashes of a level that is a multiple of eight; a bundle is
the entries under a tile of the lowest. What lies at a place never changes, so that anybody may
keep a copy of it. Takes a connection inside a transaction; only reads.

>>> Place.parse("x001/x234/067.p/5")
Place(index=1234067, width=5)
"""

import re
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection

from consent.errors import OutsideTree
from consent.log.ledger import TILE_HEIGHT, TILE_WIDTH, Head, Nodes, read_leaves

MAX_LEVEL = 63
LENGTH_BYTES = 2

_LEVEL = re.compile(r"0|[1-9][0-9]?", re.ASCII)
# Six parts before the last name more tiles than a tree of 2^63 leaves can have.
_PLACE = re.compile(r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a tile stands in its level, and how many hashes or entries of it are meant."""

    index: int
    width: int = TILE_WIDTH

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `x001/x234/067` or `x001/x234/067.p/<width>`, in its one spelling.

        Raises OutsideTree: whatever else there is, no tile is there.
        """
        found = _PLACE.fullmatch(text)
        if found is not None:
            index = int(found[1].replace("x", "").replace("/", ""))
            place = cls(index, int(found[2] or TILE_WIDTH))
            if place.width <= TILE_WIDTH and str(place) == text:
                return place
        raise OutsideTree("expected a tile as N[.p/W] of C2SP tlog-tiles, got something else")

    def __str__(self) -> str:
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.append(f"x{rest % 1000:03d}")
            rest //= 1000
        part = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return "/".join(reversed(groups)) + part


def parse_level(text: str) -> int:
    """Read the level of a tile, from 0 to 63. Raises OutsideTree."""
    if not _LEVEL.fullmatch(text) or int(text) > MAX_LEVEL:
        raise OutsideTree(f"expected a level from 0 to {MAX_LEVEL}, got something else")
    return int(text)


def read_tile(connection: Connection, head: Head, level: int, place: Place) -> bytes:
    """Return the hashes of a tile, one behind the other.

    Raises OutsideTree where the signed tree has no such tile, or not that much of it.
    """
    _check(head, level, place)
    return b"".join(Nodes(connection, head).tile(level, place.index)[: place.width])


def read_entries(connection: Connection, head: Head, place: Place) -> bytes:
    """Return entries, each behind its length in two bytes, big-endian.

    Raises OutsideTree where the signed tree has no such bundle, or not that much of it.
    """
    _check(head, 0, place)
    start = place.index << TILE_HEIGHT
    leaves = read_leaves(connection, head, start, start + place.width)
    return b"".join(len(leaf).to_bytes(LENGTH_BYTES, "big") + leaf for _, leaf in leaves)


def _check(head: Head, level: int, place: Place) -> None:
    nodes = head.frontier.size >> (level * TILE_HEIGHT)
    if (place.index << TILE_HEIGHT) + place.width > nodes:
        raise OutsideTree(
            f"expected a tile of the {nodes} complete nodes of level {level}, got one beyond"
        )
