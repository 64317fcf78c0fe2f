"""What an erasure does to rows, the first time and again after a restore.

Takes rows inside a transaction; never commits one.
"""

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, select

from consent import store
from consent.choices.choice import Decision, EventType
from consent.choices.linking import follow
from consent.choices.projection import Standing
from consent.choices.suppression import NO_RECORD, Noes, remember, without, without_consent
from consent.database import Rows
from consent.errors import VaultUnreadable
from consent.log import ledger
from consent.records import holdings
from consent.records.history import read_vault
from consent.records.holdings import Held
from consent.records.membership import among, members
from consent.records.search import Listed
from consent.sealing.keyring import Keyring
from consent.store import Subject
from consent.tables import RECORD

TOMBSTONE_RECORDS = 5000
"""Records that one tombstone names, so that its receipt stays one that verifies."""

WHOLE_BATCH = 1_000_000
"""Rows that a command is told to be, so that it has a transaction of its own."""

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
    aged: bool = False
    """Whether nobody asked for it: the records had become older than the site keeps them."""


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


def shown_by(done: Erasure | Restriction) -> Sequence[str]:
    """Return the tombstone that a log has where it has any of *done*; none where there is none.

    They are entered together, the first always; of a restriction done again there may be fewer.
    """
    return done.tombstones[:1]


def for_tombstones(record_ids: Sequence[str]) -> list[Sequence[str]]:
    """Return what each tombstone names, in order."""
    return [
        record_ids[start : start + TOMBSTONE_RECORDS]
        for start in range(0, len(record_ids), TOMBSTONE_RECORDS)
    ]


def forget(
    rows: Rows,
    keyring: Keyring,
    site_id: str,
    held: Sequence[Held],
    subjects: Mapping[str, Subject],
    linked: Mapping[str, Subject],
    *,
    meant: Container[str],
    keep_refusals: bool,
    erased_at: str,
) -> Forgotten:
    """Delete the records *held*, and of their *subjects* what no other record needs.

    Those *linked* with them lose what they took over. Whoever is *meant* goes with the last record;
    others stay for as long as there is a link or a refusal of theirs to know.
    """
    erased = {item.record_id: item.subject_ref for item in held}
    known = {**linked, **subjects}
    told, left = _noes(rows, keyring, site_id, known, erased, keep_refusals=keep_refusals)
    holdings.delete_records(rows, site_id, held)
    recorded = holdings.find_recorded(rows, site_id, list(known))
    gone = {
        ref: subject for ref, subject in subjects.items() if ref in meant and ref not in recorded
    }
    concerned = _circle([*gone, *erased.values()], known)
    stay = {
        ref: without(
            subject.standing,
            erased,
            told=told.get(ref, {}),
            left=left.get(ref, {}),
            # What was taken over is not theirs to forget who had it erased.
            forgotten=() if keep_refusals else {name for name in erased if erased[name] == ref},
            gone=gone.keys(),
            erased_at=erased_at,
        )
        for ref, subject in known.items()
        if ref in concerned and ref not in gone
    }
    gone |= {
        ref: known[ref]
        for ref, standing in stay.items()
        if ref not in recorded and not standing.purposes and not standing.links
    }
    suppressed = {
        ref: kept
        for ref, subject in gone.items()
        if keep_refusals
        and (kept := remember(subject.standing, noes=told.get(ref, {}), erased_at=erased_at))
    }
    holdings.delete_subjects(rows, site_id, [ref for ref in gone if ref not in suppressed])
    holdings.suppress(rows, site_id, suppressed.items())
    # Of the linked, those too who name nothing that went: no replay leads to where they stand.
    restated = {
        ref: standing
        for ref, standing in stay.items()
        if ref not in gone and standing != known[ref].standing
    }
    holdings.restate(rows, site_id, restated.items())
    return Forgotten(
        {ref: subject for ref, subject in gone.items() if subject.wrapped or ref not in suppressed},
        frozenset(suppressed),
        sorted(
            {
                purpose
                for ref, standing in {**stay, **suppressed}.items()
                for purpose, at in standing.purposes.items()
                if ref in meant and at.record_id == NO_RECORD
            }
        ),
    )


def _noes(
    rows: Rows,
    keyring: Keyring,
    site_id: str,
    known: Mapping[str, Subject],
    erased: Container[str],
    *,
    keep_refusals: bool,
) -> tuple[dict[str, Noes], dict[str, Noes]]:
    """Return the last noes of subjects by their records, and by those that are not *erased*.

    Only of subjects who need it: most lose no yes that ended a no, and forget nothing.
    """
    told: dict[str, Noes] = {}
    left: dict[str, Noes] = {}
    outlivable = holdings.find_outlivable(rows, site_id, list(known))
    for ref, subject in known.items():
        # A yes that outlived a signal or an older choice does not tell of it.
        outlived = not outlivable.isdisjoint(_circle([ref], known))
        if ref not in told and any(
            not keep_refusals if at.ended else at.refused_at or outlived
            for at in subject.standing.purposes.values()
            if at.record_id in erased or not (keep_refusals or at.ended)
        ):
            circle = _circle([ref], known)
            told |= _last_noes(rows, keyring, site_id, circle)
            left |= _last_noes(rows, keyring, site_id, circle, but_for=erased)
    return told, left


def _circle(refs: Iterable[str], known: Mapping[str, Subject]) -> set[str]:
    """Return subjects and whoever is linked with them, near or far."""
    found = known.keys() & set(refs)
    waiting = list(found)
    while waiting:
        near = set(known[waiting.pop()].standing.links) & (known.keys() - found)
        found |= near
        waiting += near
    return found


def _last_noes(
    rows: Rows,
    keyring: Keyring,
    site_id: str,
    refs: Collection[str],
    *,
    but_for: Container[str] = (),
) -> dict[str, Noes]:
    """Return the last no of each of *refs* about each purpose, by the records but for some.

    Whatever followed a no is passed over: it may be what is erased. So is a yes that outlived a
    no, which stands without it. A key that is lost tells none.
    """
    standings: dict[str, Standing] = {}
    without_yes: dict[str, Standing] = {}
    noes: dict[str, Noes] = {ref: {} for ref in refs}
    record_ids = [item.record_id for item in holdings.ask_held_of(rows, site_id, sorted(refs))()]
    try:
        vault = read_vault(
            rows.connection, keyring, site_id, [name for name in record_ids if name not in but_for]
        )
        for kept in sorted(vault.values(), key=lambda kept: _place(kept.record)):
            event = orjson.loads(kept.open().event)
            changed = follow(standings.get, kept.record.subject_ref, event, _place(kept.record))
            standings |= changed
            event["decisions"] = [
                made for made in event.get("decisions", ()) if made["decision"] != Decision.GIVEN
            ]
            told = follow(without_yes.get, kept.record.subject_ref, event, _place(kept.record))
            without_yes |= told
            for ref, standing in changed.items():
                ended = {name: at for name, at in standing.purposes.items() if at.ended}
                outlived = {
                    name: at
                    for name, at in (told[ref].purposes if ref in told else {}).items()
                    if at.record_id == event["record_id"] and name not in ended
                }
                noes[ref] = {**noes.get(ref, {}), **ended, **outlived}
    except VaultUnreadable:
        return {ref: {} for ref in refs}
    return noes


def _place(record: Listed) -> int:
    return ledger.position(record.epoch, record.leaf_index)


def seal_off(rows: Rows, keyring: Keyring, site_id: str, refs: Sequence[str], until: str) -> None:
    """Restrict processing for subjects; whoever took consent over from them has it no more."""
    holdings.restrict(rows, site_id, refs, until)
    linked = find_linked(rows, site_id, store.ask_subjects(rows, site_id, refs)())
    if not linked:
        return
    sealed = {item.record_id for item in holdings.ask_held_of(rows, site_id, refs)()}
    resting = {
        ref: subject.standing
        for ref, subject in linked.items()
        if any(at.record_id in sealed and not at.ended for at in subject.standing.purposes.values())
    }
    if resting:
        told = _last_noes(rows, keyring, site_id, {*linked, *refs})
        holdings.restate(
            rows,
            site_id,
            [(ref, without_consent(at, sealed, told[ref])) for ref, at in resting.items()],
        )


def _seal_off_again(rows: Rows, keyring: Keyring, done: Restriction, now: str) -> None:
    """Restrict again whom the rows brought back, and whom they do not know any more.

    A subject whose records are all later than the restriction came back as somebody unknown: what
    was restricted is lost. Of the unknown there is nothing to restrict, but they may come in.
    """
    first: dict[str, str] = {}
    for item in holdings.ask_held_of(rows, done.site_id, done.refs)():
        first.setdefault(item.subject_ref, item.record_id)
    # Ids are made in the order of time.
    meant = [ref for ref, record_id in first.items() if record_id < max(done.tombstones)]
    seal_off(rows, keyring, done.site_id, meant, done.until)
    if done.until > now:
        unknown = [ref for ref in done.refs if ref not in first]
        holdings.withhold(rows, done.site_id, unknown, done.until)


def reapply(
    rows: Rows,
    keyring: Keyring,
    done: Erasure | Restriction,
    *,
    sealed_anew: bool = False,
    now: str = "",
) -> list[bytes]:
    """Do again, on rows that were restored from before it, what was done to a subject.

    All that was done has to come in its order. What the same subject did after an erasure stays:
    their key is then another than the one destroyed, unless all of them are new since the rows
    were *sealed_anew*. Returns the traces of what went.
    """
    if isinstance(done, Restriction):
        _seal_off_again(rows, keyring, done, now)
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
        keyring,
        erasure.site_id,
        held,
        subjects,
        find_linked(rows, erasure.site_id, subjects),
        meant=destroyed.keys(),
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
        if not subject.wrapped:
            continue
        try:
            key = keyring.unwrap(site_id, item.subject_ref, subject.key_version, subject.wrapped)
            event = orjson.loads(key.open(site_id, item.record_id, sealed).event)
        except VaultUnreadable:
            # It may name them, and a key that is lost is no reason to keep what it sealed.
            found.append(item)
        else:
            if event["linked"]["subject_ref"] in named:
                found.append(item)
    return found


def find_questions(connection: Connection, site_id: str, record_ids: Collection[str]) -> set[str]:
    """Return the questions that records answered: of each the newest before it, if there is one."""
    if not record_ids:
        return set()
    answers = connection.execute(
        _ASKED_ABOUT, {"site_id": site_id, "ids": members(record_ids)}
    ).all()
    refs = members({answer.subject_ref for answer in answers})
    questions: dict[tuple[str, ...], list[tuple[int, int, str]]] = {}
    for put in connection.execute(_OF_SUBJECTS, {"site_id": site_id, "refs": refs}):
        if put.event_type != EventType.REQUESTED:
            continue
        about = (put.subject_ref, put.notice_id, put.notice_version)
        questions.setdefault(about, []).append((put.epoch, put.leaf_index, put.record_id))
    answered = set()
    for answer in answers:
        about = (answer.subject_ref, answer.notice_id, answer.notice_version)
        place = (answer.epoch, answer.leaf_index)
        earlier = [question for question in questions.get(about, ()) if question[:2] < place]
        if earlier:
            answered.add(max(earlier)[-1])
    return answered


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


_PLACES = select(
    RECORD.c.record_id,
    RECORD.c.subject_ref,
    RECORD.c.event_type,
    RECORD.c.notice_id,
    RECORD.c.notice_version,
    RECORD.c.epoch,
    RECORD.c.leaf_index,
).where(RECORD.c.site_id == bindparam("site_id"))
_ASKED_ABOUT = _PLACES.where(among(RECORD.c.record_id, "ids"))
# Not by type as well: SQLite would rather walk every question that the site has ever put.
_OF_SUBJECTS = _PLACES.where(among(RECORD.c.subject_ref, "refs"))
