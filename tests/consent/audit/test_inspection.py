"""A database that was tampered with: whatever was done to its rows is told, with its place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from conftest import migrated
from full_ledger import VERSIONS, Visitors, fill
from recorded_site import NOTICE, SITE_ID, RecordedSite
from sqlalchemy import Connection, Executable, Table, and_, delete, func, insert, select, update
from whole_copy import copy, put_back

from aboveboard.errors import DataDirUnusable
from aboveboard.examining import Examining, by_site
from aboveboard.installation import Databases
from consent.audit.inspection import Inspected, inspect
from consent.choices.choice import EventType
from consent.errors import CheckpointInvalid, FrontierInvalid, LedgerDamaged
from consent.log import ledger
from consent.log.merkle import EMPTY_ROOT
from consent.records.history import START, History
from consent.tables import (
    BANNER,
    ENTRY,
    LOG,
    RECORD,
    RECORD_PURPOSE,
    SUBJECT,
    TILE,
)
from consent.tables import NOTICE as NOTICES

VISITS = 600
PROVED = (LOG, ENTRY, TILE, RECORD, RECORD_PURPOSE, SUBJECT, NOTICES, BANNER)
UNPROVED = {
    # What no event and no digest says.
    ("subject", "restricted_until"),
    ("notice", "published"),
    ("notice", "ui_sha256"),
    ("banner", "media_type"),
    ("banner", "archived"),
}

Row = dict[str, Any]


def recorded(databases: Databases, data_dir: Path, visits: int) -> RecordedSite:
    """Fill a site with all that can be there: erased, restricted, linked, two epochs."""
    site = RecordedSite(databases, data_dir, notice_version=VERSIONS)
    banner = site.archive(html="<p>May we show ads that fit?</p>")
    site.publish(replace(NOTICE, notice_id="footer", ui_sha256=banner))
    fill(databases.consent, site.keyring, Visitors(site.keyring, SITE_ID, visits))
    list(site.visits(2))
    site.link("d-0", "d-1")
    gone = [site.record(EventType.REQUESTED, "gone")]
    site.erase(gone)
    site.restrict("d-1")
    site.rotate()
    list(site.visits(1))
    return site


@pytest.fixture(scope="module")
def site(
    new_url: Callable[[], str | None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RecordedSite]:
    """Fill a site over several tiles; no test of this module leaves a change behind."""
    data_dir = tmp_path_factory.mktemp("inspected") / "data"
    with migrated(data_dir, new_url()) as databases:
        yield recorded(databases, data_dir, VISITS)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[RecordedSite]:
    """Fill a small site of a test's own, of which every row can be tried."""
    with migrated(tmp_path / "data") as databases:
        yield recorded(databases, tmp_path / "data", 6)


@contextmanager
def undone(site: RecordedSite) -> Iterator[Connection]:
    """Lend a connection on which nothing that is done stays."""
    connection = site.databases.consent.connect_writer()
    transaction = connection.begin()
    try:
        yield connection
    finally:
        transaction.rollback()
        connection.close()


def look(site: RecordedSite, connection: Connection, older: list[str] | None = None) -> Inspected:
    """Inspect on a connection."""
    return inspect(connection, site.keyring, site.site_id, older=older or [])


def damage(site: RecordedSite, connection: Connection, *older: str) -> LedgerDamaged:
    """Return what is found to be damaged."""
    with pytest.raises(LedgerDamaged) as caught:
        look(site, connection, list(older))
    return caught.value


def newest(site: RecordedSite, epoch: int = 1) -> str:
    """Return the checkpoint of an epoch."""
    with site.databases.consent.read() as connection:
        head = connection.execute(select(LOG).where(LOG.c.epoch == epoch)).one()
    return site.signer(epoch).verifier.render(head.size, bytes(head.root), bytes(head.signature))


# -- what is whole ----------------------------------------------------------------------------


def test_a_site_is_whole(site: RecordedSite) -> None:
    """Everything is counted; kept checkpoints are continued."""
    with site.databases.consent.snapshot() as connection:
        found = look(site, connection, [newest(site), newest(site, 2)])

    assert (found.logs, found.entries) == (2, VISITS + 10 + 4)
    assert (found.records, found.erased, found.lost) == (VISITS + 13, 1, 0)
    assert found.checkpoints == 2
    assert (found.notices, found.banners) == (2 * VERSIONS + 1, 1)
    assert found.replayed > 100
    assert found.unwhole == 0


def test_a_site_without_a_log_is_whole(databases: Databases, tmp_path: Path) -> None:
    """There is nothing yet that could be wrong."""
    site = RecordedSite(databases, tmp_path / "data")

    with databases.consent.snapshot() as connection:
        assert look(site, connection) == Inspected(SITE_ID)


def test_a_snapshot_stays_as_it_is(databases: Databases, tmp_path: Path) -> None:
    """What is written meanwhile is neither seen nor kept from being written."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    site.record(EventType.REQUESTED)

    with databases.consent.snapshot() as connection:
        before = look(site, connection)
        site.record(EventType.REQUESTED, "another")
        again = look(site, connection)
    with databases.consent.snapshot() as connection:
        after = look(site, connection)

    assert before == again
    assert (before.entries, after.entries) == (1, 2)


# -- every row --------------------------------------------------------------------------------


def rows_of(connection: Connection, table: Table) -> list[Row]:
    """Return the rows of a table, in the order of its key."""
    return [
        dict(row)
        for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()
    ]


def key_of(table: Table, row: Row) -> Any:  # noqa: ANN401
    """Return the condition that finds a row."""
    return and_(*(column == row[column.name] for column in table.primary_key))


def other(value: object) -> object:
    """Return a value of the same type, but another one."""
    if isinstance(value, int):
        return value + 100
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1]) if value else b"\1"
    if isinstance(value, str):
        return f"{value[:-1]}{'0' if value[-1:] != '0' else '1'}"
    return "something"


def carry_out(*statements: Executable) -> Callable[[Connection], None]:
    """Return what carries out statements."""

    def change(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    return change


def detected(site: RecordedSite, change: Callable[[Connection], None]) -> bool:
    """Whether a change is found; it is undone."""
    with undone(site) as connection:
        change(connection)
        try:
            look(site, connection)
        except (DataDirUnusable, LedgerDamaged):
            return True
    return False


def tables_of(site: RecordedSite, *tables: Table) -> dict[Table, list[Row]]:
    """Return the rows of several tables."""
    with site.databases.consent.read() as connection:
        return {table: rows_of(connection, table) for table in tables}


def test_every_row_that_is_deleted_is_missed(small: RecordedSite) -> None:
    """Of every table that proves anything, each row in turn, but notices that nobody was shown."""
    missed = []
    for table, rows in tables_of(small, *PROVED).items():
        assert rows or table is TILE
        for row in rows:
            if detected(small, carry_out(delete(table).where(key_of(table, row)))):
                continue
            missed.append(row)

    assert [row for row in missed if "text_sha256" not in row] == []
    assert len(missed) < 2 * VERSIONS


def test_every_column_that_is_edited_is_noticed(small: RecordedSite) -> None:
    """Of every table that proves anything, each column of each row in turn."""
    unnoticed = set()
    for table, rows in tables_of(small, *PROVED).items():
        names = [column.name for column in table.columns]
        columns = [name for name in names if (table.name, name) not in UNPROVED]
        for row, name in product(rows, columns):
            edit = update(table).where(key_of(table, row)).values({name: other(row[name])})
            if not detected(small, carry_out(edit)):
                unnoticed.add((table.name, name))

    # A notice that nobody was shown may be another version of itself, or of another site.
    assert unnoticed <= {("notice", "version"), ("notice", "site_id")}


@pytest.mark.parametrize(
    ("change", "check", "index"),
    [
        ("UPDATE entry SET leaf = replace(leaf, 'v', 'w') WHERE leaf_index = 3", "entry", 3),
        ("UPDATE record SET sealed = 'x' WHERE leaf_index = 4 AND epoch = 1", "record", 4),
        ("UPDATE subject SET wrapped = 'x' WHERE subject_ref <> 'site'", "continued", 0),
        ("UPDATE entry SET leaf = 'x' WHERE leaf_index = 0 AND epoch = 1", "continued", 0),
        ("UPDATE record SET sealed = 'x' WHERE event_type = 'erased'", "record", None),
        ("UPDATE log SET root = 'x'", "head", None),
        ("UPDATE log SET frontier = 'x'", "head", None),
        ("UPDATE banner SET content = content || 'x'", "banner", None),
    ],
)
def test_a_text_where_bytes_belong_is_noticed(
    small: RecordedSite, change: str, check: str, index: int | None
) -> None:
    """SQLite takes it, and its own functions make one of bytes."""
    with undone(small) as connection:
        connection.exec_driver_sql(change)
        found = damage(small, connection)

    assert found.check == check
    if index is not None:
        assert (found.epoch, found.index) == (1, index)


def test_rows_that_change_places_are_noticed(small: RecordedSite) -> None:
    """Of every table, what two neighbours hold beside their keys."""
    for table, rows in tables_of(small, ENTRY, RECORD, SUBJECT).items():
        keys = {column.name for column in table.primary_key}

        def swap(
            on: Connection, one: Row, two: Row, table: Table = table, keys: set[str] = keys
        ) -> None:
            for here, there in ((one, two), (two, one)):
                held = {name: there[name] for name in there if name not in keys}
                on.execute(update(table).where(key_of(table, here)).values(held))

        for one, two in pairwise(rows):
            assert detected(small, partial(swap, one=one, two=two)), (table.name, one, two)


@pytest.mark.parametrize(
    ("table", "change", "check"),
    [
        (ENTRY, {"leaf_index": 610}, "entry"),
        (TILE, {"tile_index": 100}, "tile"),
        (RECORD, {"record_id": "019b7d00-0000-7000-8000-ffffffffffff"}, "record"),
        (RECORD_PURPOSE, {"purpose_id": "another"}, "index"),
        (SUBJECT, {"subject_ref": "1.00000000000000000000000000000000"}, "subject"),
        (BANNER, {"ui_sha256": "0" * 64}, "banner"),
    ],
    ids=lambda value: value.name if isinstance(value, Table) else "",
)
def test_rows_that_were_put_in_are_noticed(
    site: RecordedSite, table: Table, change: Row, check: str
) -> None:
    """A copy of a row under another key."""
    with undone(site) as connection:
        row = rows_of(connection, table)[0]
        connection.execute(insert(table).values({**row, **change}))
        found = damage(site, connection)

    assert found.check == check


def test_a_banner_that_an_event_alone_names_is_missed(databases: Databases, tmp_path: Path) -> None:
    """What was shown can be shown no more: the record that says so is named."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    banner = site.archive(html="<b>May we?</b>")
    for _ in range(2):
        site.record(EventType.REQUESTED, ui_sha256=banner)

    with undone(site) as connection:
        connection.execute(delete(BANNER))
        found = damage(site, connection)

    assert (found.check, found.index) == ("record", 0)


def test_an_entry_that_was_slipped_in_is_noticed(site: RecordedSite) -> None:
    """All that follow moved on by one, and their records with them."""
    with undone(site) as connection:
        row = rows_of(connection, ENTRY)[300]
        for table in (ENTRY, RECORD):
            here = and_(table.c.epoch == 1, table.c.leaf_index >= 300)
            for step in (10_000, -9_999):
                connection.execute(
                    update(table).where(here).values(leaf_index=table.c.leaf_index + step)
                )
        leaf = bytes(row["leaf"]).replace(b'"id":"', b'"id":"f')
        connection.execute(insert(ENTRY).values({**row, "leaf": leaf}))
        found = damage(site, connection)

    assert (found.epoch, found.index) == (1, 300)


# -- with its place ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "check", "index"),
    [
        ("DELETE FROM entry WHERE epoch = 1 AND leaf_index = 300", "entry", 300),
        ("DELETE FROM entry WHERE epoch = 1 AND leaf_index = 609", "entry", 609),
        ("DELETE FROM record WHERE epoch = 1 AND leaf_index = 300", "record", 300),
        ("DELETE FROM tile WHERE tile_index = 1", "tile", 256),
        ("UPDATE record SET method = 'gpc' WHERE epoch = 1 AND leaf_index = 301", "record", 301),
        ("UPDATE record SET leaf_index = 7 WHERE epoch = 1 AND leaf_index = 302", "record", 302),
        ("DELETE FROM record_purpose", "index", None),
        ("UPDATE log SET size = size + 1 WHERE epoch = 2", "head", None),
        ("UPDATE notice SET text = 'Other' WHERE notice_id = 'footer'", "notice", None),
        ("UPDATE notice SET controller = '[]' WHERE notice_id = 'footer'", "notice", None),
        ("UPDATE subject SET standing = '{}' WHERE subject_ref <> 'site'", "subject", None),
    ],
)
def test_damage_is_told_with_its_place(
    site: RecordedSite, change: str, check: str, index: int | None
) -> None:
    """The first entry that is wrong, wherever there is one."""
    with undone(site) as connection:
        connection.exec_driver_sql(change)
        found = damage(site, connection)

    assert found.check == check
    if index is not None:
        assert (found.epoch, found.index) == (1, index)


@pytest.mark.parametrize("written", ["{", "[]", '{"purposes": 7}'])
def test_whose_standing_cannot_be_read_is_named(small: RecordedSite, written: str) -> None:
    """By the pseudonym: there may be a million of them."""
    with undone(small) as connection:
        ref = connection.scalar(select(func.max(SUBJECT.c.subject_ref)))
        connection.execute(
            update(SUBJECT).where(SUBJECT.c.subject_ref == ref).values(standing=written)
        )
        found = damage(small, connection)

    assert found.check == "subject"
    assert str(ref) in str(found)


def test_an_export_leaves_no_entry_out(small: RecordedSite) -> None:
    """One that is gone is told, in place of a file that looks whole."""
    with undone(small) as connection:
        connection.execute(delete(ENTRY).where(ENTRY.c.epoch == 1, ENTRY.c.leaf_index == 3))
        history = History(connection, small.keyring, small.site_id)
        with pytest.raises(LedgerDamaged, match="epoch 1: entry 3: expected an entry"):
            history.read(connection, START)


def test_a_log_s_edge_that_cannot_be_read_names_its_log(small: RecordedSite) -> None:
    """Or of hundreds of sites nobody knows which keeps the service from starting."""
    with undone(small) as connection:
        connection.execute(update(LOG).where(LOG.c.epoch == 1).values(frontier=b"\0"))
        with pytest.raises(FrontierInvalid, match=f"the log {small.site_id}, epoch 1: expected"):
            ledger.all_heads(connection)


def test_another_origin_of_a_log_that_was_taken_over_is_noticed(small: RecordedSite) -> None:
    """Its public key is kept under a name that no row can change."""
    keys = small.data_dir / "keys"
    (keys / f"log.{small.site_id}.1.vkey").write_text(small.signer().verifier.vkey)
    (keys / f"log.{small.site_id}.1.key").unlink()
    with undone(small) as connection:
        connection.exec_driver_sql("UPDATE log SET origin = 'another' WHERE epoch = 1")
        found = damage(small, connection)

    assert (found.check, found.epoch) == ("head", 1)


def test_a_standing_of_an_earlier_release_says_what_to_do(site: RecordedSite) -> None:
    """A projection that is read in another way since is no damage, and is told like one."""
    with undone(site) as connection:
        connection.exec_driver_sql(
            "UPDATE subject SET standing = replace(standing, 'given', 'refused')"
        )
        found = damage(site, connection)

    assert found.check == "standing"
    assert "consent rebuild" in str(found)


def test_a_consent_without_a_record_is_noticed_where_nothing_can_be_replayed(
    small: RecordedSite,
) -> None:
    """What was erased of a subject hides no yes that somebody wrote in; a true one stays."""
    small.record(EventType.REQUESTED, "both")
    refused = small.record(EventType.REFUSED, "both")
    small.record(EventType.GIVEN, "both")
    small.record(EventType.REFUSED, "no")
    small.erase([refused])
    small.forget("no")
    with undone(small) as connection:
        assert look(small, connection).unwhole == 2
        connection.exec_driver_sql(
            "UPDATE subject SET standing = replace(standing, 'refused', 'given') "
            "WHERE wrapped = x''"
        )
        found = damage(small, connection)

    assert found.check == "standing"
    assert "ads" in str(found)


def test_of_several_the_first_is_told(site: RecordedSite) -> None:
    """Whatever kind of damage it is."""
    with undone(site) as connection:
        connection.exec_driver_sql("DELETE FROM entry WHERE leaf_index = 290 AND epoch = 1")
        connection.exec_driver_sql(
            "UPDATE record SET method = 'gpc' WHERE leaf_index = 280 AND epoch = 1"
        )
        found = damage(site, connection)

    assert (found.check, found.index) == ("record", 280)


def test_an_edited_entry_of_an_erased_record_is_found_by_its_tile(site: RecordedSite) -> None:
    """Nothing opens it any more, but its hash is stored a second time."""
    with undone(site) as connection:
        row = rows_of(connection, ENTRY)[200]
        edited = bytes(row["leaf"]).replace(b'"v":1', b'"v":2')
        connection.execute(update(ENTRY).where(key_of(ENTRY, row)).values(leaf=edited))
        found = damage(site, connection)
        tile = rows_of(connection, TILE)[0]
        other_hash = bytes(tile["hashes"])[:-32] + bytes(32)
        connection.execute(update(ENTRY).where(key_of(ENTRY, row)).values(leaf=row["leaf"]))
        connection.execute(update(TILE).where(key_of(TILE, tile)).values(hashes=other_hash))
        last = damage(site, connection)

    assert (found.check, found.index) == ("tile", 200)
    assert (last.check, last.index) == ("tile", 255)


def test_an_edited_entry_without_tile_or_record_is_found_by_old_signatures(
    site: RecordedSite,
) -> None:
    """The first answers keep what was signed then, and so up to where all is as it was."""
    gone = VISITS + 7  # the entry of the record that was erased
    with undone(site) as connection:
        (row,) = [
            row
            for row in rows_of(connection, ENTRY)
            if row["leaf_index"] == gone and row["epoch"] == 1
        ]
        edited = bytes(row["leaf"]).replace(b'"v":1', b'"v":2')
        connection.execute(update(ENTRY).where(key_of(ENTRY, row)).values(leaf=edited))
        found = damage(site, connection)

    assert (found.check, found.index) == ("root", gone)
    assert "are as signed" in found.finding


# -- truncation -------------------------------------------------------------------------------


def test_a_database_put_back_from_a_copy_shows_against_a_kept_checkpoint(
    databases: Databases, tmp_path: Path
) -> None:
    """In itself it is whole; only what was kept elsewhere knows that there was more."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    list(site.visits(1))
    copied = copy(databases.consent)
    list(site.visits(1))
    kept = newest(site)
    put_back(databases.consent, copied)
    examining = Examining(databases.consent, site.keyring)

    with databases.consent.snapshot() as connection:
        alone = look(site, connection)
        found = damage(site, connection, kept)
    with pytest.raises(LedgerDamaged, match="truncated"):
        examining.examine(site.site_id, [], lambda _: None)

    assert alone.entries == 3
    assert (found.check, found.index) == ("truncated", 3)


def test_another_history_shows_against_a_kept_checkpoint(
    databases: Databases, tmp_path: Path
) -> None:
    """Put back and gone on with, under the same key: longer than what was kept, and another."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    list(site.visits(1))
    copied = copy(databases.consent)
    list(site.visits(1))
    kept = newest(site)
    put_back(databases.consent, copied)
    again = RecordedSite(databases, tmp_path / "data", first_id=1000)
    for path in (tmp_path / "data" / "checkpoints").iterdir():
        path.unlink()
    for number in range(5):
        again.record(EventType.REQUESTED, f"other-{number}")

    with databases.consent.snapshot() as connection:
        alone = look(again, connection)
        found = damage(again, connection, kept)

    assert alone.entries == 8
    assert found.check == "root"
    assert "over the first 6 entries" in found.finding


def test_an_ended_log_cannot_be_cut_short(site: RecordedSite) -> None:
    """Not even to where its key has signed: the next log took over further on."""
    with undone(site) as connection:
        for table in (ENTRY, RECORD):
            connection.execute(delete(table).where(table.c.epoch == 1))
        connection.execute(delete(TILE))
        empty = site.signer().signature(
            0, bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        )
        connection.execute(
            update(LOG)
            .where(LOG.c.epoch == 1)
            .values(
                size=0,
                frontier=bytes(8),
                signature=empty,
                root=EMPTY_ROOT,
            )
        )
        found = damage(site, connection)

    assert (found.check, found.epoch) == ("continued", 1)


def test_a_log_that_is_gone_is_missed(site: RecordedSite) -> None:
    """By its kept checkpoint, and by the records that are left of it."""
    with undone(site) as connection:
        connection.execute(delete(LOG).where(LOG.c.epoch == 2))
        kept = damage(site, connection, site.signer(2).sign(4, bytes(32)))
        left = damage(site, connection)

    assert (kept.check, left.check) == ("truncated", "record")


def test_what_a_restore_lost_is_told_and_no_damage(databases: Databases, tmp_path: Path) -> None:
    """The next log says that the one before had signed more."""
    site = RecordedSite(databases, tmp_path / "data")
    site.publish()
    copied = copy(databases.consent)
    list(site.visits(1))
    put_back(databases.consent, copied)
    site.restart()

    with databases.consent.snapshot() as connection:
        found = look(site, connection)

    assert (found.logs, found.entries, found.lost) == (2, 1, 3)


def test_checkpoints_are_sorted_by_their_site(site: RecordedSite) -> None:
    """One of no site that is looked at is refused, not passed over."""
    kept = newest(site)

    assert by_site([kept], ["other", SITE_ID]) == {"other": [], SITE_ID: [kept]}
    with pytest.raises(CheckpointInvalid, match="expected a checkpoint of other"):
        by_site([kept], ["other"])
