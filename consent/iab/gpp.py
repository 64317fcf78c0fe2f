"""Decode IAB GPP strings: the header, TC strings, the US National and US Privacy sections.

Pure. By the specifications of IAB Tech Lab for the Global Privacy Platform and the US Privacy
String: <https://github.com/InteractiveAdvertisingBureau/Global-Privacy-Platform>,
<https://github.com/InteractiveAdvertisingBureau/USPrivacy>. Never creates one.
All other sections, those of US states among them, stay text.

>>> [(section.id, section.name) for section in parse("DBACNYA~CPSG_8APSG_8ANwAAAENAwCAAAAAAAAAA"
...     "AAAAAAAAAAA.QAAA.IAAA~1YNN").sections]
[(2, 'tcfeuv2'), (6, 'uspv1')]
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar

from consent.choices.record import Json, instant
from consent.errors import StringInvalid
from consent.iab import tcf
from consent.iab.bits import Bits, Ids
from consent.iab.tcf import MAX_STRING_CHARS, TcString

HEADER = 3
VERSION = 1

TCF_EU, US_PRIVACY, US_NATIONAL = 2, 6, 7

NAMES: Mapping[int, str] = {
    1: "tcfeuv1",
    TCF_EU: "tcfeuv2",
    5: "tcfcav1",
    US_PRIVACY: "uspv1",
    US_NATIONAL: "usnat",
    8: "usca",
    9: "usva",
    10: "usco",
    11: "usut",
    12: "usct",
    13: "usfl",
    14: "usmt",
    15: "usor",
    16: "ustx",
    17: "usde",
    18: "usia",
    19: "usne",
    20: "usnh",
    21: "usnj",
    22: "ustn",
    23: "usmn",
    24: "usmd",
    25: "usin",
    26: "usky",
    27: "usri",
}
"""Sections by id, under the prefix that the specification gives their client-side API."""

SENSITIVE = (
    "racial_or_ethnic_origin",
    "religious_or_philosophical_beliefs",
    "health",
    "sex_life_or_orientation",
    "citizenship_or_immigration",
    "genetic_data",
    "biometric_data",
    "precise_geolocation",
    "identity_documents",
    "account_credentials",
    "union_membership",
    "contents_of_messages",
    "consumer_health_data",
    "victim_of_crime",
    "national_origin",
    "transgender_or_nonbinary",
)
"""Kinds of sensitive data, in the order of the US National section; the first form had twelve."""

CHILDREN = ("from_13_to_16", "under_13", "from_16_to_17")
"""Ages of known children, in that order; the first form had two."""

US_PRIVACY_VERSION = 1

_US_PRIVACY = re.compile(f"{US_PRIVACY_VERSION}([YN-])([YN-])([YN-])")

_US_NATIONAL_VERSIONS = frozenset({1, 2})

_FIRST_FORM_BITS = 66
"""Up to this length a US National core is of the first form: both were sent as version 1."""


class Notice(StrEnum):
    """Whether the visitor was told."""

    NOT_APPLICABLE = "not_applicable"
    GIVEN = "given"
    NOT_GIVEN = "not_given"


class OptOut(StrEnum):
    """Whether the visitor opted out."""

    NOT_APPLICABLE = "not_applicable"
    OPTED_OUT = "opted_out"
    NOT_OPTED_OUT = "not_opted_out"


class Consented(StrEnum):
    """Whether the visitor consented."""

    NOT_APPLICABLE = "not_applicable"
    NO_CONSENT = "no_consent"
    CONSENT = "consent"


class Mode(StrEnum):
    """Whether a mode of the Multi-State Privacy Agreement holds."""

    NOT_APPLICABLE = "not_applicable"
    YES = "yes"
    NO = "no"


_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class UsNational:
    """The US National section of the Multi-State Privacy Agreement."""

    version: int
    sharing_notice: Notice
    sale_opt_out_notice: Notice
    sharing_opt_out_notice: Notice
    targeted_advertising_opt_out_notice: Notice
    sensitive_data_opt_out_notice: Notice
    sensitive_data_limit_use_notice: Notice
    sale_opt_out: OptOut
    sharing_opt_out: OptOut
    targeted_advertising_opt_out: OptOut
    sensitive_data: Mapping[str, Consented]
    known_children: Mapping[str, Consented]
    personal_data_consent: Consented
    mspa_covered_transaction: Mode
    mspa_opt_out_option_mode: Mode
    mspa_service_provider_mode: Mode
    gpc: bool | None
    """The Global Privacy Control signal that was seen; None where the string does not say."""


@dataclass(frozen=True, slots=True)
class UsPrivacy:
    """The US Privacy section, of the CCPA alone: the Global Privacy Platform came after it."""

    version: int
    opt_out_notice: Notice
    """Whether the visitor was told, and could opt out of sale."""

    sale_opt_out: OptOut
    lspa_covered_transaction: Mode
    """Whether the Limited Service Provider Agreement covers the transaction."""


class Section(NamedTuple):
    """One section: its text, and its content where this module reads it."""

    id: int
    name: str | None
    text: str
    content: TcString | UsNational | UsPrivacy | None = None


@dataclass(frozen=True, slots=True)
class GppString:
    """A GPP string, read."""

    version: int
    sections: tuple[Section, ...]


def decode(text: str) -> TcString | GppString:
    """Decode a TC string or a GPP string, told apart by the first character.

    Raises `StringInvalid`, which never repeats *text*.
    """
    if text.startswith("D"):
        return parse(text)
    return tcf.parse(text)


def parse(text: str) -> GppString:
    """Decode the GPP string *text*. Raises `StringInvalid`, which never repeats it."""
    if len(text) > MAX_STRING_CHARS:
        raise StringInvalid(f"expected at most {MAX_STRING_CHARS} characters, got {len(text)}")
    header, *texts = text.split("~")
    bits = Bits(header)
    kind, version = bits.integer(6), bits.integer(6)
    if (kind, version) != (HEADER, VERSION):
        raise StringInvalid(
            f"expected a GPP header of type {HEADER} and version {VERSION}, got {kind}, {version}"
        )
    ids = _section_ids(bits, len(texts))
    return GppString(
        version, tuple(_section(id_, part) for id_, part in zip(ids, texts, strict=True))
    )


def _section_ids(bits: Bits, count: int) -> list[int]:
    """Read the header's ascending list of ids, which must be as many as sections follow."""
    found: list[int] = []
    last = 0
    for _ in range(bits.integer(12)):
        grouped = bits.flag()
        first = last + bits.fibonacci()
        last = first + bits.fibonacci() if grouped else first
        # Before a range is spelt out: a header of a few bits may name millions.
        if len(found) + last - first + 1 > count:
            raise StringInvalid(f"expected a section for each id of the header, got only {count}")
        found.extend(range(first, last + 1))
    if len(found) != count:
        raise StringInvalid(f"expected {len(found)} sections, as the header says, got {count}")
    return found


def _section(id_: int, text: str) -> Section:
    name = NAMES.get(id_)
    try:
        if id_ == TCF_EU:
            return Section(id_, name, text, tcf.parse(text))
        if id_ == US_PRIVACY:
            return Section(id_, name, text, _us_privacy(text))
        if id_ == US_NATIONAL:
            return Section(id_, name, text, _us_national(text))
    except StringInvalid as error:
        raise StringInvalid(f"expected section {id_} to decode: {error}") from error
    return Section(id_, name, text)


def _us_privacy(text: str) -> UsPrivacy:
    found = _US_PRIVACY.fullmatch(text)
    if found is None:
        raise StringInvalid(
            f"expected {US_PRIVACY_VERSION} and three of Y, N and -, got another text"
        )
    notice, sale, lspa = found.groups()
    return UsPrivacy(
        US_PRIVACY_VERSION,
        {"Y": Notice.GIVEN, "N": Notice.NOT_GIVEN, "-": Notice.NOT_APPLICABLE}[notice],
        {"Y": OptOut.OPTED_OUT, "N": OptOut.NOT_OPTED_OUT, "-": OptOut.NOT_APPLICABLE}[sale],
        {"Y": Mode.YES, "N": Mode.NO, "-": Mode.NOT_APPLICABLE}[lspa],
    )


def _us_national(text: str) -> UsNational:
    core, *others = text.split(".")
    bits = Bits(core)
    first_form = bits.left <= _FIRST_FORM_BITS
    version = bits.integer(6)
    if version not in _US_NATIONAL_VERSIONS:
        raise StringInvalid(f"expected version 1 or 2, got version {version}")
    return UsNational(
        version=version,
        sharing_notice=_word(bits, Notice),
        sale_opt_out_notice=_word(bits, Notice),
        sharing_opt_out_notice=_word(bits, Notice),
        targeted_advertising_opt_out_notice=_word(bits, Notice),
        sensitive_data_opt_out_notice=_word(bits, Notice),
        sensitive_data_limit_use_notice=_word(bits, Notice),
        sale_opt_out=_word(bits, OptOut),
        sharing_opt_out=_word(bits, OptOut),
        targeted_advertising_opt_out=_word(bits, OptOut),
        sensitive_data={
            kind: _word(bits, Consented) for kind in SENSITIVE[: 12 if first_form else None]
        },
        known_children={
            age: _word(bits, Consented) for age in CHILDREN[: 2 if first_form else None]
        },
        personal_data_consent=_word(bits, Consented),
        mspa_covered_transaction=_word(bits, Mode),
        mspa_opt_out_option_mode=_word(bits, Mode),
        mspa_service_provider_mode=_word(bits, Mode),
        gpc=_gpc(others),
    )


def _gpc(texts: list[str]) -> bool | None:
    for text in texts:
        bits = Bits(text)
        if bits.integer(2) == 1:
            return bits.flag()
    return None


def _word(bits: Bits, words: type[_Word]) -> _Word:
    value = bits.integer(2)
    known = list(words)
    if value >= len(known):
        raise StringInvalid(f"expected a value from 0 to {len(known) - 1}, got {value}")
    return known[value]


def plain(decoded: object) -> Json:
    """Write what was decoded as JSON can hold it: ids as ranges, absent members left out."""
    if isinstance(decoded, Ids):
        return [list(pair) for pair in decoded.ranges]
    if isinstance(decoded, datetime):
        return instant(decoded)
    if isinstance(decoded, StrEnum):
        return decoded.value
    if isinstance(decoded, (str, int)):
        return decoded
    if is_dataclass(decoded):
        return _members({each.name: getattr(decoded, each.name) for each in fields(decoded)})
    if isinstance(decoded, Mapping):
        return _members(decoded)
    if isinstance(decoded, tuple):
        named = getattr(decoded, "_asdict", None)
        return _members(named()) if named else [plain(item) for item in decoded]
    raise TypeError(f"expected something decoded here, got {type(decoded).__name__}")


def _members(members: Mapping[str, object]) -> dict[str, Json]:
    return {name: plain(member) for name, member in members.items() if member is not None}
