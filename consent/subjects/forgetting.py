"""What an erasure does to rows, the first time and again after a restore.

Takes rows inside a transaction; never commits one.
"""

from collections.abc import Container, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import orjson

from consent import store
from consent.choices.suppression import NO_RECORD, remember, rests_on, without, without_consent
from consent.errors import VaultUnreadable
from consent.records import holdings
from consent.records.holdings import Held
from consent.sealing.keyring import Keyring
from consent.store import Rows, Subject

TOMBSTONE_RECORDS = 5000
"""Records that one tombstone names, so that its receipt stays one that verifies."""

KEY_DIGEST_PREFIX = b"aboveboard-erased-key/v1\x00"


class Erasure(NamedTuple):
    """An erasure as it is written down outside the database, to be done again after a restore.

    *subjects* are those whose key was destroyed, each with the key's digest (None where the key
    did not open); *tombstones* are the ids of the events that name *record_ids* in the log.
    """

    site_id: str
    erased_at: str
    tombstones: Sequence[str]
    subjects: Sequence[tuple[str, str | None]]
    record_ids: Sequence[str]
    keep_refusals: bool


class Restriction(NamedTuple):
    """A restriction as it is written down outside the database, to be set again after a restore."""

    site_id: str
    restricted_at: str
    tombstones: Sequence[str]
    refs: Sequence[str]
    until: str


class Forgotten(NamedTuple):
    """Whose key was destroyed, as they were; who of them is remembered, and for which purposes."""

    gone: Mapping[str, Subject]
    suppressed: frozenset[str]
    remembered: Sequence[str]


def forget(
    rows: Rows,
    site_id: str,
    held: Sequence[Held],
    subjects: Mapping[str, Subject],
    linked: Mapping[str, Subject],
    *,
    keep_refusals: bool,
    erased_at: str,
) -> Forgotten:
    """Delete the records *held*, and of their *subjects* what no other record needs.

    Those *linked* with them lose what they took over.
    """
    holdings.delete_records(rows, site_id, held)
    recorded = holdings.find_recorded(rows, site_id, list(subjects))
    gone = {ref: subject for ref, subject in subjects.items() if ref not in recorded}
    suppressed = {
        ref: kept
        for ref, subject in gone.items()
        if keep_refusals and (kept := remember(subject.standing, erased_at=erased_at))
    }
    record_ids = {item.record_id for item in held}
    left = {
        ref: without(
            subject.standing,
            record_ids,
            gone=gone.keys(),
            keep_refusals=keep_refusals,
            erased_at=erased_at,
        )
        for ref, subject in {**subjects, **linked}.items()
        if ref not in gone
        and (ref in subjects or rests_on(subject.standing, record_ids, gone=gone.keys()))
    }
    holdings.delete_subjects(rows, site_id, [ref for ref in gone if ref not in suppressed])
    holdings.suppress(rows, site_id, suppressed.items())
    holdings.restate(rows, site_id, left.items())
    return Forgotten(
        {ref: subject for ref, subject in gone.items() if subject.wrapped or ref not in suppressed},
        frozenset(suppressed),
        sorted(
            {
                purpose
                for ref, standing in {**suppressed, **left}.items()
                for purpose, at in standing.purposes.items()
                if ref in subjects and at.record_id == NO_RECORD
            }
        ),
    )


def seal_off(rows: Rows, site_id: str, refs: Sequence[str], until: str) -> None:
    """Restrict processing for subjects; whoever took consent over from them has it no more."""
    holdings.restrict(rows, site_id, refs, until)
    linked = find_linked(rows, site_id, store.ask_subjects(rows, site_id, refs)())
    if linked:
        sealed = {item.record_id for item in holdings.ask_held_of(rows, site_id, refs)()}
        standings = {ref: subject.standing for ref, subject in linked.items()}
        left = [
            (ref, kept)
            for ref, at in standings.items()
            if (kept := without_consent(at, sealed)).purposes != at.purposes
        ]
        holdings.restate(rows, site_id, left)


def reapply(
    rows: Rows, keyring: Keyring, done: Erasure | Restriction, *, sealed_anew: bool = False
) -> list[bytes]:
    """Do again, on rows that were restored from before it, what was done to a subject.

    All that was done has to come in its order. What the same subject did after an erasure stays:
    their key is then another than the one destroyed, unless all of them are new since the rows
    were *sealed_anew*. Returns the traces of what went.
    """
    if isinstance(done, Restriction):
        seal_off(rows, done.site_id, done.refs, done.until)
        return []
    return _erase_again(rows, keyring, done, sealed_anew=sealed_anew)


def traces(held: Sequence[Held], forgotten: Forgotten) -> list[bytes]:
    """Return bytes of what went that must be found in no file any more."""
    found = [item.head for item in held]
    for ref, subject in forgotten.gone.items():
        found += [subject.wrapped] if subject.wrapped else []
        found += [] if ref in forgotten.suppressed else [ref.encode()]
    return found


def _erase_again(
    rows: Rows, keyring: Keyring, erasure: Erasure, *, sealed_anew: bool
) -> list[bytes]:
    held = holdings.ask_held(rows, erasure.site_id, erasure.record_ids)()
    destroyed = dict(erasure.subjects)
    refs = list(dict.fromkeys([*destroyed, *(item.subject_ref for item in held)]))
    subjects = store.ask_subjects(rows, erasure.site_id, refs)()
    for ref in destroyed.keys() & subjects.keys():
        found = key_digest(keyring, erasure.site_id, ref, subjects[ref])
        if not sealed_anew and found not in {None, destroyed[ref]}:
            del subjects[ref]
    forgotten = forget(
        rows,
        erasure.site_id,
        held,
        subjects,
        find_linked(rows, erasure.site_id, subjects),
        keep_refusals=erasure.keep_refusals,
        erased_at=erasure.erased_at,
    )
    return traces(held, forgotten)


def find_linked(rows: Rows, site_id: str, subjects: Mapping[str, Subject]) -> dict[str, Subject]:
    """Return the other subjects that *subjects* are linked with, near or far."""
    found: dict[str, Subject] = {}
    newest, seen = subjects, set(subjects)
    while others := {link for one in newest.values() for link in one.standing.links} - seen:
        newest = store.ask_subjects(rows, site_id, sorted(others))()
        found |= newest
        seen |= others
    return found


def find_naming(
    rows: Rows, keyring: Keyring, site_id: str, named: Container[str], linked: Mapping[str, Subject]
) -> list[Held]:
    """Return the records of *linked* subjects that name one of *named*: those of the link."""
    found = []
    near = [
        ref
        for ref, subject in linked.items()
        if any(link in named for link in subject.standing.links)
    ]
    for item, sealed in holdings.find_links(rows, site_id, near):
        subject = linked[item.subject_ref]
        if subject.wrapped:
            key = keyring.unwrap(site_id, item.subject_ref, subject.key_version, subject.wrapped)
            event = orjson.loads(key.open(site_id, item.record_id, sealed).event)
            if event["linked"]["subject_ref"] in named:
                found.append(item)
    return found


def key_digest(keyring: Keyring, site_id: str, ref: str, subject: Subject) -> str | None:
    """Tell a subject's data key from others, however it is wrapped; None where it does not open."""
    if not subject.wrapped:
        return None
    try:
        key = keyring.unwrap(site_id, ref, subject.key_version, subject.wrapped)
    except VaultUnreadable:
        # A key that is lost already is no reason to keep what it sealed.
        return None
    return sha256(KEY_DIGEST_PREFIX + key.secret).hexdigest()
