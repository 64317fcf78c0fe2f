"""Notices as JSON."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from consent.choices.choice import Basis
from consent.choices.notice import Controller, Notice, Purpose, Tracker
from consent.choices.revision import Change
from consent.store import Banner, Published
from consent.wire.strict import (
    PURPOSES_LIMIT,
    Digest,
    Id,
    InstantOut,
    Language,
    Long,
    PageLimit,
    Short,
    Strings,
    Text,
    Version,
    Wire,
    present,
)


class ControllerIn(Wire):
    """Who decides about the processing (GDPR Art. 13(1)(a))."""

    name: Short
    id: Short | None = None
    address: Long | None = None
    contact: Long | None = None


class TrackerIn(Wire):
    """A cookie or the like: what it is called, who reads it, how long it lives."""

    name: Short
    provider: Short | None = None
    duration: Short | None = None


class PurposeIn(Wire):
    """One thing personal data is wanted for."""

    id: Id
    name: Short
    description: Long
    basis: Basis
    data_categories: Strings = Field([])
    recipients: Strings = Field([])
    retention: Short | None = None
    storage_locations: Strings = Field([], description="where data is kept")
    transfers: Strings = Field([])
    trackers: Annotated[list[TrackerIn], Field(max_length=200)] = Field([])
    advertising: bool = Field(
        default=False, description="whether data is sold, shared or used for targeted advertising"
    )


def _optional_if_advertising(purpose: PurposeIn) -> PurposeIn:
    # At the door alone: what was published before, or elsewhere, is still read.
    if purpose.advertising and purpose.basis is Basis.STRICTLY_NECESSARY:
        raise ValueError(
            "expected advertising on another basis than strictly_necessary, which no signal and no "
            "refusal ends, got both"
        )
    return purpose


class NoticeIn(Wire):
    """What visitors are shown, in one language."""

    notice_id: Id
    language: Language
    text: Annotated[Text, Field(min_length=1, max_length=100_000)]
    controller: ControllerIn
    purposes: Annotated[
        list[Annotated[PurposeIn, AfterValidator(_optional_if_advertising)]],
        Field(min_length=1, max_length=PURPOSES_LIMIT),
    ]
    withdrawal_uri: Annotated[Text, Field(min_length=1, max_length=2048)] | None = Field(
        None, description="where the choice can be changed at any time"
    )
    ui_sha256: Digest | None = Field(None, description="the archived banner that shows it")
    site: Short | None = Field(None, description="needed only when the key has several sites")


class BannerIn(Wire):
    """What a visitor's browser was given: the copy of the information presented."""

    html: Annotated[Text, Field(min_length=1, max_length=1_000_000)]
    css: Annotated[Text, Field(max_length=1_000_000)] | None = None
    config: Annotated[Text, Field(max_length=1_000_000)] | None = None
    script_sha256: Digest | None = None
    screenshot: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=4_000_000)]
        | None
    ) = Field(None, description="a PNG, base64")
    site: Short | None = None


class ChangesGetIn(Wire):
    """Between which versions, in which language; by default the current one and the one before."""

    from_: Version | None = Field(None, alias="from")
    to: Version | None = None
    language: Language | None = None
    site: Short | None = None


class NoticesIn(Wire):
    """Which notices to list, from where."""

    limit: PageLimit = 50
    cursor: Short | None = None
    site: Short | None = None


class NoticeGetIn(Wire):
    """Which version and language of a notice."""

    version: Version | None = None
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
    ui_sha256: str | None = None
    controller: ControllerIn
    purposes: list[PurposeIn]
    withdrawal_uri: str | None = None
    published: InstantOut


class BannerOut(BaseModel):
    """An archived banner."""

    ui_sha256: str = Field(description="SHA-256 of the RFC 8785 canonical JSON of its members")
    archived: InstantOut


class NoticeChangeOut(BaseModel):
    """One difference; *before* or *after* is absent where there was or is nothing."""

    where: str
    asks_again: bool
    before: Any = None
    after: Any = None


class ChangesOut(BaseModel):
    """What distinguishes two versions, and whether visitors have to be asked again."""

    notice_id: str
    from_: int = Field(alias="from")
    to: int
    language: str
    asks_again: bool
    changes: list[NoticeChangeOut]


class NoticesOut(BaseModel):
    """Notices by id, version and language."""

    items: list[NoticeOut]


class NoticePageOut(NoticesOut):
    """A page of notices; `next` is null on the last page."""

    next: str | None


def read(given: NoticeIn | NoticeOut) -> Notice:
    """Read a notice as a publisher gives it, or as it is given back. Raises `NoticeInvalid`."""
    return Notice(
        given.notice_id,
        given.language,
        given.text,
        Controller(**given.controller.model_dump()),
        tuple(
            Purpose(
                id=purpose.id,
                name=purpose.name,
                description=purpose.description,
                basis=purpose.basis,
                data_categories=tuple(purpose.data_categories),
                recipients=tuple(purpose.recipients),
                retention=purpose.retention,
                transfers=tuple(purpose.transfers),
                trackers=tuple(Tracker(**told.model_dump()) for told in purpose.trackers),
                advertising=purpose.advertising,
                storage_locations=tuple(purpose.storage_locations),
            )
            for purpose in given.purposes
        ),
        given.withdrawal_uri,
        given.ui_sha256,
    )


def notice(published: Published) -> bytes:
    """Write a notice."""
    return orjson.dumps(_notice(published))


def notices(published: Sequence[Published]) -> bytes:
    """Write notices."""
    return orjson.dumps({"items": [_notice(item) for item in published]})


def page(published: Sequence[Published], following: str | None) -> bytes:
    """Write a page of notices."""
    return orjson.dumps({"items": [_notice(item) for item in published], "next": following})


def _notice(item: Published) -> dict[str, Any]:
    return {
        "notice_id": item.notice.notice_id,
        "version": item.version,
        "language": item.notice.language,
        "text": item.notice.text,
        "text_sha256": item.text_sha256,
        "material_sha256": item.material_sha256,
        **present(ui_sha256=item.notice.ui_sha256),
        "controller": item.notice.controller,
        "purposes": item.notice.purposes,
        **present(withdrawal_uri=item.notice.withdrawal_uri),
        "published": item.published,
    }


def banner(archived: Banner) -> bytes:
    """Write what an archived banner is known by."""
    return orjson.dumps({"ui_sha256": archived.ui_sha256, "archived": archived.archived})


def changes(before: Published, after: Published, found: Sequence[Change]) -> bytes:
    """Write what distinguishes two versions."""
    return orjson.dumps(
        {
            "notice_id": after.notice.notice_id,
            "from": before.version,
            "to": after.version,
            "language": after.notice.language,
            "asks_again": before.material_sha256 != after.material_sha256,
            "changes": [
                {
                    "where": change.where,
                    "asks_again": change.asks_again,
                    **present(before=change.before, after=change.after),
                }
                for change in found
            ],
        }
    )
