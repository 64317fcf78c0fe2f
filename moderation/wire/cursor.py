"""Cursors: opaque to clients, checked when they come back."""

import base64
import binascii
import re

from moderation.errors import CursorInvalid
from moderation.review.queue import Order, Place, Shelf
from moderation.wire.comments import ID

_PLACE = re.compile(rf"(priority|oldest|newest|unsure|resolved) (\S{{1,40}}) ({ID})", re.ASCII)
_SEQ = re.compile(r"[0-9]{1,18}", re.ASCII)


def place(cursor: str | None, order: Order, shelf: Shelf) -> Place | None:
    """Read where a page begins. Raises CursorInvalid."""
    if cursor is None:
        return None
    found = _PLACE.fullmatch(_decoded(cursor))
    if found is None or found[1] != _ordered(order, shelf):
        raise CursorInvalid("expected the `next` of a page in this order, got something else")
    value: float | str = found[2]
    if found[1] in {Order.PRIORITY, Order.UNSURE}:
        try:
            value = float(found[2])
        except ValueError:
            raise CursorInvalid("expected the `next` of an earlier page, got another") from None
    return Place(value, found[3])


def seq(after: str | None) -> int:
    """Read from where on the feed is wanted. Raises CursorInvalid."""
    if after is None:
        return 0
    found = _SEQ.fullmatch(_decoded(after))
    if found is None:
        raise CursorInvalid("expected the `next` of an earlier answer, got something else")
    return int(found[0])


def write_place(of: Place | None, order: Order, shelf: Shelf) -> str | None:
    """Write where the next page begins."""
    return of and _encoded(f"{_ordered(order, shelf)} {of.value!s} {of.comment_id}")


def write_seq(of: int) -> str:
    """Write from where on the feed is to be read."""
    return _encoded(str(of))


def _ordered(order: Order, shelf: Shelf) -> str:
    return "resolved" if shelf is Shelf.RESOLVED else order.value


def _encoded(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
