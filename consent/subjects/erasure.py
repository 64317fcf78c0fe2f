"""Erasing: what can say who or what goes, and the log goes on proving what it proved.

Rows are deleted, the data key is destroyed, and a tombstone names the records that went. The log
keeps their salted commitments; nothing opens them any more.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import Connection

from consent import store
from consent.choices.choice import SITE, Actor, EventType, Method, SubjectKind
from consent.choices.projection import Standing
from consent.choices.record import instant, tombstone
from consent.choices.setting import Setting
from consent.choices.suppression import evidence, in_force
from consent.database import Reading, Rows, Writing
from consent.errors import LogNotFound, RecordNotFound, SubjectNotFound
from consent.records import holdings
from consent.records.batch import Batch, Receipt
from consent.records.holdings import Aged, Held
from consent.sealing.keyring import Keyring
from consent.store import Subject
from consent.subjects.forgetting import (
    WHOLE_BATCH,
    Erasure,
    Forgotten,
    find_linked,
    find_naming,
    find_questions,
    for_tombstones,
    forget,
    key_digest,
    traces,
)

PAGE = 500
"""Records that retention erases in one transaction."""


class Erased(NamedTuple):
    """What went: the records, and the purposes whose refusal is remembered without them.

    *receipt* is of the last tombstone; None where there was no record to name.
    """

    receipt: Receipt | None
    record_ids: Sequence[str]
    remembered: Sequence[str]


class Erase(NamedTuple):
    """Erase everything of *refs*, and the records *record_ids*; *linked* subjects as well.

    *due* erases only whose restriction ended by then, *unneeded* only records that no consent in
    force rests on.
    """

    site_id: str
    received: datetime
    method: Method
    by: Actor
    refs: Sequence[str] = ()
    record_ids: Sequence[str] = ()
    keep_refusals: bool = True
    linked: bool = False
    due: str | None = None
    unneeded: bool = False


class Erasing:
    """The use cases of erasing.

    *note* writes an erasure down outside the database, durably; *sweep* is told after the commit
    which bytes must be found in no file any more, *sweep_later* where nobody waits for that.
    """

    def __init__(
        self,
        *,
        keyring: Keyring,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        note: Callable[[Erasure], None],
        sweep: Callable[[Sequence[bytes]], None],
        sweep_later: Callable[[Sequence[bytes]], None],
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._ids = ids
        self._note = note
        self._sweep = sweep
        self._sweep_later = sweep_later

    async def erase(
        self,
        site_id: str,
        subject: tuple[SubjectKind, str] | None,
        record_ids: Sequence[str] = (),
        *,
        keep_refusals: bool = True,
        linked: bool = False,
        method: Method = Method.API,
    ) -> Erased:
        """Erase everything held about a subject, their key first of all, and single records.

        Where something is refused, that alone is remembered, unless told otherwise: the person
        would be asked again. *linked* erases those whom the subject was linked with, too.
        Raises SubjectInvalid, SubjectNotFound and RecordNotFound.
        """
        return await self._write(
            Erase(
                site_id,
                self._clock(),
                method,
                Actor.CONTROLLER,
                refs=self._keyring.refs(site_id, *subject) if subject else (),
                record_ids=record_ids,
                keep_refusals=keep_refusals,
                linked=linked,
            )
        )

    async def shred_due(self) -> int:
        """Erase the subjects whose restriction has run out; return how many records went."""
        now = self._clock()
        due = await self._reading.query(
            lambda connection: holdings.list_due(connection, instant(now))
        )

        async def shred(site_id: str, ref: str) -> int:
            command = Erase(site_id, now, Method.JOB, Actor.SYSTEM, refs=[ref], due=instant(now))
            return len((await self._write(command)).record_ids)

        return await _each(shred(*place) for place in due)

    async def keep_to_retention(self) -> int:
        """Erase on every site what is older than it wants kept; return how many records went."""
        now = self._clock()
        settings = await self._reading.query(store.list_settings)

        async def keep(site_id: str, content: str) -> int:
            days = Setting.from_json(content).retention_days
            return 0 if days is None else await self.retain(site_id, now - timedelta(days=days))

        return await _each(keep(*place) for place in settings)

    async def retain(self, site_id: str, older_than: datetime) -> int:
        """Erase the records received before *older_than* that no consent in force rests on.

        Returns how many. Refusals are remembered without their records; records under restriction
        wait for its end.
        """
        now, before, after, erased = self._clock(), _first_id(older_than), "", 0
        waiting: list[str] = []
        while True:
            page, unneeded = await self._reading.query(
                partial(_aged, site_id=site_id, after=after, before=before, now=instant(now))
            )
            waiting += unneeded
            while len(waiting) >= PAGE or (waiting and len(page) < PAGE):
                command = Erase(
                    site_id,
                    now,
                    Method.JOB,
                    Actor.SYSTEM,
                    record_ids=waiting[:PAGE],
                    unneeded=True,
                )
                erased += len((await self._write(command)).record_ids)
                del waiting[:PAGE]
            if len(page) < PAGE:
                return erased
            after = page[-1].record_id

    async def _write(self, command: Erase) -> Erased:
        return await self._writing.write(self.carry_out, command, size=WHOLE_BATCH)

    # -- inside the writer's transaction ------------------------------------------------------

    def carry_out(self, rows: Rows, commands: Sequence[Erase]) -> list[Erased | Exception]:
        """Carry out erasures, in order of the sites: heads are locked in one order by all."""
        outcomes: dict[int, Erased | Exception] = {}
        for command in sorted(commands, key=attrgetter("site_id")):
            try:
                outcomes[id(command)] = self._erase(rows, command)
            except (RecordNotFound, SubjectNotFound) as error:
                outcomes[id(command)] = error
        return [outcomes[id(command)] for command in commands]

    def _erase(self, rows: Rows, command: Erase) -> Erased:
        site_id = command.site_id
        batch = Batch(rows, self._keyring, site_id)
        try:
            batch.begin()
        except LogNotFound:
            raise _nothing_held(command) from None
        refs = _with_linked(rows, site_id, command.refs) if command.linked else command.refs
        held: Sequence[Held] = _distinct(
            holdings.ask_held_of(rows, site_id, refs)(),
            holdings.ask_held(rows, site_id, command.record_ids)(),
        )
        owners = list(dict.fromkeys([SITE, *refs, *(item.subject_ref for item in held)]))
        subjects = store.ask_subjects(rows, site_id, owners)()
        batch.know(subjects)
        subjects.pop(SITE, None)
        linked = find_linked(rows, site_id, subjects)
        held = _still_to_go(rows, command, held, subjects, linked)
        if not held and (command.unneeded or (command.due is not None and not subjects)):
            return Erased(None, (), ())
        if not subjects:
            raise _nothing_held(command)
        meant = [
            ref
            for ref, subject in subjects.items()
            # Who is linked may yet say no under the other id: of them no link is cut.
            if not (command.unneeded and subject.standing.links)
        ]
        going = _going(rows, site_id, meant, held, subjects)
        others = {ref: one for ref, one in {**linked, **subjects}.items() if ref not in going}
        naming = find_naming(rows, self._keyring, site_id, going, others)
        held = _distinct(held, naming)
        subjects |= {
            item.subject_ref: linked.pop(item.subject_ref)
            for item in naming
            if item.subject_ref in linked
        }
        tombstones = self._entomb(batch, command, held)
        closed = batch.close()
        forgotten = forget(
            rows,
            self._keyring,
            site_id,
            held,
            subjects,
            linked,
            meant=meant,
            keep_refusals=command.keep_refusals,
            erased_at=instant(command.received),
        )
        if held or forgotten.gone:
            self._leave_no_trace(rows, command, tombstones, held, forgotten)
        return Erased(
            closed.receipts[-1] if closed.receipts else None,
            [item.record_id for item in held],
            forgotten.remembered,
        )

    def _entomb(self, batch: Batch, command: Erase, held: Sequence[Held]) -> list[str]:
        """Name in the log what is erased, and return the ids of these events."""
        made = []
        for named in for_tombstones([item.record_id for item in held]):
            made.append(self._ids())
            batch.enter(
                tombstone(
                    record_id=made[-1],
                    site_id=command.site_id,
                    event_type=EventType.ERASED,
                    record_ids=named,
                    method=command.method,
                    by=command.by,
                    received_at=command.received,
                ),
            )
        return made

    def _leave_no_trace(
        self,
        rows: Rows,
        command: Erase,
        tombstones: Sequence[str],
        held: Sequence[Held],
        forgotten: Forgotten,
    ) -> None:
        # Before the commit: should that fail, erasing later what was asked to be erased is right.
        self._note(
            Erasure(
                command.site_id,
                instant(command.received),
                tombstones,
                [
                    (ref, key_digest(self._keyring, command.site_id, ref, subject))
                    for ref, subject in forgotten.gone.items()
                ],
                [item.record_id for item in held],
                command.keep_refusals,
                command.unneeded,
            )
        )
        sweep = self._sweep_later if command.unneeded else self._sweep
        rows.afterwards(partial(sweep, traces(held, forgotten)))


async def _each(works: Iterable[Awaitable[int]]) -> int:
    """Do everything, and return what it comes to together.

    What fails takes nobody else's turn; it is raised in the end.
    """
    done, failure = 0, None
    for work in works:
        try:
            done += await work
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are due
            failure = failure or error
    if failure is not None:
        raise failure
    return done


def _with_linked(rows: Rows, site_id: str, refs: Sequence[str]) -> list[str]:
    """Return *refs* and whoever is linked with them, near or far."""
    known = store.ask_subjects(rows, site_id, refs)()
    return list(dict.fromkeys([*refs, *find_linked(rows, site_id, known)]))


def _distinct(*held: Sequence[Held]) -> list[Held]:
    by_id = {item.record_id: item for items in held for item in items}
    return [by_id[record_id] for record_id in sorted(by_id)]


def _going(
    rows: Rows,
    site_id: str,
    meant: Sequence[str],
    held: Sequence[Held],
    subjects: Mapping[str, Subject],
) -> set[str]:
    """Return who of those *meant* is linked and has no record but those *held*."""
    bound = [ref for ref in meant if subjects[ref].standing.links]
    if not bound:
        return set()
    erased = {item.record_id for item in held}
    every = holdings.ask_held_of(rows, site_id, bound)()
    return set(bound) - {item.subject_ref for item in every if item.record_id not in erased}


def _aged(
    connection: Connection, *, site_id: str, after: str, before: str, now: str
) -> tuple[list[Aged], list[str]]:
    """Return a page of old records, and those of them that their subject needs no more."""
    page = holdings.list_aged(connection, site_id, after=after, before=before, limit=PAGE)
    unneeded = [
        aged
        for aged in page
        if aged.restricted_until is None
        and not _holds_a_link(aged.event_type, aged.standing)
        and aged.record_id not in evidence(aged.standing, now=now)
    ]
    asking = [aged.standing for aged in unneeded if aged.event_type == EventType.REQUESTED]
    answered = _answered(connection, site_id, asking, now)
    return page, [aged.record_id for aged in unneeded if aged.record_id not in answered]


def _answered(
    connection: Connection, site_id: str, standings: Iterable[Standing], now: str
) -> set[str]:
    """Return the questions that consents in force answered."""
    consents = {record_id for standing in standings for record_id in in_force(standing, now=now)}
    return find_questions(connection, site_id, consents)


def _still_to_go(
    rows: Rows,
    command: Erase,
    held: Sequence[Held],
    subjects: dict[str, Subject],
    linked: Mapping[str, Subject],
) -> Sequence[Held]:
    """Return what is to go now that the rows are locked; whoever is spared leaves *subjects*."""
    if command.due is not None:
        for ref, subject in list(subjects.items()):
            if subject.restricted_until is None or subject.restricted_until > command.due:
                del subjects[ref]
        return [item for item in held if item.subject_ref in subjects]
    if command.unneeded:
        now = instant(command.received)
        standings = [subject.standing for subject in [*subjects.values(), *linked.values()]]
        needed = {name for standing in standings for name in evidence(standing, now=now)}
        if any(item.event_type == EventType.REQUESTED for item in held):
            needed |= _answered(rows.connection, command.site_id, standings, now)
        return [
            item
            for item in held
            if item.record_id not in needed
            and subjects[item.subject_ref].restricted_until is None
            and not _holds_a_link(item.event_type, subjects[item.subject_ref].standing)
        ]
    return held


def _holds_a_link(event_type: str, standing: Standing) -> bool:
    """Whether a record is of a link that still binds its subject to another."""
    return event_type == EventType.LINKED and bool(standing.links)


def _nothing_held(command: Erase) -> Exception:
    if command.refs:
        return SubjectNotFound("expected a subject of whom this site holds something, got another")
    return RecordNotFound("expected a record of this site, got none")


def _first_id(moment: datetime) -> str:
    """Return the id that sorts before every record of *moment* and later: UUIDv7 begins so."""
    millis = int(moment.timestamp() * 1000)
    return f"{millis >> 16:08x}-{millis & 0xFFFF:04x}"
