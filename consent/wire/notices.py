"""Notices as JSON."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, Field

from consent.choice import Basis
from consent.store import Published
from consent.wire.strict import PURPOSES_LIMIT, Id, Language, Long, Short, Strings, Text, Wire


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
    data_categories: Strings = Field([])
    recipients: Strings = Field([])
    retention: Short | None = None
    transfers: Strings = Field([])


class NoticeIn(Wire):
    """What visitors are shown, in one language."""

    notice_id: Id
    language: Language
    text: Annotated[Text, Field(min_length=1, max_length=100_000)]
    controller: ControllerIn
    purposes: Annotated[list[PurposeIn], Field(min_length=1, max_length=PURPOSES_LIMIT)]
    site: Short | None = Field(None, description="needed only when the key has several sites")


class NoticeGetIn(Wire):
    """Which version and language of a notice."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    language: Language | None = None
    site: Short | None = None


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
