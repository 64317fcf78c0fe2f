"""What is asked and told about what is held of a subject, as JSON."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, Field, model_validator

from consent.erasure import Erased
from consent.restriction import Restricted
from consent.wire.events import ReceiptOut, receipt
from consent.wire.strict import Instant, Short, SubjectIn, Wire

RECORDS_LIMIT = 1000


class EraseIn(Wire):
    """Whose records go, and which others; at least one of the two."""

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


class RestrictIn(Wire):
    """For whom processing is restricted, and until when what is held is kept as evidence."""

    subject: SubjectIn
    evidence_until: Instant = Field(description="then everything is erased, by itself")
    site: Short | None = None


class RestrictedOut(ReceiptOut):
    """The receipt of the tombstone, saved as it is; beside it what is kept and until when."""

    restricted: list[str] = Field(description="ids of the records that are kept as evidence")
    evidence_until: str


def restricted(done: Restricted) -> bytes:
    """Write what a restriction came to."""
    return _beside(done, restricted=done.record_ids, evidence_until=done.evidence_until)


def erased(done: Erased) -> bytes:
    """Write what an erasure came to."""
    return _beside(done, erased=done.record_ids, remembered=done.remembered)


def _beside(done: Any, **members: Sequence[str] | str) -> bytes:  # noqa: ANN401 - has a receipt
    """Write members beside those of a receipt, if there is one."""
    beside = orjson.dumps(members)
    return beside if done.receipt is None else receipt(done.receipt)[:-1] + b"," + beside[1:]
