"""Searching: exactly what matches, newest first, by index and in bounded work, on both engines."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from consent_desk import SITE as DESK
from consent_desk import Desk
from full_ledger import BEGIN, PURPOSES, VERSIONS, Visitors, device, fill
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, insert, select
from whole_copy import copy, put_back

from aboveboard.database import Database
from aboveboard.installation import Databases
from consent.choices.choice import SITE, Decision, EventType, Method, SubjectKind
from consent.choices.record import instant
from consent.records import search
from consent.records.search import LISTED, Filter, Listed, list_records
from consent.sealing.keyring import Keyring
from consent.tables import RECORD

SMALL, LARGE = "small", "large"
EVENTS = {SMALL: 1_000, LARGE: 12_000}
ANEW = 120  # tombstones


class Filled:
    """Two sites full of records, one twelve times the other."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        self.keyring = keyring
        if not database.is_sqlite:
            with database.write() as connection:
                # The worst that may be: statistics that say that there is nothing.
                for table in ("record", "record_purpose"):
                    connection.exec_driver_sql(f"ALTER TABLE {table} SET (autovacuum_enabled=off)")
                    connection.exec_driver_sql(f"ANALYZE {table}")
        for site_id, events in EVENTS.items():
            fill(database, keyring, Visitors(keyring, site_id, events, days=events / 400))
            entomb_anew(database, site_id, first=events)
        with database.read() as connection:
            rows = connection.execute(select(*LISTED).where(RECORD.c.site_id == SMALL))
            self.records = sorted((Listed(*row) for row in rows), reverse=True)


@pytest.fixture(scope="module")
def filled(fresh_ledger: tuple[Database, Keyring]) -> Filled:
    """Fill one database an engine."""
    return Filled(*fresh_ledger)


def entomb_anew(database: Database, site_id: str, *, first: int) -> None:
    """Write tombstones as a restore does: their ids are of days before."""
    rows = [
        {
            "site_id": site_id,
            "record_id": made_id(BEGIN + timedelta(minutes=10 * number)),
            "epoch": 2,
            "leaf_index": first + number,
            "received_at": instant(BEGIN + timedelta(days=2, minutes=number)),
            "subject_ref": SITE,
            "event_type": ("erased", "restricted")[number % 2],
            "method": "job",
            "decisions": "{}",
            "sealed": b"",
        }
        for number in range(ANEW)
    ]
    with database.write() as connection:
        connection.execute(insert(RECORD), rows)


def made_id(moment: datetime) -> str:
    """Return a UUIDv7 of a moment."""
    return str(UUID(f"{int(moment.timestamp() * 1000):012x}7fff8000ffffffffffff"))


def ref(filled: Filled, site_id: str, number: int) -> str:
    """Return the pseudonym of a visitor."""
    return filled.keyring.refs(site_id, SubjectKind.DEVICE, device(number))[0]


seconds = st.integers(0, 3 * 86_400).map(lambda n: instant(BEGIN + timedelta(seconds=n)))
filters = st.builds(
    dict,
    subject=st.none() | st.integers(1, 400),
    since=st.none() | seconds,
    until=st.none() | seconds,
    purpose_id=st.none() | st.sampled_from([*PURPOSES, "none"]),
    decision=st.none() | st.sampled_from([made.value for made in Decision]),
    method=st.none() | st.sampled_from([method.value for method in Method]),
    event_type=st.none() | st.sampled_from([kind.value for kind in EventType]),
    notice=st.none()
    | st.tuples(
        st.sampled_from(["main", "campaign", "none"]), st.none() | st.integers(1, VERSIONS)
    ),
)
"""Any conjunction of filters, about the small site's visitors."""


def wanted(filled: Filled, chosen: dict[str, Any]) -> Filter:
    """Make a filter of what Hypothesis chose."""
    subject, notice = chosen.pop("subject"), chosen.pop("notice") or (None, None)
    return Filter(
        refs=None if subject is None else [ref(filled, SMALL, subject), "9." + "0" * 32],
        notice_id=notice[0],
        notice_version=notice[1],
        **chosen,
    )


def naively(record: Listed, asked: Filter) -> bool:
    """Say what a filter means, without the code under test."""
    made = orjson.loads(record.decisions).items()
    return all(
        (
            asked.refs is None or record.subject_ref in asked.refs,
            asked.since is None or asked.since <= record.received_at,
            asked.until is None or record.received_at < asked.until,
            asked.method is None or record.method == asked.method,
            asked.event_type is None or record.event_type == asked.event_type,
            asked.notice_id is None or record.notice_id == asked.notice_id,
            asked.notice_version is None or record.notice_version == asked.notice_version,
            (asked.purpose_id is None and asked.decision is None)
            or any(
                asked.purpose_id in {None, purpose} and asked.decision in {None, decision}
                for purpose, decision in made
            ),
        )
    )


def pages(
    connection: Connection, asked: Filter, *, limit: int, site_id: str = SMALL
) -> Iterator[list[Listed]]:
    """Go through every page."""
    before = None
    while True:
        page = list_records(connection, site_id, asked, before=before, limit=limit)
        assert len(page.records) <= limit
        yield page.records
        if page.following is None:
            return
        before = page.following


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    chosen=filters, limit=st.sampled_from([20, 50, 200]), looked_at=st.sampled_from([30, 90, 2_000])
)
def test_pages_hold_exactly_what_matches(
    filled: Filled,
    monkeypatch: pytest.MonkeyPatch,
    chosen: dict[str, Any],
    limit: int,
    looked_at: int,
) -> None:
    """All pages together are every match once, newest first, however early a page ends."""
    monkeypatch.setattr(search, "LOOKED_AT", looked_at)
    monkeypatch.setattr(search, "CHUNK", 40)
    asked = wanted(filled, chosen)

    with filled.database.read() as connection:
        found = [record for page in pages(connection, asked, limit=limit) for record in page]

    assert found == [record for record in filled.records if naively(record, asked)]


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_tombstones_that_a_restore_wrote_anew_are_found_by_when_it_did(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Not by their ids, which are of when it was erased first: each once, however pages end."""
    monkeypatch.setattr(search, "LOOKED_AT", 20)
    monkeypatch.setattr(search, "CHUNK", 10)
    since = Filter(since=instant(BEGIN + timedelta(days=2)))
    until = replace(since, until=instant(BEGIN + timedelta(days=2, minutes=30)))

    with filled.database.read() as connection:
        found = {
            name: [record for page in pages(connection, asked, limit=limit) for record in page]
            for name, asked in {
                "site": replace(since, refs=[SITE]),
                "erased": replace(since, event_type="erased", method="job"),
                "first": replace(until, refs=[SITE]),
                "before": Filter(until=since.since, event_type="erased"),
            }.items()
        }

    assert {name: len(records) for name, records in found.items()} == {
        "site": ANEW,
        "erased": ANEW / 2,
        "first": 30,
        "before": 0,
    }


def test_what_a_restore_entombs_again_is_found_from_then_on(
    databases: Databases,
) -> None:
    """A restore itself, an hour after the erasure that it does again."""
    desk = Desk(databases)
    desk.publish()
    gone = desk.give("ads")
    copied = copy(desk.database)
    desk.erase(device="d-1")
    put_back(desk.database, copied)
    desk.later(hours=1)
    asyncio.run(desk.continuing.check())
    asyncio.run(desk.reapplying.reapply(reversed(desk.noted)))

    with desk.database.read() as connection:
        asked = Filter(since=instant(desk.now), event_type="erased")
        found = list_records(connection, DESK, asked, before=None, limit=50)

    (stone,) = found.records
    assert stone.record_id == desk.noted[0].tombstones[0] > gone.record_id
    assert (stone.received_at, found.following) == (instant(desk.now), None)


# -- work -------------------------------------------------------------------------------------

SINGLE = {
    "subject": Filter(refs=()),
    "everything": Filter(),
    "from": Filter(since=instant(BEGIN)),
    "to": Filter(until="2027-01-01T00:00:00Z"),
    "period": Filter(since=instant(BEGIN), until="2027-01-01T00:00:00Z"),
    "purpose": Filter(purpose_id="ads"),
    "decision": Filter(decision="given"),
    "purpose decided": Filter(purpose_id="ads", decision="given"),
    "method": Filter(method="save"),
    "rare method": Filter(method="gpc"),
    "type": Filter(event_type="given"),
    "rare type": Filter(event_type="erased"),
    "notice": Filter(notice_id="main"),
    "version": Filter(notice_id="main", notice_version=1),
}
SEVERAL = {
    "method in a period": Filter(method="save", since=instant(BEGIN)),
    "purpose and method": Filter(purpose_id="ads", decision="refused", method="save"),
    "type and version": Filter(event_type="withdrawn", notice_id="main", notice_version=8),
    "tombstones since": Filter(event_type="erased", since=instant(BEGIN + timedelta(days=2))),
    "anything since": Filter(since=instant(BEGIN + timedelta(days=25))),
    "what contradicts itself": Filter(event_type="requested", method="accept_all"),
}


def test_a_notice_that_no_record_names_is_not_looked_for_in_all_there_is(filled: Filled) -> None:
    """One page says so: nobody has to page through the whole ledger for nothing."""
    unknown = Filter(notice_id="unknown")

    with filled.database.read() as connection:
        found = list_records(connection, LARGE, unknown, before=None, limit=50)

    assert found == ([], None)


PUT_TOGETHER = re.compile(
    r"LIST SUBQUERY|MERGE \(UNION\)$|LEFT$|RIGHT$|(CORRELATED )?SCALAR SUBQUERY"
    r"|CO-ROUTINE steps$|SETUP$|RECURSIVE STEP$|SCAN (json_each|steps)( |$)"
)
"""What SQLite does with what it has found, and reads no table for."""


def asked_sql(connection: Connection, asked: Filter, site_id: str) -> list[tuple[str, Any]]:
    """Return every statement that a page of 50 is made of, as the driver gets it."""
    told: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        told.append((arguments[2], arguments[3]))

    event.listen(connection, "before_cursor_execute", note)
    try:
        list_records(connection, site_id, asked, before=None, limit=50)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return told


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Walk a plan of PostgreSQL."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from plan_nodes(part)


def work(connection: Connection, asked: Filter, site_id: str) -> int:
    """Check that nothing is scanned or sorted, and count what a page costs.

    On SQLite steps of its virtual machine, on PostgreSQL rows that its plans went through.
    """
    told = [one for one in asked_sql(connection, asked, site_id) if "SET LOCAL" not in one[0]]
    assert told
    if connection.dialect.name == "sqlite":
        for sql, values in told:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
            for *_, detail in plan:
                if not PUT_TOGETHER.match(detail):
                    assert re.match("SEARCH record.* USING", detail), (sql, plan)
                    assert "json_each" not in sql or "record_id=?" in detail, (sql, plan)
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 10)
        try:
            list_records(connection, site_id, asked, before=None, limit=50)
        finally:
            driver.set_progress_handler(None, 10)
        return 10 * steps
    rows = 0
    for sql, values in told:
        ((plans,),) = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", values)
        for node in plan_nodes(plans[0]["Plan"]):
            assert not re.search("Seq Scan|Sort|Bitmap|Join", node["Node Type"]), (sql, plans)
            removed = node.get("Rows Removed by Filter", 0)
            rows += int((node["Actual Rows"] + removed) * node["Actual Loops"])
    return rows


@pytest.mark.parametrize("asked", [*SINGLE.values(), *SEVERAL.values()], ids=[*SINGLE, *SEVERAL])
def test_a_page_is_read_by_index_in_bounded_work(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, asked: Filter
) -> None:
    """No scan, no sort, and far less gone through than there is, whatever is asked."""
    monkeypatch.setattr(search, "LOOKED_AT", 300)
    monkeypatch.setattr(search, "CHUNK", 100)
    if asked.refs is not None:
        asked = replace(asked, refs=[ref(filled, LARGE, 1), ref(filled, LARGE, 2)])

    with filled.database.read() as connection:
        done = work(connection, asked, LARGE)

    # One step or row for each record would already be 12,000, and SQLite takes ten of them.
    sqlite, several = filled.database.is_sqlite, asked in SEVERAL.values()
    assert done <= ((15_000 if several else 5_000) if sqlite else 2_000)
