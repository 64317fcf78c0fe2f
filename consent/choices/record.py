"""From a choice to what the log holds of it: event, canonical bytes, commitment, leaf.

Pure: ids, keys, salt and times are handed in.
Every byte made here is frozen by `docs/decisions/consent-format.md`.

>>> key = SubjectKey("shop", bytes(32), version=1)
>>> key.ref(SubjectKind.EMAIL, " Ada@Example.org ") == key.ref(SubjectKind.EMAIL, "ada@example.org")
True
"""

import hmac
import re
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from operator import attrgetter
from typing import TypeAlias

import orjson
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consent.choices.choice import (
    GIVING,
    ON_NOTICE,
    SUBJECTLESS,
    TOMBSTONES,
    Actor,
    Assurance,
    ConsentType,
    Context,
    EventType,
    Method,
    Origin,
    Previous,
    PurposeDecision,
    ShownNotice,
    Signals,
    SubjectKind,
)
from consent.errors import DecisionsInconsistent, EventInvalid, MemberRepeated, SubjectInvalid

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json]"
"""What a hashed value may hold: neither floats nor null."""

SCHEMA = "consent-event/1"
LEAF_VERSION = 1

SALT_BYTES = 32
KEY_BYTES = 32
COMMITMENT_PREFIX = b"consent-commit/v1\x00"
SUBJECT_INFO = b"consent-subject/v1\x00"

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exact: RFC 8785 §3.2.2.3, RFC 7493 §2.2."""

MAX_DEPTH = 16
"""Nesting of a hashed value; an event needs three."""

MAX_IDENTIFIER_CHARS = 1024
MAX_EMAIL_CHARS = 254
"""RFC 5321 §4.5.3.1.3: a path of 256 octets, its angle brackets among them."""

SOMEBODY = "*"
"""Stands in a page's address for a path segment with an `@`: an e-mail address, or a handle."""

_SECONDS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
# Encoded once or several times over: a page that was itself a parameter is.
_QUERY = re.compile(r"[?#]|%(?:25)*(?:3F|23)", re.IGNORECASE)
_USER = re.compile(r"^((?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]{2})[^/\\?#]*@")
_SEGMENT = re.compile(r"[^/\\]+")
_AT = re.compile(r"[@\uff20\ufe6b]|%(?:25)*(?:40|EF%(?:25)*BC%(?:25)*A0)", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+")
_PHONE = re.compile(r"\+[1-9][0-9]{1,14}")


def each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON, for `json.loads` to call; raises MemberRepeated.

    Of a member that is there twice one reader takes the first and another the last: each could
    take it for another choice (RFC 8259 §4).
    """
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MemberRepeated("expected each member name once in an object, got one twice")
    return members


def canonical(value: Json) -> bytes:
    """Write *value* as RFC 8785 canonical JSON.

    Raises `EventInvalid` for what the format does not hold: floats, null, integers beyond
    ±(2^53 - 1), member names outside ASCII, lone surrogates, more than `MAX_DEPTH` levels.
    """
    try:
        _check(value, MAX_DEPTH)
        # With ASCII names only, sorting by bytes is RFC 8785's sorting by UTF-16 units,
        # and without floats the rest is the same too; the tests hold it against `rfc8785`.
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise EventInvalid(f"expected names and texts that UTF-8 can hold: {error}") from error


def encode(built: Mapping[str, Json]) -> bytes:
    """Write an event that `event`, `tombstone` or `continuation` built as canonical JSON.

    They put nothing into it that `canonical` would refuse but a lone surrogate, which raises
    `EventInvalid` here as there.
    """
    try:
        return orjson.dumps(built, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise EventInvalid(f"expected texts that UTF-8 can hold: {error}") from error


def _check(value: object, depth: int) -> None:
    """Refuse every value that is not a `Json`, before orjson would write it its own way."""
    if isinstance(value, dict):
        _check_depth(depth)
        # All names at once: this runs for every request.
        if not "".join(value).isascii():
            raise EventInvalid("expected member names in ASCII, got another")
        for member in value.values():
            if type(member) is not str:
                _check(member, depth - 1)
    elif isinstance(value, (list, tuple)):
        _check_depth(depth)
        for item in value:
            _check(item, depth - 1)
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise EventInvalid(f"expected an integer within ±{MAX_INTEGER}, got one beyond")
    elif not isinstance(value, str):
        found = type(value).__name__
        raise EventInvalid(f"expected string, integer, boolean, list or object, got {found}")


def _check_depth(left: int) -> None:
    if left == 0:
        raise EventInvalid(f"expected at most {MAX_DEPTH} levels, got more")


def commit(salt: bytes, event: bytes) -> bytes:
    """Commit to the canonical *event*: `SHA256("consent-commit/v1" || 0x00 || salt || event)`.

    Raises `EventInvalid` for a salt of another length.
    """
    if len(salt) != SALT_BYTES:
        raise EventInvalid(f"expected a salt of {SALT_BYTES} bytes, got {len(salt)}")
    return sha256(COMMITMENT_PREFIX + salt + event).digest()


def leaf(record_id: str, received_at: str, commitment: bytes) -> bytes:
    """Write the log entry: all that stays for ever, and nothing that says who or what."""
    return orjson.dumps(
        {
            "c": b2a_base64(commitment, newline=False).decode(),
            "id": record_id,
            "t": received_at,
            "v": LEAF_VERSION,
        }
    )


def instant(moment: datetime) -> str:
    """Write an aware *moment* as `YYYY-MM-DDTHH:MM:SSZ`; fractions of a second are cut.

    Raises `EventInvalid` for a moment without a time zone.
    """
    if moment.tzinfo is None:
        raise EventInvalid("expected an instant with a time zone, got one without")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    # A quarter of the price of isoformat, and paid for every event.
    return orjson.dumps(moment, option=_SECONDS)[1:-1].decode()


def parse_instant(text: str) -> datetime:
    """Read what `instant` wrote, and nothing else; raises `EventInvalid`."""
    try:
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError as error:
        raise EventInvalid("expected an instant that the calendar has, got another") from error
    raise EventInvalid("expected an instant YYYY-MM-DDTHH:MM:SSZ, got another form")


def event(
    *,
    record_id: str,
    site_id: str,
    subject_ref: str,
    subject_kind: SubjectKind,
    assurance: Assurance,
    event_type: EventType,
    decisions: Iterable[PurposeDecision],
    method: Method,
    origin: Origin,
    by: Actor,
    received_at: datetime,
    occurred_at: datetime | None = None,
    consent_type: ConsentType | None = None,
    notice: ShownNotice | None = None,
    jurisdiction: str | None = None,
    served_id: str | None = None,
    valid_until: datetime | None = None,
    reprompt_not_before: datetime | None = None,
    served_at: datetime | None = None,
    regime: str | None = None,
    regime_source: str | None = None,
    linked: Mapping[str, Json] | None = None,
    evidence: str | None = None,
    context: Context | None = None,
    signals: Signals | None = None,
) -> dict[str, Json]:
    """Build an event of the schema `consent-event/1`; what is None is left out.

    Raises `EventInvalid` where *notice* or *consent_type* is missing or out of place for the type,
    `DecisionsInconsistent` where one purpose is decided twice.
    """
    # Of what visitors do there are few kinds, each happening again and again.
    kind = _kind(
        site_id,
        subject_kind,
        assurance,
        event_type,
        method,
        origin,
        by,
        consent_type,
        notice,
        jurisdiction,
        regime,
        regime_source,
    )
    built: dict[str, Json] = {
        **kind,
        "record_id": record_id,
        "subject_ref": subject_ref,
        "decisions": _decisions(decisions),
        "received_at": instant(received_at),
    }
    built.update(
        _present(
            occurred_at=None if occurred_at is None else instant(occurred_at),
            served_id=served_id,
            valid_until=None if valid_until is None else instant(valid_until),
            reprompt_not_before=(
                None if reprompt_not_before is None else instant(reprompt_not_before)
            ),
            served_at=None if served_at is None else instant(served_at),
            linked=linked,
            evidence=evidence,
            context=None if context is None else _context(context),
            signals=None if signals is None else _signals(signals),
        )
    )
    return built


@lru_cache(maxsize=1024)
def _kind(
    site_id: str,
    subject_kind: SubjectKind,
    assurance: Assurance,
    event_type: EventType,
    method: Method,
    origin: Origin,
    by: Actor,
    consent_type: ConsentType | None,
    notice: ShownNotice | None,
    jurisdiction: str | None,
    regime: str | None,
    regime_source: str | None,
) -> dict[str, Json]:
    """Build the members that events have in common: nothing of who, when or what was decided."""
    if event_type in SUBJECTLESS:
        raise EventInvalid(f"expected an event of a subject, got {event_type}: see tombstone")
    if (event_type in GIVING) != (consent_type is not None):
        raise EventInvalid(f"expected a consent type exactly where consent is given: {event_type}")
    if event_type in ON_NOTICE and notice is None:
        raise EventInvalid(f"expected the notice that {event_type} answers, got none")
    return {
        "schema": SCHEMA,
        "site_id": site_id,
        "subject_kind": subject_kind.value,
        "assurance": assurance.value,
        "event_type": event_type.value,
        "method": method.value,
        "origin": origin.value,
        "by": by.value,
        **_present(
            consent_type=None if consent_type is None else consent_type.value,
            notice=None if notice is None else _notice(notice),
            jurisdiction=jurisdiction,
            regime=regime,
            regime_source=regime_source,
        ),
    }


def tombstone(
    *,
    record_id: str,
    site_id: str,
    event_type: EventType,
    record_ids: Iterable[str],
    method: Method,
    by: Actor,
    received_at: datetime,
) -> dict[str, Json]:
    """Build the event that erases or restricts *record_ids*; it names no subject.

    Raises `EventInvalid` for any other event type, or for no record at all.
    """
    concerned = sorted(set(record_ids))
    if event_type not in TOMBSTONES or not concerned:
        raise EventInvalid(
            f"expected erased or restricted and some records, got {event_type} and {len(concerned)}"
        )
    return {
        "schema": SCHEMA,
        "record_id": record_id,
        "site_id": site_id,
        "event_type": str(event_type),
        "record_ids": concerned,
        "method": str(method),
        "by": str(by),
        "received_at": instant(received_at),
    }


def continuation(
    *,
    record_id: str,
    site_id: str,
    previous: Previous,
    method: Method,
    by: Actor,
    received_at: datetime,
) -> dict[str, Json]:
    """Build the first event of a new epoch: it commits to the log that it continues."""
    return {
        "schema": SCHEMA,
        "record_id": record_id,
        "site_id": site_id,
        "event_type": str(EventType.CONTINUED),
        "previous": {
            "epoch": previous.epoch,
            "origin": previous.origin,
            "key": previous.key,
            "size": previous.size,
            "root": b64encode(previous.root).decode(),
            "checkpoint": previous.checkpoint,
            "reason": str(previous.reason),
        },
        "method": str(method),
        "by": str(by),
        "received_at": instant(received_at),
    }


_PURPOSE = attrgetter("purpose_id")


def _decisions(decisions: Iterable[PurposeDecision]) -> list[Json]:
    decided = sorted(decisions, key=_PURPOSE)
    for before, after in pairwise(decided):
        if before.purpose_id == after.purpose_id:
            raise DecisionsInconsistent("expected one decision a purpose, got two for one")
    return [
        {
            "purpose_id": made.purpose_id,
            "decision": made.decision.value,
            "basis": made.basis.value,
            **({"vendor_ids": sorted(set(made.vendor_ids))} if made.vendor_ids else {}),
        }
        for made in decided
    ]


def _notice(notice: ShownNotice) -> dict[str, Json]:
    return _present(
        notice_id=notice.notice_id,
        version=notice.version,
        language=notice.language,
        text_sha256=notice.text_sha256,
        material_sha256=notice.material_sha256,
        layer=notice.layer,
        ui_sha256=notice.ui_sha256,
        variant=notice.variant,
    )


def _context(context: Context) -> dict[str, Json] | None:
    return (
        _present(
            page=None if context.page is None else _page(context.page) or None,
            ua_class=context.ua_class,
            layout_w=context.layout_w,
            ip_trunc=context.ip_trunc,
        )
        or None
    )


def _page(address: str) -> str:
    """Cut off what may hold an e-mail address, a password or a token: it is never kept."""
    path = _QUERY.split(_USER.sub(r"\1", address), maxsplit=1)[0]
    if _AT.search(path) is None:
        return path
    return _SEGMENT.sub(lambda found: SOMEBODY if _AT.search(found[0]) else found[0], path)


def _signals(signals: Signals) -> dict[str, Json] | None:
    return (
        _present(
            sec_gpc=signals.sec_gpc,
            gpc_js=signals.gpc_js,
            tc_string=signals.tc_string,
            gpp_string=signals.gpp_string,
            gcm=signals.gcm or None,
        )
        or None
    )


def _present(**members: "Json | None") -> dict[str, Json]:
    return {name: member for name, member in members.items() if member is not None}


class SubjectKey:
    """Turns the ids of one site's subjects into pseudonyms, under one version of the key.

    Holds the derived key: HKDF-SHA256 (RFC 5869) of the installation's `subject_key`,
    without salt, for the info `"consent-subject/v1" || 0x00 || site`.
    """

    __slots__ = ("_keyed", "site", "version")

    def __init__(self, site: str, subject_key: bytes, *, version: int) -> None:
        if len(subject_key) != KEY_BYTES or version < 1:
            raise SubjectInvalid(
                f"expected a key of {KEY_BYTES} bytes and a version from 1,"
                f" got {len(subject_key)} bytes and {version}"
            )
        self.site = site
        self.version = version
        info = SUBJECT_INFO + site.encode()
        key = HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(subject_key)
        # Copied for each subject: the one-shot form gives up Python's lock every time.
        self._keyed = hmac.new(key, digestmod="sha256")

    def ref(self, kind: SubjectKind, subject_id: str) -> str:
        """Name the subject: key version, dot, 32 hex digits of the HMAC over kind and id.

        Raises `SubjectInvalid` where *subject_id* does not have the form of its *kind*.
        """
        message = kind.encode() + b"\x00" + normalise(kind, subject_id)
        keyed = self._keyed.copy()
        keyed.update(message)
        return f"{self.version}.{keyed.hexdigest()[:32]}"


def normalise(kind: SubjectKind, subject_id: str) -> bytes:
    """Bring *subject_id* into the form that is hashed.

    An e-mail address is trimmed and lower-cased, a phone number must already be E.164,
    all others stay byte for byte. Raises `SubjectInvalid`.
    """
    if not 0 < len(subject_id) <= MAX_IDENTIFIER_CHARS:
        raise SubjectInvalid(
            f"expected an id of 1 to {MAX_IDENTIFIER_CHARS} characters, got {len(subject_id)}"
        )
    if kind is SubjectKind.EMAIL:
        subject_id = subject_id.strip().lower()
        if not _EMAIL.fullmatch(subject_id) or len(subject_id) > MAX_EMAIL_CHARS:
            raise SubjectInvalid(
                f"expected an e-mail address of at most {MAX_EMAIL_CHARS} characters, local@domain"
            )
    elif kind is SubjectKind.PHONE and not _PHONE.fullmatch(subject_id):
        raise SubjectInvalid("expected a phone number in E.164: plus and 2 to 15 digits")
    try:
        return subject_id.encode()
    except UnicodeEncodeError as error:
        raise SubjectInvalid("expected text that UTF-8 can hold, got a lone surrogate") from error
