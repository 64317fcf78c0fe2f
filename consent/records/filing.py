"""Records on their way into rows: sealed under their subject's key, with where that one stands."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from consent import store
from consent.choices.choice import SITE, SUBJECTLESS
from consent.choices.linking import follow, reach
from consent.choices.projection import Standing
from consent.database import Rows
from consent.log import ledger
from consent.sealing.keyring import Keyring
from consent.sealing.vault import DataKey, Opened, SiteWrapping
from consent.store import Subject
from consent.tables import RECORD, RECORD_PURPOSE


class Filed(NamedTuple):
    """An event at its place in the log."""

    event: Mapping[str, Any]
    sealed: bytes
    epoch: int
    leaf_index: int


class Filing:
    """Records of one site that are stored together, each with its place in the log."""

    def __init__(self, rows: Rows, keyring: Keyring, site_id: str) -> None:
        self._rows = rows
        self._keyring = keyring
        self._site_id = site_id
        self._subjects: dict[str, Subject] = {}
        self._keys: dict[str, tuple[DataKey, int, bytes]] = {}
        self._changed: dict[str, Standing] = {}
        self._filed: list[Filed] = []

    def know(self, subjects: Mapping[str, Subject]) -> None:
        """Take in the subjects that were read for these records."""
        self._subjects.update(subjects)

    def know_links(self) -> None:
        """Read whomever a no of a known subject reaches: it is one of theirs as well."""
        linked = [ref for ref, subject in self._subjects.items() if subject.standing.links]
        asked: set[str] = set()
        while unknown := self._unknown(linked) - asked:
            asked |= unknown
            self.know(store.ask_subjects(self._rows, self._site_id, sorted(unknown))())

    def _unknown(self, refs: Sequence[str]) -> set[str]:
        """Return who would be reached as well, were they known."""
        unknown: set[str] = set()

        def known(ref: str) -> Standing | None:
            standing = self.standing(ref)
            if standing is None:
                unknown.add(ref)
            return standing

        for ref in refs:
            reach(known, ref)
        return unknown

    def standing(self, ref: str) -> Standing | None:
        """Return where a known subject stands, these records included."""
        changed = self._changed.get(ref)
        if changed is not None:
            return changed
        subject = self._subjects.get(ref)
        return None if subject is None else subject.standing

    def restricted(self, ref: str) -> bool:
        """Whether processing is restricted for a known subject."""
        subject = self._subjects.get(ref)
        return subject is not None and subject.restricted_until is not None

    def file(
        self, event: Mapping[str, Any], opened: Opened, *, epoch: int, leaf_index: int
    ) -> None:
        """Seal an event under the key of its owner and follow where it takes its subject."""
        ref = owner(event)
        sealed = self._key(ref).seal(
            self._site_id, event["record_id"], opened, self._keyring.random
        )
        if event["event_type"] in SUBJECTLESS:
            self._changed[ref] = self.standing(ref) or Standing()
        else:
            place = ledger.position(epoch, leaf_index)
            self._changed.update(follow(self.standing, ref, event, place))
        self._filed.append(Filed(event, sealed, epoch, leaf_index))

    def store(self) -> None:
        """Write what was filed, and every subject whom that changed."""
        self._rows.insert(RECORD, [record_row(self._site_id, filed) for filed in self._filed])
        self._rows.insert(
            RECORD_PURPOSE,
            [
                (self._site_id, made["purpose_id"], made["decision"], filed.event["record_id"])
                for filed in self._filed
                for made in filed.event.get("decisions", ())
            ],
        )
        store.put_subjects(
            self._rows,
            [
                (self._site_id, ref, *self._wrapped(ref), standing.to_json())
                for ref, standing in self._changed.items()
            ],
        )

    def _wrapped(self, ref: str) -> tuple[int, bytes]:
        """Return the version and the wrapped key of a subject whose row is written."""
        self._key(ref)
        return self._keys[ref][1:]

    def _key(self, ref: str) -> DataKey:
        known = self._keys.get(ref)
        if known is not None:
            return known[0]
        subject = self._subjects.get(ref)
        if subject is not None and subject.wrapped:
            version, wrapped = subject.key_version, subject.wrapped
            key = self._keyring.unwrap(self._site_id, ref, version, wrapped)
        else:
            key = DataKey.made(self._keyring.random)
            version = self._wrapping.version
            wrapped = self._wrapping.wrap(ref, key, self._keyring.random)
        self._keys[ref] = (key, version, wrapped)
        return key

    @cached_property
    def _wrapping(self) -> SiteWrapping:
        return self._keyring.wrapping(self._site_id)


def owner(event: Mapping[str, Any]) -> str:
    """Return whose key an event is sealed under: its subject's, or the site's own."""
    ref: str = SITE if event["event_type"] in SUBJECTLESS else event["subject_ref"]
    return ref


def record_row(site_id: str, filed: Filed) -> tuple[Any, ...]:
    """Return the row of a record, what it is found by taken from its event."""
    event = filed.event
    notice: Mapping[str, Any] = event.get("notice", {})
    decided = {made["purpose_id"]: made["decision"] for made in event.get("decisions", ())}
    return (
        site_id,
        event["record_id"],
        filed.epoch,
        filed.leaf_index,
        event["received_at"],
        owner(event),
        event["event_type"],
        event["method"],
        orjson.dumps(decided).decode(),
        notice.get("notice_id"),
        notice.get("version"),
        filed.sealed,
    )
