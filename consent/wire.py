"""The one door for consent's JSON: strict models in, plain bytes out."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from consent.choice import Basis, Decision, EventType, Method, Origin, SubjectKind
from consent.ledger import Head
from consent.recording import Receipt
from consent.standing import Answer, Why
from consent.store import Published

PURPOSES_LIMIT = 64
ID = r"^[a-z0-9][a-z0-9._-]{0,63}$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$"


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("expected text without U+0000")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected an instant that the calendar has in UTC") from None


_Text = Annotated[str, AfterValidator(_without_nul)]
Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Short = Annotated[_Text, Field(min_length=1, max_length=256)]
Long = Annotated[_Text, Field(min_length=1, max_length=4096)]
Id = Annotated[str, StringConstraints(pattern=ID)]
Language = Annotated[str, StringConstraints(pattern=LANGUAGE, max_length=35)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Key = Annotated[_Text, Field(min_length=1, max_length=255)]
Strings = Annotated[list[Short], Field(max_length=100)]


class Wire(BaseModel):
    """What every model of this file is: strict, frozen, and closed to unknown members."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class ControllerIn(Wire):
    """Who decides about the processing (GDPR Art. 13(1)(a))."""

    name: Short
    id: Short | None = None
    address: Long | None = None
    contact: Long | None = None


class PurposeIn(Wire):
    """One thing personal data is wanted for."""

    id: Id
    name: Short
    description: Long
    basis: Basis
    data_categories: Strings = []
    recipients: Strings = []
    retention: Short | None = None
    transfers: Strings = []


class NoticeIn(Wire):
    """What visitors are shown, in one language."""

    notice_id: Id
    language: Language
    text: Annotated[_Text, Field(min_length=1, max_length=100_000)]
    controller: ControllerIn
    purposes: Annotated[list[PurposeIn], Field(min_length=1, max_length=PURPOSES_LIMIT)]
    site: Short | None = Field(None, description="needed only when the key has several sites")


class SubjectIn(Wire):
    """Whom the choice is of; the id is turned into a pseudonym and never stored."""

    kind: SubjectKind
    id: Annotated[_Text, Field(min_length=1, max_length=1024)]


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

    page: Annotated[_Text, Field(min_length=1, max_length=2048)] | None = None
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
    decisions: Annotated[list[DecisionIn], Field(max_length=PURPOSES_LIMIT)] = []
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


class StandingIn(Wire):
    """Whom and what to ask about, for subjects whose ids may stand in an access log."""

    subject_kind: SubjectKind
    subject_id: Annotated[_Text, Field(min_length=1, max_length=1024)]
    purpose: Id
    site: Short | None = None


class StandingQueryIn(Wire):
    """Whom and what to ask about, for every kind of subject."""

    subject: SubjectIn
    purposes: Annotated[list[Id], Field(min_length=1, max_length=PURPOSES_LIMIT)]
    site: Short | None = None


class NoticeGetIn(Wire):
    """Which version and language of a notice."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    language: Language | None = None
    site: Short | None = None


class SiteIn(Wire):
    """Which site."""

    site: Short | None = None


class InclusionIn(Wire):
    """Which leaf, in the tree of which size; sizes are counts of leaves."""

    index: Annotated[int, Field(ge=0, le=2**63 - 1)]
    size: Annotated[int, Field(ge=1, le=2**63 - 1)]


class ConsistencyIn(Wire):
    """From which size to which."""

    from_: Annotated[int, Field(ge=1, le=2**63 - 1, alias="from")]
    to: Annotated[int, Field(ge=1, le=2**63 - 1)]


class NoticeOut(BaseModel):
    """A notice as stored, with its digests in lower-case hex."""

    notice_id: str
    version: int
    language: str
    text: str
    text_sha256: str
    material_sha256: str
    controller: ControllerIn
    purposes: list[PurposeIn]
    published: str


class NoticesOut(BaseModel):
    """Notices by id, version and language."""

    items: list[NoticeOut]


class ReceiptOut(BaseModel):
    """A receipt; saved as it is, it proves offline what was recorded."""

    record_id: str
    event: dict[str, Any]
    salt: str = Field(description="base64 of 32 bytes")
    leaf: str = Field(description="base64 of the log entry")
    leaf_index: int
    proof: str = Field(description="a c2sp.org/tlog-proof@v1")


class StandingOut(BaseModel):
    """Whether a purpose may be served for a subject, and why."""

    purpose: str
    allowed: bool
    why: Why
    record_id: str | None = None
    since: str | None = None
    valid_until: str | None = None


class StandingsOut(BaseModel):
    """An answer a purpose, in the order of the question."""

    items: list[StandingOut]


class LogOut(BaseModel):
    """One epoch of a site's log."""

    epoch: int
    origin: str
    key: str
    size: int


class LogsOut(BaseModel):
    """The epochs of a site's log, oldest first."""

    items: list[LogOut]


class HashesOut(BaseModel):
    """The hashes of a proof, base64, in the order of RFC 9162."""

    hashes: list[str]


# -- out --------------------------------------------------------------------------------------


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


def notice(published: Published) -> bytes:
    """Write a notice."""
    return orjson.dumps(_notice(published))


def notices(published: Sequence[Published]) -> bytes:
    """Write notices."""
    return orjson.dumps({"items": [_notice(item) for item in published]})


def _notice(item: Published) -> dict[str, Any]:
    return {
        "notice_id": item.notice.notice_id,
        "version": item.version,
        "language": item.notice.language,
        "text": item.notice.text,
        "text_sha256": item.text_sha256,
        "material_sha256": item.material_sha256,
        "controller": item.notice.controller,
        "purposes": item.notice.purposes,
        "published": item.published,
    }


def standing(answer: Answer) -> bytes:
    """Write one answer."""
    return orjson.dumps(_standing(answer))


def standings(answers: Sequence[Answer]) -> bytes:
    """Write answers."""
    return orjson.dumps({"items": [_standing(answer) for answer in answers]})


def _standing(answer: Answer) -> dict[str, Any]:
    members = {"purpose": answer.purpose, "allowed": answer.allowed, "why": answer.why}
    for name in ("record_id", "since", "valid_until"):
        value = getattr(answer, name)
        if value is not None:
            members[name] = value
    return members


def logs(heads: Sequence[tuple[Head, str]]) -> bytes:
    """Write the epochs of a log, each with its verifier key."""
    return orjson.dumps(
        {
            "items": [
                {
                    "epoch": head.epoch,
                    "origin": head.origin,
                    "key": vkey,
                    "size": head.frontier.size,
                }
                for head, vkey in heads
            ]
        }
    )


def hashes(path: Sequence[bytes]) -> bytes:
    """Write the hashes of a proof."""
    return orjson.dumps({"hashes": [b64encode(item).decode() for item in path]})
