"""Statements run by the driver itself, on both engines."""

from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import IntegrityError

from aboveboard.errors import StorageUnavailable
from aboveboard.installation import Databases
from aboveboard.rows import Rows
from consent.tables import RECORD, SUBJECT

NAMES = ["plain", 'quote" and \\ backslash', "line\nbreak", "ключ", "%s", "{}", ""]


def record(name: str, **changed: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """Return a row of the table that has every kind of column."""
    row = {
        "site_id": "blog",
        "record_id": name,
        "epoch": 1,
        "leaf_index": 2_147_483_647,
        "received_at": "2026-01-01T00:00:00Z",
        "subject_ref": name,
        "event_type": "given",
        "method": "save",
        "decisions": '{"ads": "given"}',
        "notice_id": None,
        "notice_version": None,
        "sealed": bytes(range(256)),
    }
    return tuple((row | changed)[column.name] for column in RECORD.columns)


def test_rows_come_back_as_they_went_in(databases: Databases) -> None:
    """Every kind of value, None and awkward texts among them; nothing where there is nothing."""
    made = [record(name) for name in NAMES]
    made += [record("other", notice_id="n", notice_version=3, sealed=b"")]

    with databases.consent.write() as connection, Rows(connection) as rows:
        rows.insert(RECORD, [])
        assert rows.find(select(RECORD)) == []
        rows.insert(RECORD, made)
        found = rows.find(select(RECORD))

    assert sorted(found, key=str) == sorted(made, key=str)
    with databases.consent.read() as connection:
        assert len(connection.execute(select(RECORD)).all()) == len(made)


@pytest.mark.parametrize("wanted", [[], NAMES[:1], NAMES, [*NAMES, "unknown"]])
def test_a_list_is_one_parameter(databases: Databases, wanted: list[str]) -> None:
    """Of any length, beside parameters that stand before and after it."""
    asked = select(RECORD.c.record_id).where(
        RECORD.c.site_id == bindparam("site_id"),
        RECORD.c.record_id.in_(bindparam("names", expanding=True)),
        RECORD.c.epoch == bindparam("epoch"),
    )
    with databases.consent.write() as connection, Rows(connection) as rows:
        rows.insert(RECORD, [record(name) for name in NAMES])
        found = rows.find(asked, site_id="blog", names=wanted, epoch=1)
        elsewhere = rows.find(asked, site_id="shop", names=wanted, epoch=1)

    assert {name for (name,) in found} == set(wanted) & set(NAMES)
    assert elsewhere == []


def test_rows_are_changed_and_replaced(databases: Databases) -> None:
    """An update, a delete, and an insert that gives way to what is there."""
    to_json = (
        update(SUBJECT)
        .where(SUBJECT.c.subject_ref == bindparam("of"))
        .values(standing=bindparam("to"))
    )
    gone = delete(SUBJECT).where(SUBJECT.c.subject_ref == bindparam("of"))
    tail = " ON CONFLICT (site_id, subject_ref) DO UPDATE SET standing = excluded.standing"

    with databases.consent.write() as connection, Rows(connection) as rows:
        rows.insert(SUBJECT, [("blog", name, 1, b"key", "old", None) for name in ("a", "b", "c")])
        rows.insert(SUBJECT, [("blog", "a", 2, b"new", "new", None)], tail=tail)
        rows.change(to_json, of="b", to="changed")
        rows.change(gone, of="c")
        found = rows.find(select(SUBJECT).order_by(SUBJECT.c.subject_ref))

    assert found == [
        ("blog", "a", 1, b"key", "new", None),
        ("blog", "b", 1, b"key", "changed", None),
    ]


def test_a_refusal_is_told_without_values(databases: Databases) -> None:
    """The driver's error comes as SQLAlchemy's; the connection is not taken for lost."""
    with (
        pytest.raises(StorageUnavailable) as refused,
        databases.consent.write() as connection,
        Rows(connection) as rows,
    ):
        rows.insert(RECORD, [record("canary"), record("canary")])

    told = refused.value.__cause__
    assert isinstance(told, IntegrityError)
    assert not told.connection_invalidated
    assert told.params is None
    assert "canary" not in str(told.statement)


def test_what_failed_is_not_forgotten(databases: Databases) -> None:
    """A handler that swallows the refusal of its rows does not make them accepted."""

    def swallow() -> None:
        with databases.consent.write() as connection, Rows(connection) as rows:
            rows.insert(RECORD, [record("one")])
            with suppress(IntegrityError):
                rows.insert(RECORD, [record("one")])
                rows.settle()
            rows.insert(RECORD, [record("two")])

    with pytest.raises(StorageUnavailable):
        swallow()

    with databases.consent.read() as connection:
        assert connection.execute(select(RECORD)).all() == []
