"""Served tokens: the service remembers that a notice was shown without knowing to whom.

Pure. A token says which notice, version, language and layer was handed out and when; a choice
that returns it within a day answers that question. Nothing is stored for a visitor who never
decides.

    token = base64url(JSON [notice, version, language, layer, seconds, nonce]) "." base64url(MAC)
    MAC   = HMAC-SHA256(key of the site, first part)[:16 bytes]

>>> served = Served("main", 1, "en", None, datetime(2026, 1, 2, tzinfo=UTC))
>>> open_token(bytes(32), token(bytes(32), served, nonce=b"12345678"), now=served.at) == served
True
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from consent.choices.choice import CLOCK_AHEAD
from consent.errors import ServedInvalid

LIFE = timedelta(hours=24)
MAX_TOKEN_CHARS = 512
MAC_BYTES = 16


class Served(NamedTuple):
    """What was handed out, and when."""

    notice_id: str
    version: int
    language: str
    layer: int | None
    at: datetime


def token(key: bytes, served: Served, *, nonce: bytes) -> str:
    """Write a token; *nonce* makes no two alike."""
    payload = urlsafe_b64encode(
        orjson.dumps([*served[:4], int(served.at.timestamp()), nonce.hex()])
    )
    return b".".join((payload, _mac(key, payload))).decode()


def open_token(key: bytes, text: str, *, now: datetime) -> Served:
    """Read a token of this site. Raises ServedInvalid where it is not one, or a day old."""
    try:
        content = _content(key, text)
    except (ValueError, Error) as error:
        raise ServedInvalid("expected a token that this service made, got another text") from error
    at = datetime.fromtimestamp(content[4], UTC)
    if not now - LIFE <= at <= now + CLOCK_AHEAD:
        raise ServedInvalid(
            f"expected a token of the last {LIFE.total_seconds() / 3600:.0f} hours, "
            "got an older one"
        )
    notice_id, version, language, layer = content[:4]
    return Served(notice_id, version, language, layer, at)


def _content(key: bytes, text: str) -> list[Any]:
    """Return what a token holds. Raises ValueError where this key did not make it."""
    payload, _, mac = text.partition(".")
    if len(text) > MAX_TOKEN_CHARS:
        raise ValueError
    # As texts: a decoder would read several spellings as one.
    if not hmac.compare_digest(mac.encode("ascii"), _mac(key, payload.encode("ascii"))):
        raise ValueError
    content: list[Any] = orjson.loads(urlsafe_b64decode(payload))
    return content


def _mac(key: bytes, payload: bytes) -> bytes:
    return urlsafe_b64encode(hmac.digest(key, payload, sha256)[:MAC_BYTES])
