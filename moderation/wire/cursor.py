"""Cursors: opaque to clients, checked when they come back.

Those of the queue are sealed (Fernet: AES-128-CBC, HMAC-SHA256). A place tells how urgent a case
is, and with it whether readers see the comment: nobody who decides is to know that.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken

from moderation.errors import CursorInvalid
from moderation.review.queue import Filter, Order, Place, Shelf
from moderation.wire.strict import ID

_PLACE = re.compile(
    rf"(priority|oldest|newest|unsure|resolved) (\S{{1,40}}) ({ID})( common)?", re.ASCII
)
_ID = re.compile(ID)
_SEQ = re.compile(r"[0-9]{1,18}", re.ASCII)


class Cursors:
    """Writes and reads where pages of the queue begin, under a *key* of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._sealing = Fernet(base64.urlsafe_b64encode(key))

    def read(
        self, cursor: str | None, sites: Sequence[str], wanted: Filter, order: Order
    ) -> Place | None:
        """Read where a page of what is *wanted* of these *sites* begins. Raises CursorInvalid."""
        if cursor is None:
            return None
        found = _PLACE.fullmatch(self._open(cursor, _digest(sites, wanted)))
        if found is None or found[1] != _ordered(order, wanted.shelf):
            raise CursorInvalid("expected the `next` of a page of the same question, got another")
        value: float | str = found[2]
        if found[1] in {Order.PRIORITY, Order.UNSURE}:
            value = float(found[2])
        return Place(value, found[3], common=found[4] is not None)

    def write(
        self, of: Place | None, sites: Sequence[str], wanted: Filter, order: Order
    ) -> str | None:
        """Write where the next page begins."""
        if of is None:
            return None
        place = (
            f"{_digest(sites, wanted)} {_ordered(order, wanted.shelf)} {of.value!s} {of.comment_id}"
        )
        place += " common" if of.common else ""
        return self._sealing.encrypt(place.encode()).decode().rstrip("=")

    def _open(self, cursor: str, question: str) -> str:
        try:
            place = self._sealing.decrypt(_padded(cursor).encode()).decode()
        except (InvalidToken, UnicodeEncodeError):
            return ""
        return place.removeprefix(f"{question} ")


def seq(after: str | None) -> int:
    """Read from where on the feed is wanted. Raises CursorInvalid."""
    if after is None:
        return 0
    return int(read(after, _SEQ))


def comment_id(after: str | None) -> str | None:
    """Read after which comment a page begins. Raises CursorInvalid."""
    return None if after is None else read(after, _ID)


def write(place: str) -> str:
    """Write a place that is no secret: an id, or the number of an event."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _digest(sites: Sequence[str], wanted: Filter) -> str:
    """Return what tells this question from others, whatever is asked of however many sites."""
    asked = repr((sorted(sites), wanted))
    return hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _ordered(order: Order, shelf: Shelf) -> str:
    return "resolved" if shelf is Shelf.RESOLVED else order.value


def read(cursor: str, form: re.Pattern[str]) -> str:
    """Read a place that is no secret, of this form. Raises CursorInvalid."""
    try:
        place = base64.b64decode(_padded(cursor), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        place = ""
    if not form.fullmatch(place):
        raise CursorInvalid("expected the `next` of an earlier answer, got something else")
    return place


def _padded(cursor: str) -> str:
    return cursor + "=" * (-len(cursor) % 4)
