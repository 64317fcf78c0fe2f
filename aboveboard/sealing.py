"""Secrets of others that have to be read again: kept so that the database alone tells nothing.

What is sealed is `nonce (12) || AES-256-GCM(secret) || tag (16)` (NIST SP 800-38D) under a key
derived by HKDF-SHA256 (RFC 5869) from the pepper, a key file, and the purpose; what it is kept for
is authenticated with it.
"""

from base64 import b64decode, b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aboveboard.clock import Random
from aboveboard.errors import SecretUnreadable

NONCE_BYTES = 12


class Seal:
    """Seals and opens secrets of one *purpose*."""

    def __init__(self, pepper: bytes, purpose: bytes, random: Random) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, salt=None, info=purpose).derive(pepper))
        self._random = random

    def seal(self, holder: str, secret: bytes) -> bytes:
        """Return *secret* as it may be stored for *holder*."""
        nonce = self._random(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, holder.encode())

    def open(self, holder: str, sealed: bytes) -> bytes:
        """Return what was sealed for *holder*. Raises SecretUnreadable."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], holder.encode())
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable(
                "expected a secret sealed under this installation's pepper.key, got "
                f"{len(sealed)} other bytes"
            ) from error

    def seal_text(self, holder: str, secret: str) -> str:
        """Return *secret* as it may stand in JSON that is stored for *holder*."""
        return b64encode(self.seal(holder, secret.encode())).decode()

    def open_text(self, holder: str, sealed: str) -> str:
        """Return what `seal_text` sealed for *holder*. Raises SecretUnreadable."""
        try:
            read = b64decode(sealed)
        except ValueError:
            read = b""  # what is no Base64 was not sealed here
        return self.open(holder, read).decode()
