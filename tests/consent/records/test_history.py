"""History: in the ledger's order across its epochs, a step at a time, in bounded memory."""

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from full_ledger import TOGETHER, Visitors, enter, fill
from sqlalchemy import Connection

from aboveboard.database import Database
from aboveboard.rows import Rows
from consent.audit.auditing import Auditing
from consent.errors import RecordErased, RecordNotFound
from consent.log.merkle import EMPTY_ROOT, Frontier
from consent.records import history
from consent.records.history import START, History, Position, get_record
from consent.records.search import Filter
from consent.sealing.keyring import Keyring
from consent.tables import LOG, RECORD
from consent.wire.exports import FILES, Format

SIZES = {"short": 1_000, "long": 2 * TOGETHER}


class Ledgers:
    """Two sites' ledgers in one database."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        self.keyring = keyring
        for site_id, events in SIZES.items():
            fill(database, keyring, Visitors(keyring, site_id, events))

    def begun(self, site_id: str) -> History:
        """Begin a history."""
        with self.database.read() as connection:
            return History(connection, self.keyring, site_id)


@pytest.fixture(scope="module")
def ledgers(fresh_ledger: tuple[Database, Keyring]) -> Ledgers:
    """Fill one database an engine."""
    return Ledgers(*fresh_ledger)


class Counted:
    """Reads as the service does, and counts how often."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked = 0

    async def query(self, ask: Callable[[Connection], Any]) -> Any:  # noqa: ANN401
        """Answer on a connection that is given back after it."""
        self.asked += 1
        with self._database.read() as connection:
            return ask(connection)


async def export(ledgers: Ledgers, site_id: str) -> tuple[int, int, int]:
    """Export a site; return how many lines, in how many steps, and the peak of memory in bytes."""
    reading = Counted(ledgers.database)
    auditing = Auditing(keyring=ledgers.keyring, reading=reading)
    lines = 0
    tracemalloc.start()
    async for chunk in auditing.export(site_id, Filter(), FILES[Format.CSV]):
        lines += chunk.count(b"\r\n")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return lines - 1, reading.asked - 1, peak


def test_an_export_takes_as_much_memory_as_a_step(ledgers: Ledgers) -> None:
    """However long the ledger: no step holds more than it may, nothing is held between two."""
    asyncio.run(export(ledgers, "short"))

    short, long = (asyncio.run(export(ledgers, site_id)) for site_id in SIZES)

    assert (short[0], long[0]) == tuple(SIZES.values())
    assert (short[1], long[1]) == tuple(events // history.STEP for events in SIZES.values())
    assert long[2] < 1.25 * short[2]


def test_no_step_reads_more_than_it_may(ledgers: Ledgers) -> None:
    """What a step returns, filtered or not, comes from so many entries and no more."""
    begun, position, steps, found = ledgers.begun("long"), START, 0, 0
    ended = False
    while not ended:
        with ledgers.database.read() as connection:
            step = begun.read(connection, position, wanted=Filter(method="gpc"), limit=1_000)
        assert step.position.leaf_index - position.leaf_index <= 1_000
        position, ended, steps, found = (
            step.position,
            step.ended,
            steps + 1,
            found + len(step.entries),
        )

    with ledgers.database.read() as connection:
        expected = connection.execute(
            RECORD.select().where(RECORD.c.site_id == "long", RECORD.c.method == "gpc")
        ).all()
    assert steps == SIZES["long"] // 1_000
    assert found == len(expected) > 0


def test_a_history_ends_where_it_was_begun(ledgers: Ledgers) -> None:
    """What is recorded meanwhile is not part of it, so that it ends."""
    fill(ledgers.database, ledgers.keyring, Visitors(ledgers.keyring, "busy", 300))
    begun = ledgers.begun("busy")
    more = list(Visitors(ledgers.keyring, "busy", 60, seed=2))
    enter(ledgers.database, ledgers.keyring, "busy", more)

    with ledgers.database.read() as connection:
        step = begun.read(connection, START)
        after = begun.read(connection, step.position)
        anew = History(connection, ledgers.keyring, "busy").read(connection, step.position)

    assert (len(step.entries), step.ended) == (300, True)
    assert (after.entries, after.position, after.ended) == ([], step.position, True)
    assert [entry.position.leaf_index for entry in anew.entries] == list(range(300, 360))


def test_a_history_goes_on_in_the_next_epoch(ledgers: Ledgers) -> None:
    """Also for whoever read further in the first than there is now."""
    keyring, database = ledgers.keyring, ledgers.database
    fill(database, keyring, Visitors(keyring, "epochs", 30))
    origin = "shop.example/aboveboard/epochs/2"
    signature = keyring.first_signer("epochs", 2, origin).signature(0, EMPTY_ROOT)
    with database.write() as connection, Rows(connection) as rows:
        edge = Frontier.empty().to_bytes()
        rows.insert(LOG, [("epochs", 2, origin, 0, EMPTY_ROOT, edge, signature)])
    enter(database, keyring, "epochs", list(Visitors(keyring, "epochs", 20, seed=3)))
    begun = ledgers.begun("epochs")
    expected = [Position(1, index) for index in range(30)] + [
        Position(2, index) for index in range(20)
    ]

    with database.read() as connection:
        found, position, ended = [], START, False
        while not ended:
            step = begun.read(connection, position, limit=7)
            found += [entry.position for entry in step.entries]
            position, ended = step.position, step.ended
        beyond = begun.read(connection, Position(1, 1_000))

    assert found == expected
    assert beyond.entries[0].position == Position(2, 0)
    assert all(entry.opened for entry in beyond.entries)


def test_every_erased_record_is_known_by_its_entry(ledgers: Ledgers) -> None:
    """Wherever it stood in the ledger; an id that never was one is unknown."""
    keyring, database = ledgers.keyring, ledgers.database
    fill(database, keyring, Visitors(keyring, "erased", 3_000, seed=4))
    with database.write() as connection:
        ids = sorted(
            connection.scalars(
                RECORD.select()
                .with_only_columns(RECORD.c.record_id)
                .where(RECORD.c.site_id == "erased")
            )
        )
        connection.execute(RECORD.delete().where(RECORD.c.site_id == "erased"))

    with database.read() as connection:
        for record_id in (ids[0], ids[1], ids[1_499], ids[-1]):
            with pytest.raises(RecordErased, match=record_id):
                get_record(connection, keyring, "erased", record_id)
        for record_id in ("", "0", ids[1_499][:-1] + "g", "z", *ids[:1]):
            site_id = "short" if record_id == ids[0] else "erased"
            with pytest.raises(RecordNotFound):
                get_record(connection, keyring, site_id, record_id)
