"""What stands for an author and for an address: keyed, of one site only, never the thing itself.

Pure: keys are handed in. Whoever has the database alone can try no addresses; whoever has the keys
can: a pseudonym under a living key is personal data (GDPR recital 26).

An address is cut to its network first, /24 or /48, and hidden under a key of its day. The key is
destroyed soon after, and what it hid then stands for nobody.
"""

from collections.abc import Callable
from datetime import date
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address

AUTHOR = b"moderation-author/v1\0"
ADDRESS = b"moderation-address/v1\0"
REF_BYTES = 16

Address = IPv4Address | IPv6Address


class Pseudonyms:
    """Makes pseudonyms under *author_key* and, for each day, what *address_key* answers.

    Each is a keyed BLAKE2b (RFC 7693 §2.5) of 16 bytes, as hexadecimal. *address_key* answers None
    where a day has no key any more, or never had one.
    """

    def __init__(self, *, author_key: bytes, address_key: Callable[[date], bytes | None]) -> None:
        self._author_key = author_key
        self._address_key = address_key

    def author(self, site_id: str, *, author_id: str | None, email: str | None) -> str | None:
        """Name the author by the site's own id, else by e-mail address, else not at all."""
        if author_id:
            named = b"id\0" + author_id.encode()
        elif email and (email := email.strip().lower()):
            named = b"email\0" + email.encode()
        else:
            return None
        return _ref(self._author_key, AUTHOR + site_id.encode() + b"\0" + named)

    def reader(self, site_id: str, reader_id: str) -> str:
        """Name a reader by the site's own id, as the author of that id is named."""
        return _ref(self._author_key, AUTHOR + site_id.encode() + b"\0id\0" + reader_id.encode())

    def address(self, site_id: str, address: Address, *, on: date) -> str | None:
        """Name the network of *address* as it is named on that day."""
        key = self._address_key(on)
        if key is None:
            return None
        return _ref(key, ADDRESS + site_id.encode() + b"\0" + network(address))


def _ref(key: bytes, message: bytes) -> str:
    return blake2b(message, key=key, digest_size=REF_BYTES).hexdigest()


def network(address: Address) -> bytes:
    """Return the /24 or /48 that *address* lies in: its version and the bytes that are left."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return bytes([address.version]) + address.packed[: 3 if address.version == 4 else 6]  # noqa: PLR2004
