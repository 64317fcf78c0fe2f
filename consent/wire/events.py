"""Events and receipts as JSON."""

import json
from base64 import b64encode
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from consent.choices.choice import ON_NOTICE, Actor, Decision, EventType, Method, Origin
from consent.choices.record import each_once
from consent.choices.transition import RULES
from consent.records.batch import Receipt
from consent.wire.strict import (
    PURPOSES_LIMIT,
    Digest,
    Id,
    Instant,
    InstantOut,
    Jurisdiction,
    Key,
    Language,
    SecGpc,
    Short,
    SubjectIn,
    Text,
    Version,
    Wire,
)

IPV4 = 4
ENCODED = r"^[A-Za-z0-9_.~-]{1,8192}$"
"""The characters and the length that TC and GPP strings may have."""


def _network(value: str) -> str:
    try:
        network = ip_network(value)
    except ValueError:
        raise ValueError("expected an IPv4 /24 or an IPv6 /48") from None
    if "%" in value:
        # A scope is any text, and would be kept as it came.
        raise ValueError("expected an IPv4 /24 or an IPv6 /48 without a scope, got one with it")
    if network.prefixlen != (24 if network.version == IPV4 else 48):
        raise ValueError("expected an IPv4 /24 or an IPv6 /48")
    return str(network)


class DecisionIn(Wire):
    """What was decided about one purpose."""

    purpose_id: Id
    decision: Decision
    vendor_ids: Annotated[tuple[Short, ...], Field(max_length=100)] | None = Field(
        None, description="where the decision is about some vendors only; a yes names at least one"
    )

    @model_validator(mode="after")
    def _a_yes_to_somebody(self) -> Self:
        # A no ends the purpose for all vendors, whomever it names: it is not lost for naming none.
        if self.vendor_ids == () and self.decision is Decision.GIVEN:
            raise ValueError("vendor_ids: expected at least one vendor of a yes to some, got none")
        return self


class ServedNoticeIn(Wire):
    """Which notice is about to be shown."""

    notice_id: Id
    version: Version
    language: Language
    layer: Annotated[int, Field(ge=1, le=9)] | None = None


class ShownIn(ServedNoticeIn):
    """Which notice was before the subject's eyes."""

    ui_sha256: Digest | None = None
    variant: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None


class ContextIn(Wire):
    """Where the choice was made; of a page's address query, fragment and user info are cut off."""

    page: Annotated[Text, Field(min_length=1, max_length=2048)] | None = None
    ua_class: Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,64}$")] | None = None
    layout_w: Annotated[int, Field(ge=0, le=100_000)] | None = None
    ip_trunc: Annotated[Short, AfterValidator(_network)] | None = Field(
        None, description="an IPv4 /24 or an IPv6 /48, never an address"
    )


Storage = Literal["granted", "denied"]


class ConsentModeIn(Wire):
    """What Google Consent Mode was told."""

    ad_storage: Storage | None = None
    ad_user_data: Storage | None = None
    ad_personalization: Storage | None = None
    analytics_storage: Storage | None = None
    functionality_storage: Storage | None = None
    personalization_storage: Storage | None = None
    security_storage: Storage | None = None


class SignalsIn(Wire):
    """What the browser or another consent tool signalled; the strings are kept, never made."""

    sec_gpc: bool | SecGpc | None = Field(
        None, description="the Sec-GPC headers as they came, or whether one was exactly 1"
    )
    gpc_js: bool | None = Field(None, description="navigator.globalPrivacyControl")
    tc_string: Annotated[str, StringConstraints(pattern=ENCODED)] | None = None
    gpp_string: Annotated[str, StringConstraints(pattern=ENCODED)] | None = None
    gcm: ConsentModeIn | None = Field(None, description="Google Consent Mode")


def _one_of(words: Iterable[StrEnum]) -> WithJsonSchema:
    """Tell which words can be sent; others are known, and refused by rules of their own."""
    return WithJsonSchema({"type": "string", "enum": sorted(map(str, words))})


class EventIn(Wire):
    """A choice: first `requested`, when the notice was shown, then the subject's answer."""

    subject: SubjectIn
    event_type: Annotated[EventType, _one_of(RULES)]
    method: Annotated[Method, _one_of(set[Method]().union(*(r.methods for r in RULES.values())))]
    origin: Origin
    decisions: Annotated[tuple[DecisionIn, ...], Field(max_length=PURPOSES_LIMIT)] = ()
    notice: ShownIn | None = Field(
        None, description="compulsory where a notice is shown or answered"
    )
    by: Actor | None = Field(None, description="by default whoever such events mostly come from")
    jurisdiction: Jurisdiction | None = None
    jurisdiction_source: Literal["declared", "edge_geo"] = "declared"
    occurred_at: Instant | None = None
    valid_until: Instant | None = Field(None, description="when what is given ends by itself")
    reprompt_not_before: Instant | None = Field(
        None, description="before when nobody may ask again about what is refused"
    )
    served_id: Short | None = Field(None, description="the record of the question answered")
    served: Annotated[Text, Field(min_length=1, max_length=512)] | None = Field(
        None, description="the served token of the question answered"
    )
    linked: SubjectIn | None = Field(
        None, description="on `linked`: the device, or the other id, of the same person"
    )
    explicit: bool = False
    context: ContextIn | None = None
    signals: SignalsIn | None = None
    idempotency_key: Key | None = Field(
        None, description="compulsory here or in the Idempotency-Key header"
    )
    site: Short | None = None

    @model_validator(mode="after")
    def _what_the_type_needs(self) -> Self:
        if self.notice is None and self.event_type in ON_NOTICE:
            raise ValueError("expected the notice that was shown, got none")
        if (self.event_type is EventType.LINKED) != (self.linked is not None):
            raise ValueError("expected `linked` exactly on events of type `linked`")
        return self


def read(body: bytes) -> EventIn:
    """Read an event, of which a reader who takes the first of two members would read the same.

    Raises ValidationError.
    """
    given = EventIn.model_validate_json(body)
    if not _plainly_once(body, given):
        try:
            # Of numbers only the place counts: one that is passed over may have any length.
            json.loads(body, object_pairs_hook=each_once, parse_int=str, parse_float=str)
        except ValueError as error:
            raise ValidationError.from_exception_data(
                "EventIn",
                [{"type": "value_error", "loc": (), "input": None, "ctx": {"error": error}}],
            ) from error
    return given


def _plainly_once(body: bytes, given: EventIn) -> bool:
    """Whether every name in *body* is one of the members read, by counting: it is quick.

    Without escapes, and without space behind quotes, each name ends in `":`, so that there are as
    many as members were read, or more: then a text begins with a colon, or a name is there twice.
    """
    if any(unclear in body for unclear in (b"\\", b'" ', b'"\n', b'"\t', b'"\r')):
        return False
    read = len(given.model_fields_set)
    for part in (given.subject, given.notice, given.linked, given.context, given.signals):
        read += 0 if part is None else len(part.model_fields_set)
    if given.signals is not None and given.signals.gcm is not None:
        read += len(given.signals.gcm.model_fields_set)
    read += sum(len(made.model_fields_set) for made in given.decisions)
    return body.count(b'":') == read


class ReceiptOut(BaseModel):
    """A receipt; saved as it is, it proves offline what was recorded."""

    record_id: str
    event: dict[str, Any]
    salt: str = Field(description="base64 of 32 bytes")
    leaf: str = Field(description="base64 of the log entry")
    leaf_index: int
    proof: str = Field(description="a c2sp.org/tlog-proof@v1")


class ServedIn(Wire):
    """What is about to be shown to a visitor of whom nothing is known yet."""

    notice: ServedNoticeIn
    site: Short | None = None


class ServedOut(BaseModel):
    """A served token, to be returned with the visitor's answer."""

    served: str
    expires_at: InstantOut


def served(token: str, expires_at: str) -> bytes:
    """Write a served token."""
    return orjson.dumps({"served": token, "expires_at": expires_at})


def receipt(made: Receipt) -> bytes:
    """Write a receipt."""
    return orjson.dumps(receipt_members(made))


def receipt_members(made: Receipt) -> dict[str, Any]:
    """Return the members of a receipt, the event as the very bytes that were committed to."""
    return {
        "record_id": made.record_id,
        "event": orjson.Fragment(made.event),
        "salt": b64encode(made.salt).decode(),
        "leaf": b64encode(made.leaf).decode(),
        "leaf_index": made.leaf_index,
        "proof": made.proof,
    }
