"""Cursors of the queue: sealed, and taken back only where they belong."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.errors import CursorInvalid
from moderation.review.queue import Filter, Order, Place, Shelf
from moderation.wire.cursor import Cursors

CURSORS = Cursors(bytes(32))
PLACE = Place(40000185.89442285, "01980000-0000-7000-8000-000000000000")
OF_BLOG = (("blog", "news"), Filter(), Order.PRIORITY)


def test_a_place_comes_back_as_it_was() -> None:
    """Numbers to the last digit, instants as text, within what a query takes."""
    instant = Place("2026-11-28T12:00:00.000000Z", PLACE.comment_id)
    longest = (("s" * 40,) * 30, Filter(Shelf.RESOLVED, words="w" * 256), Order.NEWEST)

    cursor = CURSORS.write(PLACE, *OF_BLOG)
    resolved = CURSORS.write(instant, *longest)

    assert CURSORS.read(cursor, *OF_BLOG) == PLACE
    assert CURSORS.read(resolved, *longest) == instant
    common = instant._replace(common=True)
    assert CURSORS.read(CURSORS.write(common, *longest), *longest) == common
    assert len(resolved or "") <= 256
    assert CURSORS.write(None, *OF_BLOG) is None
    assert CURSORS.read(None, *OF_BLOG) is None


def test_a_cursor_tells_nothing() -> None:
    """Neither where the case stands nor whether it is the same place again."""
    cursor = CURSORS.write(PLACE, *OF_BLOG) or ""
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    assert cursor != CURSORS.write(PLACE, *OF_BLOG)
    for secret in (b"priority", b"40000185", PLACE.comment_id.encode()):
        assert secret not in sealed


@pytest.mark.parametrize(
    "asked",
    [
        (("blog", "other"), Filter(), Order.PRIORITY),
        (("blog",), Filter(), Order.PRIORITY),
        (("blog", "news"), Filter(), Order.NEWEST),
        (("blog", "news"), Filter(Shelf.RESOLVED), Order.PRIORITY),
        (("blog", "news"), Filter(words="zebra"), Order.PRIORITY),
        (("blog", "news"), Filter(seen_by="ann"), Order.PRIORITY),
    ],
)
def test_a_cursor_is_of_one_question(asked: tuple[tuple[str, ...], Filter, Order]) -> None:
    """Other sites', filters', orders' and another installation's are refused."""
    cursor = CURSORS.write(PLACE, *OF_BLOG)
    foreign = Cursors(b"k" * 32).write(PLACE, *OF_BLOG)

    for refused, place in ((cursor, asked), (foreign, OF_BLOG)):
        with pytest.raises(CursorInvalid):
            CURSORS.read(refused, *place)


@given(st.text(max_size=256))
def test_what_was_not_sealed_is_refused(cursor: str) -> None:
    """Whatever it is."""
    with pytest.raises(CursorInvalid):
        CURSORS.read(cursor, *OF_BLOG)
