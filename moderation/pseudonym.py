"""What stands for an author and for an address: keyed, of one site only, never the thing itself.

Pure: keys are handed in. Whoever has the database alone can try no addresses; whoever has the keys
can: a pseudonym under a living key is personal data (GDPR recital 26).

An address is cut to its network first, /24 or /48, and hidden under a key of its day. The key is
destroyed soon after, and what it hid then stands for nobody.
"""

import hmac
from collections.abc import Callable
from datetime import date
from ipaddress import IPv4Address, IPv6Address

AUTHOR = b"moderation-author/v1\0"
ADDRESS = b"moderation-address/v1\0"
REF_DIGITS = 32
SITES_REMEMBERED = 10_000

Address = IPv4Address | IPv6Address


class Pseudonyms:
    """Makes pseudonyms under *author_key* and, for each day, what *address_key* answers.

    *address_key* answers None where a day has no key any more, or never had one.
    """

    def __init__(self, *, author_key: bytes, address_key: Callable[[date], bytes | None]) -> None:
        self._author_key = author_key
        self._address_key = address_key
        self._authors: dict[str, hmac.HMAC] = {}

    def author(self, site_id: str, *, author_id: str | None, email: str | None) -> str | None:
        """Name the author by the site's own id, else by e-mail address, else not at all."""
        if author_id:
            return self._author(site_id, b"id\0" + author_id.encode())
        if email and (email := email.strip().lower()):
            return self._author(site_id, b"email\0" + email.encode())
        return None

    def address(self, site_id: str, address: Address, *, on: date) -> str | None:
        """Name the network of *address* as it is named on that day."""
        key = self._address_key(on)
        if key is None:
            return None
        message = ADDRESS + site_id.encode() + b"\0" + network(address)
        return hmac.digest(key, message, "sha256").hex()[:REF_DIGITS]

    def _author(self, site_id: str, named: bytes) -> str:
        keyed = self._authors.get(site_id)
        if keyed is None:
            if len(self._authors) >= SITES_REMEMBERED:
                self._authors.clear()
            keyed = hmac.new(self._author_key, AUTHOR + site_id.encode() + b"\0", "sha256")
            self._authors[site_id] = keyed
        # Copied for each author: the one-shot form gives up Python's lock every time.
        copied = keyed.copy()
        copied.update(named)
        return copied.hexdigest()[:REF_DIGITS]


def network(address: Address) -> bytes:
    """Return the /24 or /48 that *address* lies in: its version and the bytes that are left."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return bytes([address.version]) + address.packed[: 3 if address.version == 4 else 6]  # noqa: PLR2004
