"""What is held about subjects, as rows: found, deleted, restricted.

Takes a connection inside a transaction; never commits one. The log's entries and tiles are not
touched here: nothing can delete those.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, delete, func, select, update

from consent.choices.choice import SITE, EventType, Method
from consent.choices.projection import Standing
from consent.database import Rows
from consent.records.search import read_in_order
from consent.tables import IDEMPOTENCY, RECORD, RECORD_PURPOSE, SUBJECT

HEAD_BYTES = 32
"""How much of a sealed record is told, to look for it in files: no two begin alike."""


class Held(NamedTuple):
    """A record, as far as deleting it asks; *decisions* by purpose, *head* of what is sealed."""

    record_id: str
    subject_ref: str
    event_type: str
    decisions: dict[str, str]
    head: bytes


_ERASED_MEANWHILE = (Standing(), None)


class Aged(NamedTuple):
    """A record beside where its subject stands."""

    record_id: str
    event_type: str
    standing: Standing
    restricted_until: str | None


def ask_held_of(rows: Rows, site_id: str, refs: Sequence[str]) -> Callable[[], list[Held]]:
    """Ask for every record of subjects, oldest first."""
    found = rows.ask(_HELD_OF, site_id=site_id, refs=list(refs))
    return lambda: sorted((_held(*row) for row in found()), key=attrgetter("record_id"))


def ask_held(rows: Rows, site_id: str, record_ids: Sequence[str]) -> Callable[[], list[Held]]:
    """Ask for records by id, oldest first; the site's own are left out."""
    found = rows.ask(_HELD, site_id=site_id, record_ids=list(record_ids))
    return lambda: [_held(*row) for row in found()]


def find_links(rows: Rows, site_id: str, refs: Sequence[str]) -> list[tuple[Held, bytes]]:
    """Return the records by which subjects were linked with others, and what is sealed of each."""
    if not refs:
        return []
    return [
        (_held(*row[:-1]), bytes(row[-1]))
        for row in rows.find(_LINKS, site_id=site_id, refs=list(refs))
        if row[2] == EventType.LINKED
    ]


def find_recorded(rows: Rows, site_id: str, refs: Sequence[str]) -> set[str]:
    """Return those of *refs* that have a record."""
    return {ref for (ref,) in rows.find(_RECORDED, site_id=site_id, refs=list(refs))}


def find_outlivable(rows: Rows, site_id: str, refs: Sequence[str]) -> set[str]:
    """Return those of *refs* of whom there is a record whose no a yes may have outlived."""
    methods = [Method.GPC.value, Method.IMPORT.value]
    found = rows.find(_OUTLIVABLE, site_id=site_id, refs=list(refs), methods=methods)
    return {ref for (ref,) in found}


def delete_records(rows: Rows, site_id: str, held: Sequence[Held]) -> None:
    """Delete records and what they are searched by; empty the fingerprints of their requests."""
    if not held:
        return
    record_ids = [item.record_id for item in held]
    by_decision: dict[tuple[str, str], list[str]] = {}
    for item in held:
        for decided in item.decisions.items():
            by_decision.setdefault(decided, []).append(item.record_id)
    for (purpose_id, decision), ids in by_decision.items():
        rows.change(
            _PURPOSES_GONE,
            of_site=site_id,
            of_purpose=purpose_id,
            of_decision=decision,
            record_ids=ids,
        )
    rows.change(_RECORDS_GONE, of_site=site_id, record_ids=record_ids)
    rows.change(_FINGERPRINTS_GONE, of_site=site_id, record_ids=record_ids)


def delete_subjects(rows: Rows, site_id: str, refs: Sequence[str]) -> None:
    """Delete subjects, their wrapped keys and standings."""
    rows.change(_SUBJECTS_GONE, of_site=site_id, refs=list(refs))


def suppress(rows: Rows, site_id: str, remembered: Iterable[tuple[str, Standing]]) -> None:
    """Leave nothing of subjects, by pseudonym, but that standing."""
    rows.insert(
        SUBJECT,
        [(site_id, ref, 0, b"", standing.to_json(), None) for ref, standing in remembered],
        tail=_SUPPRESSED,
    )


def restate(rows: Rows, site_id: str, standings: Iterable[tuple[str, Standing]]) -> None:
    """Write where subjects that have a row stand, by pseudonym; their keys stay."""
    rows.insert(
        SUBJECT,
        [(site_id, ref, 0, b"", standing.to_json(), None) for ref, standing in standings],
        tail=_RESTATED,
    )


def restrict(rows: Rows, site_id: str, refs: Sequence[str], until: str) -> None:
    """Restrict processing for subjects; *until* then, what is held is kept as evidence.

    Whoever is only remembered has nothing that could be kept.
    """
    rows.change(_RESTRICTED, of_site=site_id, refs=list(refs), until=until, no_key=b"")


def withhold(rows: Rows, site_id: str, refs: Iterable[str], until: str) -> None:
    """Restrict processing for subjects of whom nothing is held, but for what is remembered."""
    nothing = Standing(whole=False).to_json()
    rows.insert(
        SUBJECT,
        [(site_id, ref, 0, b"", nothing, until) for ref in refs],
        tail=_WITHHELD,
    )


def find_wrapped(
    rows: Rows, site_id: str, *, before: int, after: str, limit: int
) -> list[tuple[str, int, bytes]]:
    """Return subjects whose key is wrapped under a version *before* that one, *after* that name."""
    read_in_order(rows.connection)
    found = rows.find(
        _WRAPPED, site_id=site_id, before=before, after=after, limit=limit, no_key=b""
    )
    return [(ref, version, bytes(wrapped)) for ref, version, wrapped in found]


def put_wrapped(rows: Rows, site_id: str, wrapped: Iterable[tuple[str, int, bytes]]) -> None:
    """Write the wrapped keys of subjects that have a row, by pseudonym with their version."""
    rows.insert(
        SUBJECT,
        [(site_id, ref, version, key, "", None) for ref, version, key in wrapped],
        tail=_REWRAPPED,
    )


def list_due(connection: Connection, now: str) -> list[tuple[str, str]]:
    """Return site and pseudonym of each subject whose restriction has ended."""
    return [(site_id, ref) for site_id, ref in connection.execute(_DUE, {"now": now})]


def list_aged(
    connection: Connection, site_id: str, *, after: str, before: str, limit: int
) -> list[Aged]:
    """Return a page of records with ids between *after* and *before*, oldest first."""
    read_in_order(connection)
    records = connection.execute(
        _AGED, {"site_id": site_id, "after": after, "before": before, "limit": limit}
    ).all()
    refs = list({row.subject_ref for row in records})
    subjects = {
        ref: (Standing.from_json(standing), restricted)
        for ref, standing, restricted in connection.execute(
            _STANDINGS, {"site_id": site_id, "refs": refs}
        )
    }
    return [
        Aged(row.record_id, row.event_type, *subjects.get(row.subject_ref, _ERASED_MEANWHILE))
        for row in records
    ]


def _held(record_id: str, ref: str, event_type: str, decisions: str, head: bytes) -> Held:
    return Held(record_id, ref, event_type, orjson.loads(decisions), bytes(head))


_RECORDS = select(
    RECORD.c.record_id,
    RECORD.c.subject_ref,
    RECORD.c.event_type,
    RECORD.c.decisions,
    func.substr(RECORD.c.sealed, 1, HEAD_BYTES),
).where(RECORD.c.site_id == bindparam("site_id"))
# By nothing but subjects: asked for an order or a type as well, SQLite would rather walk every
# record of the site, or all of that type.
_HELD_OF = _RECORDS.where(RECORD.c.subject_ref.in_(bindparam("refs", expanding=True)))
_LINKS = _HELD_OF.add_columns(RECORD.c.sealed)
_HELD = _RECORDS.where(
    RECORD.c.record_id.in_(bindparam("record_ids", expanding=True)), RECORD.c.subject_ref != SITE
).order_by(RECORD.c.record_id)
_RECORDED = (
    select(RECORD.c.subject_ref)
    .distinct()
    .where(
        RECORD.c.site_id == bindparam("site_id"),
        RECORD.c.subject_ref.in_(bindparam("refs", expanding=True)),
    )
)
_OUTLIVABLE = _RECORDED.where(RECORD.c.method.in_(bindparam("methods", expanding=True)))
_RECORDS_GONE = delete(RECORD).where(
    RECORD.c.site_id == bindparam("of_site"),
    RECORD.c.record_id.in_(bindparam("record_ids", expanding=True)),
)
_PURPOSES_GONE = delete(RECORD_PURPOSE).where(
    RECORD_PURPOSE.c.site_id == bindparam("of_site"),
    RECORD_PURPOSE.c.purpose_id == bindparam("of_purpose"),
    RECORD_PURPOSE.c.decision == bindparam("of_decision"),
    RECORD_PURPOSE.c.record_id.in_(bindparam("record_ids", expanding=True)),
)
_FINGERPRINTS_GONE = (
    update(IDEMPOTENCY)
    .where(
        IDEMPOTENCY.c.site_id == bindparam("of_site"),
        IDEMPOTENCY.c.record_id.in_(bindparam("record_ids", expanding=True)),
    )
    .values(fingerprint="")
)
_SUBJECTS_GONE = delete(SUBJECT).where(
    SUBJECT.c.site_id == bindparam("of_site"),
    SUBJECT.c.subject_ref.in_(bindparam("refs", expanding=True)),
)
_SUPPRESSED = (
    " ON CONFLICT (site_id, subject_ref) DO UPDATE SET key_version = excluded.key_version,"
    " wrapped = excluded.wrapped, standing = excluded.standing,"
    " restricted_until = excluded.restricted_until"
)
_WITHHELD = (
    " ON CONFLICT (site_id, subject_ref) DO UPDATE SET restricted_until = excluded.restricted_until"
)
_RESTATED = " ON CONFLICT (site_id, subject_ref) DO UPDATE SET standing = excluded.standing"
_REWRAPPED = (
    " ON CONFLICT (site_id, subject_ref) DO UPDATE SET key_version = excluded.key_version,"
    " wrapped = excluded.wrapped"
)
_WRAPPED = (
    select(SUBJECT.c.subject_ref, SUBJECT.c.key_version, SUBJECT.c.wrapped)
    .where(
        SUBJECT.c.site_id == bindparam("site_id"),
        SUBJECT.c.subject_ref > bindparam("after"),
        SUBJECT.c.key_version < bindparam("before"),
        SUBJECT.c.wrapped != bindparam("no_key"),
    )
    .order_by(SUBJECT.c.subject_ref)
    .limit(bindparam("limit"))
)
_RESTRICTED = (
    update(SUBJECT)
    .where(
        SUBJECT.c.site_id == bindparam("of_site"),
        SUBJECT.c.subject_ref.in_(bindparam("refs", expanding=True)),
        SUBJECT.c.wrapped != bindparam("no_key"),
    )
    .values(restricted_until=bindparam("until"))
)
_DUE = (
    select(SUBJECT.c.site_id, SUBJECT.c.subject_ref)
    .where(SUBJECT.c.restricted_until.is_not(None), SUBJECT.c.restricted_until <= bindparam("now"))
    .order_by(SUBJECT.c.site_id, SUBJECT.c.subject_ref)
)
_AGED = (
    select(RECORD.c.record_id, RECORD.c.event_type, RECORD.c.subject_ref)
    .where(
        RECORD.c.site_id == bindparam("site_id"),
        RECORD.c.record_id > bindparam("after"),
        RECORD.c.record_id < bindparam("before"),
        RECORD.c.subject_ref != SITE,
    )
    .order_by(RECORD.c.record_id)
    .limit(bindparam("limit"))
)
_STANDINGS = select(SUBJECT.c.subject_ref, SUBJECT.c.standing, SUBJECT.c.restricted_until).where(
    SUBJECT.c.site_id == bindparam("site_id"),
    SUBJECT.c.subject_ref.in_(bindparam("refs", expanding=True)),
)
