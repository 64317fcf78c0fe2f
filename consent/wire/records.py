"""Records as JSON: what is searched for, what is found, and one of them proved."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, Field, StringConstraints, model_validator

from consent.audit.auditing import Found, Proved
from consent.choices.choice import Decision, EventType, Method, SubjectKind
from consent.errors import StringInvalid
from consent.iab import gpp
from consent.sealing.vault import Opened
from consent.wire import notices
from consent.wire.events import ReceiptOut, receipt_members
from consent.wire.notices import NoticeOut
from consent.wire.strict import (
    Id,
    Instant,
    InstantOut,
    PageLimit,
    Short,
    SubjectId,
    SubjectIn,
    Version,
    Wire,
    present,
)

Ref = Annotated[str, StringConstraints(pattern=r"^([0-9]{1,9}\.[0-9a-f]{32}|site)$")]


class FilterIn(Wire):
    """Which records: all of what is set."""

    subject_ref: Ref | None = Field(None, description="a pseudonym, as records tell it")
    from_: Instant | None = Field(None, alias="from", description="first instant of the period")
    to: Instant | None = Field(None, description="first instant after the period")
    purpose: Id | None = None
    decision: Decision | None = None
    method: Method | None = None
    event_type: EventType | None = None
    notice_id: Id | None = None
    notice_version: Version | None = None
    site: Short | None = None

    @model_validator(mode="after")
    def _versions_and_periods(self) -> Self:
        if self.notice_version is not None and self.notice_id is None:
            raise ValueError("expected the notice_id whose notice_version is meant, got none")
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise ValueError("expected a period that begins before it ends, got `from` after `to`")
        return self


class SubjectFilterIn(FilterIn):
    """Which records, of subjects whose ids may stand in an access log."""

    subject_kind: SubjectKind | None = Field(None, description="`device` or `external`")
    subject_id: SubjectId | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.subject_kind is None) != (self.subject_id is None):
            raise ValueError("expected subject_kind and subject_id together, got one of them")
        if self.subject_kind is not None and self.subject_ref is not None:
            raise ValueError("expected one subject, got a subject_ref besides")
        return self


class RecordsIn(SubjectFilterIn):
    """Which records to list, and from where."""

    open: bool = Field(default=False, description="whether to add the events themselves")
    limit: PageLimit = 50
    cursor: Short | None = None


class RecordsSearchIn(FilterIn):
    """Which records to list, of any kind of subject, and from where."""

    subject: SubjectIn | None = None
    open: bool = Field(default=False, description="whether to add the events themselves")
    limit: PageLimit = 50
    cursor: Short | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if self.subject is not None and self.subject_ref is not None:
            raise ValueError("expected one subject, got a subject_ref besides")
        return self


class DecidedOut(BaseModel):
    """What was decided about one purpose."""

    purpose_id: str
    decision: Decision
    vendor_ids: list[str] | None = Field(
        None,
        description="the only vendors that it is about; told where the event is told, for it alone "
        "says so",
    )


class RecordOut(BaseModel):
    """What a record is found by; `event` where it was asked for and can still be opened."""

    record_id: str
    epoch: int
    leaf_index: int
    received_at: InstantOut
    subject_ref: str
    event_type: EventType
    method: Method
    decisions: list[DecidedOut]
    notice_id: str | None = None
    notice_version: int | None = None
    event: dict[str, Any] | None = None
    restricted_until: InstantOut | None = Field(
        None, description="until when processing is restricted; told where the event is told"
    )


class RecordsOut(BaseModel):
    """A page of records, newest first; `next` is null at the end, and only there.

    A page may hold fewer than `limit`, even none, and still have a `next`.
    """

    items: list[RecordOut]
    next: str | None


class RecordDetailOut(ReceiptOut):
    """A record with its proof in the log as it stands now: saved as it is, it is a receipt.

    `notice` is what was shown.
    """

    epoch: int
    notice: NoticeOut | None = None
    strings: dict[str, Any] | None = Field(
        None, description="the event's TC and GPP strings, decoded"
    )
    restricted_until: InstantOut | None = None


def records(found: Sequence[Found], following: str | None) -> bytes:
    """Write a page of records."""
    return orjson.dumps({"items": [_record(item) for item in found], "next": following})


def detail(proved: Proved) -> bytes:
    """Write a record with all that proves it."""
    found = proved.found
    return orjson.dumps(
        {
            **receipt_members(proved.receipt),
            "epoch": found.record.epoch,
            **present(
                notice=orjson.Fragment(notices.notice(proved.notice)) if proved.notice else None,
                strings=_strings(orjson.loads(proved.receipt.event)),
                restricted_until=found.restricted_until,
            ),
        }
    )


def _strings(event: dict[str, Any]) -> dict[str, Any] | None:
    """Decode what another consent tool told; what is none of its strings is told to be none."""
    signals: dict[str, Any] = event.get("signals", {})
    decoded: dict[str, Any] = {
        name: _decoded(signals[name]) for name in ("tc_string", "gpp_string") if name in signals
    }
    return decoded or None


def _decoded(text: str) -> Any:  # noqa: ANN401 - whatever JSON has
    try:
        return gpp.plain(gpp.decode(text))
    except StringInvalid as error:
        return {"problem": str(error)}


def decided(decisions: str, opened: Opened | None = None) -> list[dict[str, Any]]:
    """Return stored decisions as the wire has them; their vendors stand in the event alone."""
    made: dict[str, str] = orjson.loads(decisions)
    vendors = {} if opened is None else _vendors(orjson.loads(opened.event))
    return [
        {"purpose_id": purpose, "decision": decision, **present(vendor_ids=vendors.get(purpose))}
        for purpose, decision in made.items()
    ]


def _vendors(event: dict[str, Any]) -> dict[str, list[str]]:
    return {
        made["purpose_id"]: made["vendor_ids"]
        for made in event.get("decisions", ())
        if "vendor_ids" in made
    }


def _record(found: Found) -> dict[str, Any]:
    record = found.record
    return {
        **present(**record._asdict()),
        "decisions": decided(record.decisions, found.opened),
        **present(
            event=orjson.Fragment(found.opened.event) if found.opened else None,
            restricted_until=found.restricted_until,
        ),
    }
