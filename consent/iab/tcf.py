"""Decode IAB Europe TC strings, version 2; never create one: only a registered CMP may.

Pure. By the Transparency and Consent String specification of IAB Tech Lab, v2.0 to v2.3, whose
format is one: <https://github.com/InteractiveAdvertisingBureau/GDPR-Transparency-and-Consent-Framework>.
Written here since the one Python library (`iab-tcf` 0.2.2, 2022) reads truncated strings as if
they were whole, multiplies ranges without a bound and has no types.

>>> tc = parse("COtybn4PA_zT4KjACBENAPCIAEBAAECAAIAAAAAAAAAA")
>>> tc.cmp_id, tc.consent_language, tc.purposes_consent
(675, 'EN', (2, 10))
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from consent.errors import StringInvalid
from consent.iab.bits import Bits, Ids

VERSION = 2
MAX_STRING_CHARS = 16_384
"""Real strings have a few hundred to a few thousand characters."""

DISCLOSED_VENDORS, ALLOWED_VENDORS, PUBLISHER_TC = 1, 2, 3
"""Types of the segments after the core, which is of type 0 and does not say so."""

MAX_PURPOSES = 24
MAX_SPECIAL_FEATURES = 12

PURPOSES = (
    "Store and/or access information on a device",
    "Use limited data to select advertising",
    "Create profiles for personalised advertising",
    "Use profiles to select personalised advertising",
    "Create profiles to personalise content",
    "Use profiles to select personalised content",
    "Measure advertising performance",
    "Measure content performance",
    "Understand audiences through statistics or combinations of data from different sources",
    "Develop and improve services",
    "Use limited data to select content",
)
"""Names of purposes 1 to 11, as of policy version 4; earlier ones had other words."""

SPECIAL_FEATURES = (
    "Use precise geolocation data",
    "Actively scan device characteristics for identification",
)
"""Names of special features 1 and 2."""


class RestrictionType(StrEnum):
    """What a publisher demands of vendors for a purpose."""

    NOT_ALLOWED = "not_allowed"
    REQUIRE_CONSENT = "require_consent"
    REQUIRE_LEGITIMATE_INTEREST = "require_legitimate_interest"
    UNDEFINED = "undefined"


_RESTRICTION_TYPES = tuple(RestrictionType)


class Restriction(NamedTuple):
    """What the publisher restricts for one purpose, and for which vendors."""

    purpose_id: int
    type: RestrictionType
    vendors: Ids


@dataclass(frozen=True, slots=True)
class PublisherTc:
    """What the publisher may do for its own purposes."""

    purposes_consent: tuple[int, ...]
    purposes_interest: tuple[int, ...]
    custom_purposes_consent: tuple[int, ...]
    custom_purposes_interest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TcString:
    """A TC string, read. *interest* is legitimate interest that was not objected to."""

    created: datetime
    updated: datetime
    cmp_id: int
    cmp_version: int
    consent_screen: int
    consent_language: str
    vendor_list_version: int
    policy_version: int
    """4 is TCF v2.2, 5 is v2.3."""

    service_specific: bool
    non_standard_texts: bool
    special_features: tuple[int, ...]
    purposes_consent: tuple[int, ...]
    purposes_interest: tuple[int, ...]
    purpose_one_treatment: bool
    """Whether purpose 1 was not disclosed at all."""

    publisher_country: str
    vendors_consent: Ids
    vendors_interest: Ids
    restrictions: tuple[Restriction, ...]
    disclosed_vendors: Ids | None
    """None where the segment is missing, which v2.3 does not allow from 2026-03-01."""

    allowed_vendors: Ids | None
    """A segment that v2.3 no longer knows."""

    publisher: PublisherTc | None
    unknown_segments: tuple[str, ...]


def parse(text: str) -> TcString:
    """Decode the TC string *text*. Raises `StringInvalid`, which never repeats it."""
    if len(text) > MAX_STRING_CHARS:
        raise StringInvalid(f"expected at most {MAX_STRING_CHARS} characters, got {len(text)}")
    core, *others = text.split(".")
    bits = Bits(core)
    version = bits.integer(6)
    if version != VERSION:
        raise StringInvalid(f"expected a TC string of version {VERSION}, got version {version}")
    segments = _segments(others)
    return TcString(
        created=bits.instant(),
        updated=bits.instant(),
        cmp_id=bits.integer(12),
        cmp_version=bits.integer(12),
        consent_screen=bits.integer(6),
        consent_language=bits.letters(2),
        vendor_list_version=bits.integer(12),
        policy_version=bits.integer(6),
        service_specific=bits.flag(),
        non_standard_texts=bits.flag(),
        special_features=bits.numbers(MAX_SPECIAL_FEATURES),
        purposes_consent=bits.numbers(MAX_PURPOSES),
        purposes_interest=bits.numbers(MAX_PURPOSES),
        purpose_one_treatment=bits.flag(),
        publisher_country=bits.letters(2),
        vendors_consent=bits.ids(),
        vendors_interest=bits.ids(),
        restrictions=_restrictions(bits),
        disclosed_vendors=segments.disclosed,
        allowed_vendors=segments.allowed,
        publisher=segments.publisher,
        unknown_segments=segments.unknown,
    )


class _Segments(NamedTuple):
    disclosed: Ids | None
    allowed: Ids | None
    publisher: PublisherTc | None
    unknown: tuple[str, ...]


def _segments(texts: list[str]) -> _Segments:
    """Read the segments after the first, which stand in any order and name their type."""
    disclosed = allowed = publisher = None
    unknown: list[str] = []
    seen: set[int] = set()
    for text in texts:
        bits = Bits(text)
        kind = bits.integer(3)
        if kind in seen:
            raise StringInvalid(f"expected each segment once, got two of type {kind}")
        seen.add(kind)
        if kind == DISCLOSED_VENDORS:
            disclosed = bits.ids()
        elif kind == ALLOWED_VENDORS:
            allowed = bits.ids()
        elif kind == PUBLISHER_TC:
            publisher = _publisher(bits)
        else:
            unknown.append(text)
    return _Segments(disclosed, allowed, publisher, tuple(unknown))


def _restrictions(bits: Bits) -> tuple[Restriction, ...]:
    return tuple(
        Restriction(bits.integer(6), _RESTRICTION_TYPES[bits.integer(2)], bits.ranges())
        for _ in range(bits.integer(12))
    )


def _publisher(bits: Bits) -> PublisherTc:
    consent, interest = bits.numbers(MAX_PURPOSES), bits.numbers(MAX_PURPOSES)
    custom = bits.integer(6)
    return PublisherTc(consent, interest, bits.numbers(custom), bits.numbers(custom))
