"""Use case: another consent tool's log is taken in, each choice as an `imported` event.

What was decided elsewhere is recorded as claimed. A no counts; a yes only where the operator says
that the export is evidence, and on which notice it was given. Taking the same choices in twice adds
nothing, however the exports spell them, and nobody who was erased comes back.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import orjson

from consent import store
from consent.choices.choice import (
    Actor,
    Assurance,
    Basis,
    Decision,
    EventType,
    Method,
    Origin,
    PurposeDecision,
    ShownNotice,
    SubjectKind,
)
from consent.choices.record import event, instant, normalise
from consent.database import Rows, Writing
from consent.errors import MappingInvalid, NoticeUnknown, SubjectInvalid
from consent.recording.mapping import ColumnMapping, Imported, Refused
from consent.records.batch import Batch, Closed
from consent.sealing.keyring import Keyring
from consent.store import Published
from consent.subjects.forgetting import Erasure, Restriction
from consent.tables import IDEMPOTENCY

BATCH = 500  # choices a transaction: others wait for the log meanwhile


class Take(NamedTuple):
    """Take choices into a site's log; a record id for each."""

    site_id: str
    mapping: ColumnMapping
    choices: Sequence[Imported]
    record_ids: Sequence[str]
    received: datetime


class Taken(NamedTuple):
    """How many choices were recorded, how many had been before, and how many are of the erased."""

    recorded: int
    known: int
    erased: int


class _Outcome(NamedTuple):
    """What became of one transaction's choices."""

    taken: Taken
    refused: Sequence[Refused]


class _Erased:
    """Who was erased on request last when, as it was written down outside the database.

    A copy of the database that was put back may know nothing of them, and they may be in an export.
    """

    def __init__(self, read: Callable[[], Iterable[Erasure | Restriction]]) -> None:
        self._read = read
        self._newest: Erasure | Restriction | None = None
        self._at: dict[tuple[str, str], str] = {}

    def read_on(self) -> None:
        """Take in what was written down since."""
        before, self._newest = self._newest, None
        for done in self._read():
            self._newest = self._newest or done
            if done == before:
                break
            if isinstance(done, Erasure) and not done.aged:
                for ref, _ in done.subjects:
                    place = done.site_id, ref
                    self._at[place] = max(self._at.get(place, ""), done.erased_at)

    def covers(self, site_id: str, refs: Iterable[str], occurred: datetime) -> bool:
        """Whether a subject was erased after an instant, or within its second."""
        at = instant(occurred)
        return any(at <= self._at.get((site_id, ref), "") for ref in refs)


class Importing:
    """Takes in the logs of other consent tools.

    *erasures* answers what was erased, newest first, as it was written down outside the database.
    """

    def __init__(
        self,
        *,
        keyring: Keyring,
        writing: Writing,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        erasures: Callable[[], Iterable[Erasure | Restriction]],
    ) -> None:
        self._keyring = keyring
        self._writing = writing
        self._clock = clock
        self._ids = ids
        self._erased = _Erased(erasures)

    async def take(
        self,
        site_id: str,
        mapping: ColumnMapping,
        choices: Iterable[Imported | Refused],
        refuse: Callable[[Refused], None],
    ) -> Taken:
        """Record *choices*, the oldest first, and tell *refuse* of those that cannot be.

        Raises LogNotFound where the site never published a notice, NoticeUnknown where it did not
        publish the mapping's, MappingInvalid where that notice lacks one of its purposes.
        """
        well: list[Imported] = []
        now = self._clock()
        for choice in choices:
            if isinstance(choice, Imported):
                problem = find_problem(mapping, choice, now)
                if problem is None:
                    well.append(choice)
                else:
                    refuse(Refused(choice.number, problem))
            else:
                refuse(choice)
        # The log's order is history: an export is often the newest first.
        well.sort(key=lambda choice: choice.occurred)
        once: dict[bytes, Imported] = {}
        for choice in well:
            once.setdefault(_said(mapping.kind, choice), choice)
        recorded, known, erased = 0, len(well) - len(once), 0
        remaining = iter(once.values())
        while batch := list(islice(remaining, BATCH)):
            command = Take(site_id, mapping, batch, [self._ids() for _ in batch], self._clock())
            outcome = await self._writing.write(self.carry_out, command)
            recorded, known = recorded + outcome.taken.recorded, known + outcome.taken.known
            erased += outcome.taken.erased
            for one in outcome.refused:
                refuse(one)
        return Taken(recorded, known, erased)

    # -- inside the writer's transaction ------------------------------------------------------

    def carry_out(self, rows: Rows, commands: Sequence[Take]) -> list[_Outcome | Exception]:
        """Carry out commands one after the other."""
        return [self._take(rows, command) for command in commands]

    def _take(self, rows: Rows, command: Take) -> _Outcome:
        site_id, mapping = command.site_id, command.mapping
        keys = [self._key(site_id, _said(mapping.kind, choice)) for choice in command.choices]
        # What is there from before is known by its rows, and by nothing else.
        older = [self._key(site_id, choice.digest.encode()) for choice in command.choices]
        refs = [
            self._keyring.refs(site_id, mapping.kind, choice.subject) for choice in command.choices
        ]
        batch = Batch(rows, self._keyring, site_id)
        answers = store.ask_answers(rows, site_id, [*keys, *older])
        subjects = store.ask_subjects(rows, site_id, [ref for known in refs for ref in known])
        setting = store.ask_setting(rows, site_id)
        batch.begin()
        batch.know(subjects())
        batch.know_links()
        # Not before the log's head is locked: erasures write themselves down under that lock.
        self._erased.read_on()
        seen = answers()
        notice = self._notice(rows, site_id, mapping)
        set_here = setting()
        resolved = set_here.resolve(mapping.jurisdiction, on=command.received.date())
        bases = {} if notice is None else notice.bases()
        entered: list[tuple[str, str]] = []
        refused: list[Refused] = []
        erased = 0
        for choice, record_id, key, old, known in zip(
            command.choices, command.record_ids, keys, older, refs, strict=True
        ):
            if key in seen or old in seen:
                continue
            if self._erased.covers(site_id, known, choice.occurred):
                erased += 1
                continue
            ref = next((ref for ref in known if batch.standing(ref)), known[0])
            gives = Decision.GIVEN in dict(choice.decisions).values()
            if gives and any(batch.restricted(each) for each in known):
                refused.append(Refused(choice.number, "expected a no of a restricted subject"))
                continue
            batch.enter(
                event(
                    record_id=record_id,
                    site_id=site_id,
                    subject_ref=ref,
                    subject_kind=mapping.kind,
                    assurance=Assurance.UNVERIFIED,
                    event_type=EventType.IMPORTED,
                    decisions=[
                        PurposeDecision(purpose, decision, bases.get(purpose, Basis.CONSENT))
                        for purpose, decision in choice.decisions
                    ],
                    method=Method.IMPORT,
                    origin=Origin.API,
                    by=Actor.CONTROLLER,
                    received_at=command.received,
                    occurred_at=choice.occurred,
                    notice=None if notice is None else _shown(notice),
                    jurisdiction=mapping.jurisdiction,
                    regime=resolved.regime.value,
                    regime_source=resolved.source.value,
                    valid_until=set_here.validity(choice.occurred) if gives else None,
                    evidence=f"rows-sha256:{choice.digest}" if mapping.evidence else None,
                ),
            )
            entered.append((key, record_id))
        closed = batch.close()
        _remember(rows, site_id, entered, closed)
        known_before = len(command.choices) - len(entered) - len(refused) - erased
        return _Outcome(Taken(len(entered), known_before, erased), refused)

    def _key(self, site_id: str, told: bytes) -> str:
        # Keyed: a bare digest of what a person said could be tried for.
        return f"import.{self._keyring.fingerprint(site_id, told)}"

    def _notice(self, rows: Rows, site_id: str, mapping: ColumnMapping) -> Published | None:
        told = mapping.notice
        if told is None:
            return None
        found = store.find_notice(
            rows.connection, site_id, (told.notice_id, told.version, told.language)
        )
        if found is None:
            raise NoticeUnknown(
                "expected the mapping's notice, version and language to be published, got another"
            )
        if not mapping.ids() <= found.bases().keys():
            raise MappingInvalid("mapping: expected purposes of its notice alone, got others")
        return found


def find_problem(mapping: ColumnMapping, choice: Imported, now: datetime) -> str | None:
    """Say why a choice that can be read cannot be recorded, or None."""
    if choice.occurred > now:
        return "expected a time in the past, got one ahead"
    # Over HTTP nobody could ask about such a subject, nor have them erased.
    if "\0" in choice.subject:
        return "expected an id without U+0000, got one with it"
    try:
        normalise(mapping.kind, choice.subject)
    except SubjectInvalid as error:
        return str(error)
    return None


def _said(kind: SubjectKind, choice: Imported) -> bytes:
    """Write who decided what and when: where all of it is the same, it is the same choice.

    Not the rows: another export of them may have more columns, or others first.
    """
    subject = normalise(kind, choice.subject).decode()
    return orjson.dumps([kind, subject, instant(choice.occurred), sorted(choice.decisions)])


def _shown(published: Published) -> ShownNotice:
    return ShownNotice(
        published.notice.notice_id,
        published.version,
        published.notice.language,
        published.text_sha256,
        published.material_sha256,
    )


def _remember(rows: Rows, site_id: str, entered: Sequence[tuple[str, str]], closed: Closed) -> None:
    """Keep which choices were taken in; nobody asks for their receipts again."""
    rows.insert(
        IDEMPOTENCY,
        [
            (site_id, key, "", record_id, closed.tree_size, closed.signature)
            for key, record_id in entered
        ],
    )
