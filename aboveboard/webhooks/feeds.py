"""The domains' own feeds, as webhooks read them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy import Connection

from aboveboard.database import Database
from aboveboard.webhooks.message import Cursor, Message, Part
from consent.audit.auditing import Auditing
from consent.choices.choice import EventType
from consent.errors import LogNotFound
from consent.records.history import START, Entry, Position
from consent.wire.changes import Change, item
from moderation.cases import events as comment_events
from moderation.cases.transition import Event, EventKind, replay
from moderation.verdict import RESTRICTED, State

log = structlog.get_logger(__name__)

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
        for entry in step.entries:
            if entry.unreadable:
                log.error("record_unreadable", site=site_id, record=entry.record_id)
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


class ModerationFeed:
    """The events of comments: what waits for people, and what people made of it.

    They are numbered without a gap in the order of their commits: a place is a number.
    """

    name = "moderation"
    events = (HELD, DECIDED, REVERTED, ERASED)
    start = "0"

    def __init__(self, reading: Database) -> None:
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
        found, told = await self._reading.query(
            lambda asked: _told(asked, comment_events.list_all(asked, site_id, int(after), limit))
        )
        return Part(told, str(found[-1].seq) if found else after)

    async def get(self, site_id: str, places: Sequence[str]) -> Mapping[str, Message]:
        """Read single events again."""
        _, told = await self._reading.query(
            lambda asked: _told(asked, comment_events.list_seqs(asked, site_id, map(int, places)))
        )
        return {message.place: message for message in told}


def _told(
    connection: Connection, found: Sequence[Event]
) -> tuple[Sequence[Event], Sequence[Message]]:
    """Return *found*, which are one site's, and what is told of them."""
    named = [(event, _told_as(connection, event)) for event in found]
    told = [(event, name) for event, name in named if name is not None]
    if not told:
        return found, []
    ids = [event.comment_id for event, _ in told]
    external = comment_events.external_ids(connection, found[0].site_id, ids)
    return found, [_comment_message(event, name, external) for event, name in told]


def _told_as(connection: Connection, event: Event) -> str | None:
    if event.kind is EventKind.SUBMITTED:
        return HELD if event.to_state is State.PENDING else None
    if event.kind is EventKind.EDITED:
        return HELD if _waits(connection, event) else None
    return _TOLD_AS.get(event.kind)


def _waits(connection: Connection, edited: Event) -> bool:
    """Whether a new text waits for people: held, or of a comment that stays refused meanwhile."""
    if edited.to_state is State.PENDING:
        return True
    if edited.to_state not in RESTRICTED or edited.from_state != edited.to_state:
        return False
    if edited.to_state is not State.SPAM:
        return True
    # Spam stays where a person said so; what the policy alone says, it says again.
    past = comment_events.list_comment(connection, edited.site_id, edited.comment_id)
    return replay(event for event in past if event.seq <= edited.seq).human


def _comment_message(event: Event, name: str, names: Mapping[str, str]) -> Message:
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
        # A site that keeps its comments for longer than this service must not lose them for it.
        "erased_by": event.actor_kind if event.kind is EventKind.ERASED else None,
    }
    present = {name: value for name, value in told.items() if value is not None}
    return Message(str(event.seq), name, event.at, present)
