"""The domains' own feeds, as webhooks read them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from aboveboard.webhooks.message import Cursor, Message, Part
from consent.audit.auditing import Auditing
from consent.choices.choice import EventType
from consent.errors import LogNotFound
from consent.records.history import START, Entry, Position
from consent.wire.changes import Change, item
from moderation.cases import events as comment_events
from moderation.cases.transition import Event, EventKind
from moderation.verdict import State

T = TypeVar("T")

SILENT = frozenset({EventType.REQUESTED, EventType.CONTINUED})
"""What changes nothing for anybody: a notice was shown, a log goes on."""


class ConsentFeed:
    """The ledger: each entry that changes what may be done with a visitor, or that erases."""

    name = "consent"
    events = tuple(Change)

    def __init__(self, auditing: Auditing) -> None:
        self._auditing = auditing
        self.start = _text(START)

    async def ends(self, site_ids: Collection[str]) -> Mapping[str, str]:
        """Return where each site's ledger ends."""
        ends = await self._auditing.ends(list(site_ids))
        return {site_id: _text(end) for site_id, end in ends.items()}

    async def waiting(self, cursors: Collection[Cursor]) -> set[Cursor]:
        """Return the cursors that the ledger has grown beyond."""
        ends = await self._auditing.ends([cursor.site_id for cursor in cursors])
        return {
            cursor for cursor in cursors if ends.get(cursor.site_id, START) > _place(cursor.place)
        }

    async def read(self, site_id: str, after: str, *, limit: int) -> Part:
        """Read on; what was erased since is left out, for its erasure is told."""
        try:
            step = await self._auditing.changes(site_id, _place(after), limit=limit)
        except LogNotFound:
            return Part([], after)
        messages = [
            _message(site_id, entry)
            for entry in step.entries
            if entry.record is not None and entry.record.event_type not in SILENT
        ]
        return Part(messages, _text(step.position))

    async def get(self, site_id: str, places: Sequence[str]) -> Mapping[str, Message]:
        """Read single entries again."""
        found: dict[str, Message] = {}
        with suppress(LogNotFound):
            for place in places:
                epoch, index = _place(place)
                before = Position(epoch, index - 1)
                step = await self._auditing.changes(site_id, before, limit=1)
                for entry in step.entries:
                    if entry.position == (epoch, index):
                        found[place] = _message(site_id, entry)
        return found


def _message(site_id: str, entry: Entry) -> Message:
    told = item(entry)
    event = told.pop("type")
    return Message(_text(entry.position), event, entry.received_at, {"site": site_id, **told})


def _text(position: Position) -> str:
    return f"{position.epoch}.{position.leaf_index}"


def _place(text: str) -> Position:
    epoch, _, index = text.partition(".")
    return Position(int(epoch), int(index))


HELD, DECIDED = "comment.held", "comment.decided"
REVERTED, ERASED = "comment.decision_reverted", "comment.erased"
_TOLD_AS = {
    EventKind.APPROVED: DECIDED,
    EventKind.REJECTED: DECIDED,
    EventKind.MARKED_SPAM: DECIDED,
    EventKind.REMOVED: DECIDED,
    EventKind.RESTORED: DECIDED,
    EventKind.KEPT: DECIDED,
    EventKind.UNDONE: REVERTED,
    EventKind.ERASED: ERASED,
}


class Reading(Protocol):
    """Runs a question on a connection that only reads."""

    async def query(self, ask: Callable[[Connection], T]) -> T:
        """Return what *ask* answers."""
        ...


class ModerationFeed:
    """The events of comments: what waits for people, and what people made of it.

    They are numbered without a gap in the order of their commits: a place is a number.
    """

    name = "moderation"
    events = (HELD, DECIDED, REVERTED, ERASED)
    start = "0"

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def ends(self, site_ids: Collection[str]) -> Mapping[str, str]:
        """Return the number of each site's newest event."""
        ends = await self._reading.query(lambda asked: comment_events.list_ends(asked, site_ids))
        return {site_id: str(end) for site_id, end in ends.items()}

    async def waiting(self, cursors: Collection[Cursor]) -> set[Cursor]:
        """Return the cursors after which something happened."""
        ends = await self.ends([cursor.site_id for cursor in cursors])
        return {
            cursor
            for cursor in cursors
            if int(ends.get(cursor.site_id, self.start)) > int(cursor.place)
        }

    async def read(self, site_id: str, after: str, *, limit: int) -> Part:
        """Read on, past comments that nobody has to be told of."""
        found, names = await self._reading.query(
            lambda asked: _named(asked, comment_events.list_all(asked, site_id, int(after), limit))
        )
        told = [_comment_message(event, names) for event in found if _told_as(event) is not None]
        return Part(told, str(found[-1].seq) if found else after)

    async def get(self, site_id: str, places: Sequence[str]) -> Mapping[str, Message]:
        """Read single events again."""
        found, names = await self._reading.query(
            lambda asked: _named(asked, comment_events.list_seqs(asked, site_id, map(int, places)))
        )
        return {
            str(event.seq): _comment_message(event, names)
            for event in found
            if _told_as(event) is not None
        }


def _named(
    connection: Connection, found: Sequence[Event]
) -> tuple[Sequence[Event], Mapping[str, str]]:
    """Find out what the site itself calls the comments of *found*, which are one site's."""
    told = [event.comment_id for event in found if _told_as(event) is not None]
    return found, comment_events.external_ids(connection, found[0].site_id, told) if told else {}


def _told_as(event: Event) -> str | None:
    if event.kind in {EventKind.SUBMITTED, EventKind.EDITED}:
        return HELD if event.to_state is State.PENDING else None
    return _TOLD_AS.get(event.kind)


def _comment_message(event: Event, names: Mapping[str, str]) -> Message:
    told: dict[str, Any] = {
        "site": event.site_id,
        "comment_id": event.comment_id,
        "external_id": names.get(event.comment_id),
        "revision": event.revision,
        "version": event.seq,
        "event_type": event.kind,
        "from": event.from_state,
        "to": event.to_state,
        "reason_code": event.reason_code,
        "ground": event.ground,
        "decision_id": event.decision_id,
        "undoes": event.undoes,
    }
    present = {name: value for name, value in told.items() if value is not None}
    return Message(str(event.seq), _told_as(event) or "", event.at, present)
