"""Tiles and bundles of entries on both engines: every one that a size has, and no other."""

import random
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from aboveboard.installation import Databases
from aboveboard.rows import Rows
from consent.errors import OutsideTree
from consent.log import ledger, merkle, tiles
from consent.log.checkpoint import Signer
from consent.log.ledger import Head
from consent.log.tiles import Place

SIGNER = Signer("blog.example.org/aboveboard/blog/1", bytes(32))
LEAVES = [b"entry %d" % at + b"." * (at % 300) for at in range(70_000)]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


@pytest.fixture
def log(databases: Databases) -> Databases:
    """Open an empty log."""
    with databases.consent.write() as connection, Rows(connection) as rows:
        ledger.open_log(rows, "blog", "blog.example.org", lambda *_: SIGNER)
    return databases


def grow(databases: Databases, start: int, stop: int) -> None:
    """Append leaves in one transaction."""
    with databases.consent.write() as connection, Rows(connection) as rows:
        ledger.append(rows, ledger.lock_head(rows, "blog")(), LEAVES[start:stop], lambda *_: SIGNER)


def tiles_of(size: int) -> Iterator[tuple[int, Place]]:
    """Name every tile of a tree, partial ones as wide as it has them: C2SP tlog-tiles."""
    level = 0
    while (nodes := size // 256**level) > 0:
        for index in range(nodes // 256):
            yield level, Place(index)
        if nodes % 256:
            yield level, Place(nodes // 256, nodes % 256)
        level += 1


def expected(level: int, place: Place) -> bytes:
    """Follow the definition: MTH(D[(n * 256 + i) * 256**l : (n * 256 + i + 1) * 256**l])."""
    span = 256**level
    first = place.index * 256
    return b"".join(
        merkle.root(HASHES[node * span : (node + 1) * span])
        for node in range(first, first + place.width)
    )


def bundle(place: Place) -> bytes:
    """Follow the definition: entries behind their lengths."""
    entries = LEAVES[place.index * 256 : place.index * 256 + place.width]
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def check(connection: Connection, head: Head, chosen: list[tuple[int, Place]]) -> None:
    """Check that tiles, and the entries under those of level 0, are what they should be."""
    for level, place in chosen:
        assert tiles.read_tile(connection, head, level, place) == expected(level, place)
        if level == 0:
            assert tiles.read_entries(connection, head, place) == bundle(place)


def test_every_size_has_its_tiles_and_no_more(log: Databases) -> None:
    """While a log grows to 600: its last tiles, all that were ever signed, and none beyond."""
    draw = random.Random(11)  # noqa: S311 - the same every time
    size, signed = 0, set()
    while size < 600:
        grown = min(600, size + draw.choice([1, 1, 2, 3, 5, 40]))
        grow(log, size, grown)
        size = grown
        with log.consent.read() as connection:
            head = ledger.read_head(connection, "blog", 1)
            assert head.frontier.size == size
            now = list(tiles_of(size))
            signed.update(now)
            check(connection, head, now[-4:])
            for level, place in _beyond(size):
                with pytest.raises(OutsideTree, match="complete nodes"):
                    tiles.read_tile(connection, head, level, place)
                if level == 0:
                    with pytest.raises(OutsideTree, match="complete nodes"):
                        tiles.read_entries(connection, head, place)
    with log.consent.read() as connection:
        check(connection, head, sorted(signed))


def _beyond(size: int) -> Iterator[tuple[int, Place]]:
    for level in range(4):
        nodes = size // 256**level
        if nodes % 256 != 255:
            yield level, Place(nodes // 256, nodes % 256 + 1)
        yield level, Place(nodes // 256)
        yield level, Place(nodes // 256 + 1, 1)
    yield 63, Place(0, 1)
    yield 0, Place(10**21 - 1)


def test_a_log_of_seventy_thousand_is_cut_as_specified(log: Databases) -> None:
    """273 full tiles and one of 112, one and one of 17, one of 1: the example of C2SP."""
    grow(log, 0, 70_000)
    named = list(tiles_of(70_000))
    assert [sum(level == at for level, _ in named) for at in range(4)] == [274, 2, 1, 0]
    assert [(level, str(place)) for level, place in named if place.width < 256] == [
        (0, "273.p/112"),
        (1, "001.p/17"),
        (2, "000.p/1"),
    ]
    with log.consent.read() as connection:
        head = ledger.read_head(connection, "blog", 1)
        check(connection, head, [named[at] for at in (0, 1, 136, 272, 273, 274, 275, 276)])
        for level, place in ((0, Place(273, 113)), (1, Place(1, 18)), (2, Place(0, 2))):
            with pytest.raises(OutsideTree):
                tiles.read_tile(connection, head, level, place)


@given(st.integers(0, 10**21 - 1), st.integers(1, 256))
def test_a_place_is_read_as_it_is_written(index: int, width: int) -> None:
    """One spelling a place."""
    assert Place.parse(str(Place(index, width))) == Place(index, width)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place(0), "000"),
        (Place(67, 1), "067.p/1"),
        (Place(1000), "x001/000"),
        (Place(1_234_067, 255), "x001/x234/067.p/255"),
    ],
)
def test_places_are_spelled_as_specified(place: Place, text: str) -> None:
    """Three digits an element, all but the last behind an x."""
    assert str(place) == text
    assert Place.parse(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "00",
        "0000",
        "x000",
        "x000/067",
        "001/234",
        "x001/x234",
        "x01/234",
        "-01",
        "067.p",
        "067.p/",
        "067.p/0",
        "067.p/01",
        "067.p/256",
        "067.p/257",
        "067.p/1000",
        "067.p/1/",
        "067/",
        "/067",
        "067\n",
        "٠٦٧",
        "x001/" * 7 + "000",
    ],
)
def test_another_spelling_names_nothing(text: str) -> None:
    """A cache must not hold one tile under many names."""
    with pytest.raises(OutsideTree):
        Place.parse(text)


@pytest.mark.parametrize("text", ["", "00", "01", "64", "-1", "1 ", "x", "٣", "100"])
def test_levels_are_numbers_up_to_63(text: str) -> None:
    """Written one way."""
    assert [tiles.parse_level(str(level)) for level in range(64)] == list(range(64))
    with pytest.raises(OutsideTree):
        tiles.parse_level(text)
