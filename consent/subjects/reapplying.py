"""What was erased stays erased: after a restore it is done again, before anybody is served.

A database that was put back from a copy holds again what was erased since the copy was made. The
list of erasures outlives it; what the log has no tombstone of is done again and entombed again.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection

from consent import store
from consent.choices.choice import SITE, Actor, EventType, Method
from consent.choices.record import instant, tombstone
from consent.database import Reading, Rows, Writing
from consent.errors import LogNotFound
from consent.records import holdings
from consent.records.batch import Batch
from consent.sealing.keyring import Keyring
from consent.subjects.forgetting import Erasure, Restriction, for_tombstones, reapply, shown_by

PAGE = 500
"""Erasures that are looked up at once. Where a whole page is known to the log, so is all before:
that many are never on their way to it at the same time."""


class Again(NamedTuple):
    """Do *done* again, unless the log has its tombstones by now."""

    done: Erasure | Restriction
    received: datetime


class Reapplying:
    """The use case of what a restore brought back; *sweep* is as for erasing."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        writing: Writing,
        reading: Reading,
        clock: Callable[[], datetime],
        sweep: Callable[[Sequence[bytes]], None],
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._reading = reading
        self._clock = clock
        self._sweep = sweep

    async def reapply(self, newest_first: Iterable[Erasure | Restriction]) -> int:
        """Do again what the logs know nothing of; returns how many erasures and restrictions.

        Reads no further back than to where the logs know everything.
        """
        noted, missing = iter(newest_first), list[Erasure | Restriction]()
        later: set[tuple[str, str]] = set()
        over: set[tuple[str, str]] = set()
        while page := list(islice(noted, PAGE)):
            known = await self._reading.query(partial(_known, page))
            lost = False
            for done in page:
                if isinstance(done, Restriction):
                    # An erasure ends it: who comes back after that is not restricted. So does a
                    # later one that the log knows: of whom no record is, it never has the older.
                    refs = [ref for ref in done.refs if (done.site_id, ref) not in over]
                    if known.issuperset(_tombstones(done)):
                        over.update((done.site_id, ref) for ref in done.refs)
                    elif refs:
                        missing.append(done._replace(refs=refs))
                        lost = True
                    continue
                over.update((done.site_id, ref) for ref, _ in done.subjects)
                if not done.tombstones:
                    # What has no tombstone cannot be looked up. Done once more, it changes
                    # nothing, but for whoever has been erased anew since: of them it would
                    # forget a later refusal.
                    missing += _but_for(done, later)
                elif not known.issuperset(_tombstones(done)):
                    missing.append(done)
                    lost = True
                else:
                    later.update((done.site_id, ref) for ref, _ in done.subjects)
            if not lost:
                break
        again = 0
        for done in reversed(missing):
            again += await self._writing.write(self.carry_out, Again(done, self._clock()))
        return again

    # -- inside the writer's transaction ------------------------------------------------------

    def carry_out(self, rows: Rows, commands: Sequence[Again]) -> list[bool]:
        """Carry out commands, in order; answers whether there was anything to do."""
        return [self._again(rows, command) for command in commands]

    def _again(self, rows: Rows, command: Again) -> bool:
        done = command.done
        batch = Batch(rows, self._keyring, done.site_id)
        try:
            batch.begin()
        except LogNotFound:
            # Where there is no log there is no record.
            return False
        # Another process may have come first: it held the log's head until now.
        if done.tombstones and _known([done], rows.connection).issuperset(_tombstones(done)):
            return False
        traces = reapply(rows, self._keyring, done, now=instant(command.received))
        batch.know(store.ask_subjects(rows, done.site_id, [SITE])())
        named = done.record_ids if isinstance(done, Erasure) else _of_restricted(rows, done)
        # Of a restriction there may be fewer by now.
        for record_id, concerned in zip(done.tombstones, for_tombstones(named), strict=False):
            batch.enter(_entombed(command, record_id, concerned))
        batch.close()
        if traces:
            rows.afterwards(partial(self._sweep, traces))
        return bool(traces or done.tombstones)


def _of_restricted(rows: Rows, done: Restriction) -> list[str]:
    """Return the records of those whom a restriction is of now."""
    subjects = store.ask_subjects(rows, done.site_id, done.refs)()
    held = holdings.ask_held_of(rows, done.site_id, done.refs)()
    return [
        item.record_id for item in held if subjects[item.subject_ref].restricted_until is not None
    ]


def _entombed(command: Again, record_id: str, concerned: Sequence[str]) -> dict[str, Any]:
    erased = isinstance(command.done, Erasure)
    return tombstone(
        record_id=record_id,
        site_id=command.done.site_id,
        event_type=EventType.ERASED if erased else EventType.RESTRICTED,
        record_ids=concerned,
        method=Method.JOB,
        by=Actor.SYSTEM,
        received_at=command.received,
    )


def _but_for(done: Erasure, later: Container[tuple[str, str]]) -> list[Erasure]:
    """Return an erasure of those of its subjects who are not among *later*; none without any."""
    left = [(ref, key) for ref, key in done.subjects if (done.site_id, ref) not in later]
    return [done._replace(subjects=left)] if left else []


def _tombstones(done: Erasure | Restriction) -> set[tuple[str, str]]:
    return {(done.site_id, record_id) for record_id in shown_by(done)}


def _known(page: Sequence[Erasure | Restriction], connection: Connection) -> set[tuple[str, str]]:
    """Return those tombstones, by site and id, that are recorded."""
    by_site: dict[str, list[str]] = {}
    for done in page:
        by_site.setdefault(done.site_id, []).extend(shown_by(done))
    return {
        (site_id, record_id)
        for site_id, record_ids in by_site.items()
        for record_id in store.find_stored(connection, site_id, record_ids)
    }
