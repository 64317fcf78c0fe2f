"""What auditors search for: every filter and sensible combinations, with ever other values."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any, Final

from full_ledger import BEGIN, PURPOSES, VERSIONS, device
from sqlalchemy import Connection, event

from consent.choices.record import instant
from consent.records.search import Filter, list_records

DAYS: Final = 365

Asked = Callable[[Random], dict[str, Any]]


def period(random: Random) -> dict[str, str]:
    """Return some days of the year."""
    since = BEGIN + timedelta(days=random.uniform(0, DAYS - 1))
    until = since + timedelta(days=random.choice([1, 7, 30]))
    return {"from": instant(since), "to": instant(until)}


def subject(random: Random) -> dict[str, str]:
    """Return somebody among the first visitors of a ledger of a million, or of a tenth of it."""
    return {"subject_kind": "device", "subject_id": device(random.randint(1, 50_000))}


def purpose(random: Random) -> dict[str, str]:
    """Return a purpose."""
    return {"purpose": random.choice(PURPOSES)}


def decision(random: Random) -> dict[str, str]:
    """Return a decision."""
    return {"decision": random.choice(["given", "refused"])}


def version(random: Random) -> dict[str, Any]:
    """Return a version of a notice."""
    notice = random.choice(["main", "campaign"])
    return {"notice_id": notice, "notice_version": random.randint(1, VERSIONS)}


def method(random: Random) -> dict[str, str]:
    """Return a method, the rare ones as often as the others."""
    methods = ["api", "accept_all", "reject_all", "save", "form", "gpc", "withdraw_link"]
    return {"method": random.choice(methods)}


def kind(random: Random) -> dict[str, str]:
    """Return an event type."""
    return {"event_type": random.choice(["requested", "given", "refused", "withdrawn", "erased"])}


def fixed(**asked: Any) -> Asked:  # noqa: ANN401
    """Return what asks the same each time."""
    return lambda _random: asked


def both(*parts: Asked) -> Asked:
    """Return what asks for all of them."""
    return lambda random: {name: value for part in parts for name, value in part(random).items()}


SEARCHES: Final[dict[str, Asked]] = {
    "everything": fixed(),
    "subject": subject,
    "period": period,
    "purpose": purpose,
    "decision": decision,
    "purpose, decision": both(purpose, decision),
    "method": method,
    "type": kind,
    "notice": lambda random: {"notice_id": random.choice(["main", "campaign"])},
    "notice, version": version,
    "subject, type": both(subject, kind),
    "subject, purpose, period": both(subject, purpose, period),
    "purpose, decision, period": both(purpose, decision, period),
    "method, period": both(method, period),
    "version, method": both(version, method),
    "version, decision": both(version, decision),
    "type, period": both(kind, period),
    "method, purpose, decision": both(method, purpose, decision),
    "campaign refused by form": fixed(notice_id="campaign", decision="refused", method="form"),
    "gpc about an old version": fixed(notice_id="main", notice_version=1, method="gpc"),
    "nothing (type against method)": fixed(event_type="requested", method="accept_all"),
    "opened: purpose, decision": both(purpose, decision, fixed(open="true")),
}


def plans(connection: Connection, site_id: str, asked: dict[str, Any]) -> list[str]:
    """Return how the database goes about every kind of statement that a search is made of."""
    told: dict[str, Any] = {}

    def note(*arguments: Any) -> None:  # noqa: ANN401
        told.setdefault(arguments[2], arguments[3])

    event.listen(connection, "before_cursor_execute", note)
    list_records(connection, site_id, _filter(asked), before=None, limit=50)
    event.remove(connection, "before_cursor_execute", note)
    # What the search set for its transaction still holds, and has no plan of its own.
    asked_for = {sql: values for sql, values in told.items() if "SET LOCAL" not in sql}
    return [line for sql, values in asked_for.items() for line in _plan(connection, sql, values)]


def _plan(connection: Connection, sql: str, values: Any) -> Iterator[str]:  # noqa: ANN401
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        yield from (str(row[3]) for row in rows)
        return
    for (line,) in connection.exec_driver_sql(f"EXPLAIN (COSTS OFF) {sql}", values):
        if "Scan" in line or "Sort" in line:
            yield line.strip().removeprefix("->").strip()


def _filter(asked: dict[str, Any]) -> Filter:
    return Filter(
        refs=["1." + "0" * 32] if "subject_id" in asked else None,
        since=asked.get("from"),
        until=asked.get("to"),
        purpose_id=asked.get("purpose"),
        **{
            name: asked.get(name)
            for name in ("decision", "method", "event_type", "notice_id", "notice_version")
        },
    )
