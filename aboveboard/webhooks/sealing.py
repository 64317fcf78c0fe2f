"""The secrets that sign: made, shown once, kept sealed."""

from base64 import b64encode

from aboveboard.clock import Random
from aboveboard.sealing import Seal

SECRET_BYTES = 32
PURPOSE = b"webhook-secret/v1\x00"
PREFIX = "whsec_"


class Sealing:
    """Makes secrets, seals and opens them."""

    def __init__(self, pepper: bytes, random: Random) -> None:
        self._seal = Seal(pepper, PURPOSE, random)
        self._random = random

    def make(self, webhook_id: str) -> tuple[str, bytes]:
        """Return a new secret for a webhook, as it is shown, and sealed."""
        secret = self._random(SECRET_BYTES)
        return _shown(secret), self._seal.seal(webhook_id, secret)

    def open(self, webhook_id: str, sealed: bytes) -> str:
        """Return a secret as it was shown. Raises SecretUnreadable."""
        return _shown(self._seal.open(webhook_id, sealed))


def _shown(secret: bytes) -> str:
    return PREFIX + b64encode(secret).decode()
