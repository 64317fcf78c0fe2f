"""The change feed as JSON."""

import re
from enum import StrEnum
from typing import Any

import orjson
from pydantic import BaseModel, Field

from consent.choices.choice import SUBJECTLESS, EventType, Method
from consent.records.history import START, Entry, Position, Step
from consent.wire import cursor
from consent.wire.records import DecidedOut, decided
from consent.wire.strict import InstantOut, PageLimit, Short, Wire

_PLACE = re.compile(r"([1-9][0-9]{0,8})\.([0-9]{1,18})", re.ASCII)


class Change(StrEnum):
    """What an entry of the ledger says to those who follow it."""

    CHANGED = "consent.changed"
    ERASED = "consent.erased"


class FeedIn(Wire):
    """From where to read on."""

    after: Short | None = Field(None, description="the `next` of what was read before")
    limit: PageLimit = 100
    site: Short | None = None


class EntryOut(BaseModel):
    """One entry of the ledger.

    `record_ids` are of the records that a `consent.erased`, or a restriction, concerns. A record
    that was erased since has `erased` and no more than its place. One that is `unreadable` does not
    open any more, and has no decisions: a yes may have been to some vendors alone.
    """

    record_id: str
    epoch: int
    leaf_index: int
    received_at: InstantOut
    event_type: EventType | None = None
    method: Method | None = None
    subject_ref: str | None = None
    decisions: list[DecidedOut] | None = None
    notice_id: str | None = None
    notice_version: int | None = None
    record_ids: list[str] | None = None
    erased: bool | None = None
    unreadable: bool | None = None


class FeedItemOut(EntryOut):
    """One entry of the ledger, and what it says to those who follow it."""

    type: Change


class FeedOut(BaseModel):
    """Entries in the order of the ledger, none left out; `next` is where to read on.

    `next` is there at the end as well: what comes later is read after it.
    """

    items: list[FeedItemOut]
    next: str


def feed(step: Step) -> bytes:
    """Write a part of the feed."""
    return orjson.dumps(
        {"items": [item(entry) for entry in step.entries], "next": _cursor(step.position)}
    )


def position(after: str | None) -> Position:
    """Read where to go on. Raises CursorInvalid."""
    if after is None:
        return START
    found = cursor.read(after, _PLACE)
    return Position(int(found[1]), int(found[2]) - 1)


def _cursor(position: Position) -> str:
    # Of the next entry: before the first one there is no index.
    return cursor.write(f"{position.epoch}.{position.leaf_index + 1}")


def item(entry: Entry) -> dict[str, Any]:
    """Write one entry as the feed tells it."""
    told: dict[str, Any] = {
        "type": Change.CHANGED,
        "record_id": entry.record_id,
        "epoch": entry.position.epoch,
        "leaf_index": entry.position.leaf_index,
        "received_at": entry.received_at,
    }
    record = entry.record
    if record is None:
        return {**told, "erased": True}
    told |= {
        "type": Change.ERASED if record.event_type == EventType.ERASED else Change.CHANGED,
        "event_type": record.event_type,
        "method": record.method,
    }
    if entry.opened is not None and record.event_type in SUBJECTLESS:
        concerned = orjson.loads(entry.opened.event).get("record_ids")
        return {**told, "record_ids": concerned} if concerned else told
    if entry.unreadable:
        ref = {} if record.event_type in SUBJECTLESS else {"subject_ref": record.subject_ref}
        return {**told, **ref, "unreadable": True}
    told |= {
        "subject_ref": record.subject_ref,
        "decisions": decided(record.decisions, entry.opened),
    }
    if record.notice_id is not None:
        told |= {"notice_id": record.notice_id, "notice_version": record.notice_version}
    return told
