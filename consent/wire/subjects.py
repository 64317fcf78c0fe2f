"""What is asked and told about what is held of a subject, as JSON."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from consent.choices.choice import EventType
from consent.subjects.access import Account, Held
from consent.subjects.erasure import Erased
from consent.subjects.restriction import Restricted
from consent.wire.events import ReceiptOut, receipt, receipt_members
from consent.wire.notices import NoticeOut, notice
from consent.wire.strict import Instant, InstantOut, Short, SubjectIn, Wire, present

RECORDS_LIMIT = 1000


class SubjectEraseIn(Wire):
    """Whose records go, and which others; at least one of the two."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["subject"]}, {"required": ["record_ids"]}]}
    )

    subject: SubjectIn | None = None
    record_ids: Annotated[list[Short], Field(max_length=RECORDS_LIMIT)] = Field([])
    keep_refusals: bool = Field(True, description="remember what is refused, and nothing else")
    include_linked: bool = Field(
        False, description="erase whoever was linked with the subject, near or far, as well"
    )
    site: Short | None = None

    @model_validator(mode="after")
    def _somebody_or_something(self) -> Self:
        if self.subject is None and not self.record_ids:
            raise ValueError("expected a subject or record_ids, got neither")
        return self


class ErasedOut(ReceiptOut):
    """The receipt of the tombstone, saved as it is; beside it what went and what is remembered."""

    erased: list[str] = Field(description="ids of the records that were erased")
    remembered: list[str] = Field(description="purposes whose refusal is remembered without them")


class NothingErasedOut(BaseModel):
    """There was no record left to erase, and so no tombstone."""

    erased: list[str]
    remembered: list[str]


class SubjectRestrictIn(Wire):
    """For whom processing is restricted, and until when what is held is kept as evidence."""

    subject: SubjectIn
    evidence_until: Instant = Field(description="then everything is erased, by itself")
    site: Short | None = None


class RestrictedOut(ReceiptOut):
    """The receipt of the tombstone, saved as it is; beside it what is kept and until when."""

    restricted: list[str] = Field(description="ids of the records that are kept as evidence")
    evidence_until: InstantOut


def restricted(done: Restricted) -> bytes:
    """Write what a restriction came to."""
    return _beside(done, restricted=done.record_ids, evidence_until=done.evidence_until)


def erased(done: Erased) -> bytes:
    """Write what an erasure came to."""
    return _beside(done, erased=done.record_ids, remembered=done.remembered)


class Rendering(StrEnum):
    """How what is held is written: for machines, or for the person."""

    JSON = "json"
    TEXT = "text"


class SubjectExportIn(Wire):
    """About whom everything is wanted that is held."""

    subject: SubjectIn
    format: Rendering = Rendering.JSON
    include_linked: bool = Field(
        False, description="add whoever was linked with the subject, near or far"
    )
    site: Short | None = None


class StandsOut(BaseModel):
    """What was last decided about a purpose; without `record_id` it is remembered alone."""

    purpose: str
    state: EventType
    since: InstantOut
    record_id: str | None = None
    notice_id: str | None = None
    notice_version: int | None = None
    valid_until: InstantOut | None = None
    refused_at: InstantOut | None = None
    ask_after: InstantOut | None = None
    vendors: list[str] | None = Field(None, description="the only vendors that a yes is about")
    signal: bool = Field(description="whether Global Privacy Control was on, or was the reason")


class AskedOut(BaseModel):
    """The newest question with a notice."""

    notice_id: str
    version: int
    record_id: str


class HeldRecordOut(ReceiptOut):
    """A record with its proof: saved as it is, it is a receipt; `notice` is what was shown."""

    epoch: int
    notice: NoticeOut | None = None
    idempotency_key: str | None = None


class AccountOut(BaseModel):
    """What is held under one pseudonym, records in the order of the log."""

    subject_ref: str
    restricted_until: InstantOut | None = None
    linked: list[str] = Field(description="pseudonyms of the same person")
    standing: list[StandsOut]
    asked: list[AskedOut]
    records: list[HeldRecordOut]


class HeldOut(BaseModel):
    """Everything that a site holds about a person."""

    site: str
    as_of: str
    subjects: list[AccountOut]


def held(found: Held) -> bytes:
    """Write everything that is held about a person."""
    return orjson.dumps(
        {
            "site": found.site_id,
            "as_of": found.as_of,
            "subjects": [_account(account) for account in found.accounts],
        }
    )


def _account(account: Account) -> dict[str, Any]:
    standing = account.standing
    return {
        "subject_ref": account.subject_ref,
        **present(restricted_until=account.restricted_until),
        "linked": standing.links,
        "standing": [
            {
                "purpose": purpose,
                "state": at.state,
                "since": at.occurred_at,
                **present(
                    record_id=at.record_id or None,
                    notice_id=at.notice_id,
                    notice_version=at.version,
                    valid_until=at.valid_until,
                    refused_at=at.refused_at,
                    ask_after=at.ask_after,
                    vendors=at.vendors,
                ),
                "signal": at.signal,
            }
            for purpose, at in sorted(standing.purposes.items())
        ],
        "asked": [
            {"notice_id": notice_id, "version": at.version, "record_id": at.record_id}
            for notice_id, at in sorted(standing.asked.items())
        ],
        "records": [
            {
                **receipt_members(exhibit.receipt),
                "epoch": exhibit.record.epoch,
                **present(
                    notice=orjson.Fragment(notice(exhibit.notice)) if exhibit.notice else None,
                    idempotency_key=account.keys.get(exhibit.record.record_id),
                ),
            }
            for exhibit in account.exhibits
        ],
    }


def _beside(done: Any, **members: Sequence[str] | str) -> bytes:  # noqa: ANN401 - has a receipt
    """Write members beside those of a receipt, if there is one."""
    beside = orjson.dumps(members)
    return beside if done.receipt is None else receipt(done.receipt)[:-1] + b"," + beside[1:]
