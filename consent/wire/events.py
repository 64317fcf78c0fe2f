"""Events and receipts as JSON."""

from base64 import b64encode
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, Field, StringConstraints, model_validator

from consent.batch import Receipt
from consent.choice import Decision, EventType, Method, Origin
from consent.wire.strict import (
    PURPOSES_LIMIT,
    Digest,
    Id,
    Instant,
    Key,
    Language,
    Short,
    SubjectIn,
    Text,
    Wire,
)


class DecisionIn(Wire):
    """What was decided about one purpose."""

    purpose_id: Id
    decision: Decision


class ShownIn(Wire):
    """Which notice was before the subject's eyes."""

    notice_id: Id
    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    language: Language
    layer: Annotated[int, Field(ge=1, le=9)] | None = None
    ui_sha256: Digest | None = None


class ContextIn(Wire):
    """Where the choice was made; a page's query and fragment are cut off."""

    page: Annotated[Text, Field(min_length=1, max_length=2048)] | None = None
    ua_class: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,64}$")] | None = None
    layout_w: Annotated[int, Field(ge=0, le=100_000)] | None = None


class SignalsIn(Wire):
    """What the browser signalled of Global Privacy Control."""

    sec_gpc: bool | None = None
    gpc_js: bool | None = None


class EventIn(Wire):
    """A choice: first `requested`, when the notice was shown, then the subject's answer."""

    subject: SubjectIn
    event_type: EventType
    method: Method
    origin: Origin
    decisions: Annotated[list[DecisionIn], Field(max_length=PURPOSES_LIMIT)] = Field([])
    notice: ShownIn | None = Field(None, description="compulsory unless something is withdrawn")
    jurisdiction: (
        Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None
    ) = None
    occurred_at: Instant | None = None
    valid_until: Instant | None = None
    served_id: Short | None = None
    explicit: bool = False
    context: ContextIn | None = None
    signals: SignalsIn | None = None
    idempotency_key: Key | None = Field(
        None, description="compulsory here or in the Idempotency-Key header"
    )
    site: Short | None = None

    @model_validator(mode="after")
    def _notice_where_one_is_answered(self) -> Self:
        if self.notice is None and self.event_type is not EventType.WITHDRAWN:
            raise ValueError("expected the notice that was shown, got none")
        return self


class ReceiptOut(BaseModel):
    """A receipt; saved as it is, it proves offline what was recorded."""

    record_id: str
    event: dict[str, Any]
    salt: str = Field(description="base64 of 32 bytes")
    leaf: str = Field(description="base64 of the log entry")
    leaf_index: int
    proof: str = Field(description="a c2sp.org/tlog-proof@v1")


def receipt(made: Receipt) -> bytes:
    """Write a receipt."""
    return orjson.dumps(
        {
            "record_id": made.record_id,
            "event": orjson.Fragment(made.event),
            "salt": b64encode(made.salt).decode(),
            "leaf": b64encode(made.leaf).decode(),
            "leaf_index": made.leaf_index,
            "proof": made.proof,
        }
    )
