"""Whether a request was signed with one of the secrets that Coral signs with.

Pure. While a secret is being rotated Coral signs with each, and either side may know more secrets
than the other: one signature of one secret is enough.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from moderation.errors import CoralRefused

_SCHEME = "sha256="
_SIGNATURES = 16  # of one request; Coral has two while it rotates


def verify(body: bytes, header: str | None, secrets: Sequence[str]) -> None:
    """Check *header*, `sha256=HEX[,sha256=HEX…]`, against *body* as it came.

    Raises CoralRefused.
    """
    given = [part.strip() for part in (header or "").split(",")][:_SIGNATURES]
    digests = [part.removeprefix(_SCHEME) for part in given if part.startswith(_SCHEME)]
    if not digests:
        raise CoralRefused("expected the header X-Coral-Signature: sha256=HEX, got none")
    expected = [hmac.digest(secret.encode(), body, sha256).hex() for secret in secrets]
    # All are compared, whichever fits: what takes how long tells nothing.
    fitting = [
        hmac.compare_digest(
            one.encode("utf-8", "replace"), other.lower().encode("utf-8", "replace")
        )
        for one in expected
        for other in digests
    ]
    if not any(fitting):
        raise CoralRefused("expected a signature by a known secret, got another")
