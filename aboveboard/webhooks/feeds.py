"""The domains' own feeds, as webhooks read them."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from aboveboard.webhooks.message import Cursor, Message, Part
from consent.auditing import Auditing
from consent.choice import EventType
from consent.errors import LogNotFound
from consent.history import START, Entry, Position
from consent.wire.changes import Change, item

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
