"""An event read back from its stored or saved form, each member checked and of its own type.

Pure. The other way round from `consent.choices.record`, for who holds an event and did not make it;
members that are not named here are passed over, for events may gain some.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from consent.choices.choice import (
    SUBJECTLESS,
    Actor,
    Basis,
    ConsentType,
    Decision,
    EventType,
    Method,
    Origin,
    PurposeDecision,
    ShownNotice,
)
from consent.choices.notice import Notice
from consent.choices.record import SCHEMA, Json, parse_instant
from consent.errors import EventInvalid

_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")

_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a subject's consent, as `consent.choices.record.event` wrote it."""

    record_id: str
    subject_ref: str
    event_type: EventType
    decisions: tuple[PurposeDecision, ...]
    consent_type: ConsentType | None
    method: Method
    origin: Origin
    by: Actor
    received_at: datetime
    occurred_at: datetime | None
    valid_until: datetime | None
    jurisdiction: str | None
    notice: ShownNotice | None

    @classmethod
    def read(cls, event: Mapping[str, Json]) -> "Event":
        """Read *event*.

        Raises `EventInvalid` for what is not of the schema `consent-event/1` or names no subject.
        """
        schema = _member(event, "schema", str)
        if schema != SCHEMA:
            raise EventInvalid(f"expected the schema {SCHEMA}, got {schema!r:.64}")
        event_type = _word(event, "event_type", EventType)
        if event_type in SUBJECTLESS:
            raise EventInvalid(
                f"expected an event of a subject, got {event_type}, which names none"
            )
        return cls(
            record_id=_uuid(event),
            subject_ref=_member(event, "subject_ref", str),
            event_type=event_type,
            decisions=tuple(_decision(made) for made in _member(event, "decisions", list)),
            consent_type=_word(event, "consent_type", ConsentType)
            if "consent_type" in event
            else None,
            method=_word(event, "method", Method),
            origin=_word(event, "origin", Origin),
            by=_word(event, "by", Actor),
            received_at=parse_instant(_member(event, "received_at", str)),
            occurred_at=_instant(event, "occurred_at"),
            valid_until=_instant(event, "valid_until"),
            jurisdiction=_formed(event, "jurisdiction", _JURISDICTION)
            if "jurisdiction" in event
            else None,
            notice=_notice(_member(event, "notice", dict)) if "notice" in event else None,
        )

    def check_notice(self, notice: Notice) -> None:
        """Check that *notice* is the very one that the event names, in wording and in substance.

        Raises `EventInvalid`.
        """
        if self.notice is None:
            raise EventInvalid(f"expected an event that names its notice, got {self.event_type}")
        for digest, named, found in (
            ("text_sha256", self.notice.text_sha256, notice.text_sha256()),
            ("material_sha256", self.notice.material_sha256, notice.material_sha256()),
        ):
            if named != found:
                raise EventInvalid(f"{digest} of the notice: expected {named}, got {found}")


def _notice(named: Mapping[str, Json]) -> ShownNotice:
    return ShownNotice(
        notice_id=_member(named, "notice_id", str),
        version=_member(named, "version", int),
        language=_member(named, "language", str),
        text_sha256=_formed(named, "text_sha256", _DIGEST),
        material_sha256=_formed(named, "material_sha256", _DIGEST),
        layer=_member(named, "layer", int) if "layer" in named else None,
        ui_sha256=_formed(named, "ui_sha256", _DIGEST) if "ui_sha256" in named else None,
    )


def _decision(made: Json) -> PurposeDecision:
    if not isinstance(made, dict):
        raise EventInvalid(f"decisions: expected objects, got {type(made).__name__}")
    return PurposeDecision(
        _member(made, "purpose_id", str),
        _word(made, "decision", Decision),
        _word(made, "basis", Basis),
        tuple(_text(vendor) for vendor in _member(made, "vendor_ids", list))
        if "vendor_ids" in made
        else (),
    )


def _text(vendor: Json) -> str:
    if not isinstance(vendor, str):
        raise EventInvalid(f"vendor_ids: expected texts, got {type(vendor).__name__}")
    return vendor


def _uuid(event: Mapping[str, Json]) -> str:
    try:
        return str(UUID(_member(event, "record_id", str)))
    except ValueError as error:
        raise EventInvalid("record_id: expected a UUID, got another text") from error


def _instant(event: Mapping[str, Json], name: str) -> datetime | None:
    return parse_instant(_member(event, name, str)) if name in event else None


def _formed(members: Mapping[str, Json], name: str, form: re.Pattern[str]) -> str:
    text = _member(members, name, str)
    if not form.fullmatch(text):
        raise EventInvalid(f"{name}: expected the form {form.pattern}, got another")
    return text


def _word(members: Mapping[str, Json], name: str, words: type[_Kind]) -> _Kind:
    text = _member(members, name, str)
    try:
        return words(text)  # type: ignore[call-arg]  # an enum of the stored words
    except ValueError as error:
        raise EventInvalid(f"{name}: expected a known word, got {text!r:.64}") from error


def _member(members: Mapping[str, Json], name: str, kind: type[_Kind]) -> _Kind:
    found = members.get(name)
    # By type itself, since a boolean would pass for a version.
    if type(found) is not kind:
        got = "none" if found is None else type(found).__name__
        raise EventInvalid(f"{name}: expected {kind.__name__}, got {got}")
    return found
