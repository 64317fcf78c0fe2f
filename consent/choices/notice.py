"""What the visitor is shown: purposes, controller, wording; and when it counts as a new version.

Pure: no database, no clock.
Three digests stand for a notice: of its wording in one language, of its substance in any, and of
the archived banner that shows it. Only a change of substance makes the visitor be asked again.

>>> ads = Purpose(id="ads", name="Ads", description="Ads that fit", basis=Basis.CONSENT)
>>> notice = Notice("main", "en", "May we?", Controller(name="Shop Ltd"), (ads,))
>>> publish(None, notice)
Next(version=1)
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any, TypeAlias

from consent.choices.choice import Basis
from consent.choices.record import Json, canonical
from consent.errors import NoticeInvalid

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")


@dataclass(frozen=True, slots=True)
class Controller:
    """Who decides about the processing: GDPR Art. 13(1)(a)."""

    name: str
    id: str | None = None
    address: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Tracker:
    """A cookie or the like that serves a purpose; who reads it and for how long is substance.

    The Court wants both told: CJEU C-673/17 (Planet49), nos. 75-81. A *name* is wording.
    """

    name: str
    provider: str | None = None
    duration: str | None = None
    """How long it lives, in the publisher's own form; an ISO 8601 duration is wise."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """One thing personal data is wanted for, and what the law wants told about it.

    *name* and *description* are wording; the rest is substance, where order does not count.
    """

    id: str
    name: str
    description: str
    basis: Basis
    data_categories: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    retention: str | None = None
    """How long, in the publisher's own form; an ISO 8601 duration such as `P13M` is wise."""

    transfers: tuple[str, ...] = ()
    """Where outside the EEA data goes, and under which safeguard: GDPR Art. 13(1)(f)."""

    trackers: tuple[Tracker, ...] = ()
    advertising: bool = False
    """Whether data is sold, shared or used for targeted advertising: what GPC is about."""

    storage_locations: tuple[str, ...] = ()
    """Where data is kept: wording, for what leaves the EEA is told by *transfers*."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice in one language, as published."""

    notice_id: str
    language: str
    """A BCP 47 tag, compared byte for byte."""

    text: str
    controller: Controller
    purposes: tuple[Purpose, ...]
    withdrawal_uri: str | None = None
    """Where the choice can be changed at any time: GDPR Art. 7(3)."""

    ui_sha256: str | None = None
    """The digest of the archived banner that shows it; no part of the other two digests."""

    def __post_init__(self) -> None:
        """Raise `NoticeInvalid` where ids, language or texts do not have their form."""
        if not _ID.fullmatch(self.notice_id):
            raise NoticeInvalid(f"expected a notice id of the form {_ID.pattern}")
        if not _LANGUAGE.fullmatch(self.language):
            raise NoticeInvalid(f"expected a language tag of the form {_LANGUAGE.pattern}")
        if not self.purposes or not all(_ID.fullmatch(purpose.id) for purpose in self.purposes):
            raise NoticeInvalid(f"expected purposes with ids of the form {_ID.pattern}")
        for before, after in pairwise(sorted(purpose.id for purpose in self.purposes)):
            if before == after:
                raise NoticeInvalid("expected each purpose once, got one twice")
        if not self.text or not self.controller.name:
            raise NoticeInvalid("expected a text and a controller's name, got an empty one")

    def text_sha256(self) -> str:
        """Digest the wording in this language, in lower-case hex."""
        return digest(self.wording())

    def material_sha256(self) -> str:
        """Digest the substance, which is the same in every language, in lower-case hex."""
        return digest(self.substance())

    def wording(self) -> dict[str, Json]:
        """Return what `text_sha256` is made of."""
        return {
            "notice_id": self.notice_id,
            "language": self.language,
            "text": self.text,
            "purposes": [
                {
                    "id": purpose.id,
                    "name": purpose.name,
                    "description": purpose.description,
                    **_filled(
                        trackers=_set(tracker.name for tracker in purpose.trackers),
                        storage_locations=_set(purpose.storage_locations),
                    ),
                }
                for purpose in self._sorted()
            ],
            **_filled(withdrawal_uri=self.withdrawal_uri),
        }

    def substance(self) -> dict[str, Json]:
        """Return what `material_sha256` is made of."""
        controller = self.controller
        return {
            "controller": _filled(
                id=controller.id,
                name=controller.name,
                address=controller.address,
                contact=controller.contact,
            ),
            "purposes": [
                _filled(
                    id=purpose.id,
                    basis=purpose.basis.value,
                    data_categories=_set(purpose.data_categories),
                    recipients=_set(purpose.recipients),
                    retention=purpose.retention,
                    transfers=_set(purpose.transfers),
                    trackers=_told(purpose.trackers),
                    advertising=purpose.advertising,
                )
                for purpose in self._sorted()
            ],
        }

    def _sorted(self) -> list[Purpose]:
        return sorted(self.purposes, key=lambda purpose: purpose.id)


def purposes(told: Iterable[Mapping[str, Any]]) -> tuple[Purpose, ...]:
    """Return purposes from their members as JSON has them."""
    return tuple(
        Purpose(
            **{
                **purpose,
                "basis": Basis(purpose["basis"]),
                "data_categories": tuple(purpose["data_categories"]),
                "recipients": tuple(purpose["recipients"]),
                "transfers": tuple(purpose["transfers"]),
                "trackers": tuple(Tracker(**each) for each in purpose.get("trackers", ())),
                "storage_locations": tuple(purpose.get("storage_locations", ())),
            }
        )
        for purpose in told
    )


def digest(value: Json) -> str:
    """Digest the canonical form of *value*, in lower-case hex."""
    return sha256(canonical(value)).hexdigest()


def _set(items: Iterable[str]) -> list[str]:
    """Sort *items* by code point and drop repetitions: said twice is not said more."""
    return sorted(set(items))


def _told(trackers: Iterable[Tracker]) -> list[Json]:
    """Say who reads trackers and for how long, each pair once; what they are called is wording."""
    told = {
        canonical(said): said
        for tracker in trackers
        if (said := _filled(provider=tracker.provider, duration=tracker.duration))
    }
    return [told[key] for key in sorted(told)]


def _filled(**members: "Json | None") -> dict[str, Json]:
    """Leave out what is None or empty: not said and said to be nothing are one."""
    return {name: member for name, member in members.items() if member}


@dataclass(frozen=True, slots=True)
class Held:
    """What the current version of a notice holds: its substance and each language's wording."""

    version: int
    material_sha256: str
    texts: Mapping[str, str]
    """Language to `text_sha256`."""

    banners: Mapping[str, str | None] = field(default_factory=dict)
    """Language to `ui_sha256`."""


@dataclass(frozen=True, slots=True)
class Same:
    """The publication is what *version* already holds."""

    version: int


@dataclass(frozen=True, slots=True)
class Joins:
    """The publication is a new language of *version*."""

    version: int


@dataclass(frozen=True, slots=True)
class Next:
    """The publication opens *version*."""

    version: int


Publication: TypeAlias = Same | Joins | Next


def publish(held: Held | None, notice: Notice) -> Publication:
    """Say what publishing *notice* does, given what the current version holds.

    Older versions are never asked: going back to an earlier wording opens a new version.
    """
    if held is None:
        return Next(1)
    if notice.material_sha256() == held.material_sha256:
        if notice.language not in held.texts:
            return Joins(held.version)
        same_banner = notice.ui_sha256 in {None, held.banners.get(notice.language)}
        if held.texts[notice.language] == notice.text_sha256() and same_banner:
            return Same(held.version)
    return Next(held.version + 1)
