"""Cursors of lists: opaque to clients, checked when they come back."""

import base64
import binascii
import re

from consent.errors import CursorInvalid


def write(place: str) -> str:
    """Write *place*, in ASCII, as a cursor."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def read(cursor: str, form: re.Pattern[str]) -> re.Match[str]:
    """Read a place of a certain form. Raises CursorInvalid."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        place = ""
    found = form.fullmatch(place)
    if found is None:
        raise CursorInvalid("expected the `next` of an earlier answer, got something else")
    return found
