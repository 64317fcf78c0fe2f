"""Restricting: kept as evidence until a day, used for nothing else, then shredded.

The step between keeping and erasing (GDPR Art. 18; Art. 17(3)(e) while claims may come).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from consent import store
from consent.choices.choice import SITE, Actor, EventType, Method, SubjectKind
from consent.choices.record import instant, tombstone
from consent.database import Rows, Writing
from consent.errors import LogNotFound, RestrictionInvalid, SubjectNotFound
from consent.records import holdings
from consent.records.batch import Batch, Receipt
from consent.sealing.keyring import Keyring
from consent.subjects.forgetting import (
    WHOLE_BATCH,
    Restriction,
    find_linked,
    find_naming,
    for_tombstones,
    seal_off,
)


class Restricted(NamedTuple):
    """Which records are kept as evidence, and until when; *receipt* is of the last tombstone."""

    receipt: Receipt
    record_ids: Sequence[str]
    evidence_until: str


class Restrict(NamedTuple):
    """Restrict processing for *refs* until then."""

    site_id: str
    refs: Sequence[str]
    until: str
    received: datetime
    method: Method


class Restricting:
    """The use case of restriction; *note* writes it down outside the database, durably."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        writing: Writing,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        note: Callable[[Restriction], None],
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._clock = clock
        self._ids = ids
        self._note = note

    async def restrict(
        self,
        site_id: str,
        kind: SubjectKind,
        subject_id: str,
        *,
        evidence_until: datetime,
        method: Method = Method.API,
    ) -> Restricted:
        """Keep what is held about a subject as evidence alone, and shred it after that instant.

        From now on nothing is allowed for them and no consent of theirs is taken in; what takes
        consent away is recorded. Said again, the instant is the new one.
        Raises SubjectInvalid, SubjectNotFound and RestrictionInvalid.
        """
        now = self._clock()
        if evidence_until <= now:
            raise RestrictionInvalid("expected evidence_until to lie ahead, got an earlier instant")
        command = Restrict(
            site_id,
            self._keyring.refs(site_id, kind, subject_id),
            instant(evidence_until),
            now,
            method,
        )
        return await self._writing.write(self.carry_out, command, size=WHOLE_BATCH)

    # -- inside the writer's transaction ------------------------------------------------------

    def carry_out(self, rows: Rows, commands: Sequence[Restrict]) -> list[Restricted | Exception]:
        """Carry out restrictions, in order of the sites: heads are locked in one order by all."""
        outcomes: dict[int, Restricted | Exception] = {}
        for command in sorted(commands, key=attrgetter("site_id")):
            try:
                outcomes[id(command)] = self._restrict(rows, command)
            except SubjectNotFound as error:
                outcomes[id(command)] = error
        return [outcomes[id(command)] for command in commands]

    def _restrict(self, rows: Rows, command: Restrict) -> Restricted:
        site_id = command.site_id
        batch = Batch(rows, self._keyring, site_id)
        try:
            batch.begin()
        except LogNotFound:
            raise _nobody() from None
        known = store.ask_subjects(rows, site_id, command.refs)()
        refs = sorted(ref for ref, subject in known.items() if subject.wrapped)
        held = holdings.ask_held_of(rows, site_id, refs)()
        if not held:
            # Who never said a thing is held by what links them, and may have taken consent over.
            linked = find_linked(rows, site_id, known)
            held = find_naming(rows, self._keyring, site_id, refs, linked)
        if not held:
            raise _nobody()
        batch.know(store.ask_subjects(rows, site_id, [SITE])())
        record_ids = [item.record_id for item in held]
        tombstones = []
        for named in for_tombstones(record_ids):
            tombstones.append(self._ids())
            batch.enter(
                tombstone(
                    record_id=tombstones[-1],
                    site_id=site_id,
                    event_type=EventType.RESTRICTED,
                    record_ids=named,
                    method=command.method,
                    by=Actor.CONTROLLER,
                    received_at=command.received,
                ),
            )
        receipt = batch.close().receipts[-1]
        seal_off(rows, self._keyring, site_id, refs, command.until)
        # Before the commit, like an erasure.
        self._note(Restriction(site_id, instant(command.received), tombstones, refs, command.until))
        return Restricted(receipt, record_ids, command.until)


def _nobody() -> SubjectNotFound:
    return SubjectNotFound("expected a subject of whom this site holds records, got another")
