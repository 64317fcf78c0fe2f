"""How much a request may bring: bodies are bounded before and while they are read.

Deadlines for reading are kept in `protocol`, where the bytes arrive.
"""

from collections.abc import Mapping, Sequence

from starlette.types import Receive

from aboveboard.errors import (
    AddressUnknown,
    BodyTooLarge,
    ClientGone,
    HeaderAmbiguous,
    MediaTypeUnsupported,
)

SINGLE_BYTES = 256 * 1024
BATCH_BYTES = 8 * 1024 * 1024
ONCE = (
    b"authorization",
    b"content-encoding",
    b"content-type",
    b"host",
    b"idempotency-key",
    b"x-site",
)
"""Headers that say who asks, of what, and how it is to be read."""


def check_once(headers: Mapping[bytes, bytes], pairs: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse a header of `ONCE` that is twice among *pairs*. Raises HeaderAmbiguous.

    A proxy may have read one, and *headers* have the other.
    """
    if len(headers) == len(pairs):
        return
    for name in ONCE:
        count = sum(1 for pair in pairs if pair[0] == name)
        if count > 1:
            raise HeaderAmbiguous(f"expected the header {name.decode()} once, got it {count} times")


def check_headers(headers: dict[bytes, bytes], limit: int) -> None:
    """Refuse on the headers alone what would be refused later.

    Raises BodyTooLarge by Content-Length and MediaTypeUnsupported by type or encoding.
    """
    check_length(headers, limit)
    media = headers.get(b"content-type")
    if media is not None and media != b"application/json":
        kind = media.partition(b";")[0].strip().lower()
        if kind != b"application/json" and not kind.endswith(b"+json"):
            raise MediaTypeUnsupported("expected Content-Type: application/json")


def check_length(headers: dict[bytes, bytes], limit: int) -> None:
    """Refuse what is too long or compressed, whatever it is.

    Raises BodyTooLarge and MediaTypeUnsupported.
    """
    length = headers.get(b"content-length")
    if length is not None and (not length.isdigit() or int(length[:20]) > limit):
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got {_shown(length)}")
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in {b"", b"identity"}:
        raise MediaTypeUnsupported("expected a body without Content-Encoding")


def check_path(path: Mapping[str, str]) -> None:
    """Refuse what one engine looks up in vain and the other cannot even ask.

    Raises AddressUnknown.
    """
    for value in path.values():
        if "\0" in value:
            raise AddressUnknown("expected an address without U+0000")


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read a body of at most *limit* bytes.

    Raises BodyTooLarge at the first byte over it and ClientGone when the client leaves.
    """
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge(f"expected a body of at most {limit} bytes, got {len(body)}")
        return body
    parts = bytearray()
    while True:
        if message["type"] != "http.request":
            raise ClientGone("expected a whole body, got a part of one")
        parts += message.get("body", b"")
        if len(parts) > limit:
            raise BodyTooLarge(f"expected a body of at most {limit} bytes, got more")
        if not message.get("more_body", False):
            return bytes(parts)
        message = await receive()


def _shown(length: bytes) -> str:
    return length.decode("ascii", "replace")[:20]
