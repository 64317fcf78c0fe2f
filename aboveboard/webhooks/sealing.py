"""The secrets that sign: made, shown once, kept sealed.

A sealed secret is `nonce (12) || AES-256-GCM(secret (32)) || tag (16)` (NIST SP 800-38D) under a
key derived by HKDF-SHA256 (RFC 5869) from the pepper, a key file; the webhook's id is
authenticated with it. Whoever has the database alone can sign nothing.
"""

from base64 import b64encode

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aboveboard.clock import Random
from aboveboard.errors import SecretUnreadable

SECRET_BYTES = 32
NONCE_BYTES = 12
INFO = b"webhook-secret/v1\x00"
PREFIX = "whsec_"


class Sealing:
    """Makes secrets, seals and opens them."""

    def __init__(self, pepper: bytes, random: Random) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, salt=None, info=INFO).derive(pepper))
        self._random = random

    def make(self, webhook_id: str) -> tuple[str, bytes]:
        """Return a new secret for a webhook, as it is shown, and sealed."""
        secret, nonce = self._random(SECRET_BYTES), self._random(NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, secret, webhook_id.encode())
        return _shown(secret), sealed

    def open(self, webhook_id: str, sealed: bytes) -> str:
        """Return a secret as it was shown. Raises SecretUnreadable."""
        try:
            secret = self._cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], webhook_id.encode()
            )
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable(
                "expected a webhook's secret sealed under this installation's pepper.key, got "
                f"{len(sealed)} other bytes"
            ) from error
        return _shown(secret)


def _shown(secret: bytes) -> str:
    return PREFIX + b64encode(secret).decode()
