"""What an evidence bundle tells of records, notices and subjects: a line of canonical JSON each.

Pure. An event is told as the very text that was committed to, and a notice with the texts that
its digests are made of: whoever checks them by hand has to rebuild nothing.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from consent.choices.notice import Controller, Notice, purposes
from consent.choices.projection import Standing
from consent.choices.record import SALT_BYTES, canonical
from consent.errors import ConsentError, EvidenceInvalid
from consent.sealing.vault import Opened


class Disclosed(NamedTuple):
    """An opened record at its place in the log; *event* is *text*, parsed."""

    leaf_index: int
    salt: bytes
    text: bytes
    event: Mapping[str, Any]


class DisclosedNotice(NamedTuple):
    """A notice in one language of one version; *notice* is all that was published of it."""

    notice: Mapping[str, Any]
    version: int
    published: str
    text_sha256: str
    material_sha256: str

    @property
    def place(self) -> tuple[Any, int, Any]:
        """Which notice, version and language this is."""
        return self.notice["notice_id"], self.version, self.notice["language"]

    def read(self) -> Notice:
        """Make the notice of its members. Raises KeyError, TypeError, ValueError, NoticeInvalid."""
        controller, told = self.notice["controller"], self.notice["purposes"]
        members = {"controller": Controller(**controller), "purposes": purposes(told)}
        return Notice(**{**self.notice, **members})


class Remembered(NamedTuple):
    """What is kept of a subject without records that would prove it."""

    subject_ref: str
    standing: Standing
    restricted_until: str | None


def record_line(index: int, opened: Opened) -> bytes:
    """Write the line of a record."""
    return _line(
        {
            "event": opened.event.decode(),
            "leaf_index": index,
            "salt": b2a_base64(opened.salt, newline=False).decode(),
        }
    )


def read_record(line: bytes, epoch: int, before: int) -> Disclosed:
    """Read the line of a record, which comes after that of *before*; raises `EvidenceInvalid`."""
    try:
        record = _read_record(line)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvidenceInvalid(
            "records",
            f"expected event, leaf_index and salt as canonical JSON, got: {error}",
            epoch=epoch,
            index=before + 1,
        ) from error
    if record.leaf_index <= before:
        raise EvidenceInvalid(
            "records",
            f"expected an index above {before}, got {record.leaf_index}",
            epoch=epoch,
            index=record.leaf_index,
        )
    return record


def _read_record(line: bytes) -> Disclosed:
    members = _object(line)
    index, salt, text = members["leaf_index"], members["salt"], members["event"].encode()
    if members.keys() != {"event", "leaf_index", "salt"} or type(index) is not int:
        raise ValueError("other members")
    opened = a2b_base64(salt, strict_mode=True)
    if len(opened) != SALT_BYTES or b2a_base64(opened, newline=False) != salt.encode():
        raise ValueError("another salt")
    return Disclosed(index, opened, text, _object(text))


def notice_line(
    notice: Notice, *, version: int, published: str, text_sha256: str, material_sha256: str
) -> bytes:
    """Write the line of a notice."""
    return _line(
        {
            # As plain members, which alone are sorted.
            "notice": orjson.loads(orjson.dumps(notice)),
            "version": version,
            "published": published,
            "text_sha256": text_sha256,
            "material_sha256": material_sha256,
            "wording": canonical(notice.wording()).decode(),
            "substance": canonical(notice.substance()).decode(),
        }
    )


def read_notice(line: bytes, number: int) -> DisclosedNotice:
    """Read the line of a notice, digests recomputed; raises `EvidenceInvalid`."""
    try:
        members = _object(line)
        wording, substance = members.pop("wording").encode(), members.pop("substance").encode()
        notice = DisclosedNotice(**members)
        # People read the notice: it has to say what the digests are of.
        told = notice.read()
        same = (canonical(told.wording()), canonical(told.substance())) == (wording, substance)
    except (AttributeError, KeyError, TypeError, ValueError, ConsentError) as error:
        raise EvidenceInvalid(
            "notice", f"line {number}: expected a notice as canonical JSON, got: {error}"
        ) from error
    made = (sha256(wording).hexdigest(), sha256(substance).hexdigest())
    if made != (notice.text_sha256, notice.material_sha256) or not same:
        raise EvidenceInvalid(
            "notice", f"line {number}: expected its own wording and substance, got others"
        )
    return notice


def remembered_line(remembered: Remembered) -> bytes:
    """Write the line of what is remembered of a subject."""
    members = {name: told for name, told in remembered._asdict().items() if told is not None}
    return _line({**members, "standing": remembered.standing.to_json()})


def read_remembered(line: bytes, number: int) -> Remembered:
    """Read the line of what is remembered of a subject; raises `EvidenceInvalid`."""
    try:
        members = _object(line)
        standing = Standing.from_json(members.pop("standing"))
        ref, until = members.pop("subject_ref"), members.pop("restricted_until", None)
        remembered = Remembered(_text(ref), standing, None if until is None else _text(until))
        same = remembered_line(remembered) == line + b"\n"
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise EvidenceInvalid(
            "remembered", f"line {number}: expected a subject's standing, got: {error}"
        ) from error
    if not same:
        raise EvidenceInvalid(
            "remembered", f"line {number}: expected its one spelling, got another"
        )
    return remembered


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}")
    return value


def record_of(entry: bytes) -> str | None:
    """Return the id of the record that an entry of the log is of, or None where it is of none."""
    try:
        record_id = orjson.loads(entry)["id"]
    except (KeyError, TypeError, ValueError):
        return None
    return record_id if isinstance(record_id, str) else None


def _line(members: Mapping[str, Any]) -> bytes:
    return orjson.dumps(members, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _object(text: bytes) -> dict[str, Any]:
    """Parse an object that has its one spelling, so that nobody reads another one from it."""
    found = orjson.loads(text)
    if not isinstance(found, dict) or orjson.dumps(found, option=orjson.OPT_SORT_KEYS) != text:
        raise ValueError("no canonical object")
    return found
