"""The power cut at any moment, and a disk that fails at any call: nothing acknowledged is lost.

A kill shows nothing of this, for the kernel keeps what the process has written. Here the writes of
the real writer are recorded, and the files are made as a disk could have kept them.
"""

import asyncio
import operator
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from secrets import token_hex

import apsw
import pytest
from full_ledger import Made, Visitors, fill
from recorded_disk import (
    Acknowledged,
    Disk,
    Happened,
    RecordedConnection,
    Sync,
    Write,
    cut,
    engines_on,
)
from sqlalchemy import event

from aboveboard import installation
from aboveboard.errors import StorageUnavailable
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from aboveboard.settings import Settings
from aboveboard.writer import Writer
from consent import store
from consent.log.merkle import leaf_hash, root
from consent.records.batch import Batch, Receipt
from consent.sealing.keyring import Keyring

SITE = "shop"
FILE = "consent.sqlite3"
FILLED = 250  # entries there before: the first tile, of 256, fills up while the disk records
ROUNDS = 40
TOGETHER = (1, 6)  # requests at once
CUTS = 300
CUTS_AFTER_FAULTS = 30
CHECKPOINT_PAGES = 64  # as few as that, so that checkpoints happen often; their order is the same


@dataclass
class Ledger:
    """A ledger in a file, and the writer that appends to it through a recorded disk."""

    databases: Databases
    keyring: Keyring
    disk: Disk
    folder: Path
    before: dict[str, bytes]

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[Callable[[Made], "asyncio.Future[Receipt]"]]:
        """Run the service's own writer; gives what appends an event."""
        writer = Writer(self.databases.consent, limit=1_000)
        writer.start()

        async def append(made: Made) -> Receipt:
            receipt = await writer.write(self._enter, made)
            self.disk.record.append(Acknowledged(receipt.leaf_index, receipt.leaf))
            return receipt

        try:
            yield lambda made: asyncio.ensure_future(append(made))
        finally:
            await writer.stop()

    def _enter(self, rows: Rows, made: Sequence[Made]) -> list[Receipt]:
        batch = Batch(rows, self.keyring, SITE)
        subjects = store.ask_subjects(rows, SITE, list({ref for ref, _ in made}))
        batch.begin()
        batch.know(subjects())
        for _, content in made:
            batch.enter(content)
        return batch.close().receipts

    def prepare(self, *, checkpoint_pages: int, synchronous: str | None = None) -> None:
        """Have every connection that writes differ in this from what the product set it to."""

        @event.listens_for(self.databases.consent._writing, "connect")
        def connected(connection: RecordedConnection, _record: object) -> None:
            connection.checkpoint_every(checkpoint_pages)
            if synchronous is not None:
                connection.execute(f"PRAGMA synchronous={synchronous}")


@pytest.fixture
def prepared(tmp_path: Path) -> Iterator[tuple[Ledger, Iterator[Made]]]:
    """Fill a ledger, put it on a recorded disk, and make further events for it."""
    settings = Settings(data_dir=tmp_path / "data")
    databases = installation.open_databases(settings)
    databases.migrate()
    keyring = installation.open_keyring(settings)
    fill(databases.consent, keyring, Visitors(keyring, SITE, FILLED))
    databases.close()
    before = {FILE: (tmp_path / "data" / FILE).read_bytes()}
    disk = Disk(f"recorded-{token_hex(6)}")
    with engines_on(disk):
        recorded = installation.open_databases(settings)
    yield (
        Ledger(recorded, keyring, disk, tmp_path / "data", before),
        iter(Visitors(keyring, SITE, 10_000, seed=2)),
    )
    recorded.close()
    disk.unregister()


def _leaves(ledger: Ledger, folder: Path) -> list[bytes]:
    """Open the files that lie in *folder* and return the log's leaves, once all of it is right."""
    with closing(sqlite3.connect(folder / FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        ((origin, size, signed, signature),) = connection.execute(
            "SELECT origin, size, root, signature FROM log"
        )
        entries = connection.execute("SELECT leaf_index, leaf FROM entry ORDER BY 1").fetchall()
        records = connection.execute("SELECT leaf_index FROM record ORDER BY 1").fetchall()
    leaves = [leaf for _, leaf in entries]
    assert [index for index, _ in entries] == [index for (index,) in records] == list(range(size))
    assert root([leaf_hash(leaf) for leaf in leaves]) == signed
    verifier = ledger.keyring.verifier(SITE, 1, origin)
    verifier.open(verifier.render(size, signed, signature))
    return leaves


def _lost(ledger: Ledger, happened: Sequence[Happened], folder: Path, draw: Random) -> bool:
    """Cut the power once *happened* has; return whether anything acknowledged was lost by that."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, content in cut(happened, ledger.before, draw).items():
        (folder / name).write_bytes(content)
    leaves = _leaves(ledger, folder)
    return not all(
        item.leaf_index < len(leaves) and leaves[item.leaf_index] == item.leaf
        for item in happened
        if isinstance(item, Acknowledged)
    )


# -- power cuts -----------------------------------------------------------------------------------


async def _write(ledger: Ledger, events: Iterator[Made], draw: Random) -> list[Happened]:
    """Append in groups; return the record, without what closing the files would add."""
    async with ledger.writer() as append:
        for _ in range(ROUNDS):
            asked = [append(next(events)) for _ in range(draw.randint(*TOGETHER))]
            await asyncio.gather(*asked)
        return list(ledger.disk.record)


@pytest.mark.parametrize("synchronous", [None, "NORMAL"], ids=["as-shipped", "normal"])
def test_a_power_cut_loses_nothing_acknowledged(
    prepared: tuple[Ledger, Iterator[Made]], tmp_path: Path, synchronous: str | None
) -> None:
    """Cut anywhere, whatever the disk made of unsynced writes; with fewer syncs it would show."""
    ledger, events = prepared
    draw = Random(2_026)  # noqa: S311 - the same cuts in each run
    ledger.prepare(checkpoint_pages=CHECKPOINT_PAGES, synchronous=synchronous)

    record = asyncio.run(_write(ledger, events, draw))
    losses = sum(
        _lost(ledger, record[: draw.randint(0, len(record))], tmp_path / "after", draw)
        for _ in range(CUTS)
    )

    assert any(isinstance(item, Sync) and item.file == FILE for item in record), "no checkpoint"
    if synchronous is None:
        assert losses == 0
    else:
        assert losses > 0, "expected a writer that hardly syncs to be found out"


# -- faults ---------------------------------------------------------------------------------------


async def _suffer(
    ledger: Ledger, events: Iterator[Made], code: int, *, lasting: bool
) -> dict[type[Happened], list[Receipt | Exception]]:
    """Fail at an append's first sync, at the next one's second, and so on; then at the writes.

    Each goes on until an append needs fewer of these calls.
    """
    fails = operator.ge if lasting else operator.eq
    outcomes: dict[type[Happened], list[Receipt | Exception]] = {Sync: [], Write: []}
    async with ledger.writer() as append:
        await append(next(events))
        for calls, answers in outcomes.items():
            while True:
                number = len(answers) + 1
                before = _size(ledger)
                with ledger.disk.failing(code, calls, partial(_is_true, fails, number)):
                    (answer,) = await asyncio.gather(append(next(events)), return_exceptions=True)
                if ledger.disk.calls < number:
                    break
                answers.append(answer)
                if isinstance(answer, Receipt):
                    assert (answer.leaf_index, _size(ledger)) == (before, before + 1)
                else:
                    assert isinstance(answer, StorageUnavailable)
                    assert _size(ledger) == before
                # The next one is taken as if nothing had been.
                assert (await append(next(events))).leaf_index == _size(ledger) - 1
    return outcomes


def _is_true(fails: Callable[[int, int], bool], number: int, call: int) -> bool:
    return fails(call, number)


def _size(ledger: Ledger) -> int:
    with ledger.databases.consent.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM entry").scalar_one())


@pytest.mark.parametrize(
    ("code", "lasting"),
    [(apsw.SQLITE_IOERR, False), (apsw.SQLITE_IOERR, True), (apsw.SQLITE_FULL, True)],
    ids=["error", "errors", "full"],
)
@pytest.mark.parametrize("pages", [1, 4096], ids=["checkpointing", "appending"])
def test_a_fault_at_any_call_loses_nothing_acknowledged(
    prepared: tuple[Ledger, Iterator[Made]], tmp_path: Path, code: int, pages: int, *, lasting: bool
) -> None:
    """At every write and sync of an append: an error and no row, or a row, also past a power cut.

    A commit stands although the checkpoint after it fails.
    """
    ledger, events = prepared
    draw = Random(2_026)  # noqa: S311 - the same cuts in each run
    ledger.prepare(checkpoint_pages=pages)

    outcomes = asyncio.run(_suffer(ledger, events, code, lasting=lasting))

    for answers in outcomes.values():
        assert any(isinstance(answer, StorageUnavailable) for answer in answers)
        assert any(isinstance(answer, Receipt) for answer in answers) == (pages == 1)
    record = list(ledger.disk.record)
    for _ in range(CUTS_AFTER_FAULTS):
        happened = record[: draw.randint(0, len(record))]
        assert not _lost(ledger, happened, tmp_path / "after", draw)
    ledger.databases.close()
    told = [item.leaf for item in record if isinstance(item, Acknowledged)]
    assert _leaves(ledger, tmp_path / "data")[FILLED:] == told
