"""The words of consent: who decided what, how, on which basis; and which words are acts.

Pure: no clock, no database.
Members and order follow the event of `docs/decisions/consent-format.md`;
every value is the stored and the wire word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple


class SubjectKind(StrEnum):
    """What a subject's identifier is; it decides how the identifier is normalised."""

    DEVICE = "device"
    ACCOUNT = "account"
    EMAIL = "email"
    PHONE = "phone"
    EXTERNAL = "external"


class Assurance(StrEnum):
    """How sure the server is that the subject is who the event says; set by the server."""

    UNVERIFIED = "unverified"
    SESSION = "session"
    AUTHENTICATED = "authenticated"


class EventType(StrEnum):
    """What happened; the states follow ISO/IEC TS 27560 and DPV 2.3."""

    REQUESTED = "requested"
    DEFERRED = "deferred"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    RENEWED = "renewed"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    OBJECTED = "objected"
    ACKNOWLEDGED = "acknowledged"
    LINKED = "linked"
    IMPORTED = "imported"
    RESTRICTED = "restricted"
    ERASED = "erased"
    CONTINUED = "continued"


class Decision(StrEnum):
    """What the subject decided about one purpose."""

    GIVEN = "given"
    REFUSED = "refused"
    NOT_ASKED = "not_asked"


class Basis(StrEnum):
    """On what a purpose rests."""

    CONSENT = "consent"
    LEGITIMATE_INTEREST = "legitimate_interest"
    STRICTLY_NECESSARY = "strictly_necessary"
    EXEMPT_STATISTICS = "exempt_statistics"
    OPT_OUT = "opt_out"


class ConsentType(StrEnum):
    """How plainly consent was expressed: explicitly is GDPR Art. 9(2)(a)."""

    EXPRESSED = "expressed"
    EXPLICITLY_EXPRESSED = "explicitly_expressed"


class Method(StrEnum):
    """By what the event came about."""

    ACCEPT_ALL = "accept_all"
    REJECT_ALL = "reject_all"
    SAVE = "save"
    TOGGLE = "toggle"
    FORM = "form"
    LINK = "link"
    WITHDRAW_LINK = "withdraw_link"
    CLOSE = "close"
    SCROLL = "scroll"
    TIMEOUT = "timeout"
    GPC = "gpc"
    API = "api"
    IMPORT = "import"
    JOB = "job"
    ADMIN = "admin"
    AUTHORITY = "authority"


class Origin(StrEnum):
    """Where the subject stood."""

    BANNER = "banner"
    PREFERENCES = "preferences"
    CONTEXTUAL = "contextual"
    ACCOUNT_PAGE = "account_page"
    API = "api"
    TCF_UI = "tcf_ui"


class Reason(StrEnum):
    """Why a log goes on in a new epoch."""

    RESTORED = "restored"
    ROTATED = "rotated"


class Actor(StrEnum):
    """Who brought the event about: the member `by`."""

    DATA_SUBJECT = "data_subject"
    GUARDIAN = "guardian"
    CONTROLLER = "controller"
    AUTHORITY = "authority"
    SYSTEM = "system"


ACTS = frozenset({Method.ACCEPT_ALL, Method.SAVE, Method.TOGGLE, Method.FORM})
"""The only methods by which consent is given: GDPR Art. 4(11), EDPB 05/2020 §86."""

NEVER_ACTS = frozenset({Method.SCROLL, Method.TIMEOUT})
"""Methods that are read only to be refused, whatever the event type."""

GIVING = frozenset({EventType.GIVEN, EventType.RENEWED, EventType.OPTED_IN})
"""Event types that need an act; their decisions hold at least one `given`."""

ENDING = frozenset(
    {
        EventType.REFUSED,
        EventType.WITHDRAWN,
        EventType.OPTED_OUT,
        EventType.OBJECTED,
        EventType.REVOKED,
        EventType.INVALIDATED,
    }
)
"""Event types that take consent away: their decisions hold no `given`."""

ON_NOTICE = GIVING | {
    EventType.REQUESTED,
    EventType.DEFERRED,
    EventType.REFUSED,
    EventType.ACKNOWLEDGED,
}
"""Event types that answer a notice, so that the event names it."""

TOMBSTONES = frozenset({EventType.RESTRICTED, EventType.ERASED})
"""Event types that hold only the ids of the records that they concern."""

SUBJECTLESS = TOMBSTONES | {EventType.CONTINUED}
"""Event types that name no subject and are sealed under a key of the site."""

SITE = "site"
"""Stands for the site itself where a subject's pseudonym would: its own events are sealed so."""

CLOCK_AHEAD = timedelta(minutes=5)
"""How far `occurred_at` may lie after the server's clock."""

CLOCK_BEHIND = timedelta(days=30)
"""How far `occurred_at` may lie before the server's clock: an offline queue's patience."""


class PurposeDecision(NamedTuple):
    """What was decided about one purpose, and on what basis the purpose rests."""

    purpose_id: str
    decision: Decision
    basis: Basis
    vendor_ids: tuple[str, ...] = ()
    """The vendors that the decision is about, where it is not about all of them."""


class ShownNotice(NamedTuple):
    """What the subject had before their eyes: which version, language, layer and bundle."""

    notice_id: str
    version: int
    language: str
    text_sha256: str
    material_sha256: str
    layer: int | None = None
    ui_sha256: str | None = None
    """The digest of the archived banner: the copy of EDPB 05/2020 §108."""

    variant: str | None = None
    """Which of several designs was shown."""


class Previous(NamedTuple):
    """The log that a new epoch continues, as it was last signed, and why it does."""

    epoch: int
    origin: str
    key: str
    """Its verifier key: the rows of that log may be gone, its receipts are not."""
    size: int
    root: bytes
    checkpoint: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Context:
    """Where the choice was made, as coarsely as proof allows."""

    page: str | None = None
    """The address of the page; query and fragment are cut before anything is kept."""

    ua_class: str | None = None
    layout_w: int | None = None
    """The width of the layout, in CSS pixels."""

    ip_trunc: str | None = None
    """The visitor's network, never the address: an IPv4 /24 or an IPv6 /48."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the browser or another consent tool signalled; None where it was not seen."""

    sec_gpc: bool | None = None
    """Global Privacy Control, by header."""

    gpc_js: bool | None = None
    """Global Privacy Control, by script."""

    tc_string: str | None = None
    gpp_string: str | None = None
    gcm: Mapping[str, str] | None = None
    """Google Consent Mode: each of its keys `granted` or `denied`."""

    @property
    def gpc(self) -> bool:
        """Whether Global Privacy Control was on, however it was seen."""
        return bool(self.sec_gpc or self.gpc_js)
